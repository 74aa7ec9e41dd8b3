//! What a load may read, and from where.

use opml_contracts::abi::StepVerifier;
use opml_vm::{
    DType, Program, Source, StepError, Tensor, interpreter::Run, merkle, step::Job, testing::Build, witness::Question,
};

use super::{
    steps::{Bench, Ran, holds},
    table::is,
};

const ELEMENT: Question = Question::Element { e: 0 };
const PAD: i64 = -7;

#[test]
fn rule_01_only_strictly_earlier_values_are_read() {
    let bench = &mut Bench::new();
    for name in [
        "earlier",
        "self",
        "self-later",
        "forward",
        "mutual",
        "history-now-self",
        "history-now-forward",
        "history-now-earlier",
        "next",
        "by-coordinate",
        "by-register",
        "far-future",
        "very-negative",
    ] {
        holds(bench, &format!("iterations/{name}"));
    }
}

/// Two values that read each other.
fn mutual() -> Program {
    let read = |i| Build::each(DType::I64, &[1]).load(Source::Value(i), PAD, &[]).done();
    Program::new(vec![read(1), read(0)], Vec::new(), Vec::new(), 0, None).unwrap()
}

fn values(values: [i64; 2]) -> Run {
    Run { length: 1, values: values.map(|value| Tensor::saturating(DType::I64, &[value])).to_vec() }
}

#[test]
fn rule_01_exactly_one_trace_of_mutual_reads_passes() {
    let bench = &mut Bench::new();
    let program = mutual();
    assert_eq!(Ran::new(program.clone(), Vec::new(), 1).output(bench), [PAD]);
    for lie in [[5, 5], [5, 6], [PAD, 5], [0, PAD], [PAD, PAD]] {
        let ran = Ran::of(program.clone(), Vec::new(), values(lie));
        let siblings = ran.openings().instruction(0).unwrap().1.concat();
        // The lie's own openings of both values, although no honest witness has them.
        let mut both = [&siblings[..], &[0, 0, 2]].concat();
        for (index, value) in (0u64..).zip(lie) {
            both.extend(index.to_be_bytes());
            both.push(4);
            both.extend(1u64.to_be_bytes());
            both.extend([1, 0, 0, 0, 0, 0]);
            both.extend(value.to_le_bytes());
            both.extend([0; 248]);
        }
        let bare = [&siblings[..], &[0, 0, 0]].concat();
        let first = [&both, &bare].map(|witness| bench.both(&ran.job(0, 0), ELEMENT, ran.encoding(0), witness));
        assert_eq!(first.map(Result::unwrap), [i128::from(PAD); 2], "the forward read of {lie:?}");
        // The second reads what the first is said to be.
        let second = ran.check(bench, (0, 1), ELEMENT);
        assert_eq!(second, i128::from(lie[0]));
        let passes = lie == [PAD, i64::try_from(second).unwrap()];
        assert_eq!(passes, lie == [PAD, PAD], "{lie:?}");
    }
}

#[test]
fn rule_16_positions_are_compared_with_the_elements() {
    let bench = &mut Bench::new();
    // A view [4, 4] on 10 elements, and a view of 99 places.
    let (ran, expected) = Ran::case("loads/view-larger-than-tensor");
    assert_eq!((expected[9], &expected[10..]), (19, &[PAD; 6][..]));
    assert_eq!(ran.output(bench), expected);
    for name in ["loads/past-the-elements", "loads/rank-0-of-empty", "loads/rank-0-of-empty-value", "loads/pad-lowest"]
    {
        holds(bench, name);
    }
}

#[test]
fn rule_17_views_have_the_extents_of_the_iteration_read() {
    let bench = &mut Bench::new();
    for name in
        ["view-now", "view-of-previous", "view-of-two-back", "square-view-of-previous", "view-shrinks-value-grows"]
    {
        holds(bench, &format!("iterations/{name}"));
    }
    // Inputs and constants are of no iteration: their views are those of now.
    holds(bench, "loads/dynamic-view-of-constant");
}

#[test]
fn rule_18_extents_and_indices_are_exact() {
    let bench = &mut Bench::new();
    for name in [
        "lowest-a",
        "highest-a",
        "highest-a-lowest-b",
        "fast-up",
        "fast-down",
        "starts-negative",
        "grows-to-cap",
        "exact-zero",
        "exact-cap",
        "cap-zero",
    ] {
        let (ran, expected) = Ran::case(&format!("extents/{name}"));
        assert_eq!(ran.output(bench), expected, "{name}");
        // The extent itself, also where the value is empty.
        for t in 0..ran.trace.length() {
            let openings = ran.openings();
            let (encoding, siblings) = openings.instruction(0).unwrap();
            let rust = ran.job(t, 0).shape(encoding, siblings.as_flattened()).unwrap();
            let contract = bench.shape(&ran.job(t, 0), encoding, siblings.as_flattened()).unwrap();
            assert_eq!((rust.dtype.code(), rust.elements, rust.terms), contract, "{name} at {t}");
            assert_eq!(rust.elements, ran.trace.value(t).unwrap().elements());
        }
    }
    for name in ["coefficient-extremes", "coefficient-large", "cancels", "no-wrap", "four-extremes"] {
        holds(bench, &format!("loads/gather-{name}"));
    }
    for name in ["position-far", "position-wraps", "position-huge-view", "extreme-base", "extreme-base-high"] {
        holds(bench, &format!("loads/{name}"));
    }
}

#[test]
fn rule_18_extents_stay_exact_at_the_last_iteration() {
    // a + b·t with |b·t| = 2^71, far beyond 64 bits, and one that is just 3.
    let bench = &mut Bench::new();
    let last = (1u64 << 40) - 1;
    for (a, b, elements) in [
        (i64::MAX, i32::MIN, 0),
        (i64::MIN, i32::MAX, 9),
        (0, i32::MIN, 0),
        (0, i32::MAX, 9),
        (3 - i64::try_from(last).unwrap() * 5, 5, 3),
    ] {
        let build = Build::each(DType::I8, &[]).dynamic(a, b, 9).output(0).op(opml_vm::Opcode::Abs, [0, 0, 0]).done();
        let program = Program::new(vec![build], Vec::new(), Vec::new(), 0, None).unwrap();
        let encoding = &program.encodings()[0];
        let zero = merkle::ZERO;
        let job = Job {
            program_root: program.roots().program,
            constants_root: zero,
            input_root: zero,
            trace_root: zero,
            counts: program.counts(),
            length: last + 1,
            t: last,
            instruction: 0,
        };
        assert_eq!(job.shape(encoding, &[]).unwrap().elements, elements, "{a} {b}");
        assert_eq!(bench.shape(&job, encoding, &[]).unwrap(), (1, elements, 1), "{a} {b}");
    }
}

#[test]
fn rule_27_operands_open_under_their_own_root_at_their_own_number() {
    let bench = &mut Bench::new();
    let (ran, expected) = Ran::case("loads/neighbours");
    let (job, encoding) = (ran.job(0, 2), ran.encoding(2));
    let openings = ran.openings();
    let witness = openings.witness(0, 2, ELEMENT).unwrap();
    assert_eq!(bench.both(&job, ELEMENT, encoding, &witness).unwrap(), i128::from(expected[0]));
    for (job, table) in [
        (Job { constants_root: job.input_root, ..job }, "constants table"),
        (Job { input_root: job.constants_root, ..job }, "inputs table"),
        (Job { trace_root: Ran::case("types/input-u8").0.trace.root(), ..job }, "trace table"),
    ] {
        let (rust, contract) = bench.both(&job, ELEMENT, encoding, &witness).unwrap_err();
        assert_eq!(rust, StepError::Root(table));
        is::<StepVerifier::WrongTable>(&contract);
    }
    // A run of another length has another tree.
    bench.both(&Job { length: 2, ..job }, ELEMENT, encoding, &witness).unwrap_err();
    // Valid openings of a neighbour constant, input and value: the loads miss theirs.
    let own = openings.instruction(2).unwrap().1.concat();
    for other in [0, 1] {
        let theirs = openings.witness(0, other, ELEMENT).unwrap();
        let used = openings.instruction(other).unwrap().1.concat().len();
        let mixed = [&own[..], &theirs[used..]].concat();
        let (rust, contract) = bench.both(&job, ELEMENT, encoding, &mixed).unwrap_err();
        assert!(matches!(rust, StepError::Missing { .. }), "{rust:?}");
        is::<StepVerifier::MissingTensor>(&contract);
    }
    // The right bytes under a neighbour's number.
    for place in 0..witness.len() - 7 {
        if witness[place..place + 8] == 1u64.to_be_bytes() {
            let mut moved = witness.clone();
            moved[place + 7] = 0;
            bench.both(&job, ELEMENT, encoding, &moved).unwrap_err();
            moved[place + 7] = 2;
            bench.both(&job, ELEMENT, encoding, &moved).unwrap_err();
        }
    }
}
