//! Square roots of lanes, rounded down: bit by bit, from the highest that any of them has.
//!
//! With `r` the bits found so far, the next one belongs to the root if the square of `r` and it is not above the number. That
//! is the same work in all lanes, while an estimate that is corrected takes branches.

use super::{
    kernel::{In, one},
    number::Number,
};

/// Lanes that are computed together: enough to hide how long a product takes.
const TOGETHER: usize = 32;

#[inline(always)]
pub(super) fn run<C: Number, A: Number, O: Number>(out: &mut [O], a: In<'_, A>) {
    let In::Lanes(lanes) = a else { return };
    let most = lanes.iter().fold(0, |most, &a| a.wide().max(most));
    let bits = most.checked_ilog2().map_or(0, |bit| bit / 2 + 1);
    let (outs, rest) = out.as_chunks_mut::<TOGETHER>();
    let (numbers, tail) = lanes.as_chunks::<TOGETHER>();
    for (out, numbers) in outs.iter_mut().zip(numbers) {
        if bits <= 15 {
            narrow(out, numbers, bits);
        } else {
            wide(out, numbers, bits);
        }
    }
    one::<C, A, O>(rest, In::Lanes(tail), C::isqrt);
}

/// Roots of up to 15 bits, of numbers below 2^30.
#[inline(always)]
fn narrow<A: Number, O: Number>(out: &mut [O; TOGETHER], numbers: &[A; TOGETHER], bits: u32) {
    let (numbers, mut roots) = (numbers.map(|a| i32::cut(a.wide().max(0))), [0i32; TOGETHER]);
    for bit in (0..bits).rev() {
        for (root, &number) in roots.iter_mut().zip(&numbers) {
            let more = *root | 1 << bit;
            *root = if more * more <= number { more } else { *root };
        }
    }
    out.iter_mut().zip(roots).for_each(|(out, root)| *out = O::cut(i64::from(root)));
}

/// Roots of up to 32 bits.
#[inline(always)]
fn wide<A: Number, O: Number>(out: &mut [O; TOGETHER], numbers: &[A; TOGETHER], bits: u32) {
    let (numbers, mut roots) = (numbers.map(|a| a.wide().max(0).cast_unsigned()), [0u64; TOGETHER]);
    for bit in (0..bits).rev() {
        for (root, &number) in roots.iter_mut().zip(&numbers) {
            let more = *root | 1 << bit;
            // Both factors have 32 bits.
            let square = (more & 0xffff_ffff).wrapping_mul(more & 0xffff_ffff);
            *root = if square <= number { more } else { *root };
        }
    }
    out.iter_mut().zip(roots).for_each(|(out, root)| *out = O::cut(root.cast_signed()));
}

#[cfg(test)]
mod tests {
    use opml_vm::{
        Opcode,
        eval::scalar,
        testing::{EDGES, Rng},
    };

    use super::*;

    fn check(lanes: &[i64]) {
        let mut out = vec![0i64; lanes.len()];
        run::<i64, i64, i64>(&mut out, In::Lanes(lanes));
        for (&n, &root) in lanes.iter().zip(&out) {
            assert_eq!(root, scalar(Opcode::Isqrt, n, 0, 0), "root of {n}");
        }
        let narrow: Vec<i32> = lanes.iter().filter_map(|&n| i32::try_from(n).ok()).collect();
        let mut out = vec![0i32; narrow.len()];
        run::<i32, i32, i32>(&mut out, In::Lanes(&narrow));
        for (&n, &root) in narrow.iter().zip(&out) {
            assert_eq!(i64::from(root), scalar(Opcode::Isqrt, i64::from(n), 0, 0), "root of {n}");
        }
    }

    #[test]
    fn around_every_power_of_two() {
        // Below each bound in turn, so that each number of bits is met.
        for bound in 0..63 {
            let squares = (0..=bound / 2).flat_map(|bit| [(1i64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
            let near = squares.flat_map(|root| [root * root - 1, root * root, root * root + 1]);
            let most = i64::MAX >> (62 - bound);
            let mut lanes: Vec<i64> = near.map(|n| n.min(most)).collect();
            lanes.extend([most, most - 1, 0, -1, i64::MIN]);
            lanes.extend([most; 2 * TOGETHER + 3]);
            check(&lanes);
        }
    }

    #[test]
    fn random_numbers() {
        let mut rng = Rng::new(5);
        for _ in 0..400 {
            let down = rng.below(63);
            let lanes: Vec<i64> = (0..3 * TOGETHER + 5).map(|_| rng.value() >> down).collect();
            check(&lanes);
        }
        check(&EDGES);
        check(
            &[3_037_000_499 * 3_037_000_499, 3_037_000_499 * 3_037_000_499 - 1, i64::MAX, 46_340 * 46_340].repeat(16),
        );
        check(&[]);
    }
}
