//! Views: indices, pads, ranks, positions past the end.

use alloc::{format, vec::Vec};

use super::{Plan, len};
use crate::{
    instruction::{Axis, Source},
    isa::{DType, Opcode},
    testing::{Build, fixed, moving},
};

const PAD: i64 = -7;
const TEN: [i64; 10] = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19];

/// Name, output extents, view, expected elements.
type Row<'a> = (&'a str, &'a [u32], Vec<Axis>, &'a [i64]);

pub(super) fn plans() -> Vec<Plan> {
    let mut plans = tables();
    plans.extend(registers());
    plans.extend(ranks());
    plans.extend(pads());
    plans
}

/// Reads of a constant of ten elements, by output coordinate.
fn tables() -> Vec<Plan> {
    let table: [Row; 18] = [
        ("plain", &[3], [fixed(10, 0, &[(1, 1)])].into(), &[10, 11, 12]),
        ("base", &[3], [fixed(10, 7, &[(1, 1)])].into(), &[17, 18, 19]),
        ("past-the-extent", &[3], [fixed(2, 0, &[(1, 1)])].into(), &[10, 11, PAD]),
        ("past-the-elements", &[3], [fixed(99, 8, &[(1, 1)])].into(), &[18, 19, PAD]),
        ("negative-index", &[3], [fixed(10, -1, &[(1, 1)])].into(), &[PAD, 10, 11]),
        ("stride", &[4], [fixed(10, 0, &[(1, 3)])].into(), &[10, 13, 16, 19]),
        ("reverse", &[3], [fixed(10, 9, &[(1, -1)])].into(), &[19, 18, 17]),
        ("two-terms", &[2, 2], [fixed(10, 1, &[(1, 4), (2, 1)])].into(), &[11, 12, 15, 16]),
        ("same-slot-twice", &[3], [fixed(10, 0, &[(1, 1), (1, 2)])].into(), &[10, 13, 16]),
        ("four-terms", &[2, 2], [fixed(10, 1, &[(1, 1), (2, 2), (1, 3), (2, -1)])].into(), &[11, 12, 15, 16]),
        ("two-axes", &[2, 3], [fixed(2, 0, &[(1, 1)]), fixed(5, 0, &[(2, 1)])].into(), &[10, 11, 12, 15, 16, 17]),
        ("transposed", &[2, 2], [fixed(2, 0, &[(2, 1)]), fixed(5, 0, &[(1, 1)])].into(), &[10, 15, 11, 16]),
        ("one-axis-outside", &[2, 2], [fixed(2, 0, &[(1, 1)]), fixed(5, 3, &[(2, 2)])].into(), &[13, PAD, 18, PAD]),
        ("zero-extent", &[1], [fixed(0, 0, &[])].into(), &[PAD]),
        ("zero-extent-inside", &[1], [fixed(2, 0, &[]), fixed(0, 0, &[]), fixed(2, 0, &[])].into(), &[PAD]),
        ("rank-0", &[2], Vec::new(), &[10, 10]),
        ("extreme-base", &[2], [fixed(10, i64::MIN, &[(1, 1)])].into(), &[PAD, PAD]),
        ("extreme-base-high", &[2], [fixed(u32::MAX >> 1, i64::MAX, &[(1, i32::MAX)])].into(), &[PAD, PAD]),
    ];
    let mut plans: Vec<Plan> = table
        .into_iter()
        .map(|(name, output, axes, expected)| {
            let build = Build::each(DType::I64, output).load(Source::Constant(0), PAD, &axes);
            Plan::new(format!("loads/{name}")).constant(DType::I16, &TEN).then(build).gives(expected)
        })
        .collect();
    // The view has 16 places, the tensor 10 elements.
    let view = [fixed(4, 0, &[(1, 1)]), fixed(4, 0, &[(2, 1)])];
    let expected: Vec<i64> = TEN.iter().copied().chain([PAD; 6]).collect();
    let build = Build::each(DType::I64, &[4, 4]).load(Source::Constant(0), PAD, &view);
    plans.push(Plan::new("loads/view-larger-than-tensor").constant(DType::I64, &TEN).then(build).gives(&expected));
    plans
}

/// Indices computed from loaded values, up to the extremes of coefficient times register.
fn registers() -> Vec<Plan> {
    let gather = |name: &str, registers: &[i64], axis: Axis, expected: &[i64]| {
        let build = Build::each(DType::I64, &[len(registers)])
            .load(Source::Constant(1), 0, &[fixed(len(registers), 0, &[(1, 1)])])
            .load(Source::Constant(0), PAD, &[axis]);
        Plan::new(format!("loads/gather-{name}"))
            .constant(DType::U8, &TEN)
            .constant(DType::I64, registers)
            .then(build)
            .gives(expected)
    };
    const LOW: i64 = i64::MIN;
    const HIGH: i64 = i64::MAX;
    let mut plans = Vec::from([
        gather("plain", &[9, 0, 4, 4], fixed(10, 0, &[(18, 1)]), &[19, 10, 14, 14]),
        gather("outside", &[10, -1, LOW, HIGH], fixed(10, 0, &[(18, 1)]), &[PAD; 4]),
        gather("coefficient-extremes", &[LOW, HIGH, 1, -1], fixed(10, 0, &[(18, i32::MIN)]), &[PAD; 4]),
        gather("coefficient-large", &[LOW, HIGH, 0, 1], fixed(10, 0, &[(18, i32::MAX)]), &[PAD, PAD, 10, PAD]),
        // 2^31·r − (2^31 − 1)·r − r = 0 although each product is past 64 bits.
        gather("cancels", &[LOW, HIGH, 3, -3], fixed(10, 5, &[(18, i32::MIN), (18, i32::MAX), (18, 1)]), &[15; 4]),
        // Wrapped to 64 bits, 2^32 times 2^32 would be index 0.
        gather("no-wrap", &[1 << 62, 1 << 63 >> 1], fixed(10, 0, &[(18, 4)]), &[PAD; 2]),
        gather(
            "four-extremes",
            &[LOW, HIGH],
            fixed(10, LOW, &[(18, i32::MIN), (18, i32::MIN), (18, i32::MIN), (18, i32::MIN)]),
            &[PAD; 2],
        ),
    ]);
    let post = Build::new(DType::I64, crate::isa::Reducer::Argmax, &[], &[10])
        .load(Source::Constant(0), 0, &[fixed(10, 0, &[(9, 1)])])
        .op(Opcode::Rem, [18, 18, 0])
        .op(Opcode::Sub, [19, 9, 0])
        .post_load(Source::Constant(0), PAD, &[fixed(10, 3, &[(17, 1)])])
        .post_load(Source::Constant(0), PAD, &[fixed(20, -7, &[(18, 1)])]);
    plans.push(Plan::new("loads/post-by-acc").constant(DType::U8, &TEN).then(post).gives(&[16]));
    plans
}

/// Eight axes, and positions past 2^64.
fn ranks() -> Vec<Plan> {
    let bits: Vec<Axis> = (1..=8u8).map(|slot| fixed(2, 0, &[(slot, 1)])).collect();
    let values: Vec<i64> = (0..256).collect();
    let eight = Build::each(DType::I64, &[2, 1, 2, 1, 2, 1, 2, 1]).load(Source::Constant(0), PAD, &bits);
    let expected: Vec<i64> = (0..16).map(|n: i64| (n & 1) * 2 + (n & 2) * 4 + (n & 4) * 8 + (n & 8) * 16).collect();
    let huge = (1u32 << 31) - 1;
    let far: Vec<Axis> = (0..8).map(|_| fixed(huge, i64::from(huge) - 1, &[])).collect();
    let far = Build::each(DType::I64, &[1]).load(Source::Constant(0), PAD, &far);
    // 2^24 · 2^20 · 2^20 = 2^64: a position of 64 bits would wrap to 0.
    let wrap = [fixed(1 << 21, 1, &[]), fixed(1 << 24, 0, &[]), fixed(1 << 20, 0, &[]), fixed(1 << 20, 0, &[])];
    let wrap = Build::each(DType::I64, &[1]).load(Source::Constant(0), PAD, &wrap);
    let near: Vec<Axis> = (0..8).map(|axis| fixed(huge, i64::from(axis == 7) * 3, &[])).collect();
    let near = Build::each(DType::I64, &[1]).load(Source::Constant(0), PAD, &near);
    let plan = |name: &str| Plan::new(format!("loads/{name}")).constant(DType::I64, &values);
    Vec::from([
        plan("rank-8").then(eight).gives(&expected),
        plan("position-far").then(far).gives(&[PAD]),
        plan("position-wraps").then(wrap).gives(&[PAD]),
        plan("position-huge-view").then(near).gives(&[3]),
    ])
}

/// Pads of every size, empty sources, dynamic views of constants.
fn pads() -> Vec<Plan> {
    let mut plans = Vec::new();
    for (name, pad) in [("lowest", i64::MIN), ("highest", i64::MAX), ("zero", 0)] {
        let build = Build::each(DType::I64, &[2]).load(Source::Input(0), pad, &[fixed(1, 0, &[(1, 1)])]);
        plans.push(Plan::new(format!("loads/pad-{name}")).input(DType::I8, &[4]).then(build).gives(&[4, pad]));
    }
    let rank_0 = |source| Build::each(DType::I64, &[1]).load(source, PAD, &[]);
    plans.push(
        Plan::new("loads/rank-0-of-empty").constant(DType::I64, &[]).then(rank_0(Source::Constant(0))).gives(&[PAD]),
    );
    plans.push(
        Plan::new("loads/rank-0-of-empty-input").input(DType::U8, &[]).then(rank_0(Source::Input(0))).gives(&[PAD]),
    );
    let empty = Build::each(DType::I32, &[0]).op(Opcode::Abs, [0, 0, 0]);
    plans.push(Plan::new("loads/rank-0-of-empty-value").then(empty).then(rank_0(Source::Value(0))).gives(&[PAD]));
    // A view of a constant takes its dynamic extents at t.
    let window =
        Build::each(DType::I64, &[4]).dynamic(1, 1, 10).load(Source::Constant(0), PAD, &[moving(0, 0, &[(1, 1)])]);
    let plan = || Plan::new("loads/dynamic-view-of-constant").constant(DType::U8, &TEN);
    plans.push(plan().then(window).max_t(2).gives(&[10, 11, PAD, PAD]));
    plans.push(two_tensors());
    plans
}

/// Neighbouring tensors of each kind are told apart.
fn two_tensors() -> Plan {
    let at = |source| Build::each(DType::I64, &[1]).load(source, PAD, &[]);
    let sum = Build::each(DType::I64, &[1])
        .constants(&[100])
        .load(Source::Constant(1), 0, &[])
        .load(Source::Input(2), 0, &[])
        .load(Source::Value(1), 0, &[])
        .op(Opcode::Mul, [19, 18, 0])
        .op(Opcode::Add, [20, 22, 0])
        .op(Opcode::Mul, [23, 18, 0])
        .op(Opcode::Add, [21, 24, 0]);
    Plan::new("loads/neighbours")
        .constant(DType::U8, &[1])
        .constant(DType::U8, &[2])
        .constant(DType::U8, &[3])
        .input(DType::I16, &[4])
        .input(DType::I16, &[5])
        .input(DType::I16, &[6])
        .then(at(Source::Constant(2)))
        .then(at(Source::Input(0)))
        .then(sum)
        .gives(&[20_604])
}
