//! Scalar operations, reductions and number formats.

use opml_contracts::abi::{Dispute, StepVerifier};
use opml_prover::chain::Chain;
use opml_vm::{
    Counts, DType, InputHeader, Opcode, Program, Reducer, Source, StepError, Tensor,
    codec::{decode, encode},
    eval::{combine_all, empty, scalar},
    testing::{Build, EDGES, conformance_cases, fixed, model},
    witness::Question,
};

use super::{
    codes::alone,
    steps::{Bench, Ran, holds},
    table::is,
};

const LOW: i64 = i64::MIN;
const HIGH: i64 = i64::MAX;

/// An operation over rows of operands.
fn over(opcode: Opcode, rows: [&[i64]; 3]) -> Ran {
    let n = u32::try_from(rows[0].len()).unwrap();
    let mut build = Build::each(DType::I64, &[n]);
    let mut operands = [0; 3];
    for (number, operand) in (0..).zip(operands.iter_mut().take(opcode.arity())) {
        *operand = build.slot();
        build = build.load(Source::Constant(number), 0, &[fixed(n, 0, &[(1, 1)])]);
    }
    let build = build.op(opcode, operands).done();
    let constants = rows.map(|row| Tensor::saturating(DType::I64, row)).to_vec();
    Ran::new(Program::new(vec![build], constants, Vec::new(), 0, None).unwrap(), Vec::new(), 1)
}

#[test]
fn rule_19_no_operation_stops_the_machine() {
    let bench = &mut Bench::new();
    let few = [LOW, HIGH, 0, 1, -1];
    let mut rows = [Vec::new(), Vec::new(), Vec::new()];
    for a in few {
        for b in few {
            for c in few {
                [a, b, c].into_iter().zip(&mut rows).for_each(|(value, row)| row.push(value));
            }
        }
    }
    // All pairs of neighbours among the edges, too.
    for pair in EDGES.windows(2) {
        [pair[0], pair[1], pair[0]].into_iter().zip(&mut rows).for_each(|(value, row)| row.push(value));
    }
    for &opcode in Opcode::ALL.iter().filter(|&&opcode| opcode != Opcode::Load) {
        let expected: Vec<i64> =
            (0..rows[0].len()).map(|at| model::scalar(opcode, rows[0][at], rows[1][at], rows[2][at])).collect();
        let ran = over(opcode, [&rows[0], &rows[1], &rows[2]]);
        assert_eq!(ran.output(bench), expected, "{}", opcode.name());
    }
}

#[test]
fn rule_19_sums_and_types_of_extremes_are_total() {
    let bench = &mut Bench::new();
    for case in conformance_cases() {
        let name = &case.name;
        if name.starts_with("reduce/sum") || name.starts_with("reduce/min") || name.starts_with("types/saturate") {
            holds(bench, name);
        }
    }
}

#[test]
fn rule_20_shift_amounts_are_clamped() {
    // Amounts −1 and below act as 0, 127 and above as 126.
    let amounts = [LOW, -1, 0, 1, 63, 64, 126, 127, HIGH];
    let table: [(Opcode, i64, i64, [i64; 9]); 13] = [
        (Opcode::Shl, 1, 0, [1, 1, 1, 2, HIGH, HIGH, HIGH, HIGH, HIGH]),
        (Opcode::Shl, -1, 0, [-1, -1, -1, -2, LOW, LOW, LOW, LOW, LOW]),
        (Opcode::Shl, 0, 0, [0; 9]),
        (Opcode::Shr, -1, 0, [-1; 9]),
        (Opcode::Shr, HIGH, 0, [HIGH, HIGH, HIGH, HIGH >> 1, 0, 0, 0, 0, 0]),
        (Opcode::Shr, LOW, 0, [LOW, LOW, LOW, LOW / 2, -1, -1, -1, -1, -1]),
        (Opcode::Rshr, -5, 0, [-5, -5, -5, -2, 0, 0, 0, 0, 0]),
        (Opcode::Rshr, HIGH, 0, [HIGH, HIGH, HIGH, 1 << 62, 1, 0, 0, 0, 0]),
        (Opcode::Rshr, LOW, 0, [LOW, LOW, LOW, LOW / 2, -1, 0, 0, 0, 0]),
        (Opcode::Mulshr, -3, 5, [-15, -15, -15, -7, 0, 0, 0, 0, 0]),
        (Opcode::Mulshr, LOW, LOW, [HIGH, HIGH, HIGH, HIGH, HIGH, 1 << 62, 1, 1, 1]),
        (Opcode::Mulshr, LOW, HIGH, [LOW, LOW, LOW, LOW, -HIGH, 1 - (1 << 62), -1, -1, -1]),
        (Opcode::Mulshr, HIGH, HIGH, [HIGH, HIGH, HIGH, HIGH, HIGH - 1, (1 << 62) - 1, 1, 1, 1]),
    ];
    let bench = &mut Bench::new();
    for (opcode, a, b, expected) in table {
        let shifted = opcode != Opcode::Mulshr;
        let rows = if shifted { [&[a; 9][..], &amounts, &[0; 9]] } else { [&[a; 9][..], &[b; 9], &amounts] };
        assert_eq!(over(opcode, rows).output(bench), expected, "{} {a} {b}", opcode.name());
        let rust = amounts.map(|n| if shifted { scalar(opcode, a, n, 0) } else { scalar(opcode, a, b, n) });
        assert_eq!(rust, expected);
    }
}

/// Cuts an element's reduction in two at every place; the parts' ⊕ always gives the expected element.
fn cut_everywhere(bench: &mut Bench, name: &str, expected: i64) {
    let (ran, output) = Ran::case(name);
    assert_eq!(ran.output(bench), output);
    assert_eq!(output, [expected], "{name}");
    let instruction = &ran.program.instructions()[0];
    let terms = instruction.terms(0);
    for cut in 1..terms {
        let parts = [(0, cut), (cut, terms)];
        let partials = parts.map(|(k0, k1)| ran.check(bench, (0, 0), Question::Slice { e: 0, k0, k1 }));
        let acc = combine_all(instruction.reducer, &partials).unwrap();
        let post = ran.check(bench, (0, 0), Question::Post { e: 0, acc });
        assert_eq!(post, i128::from(expected), "{name} cut at {cut}");
    }
}

#[test]
fn rule_21_ties_of_argmax_go_to_the_first_term() {
    let bench = &mut Bench::new();
    for (name, expected) in [
        ("argmax-first-of-ties", 1),
        ("argmax-all-equal", 0),
        ("argmax-negative", 1),
        ("argmax-smallest-everywhere", 0),
        ("argmax-of-zero-and-minus-one", 1),
        ("argmax-largest-last", 2),
        ("axes-argmax-tie", 2),
    ] {
        cut_everywhere(bench, &format!("reduce/{name}"), expected);
    }
    // A partial is term · 2^32 + 2^32 − 1 − k, k counted over the whole reduction.
    let (ran, _) = Ran::case("reduce/argmax-negative");
    let partial = ran.check(bench, (0, 0), Question::Slice { e: 0, k0: 2, k1: 4 });
    assert_eq!(partial, -2 * (1 << 32) + (1 << 32) - 1 - 2);
}

#[test]
fn rule_21_term_numbers_fit_32_bits() {
    let bench = &mut Bench::new();
    let counts = Counts { instructions: 1, constants: 0, inputs: 0 };
    let build = |reducer, k: [u32; 2]| Build::new(DType::I64, reducer, &[1], &k).op(Opcode::Abs, [9, 0, 0]).done();
    let well_formed = encode(&build(Reducer::Argmax, [65_536, 65_535]), &counts).unwrap();
    assert_eq!(alone(bench, &well_formed, &counts), (4, 1, 65_536 * 65_535));
    assert!(encode(&build(Reducer::Argmax, [65_536, 65_536]), &counts).is_err());
    let mut bytes = encode(&build(Reducer::Sum, [65_536, 65_536]), &counts).unwrap();
    assert_eq!(alone(bench, &bytes, &counts), (4, 1, 1 << 32));
    bytes[1] = Reducer::Argmax.code();
    assert!(decode(&bytes, &counts).is_err());
    assert_eq!(alone(bench, &bytes, &counts), (4, 0, 0));
}

#[test]
fn rule_24_sums_are_exact_across_slices_and_saturate_once() {
    let bench = &mut Bench::new();
    for (name, expected) in [
        ("sum-back-inside", HIGH - 1),
        ("sum-order-does-not-matter", HIGH - 1),
        ("sum-saturates-high", HIGH),
        ("sum-saturates-low", LOW),
        ("sum-just-inside", 0),
    ] {
        cut_everywhere(bench, &format!("reduce/{name}"), expected);
    }
    let (ran, _) = Ran::case("reduce/sum-back-inside");
    let slice = |bench: &mut Bench, k0, k1| ran.check(bench, (0, 0), Question::Slice { e: 0, k0, k1 });
    assert_eq!(slice(bench, 0, 2), 2 * i128::from(HIGH), "not saturated");
    assert_eq!(slice(bench, 2, 3), i128::from(LOW));
    for (acc, element) in [(i128::MAX, HIGH), (i128::MIN, LOW), (i128::from(HIGH) + 1, HIGH), (i128::from(LOW), LOW)] {
        assert_eq!(ran.check(bench, (0, 0), Question::Post { e: 0, acc }), i128::from(element));
    }
}

#[test]
fn rule_25_an_empty_reduction_is_the_identity_and_no_axes_are_one_term() {
    let bench = &mut Bench::new();
    for &reducer in Reducer::ALL {
        let name = format!("reduce/{}", reducer.name());
        for suffix in ["empty", "empty-one-axis", "empty-narrow", "empty-post", "empty-dynamic", "no-axes", "one-term"]
        {
            holds(bench, &format!("{name}-{suffix}"));
        }
        let (ran, expected) = Ran::case(&format!("{name}-empty"));
        assert_eq!(expected, [empty(reducer); 2]);
        // It has no partial: neither a slice nor a total can be asked for.
        let witness = ran.openings().witness(0, 0, Question::Element { e: 1 }).unwrap();
        let post = Question::Post { e: 1, acc: 0 };
        let (rust, contract) = bench.both(&ran.job(0, 0), post, ran.encoding(0), &witness).unwrap_err();
        assert_eq!(rust, StepError::EmptyReduction);
        is::<StepVerifier::SliceOutOfRange>(&contract);
        let slice = Question::Slice { e: 1, k0: 0, k1: 1 };
        let (rust, contract) = bench.both(&ran.job(0, 0), slice, ran.encoding(0), &witness).unwrap_err();
        assert_eq!(rust, StepError::Slice { k0: 0, k1: 1, terms: 0 });
        is::<StepVerifier::SliceOutOfRange>(&contract);
    }
    let (ran, _) = Ran::case("reduce/argmax-no-axes");
    assert_eq!(ran.check(bench, (0, 0), Question::Slice { e: 1, k0: 0, k1: 1 }), 82 * (1 << 32) + (1 << 32) - 1);
}

#[test]
fn rule_26_nibbles_are_low_first_and_constants_only() {
    let bench = &mut Bench::new();
    for name in ["i4-low-nibble-first", "i4-one", "i4-past-odd-end", "i4-empty", "constant-i4", "leaf-boundary-i4"] {
        holds(bench, &format!("types/{name}"));
    }
    assert_eq!(Tensor::saturating(DType::I4, &[1, -2, 3]).bytes(), [0xe1, 0x03]);
    // No instruction writes it.
    let counts = Counts { instructions: 1, constants: 0, inputs: 0 };
    let mut bytes = encode(&Build::each(DType::I8, &[3]).op(Opcode::Abs, [1, 0, 0]).done(), &counts).unwrap();
    assert_eq!(alone(bench, &bytes, &counts), (1, 3, 1));
    bytes[0] = DType::I4.code();
    assert!(decode(&bytes, &counts).is_err());
    assert_eq!(alone(bench, &bytes, &counts), (4, 0, 0));
    // No task has it as an input.
    let read = Build::each(DType::I8, &[3]).load(Source::Input(0), 0, &[fixed(3, 0, &[(1, 1)])]).done();
    let nibbles = InputHeader { dtype: DType::I4, elements: 3 };
    assert!(Program::new(vec![read], Vec::new(), vec![nibbles], 0, None).is_err());
    let mut chain = Chain::new(4).unwrap();
    let call = |dtype: u8| Dispute::registerModelCall {
        programRoot: [1; 32].into(),
        constsRoot: [2; 32].into(),
        N: 1,
        nConsts: 0,
        out: 0,
        halt: u32::MAX,
        inputHeaders: [&[dtype][..], &3u64.to_be_bytes()].concat().into(),
    };
    let register = |chain: &mut Chain, dtype| {
        chain.send("registerModel", opml_prover::chain::OPERATOR, alloy_primitives::U256::ZERO, &call(dtype))
    };
    register(&mut chain, 4).unwrap();
    super::table::reverts::<Dispute::BadModel, _>(register(&mut chain, DType::I4.code()));
}
