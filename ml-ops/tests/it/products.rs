//! Products of matrices in every tier against the plain formula: odd sizes, extreme numbers, every form of what follows.

use opml_ops::{engine::Engine, tier::Tier};
use opml_vm::{
    Axis, DType, Extent, InputHeader, Instruction, Load, Op, Opcode, Program, Reducer, Source, Tensor, Term,
    eval::{saturate, scalar},
    interpreter::Stop,
};
use proptest::prelude::*;

/// A matrix product `[batch, m, k] · [batch or 1, n, k]`.
#[derive(Debug, Clone)]
struct Product {
    batch: usize,
    m: usize,
    n: usize,
    k: usize,
    a: (DType, i64),
    b: (DType, i64),
    /// Whether the columns are a constant, and one for all batches.
    constant: bool,
    /// Whether terms of the columns are `n` apart.
    transposed: bool,
    numbers: Numbers,
    post: Ending,
}

#[derive(Debug, Clone, Copy)]
enum Numbers {
    Random(u64),
    Lowest,
    Highest,
    /// Least of one factor, greatest of the other.
    Opposite,
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    None,
    /// Bias and factor of the column, shift, zero point, limits.
    Requant {
        bias: bool,
        factor: Option<i64>,
        shift: i64,
        zero: i64,
        limits: Option<(i64, i64)>,
    },
    /// Nothing that is recognised: the maximum with 0 comes before the factor.
    Relu,
    /// Scaled by a number of the row, maybe with a bias of the column before; then maybe a bias and factor of the column.
    RowScale {
        bias: bool,
        shift: i64,
        factor: Option<(i64, i64)>,
        dtype: DType,
    },
}

impl Numbers {
    fn make(self, dtype: DType, count: usize, second: bool) -> Vec<i64> {
        let (low, high) = (dtype.min(), dtype.max());
        let mut state = match self {
            Self::Random(seed) => seed ^ u64::from(second),
            Self::Lowest => return vec![low; count],
            Self::Highest => return vec![high; count],
            Self::Opposite => return vec![if second { low } else { high }; count],
        };
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            i64::try_from(state >> 33).unwrap()
        };
        (0..count).map(|_| low + next() % (high - low + 1)).collect()
    }
}

fn axis(extent: usize, terms: &[(u8, usize)]) -> Axis {
    let terms = terms.iter().filter(|(_, coef)| *coef != 0);
    let terms = terms.map(|&(slot, coef)| Term { slot, coef: i32::try_from(coef).unwrap() }).collect();
    Axis { extent: Extent::Fixed(u32::try_from(extent).unwrap()), base: 0, terms }
}

fn load(source: Source, elements: usize, terms: &[(u8, usize)]) -> Op {
    Op::Load(Load { source, pad: 0, axes: vec![axis(elements, terms)] })
}

/// Slots: outputs batch, m, n from 1; k is 9; constants from 18.
const BATCH: u8 = 1;
const M: u8 = 2;
const N: u8 = 3;
const K: u8 = 9;

impl Product {
    fn tables(&self) -> (Vec<i64>, Vec<i64>) {
        let bias = (0..self.n).map(|n| i64::try_from(n).unwrap() * 977 - 40_000).collect();
        let scales = (0..self.batch * self.m).map(|m| i64::try_from(m).unwrap() * 9973 % 65_536 - 32_768).collect();
        (bias, scales)
    }

    fn program(&self) -> (Program, Vec<Tensor>) {
        let Self { batch, m, n, k, .. } = *self;
        let a = Tensor::from_values(self.a.0, &self.numbers.make(self.a.0, batch * m * k, false)).unwrap();
        let b_batch = if self.constant { 1 } else { batch };
        let b = Tensor::from_values(self.b.0, &self.numbers.make(self.b.0, b_batch * n * k, true)).unwrap();
        let (bias, scales) = self.tables();
        let (k_step, n_step) = if self.transposed { (n, 1) } else { (1, k) };
        let b_source = if self.constant { Source::Constant(2) } else { Source::Input(1) };
        let b_terms = [(K, k_step), (N, n_step), (BATCH, if self.constant { 0 } else { n * k })];
        let mut constants = vec![self.a.1, self.b.1];
        let post = self.post(&mut constants);
        let op = |number: usize| u8::try_from(18 + constants.len() + number).unwrap();
        let scalar = |opcode, a, b| Op::Scalar { opcode, operands: [a, b, 0] };
        let map = vec![
            load(Source::Input(0), batch * m * k, &[(BATCH, m * k), (M, k), (K, 1)]),
            load(b_source, b_batch * n * k, &b_terms),
            scalar(Opcode::Add, op(0), 18),
            scalar(Opcode::Sub, op(1), 19),
            scalar(Opcode::Mul, op(2), op(3)),
        ];
        let extent = |n: usize| Extent::Fixed(u32::try_from(n).unwrap());
        let instruction = Instruction {
            dtype: self.stored(),
            reducer: Reducer::Sum,
            output: vec![extent(batch), extent(m), extent(n)],
            reduction: vec![extent(k)],
            dynamics: vec![],
            constants,
            map,
            post,
        };
        let mut stored =
            vec![Tensor::from_values(DType::I64, &bias).unwrap(), Tensor::from_values(DType::I16, &scales).unwrap()];
        let mut inputs = vec![a];
        if self.constant {
            stored.push(b)
        } else {
            inputs.push(b)
        }
        let header = |tensor: &Tensor| InputHeader { dtype: tensor.dtype(), elements: tensor.elements() };
        let headers = inputs.iter().map(header).collect();
        (Program::new(vec![instruction], stored, headers, 0, None).unwrap(), inputs)
    }

    fn stored(&self) -> DType {
        match self.post {
            Ending::None => DType::I64,
            Ending::Requant { limits: Some((0.., 256..)), .. } => DType::I16,
            Ending::Requant { limits: Some((0.., _)), .. } => DType::U8,
            Ending::Requant { factor: None, .. } => DType::I32,
            Ending::Requant { .. } | Ending::Relu => DType::I8,
            Ending::RowScale { dtype, .. } => dtype,
        }
    }

    fn post(&self, constants: &mut Vec<i64>) -> Vec<Op> {
        let numbers: Vec<i64> = match self.post {
            Ending::None => vec![],
            Ending::Requant { factor, shift, zero, limits, .. } => {
                let (low, high) = limits.unwrap_or((0, 0));
                vec![factor.unwrap_or(0), shift, zero, low, high]
            }
            Ending::Relu => vec![3, 9, 0, 0, 0],
            Ending::RowScale { shift, factor, .. } => {
                let (factor, second) = factor.unwrap_or((0, 0));
                vec![factor, second, shift, 0, 0]
            }
        };
        constants.extend(numbers);
        let base = 18 + constants.len();
        let mut ops: Vec<Op> = vec![];
        let mut value = 17;
        let mut push = |opcode, operands: [u8; 3], value: &mut u8| {
            ops.push(Op::Scalar { opcode, operands });
            *value = u8::try_from(base + ops.len() - 1).unwrap();
        };
        let table = load(Source::Constant(0), self.n, &[(N, 1)]);
        match self.post {
            Ending::None => {}
            Ending::Requant { bias, factor, limits, .. } => {
                if bias {
                    ops.push(table);
                    let loaded = u8::try_from(base).unwrap();
                    ops.push(Op::Scalar { opcode: Opcode::Add, operands: [loaded, value, 0] });
                    value = loaded + 1;
                }
                let mut push = |opcode, operands: [u8; 3], value: &mut u8| {
                    ops.push(Op::Scalar { opcode, operands });
                    *value = u8::try_from(base + ops.len() - 1).unwrap();
                };
                if factor.is_some() {
                    push(Opcode::Mulshr, [value, 20, 21], &mut value);
                }
                push(Opcode::Add, [value, 22, 0], &mut value);
                if limits.is_some() {
                    push(Opcode::Clamp, [value, 23, 24], &mut value);
                }
            }
            Ending::Relu => {
                push(Opcode::Max, [value, 22, 0], &mut value);
                push(Opcode::Mulshr, [value, 20, 21], &mut value);
            }
            Ending::RowScale { bias, factor, .. } => {
                let mut push = |op: Op| {
                    ops.push(op);
                    u8::try_from(base + ops.len() - 1).unwrap()
                };
                let scalar = |opcode, operands: [u8; 3]| Op::Scalar { opcode, operands };
                if bias {
                    let loaded = push(table.clone());
                    value = push(scalar(Opcode::Add, [value, loaded, 0]));
                }
                let scale = push(load(Source::Constant(1), self.batch * self.m, &[(BATCH, self.m), (M, 1)]));
                value = push(scalar(Opcode::Mulshr, [value, scale, 22]));
                if factor.is_some() {
                    let loaded = push(table);
                    value = push(scalar(Opcode::Add, [value, loaded, 0]));
                    push(scalar(Opcode::Mulshr, [value, 20, 21]));
                }
            }
        }
        ops
    }

    /// The formula, term by term.
    fn expected(&self, program: &Program, inputs: &[Tensor]) -> Vec<i64> {
        let Self { batch, m, n, k, .. } = *self;
        let a = inputs[0].values();
        let b = if self.constant { program.constants()[2].values() } else { inputs[1].values() };
        let (bias, scales) = self.tables();
        let mut out = Vec::with_capacity(batch * m * n);
        for row in 0..batch * m {
            for (column, biased_by) in bias.iter().enumerate().take(n) {
                let start = if self.constant { 0 } else { row / m * n * k };
                let at =
                    |k_index: usize| start + if self.transposed { k_index * n + column } else { column * k + k_index };
                let term = |k_index: usize| (a[row * k + k_index] + self.a.1) * (b[at(k_index)] - self.b.1);
                let sum = saturate((0..k).map(|k| i128::from(term(k))).sum());
                let value = match self.post {
                    Ending::None => sum,
                    Ending::Requant { bias: biased, factor, shift, zero, limits } => {
                        let value = scalar(Opcode::Add, sum, if biased { *biased_by } else { 0 }, 0);
                        let value = factor.map_or(value, |factor| scalar(Opcode::Mulshr, value, factor, shift));
                        let value = scalar(Opcode::Add, value, zero, 0);
                        limits.map_or(value, |(low, high)| scalar(Opcode::Clamp, value, low, high))
                    }
                    Ending::Relu => scalar(Opcode::Mulshr, sum.max(0), 3, 9),
                    Ending::RowScale { bias, shift, factor, .. } => {
                        let value = scalar(Opcode::Add, sum, if bias { *biased_by } else { 0 }, 0);
                        let value = scalar(Opcode::Mulshr, value, scales[row], shift);
                        factor.map_or(value, |(factor, shift)| {
                            let value = scalar(Opcode::Add, value, *biased_by, 0);
                            scalar(Opcode::Mulshr, value, factor, shift)
                        })
                    }
                };
                out.push(self.stored().saturate(value));
            }
        }
        out
    }

    fn check(&self) {
        let (program, inputs) = self.program();
        let expected = self.expected(&program, &inputs);
        for tier in Tier::supported() {
            let engine = Engine::compile_for(&program, tier);
            let run = engine.run(&inputs, Stop::Exactly(1), 1 << 32).unwrap();
            let actual = run.values[0].values();
            let wrong = actual.iter().zip(&expected).position(|(a, b)| a != b);
            let name = tier.name();
            assert_eq!(wrong, None, "{name} {:?}: {:?} instead of {:?}", engine.forms(), actual, expected);
            assert_eq!(actual.len(), expected.len());
        }
    }
}

fn arb_row_scale() -> impl Strategy<Value = Ending> {
    let factor = prop_oneof![
        Just(None),
        (1i64..1 << 31, 0i64..62).prop_map(Some),
        (1i64 << 20..1 << 31, 36i64..48).prop_map(Some),
    ];
    let dtype = prop_oneof![Just(DType::U8), Just(DType::I8), Just(DType::I16), Just(DType::I32)];
    (any::<bool>(), prop_oneof![0i64..62, 8i64..16], factor, dtype)
        .prop_map(|(bias, shift, factor, dtype)| Ending::RowScale { bias, shift, factor, dtype })
}

fn arb_ending() -> impl Strategy<Value = Ending> {
    let factor = prop_oneof![Just(None), (1i64..1 << 31).prop_map(Some), (1i64 << 31..1 << 50).prop_map(Some)];
    let limits = prop_oneof![Just(None), Just(Some((0, 255))), Just(Some((-20, 90))), Just(Some((3, 3000)))];
    prop_oneof![
        Just(Ending::None),
        Just(Ending::Relu),
        arb_row_scale(),
        (any::<bool>(), factor, 0i64..62, -200i64..200, limits)
            .prop_map(|(bias, factor, shift, zero, limits)| Ending::Requant { bias, factor, shift, zero, limits }),
    ]
}

fn arb_factor() -> impl Strategy<Value = (DType, i64)> {
    let dtype = prop_oneof![4 => Just(DType::U8), 4 => Just(DType::I8), 2 => Just(DType::I16), 1 => Just(DType::I32)];
    (dtype, prop_oneof![2 => Just(0i64), 1 => -130i64..130])
}

fn arb_numbers() -> impl Strategy<Value = Numbers> {
    prop_oneof![
        5 => any::<u64>().prop_map(Numbers::Random),
        1 => Just(Numbers::Lowest),
        1 => Just(Numbers::Highest),
        1 => Just(Numbers::Opposite),
    ]
}

fn arb_product() -> impl Strategy<Value = Product> {
    let size = |most: usize| prop_oneof![3 => 1..most, 1 => Just(1), 1 => Just(most)];
    let sizes = (1usize..4, size(70), size(150), size(200));
    (sizes, arb_factor(), arb_factor(), any::<(bool, bool)>(), arb_numbers(), arb_ending()).prop_map(
        |((batch, m, n, k), a, b, (constant, transposed), numbers, post)| Product {
            batch,
            m,
            n,
            k,
            a,
            b,
            constant,
            transposed,
            numbers,
            post,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn products(product in arb_product()) {
        product.check();
    }
}

/// Sums at the limit of i32: `255 · -128 · 65,793` is the least that fits; one term more goes another way.
#[test]
fn long_sums() {
    let start = Product {
        batch: 1,
        m: 17,
        n: 18,
        k: 65_793,
        a: (DType::U8, 0),
        b: (DType::I8, 0),
        constant: true,
        transposed: false,
        numbers: Numbers::Opposite,
        post: Ending::None,
    };
    for constant in [true, false] {
        for k in [65_793, 65_794] {
            Product { k, constant, ..start.clone() }.check();
        }
        for (dtype, k) in [(DType::I16, 1025), (DType::I16, 2), (DType::I8, 513), (DType::U8, 258)] {
            for numbers in [Numbers::Lowest, Numbers::Highest, Numbers::Opposite] {
                let a = (DType::I16, 0);
                Product { k, constant, numbers, a, b: (dtype, 0), ..start.clone() }.check();
            }
        }
    }
}

/// The sum is 2^31, which i32 holds only with what is added to it.
#[test]
fn sums_that_fit_with_their_zero_point() {
    let word = (DType::I16, 0);
    let post = Ending::Requant { bias: false, factor: None, shift: 0, zero: -1, limits: None };
    let sizes = Product {
        batch: 1,
        m: 70,
        n: 1,
        k: 2,
        a: word,
        b: word,
        constant: false,
        transposed: false,
        numbers: Numbers::Lowest,
        post,
    };
    for constant in [true, false] {
        Product { constant, ..sizes.clone() }.check();
    }
}

/// 16-bit numbers as two bytes each: as many terms as 32 bits hold of the lower ones' products, and one more.
#[test]
fn long_sums_of_words() {
    let word = (DType::I16, 0);
    let start = Product {
        batch: 1,
        m: 17,
        n: 18,
        k: 1 << 15,
        a: word,
        b: word,
        constant: true,
        transposed: false,
        numbers: Numbers::Highest,
        post: Ending::None,
    };
    for k in [1 << 15, (1 << 15) + 1, 512, 1024] {
        for numbers in [Numbers::Highest, Numbers::Opposite, Numbers::Random(5)] {
            Product { k, numbers, ..start.clone() }.check();
        }
    }
}

/// Rows so far apart that a copy sets them further apart.
#[test]
fn rows_that_would_displace_each_other() {
    let start = Product {
        batch: 1,
        m: 40,
        n: 70,
        k: 512,
        a: (DType::I8, 0),
        b: (DType::I8, 0),
        constant: true,
        transposed: false,
        numbers: Numbers::Random(3),
        post: Ending::None,
    };
    for (batch, m, k) in [(1, 40, 512), (1, 70, 1024), (3, 33, 512), (1, 130, 1536), (1, 17, 511), (2, 40, 256)] {
        for (dtype, offset) in [(DType::I8, 0), (DType::I8, 5), (DType::U8, 300), (DType::I8, -300), (DType::U8, 0)] {
            for (constant, transposed) in [(true, false), (false, false), (true, true)] {
                Product { batch, m, k, a: (dtype, offset), constant, transposed, ..start.clone() }.check();
            }
        }
    }
}

/// Large enough to be shared among threads, by rows and by columns, with either way out.
#[test]
fn thread_counts_agree() {
    let start = Product {
        batch: 1,
        m: 150,
        n: 330,
        k: 900,
        a: (DType::I8, 0),
        b: (DType::I8, 0),
        constant: true,
        transposed: false,
        numbers: Numbers::Random(7),
        post: Ending::RowScale { bias: true, shift: 12, factor: Some((1 << 29, 38)), dtype: DType::I16 },
    };
    let requant = Ending::Requant { bias: true, factor: Some(1 << 30), shift: 45, zero: 3, limits: None };
    let rows = Product { m: 3, n: 3000, post: requant, ..start.clone() };
    for product in [Product { post: requant, ..start.clone() }, Product { constant: false, ..start }, rows] {
        let (program, inputs) = product.program();
        let expected = product.expected(&program, &inputs);
        for tier in Tier::supported() {
            let engine = Engine::compile_for(&program, tier);
            for threads in [1, 2, 5] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let run = pool.install(|| engine.run(&inputs, Stop::Exactly(1), 1 << 32).unwrap());
                assert_eq!(run.values[0].values(), expected, "{} {threads}", tier.name());
            }
        }
    }
}
