//! Loops over lanes, written once; [`super::simd`] compiles them for each tier.
//!
//! Operands and results of an operation may have other widths than its arithmetic. What does not fit is not asked for:
//! [`super::calc`] saw to that.

use opml_vm::Opcode;

use super::{divide, linear::Constants, number::Number, root};

/// An operand: a number a lane, or one for all.
#[derive(Debug, Clone, Copy)]
pub(super) enum In<'a, T> {
    Lanes(&'a [T]),
    One(i64),
}

impl<'a, T> In<'a, T> {
    /// Lanes, or one number if there are none.
    #[inline(always)]
    fn new(lanes: &'a [T], one: i64) -> Self {
        if lanes.is_empty() { Self::One(one) } else { Self::Lanes(lanes) }
    }
}

/// `out = opcode(a, b, c)` in numbers of type `C`; an operand without lanes is `x`, `y` or `z`. Operations on lanes of two
/// widths are in [`select`].
#[allow(clippy::too_many_arguments, reason = "operands in registers: what is stored in parts and read whole stalls")]
#[inline(always)]
pub(super) fn op<C: Number, A: Number, O: Number>(
    opcode: Opcode,
    out: &mut [O],
    a: &[A],
    b: &[A],
    c: &[A],
    x: i64,
    y: i64,
    z: i64,
) {
    let (a, b, c) = (In::new(a, x), In::new(b, y), In::new(c, z));
    match opcode {
        Opcode::Add => two::<C, A, O>(out, a, b, C::add),
        Opcode::Sub => two::<C, A, O>(out, a, b, C::sub),
        Opcode::Mul => two::<C, A, O>(out, a, b, C::mul),
        Opcode::Min => two::<C, A, O>(out, a, b, C::min),
        Opcode::Max => two::<C, A, O>(out, a, b, C::max),
        Opcode::And => two::<C, A, O>(out, a, b, C::and),
        Opcode::Or => two::<C, A, O>(out, a, b, C::or),
        Opcode::Xor => two::<C, A, O>(out, a, b, C::xor),
        Opcode::Eq => two::<C, A, O>(out, a, b, |a, b| C::cut(i64::from(a == b))),
        Opcode::Lt => two::<C, A, O>(out, a, b, |a, b| C::cut(i64::from(a < b))),
        Opcode::Shl => two::<C, A, O>(out, a, b, |a, s| a.shl(amount(s))),
        Opcode::Shr => two::<C, A, O>(out, a, b, |a, s| a.shr(amount(s))),
        Opcode::Rshr => rshr::<C, A, O>(out, a, b),
        Opcode::Mulshr => mulshr::<C, A, O>(out, a, b, c),
        Opcode::Clamp => clamp::<C, A, O>(out, a, b, c),
        Opcode::Div => divide::run::<C, A, O>(out, a, b),
        Opcode::Rem => two::<C, A, O>(out, a, b, C::rem),
        Opcode::Abs => one::<C, A, O>(out, a, C::abs),
        Opcode::Isqrt => root::run::<C, A, O>(out, a),
        Opcode::Log2 => one::<C, A, O>(out, a, C::log2),
        // A load is not an operation.
        Opcode::Load | Opcode::Select => {}
    }
}

#[inline(always)]
fn amount<C: Number>(shift: C) -> C {
    shift.max(C::default()).min(C::SIGN)
}

#[inline(always)]
pub(super) fn one<C: Number, A: Number, O: Number>(out: &mut [O], a: In<'_, A>, f: impl Fn(C) -> C) {
    if let In::Lanes(a) = a {
        for (out, &a) in out.iter_mut().zip(a) {
            *out = O::cut(f(C::cut(a.wide())).wide());
        }
    }
}

#[inline(always)]
pub(super) fn two<C: Number, A: Number, O: Number>(out: &mut [O], a: In<'_, A>, b: In<'_, A>, f: impl Fn(C, C) -> C) {
    let to = |a: A| C::cut(a.wide());
    match (a, b) {
        (In::Lanes(a), In::Lanes(b)) => {
            for (out, (&a, &b)) in out.iter_mut().zip(a.iter().zip(b)) {
                *out = O::cut(f(to(a), to(b)).wide());
            }
        }
        (In::Lanes(_), In::One(b)) => one::<C, A, O>(out, a, |a| f(a, C::cut(b))),
        (In::One(a), In::Lanes(_)) => one::<C, A, O>(out, b, |b| f(C::cut(a), b)),
        (In::One(a), In::One(b)) => out.fill(O::cut(f(C::cut(a), C::cut(b)).wide())),
    }
}

/// `⌊a / 2^s + 1/2⌋`: the shifted number and the last bit shifted out. A sum first might not fit.
#[inline(always)]
fn rshr<C: Number, A: Number, O: Number>(out: &mut [O], a: In<'_, A>, s: In<'_, A>) {
    match s {
        In::One(s) if s <= 0 => one::<C, A, O>(out, a, |a| a),
        In::One(s) if s > C::SIGN.wide() + 1 => out.fill(O::default()),
        In::One(s) if s > 1 => {
            let (most, last) = (C::cut(s - 1), C::ONE);
            one::<C, A, O>(out, a, |a| a.shr(most).add(last).shr(last));
        }
        _ => two::<C, A, O>(out, a, s, |a, s| {
            let s = s.min(C::SIGN.add(C::ONE));
            let before = amount(s.sub(C::ONE));
            let last = a.shr(before).and(C::ONE);
            if s <= C::default() { a } else { a.shr(amount(s)).add(last) }
        }),
    }
}

/// `⌊a · b / 2^s + 1/2⌋` where the product and half of `2^s` fit.
#[inline(always)]
fn mulshr<C: Number, A: Number, O: Number>(out: &mut [O], a: In<'_, A>, b: In<'_, A>, s: In<'_, A>) {
    match s {
        In::One(s) if s > 0 => {
            let half = C::cut(1i64.wrapping_shl(u32::try_from(s - 1).unwrap_or(0)));
            let s = amount(C::cut(s));
            two::<C, A, O>(out, a, b, |a, b| a.mul(b).add(half).shr(s));
        }
        _ => two::<C, A, O>(out, a, b, C::mul),
    }
}

#[inline(always)]
fn clamp<C: Number, A: Number, O: Number>(out: &mut [O], a: In<'_, A>, b: In<'_, A>, c: In<'_, A>) {
    match (a, b, c) {
        (a, In::One(low), In::One(high)) => {
            let (low, high) = (C::cut(low), C::cut(high));
            one::<C, A, O>(out, a, |a| a.max(low).min(high));
        }
        (In::Lanes(a), In::Lanes(b), In::Lanes(c)) => {
            for (out, (&a, (&b, &c))) in out.iter_mut().zip(a.iter().zip(b.iter().zip(c))) {
                *out = O::cut(a.max(b).min(c).wide());
            }
        }
        // Bounds are both lanes or both numbers.
        _ => {}
    }
}

/// `b` where `a ≠ 0`, else `c`; without lanes these are `x` and `y`.
#[inline(always)]
pub(super) fn select<A: Number, O: Number>(out: &mut [O], a: &[A], b: &[O], c: &[O], x: i64, y: i64) {
    match (In::new(b, x), In::new(c, y)) {
        (In::One(b), In::One(c)) => {
            let (b, c) = (O::cut(b), O::cut(c));
            for (out, &a) in out.iter_mut().zip(a) {
                *out = if a == A::default() { c } else { b };
            }
        }
        (In::Lanes(b), In::Lanes(c)) => {
            for (out, (&a, (&b, &c))) in out.iter_mut().zip(a.iter().zip(b.iter().zip(c))) {
                *out = if a == A::default() { c } else { b };
            }
        }
        // Both are lanes or both are numbers.
        _ => {}
    }
}

/// `clamp((a·b + c·d + before) / 2^shift + after)`; without lanes `b` is `y`, `d` is `w`, and `c·d` is 0.
#[allow(clippy::too_many_arguments, reason = "as for op")]
#[inline(always)]
pub(super) fn linear<O: Number>(
    out: &mut [O],
    a: &[i32],
    b: &[i32],
    c: &[i32],
    d: &[i32],
    y: i64,
    w: i64,
    constants: &Constants,
) {
    let product = |a: &i32, b: &i32| i64::from(*a).wrapping_mul(i64::from(*b));
    let by = |factor: i64| {
        // The factor fits i32; that this is seen makes products of 32 bits.
        let factor = i32::cut(factor);
        move |a: &i32| i64::from(*a).wrapping_mul(i64::from(factor))
    };
    match (b.is_empty(), c.is_empty(), d.is_empty()) {
        (true, true, _) => put(out, a.iter().map(by(y)), constants),
        (false, true, _) => put(out, a.iter().zip(b).map(|(a, b)| product(a, b)), constants),
        (true, false, true) => {
            let (first, second) = (by(y), by(w));
            put(out, a.iter().zip(c).map(|(a, c)| first(a).wrapping_add(second(c))), constants);
        }
        (true, false, false) => {
            let first = by(y);
            let second = c.iter().zip(d).map(|(c, d)| product(c, d));
            put(out, a.iter().zip(second).map(|(a, second)| first(a).wrapping_add(second)), constants);
        }
        (false, false, true) => {
            let second = by(w);
            let first = a.iter().zip(b).map(|(a, b)| product(a, b));
            put(out, first.zip(c).map(|(first, c)| first.wrapping_add(second(c))), constants);
        }
        (false, false, false) => {
            let first = a.iter().zip(b).map(|(a, b)| product(a, b));
            let second = c.iter().zip(d).map(|(c, d)| product(c, d));
            put(out, first.zip(second).map(|(first, second)| first.wrapping_add(second)), constants);
        }
    }
}

#[inline(always)]
fn put<O: Number>(out: &mut [O], sums: impl Iterator<Item = i64>, constants: &Constants) {
    let Constants { before, shift, after, low, high, narrow } = *constants;
    if narrow {
        let bound = |bound: i64| i32::cut(bound.clamp(i64::from(i32::MIN), i64::from(i32::MAX)));
        let (after, low, high) = (i32::cut(after), bound(low), bound(high));
        for (out, sum) in out.iter_mut().zip(sums) {
            let shifted = i32::cut(sum.wrapping_add(before) >> shift);
            *out = O::cut(i64::from(shifted.wrapping_add(after).max(low).min(high)));
        }
    } else {
        for (out, sum) in out.iter_mut().zip(sums) {
            let shifted = sum.wrapping_add(before) >> shift;
            *out = O::cut(shifted.wrapping_add(after).max(low).min(high));
        }
    }
}

/// The same numbers in another width.
#[inline(always)]
pub(super) fn convert<A: Number, O: Number>(out: &mut [O], a: &[A]) {
    for (out, &a) in out.iter_mut().zip(a) {
        *out = O::cut(a.wide());
    }
}

/// `table[index + offset]`; an index outside, which intervals exclude, reads the nearest end.
#[inline(always)]
pub(super) fn table<O: Number>(out: &mut [O], index: &[i32], table: &[O], offset: i64) {
    let last = table.len().saturating_sub(1);
    for (out, &index) in out.iter_mut().zip(index) {
        let place = usize::try_from(i64::from(index).wrapping_add(offset)).unwrap_or(0).min(last);
        *out = table.get(place).copied().unwrap_or_default();
    }
}

/// `out += a`
#[inline(always)]
pub(super) fn add_to<A: Number, O: Number>(out: &mut [O], a: &[A]) {
    for (out, &a) in out.iter_mut().zip(a) {
        *out = out.add(O::cut(a.wide()));
    }
}

/// `out = max(out, a)`
#[inline(always)]
pub(super) fn max_to<A: Number, O: Number>(out: &mut [O], a: &[A]) {
    for (out, &a) in out.iter_mut().zip(a) {
        *out = (*out).max(O::cut(a.wide()));
    }
}

/// `out = min(out, a)`
#[inline(always)]
pub(super) fn min_to<A: Number, O: Number>(out: &mut [O], a: &[A]) {
    for (out, &a) in out.iter_mut().zip(a) {
        *out = (*out).min(O::cut(a.wide()));
    }
}

/// The sum of lanes in numbers of type `C`, into `out`.
#[inline(always)]
pub(super) fn sum<C: Number, A: Number>(out: &mut i64, a: &[A]) {
    *out = a.iter().fold(C::default(), |sum, &a| sum.add(C::cut(a.wide()))).wide();
}

/// The greatest of lanes and `out`.
#[inline(always)]
pub(super) fn greatest<A: Number>(out: &mut i64, a: &[A]) {
    if let Some(&first) = a.first() {
        *out = (*out).max(a.iter().fold(first, |most, &a| most.max(a)).wide());
    }
}

/// The least of lanes and `out`.
#[inline(always)]
pub(super) fn least<A: Number>(out: &mut i64, a: &[A]) {
    if let Some(&first) = a.first() {
        *out = (*out).min(a.iter().fold(first, |least, &a| least.min(a)).wide());
    }
}
