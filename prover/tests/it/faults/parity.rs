//! Two implementations and a bug in one of them, or in both.

use opml_bisection::{Refused, players::Idea, suite::World};
use opml_contracts::abi::{Dispute, StepVerifier};
use opml_vm::{
    Counts, DType, Opcode, Program, Reducer, Source, StepError, Tensor, Trace,
    codec::{decode, encode},
    interpreter::{self, Stop},
    merkle::{self, Tree},
    step::Job,
    testing::{Build, Rng, fixed, model},
    witness::Question,
};

use crate::rules::{
    steps::{Bench, Ran},
    table::{Table, is},
    worlds::{halting, honest},
};

#[test]
fn fault_an_unknown_opcode_does_something() {
    let bench = &mut Bench::new();
    let counts = Counts { instructions: 1, constants: 0, inputs: 0 };
    let known = encode(&Build::each(DType::I8, &[2]).op(Opcode::Abs, [1, 0, 0]).done(), &counts).unwrap();
    for opcode in 0..=255 {
        let mut bytes = known.clone();
        let at = bytes.len() - 4;
        bytes[at] = opcode;
        // Two operands more or fewer are another operation, or none.
        let legal = decode(&bytes, &counts).is_ok();
        assert!(!legal || (1..=21).contains(&opcode), "{opcode}");
        let job = Job {
            program_root: merkle::instruction_hash(&bytes),
            constants_root: merkle::ZERO,
            input_root: merkle::ZERO,
            trace_root: merkle::ZERO,
            counts,
            length: 1,
            t: 0,
            instruction: 0,
        };
        let answer = bench.both(&job, Question::Element { e: 1 }, &bytes, &[0; 3]);
        assert_eq!(bench.shape(&job, &bytes, &[]).unwrap(), if legal { (1, 2, 1) } else { (4, 0, 0) });
        match answer {
            Ok(_) => assert!(legal, "{opcode}"),
            Err((rust, contract)) => {
                assert!(!legal, "{opcode}");
                assert_eq!(rust, StepError::Element { e: 1, elements: 0 });
                is::<StepVerifier::ElementOutOfRange>(&contract);
            }
        }
    }
}

#[test]
fn fault_one_is_true_and_two_is_not() {
    let bench = &mut Bench::new();
    let conditions = [0, 1, 2, -1, 256, 1 << 32, i64::MIN];
    let n = 7;
    let build = Build::each(DType::I64, &[n])
        .constants(&[10, 20])
        .load(Source::Constant(0), 0, &[fixed(n, 0, &[(1, 1)])])
        .op(Opcode::Select, [20, 18, 19])
        .done();
    let constants = vec![Tensor::saturating(DType::I64, &conditions)];
    let ran = Ran::new(Program::new(vec![build], constants, Vec::new(), 0, None).unwrap(), Vec::new(), 1);
    assert_eq!(ran.output(bench), [20, 10, 10, 10, 10, 10, 10]);
    // A halt of 2 ends a run and proves that one went on.
    let world = halting();
    let run = honest(&world);
    assert_eq!(opml_bisection::Trace::element(&run, 5, 0).unwrap(), 2);
    Table::honest(&world, 4, &run).in_time();
    let late = world.run(4).unwrap();
    let mut table = Table::opened(&world, 4, 4, &late);
    table.proves(&table.idea(Idea::Halt(2)));
}

#[test]
fn fault_a_halted_machine_goes_on() {
    // The right run is the same however long it may be, and every longer claim falls.
    let world = halting();
    let right = interpreter::run(world.program(), world.inputs(), Stop::Halt { max: 6 }, 1 << 20).unwrap();
    for max in [3, 4, 5, 1 << 20] {
        let run = interpreter::run(world.program(), world.inputs(), Stop::Halt { max }, 1 << 20).unwrap();
        assert_eq!((run.length, &run.values), (3, &right.values));
    }
    for length in [4, 6] {
        let late = world.run(length).unwrap();
        // Its values up to the halt are those of the right run: only the halt is wrong.
        for leaf in 0..6 {
            let value = opml_bisection::Trace::bytes(&late, leaf).unwrap();
            assert_eq!(value, right.values[usize::try_from(leaf).unwrap()].bytes());
        }
        let mut table = Table::opened(&world, 6, length, &late);
        for leaf in 0..length * 2 {
            table.refuse::<Dispute::NoContradiction>(&table.idea(Idea::Element(leaf, 0)), &Refused::NoFault);
            table.refuse::<Dispute::NoContradiction>(&table.idea(Idea::Header(leaf)), &Refused::NoFault);
        }
        table.proves(&table.idea(Idea::Halt(2)));
    }
}

#[test]
fn fault_a_tree_is_stale() {
    let bench = &mut Bench::new();
    let (ran, _) = Ran::case("loads/neighbours");
    let question = Question::Element { e: 0 };
    let witness = ran.openings().witness(0, 2, question).unwrap();
    for leaf in 0..2 {
        // A run in which one value was changed after it was hashed.
        let mut run = ran.trace.run().clone();
        run.values[leaf] = Tensor::saturating(DType::I64, &[77]);
        let changed = Ran::of(ran.program.clone(), ran.inputs.clone(), run);
        assert_ne!(changed.trace.root(), ran.trace.root());
        let headers: Vec<_> = changed.trace.run().values.iter().map(merkle::header_of).collect();
        assert_eq!(changed.trace.root(), merkle::root(&headers), "nothing of the old tree is left");
        assert_eq!(changed.trace.tree(), &Tree::new(headers));
        let (rust, contract) = bench.both(&changed.job(0, 2), question, ran.encoding(2), &witness).unwrap_err();
        assert_eq!(rust, StepError::Root("trace table"));
        is::<StepVerifier::WrongTable>(&contract);
        changed.check(bench, (0, 2), question);
    }
    assert_eq!(Trace::new(&ran.program, ran.trace.run().clone()), ran.trace);
}

#[test]
fn fault_both_implementations_share_a_bug() {
    // An account of the operations and reductions that shares no code with either: random operands through all.
    let bench = &mut Bench::new();
    let mut rng = Rng::new(7);
    for &opcode in Opcode::ALL.iter().filter(|&&opcode| opcode != Opcode::Load) {
        let rows: Vec<Vec<i64>> = (0..3).map(|_| (0..24).map(|_| rng.value()).collect()).collect();
        let load = |build: Build, n: u32| build.load(Source::Constant(n), 0, &[fixed(24, 0, &[(1, 1)])]);
        let operands = match opcode.arity() {
            1 => [18, 0, 0],
            2 => [18, 19, 0],
            _ => [18, 19, 20],
        };
        let build = (0..3).fold(Build::each(DType::I64, &[24]), load).op(opcode, operands).done();
        let constants = rows.iter().map(|row| Tensor::saturating(DType::I64, row)).collect();
        let ran = Ran::new(Program::new(vec![build], constants, Vec::new(), 0, None).unwrap(), Vec::new(), 1);
        let expected: Vec<i64> = (0..24).map(|n| model::scalar(opcode, rows[0][n], rows[1][n], rows[2][n])).collect();
        assert_eq!(ran.output(bench), expected, "{}", opcode.name());
    }
    for &reducer in Reducer::ALL {
        let terms: Vec<i64> = (0..40).map(|_| rng.value()).collect();
        let build =
            Build::new(DType::I64, reducer, &[], &[40]).load(Source::Constant(0), 0, &[fixed(40, 0, &[(9, 1)])]).done();
        let constants = vec![Tensor::saturating(DType::I64, &terms)];
        let ran = Ran::new(Program::new(vec![build], constants, Vec::new(), 0, None).unwrap(), Vec::new(), 1);
        assert_eq!(ran.output(bench), [model::reduce(reducer, &terms)], "{}", reducer.name());
    }
}
