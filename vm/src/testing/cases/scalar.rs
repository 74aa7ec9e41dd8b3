//! Every scalar operation on edge operands.

use alloc::{format, vec::Vec};

use super::{Plan, len};
use crate::{
    instruction::Source,
    isa::{DType, Opcode, SLOT_CONST},
    testing::{Build, EDGES, fixed, model},
};

const WIDE: [i64; 11] = [i64::MIN, i64::MIN + 1, -(1 << 32), -7, -1, 0, 1, 2, 7, i64::MAX - 1, i64::MAX];
const SHIFTED: [i64; 11] = [i64::MIN, i64::MIN + 1, -3, -2, -1, 0, 1, 2, 3, 1 << 62, i64::MAX];
const SHIFTS: [i64; 13] = [i64::MIN, -1, 0, 1, 31, 62, 63, 64, 65, 125, 126, 127, i64::MAX];
const FACTORS: [i64; 6] = [i64::MIN, -3, 0, 1, 1 << 40, i64::MAX];
const FEW: [i64; 6] = [i64::MIN, -2, 0, 1, 5, i64::MAX];

/// Operand lists of an operation; their product is tested.
fn operands(opcode: Opcode) -> [&'static [i64]; 3] {
    match opcode {
        Opcode::Shl | Opcode::Shr | Opcode::Rshr => [&SHIFTED, &SHIFTS, &[0]],
        Opcode::Mulshr => [&FACTORS, &FACTORS, &SHIFTS],
        _ => match opcode.arity() {
            1 => [&EDGES, &[0], &[0]],
            2 => [&WIDE, &WIDE, &[0]],
            _ => [&FEW, &FEW, &FEW],
        },
    }
}

pub(super) fn plans() -> Vec<Plan> {
    Opcode::ALL.iter().filter(|&&opcode| opcode != Opcode::Load).map(|&opcode| plan(opcode)).collect()
}

fn plan(opcode: Opcode) -> Plan {
    let lists = operands(opcode);
    let [a, b, c] = lists;
    let mut expected = Vec::new();
    for &x in a {
        for &y in b {
            expected.extend(c.iter().map(|&z| model::scalar(opcode, x, y, z)));
        }
    }
    let mut slots = [0; 3];
    for (slot, own) in slots.iter_mut().zip(SLOT_CONST..).take(opcode.arity()) {
        *slot = own;
    }
    let build = Build::each(DType::I64, &[len(a), len(b), len(c)])
        .load(Source::Constant(0), 0, &[fixed(len(a), 0, &[(1, 1)])])
        .load(Source::Constant(1), 0, &[fixed(len(b), 0, &[(2, 1)])])
        .load(Source::Constant(2), 0, &[fixed(len(c), 0, &[(3, 1)])])
        .op(opcode, slots);
    lists
        .iter()
        .fold(Plan::new(format!("scalar/{}", opcode.name())), |plan, list| plan.constant(DType::I64, list))
        .then(build)
        .gives(&expected)
}
