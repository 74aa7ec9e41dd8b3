//! Every reducer on every type, ties, empty reductions, exact sums.

use alloc::{format, vec, vec::Vec};

use super::{Plan, len};
use crate::{
    instruction::Source,
    isa::{DType, Opcode, Reducer, SLOT_ACC, SLOT_K},
    testing::{Build, EDGES, fixed, model},
};

pub(super) fn plans() -> Vec<Plan> {
    let mut plans = tables();
    plans.extend(rows());
    plans.extend(empty());
    plans.extend(coordinates());
    plans
}

/// Rows of edge values, for each reducer and output type.
fn tables() -> Vec<Plan> {
    let mut plans = Vec::new();
    let rows: Vec<&[i64]> = EDGES.chunks_exact(7).collect();
    for &reducer in Reducer::ALL {
        for &dtype in DType::ALL.iter().filter(|dtype| dtype.is_writable()) {
            let expected: Vec<i64> =
                rows.iter().map(|row| model::reduce(reducer, row).clamp(dtype.min(), dtype.max())).collect();
            let build = Build::new(dtype, reducer, &[3], &[7]).load(
                Source::Constant(0),
                0,
                &[fixed(3, 0, &[(1, 1)]), fixed(7, 0, &[(SLOT_K, 1)])],
            );
            let name = format!("reduce/{}-{}", reducer.name(), dtype.name());
            plans.push(Plan::new(name).constant(DType::I64, &EDGES).then(build).gives(&expected));
        }
    }
    plans
}

/// One row each, with the expected value written out.
fn rows() -> Vec<Plan> {
    const LOW: i64 = i64::MIN;
    const HIGH: i64 = i64::MAX;
    let table: [(&str, Reducer, &[i64], i64); 16] = [
        ("sum-back-inside", Reducer::Sum, &[HIGH, HIGH, LOW], HIGH - 1),
        ("sum-order-does-not-matter", Reducer::Sum, &[LOW, HIGH, HIGH], HIGH - 1),
        ("sum-saturates-high", Reducer::Sum, &[HIGH, 1], HIGH),
        ("sum-saturates-low", Reducer::Sum, &[LOW, LOW, HIGH], LOW),
        ("sum-just-inside", Reducer::Sum, &[LOW, LOW, HIGH, 2, HIGH], 0),
        ("sum-single-row", Reducer::Sum, &[-5], -5),
        ("max-of-negatives", Reducer::Max, &[-9, -3, -7], -3),
        ("max-of-smallest", Reducer::Max, &[LOW, LOW], LOW),
        ("min-of-largest", Reducer::Min, &[HIGH, HIGH], HIGH),
        ("argmax-first-of-ties", Reducer::Argmax, &[1, 8, 3, 8, 8], 1),
        ("argmax-all-equal", Reducer::Argmax, &[4, 4, 4, 4], 0),
        ("argmax-negative", Reducer::Argmax, &[-9, -2, -2, -8], 1),
        ("argmax-smallest-everywhere", Reducer::Argmax, &[LOW, LOW, LOW], 0),
        ("argmax-smallest-then-next", Reducer::Argmax, &[LOW, LOW + 1, LOW], 1),
        ("argmax-largest-last", Reducer::Argmax, &[HIGH - 1, 0, HIGH], 2),
        ("argmax-of-zero-and-minus-one", Reducer::Argmax, &[-1, 0, -1, 0], 1),
    ];
    table
        .iter()
        .map(|&(name, reducer, row, expected)| {
            let build = Build::new(DType::I64, reducer, &[], &[len(row)]).load(
                Source::Constant(0),
                0,
                &[fixed(len(row), 0, &[(SLOT_K, 1)])],
            );
            Plan::new(format!("reduce/{name}")).constant(DType::I64, row).then(build).gives(&[expected])
        })
        .collect()
}

/// No terms, and no reduction axes.
fn empty() -> Vec<Plan> {
    let mut plans = Vec::new();
    let table =
        [(Reducer::Sum, 0, 0), (Reducer::Max, i64::MIN, -128), (Reducer::Min, i64::MAX, 127), (Reducer::Argmax, 0, 0)];
    for (reducer, wide, narrow) in table {
        let term = |build: Build| build.constants(&[41]).op(Opcode::Add, [18, 18, 0]);
        let name = reducer.name();
        let plan = |suffix: &str, build: Build, expected: &[i64]| {
            Plan::new(format!("reduce/{name}-{suffix}")).then(build).gives(expected)
        };
        plans.push(plan("empty", term(Build::new(DType::I64, reducer, &[2], &[0])), &[wide, wide]));
        plans.push(plan("empty-one-axis", term(Build::new(DType::I64, reducer, &[1], &[5, 0, 3])), &[wide]));
        plans.push(plan("empty-narrow", term(Build::new(DType::I8, reducer, &[2], &[0])), &[narrow, narrow]));
        let post = term(Build::new(DType::I64, reducer, &[1], &[0])).post(Opcode::Shr, [SLOT_ACC, 18, 0]);
        plans.push(plan("empty-post", post, &[wide >> 41]));
        let dynamic = term(Build::new(DType::I64, reducer, &[1], &[])).dynamic(-3, 1, 9).reduction(0);
        plans.push(plan("empty-dynamic", dynamic, &[wide]));
        let one = if reducer == Reducer::Argmax { 0 } else { 82 };
        plans.push(plan("no-axes", term(Build::new(DType::I64, reducer, &[2], &[])), &[one, one]));
        plans.push(plan("one-term", term(Build::new(DType::I64, reducer, &[2], &[1, 1])), &[one, one]));
    }
    plans
}

/// The order of terms over several axes, and what `acc` and `k` are outside their place.
fn coordinates() -> Vec<Plan> {
    let digits = |build: Build| {
        build
            .constants(&[10])
            .op(Opcode::Mul, [SLOT_K, 18, 0])
            .op(Opcode::Add, [19, SLOT_K + 1, 0])
            .op(Opcode::Mul, [20, 18, 0])
            .op(Opcode::Add, [21, SLOT_K + 2, 0])
    };
    let build = |reducer| digits(Build::new(DType::I64, reducer, &[], &[2, 3, 4]));
    let plan =
        |name: &str, build: Build, expected: i64| Plan::new(format!("reduce/{name}")).then(build).gives(&[expected]);
    vec![
        plan("axes-sum", build(Reducer::Sum), 12 * 100 + 8 * 30 + 6 * 6),
        plan("axes-max", build(Reducer::Max), 123),
        plan("axes-argmax", build(Reducer::Argmax), 23),
        plan(
            "axes-argmax-tie",
            Build::new(DType::I64, Reducer::Argmax, &[], &[2, 3]).op(Opcode::Add, [SLOT_K + 1, 0, 0]),
            2,
        ),
        plan(
            "acc-is-zero-in-map",
            Build::new(DType::I64, Reducer::Sum, &[], &[3]).op(Opcode::Abs, [SLOT_ACC, 0, 0]),
            0,
        ),
        plan(
            "k-is-zero-in-post",
            Build::new(DType::I64, Reducer::Max, &[], &[4])
                .op(Opcode::Abs, [SLOT_K, 0, 0])
                .post(Opcode::Sub, [SLOT_ACC, SLOT_K, 0]),
            3,
        ),
        plan(
            "k-beyond-rank-is-zero",
            Build::new(DType::I64, Reducer::Sum, &[], &[4]).op(Opcode::Add, [SLOT_K, SLOT_K + 1, 0]),
            6,
        ),
    ]
}
