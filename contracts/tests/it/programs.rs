//! Programs of the shapes that importers make.

use opml_vm::{
    Axis, DType, InputHeader, Instruction, Opcode, Program, Reducer, Source, Tensor, Term,
    testing::{Build, Rng, fixed},
};

use crate::support::Ran;

/// Slots of the first output and reduction coordinates.
const O: u8 = 1;
const K: u8 = 9;

fn tensor(rng: &mut Rng, dtype: DType, elements: u32) -> Tensor {
    let values: Vec<i64> = (0..elements).map(|_| i64::from_le_bytes(rng.bits().to_le_bytes()) >> 24).collect();
    let spread = dtype.bits().min(32);
    let values: Vec<i64> = values.iter().map(|value| value & ((1 << spread) - 1)).collect();
    let half = 1 << (spread - 1);
    let values: Vec<i64> = values.iter().map(|value| if dtype == DType::U8 { *value } else { value - half }).collect();
    Tensor::from_values(dtype, &values).unwrap()
}

fn ran(instructions: Vec<Instruction>, constants: Vec<Tensor>, inputs: Vec<Tensor>, length: u64) -> Ran {
    let headers = inputs.iter().map(|input| InputHeader { dtype: input.dtype(), elements: input.elements() }).collect();
    Ran::new(Program::new(instructions, constants, headers, 0, None).unwrap(), inputs, length)
}

/// A fully connected layer with bias and requantisation: w i8 [56, 784], x u8 [784].
pub(crate) fn dense() -> Ran {
    let mut rng = Rng::new(1);
    let layer = |rows: u32, columns: u32, first: u32, x: Source| {
        Build::new(DType::I8, Reducer::Sum, &[rows], &[columns])
            .constants(&[20])
            .load(Source::Constant(first), 0, &[fixed(rows, 0, &[(O, 1)]), fixed(columns, 0, &[(K, 1)])])
            .load(x, 0, &[fixed(columns, 0, &[(K, 1)])])
            .op(Opcode::Mul, [19, 20, 0])
            .post_load(Source::Constant(first + 1), 0, &[fixed(rows, 0, &[(O, 1)])])
            .post(Opcode::Add, [17, 19, 0])
            .post_load(Source::Constant(first + 2), 0, &[fixed(rows, 0, &[(O, 1)])])
            .post(Opcode::Mulshr, [20, 21, 18])
            .done()
    };
    let mut constants = Vec::new();
    for (rows, columns) in [(56, 784), (10, 56)] {
        constants.push(tensor(&mut rng, DType::I8, rows * columns));
        constants.push(tensor(&mut rng, DType::I32, rows));
        constants.push(tensor(&mut rng, DType::I32, rows));
    }
    let argmax = Build::new(DType::I32, Reducer::Argmax, &[], &[10])
        .load(Source::Value(1), 0, &[fixed(10, 0, &[(K, 1)])])
        .done();
    let instructions = vec![layer(56, 784, 0, Source::Input(0)), layer(10, 56, 3, Source::Value(0)), argmax];
    let x = tensor(&mut rng, DType::U8, 784);
    ran(instructions, constants, vec![x], 1)
}

/// The second layer of a perceptron, w i8 [10, 56] by the u8 values of the first, with bias and multiplier side by side in one constant.
pub(crate) fn second() -> Ran {
    let mut rng = Rng::new(10);
    let hidden = Build::each(DType::U8, &[56]).load(Source::Input(0), 0, &[fixed(56, 0, &[(O, 1)])]).done();
    let layer = Build::new(DType::I8, Reducer::Sum, &[10], &[56])
        .constants(&[20])
        .load(Source::Constant(0), 0, &[fixed(10, 0, &[(O, 1)]), fixed(56, 0, &[(K, 1)])])
        .load(Source::Value(0), 0, &[fixed(56, 0, &[(K, 1)])])
        .op(Opcode::Mul, [19, 20, 0])
        .post_load(Source::Constant(1), 0, &[fixed(20, 0, &[(O, 2)])])
        .post(Opcode::Add, [17, 19, 0])
        .post_load(Source::Constant(1), 0, &[fixed(20, 1, &[(O, 2)])])
        .post(Opcode::Mulshr, [20, 21, 18])
        .done();
    let constants = vec![tensor(&mut rng, DType::I8, 10 * 56), tensor(&mut rng, DType::I32, 2 * 10)];
    ran(vec![hidden, layer], constants, vec![tensor(&mut rng, DType::U8, 56)], 1)
}

/// A product with a scale for each block of 32: Σ w·x·sw·sx, w and x i8, the scales i16.
pub(crate) fn blocks() -> Ran {
    let mut rng = Rng::new(2);
    let rows = 8;
    let product = Build::new(DType::I64, Reducer::Sum, &[rows], &[8, 32])
        .load(Source::Constant(0), 0, &[fixed(rows, 0, &[(O, 1)]), fixed(256, 0, &[(K, 32), (K + 1, 1)])])
        .load(Source::Input(0), 0, &[fixed(256, 0, &[(K, 32), (K + 1, 1)])])
        .op(Opcode::Mul, [18, 19, 0])
        .load(Source::Constant(1), 0, &[fixed(rows, 0, &[(O, 1)]), fixed(8, 0, &[(K, 1)])])
        .load(Source::Input(1), 0, &[fixed(8, 0, &[(K, 1)])])
        .op(Opcode::Mul, [21, 22, 0])
        .op(Opcode::Mul, [20, 23, 0])
        .done();
    let constants = vec![tensor(&mut rng, DType::I8, rows * 256), tensor(&mut rng, DType::I16, rows * 8)];
    let inputs = vec![tensor(&mut rng, DType::I8, 256), tensor(&mut rng, DType::I16, 8)];
    ran(vec![product], constants, inputs, 1)
}

/// A 3×3 convolution with zero padding, activations [14, 14, 64], weights [8, 3, 3, 64], both i8.
pub(crate) fn convolution() -> Ran {
    let mut rng = Rng::new(3);
    let window = |o: u8, k: u8| fixed(14, -1, &[(o, 1), (k, 1)]);
    let convolution = Build::new(DType::I32, Reducer::Sum, &[14, 14, 8], &[3, 3, 64])
        .load(Source::Input(0), 0, &[window(O, K), window(O + 1, K + 1), fixed(64, 0, &[(K + 2, 1)])])
        .load(
            Source::Constant(0),
            0,
            &[fixed(8, 0, &[(O + 2, 1)]), fixed(9, 0, &[(K, 3), (K + 1, 1)]), fixed(64, 0, &[(K + 2, 1)])],
        )
        .op(Opcode::Mul, [18, 19, 0])
        .done();
    let weights = tensor(&mut rng, DType::I8, 8 * 9 * 64);
    let x = tensor(&mut rng, DType::I8, 14 * 14 * 64);
    ran(vec![convolution], vec![weights], vec![x], 1)
}

/// A product with i4 weights [16, 64].
pub(crate) fn nibbles() -> Ran {
    let mut rng = Rng::new(4);
    let product = Build::new(DType::I32, Reducer::Sum, &[16], &[64])
        .load(Source::Constant(0), 0, &[fixed(16, 0, &[(O, 1)]), fixed(64, 0, &[(K, 1)])])
        .load(Source::Input(0), 0, &[fixed(64, 0, &[(K, 1)])])
        .op(Opcode::Mul, [18, 19, 0])
        .done();
    ran(vec![product], vec![tensor(&mut rng, DType::I4, 16 * 64)], vec![tensor(&mut rng, DType::I8, 64)], 1)
}

/// The number of the greatest of 64 i32 values.
pub(crate) fn greatest() -> Ran {
    let mut rng = Rng::new(5);
    let argmax = Build::new(DType::I32, Reducer::Argmax, &[], &[64])
        .load(Source::Input(0), 0, &[fixed(64, 0, &[(K, 1)])])
        .done();
    ran(vec![argmax], vec![], vec![tensor(&mut rng, DType::I32, 64)], 1)
}

/// Σ exp(x − max) of 32 scores, by a table of 257 values with linear interpolation.
pub(crate) fn exponentials() -> Ran {
    let mut rng = Rng::new(6);
    let maximum =
        Build::new(DType::I32, Reducer::Max, &[], &[32]).load(Source::Input(0), 0, &[fixed(32, 0, &[(K, 1)])]).done();
    let b = Build::new(DType::I64, Reducer::Sum, &[], &[32])
        .constants(&[24, 0xff_ffff, 1])
        .load(Source::Input(0), 0, &[fixed(32, 0, &[(K, 1)])])
        .load(Source::Value(0), 0, &[])
        .op(Opcode::Sub, [22, 21, 0])
        .op(Opcode::Shr, [23, 18, 0])
        .op(Opcode::And, [23, 19, 0])
        .load(Source::Constant(0), 0, &[fixed(257, 0, &[(24, 1)])])
        .load(Source::Constant(0), 0, &[fixed(257, 1, &[(24, 1)])])
        .op(Opcode::Sub, [27, 26, 0])
        .op(Opcode::Mulshr, [28, 25, 18])
        .op(Opcode::Add, [26, 29, 0]);
    let table = tensor(&mut rng, DType::I16, 257);
    ran(vec![maximum, b.done()], vec![table], vec![tensor(&mut rng, DType::I32, 32)], 1)
}

/// Attention over the values of 16 earlier iterations: Σ p[j]·v[t − j].
pub(crate) fn attention() -> Ran {
    let mut rng = Rng::new(7);
    let value = Build::each(DType::I8, &[64]).load(Source::Input(0), 0, &[fixed(1024, 0, &[(0, 64), (O, 1)])]).done();
    let iteration = Axis {
        extent: opml_vm::Extent::Fixed(0),
        base: 0,
        terms: vec![Term { slot: 0, coef: 1 }, Term { slot: K, coef: -1 }],
    };
    let attention = Build::new(DType::I32, Reducer::Sum, &[64], &[16])
        .load(
            Source::History { instruction: 0, base: iteration.base, terms: iteration.terms },
            0,
            &[fixed(64, 0, &[(O, 1)])],
        )
        .load(Source::Constant(0), 0, &[fixed(16, 0, &[(K, 1)])])
        .op(Opcode::Mul, [18, 19, 0])
        .done();
    let p = tensor(&mut rng, DType::I16, 16);
    ran(vec![value, attention], vec![p], vec![tensor(&mut rng, DType::I8, 1024)], 16)
}

/// A row of a table [50, 16], chosen by an input.
pub(crate) fn gather() -> Ran {
    let mut rng = Rng::new(8);
    let gather = Build::each(DType::I8, &[16])
        .load(Source::Input(0), 0, &[fixed(4, 2, &[])])
        .load(Source::Constant(0), 0, &[fixed(50, 0, &[(18, 1)]), fixed(16, 0, &[(O, 1)])])
        .done();
    let ids = Tensor::from_values(DType::I32, &[3, 1, 41, 5]).unwrap();
    ran(vec![gather], vec![tensor(&mut rng, DType::I8, 50 * 16)], vec![ids], 1)
}

/// A gated residual: (a·b >> 8) + lerp(table, c) + bias, five loads and ten operations.
pub(crate) fn elementwise() -> Ran {
    let mut rng = Rng::new(9);
    let all = [fixed(200, 0, &[(O, 1)])];
    let each = Build::each(DType::I16, &[200])
        .constants(&[8, 255])
        .load(Source::Input(0), 0, &all)
        .load(Source::Input(1), 0, &all)
        .load(Source::Input(2), 0, &all)
        .op(Opcode::Mulshr, [20, 21, 18])
        .op(Opcode::Abs, [22, 0, 0])
        .op(Opcode::Shr, [24, 18, 0])
        .op(Opcode::And, [24, 19, 0])
        .op(Opcode::Min, [25, 19, 0])
        .load(Source::Constant(0), 0, &[fixed(257, 0, &[(27, 1)])])
        .load(Source::Constant(0), 0, &[fixed(257, 1, &[(27, 1)])])
        .op(Opcode::Sub, [29, 28, 0])
        .op(Opcode::Mulshr, [30, 26, 18])
        .op(Opcode::Add, [28, 31, 0])
        .op(Opcode::Add, [32, 23, 0])
        .op(Opcode::Select, [22, 33, 20])
        .done();
    let inputs = (0..3).map(|_| tensor(&mut rng, DType::I16, 200)).collect();
    ran(vec![each], vec![tensor(&mut rng, DType::I16, 257)], inputs, 1)
}
