//! Small programs that have every kind of value a dispute can be about.

use opml_vm::{
    DType, InputHeader, Opcode, Program, Reducer, Source, Tensor, Term,
    interpreter::{Run, Stop, run_tampered},
    testing::{Build, fixed},
};

/// A program, its inputs and the length of its honest run.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) program: Program,
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) max_t: u64,
    pub(crate) length: u64,
}

const O0: u8 = 1;
const K0: u8 = 9;
const ACC: u8 = 17;

/// A 784-64-10 perceptron, int8: the hidden layer, the logits (the output), their argmax.
pub(crate) fn mlp() -> Sample {
    let rows = |n: u32, k: u32, source: Source| {
        Build::new(DType::I8, Reducer::Sum, &[n], &[k])
            .constants(&[1_340, 20, 0, 127])
            .load(Source::Constant(u32::from(k == 64)), 0, &[fixed(n, 0, &[(O0, 1)]), fixed(k, 0, &[(K0, 1)])])
            .load(source, 0, &[fixed(k, 0, &[(K0, 1)])])
            .op(Opcode::Mul, [22, 23, 0])
    };
    let hidden =
        rows(64, 784, Source::Input(0)).post(Opcode::Mulshr, [ACC, 18, 19]).post(Opcode::Clamp, [22, 20, 21]).done();
    let mut logits = rows(10, 64, Source::Value(0)).done();
    logits.dtype = DType::I32;
    let best = Build::new(DType::I32, Reducer::Argmax, &[1], &[10])
        .load(Source::Value(1), 0, &[fixed(10, 0, &[(K0, 1)])])
        .done();
    let noise = |n: usize, seed: i64| -> Vec<i64> {
        (0..).map(|i: i64| ((i + seed) * 2_654_435_761 % 1_000_003 % 255) - 127).take(n).collect()
    };
    let constant = |n, seed| Tensor::from_values(DType::I8, &noise(n, seed)).unwrap();
    Sample {
        program: Program::new(
            vec![hidden, logits, best],
            vec![constant(64 * 784, 3), constant(640, 5)],
            vec![InputHeader { dtype: DType::I8, elements: 784 }],
            1,
            None,
        )
        .unwrap(),
        inputs: vec![constant(784, 7)],
        max_t: 1,
        length: 1,
    }
}

pub(crate) const COUNTER: u32 = 0;
pub(crate) const HALT: u32 = 1;
pub(crate) const WIDE: u32 = 2;
pub(crate) const EMPTY: u32 = 3;
pub(crate) const SMALL: u32 = 4;
pub(crate) const SUMS: u32 = 5;

/// A loop that halts at `t = 2`: a counter, the halt flag, a tensor of 24 leaves, an empty one, one of three bytes (the output), and one of
/// two leaves whose elements are sums of 300 terms.
pub(crate) fn looping() -> Sample {
    let history = Source::History { instruction: COUNTER, base: -1, terms: vec![Term { slot: 0, coef: 1 }] };
    let counter = Build::each(DType::I32, &[1])
        .constants(&[1])
        .load(history, 0, &[fixed(1, 0, &[])])
        .op(Opcode::Add, [19, 18, 0])
        .done();
    let halt = Build::each(DType::U8, &[1])
        .constants(&[3])
        .load(Source::Value(COUNTER), 0, &[fixed(1, 0, &[])])
        .op(Opcode::Eq, [19, 18, 0])
        .done();
    let wide = Build::each(DType::I16, &[3_000])
        .constants(&[7])
        .op(Opcode::Mul, [O0, 18, 0])
        .op(Opcode::Add, [19, 0, 0])
        .done();
    let empty = Build::each(DType::U8, &[0]).op(Opcode::Add, [0, 0, 0]).done();
    let small = Build::new(DType::U8, Reducer::Max, &[3], &[5])
        .load(Source::Input(0), 0, &[fixed(5, 0, &[(K0, 1)])])
        .load(Source::Value(COUNTER), 0, &[fixed(1, 0, &[])])
        .op(Opcode::Add, [18, 19, 0])
        .op(Opcode::Add, [20, O0, 0])
        .done();
    let sums = Build::new(DType::I64, Reducer::Sum, &[40], &[300])
        .op(Opcode::Mul, [O0, K0, 0])
        .op(Opcode::Sub, [18, 0, 0])
        .post(Opcode::Add, [ACC, O0, 0])
        .done();
    Sample {
        program: Program::new(
            vec![counter, halt, wide, empty, small, sums],
            vec![],
            vec![InputHeader { dtype: DType::I32, elements: 5 }],
            SMALL,
            Some(HALT),
        )
        .unwrap(),
        inputs: vec![Tensor::from_values(DType::I32, &[5, -3, 90, 17, 2]).unwrap()],
        max_t: 5,
        length: 3,
    }
}

/// Four sums of two terms each.
pub(crate) fn pairs() -> Sample {
    let sums = Build::new(DType::I32, Reducer::Sum, &[4], &[2]).op(Opcode::Add, [O0, K0, 0]).done();
    let inputs = vec![InputHeader { dtype: DType::I32, elements: 5 }];
    Sample {
        program: Program::new(vec![sums], vec![], inputs, 0, None).unwrap(),
        inputs: vec![Tensor::from_values(DType::I32, &[5, -3, 90, 17, 2]).unwrap()],
        max_t: 1,
        length: 1,
    }
}

/// Three numbers, copied into a type.
pub(crate) fn copies(dtype: DType) -> Sample {
    let copy = Build::new(dtype, Reducer::Sum, &[3], &[]).load(Source::Input(0), 0, &[fixed(3, 0, &[(O0, 1)])]).done();
    let inputs = vec![InputHeader { dtype: DType::I32, elements: 3 }];
    Sample {
        program: Program::new(vec![copy], vec![], inputs, 0, None).unwrap(),
        inputs: vec![Tensor::from_values(DType::I32, &[-5, 200, 7]).unwrap()],
        max_t: 1,
        length: 1,
    }
}

impl Sample {
    pub(crate) fn n(&self) -> u64 {
        self.program.counts().instructions.into()
    }

    /// The run of a length, with some values changed as they are written.
    pub(crate) fn run(&self, length: u64, hook: &mut dyn FnMut(u64, u32, &mut Tensor)) -> Run {
        run_tampered(&self.program, &self.inputs, Stop::Exactly(length), 1 << 24, hook).unwrap()
    }
}

/// A tensor with one element changed.
pub(crate) fn changed(tensor: &Tensor, e: usize, by: i64) -> Tensor {
    let mut values = tensor.values();
    values[e] += by;
    Tensor::from_values(tensor.dtype(), &values).unwrap()
}
