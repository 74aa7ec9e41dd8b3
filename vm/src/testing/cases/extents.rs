//! Domains: dynamic extents, empty values, coordinates, the largest instruction.

use alloc::{format, vec::Vec};

use super::Plan;
use crate::{
    instruction::{Axis, Source},
    isa::{DType, MAX_CONSTANTS, MAX_OPS, Opcode, Reducer, SLOT_K},
    testing::{Build, fixed},
};

pub(super) fn plans() -> Vec<Plan> {
    let mut plans = dynamic();
    plans.extend(coordinates());
    plans.push(dynamic_reduction());
    plans.push(largest());
    plans
}

/// One dynamic output extent; every element is its own number.
fn dynamic() -> Vec<Plan> {
    let table: [(&str, i64, i32, u32, u64, u32); 15] = [
        ("grows", 1, 1, 9, 4, 4),
        ("grows-to-cap", 1, 1, 3, 4, 3),
        ("shrinks", 4, -1, 9, 3, 2),
        ("shrinks-to-zero", 2, -1, 9, 4, 0),
        ("starts-negative", -2, 1, 9, 2, 0),
        ("leaves-zero", -2, 1, 9, 4, 1),
        ("constant", 3, 0, 9, 2, 3),
        ("cap-zero", 5, 1, 0, 2, 0),
        ("lowest-a", i64::MIN, i32::MAX, 5, 3, 0),
        ("highest-a", i64::MAX, i32::MAX, 5, 3, 5),
        ("highest-a-lowest-b", i64::MAX, i32::MIN, 5, 3, 5),
        ("fast-down", 5, i32::MIN, 5, 2, 0),
        ("fast-up", 0, i32::MAX, 6, 2, 6),
        ("exact-zero", 3, -1, 9, 4, 0),
        ("exact-cap", 0, 3, 6, 3, 6),
    ];
    table
        .iter()
        .map(|&(name, a, b, cap, max_t, count)| {
            let build = Build::each(DType::I32, &[]).dynamic(a, b, cap).output(0).op(Opcode::Abs, [1, 0, 0]);
            let expected: Vec<i64> = (0..i64::from(count)).collect();
            Plan::new(format!("extents/{name}")).then(build).max_t(max_t).gives(&expected)
        })
        .collect()
}

fn coordinates() -> Vec<Plan> {
    let plan = |name: &str| Plan::new(format!("extents/{name}"));
    let digits = Build::each(DType::I64, &[2, 3, 2])
        .constants(&[10])
        .op(Opcode::Mul, [1, 18, 0])
        .op(Opcode::Add, [19, 2, 0])
        .op(Opcode::Mul, [20, 18, 0])
        .op(Opcode::Add, [21, 3, 0]);
    // Coordinates o0 … o7 as binary digits; post sees them too.
    let mut bits = Build::each(DType::I64, &[2, 1, 2, 1, 2, 1, 2, 2]).op(Opcode::Abs, [1, 0, 0]);
    for slot in 2..=8u8 {
        let last = bits.slot().saturating_sub(1);
        bits = bits.op(Opcode::Add, [last, last, 0]).op(Opcode::Add, [last.saturating_add(1), slot, 0]);
    }
    let spread = |n: i64| (n & 1) + (n & 2) + (n & 4) * 2 + (n & 8) * 4 + (n & 16) * 8;
    let expected: Vec<i64> = (0..32).map(spread).collect();
    let mixed =
        Build::each(DType::I64, &[2]).dynamic(0, 2, 9).output(0).op(Opcode::Add, [1, 1, 0]).op(Opcode::Add, [18, 2, 0]);
    let post = Build::new(DType::I64, Reducer::Sum, &[2, 2], &[3])
        .op(Opcode::Abs, [SLOT_K, 0, 0])
        .post(Opcode::Add, [1, 1, 0])
        .post(Opcode::Add, [18, 2, 0])
        .post(Opcode::Add, [19, 17, 0])
        .post(Opcode::Add, [20, 0, 0]);
    let nothing = Build::each(DType::I16, &[3, 0, 2]).op(Opcode::Abs, [0, 0, 0]);
    let beyond = Build::each(DType::I64, &[2]).op(Opcode::Add, [2, 8, 0]).op(Opcode::Add, [18, 9, 0]);
    Vec::from([
        plan("digits").then(digits).gives(&[0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121]),
        plan("eight-axes").then(bits).gives(&expected),
        plan("dynamic-last-axis").then(mixed).max_t(2).gives(&[0, 1, 2, 3]),
        plan("coordinates-in-post").then(post).max_t(2).gives(&[4, 5, 6, 7]),
        plan("no-elements").then(nothing).gives(&[]),
        plan("no-axes-is-one-element")
            .then(Build::each(DType::I64, &[]).op(Opcode::Add, [0, 0, 0]))
            .max_t(3)
            .gives(&[4]),
        plan("beyond-rank-is-zero").then(beyond).gives(&[0, 0]),
        plan("empty-bounds-may-be-huge").then(huge()).gives(&[]),
    ])
}

/// Extents whose product without the zero would pass every limit.
fn huge() -> Build {
    let most = (1 << 31) - 1;
    Build::each(DType::I64, &[most, most, 0, most]).op(Opcode::Abs, [0, 0, 0])
}

/// The reduction follows the iteration: Σ k over `k < 2t`.
fn dynamic_reduction() -> Plan {
    let build =
        Build::new(DType::I64, Reducer::Sum, &[1], &[]).dynamic(0, 2, 40).reduction(0).op(Opcode::Abs, [SLOT_K, 0, 0]);
    Plan::new("extents/dynamic-reduction").then(build).max_t(4).gives(&[15])
}

/// As many constants, operations and axes as one instruction can hold.
fn largest() -> Plan {
    let constants: Vec<i64> = (0..MAX_CONSTANTS).filter_map(|n| i64::try_from(n).ok()).collect();
    let axes: Vec<Axis> = (1..=8u8).map(|slot| fixed(2, 0, &[(slot, 1), (0, 1), (9, -1), (18, 5)])).collect();
    let mut build = Build::new(DType::I64, Reducer::Sum, &[2, 1, 1, 1, 1, 1, 1, 2], &[2, 1]).constants(&constants);
    for _ in 0..9 {
        build = build.load(Source::Constant(0), 1, &axes);
    }
    for _ in 9..MAX_OPS {
        let last = build.slot().saturating_sub(1);
        build = build.op(Opcode::Add, [last, 19, 0]);
    }
    build = build.post(Opcode::Sub, [17, 0, 0]);
    for _ in 1..MAX_OPS {
        let last = build.post_slot().saturating_sub(1);
        build = build.post(Opcode::Sub, [last, 19, 0]);
    }
    let values: Vec<i64> = (0..256).map(|n| n % 100).collect();
    // k = 0 reads element 128·o0 + o7; k = 1 has a negative index on every axis but where o is 1, so it reads the pad.
    let expected: Vec<i64> = [0i64, 1, 28, 29].iter().map(|read| read + 119 + 1 + 119 - 127).collect();
    Plan::new("extents/largest-instruction").constant(DType::U8, &values).then(build).gives(&expected)
}
