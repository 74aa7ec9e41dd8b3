//! Floor division of lanes. By one positive divisor: a product with its reciprocal, and at most one step up.

use super::{
    kernel::{In, one, two},
    number::Number,
};

/// Quotients of up to this many bits are estimated.
const BITS: u32 = 24;

#[inline(always)]
pub(super) fn run<C: Number, A: Number, O: Number>(out: &mut [O], a: In<'_, A>, b: In<'_, A>) {
    if let (In::Lanes(lanes), In::One(divisor)) = (a, b)
        && divisor > 0
    {
        if divisor & (divisor - 1) == 0 {
            let shift = C::cut(i64::from(divisor.trailing_zeros()));
            return one::<C, A, O>(out, a, |a| a.shr(shift));
        }
        let bits = quotient_bits(lanes, divisor);
        if bits <= BITS {
            return estimate(out, lanes, divisor, bits);
        }
    }
    two::<C, A, O>(out, a, b, C::div);
}

/// The magnitude that floor division of a number by a positive one starts from: `a`, or `−1 − a` below 0.
#[inline(always)]
fn magnitude(a: i64) -> i64 {
    a ^ (a >> 63)
}

/// Bits that hold every quotient's magnitude.
#[inline(always)]
fn quotient_bits<A: Number>(lanes: &[A], divisor: i64) -> u32 {
    let most = lanes.iter().fold(0, |most, &a| magnitude(a.wide()).max(most));
    (most / divisor).checked_ilog2().map_or(0, |bit| bit + 1)
}

/// With `d` the divisor, `m` its bits, `n < 2^bits · d` a magnitude, `g = max(m − 5, 0)` and `f = bits + 8`:
/// `⌊n / 2^g⌋ · ⌊2^(g + f) / d⌋ / 2^f` falls short of `n / d` by less than the sum of both factors and 1, over `2^f`. The
/// first is below `2^(bits + m − g)`, the second at most `2^(g + f − m + 1)`; so that is below 1, each factor fits 32 bits
/// (`d ≥ 3`), and the product 62.
#[inline(always)]
fn estimate<A: Number, O: Number>(out: &mut [O], lanes: &[A], divisor: i64, bits: u32) {
    let length = 64 - divisor.leading_zeros();
    let (drop, scale) = (length.saturating_sub(5), bits + 8);
    let reciprocal = reciprocal(divisor, drop + scale);
    for (out, &a) in out.iter_mut().zip(lanes) {
        let a = a.wide();
        let n = magnitude(a);
        // Both factors fit 32 bits.
        let quotient = low(n >> drop).wrapping_mul(low(reciprocal)) >> scale;
        let rest = n.wrapping_sub(quotient.wrapping_mul(divisor));
        let quotient = quotient + i64::from(rest >= divisor);
        *out = O::cut(quotient ^ (a >> 63));
    }
}

#[inline(always)]
fn low(value: i64) -> i64 {
    value & 0xffff_ffff
}

/// `⌊2^power / divisor⌋` for a divisor above 1 whose quotient fits 63 bits.
fn reciprocal(divisor: i64, power: u32) -> i64 {
    i64::try_from((1i128 << power) / i128::from(divisor)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use opml_vm::{Opcode, eval::scalar, testing::Rng};

    use super::*;

    #[test]
    fn quotients() {
        let mut rng = Rng::new(3);
        for round in 0..3000 {
            let divisor = match rng.below(3) {
                0 => i64::from(rng.between(1, 40)),
                1 => i64::from(rng.between(1, u32::MAX)),
                _ => (rng.value() >> rng.below(63)).max(1),
            };
            let most = i128::from(divisor) << rng.below(34);
            let most = i64::try_from(most.min(i128::from(i64::MAX))).unwrap();
            let mut lanes: Vec<i64> = (0..40).map(|_| rng.value().clamp(-most, most)).collect();
            for k in [-3, -1, 0, 1, 2, 5, 1000] {
                let near = divisor.saturating_mul(k).clamp(-most, most);
                lanes.extend([near - 1, near, near.saturating_add(1)]);
            }
            let mut out = vec![0i64; lanes.len()];
            run::<i64, i64, i64>(&mut out, In::Lanes(&lanes), In::One(divisor));
            for (&n, &q) in lanes.iter().zip(&out) {
                assert_eq!(q, scalar(Opcode::Div, n, divisor, 0), "round {round}: {n} / {divisor}");
            }
        }
    }
}
