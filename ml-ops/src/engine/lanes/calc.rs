//! How an operation over lanes may be computed, from the intervals of its operands and result.

use opml_vm::Opcode;

use super::code::Calc;
use crate::engine::interval::Interval;

/// Numbers of 64 bits.
const WIDE: (i128, i128) = (-(1 << 63), (1 << 63) - 1);
/// Numbers of 32 bits.
const NARROW: (i128, i128) = (-(1 << 31), (1 << 31) - 1);

/// The form of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) calc: Calc,
    /// Operands in the order in which the kernel takes them.
    pub(super) order: [usize; 3],
    /// Which of them, in that order, must be lanes; the others are one number.
    pub(super) lanes: [bool; 3],
}

/// `lanes` says which operands cannot be one number.
pub(super) fn form(opcode: Opcode, operands: [Interval; 3], result: Interval, lanes: [bool; 3]) -> Form {
    let calc = calc(opcode, operands, result, lanes);
    let [a, b, c] = lanes;
    let (order, lanes) = match opcode {
        _ if calc == Calc::Exact => ([0, 1, 2], [true; 3]),
        Opcode::Add | Opcode::Mul | Opcode::Min | Opcode::Max | Opcode::And | Opcode::Or | Opcode::Xor | Opcode::Eq
            if !a =>
        {
            ([1, 0, 2], [true, false, false])
        }
        Opcode::Mulshr if !a => ([1, 0, 2], [true, false, false]),
        Opcode::Mulshr => ([0, 1, 2], [true, b, false]),
        Opcode::Sub | Opcode::Lt => ([0, 1, 2], [a, b, false]),
        Opcode::Clamp | Opcode::Select => ([0, 1, 2], [true, b || c, b || c]),
        _ => ([0, 1, 2], [true, b, false]),
    };
    Form { calc, order, lanes }
}

fn calc(opcode: Opcode, operands: [Interval; 3], result: Interval, lanes: [bool; 3]) -> Calc {
    let read = &operands[..opcode.arity().min(3)];
    if !fits(opcode, operands, lanes, WIDE) {
        Calc::Exact
    } else if result.is_narrow() && read.iter().all(|o| o.is_narrow()) && fits(opcode, operands, lanes, NARROW) {
        Calc::Narrow
    } else {
        Calc::Wide
    }
}

/// Whether the kernel's arithmetic stays within the bounds.
fn fits(opcode: Opcode, [a, b, c]: [Interval; 3], lanes: [bool; 3], (least, most): (i128, i128)) -> bool {
    let within = |low: i128, high: i128| least <= low && high <= most;
    let [a_low, a_high, b_low, b_high] = [a.low, a.high, b.low, b.high].map(i128::from);
    // Shift amounts, and half of the last bit shifted out.
    let bits = if most == NARROW.1 { 30 } else { 62 };
    let half = |shift: Interval| 1i128 << (shift.high.clamp(1, bits) - 1);
    let product = || {
        let corners = [a_low * b_low, a_low * b_high, a_high * b_low, a_high * b_high];
        (corners.into_iter().fold(i128::MAX, i128::min), corners.into_iter().fold(i128::MIN, i128::max))
    };
    match opcode {
        Opcode::Add => within(a_low + b_low, a_high + b_high),
        Opcode::Sub => within(a_low - b_high, a_high - b_low),
        Opcode::Mul => {
            let (low, high) = product();
            within(low, high)
        }
        Opcode::Mulshr => {
            let (low, high) = product();
            !lanes[2] && c.low >= 0 && c.high <= bits && within(low, high + half(c))
        }
        Opcode::Abs => a_low > least,
        Opcode::Shl => b.high <= bits && within(a_low << b.high.max(0), a_high << b.high.max(0)),
        Opcode::Div => !(a_low == least && b.contains(-1)),
        _ => true,
    }
}
