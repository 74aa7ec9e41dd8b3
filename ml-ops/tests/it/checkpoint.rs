//! Traces that are computed again where they are asked for, against whole ones.

use opml_ops::{
    checkpoint::{CheckpointTrace, Tamper},
    commit::Hasher,
    engine::Engine,
};
use opml_vm::{
    Axis, DType, Extent, Instruction, Load, Op, Opcode, Program, Reducer, Source, Tensor, Term, Trace,
    interpreter::{self, Run, Stop},
    isa::{SLOT_K, SLOT_O, SLOT_T},
    testing::{Limits, Rng, random_program},
    witness::Question,
};

const BUDGET: u64 = 1 << 32;

fn limits() -> Limits {
    Limits { max_t: 6, ..Limits::default() }
}

/// Every value, header, hash and some witnesses, iterations in an order that makes each of them come back.
fn compare(trace: &CheckpointTrace, expected: &Trace, inputs: &[Tensor], name: &str) {
    let program = trace.program().clone();
    let instructions = program.instructions().len();
    assert_eq!((trace.length(), trace.root()), (expected.length(), expected.root()), "{name}");
    let (openings, own) = (Hasher::current().openings(&program, inputs, expected), Hasher::current());
    let own = own.task_openings(&program, inputs);
    for t in (0..trace.length()).rev().chain(0..trace.length()) {
        for (number, leaf) in (0..).zip(t as usize * instructions..(t as usize + 1) * instructions) {
            let value = &expected.run().values[leaf];
            let leaf = leaf as u64;
            assert_eq!(trace.header(leaf), Some((value.dtype(), value.elements())), "{name}");
            assert_eq!(trace.tensor_root(leaf), expected.tensor_root(leaf), "{name}");
            let question = Question::Element { e: 0 };
            trace
                .at(t, |known| {
                    assert_eq!(&known.values[leaf as usize], value, "{name}: leaf {leaf}");
                    let nodes = |level, index| trace.tree().node(level, index);
                    let witness = own.witness_under(&known, (t, number), question, &nodes);
                    assert_eq!(witness, openings.witness(t, number, question), "{name}: leaf {leaf}");
                })
                .unwrap();
        }
    }
}

#[test]
fn values_come_back_as_they_were() {
    for seed in 0..200 {
        let (program, inputs, max_t) = random_program(seed, &limits());
        let engine = Engine::compile(&program);
        for stop in [Stop::Halt { max: max_t }, Stop::Exactly(max_t)] {
            let trace = CheckpointTrace::new(&engine, &inputs, (stop, BUDGET), None).unwrap();
            let expected = Trace::new(&program, interpreter::run(&program, &inputs, stop, BUDGET).unwrap());
            compare(&trace, &expected, &inputs, &format!("seed {seed}"));
        }
    }
}

/// A random element of a run, and a number for it.
fn tamper(run: &Run, program: &Program, seed: u64, consistent: bool) -> Option<Tamper> {
    let mut rng = Rng::new(seed);
    let cells: Vec<usize> = (0..run.values.len()).filter(|&leaf| run.values[leaf].elements() > 0).collect();
    let leaf = *cells.get(rng.index(cells.len().max(1)))?;
    let element = rng.below(run.values[leaf].elements());
    let count = program.instructions().len();
    let (t, instruction) = ((leaf / count) as u64, (leaf % count) as u32);
    Some(Tamper { t, instruction, element, value: rng.bits() as i64, consistent })
}

#[test]
fn lies_are_those_of_the_reference() {
    for seed in 0..200 {
        let (program, inputs, max_t) = random_program(seed, &limits());
        let stop = Stop::Exactly(max_t);
        let honest = interpreter::run(&program, &inputs, stop, BUDGET).unwrap();
        let engine = Engine::compile(&program);
        for consistent in [true, false] {
            let Some(lie) = tamper(&honest, &program, seed, consistent) else { continue };
            let change = |t: u64, number: u32, value: &mut Tensor| {
                if (t, number) == (lie.t, lie.instruction) {
                    let mut values = value.values();
                    values[lie.element as usize] = lie.value;
                    *value = Tensor::saturating(value.dtype(), &values);
                }
            };
            let mut expected = honest.clone();
            if consistent {
                expected =
                    interpreter::run_tampered(&program, &inputs, stop, BUDGET, &mut |t, i, v| change(t, i, v)).unwrap();
            } else {
                let leaf = lie.t as usize * program.instructions().len() + lie.instruction as usize;
                change(lie.t, lie.instruction, &mut expected.values[leaf]);
            }
            let trace = CheckpointTrace::new(&engine, &inputs, (stop, BUDGET), Some(lie)).unwrap();
            let name = format!("seed {seed}, consistent: {consistent}");
            if consistent {
                compare(&trace, &Trace::new(&program, expected), &inputs, &name);
            } else {
                shows(&trace, &expected, &name);
            }
        }
    }
}

/// A lie that nothing follows from is shown where it was told and nowhere else: values are right, witnesses mean nothing.
fn shows(trace: &CheckpointTrace, expected: &Run, name: &str) {
    let count = trace.program().instructions().len();
    assert_eq!(trace.root(), Trace::new(trace.program(), expected.clone()).root(), "{name}");
    for t in (0..trace.length()).rev().chain(0..trace.length()) {
        let own = t as usize * count..(t as usize + 1) * count;
        trace.at(t, |known| assert_eq!(known.values[own.clone()], expected.values[own.clone()], "{name}")).unwrap();
    }
}

/// A long value that only its own iteration reads, its sum, and the sum of the iteration before.
fn forgetful() -> Program {
    let load = |source, pad: i64, terms| {
        let axis = Axis { extent: Extent::Fixed(if pad == 0 { 1000 } else { 1 }), base: 0, terms };
        Op::Load(Load { source, pad, axes: vec![axis] })
    };
    let instruction = |output, reduction: &[u32], map| Instruction {
        dtype: DType::I64,
        reducer: Reducer::Sum,
        dynamics: Vec::new(),
        constants: Vec::new(),
        output: vec![Extent::Fixed(output)],
        reduction: reduction.iter().map(|&extent| Extent::Fixed(extent)).collect(),
        map,
        post: Vec::new(),
    };
    let place = |slot| vec![Term { slot, coef: 1 }];
    let long = vec![Op::Scalar { opcode: Opcode::Add, operands: [SLOT_O, SLOT_T, 0] }];
    let before = Source::History { instruction: 1, base: -1, terms: place(SLOT_T) };
    let instructions = vec![
        instruction(1000, &[], long),
        instruction(1, &[1000], vec![load(Source::Value(0), 0, place(SLOT_K))]),
        instruction(1, &[], vec![load(before, 7, Vec::new())]),
    ];
    Program::new(instructions, Vec::new(), Vec::new(), 2, None).unwrap()
}

#[test]
fn memory_does_not_hold_what_can_be_computed() {
    let program = forgetful();
    let engine = Engine::compile(&program);
    let memory = |length| {
        let trace = CheckpointTrace::new(&engine, &[], (Stop::Exactly(length), BUDGET), None).unwrap();
        trace.at(length / 2, |known| assert_eq!(known.values.len() as u64, 3 * length)).unwrap();
        trace.memory()
    };
    let (long, short) = (memory(60), memory(30));
    // An iteration more is three places, and the eight bytes of its sum.
    assert_eq!(long.values - short.values, 30 * (3 * size_of::<Tensor>() as u64 + 8));
    // Headers and roots of three values each; two nodes of the tree for most.
    let hashes = 30 * 3 * (32 + size_of::<(DType, u64)>() as u64);
    assert!((hashes + 89 * 64..hashes + 92 * 64).contains(&(long.hashes - short.hashes)), "{long:?} {short:?}");
}
