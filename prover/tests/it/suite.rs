//! The dispute suite on the real machine: the whole cast, in the pure game and the contract side by side.

use opml_bisection::suite;
use opml_vm::{
    DType, InputHeader, Opcode, Program, Reducer, Source, Tensor,
    testing::{Build, Limits, fixed, moving, random_program},
};

use crate::world::VmWorld;

/// Slots of the first output and reduction coordinate.
const O: u8 = 1;
const K: u8 = 9;

fn tensor(dtype: DType, n: i64, f: impl Fn(i64) -> i64) -> Tensor {
    Tensor::saturating(dtype, &(0..n).map(f).collect::<Vec<_>>())
}

/// Two dense layers; the hidden one has several 256-byte leaves.
fn dense() -> VmWorld {
    let hidden = Build::new(DType::I32, Reducer::Sum, &[150], &[40])
        .load(Source::Input(0), 0, &[fixed(40, 0, &[(K, 1)])])
        .load(Source::Constant(0), 0, &[fixed(150, 0, &[(O, 1)]), fixed(40, 0, &[(K, 1)])])
        .op(Opcode::Mul, [18, 19, 0])
        .post(Opcode::Abs, [17, 0, 0])
        .done();
    let output = Build::new(DType::I16, Reducer::Max, &[7], &[150])
        .load(Source::Value(0), 0, &[fixed(150, 0, &[(K, 1)])])
        .load(Source::Constant(1), 0, &[fixed(7, 0, &[(O, 1)])])
        .op(Opcode::Xor, [18, 19, 0])
        .done();
    let constants = vec![tensor(DType::I8, 6_000, |n| n * 37 % 251 - 125), tensor(DType::I16, 7, |n| n * 1_000)];
    let inputs = vec![InputHeader { dtype: DType::U8, elements: 40 }];
    let program = Program::new(vec![hidden, output], constants, inputs, 1, None).unwrap();
    VmWorld::new(program, vec![tensor(DType::U8, 40, |n| n * 13 % 256)], 1)
}

/// A counter that halts, a growing tensor, and a sum over its history.
fn recurrent() -> VmWorld {
    let count = Build::each(DType::I64, &[1]).constants(&[1]).op(Opcode::Add, [0, 18, 0]).done();
    let grown = Build::each(DType::I16, &[])
        .dynamic(1, 3, 40)
        .output(0)
        .load(Source::Input(0), 5, &[fixed(9, 0, &[(O, 1)])])
        .op(Opcode::Mul, [18, 0, 0])
        .done();
    let history = Source::History { instruction: 1, base: 0, terms: vec![opml_vm::Term { slot: K, coef: 1 }] };
    let sum = Build::new(DType::I32, Reducer::Sum, &[3], &[])
        .dynamic(0, 1, 9)
        .dynamic(1, 3, 40)
        .reduction(0)
        .load(history, 2, &[moving(1, 0, &[(O, 1)])])
        .done();
    let halt = Build::each(DType::U8, &[1])
        .constants(&[4])
        .load(Source::Value(0), 0, &[fixed(1, 0, &[])])
        .op(Opcode::Eq, [18, 19, 0])
        .done();
    let inputs = vec![InputHeader { dtype: DType::I8, elements: 9 }];
    let program = Program::new(vec![count, grown, sum, halt], Vec::new(), inputs, 2, Some(3)).unwrap();
    VmWorld::new(program, vec![tensor(DType::I8, 9, |n| n - 4)], 7)
}

fn plays(world: &VmWorld, arities: &[u32], seeds: &[u64]) -> suite::Tally {
    suite::run(world, arities, seeds)
        .unwrap_or_else(|broke| panic!("{}", broke.to_string().chars().take(700).collect::<String>()))
}

#[test]
fn every_player_meets_its_match_over_dense_layers() {
    let tally = plays(&dense(), &[1, 2, 3, 4, 5, 6], &[1]);
    assert!(tally.disputes > 150, "{tally:?}");
}

#[test]
fn every_player_meets_its_match_over_a_recurrent_program() {
    let tally = plays(&recurrent(), &[1, 2, 3, 4, 5, 6], &[2]);
    assert!(tally.disputes > 200, "{tally:?}");
}

#[test]
fn every_player_meets_its_match_over_random_programs() {
    let mut disputes = 0;
    for seed in 0..12 {
        let (program, inputs, max_t) = random_program(seed, &Limits::default());
        disputes += plays(&VmWorld::new(program, inputs, max_t), &[1, 4], &[seed]).disputes;
    }
    assert!(disputes > 500, "{disputes}");
}
