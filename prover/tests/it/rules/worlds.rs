//! Small programs that have every kind of value a dispute can be about.

use opml_bisection::suite::World;
use opml_prover::machine::VmTrace;
use opml_vm::{
    DType, InputHeader, Opcode, Program, Reducer, Source, Tensor,
    testing::{Build, fixed},
};

use crate::world::VmWorld;

/// Leaves of [`five`].
pub(crate) const WIDE: u64 = 0;
pub(crate) const SMALL: u64 = 1;
pub(crate) const EMPTY: u64 = 2;
pub(crate) const OUTPUT: u64 = 3;
pub(crate) const SUM: u64 = 4;

/// Slots of the first output and reduction coordinate.
const O: u8 = 1;
const K: u8 = 9;

/// Five values: one of two leaves (i64, 5 terms an element), one of three bytes (3 terms), an empty one, the output (i16, one term),
/// and a sum of 300 terms.
pub(crate) fn five() -> VmWorld {
    let wide = Build::new(DType::I64, Reducer::Sum, &[40], &[5]).op(Opcode::Mul, [O, K, 0]).done();
    let small = Build::new(DType::U8, Reducer::Max, &[3], &[3])
        .load(Source::Input(0), 0, &[fixed(5, 0, &[(O, 1), (K, 1)])])
        .done();
    let empty = Build::new(DType::U8, Reducer::Sum, &[0], &[2]).op(Opcode::Abs, [O, 0, 0]).done();
    let output = Build::each(DType::I16, &[4])
        .load(Source::Value(0), 0, &[fixed(40, 2, &[(O, 1)])])
        .load(Source::Value(1), 0, &[fixed(3, 0, &[(O, 1)])])
        .op(Opcode::Add, [18, 19, 0])
        .done();
    let sum = Build::new(DType::I64, Reducer::Sum, &[2], &[300])
        .op(Opcode::Mul, [K, K, 0])
        .op(Opcode::Sub, [18, O, 0])
        .post(Opcode::Add, [17, O, 0])
        .done();
    let inputs = vec![InputHeader { dtype: DType::I8, elements: 5 }];
    let program = Program::new(vec![wide, small, empty, output, sum], Vec::new(), inputs, 3, None).unwrap();
    VmWorld::new(program, vec![Tensor::saturating(DType::I8, &[5, 3, 90, 17, 2])], 1)
}

/// Two values an iteration, a doubling counter and its halt value `(t ≥ 2) · t`; the right run has 3 of 6 iterations, and
/// halts with 2.
pub(crate) fn halting() -> VmWorld {
    let count = Build::each(DType::I32, &[2]).constants(&[3]).op(Opcode::Shl, [18, 0, 0]).op(Opcode::Add, [19, O, 0]);
    let halt = Build::each(DType::I8, &[2])
        .constants(&[1])
        .op(Opcode::Lt, [18, 0, 0])
        .op(Opcode::Mul, [19, 0, 0])
        .op(Opcode::Max, [20, O, 0]);
    let program = Program::new(vec![count.done(), halt.done()], Vec::new(), Vec::new(), 0, Some(1)).unwrap();
    VmWorld::new(program, Vec::new(), 6)
}

/// Two iterations of a plain net: no halt.
pub(crate) fn plain() -> VmWorld {
    let count = Build::each(DType::I32, &[1]).op(Opcode::Abs, [0, 0, 0]).done();
    VmWorld::new(Program::new(vec![count], Vec::new(), Vec::new(), 0, None).unwrap(), Vec::new(), 2)
}

/// The honest run.
pub(crate) fn honest(world: &VmWorld) -> VmTrace<'static> {
    world.run(world.claim().length).unwrap()
}
