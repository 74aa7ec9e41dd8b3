//! Element types: saturation of results, packing, leaf boundaries.

use alloc::{format, vec, vec::Vec};

use super::{Plan, len};
use crate::{
    instruction::Source,
    isa::{DType, Opcode},
    testing::{Build, fixed},
};

pub(super) fn plans() -> Vec<Plan> {
    let mut plans = saturation();
    plans.extend(sources());
    plans.extend(leaves());
    plans
}

/// A copy of a constant into another type.
fn copy(dtype: DType, elements: u32) -> Build {
    Build::each(dtype, &[elements]).load(Source::Constant(0), 99, &[fixed(elements, 0, &[(1, 1)])])
}

/// Each type at, below and above its ends.
fn saturation() -> Vec<Plan> {
    let table: [(DType, [i64; 6], [i64; 6]); 5] = [
        (DType::U8, [-1, 0, 1, 254, 255, 256], [0, 0, 1, 254, 255, 255]),
        (DType::I8, [-129, -128, -127, 126, 127, 128], [-128, -128, -127, 126, 127, 127]),
        (DType::I16, [-32_769, -32_768, -1, 32_766, 32_767, 32_768], [-32_768, -32_768, -1, 32_766, 32_767, 32_767]),
        (
            DType::I32,
            [-2_147_483_649, -2_147_483_648, -1, 2_147_483_646, 2_147_483_647, 2_147_483_648],
            [-2_147_483_648, -2_147_483_648, -1, 2_147_483_646, 2_147_483_647, 2_147_483_647],
        ),
        (
            DType::I64,
            [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX],
            [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX],
        ),
    ];
    let mut plans = Vec::new();
    for (dtype, values, expected) in table {
        let plan = |name: &str| Plan::new(format!("types/{name}-{}", dtype.name())).constant(DType::I64, &values);
        plans.push(plan("saturate").then(copy(dtype, 6)).gives(&expected));
        let post = copy(dtype, 6).constants(&[]).post(Opcode::Max, [17, 17, 0]);
        plans.push(plan("saturate-post").then(post).gives(&expected));
        let far = [i64::MIN, i64::MAX];
        let ends = [dtype.min(), dtype.max()];
        let plan = Plan::new(format!("types/saturate-far-{}", dtype.name())).constant(DType::I64, &far);
        plans.push(plan.then(copy(dtype, 2)).gives(&ends));
    }
    plans
}

/// Constants and inputs of every type, odd counts, values of both signs.
fn sources() -> Vec<Plan> {
    let mut plans = Vec::new();
    for &dtype in DType::ALL {
        let values = [dtype.min(), dtype.max(), 0, 1, dtype.min() / 2, dtype.max() / 2, dtype.min()];
        let plan = |name: &str| Plan::new(format!("types/{name}-{}", dtype.name()));
        plans.push(plan("constant").constant(dtype, &values).then(copy(DType::I64, 7)).gives(&values));
        if dtype.is_writable() {
            let read = |source| Build::each(DType::I64, &[7]).load(source, 99, &[fixed(7, 0, &[(1, 1)])]);
            plans.push(plan("input").input(dtype, &values).then(read(Source::Input(0))).gives(&values));
            let plan = plan("value").constant(dtype, &values).then(copy(dtype, 7));
            plans.push(plan.then(read(Source::Value(0))).gives(&values));
        }
    }
    let i4 = |name: &str, values: &[i64], expected: &[i64]| {
        Plan::new(format!("types/i4-{name}"))
            .constant(DType::I4, values)
            .then(copy(DType::I8, len(expected)))
            .gives(expected)
    };
    plans.push(i4("low-nibble-first", &[1, -2, 3], &[1, -2, 3]));
    plans.push(i4("one", &[-8], &[-8]));
    plans.push(i4("past-odd-end", &[7, -1, -8], &[7, -1, -8, 99, 99]));
    plans.push(i4("empty", &[], &[99]));
    plans
}

/// Elements on both sides of a leaf boundary, and the last one, gathered by number.
fn leaves() -> Vec<Plan> {
    let mut plans = Vec::new();
    for (dtype, per_leaf) in
        [(DType::U8, 256), (DType::I8, 256), (DType::I16, 128), (DType::I32, 64), (DType::I64, 32), (DType::I4, 512)]
    {
        let count = per_leaf * 2 + 3;
        let value = |index: i64| (index * 7 + 3) % 16 - if dtype == DType::U8 { 0 } else { 8 };
        let values: Vec<i64> = (0..count).map(value).collect();
        let picks = [0, per_leaf - 1, per_leaf, per_leaf + 1, 2 * per_leaf - 1, 2 * per_leaf, count - 1, count, -1];
        let expected: Vec<i64> =
            picks.iter().map(|&index| if (0..count).contains(&index) { value(index) } else { 77 }).collect();
        let gather = Build::each(DType::I16, &[len(&picks)])
            .load(Source::Constant(1), 0, &[fixed(len(&picks), 0, &[(1, 1)])])
            .load(Source::Constant(0), 77, &[fixed(u32::try_from(count).unwrap_or(0), 0, &[(18, 1)])]);
        plans.push(
            Plan::new(format!("types/leaf-boundary-{}", dtype.name()))
                .constant(dtype, &values)
                .constant(DType::I64, &picks)
                .then(gather)
                .gives(&expected),
        );
    }
    let many: Vec<i64> = (0..300).map(|x| x - 150).collect();
    plans.push(
        Plan::new("types/many-leaves-written").constant(DType::I64, &many).then(copy(DType::I64, 300)).gives(&many),
    );
    plans.extend(vec![
        Plan::new("types/read-across-leaves")
            .constant(DType::I64, &many)
            .then(copy(DType::I64, 300))
            .then(Build::new(DType::I64, crate::isa::Reducer::Sum, &[2], &[60]).load(
                Source::Value(0),
                0,
                &[fixed(300, 0, &[(1, 150), (9, 2)])],
            ))
            .gives(&[-150 * 60 + 2 * 1770, 2 * 1770]),
    ]);
    plans
}
