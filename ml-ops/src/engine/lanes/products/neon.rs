//! NEON: a shift takes any number of bits, so each product is brought to its place in one step.

use std::arch::aarch64::{
    int32x4_t, int64x2_t, vaddq_s32, vdupq_n_s32, vdupq_n_s64, vget_low_s32, vld1q_s32, vmaxq_s32, vminq_s32,
    vmlal_high_s32, vmlal_s32, vmovn_high_s64, vmovn_s64, vshlq_s64, vst1q_s32,
};

use super::{Factors, bound};
use crate::engine::lanes::{kernel, linear::Constants, number::Number};

/// Lanes at a time.
const LANES: usize = 4;

/// Four lanes at a time.
#[target_feature(enable = "neon")]
pub(in crate::engine::lanes) fn neon(out: &mut [i32], factors: Factors<'_>, constants: &Constants) {
    match (factors.b.is_empty(), factors.c.is_empty(), factors.d.is_empty()) {
        (true, true, _) => lanes::<false, false, false>(out, factors, constants),
        (false, true, _) => lanes::<true, false, false>(out, factors, constants),
        (true, false, true) => lanes::<false, true, false>(out, factors, constants),
        (true, false, false) => lanes::<false, true, true>(out, factors, constants),
        (false, false, true) => lanes::<true, true, false>(out, factors, constants),
        (false, false, false) => lanes::<true, true, true>(out, factors, constants),
    }
}

/// `sums + x · factor`
#[inline]
#[target_feature(enable = "neon")]
fn add_products([low, high]: [int64x2_t; 2], x: int32x4_t, factor: int32x4_t) -> [int64x2_t; 2] {
    [vmlal_s32(low, vget_low_s32(x), vget_low_s32(factor)), vmlal_high_s32(high, x, factor)]
}

/// `B`, `C`, `D` say which factors are lanes.
#[target_feature(enable = "neon")]
fn lanes<const B: bool, const C: bool, const D: bool>(out: &mut [i32], factors: Factors<'_>, constants: &Constants) {
    let Factors { a, b, c, d, y, w } = factors;
    let (low, high) = (vdupq_n_s32(bound(constants.low)), vdupq_n_s32(bound(constants.high)));
    let (before, after) = (vdupq_n_s64(constants.before), vdupq_n_s32(i32::cut(constants.after)));
    let (y_all, w_all) = (vdupq_n_s32(i32::cut(y)), vdupq_n_s32(i32::cut(w)));
    // A negative count shifts to the right.
    let down = vdupq_n_s64(-i64::from(constants.shift));
    let count = out.len();
    let short = a.len() < count || B && b.len() < count || C && c.len() < count || D && d.len() < count;
    // Operands are as long as the result.
    let whole = if short { 0 } else { count / LANES * LANES };
    for at in (0..whole).step_by(LANES) {
        // SAFETY: `at + LANES ≤ whole`, and every slice that is read or written has at least `whole` elements.
        unsafe {
            let load = |numbers: &[i32]| vld1q_s32(numbers.as_ptr().add(at));
            let mut sums = add_products([before; 2], load(a), if B { load(b) } else { y_all });
            if C {
                sums = add_products(sums, load(c), if D { load(d) } else { w_all });
            }
            let [first, last] = sums.map(|sum| vshlq_s64(sum, down));
            let value = vaddq_s32(vmovn_high_s64(vmovn_s64(first), last), after);
            vst1q_s32(out.as_mut_ptr().add(at), vminq_s32(vmaxq_s32(value, low), high));
        }
    }
    let rest = |lanes: &[i32]| -> std::ops::Range<usize> { whole.min(lanes.len())..lanes.len() };
    let (a, b, c, d) = (&a[rest(a)], &b[rest(b)], &c[rest(c)], &d[rest(d)]);
    if whole < count {
        kernel::linear(&mut out[whole..], a, b, c, d, y, w, constants);
    }
}
