//! Scalar operations: literals at the edges, and a second implementation everywhere else.

use opml_vm::{
    Opcode, Reducer,
    eval::{combine, combine_all, empty, finish, scalar},
    testing::{EDGES, model},
};
use proptest::prelude::*;

use crate::setup::config;

const LOW: i64 = i64::MIN;
const HIGH: i64 = i64::MAX;

#[test]
fn rule_19_every_operation_is_total_at_the_edges() {
    for &opcode in Opcode::ALL.iter().filter(|&&opcode| opcode != Opcode::Load) {
        for a in EDGES {
            for b in EDGES {
                for c in EDGES {
                    let expected = model::scalar(opcode, a, b, c);
                    assert_eq!(scalar(opcode, a, b, c), expected, "{} {a} {b} {c}", opcode.name());
                }
            }
        }
    }
}

#[test]
fn rule_20_shift_amounts_are_clamped() {
    // Amounts −1 and below act as 0, 127 and above as 126.
    let amounts = [LOW, -1, 0, 1, 63, 64, 126, 127, HIGH];
    let table: [(Opcode, i64, [i64; 9]); 12] = [
        (Opcode::Shl, 1, [1, 1, 1, 2, HIGH, HIGH, HIGH, HIGH, HIGH]),
        (Opcode::Shl, -1, [-1, -1, -1, -2, LOW, LOW, LOW, LOW, LOW]),
        (Opcode::Shl, 0, [0; 9]),
        (Opcode::Shl, LOW, [LOW; 9]),
        (Opcode::Shr, -1, [-1; 9]),
        (Opcode::Shr, HIGH, [HIGH, HIGH, HIGH, HIGH >> 1, 0, 0, 0, 0, 0]),
        (Opcode::Shr, LOW, [LOW, LOW, LOW, LOW / 2, -1, -1, -1, -1, -1]),
        (Opcode::Shr, 5, [5, 5, 5, 2, 0, 0, 0, 0, 0]),
        (Opcode::Rshr, 5, [5, 5, 5, 3, 0, 0, 0, 0, 0]),
        (Opcode::Rshr, -5, [-5, -5, -5, -2, 0, 0, 0, 0, 0]),
        (Opcode::Rshr, HIGH, [HIGH, HIGH, HIGH, 1 << 62, 1, 0, 0, 0, 0]),
        (Opcode::Rshr, LOW, [LOW, LOW, LOW, LOW / 2, -1, 0, 0, 0, 0]),
    ];
    for (opcode, a, expected) in table {
        assert_eq!(amounts.map(|b| scalar(opcode, a, b, 0)), expected, "{} {a}", opcode.name());
    }
    let table: [(i64, i64, [i64; 9]); 5] = [
        (3, 5, [15, 15, 15, 8, 0, 0, 0, 0, 0]),
        (-3, 5, [-15, -15, -15, -7, 0, 0, 0, 0, 0]),
        (LOW, LOW, [HIGH, HIGH, HIGH, HIGH, HIGH, 1 << 62, 1, 1, 1]),
        (LOW, HIGH, [LOW, LOW, LOW, LOW, -HIGH, 1 - (1 << 62), -1, -1, -1]),
        (HIGH, HIGH, [HIGH, HIGH, HIGH, HIGH, HIGH - 1, (1 << 62) - 1, 1, 1, 1]),
    ];
    for (a, b, expected) in table {
        assert_eq!(amounts.map(|c| scalar(Opcode::Mulshr, a, b, c)), expected, "mulshr {a} {b}");
    }
}

#[test]
fn division_rounds_down() {
    let table = [
        (7, 2, 3, 1),
        (-7, 2, -4, 1),
        (7, -2, -4, -1),
        (-7, -2, 3, -1),
        (6, -3, -2, 0),
        (5, 0, 0, 0),
        (LOW, 0, 0, 0),
        (LOW, -1, HIGH, 0),
        (LOW, 1, LOW, 0),
        (HIGH, -1, -HIGH, 0),
        (LOW, HIGH, -2, HIGH - 1),
        (HIGH, LOW, -1, -1),
        (LOW, LOW, 1, 0),
        (-1, LOW, 0, -1),
        (1, LOW, -1, LOW + 1),
    ];
    for (a, b, quotient, remainder) in table {
        assert_eq!(scalar(Opcode::Div, a, b, 0), quotient, "{a} / {b}");
        assert_eq!(scalar(Opcode::Rem, a, b, 0), remainder, "{a} rem {b}");
    }
}

#[test]
fn roots_and_logarithms() {
    let roots = [(LOW, 0), (-1, 0), (0, 0), (1, 1), (3, 1), (4, 2), (8, 2), (9, 3), (HIGH, 3_037_000_499)];
    for (a, root) in roots {
        assert_eq!(scalar(Opcode::Isqrt, a, 0, 0), root);
    }
    for n in [2i64, 1_000, 94_906_267, 3_037_000_499] {
        assert_eq!([n * n - 1, n * n].map(|a| scalar(Opcode::Isqrt, a, 0, 0)), [n - 1, n]);
    }
    let logs =
        [(LOW, -1), (-1, -1), (0, -1), (1, 0), (2, 1), (3, 1), (4, 2), (HIGH, 62), (1 << 62, 62), ((1 << 62) - 1, 61)];
    for (a, log) in logs {
        assert_eq!(scalar(Opcode::Log2, a, 0, 0), log);
    }
}

#[test]
fn results_saturate() {
    let table = [
        (Opcode::Add, HIGH, 1, 0, HIGH),
        (Opcode::Add, LOW, -1, 0, LOW),
        (Opcode::Sub, LOW, 1, 0, LOW),
        (Opcode::Sub, 0, LOW, 0, HIGH),
        (Opcode::Mul, LOW, -1, 0, HIGH),
        (Opcode::Mul, LOW, LOW, 0, HIGH),
        (Opcode::Mul, HIGH, LOW, 0, LOW),
        (Opcode::Mul, 1 << 32, 1 << 31, 0, HIGH),
        (Opcode::Mul, -(1 << 32), 1 << 31, 0, LOW),
        (Opcode::Abs, LOW, 0, 0, HIGH),
        (Opcode::Clamp, 5, 7, 3, 3),
        (Opcode::Clamp, 5, 1, 9, 5),
        (Opcode::Select, LOW, 4, 5, 4),
        (Opcode::Select, 0, 4, 5, 5),
        (Opcode::And, -1, LOW, 0, LOW),
        (Opcode::Or, LOW, 1, 0, LOW + 1),
        (Opcode::Xor, -1, HIGH, 0, LOW),
        (Opcode::Eq, LOW, LOW, 0, 1),
        (Opcode::Lt, LOW, HIGH, 0, 1),
        (Opcode::Lt, 0, 0, 0, 0),
    ];
    for (opcode, a, b, c, expected) in table {
        assert_eq!(scalar(opcode, a, b, c), expected, "{} {a} {b} {c}", opcode.name());
    }
}

#[test]
fn rule_22_posted_partials_combine_exactly() {
    let (low, high) = (i128::MIN, i128::MAX);
    let sum = |partials: &[i128]| combine_all(Reducer::Sum, partials);
    assert_eq!(sum(&[high, 1, -1]), Some(high), "a prefix leaves i128, the whole does not");
    assert_eq!(sum(&[low, -1, 1]), Some(low));
    assert_eq!(sum(&[high, high, low, low]), Some(-2));
    assert_eq!((sum(&[high, 1]), sum(&[low, -1]), sum(&[low, low])), (None, None, None));
    assert_eq!(sum(&[low; 64]), None);
    assert_eq!(sum(&[-5]), Some(-5));
    assert_eq!(combine_all(Reducer::Max, &[low, high, 0]), Some(high));
    assert_eq!(combine_all(Reducer::Argmax, &[3, 9, 9]), Some(9));
    assert_eq!(combine_all(Reducer::Min, &[3, low, 9]), Some(low));
    for &reducer in Reducer::ALL {
        assert_eq!(combine_all(reducer, &[]), None);
    }
}

#[test]
fn rule_24_sums_saturate_once_at_the_end() {
    let partial = combine(Reducer::Sum, 2 * i128::from(HIGH), i128::from(LOW));
    assert_eq!(finish(Reducer::Sum, partial), HIGH - 1);
    assert_eq!(finish(Reducer::Sum, i128::MAX), HIGH);
    assert_eq!(finish(Reducer::Sum, i128::MIN), LOW);
    assert_eq!(finish(Reducer::Max, i128::MAX), HIGH);
    assert_eq!(finish(Reducer::Min, i128::MIN), LOW);
}

#[test]
fn rule_21_argmax_of_any_partial_is_a_term_number() {
    assert_eq!(finish(Reducer::Argmax, -1), 0);
    assert_eq!(finish(Reducer::Argmax, 0), i64::from(u32::MAX));
    assert_eq!(finish(Reducer::Argmax, i128::MIN), i64::from(u32::MAX));
    assert_eq!(finish(Reducer::Argmax, i128::MAX), 0);
    assert_eq!([Reducer::Sum, Reducer::Max, Reducer::Min, Reducer::Argmax].map(empty), [0, LOW, HIGH, 0]);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn operations_agree_with_the_model(a: i64, b: i64, c: i64, small in -200i64..200) {
        for &opcode in Opcode::ALL.iter().filter(|&&opcode| opcode != Opcode::Load) {
            for (a, b, c) in [(a, b, c), (a, small, c), (a, b, small), (small, b, a)] {
                prop_assert_eq!(scalar(opcode, a, b, c), model::scalar(opcode, a, b, c));
            }
        }
    }
}
