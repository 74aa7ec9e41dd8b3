//! References between values: this iteration, earlier ones, and the ones that do not count.

use alloc::{format, vec::Vec};

use super::Plan;
use crate::{
    instruction::{Source, Term},
    isa::{DType, Opcode, Reducer},
    testing::{Build, fixed, moving},
};

const PAD: i64 = -7;

fn history(instruction: u32, base: i64, terms: &[(u8, i32)]) -> Source {
    Source::History { instruction, base, terms: terms.iter().map(|&(slot, coef)| Term { slot, coef }).collect() }
}

/// One element: the load's result.
fn one(source: Source) -> Build {
    Build::each(DType::I64, &[1]).load(source, PAD, &[])
}

/// One element: `100 + t`.
fn clock() -> Build {
    Build::each(DType::I64, &[1]).constants(&[100]).op(Opcode::Add, [18, 0, 0])
}

pub(super) fn plans() -> Vec<Plan> {
    let mut plans = same_iteration();
    plans.extend(past());
    plans.extend(views());
    plans.extend(halting());
    plans
}

fn same_iteration() -> Vec<Plan> {
    let plan = |name: &str| Plan::new(format!("iterations/{name}"));
    Vec::from([
        plan("earlier").then(clock()).then(one(Source::Value(0))).gives(&[100]),
        plan("self").then(one(Source::Value(0))).gives(&[PAD]),
        plan("self-later").then(one(Source::Value(0))).max_t(3).gives(&[PAD]),
        plan("forward").then(one(Source::Value(1))).then(clock()).output(0).max_t(2).gives(&[PAD]),
        plan("mutual").then(one(Source::Value(1))).then(one(Source::Value(0))).gives(&[PAD]),
        plan("history-now-earlier").then(clock()).then(one(history(0, 0, &[(0, 1)]))).max_t(3).gives(&[102]),
        plan("history-now-self").then(one(history(0, 0, &[(0, 1)]))).max_t(3).gives(&[PAD]),
        plan("history-now-forward").then(one(history(1, 0, &[(0, 1)]))).then(clock()).output(0).max_t(2).gives(&[PAD]),
    ])
}

fn past() -> Vec<Plan> {
    let table: [(&str, Source, i64); 14] = [
        ("previous", history(0, -1, &[(0, 1)]), 102),
        ("previous-of-later-instruction", history(2, -1, &[(0, 1)]), 202),
        ("two-back", history(0, -2, &[(0, 1)]), 101),
        ("first", history(0, 0, &[]), 100),
        ("next", history(0, 1, &[(0, 1)]), PAD),
        ("far-future", history(0, i64::MAX, &[(0, i32::MAX)]), PAD),
        ("negative", history(0, -4, &[(0, 1)]), PAD),
        ("very-negative", history(0, i64::MIN, &[(0, i32::MIN)]), PAD),
        ("twice-t-minus-four", history(0, -4, &[(0, 2)]), 102),
        ("four-terms", history(0, 0, &[(0, 1), (0, 1), (0, 1), (0, -3)]), 100),
        ("mirrored", history(0, 5, &[(0, -1)]), 102),
        ("same-later-instruction", history(2, 0, &[(0, 1)]), PAD),
        ("same-earlier-instruction", history(0, 0, &[(0, 1)]), 103),
        ("past-2^64", history(0, 0, &[(18, i32::MAX)]), PAD),
    ];
    let mut plans: Vec<Plan> = table
        .into_iter()
        .map(|(name, source, expected)| {
            let later = Build::each(DType::I64, &[1]).constants(&[200]).op(Opcode::Add, [18, 0, 0]);
            let read = Build::each(DType::I64, &[1]).constants(&[i64::MAX]).load(source, PAD, &[]);
            Plan::new(format!("iterations/{name}"))
                .then(clock())
                .then(read)
                .then(later)
                .output(1)
                .max_t(4)
                .gives(&[expected])
        })
        .collect();
    // A running sum: 1 + 2 + 3 + 4 from pads of 0.
    let sum = Build::each(DType::I64, &[1])
        .constants(&[1])
        .load(history(0, -1, &[(0, 1)]), 0, &[])
        .op(Opcode::Add, [0, 18, 0])
        .op(Opcode::Add, [19, 20, 0]);
    plans.push(Plan::new("iterations/running-sum").then(sum).max_t(4).gives(&[10]));
    // All earlier values by reduction coordinate; those at and after t are pads.
    let all = Build::new(DType::I64, Reducer::Sum, &[1], &[6]).load(history(0, 0, &[(9, 1)]), 1_000, &[]);
    plans.push(Plan::new("iterations/by-coordinate").then(clock()).then(all).max_t(3).gives(&[303 + 3_000]));
    // The iteration comes from a register.
    let by_register = Build::each(DType::I64, &[4]).load(Source::Constant(0), 0, &[fixed(4, 0, &[(1, 1)])]).load(
        history(0, 0, &[(18, 1)]),
        PAD,
        &[],
    );
    plans.push(
        Plan::new("iterations/by-register")
            .constant(DType::I64, &[2, 0, -1, i64::MAX])
            .then(clock())
            .then(by_register)
            .max_t(3)
            .gives(&[102, 100, PAD, PAD]),
    );
    plans
}

/// Dynamic view extents are those of the iteration that is read.
fn views() -> Vec<Plan> {
    let grow = || {
        Build::each(DType::I64, &[])
            .dynamic(1, 1, 9)
            .output(0)
            .constants(&[10])
            .op(Opcode::Mul, [0, 18, 0])
            .op(Opcode::Add, [19, 1, 0])
    };
    let read = |back: i64| {
        Build::each(DType::I64, &[5]).dynamic(1, 1, 9).load(
            history(0, back, &[(0, 1)]),
            PAD,
            &[moving(0, 0, &[(1, 1)])],
        )
    };
    let plan = |name: &str| Plan::new(format!("iterations/{name}"));
    let square = Build::each(DType::I64, &[])
        .dynamic(1, 1, 9)
        .output(0)
        .output(0)
        .op(Opcode::Add, [1, 1, 0])
        .op(Opcode::Add, [18, 2, 0]);
    let diagonal = Build::each(DType::I64, &[3]).dynamic(1, 1, 9).load(
        history(0, -1, &[(0, 1)]),
        PAD,
        &[moving(0, 0, &[(1, 1)]), moving(0, 0, &[(1, 1)])],
    );
    let shrinking = Build::each(DType::I64, &[4]).dynamic(3, -1, 9).load(
        history(0, -2, &[(0, 1)]),
        PAD,
        &[moving(0, 0, &[(1, 1)])],
    );
    Vec::from([
        plan("view-now").then(grow()).then(read(0)).max_t(3).gives(&[20, 21, 22, PAD, PAD]),
        plan("view-of-previous").then(grow()).then(read(-1)).max_t(3).gives(&[10, 11, PAD, PAD, PAD]),
        plan("view-of-two-back").then(grow()).then(read(-2)).max_t(3).gives(&[0, PAD, PAD, PAD, PAD]),
        plan("square-view-of-previous").then(square).then(diagonal).max_t(3).gives(&[0, 3, PAD]),
        // At t − 2 = 0 the view has 3 places, the value then 1 element.
        plan("view-shrinks-value-grows").then(grow()).then(shrinking).max_t(3).gives(&[0, PAD, PAD, PAD]),
    ])
}

fn halting() -> Vec<Plan> {
    let reaches =
        |n: i64| Build::each(DType::I8, &[2]).constants(&[n]).op(Opcode::Eq, [0, 18, 0]).op(Opcode::Lt, [1, 19, 0]);
    let plan = |name: &str| Plan::new(format!("iterations/halt-{name}"));
    let negative = Build::each(DType::I8, &[1]).constants(&[-2]).op(Opcode::Mul, [0, 18, 0]);
    let second = Build::each(DType::I8, &[2]).op(Opcode::Abs, [1, 0, 0]);
    let empty = Build::each(DType::I8, &[0]).op(Opcode::Eq, [0, 0, 0]);
    Vec::from([
        plan("at-two").then(clock()).then(reaches(2)).output(0).halt(1).max_t(6).gives(&[102]),
        plan("at-once").then(clock()).then(reaches(0)).output(0).halt(1).max_t(6).gives(&[100]),
        plan("at-the-end").then(clock()).then(reaches(3)).output(0).halt(1).max_t(4).gives(&[103]),
        plan("never").then(clock()).then(reaches(9)).output(0).halt(1).max_t(4).gives(&[103]),
        plan("negative-value").then(clock()).then(negative).output(0).halt(1).max_t(4).gives(&[101]),
        plan("only-element-0-counts").then(clock()).then(second).output(0).halt(1).max_t(3).gives(&[102]),
        plan("empty-never-halts").then(clock()).then(empty).output(0).halt(1).max_t(3).gives(&[102]),
        plan("is-the-output").then(negative_clock()).halt(0).max_t(5).gives(&[-1]),
    ])
}

/// One element: `−t`.
fn negative_clock() -> Build {
    Build::each(DType::I64, &[1]).constants(&[0]).op(Opcode::Sub, [18, 0, 0])
}
