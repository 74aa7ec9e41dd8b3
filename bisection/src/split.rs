//! The fixed partition of a range of terms, and its sum.

/// Number of parts of a range of `n` terms: `min(arity, n)`.
#[must_use]
pub fn parts(arity: u64, n: u64) -> u64 {
    arity.min(n)
}

/// Part `j` of `[k0, k1)` cut into [`parts`]: `[k0 + ⌊j·n/m⌋, k0 + ⌊(j+1)·n/m⌋)`. `None` if there is no such part.
#[must_use]
pub fn part(arity: u64, k0: u64, k1: u64, j: u64) -> Option<(u64, u64)> {
    let n = k1.checked_sub(k0)?;
    let m = parts(arity, n);
    if j >= m {
        return None;
    }
    let cut = |j: u64| {
        let at = u128::from(j) * u128::from(n) / u128::from(m);
        u64::try_from(at).ok()?.checked_add(k0)
    };
    Some((cut(j)?, cut(j + 1)?))
}

/// Splits after which a range of `n` terms has parts of one term, whichever part is named each time.
#[must_use]
pub fn rounds(arity: u64, mut n: u64) -> u32 {
    let mut rounds = 0;
    while n >= 2 {
        n = n.div_ceil(parts(arity.max(2), n));
        rounds += 1;
    }
    rounds
}

/// The sum of partials if it is an i128, even if sums on the way are not; `None` also if there are none.
#[must_use]
pub fn exact_sum(partials: &[i128]) -> Option<i128> {
    let (mut sum, mut wraps) = (0_i128, 0_i64);
    for p in partials {
        let (next, wrapped) = sum.overflowing_add(*p);
        sum = next;
        wraps += if wrapped { i64::from(p.is_positive()) * 2 - 1 } else { 0 };
    }
    (wraps == 0 && !partials.is_empty()).then_some(sum)
}
