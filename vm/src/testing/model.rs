//! A second, deliberately different account of scalar operations and reductions, for expected values.
//!
//! Nothing here is shared with [`mod@crate::eval`]: bit loops and repeated steps instead of wide shifts.

use alloc::vec::Vec;

use crate::isa::{Opcode, Reducer};

const LOW: i128 = -(1 << 63);
const HIGH: i128 = (1 << 63) - 1;

/// Into the i64 range.
fn fit(x: i128) -> i64 {
    let inside = match x {
        ..=LOW => LOW,
        HIGH.. => HIGH,
        _ => x,
    };
    i64::try_from(inside).unwrap_or(0)
}

/// One scalar operation, by SPEC §3.6.
pub fn scalar(opcode: Opcode, a: i64, b: i64, c: i64) -> i64 {
    let (wa, wb, wc) = (i128::from(a), i128::from(b), i128::from(c));
    let exact = match opcode {
        Opcode::Load => 0,
        Opcode::Add => wa + wb,
        Opcode::Sub => wa - wb,
        Opcode::Mul => wa * wb,
        Opcode::Min => {
            if wa < wb {
                wa
            } else {
                wb
            }
        }
        Opcode::Max => {
            if wa > wb {
                wa
            } else {
                wb
            }
        }
        Opcode::Clamp => {
            let low = if wa > wb { wa } else { wb };
            if low < wc { low } else { wc }
        }
        Opcode::Abs => {
            if wa < 0 {
                -wa
            } else {
                wa
            }
        }
        Opcode::And => bits(a, b, |x, y| x && y),
        Opcode::Or => bits(a, b, |x, y| x || y),
        Opcode::Xor => bits(a, b, |x, y| x != y),
        // Saturation commutes with doubling, so it may be done at every step.
        Opcode::Shl => (0..amount(b)).fold(wa, |x, _| i128::from(fit(x * 2))),
        Opcode::Shr => (0..amount(b)).fold(wa, |x, _| half_down(x)),
        Opcode::Rshr => rounded(wa, amount(b)),
        Opcode::Mulshr => rounded(wa * wb, amount(c)),
        Opcode::Div => floor(wa, wb),
        Opcode::Rem => {
            if b == 0 {
                0
            } else {
                wa - wb * floor(wa, wb)
            }
        }
        Opcode::Isqrt => root(wa),
        Opcode::Log2 => (0..63).rev().find(|&n| wa >= 1 << n).unwrap_or(-1),
        Opcode::Eq => i128::from(wa - wb == 0),
        Opcode::Lt => i128::from(wa - wb < 0),
        Opcode::Select => {
            if wa == 0 {
                wc
            } else {
                wb
            }
        }
    };
    fit(exact)
}

/// The reduced value of terms, before the output type.
pub fn reduce(reducer: Reducer, terms: &[i64]) -> i64 {
    let mut sorted: Vec<i64> = terms.to_vec();
    sorted.sort_unstable();
    let largest = sorted.last().copied();
    match reducer {
        Reducer::Sum => fit(terms.iter().map(|&x| i128::from(x)).sum()),
        Reducer::Max => largest.unwrap_or(i64::MIN),
        Reducer::Min => sorted.first().copied().unwrap_or(i64::MAX),
        Reducer::Argmax => {
            let first = terms.iter().position(|&x| Some(x) == largest);
            first.and_then(|k| i64::try_from(k).ok()).unwrap_or(0)
        }
    }
}

fn amount(b: i64) -> u32 {
    match b {
        ..=0 => 0,
        1..126 => u32::try_from(b).unwrap_or(0),
        _ => 126,
    }
}

/// ⌊x / 2⌋.
fn half_down(x: i128) -> i128 {
    (x - x.rem_euclid(2)) / 2
}

/// `s` halvings of which the last rounds half up: floors nest, so this is ⌊(x + 2^(s−1)) / 2^s⌋.
fn rounded(x: i128, s: u32) -> i128 {
    match s {
        0 => x,
        _ => half_down((1..s).fold(x, |x, _| half_down(x)) + 1),
    }
}

fn floor(a: i128, b: i128) -> i128 {
    match b {
        0 => 0,
        1.. => a.div_euclid(b),
        _ => (-a).div_euclid(-b),
    }
}

/// ⌊√x⌋ by bisection.
fn root(x: i128) -> i128 {
    let (mut low, mut high) = (0i128, 1i128 << 32);
    while high - low > 1 {
        let middle = i128::midpoint(low, high);
        if middle * middle <= x { low = middle } else { high = middle }
    }
    low
}

fn bits(a: i64, b: i64, op: fn(bool, bool) -> bool) -> i128 {
    (0..64u32).fold(0, |sum, n| {
        let weight = if n == 63 { LOW } else { 1 << n };
        let bit = |x: i64| (x >> n) % 2 != 0;
        if op(bit(a), bit(b)) { sum + weight } else { sum }
    })
}
