//! Block-scaled products of one and of many vectors in every tier against the interpreter: odd rows, extreme numbers.

use opml_ops::{engine::Engine, tier::Tier};
use opml_vm::{
    Axis, DType, Extent, InputHeader, Instruction, Load, Op, Opcode, Program, Reducer, Source, Tensor, Term,
    interpreter::{self, Stop},
};
use proptest::prelude::*;

const BLOCK: usize = 32;

/// `Σ x · (w · scale + minimum) · most` by rows, shifted.
#[derive(Debug, Clone)]
struct Scaled {
    rows: usize,
    blocks: usize,
    vectors: usize,
    codes: DType,
    minima: bool,
    shift: i64,
    extreme: bool,
    seed: u64,
}

/// Slots: the row, the block, the place in it.
const ROW: u8 = 1;
const OF_BLOCK: u8 = 9;
const PLACE: u8 = 10;

impl Scaled {
    fn numbers(&self, dtype: DType, count: usize, salt: u64) -> Tensor {
        let (low, high) = (dtype.min(), dtype.max());
        let mut state = self.seed ^ salt;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            i64::try_from(state >> 33).unwrap()
        };
        // Extremes come in runs, so that whole blocks are at them.
        let run = if self.extreme { 48 } else { 1 };
        let mut values = Vec::new();
        while values.len() < count {
            let value =
                if self.extreme { [low, high, low, 0][next() as usize % 4] } else { low + next() % (high - low + 1) };
            values.extend(std::iter::repeat_n(value, run));
        }
        Tensor::from_values(dtype, &values[..count]).unwrap()
    }

    fn program(&self) -> Program {
        let Self { rows, blocks, .. } = *self;
        let terms = blocks * BLOCK;
        let width = if self.minima { 2 } else { 1 };
        let extent = |n: usize| Extent::Fixed(u32::try_from(n).unwrap());
        let load = |source: Source, elements: usize, base: i32, terms: &[(u8, usize)]| {
            let term = |&(slot, coef): &(u8, usize)| Term { slot, coef: i32::try_from(coef).unwrap() };
            let terms = terms.iter().map(term).collect();
            let axis = Axis { extent: extent(elements), base: base.into(), terms };
            Op::Load(Load { source, pad: 0, axes: vec![axis] })
        };
        let scalar = |opcode, a, b, c| Op::Scalar { opcode, operands: [a, b, c] };
        // Largest magnitudes of 17 bits, so that all sums fit.
        let most = Instruction {
            dtype: DType::I32,
            reducer: Reducer::Sum,
            output: vec![extent(blocks)],
            reduction: vec![],
            dynamics: vec![],
            constants: vec![-(1 << 17), 1 << 17],
            map: vec![load(Source::Input(1), blocks, 0, &[(ROW, 1)]), scalar(Opcode::Clamp, 20, 18, 19)],
            post: vec![],
        };
        let scale =
            |base| load(Source::Constant(1), rows * blocks * width, base, &[(ROW, blocks * width), (OF_BLOCK, width)]);
        let mut map = vec![
            load(Source::Input(0), terms, 0, &[(OF_BLOCK, BLOCK), (PLACE, 1)]),
            load(Source::Value(0), blocks, 0, &[(OF_BLOCK, 1)]),
            load(Source::Constant(0), rows * terms, 0, &[(ROW, terms), (OF_BLOCK, BLOCK), (PLACE, 1)]),
            scale(0),
        ];
        let op = |number: usize| u8::try_from(19 + number).unwrap();
        if self.minima {
            map.push(scale(1));
            map.push(scalar(Opcode::Mul, op(2), op(3), 0));
            map.push(scalar(Opcode::Add, op(5), op(4), 0));
        } else {
            map.push(scalar(Opcode::Mul, op(2), op(3), 0));
        }
        let weight = op(map.len() - 1);
        map.push(scalar(Opcode::Mul, op(0), weight, 0));
        map.push(scalar(Opcode::Mul, op(map.len() - 1), op(1), 0));
        let post = vec![scalar(Opcode::Rshr, 17, 18, 0)];
        let product = Instruction {
            dtype: DType::I32,
            reducer: Reducer::Sum,
            output: vec![extent(rows)],
            reduction: vec![extent(blocks), extent(BLOCK)],
            dynamics: vec![],
            constants: vec![self.shift],
            map,
            post,
        };
        let constants =
            vec![self.numbers(self.codes, rows * terms, 1), self.numbers(DType::I16, rows * blocks * width, 2)];
        let header = |dtype, elements: usize| InputHeader { dtype, elements: u64::try_from(elements).unwrap() };
        let headers = vec![header(DType::I8, terms), header(DType::I32, blocks)];
        Program::new(vec![most, product], constants, headers, 1, None).unwrap()
    }

    fn check(&self, threads: usize) {
        let program = self.program();
        let salt = |vector: usize| u64::try_from(vector).unwrap() * 2;
        let inputs: Vec<Vec<Tensor>> = (0..self.vectors)
            .map(|vector| {
                let codes = self.numbers(DType::I8, self.blocks * BLOCK, 100 + salt(vector));
                vec![codes, self.numbers(DType::I32, self.blocks, 101 + salt(vector))]
            })
            .collect();
        let expected: Vec<Tensor> = inputs
            .iter()
            .map(|inputs| interpreter::run(&program, inputs, Stop::Exactly(1), 1 << 32).unwrap().values[1].clone())
            .collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for tier in Tier::supported() {
            let engine = Engine::compile_for(&program, tier);
            assert_eq!(engine.forms(), ["lanes", "scaled"], "{self:?}");
            let runs = pool.install(|| engine.run_batch(&inputs, Stop::Exactly(1), 1 << 32).unwrap());
            for (run, expected) in runs.iter().zip(&expected) {
                assert!(run.values[1] == *expected, "{} {self:?}", tier.name());
            }
        }
    }
}

fn arb_scaled() -> impl Strategy<Value = Scaled> {
    let codes = prop_oneof![Just(DType::I4), Just(DType::I8)];
    let shape = (1usize..40, 1usize..8, 1usize..40);
    (shape, codes, any::<bool>(), 0i64..40, any::<bool>(), any::<u64>()).prop_map(
        |((rows, blocks, vectors), codes, minima, shift, extreme, seed)| Scaled {
            rows,
            blocks,
            vectors,
            codes,
            minima,
            shift,
            extreme,
            seed,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn vectors_side_by_side(scaled in arb_scaled()) {
        scaled.check(1);
    }
}

/// Large enough to be shared among threads.
#[test]
fn thread_counts_agree() {
    for (codes, vectors) in [(DType::I4, 1), (DType::I8, 1), (DType::I4, 21), (DType::I8, 33)] {
        let scaled = Scaled {
            rows: 333,
            blocks: 18,
            vectors,
            codes,
            minima: codes == DType::I4,
            shift: 20,
            extreme: false,
            seed: 5,
        };
        [1, 2, 5].into_iter().for_each(|threads| scaled.check(threads));
    }
}
