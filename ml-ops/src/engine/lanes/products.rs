//! [`kernel::linear`] in vectors of i32, for results that fit i32.
//!
//! Products of the even and of the odd lanes are of 64 bits each. A shift by at most 32 brings 32 bits of each to its own
//! half, where both halves meet; what is left of the shift keeps the sign. The compiler does not find this form.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#![allow(unsafe_code, reason = "loads and stores of whole vectors take pointers")]

#[cfg(target_arch = "aarch64")]
mod neon;

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    _mm_cvtsi64_si128, _mm256_add_epi32, _mm256_add_epi64, _mm256_blend_epi32, _mm256_loadu_si256, _mm256_max_epi32,
    _mm256_min_epi32, _mm256_mul_epi32, _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_sll_epi64, _mm256_sra_epi32,
    _mm256_srl_epi64, _mm256_srli_epi64, _mm256_storeu_si256, _mm512_add_epi32, _mm512_add_epi64, _mm512_loadu_si512,
    _mm512_mask_blend_epi32, _mm512_max_epi32, _mm512_min_epi32, _mm512_mul_epi32, _mm512_set1_epi32,
    _mm512_set1_epi64, _mm512_sll_epi64, _mm512_sra_epi32, _mm512_srl_epi64, _mm512_srli_epi64, _mm512_storeu_si512,
};

use super::number::Number;
#[cfg(target_arch = "x86_64")]
use super::{kernel, linear::Constants};

#[cfg(target_arch = "aarch64")]
pub(super) use neon::neon;

/// `a · b + c · d`; without lanes `b` is `y`, `d` is `w`, and `c · d` is 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Factors<'a> {
    pub(super) a: &'a [i32],
    pub(super) b: &'a [i32],
    pub(super) c: &'a [i32],
    pub(super) d: &'a [i32],
    pub(super) y: i64,
    pub(super) w: i64,
}

/// Bounds that are no bounds, as i32.
fn bound(bound: i64) -> i32 {
    i32::cut(bound.clamp(i64::from(i32::MIN), i64::from(i32::MAX)))
}

/// A loop over whole vectors of `$lanes`, the rest in plain Rust.
#[cfg(target_arch = "x86_64")]
macro_rules! loops {
    (
        $(#[$doc:meta])* $name:ident, $one:ident, $features:literal, $lanes:literal, load $load:ident,
        store $store:ident, mul $mul:ident, add $add:ident, add32 $add32:ident, max $max:ident, min $min:ident,
        right $right:ident, left $left:ident, sign $sign:ident, odd $odd:ident, all32 $all32:ident, all64 $all64:ident,
        blend |$even:ident, $high:ident| $blend:expr
    ) => {
        $(#[$doc])*
        #[target_feature(enable = $features)]
        pub(super) fn $name(out: &mut [i32], factors: Factors<'_>, constants: &Constants) {
            match (factors.b.is_empty(), factors.c.is_empty(), factors.d.is_empty()) {
                (true, true, _) => $one::<false, false, false>(out, factors, constants),
                (false, true, _) => $one::<true, false, false>(out, factors, constants),
                (true, false, true) => $one::<false, true, false>(out, factors, constants),
                (true, false, false) => $one::<false, true, true>(out, factors, constants),
                (false, false, true) => $one::<true, true, false>(out, factors, constants),
                (false, false, false) => $one::<true, true, true>(out, factors, constants),
            }
        }

        /// `B`, `C`, `D` say which factors are lanes.
        #[target_feature(enable = $features)]
        fn $one<const B: bool, const C: bool, const D: bool>(
            out: &mut [i32],
            factors: Factors<'_>,
            constants: &Constants,
        ) {
            let Factors { a, b, c, d, y, w } = factors;
            let count = out.len();
            let short = a.len() < count || B && b.len() < count || C && c.len() < count || D && d.len() < count;
            // Operands are as long as the result.
            let whole = if short { 0 } else { count / $lanes * $lanes };
            let (low, high) = ($all32(bound(constants.low)), $all32(bound(constants.high)));
            let (before, after) = ($all64(constants.before), $all32(i32::cut(constants.after)));
            let (y_all, w_all) = ($all32(i32::cut(y)), $all32(i32::cut(w)));
            let first = i64::from(constants.shift.min(32));
            let (down, up) = (_mm_cvtsi64_si128(first), _mm_cvtsi64_si128(32 - first));
            let further = _mm_cvtsi64_si128(i64::from(constants.shift) - first);
            let mut at = 0;
            while at < whole {
                // SAFETY: `at + lanes ≤ whole`, and every slice that is read or written has at least `whole` elements.
                unsafe {
                    let x = $load(a.as_ptr().add(at).cast());
                    let factor = if B { $load(b.as_ptr().add(at).cast()) } else { y_all };
                    let odd_factor = if B { $odd::<32>(factor) } else { y_all };
                    let mut even = $add($mul(x, factor), before);
                    let mut odd = $add($mul($odd::<32>(x), odd_factor), before);
                    if C {
                        let x = $load(c.as_ptr().add(at).cast());
                        let factor = if D { $load(d.as_ptr().add(at).cast()) } else { w_all };
                        let odd_factor = if D { $odd::<32>(factor) } else { w_all };
                        even = $add(even, $mul(x, factor));
                        odd = $add(odd, $mul($odd::<32>(x), odd_factor));
                    }
                    let $even = $right(even, down);
                    let $high = $left(odd, up);
                    let value = $min($max($add32($sign($blend, further), after), low), high);
                    $store(out.as_mut_ptr().add(at).cast(), value);
                }
                at += $lanes;
            }
            let rest = |lanes: &[i32]| -> std::ops::Range<usize> { whole.min(lanes.len())..lanes.len() };
            let (a, b, c, d) = (&a[rest(a)], &b[rest(b)], &c[rest(c)], &d[rest(d)]);
            if whole < count {
                kernel::linear(&mut out[whole..], a, b, c, d, y, w, constants);
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
loops! {
    /// 16 lanes at a time.
    avx512, lanes_512, "avx512f", 16, load _mm512_loadu_si512, store _mm512_storeu_si512, mul _mm512_mul_epi32,
    add _mm512_add_epi64, add32 _mm512_add_epi32, max _mm512_max_epi32, min _mm512_min_epi32,
    right _mm512_srl_epi64, left _mm512_sll_epi64, sign _mm512_sra_epi32, odd _mm512_srli_epi64, all32 _mm512_set1_epi32,
    all64 _mm512_set1_epi64, blend |even, high| _mm512_mask_blend_epi32(0xaaaa, even, high)
}

#[cfg(target_arch = "x86_64")]
loops! {
    /// 8 lanes at a time.
    avx2, lanes_256, "avx2", 8, load _mm256_loadu_si256, store _mm256_storeu_si256, mul _mm256_mul_epi32,
    add _mm256_add_epi64, add32 _mm256_add_epi32, max _mm256_max_epi32, min _mm256_min_epi32,
    right _mm256_srl_epi64, left _mm256_sll_epi64, sign _mm256_sra_epi32, odd _mm256_srli_epi64, all32 _mm256_set1_epi32,
    all64 _mm256_set1_epi64x, blend |even, high| _mm256_blend_epi32::<0xaa>(even, high)
}

#[cfg(test)]
mod tests {
    use opml_vm::testing::Rng;

    use super::*;
    use crate::{
        engine::lanes::{kernel, linear::Constants, simd::Kernels},
        tier::Tier,
    };

    #[test]
    fn products_equal_the_plain_loop() {
        let mut rng = Rng::new(5);
        for round in 0..3000u32 {
            let shift = round % 63;
            // Sums of two products that fit 31 bits once they are shifted.
            let bits = u64::from((31 + shift).min(62) - 2);
            let left = rng.below(bits.min(31)).max(bits.saturating_sub(31));
            let right = bits - left;
            let count = usize::try_from(rng.between(1, 70)).unwrap();
            let mut draw = |bits: u64| -> i64 {
                let most = 1i64 << bits.min(31);
                match rng.below(4) {
                    0 => most - 1,
                    1 => -most,
                    _ => (rng.value() >> 1) % most,
                }
            };
            let mut lanes = |bits: u64| -> Vec<i32> { (0..count).map(|_| i32::cut(draw(bits))).collect() };
            let [a, b, c, d] = [lanes(left), lanes(right), lanes(left), lanes(right)];
            let (y, w) = (i64::from(lanes(right)[0]), i64::from(lanes(right)[0]));
            let before = if shift == 0 { 0 } else { 1 << (shift - 1) };
            let mut constants = Constants { before, shift, after: 0, low: -900_000_000, high: 1 << 30, narrow: false };
            for case in 0..8 {
                let pick = |bit: u32, lanes| -> &[i32] { if case >> bit & 1 != 0 { lanes } else { &[] } };
                let (b, c, d) = (pick(0, &b), pick(1, &c), pick(2, &d));
                let mut expected = vec![0i64; count];
                kernel::linear(&mut expected, &a, b, c, d, y, w, &constants);
                constants.narrow = true;
                for tier in Tier::supported() {
                    let mut out = vec![0; count];
                    Kernels::new(tier).linear(&mut out, &a, b, c, d, y, w, &constants);
                    let out: Vec<i64> = out.into_iter().map(i64::from).collect();
                    assert_eq!(out, expected, "{tier:?} {constants:?} {case} {a:?} {b:?} {c:?} {d:?} {y} {w}");
                }
                constants.narrow = false;
            }
        }
    }
}
