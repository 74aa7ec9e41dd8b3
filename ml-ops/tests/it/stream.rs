//! Streams show what whole runs hold, whatever they leave out and compute side by side.

use std::ops::ControlFlow;

use opml_ops::engine::{Engine, Iteration, Watched};
use opml_vm::{
    Axis, DType, Extent, Instruction, Load, Op, Opcode, Program, Reducer, Source, Tensor, Term,
    interpreter::{self, Stop},
    isa::{SLOT_CONST, SLOT_T},
    testing::{Limits, Rng, random_program},
};

const BUDGET: u64 = 1 << 32;

/// All values of some instructions from an iteration on, and the length.
fn streamed(program: &Program, inputs: &[Tensor], stop: Stop, watched: Watched<'_>) -> (u64, Vec<Vec<Tensor>>) {
    let mut shown = Vec::new();
    let mut each = |iteration: Iteration<'_>| {
        assert_eq!(iteration.t, shown.len() as u64);
        shown.push(iteration.values.into_iter().cloned().collect::<Vec<_>>());
        ControlFlow::Continue(())
    };
    let engine = Engine::compile(program);
    let length = engine.stream(inputs, (stop, BUDGET), watched, &mut |_, _| (), &mut each).unwrap();
    assert_eq!(length, shown.len() as u64);
    (length, shown)
}

fn compare(program: &Program, inputs: &[Tensor], stop: Stop, watched: Watched<'_>, name: &str) {
    let expected = interpreter::run(program, inputs, stop, BUDGET).unwrap();
    let (length, shown) = streamed(program, inputs, stop, watched);
    assert_eq!(length, expected.length, "{name}");
    for (t, values) in (0..).zip(&shown) {
        let own = |&number: &u32| expected.value(program.counts().instructions, t, number).unwrap().clone();
        let own: Vec<Tensor> = watched.instructions.iter().filter(|_| t >= watched.from).map(own).collect();
        assert_eq!(values, &own, "{name}: iteration {t}");
    }
}

#[test]
fn streams_of_random_programs() {
    for seed in 0..600 {
        let (program, inputs, max_t) = random_program(seed, &Limits { max_t: 6, ..Limits::default() });
        let mut rng = Rng::new(seed);
        let count = program.counts().instructions;
        let instructions: Vec<u32> = (0..count).filter(|_| rng.chance(30)).collect();
        let watched = Watched { instructions: &instructions, from: rng.below(max_t + 1) };
        for stop in [Stop::Halt { max: max_t }, Stop::Exactly(max_t)] {
            compare(&program, &inputs, stop, watched, &format!("seed {seed}"));
        }
    }
}

fn load(source: Source) -> Op {
    Op::Load(Load { source, pad: 7, axes: vec![Axis { extent: Extent::Fixed(1), base: 0, terms: Vec::new() }] })
}

fn before(instruction: u32) -> Source {
    Source::History { instruction, base: -1, terms: vec![Term { slot: SLOT_T, coef: 1 }] }
}

fn single(map: Vec<Op>, constants: Vec<i64>) -> Instruction {
    Instruction {
        dtype: DType::I64,
        reducer: Reducer::Sum,
        dynamics: Vec::new(),
        constants,
        output: vec![Extent::Fixed(1)],
        reduction: Vec::new(),
        map,
        post: Vec::new(),
    }
}

fn scalar(opcode: Opcode, operands: [u8; 3]) -> Op {
    Op::Scalar { opcode, operands }
}

/// A value of the iteration before: taken at iteration `at` only, or from it on.
fn guarded(at: i64, opcode: Opcode) -> Program {
    let c = SLOT_CONST;
    // Slots: constant, load of what instruction 1 wrote before, t against the constant, the choice.
    let first = single(
        vec![load(before(1)), scalar(opcode, [SLOT_T, c, 0]), scalar(Opcode::Select, [c + 2, c + 1, SLOT_T])],
        vec![at],
    );
    let second = single(vec![load(Source::Value(0)), scalar(Opcode::Mul, [c + 1, c, 0])], vec![3]);
    // What the run is watched for follows from the first alone, so that the second is left out.
    let third = single(vec![load(Source::Value(0)), scalar(Opcode::Add, [c + 1, c, 0])], vec![100]);
    Program::new(vec![first, second, third], Vec::new(), Vec::new(), 2, None).unwrap()
}

#[test]
fn what_was_left_out_is_computed_when_it_is_chosen() {
    for opcode in [Opcode::Eq, Opcode::Lt] {
        for at in [0, 1, 5, 6, 39, 40, 100] {
            let program = guarded(at, opcode);
            for from in [0, 1, 5, 6, 7, 38, 50] {
                for watched in [&[2u32][..], &[1, 2], &[0]] {
                    let name = format!("{opcode:?} {at}, from {from}");
                    compare(&program, &[], Stop::Exactly(45), Watched { instructions: watched, from }, &name);
                }
            }
        }
    }
}

/// A choice between the values of two instructions: the first before iteration `at`, then the second.
fn choice(at: i64) -> Program {
    let c = SLOT_CONST;
    let value = |number: i64| single(vec![scalar(Opcode::Mul, [SLOT_T, c, 0])], vec![number]);
    let (first, second) = (load(Source::Value(0)), load(Source::Value(1)));
    let choice = vec![first, second, scalar(Opcode::Lt, [SLOT_T, c, 0]), scalar(Opcode::Select, [c + 3, c + 1, c + 2])];
    Program::new(vec![value(3), value(5), single(choice, vec![at])], Vec::new(), Vec::new(), 2, None).unwrap()
}

#[test]
fn only_the_branch_that_is_chosen_is_computed() {
    let all = Watched { instructions: &[2], from: 0 };
    for (at, expected) in [(0, vec![1, 2]), (100, vec![0, 2]), (20, vec![0, 1, 2])] {
        let program = choice(at);
        let mut computed = Vec::new();
        let mut observe = |_: u64, number: u32| computed.push(number);
        let engine = Engine::compile(&program);
        let stop = (Stop::Exactly(45), BUDGET);
        engine.stream(&[], stop, all, &mut observe, &mut |_| ControlFlow::Continue(())).unwrap();
        computed.sort_unstable();
        computed.dedup();
        assert_eq!(computed, expected, "until {at}");
        for from in [0, 19, 20, 44] {
            let watched = Watched { from, ..all };
            compare(&program, &[], Stop::Exactly(45), watched, &format!("until {at}, from {from}"));
        }
    }
}
