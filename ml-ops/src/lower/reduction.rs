//! Reductions over axes, which become 1.

use opml_vm::{DType, Reducer};

use super::{Arg, Builder, Domain, Draft, Index, LowerError, Reg, View, copy, view};

/// Most factors of one instruction.
const FACTORS: i64 = 16;

/// The view with some axes reduced to extent 1, and the registers and strides of a reduction over them, in the order
/// in which the elements are stored.
pub(super) fn over(draft: &mut Draft, x: &View, axes: &[usize]) -> Vec<(Reg, i64, i64)> {
    let mut digits: Vec<_> = axes.iter().flat_map(|&axis| x.axes[axis].clone()).collect();
    digits.sort_by_key(|digit| std::cmp::Reverse(digit.stride.abs()));
    view::merged(&digits).iter().map(|digit| (draft.reduce(digit.extent), digit.extent, digit.stride)).collect()
}

/// A view with axes reduced to extent 1.
pub(super) fn without_all(x: &View, axes: &[usize]) -> View {
    let mut rest = x.clone();
    for &axis in axes {
        rest.axes[axis] = Vec::new();
    }
    rest
}

/// Reduces `term(x)` over axes, then applies `post`; operands of `post` are views that broadcast to the result.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn reduction(
    builder: &mut Builder,
    (x, axes): (&View, &[usize]),
    (dtype, reducer): (DType, Reducer),
    others: &[&View],
    term: impl FnOnce(&mut Draft, Reg, &[Reg]) -> Reg,
    post: impl FnOnce(&mut Draft, Reg) -> Reg,
) -> Result<View, LowerError> {
    let rest = without_all(x, axes);
    let mut views = vec![&rest];
    views.extend(others);
    let domain = Domain::new(&views, &rest.shape())?;
    let mut draft = Draft::new(dtype, reducer);
    let mut terms = super::elementwise::loops(&mut draft, &domain, views.len());
    terms[0].extend(over(&mut draft, x, axes));
    let value = draft.load_at(x, &terms[0]);
    let loaded: Vec<Reg> = others.iter().zip(&terms[1..]).map(|(view, terms)| draft.load_at(view, terms)).collect();
    let value = term(&mut draft, value, &loaded);
    draft.yields(value);
    let acc = draft.reduced();
    let result = post(&mut draft, acc);
    if result != acc {
        draft.yields(result);
    }
    let stored = builder.push(draft)?;
    Ok(domain.result(stored, 1))
}

/// A tensor `[outer, n]`, row-major: the reduced axes are the last.
fn lines(builder: &mut Builder, x: &View, axes: &[usize]) -> Result<(View, i64), LowerError> {
    let mut perm: Vec<usize> = (0..x.axes.len()).filter(|axis| !axes.contains(axis)).collect();
    perm.extend(axes);
    let shape = x.shape();
    let n = axes.iter().map(|&axis| shape[axis]).product();
    let moved = x.transpose(&perm);
    Ok((if moved.is_contiguous() { moved } else { copy(builder, &moved)? }, n))
}

/// The product of integers over axes, saturating at 64 bits after each factor.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn product_of_integers(
    builder: &mut Builder,
    x: &View,
    axes: &[usize],
    dtype: DType,
    post: impl FnOnce(&mut Draft, Reg) -> Reg,
) -> Result<View, LowerError> {
    let shape = without_all(x, axes).shape();
    let outer: i64 = shape.iter().product();
    let (mut x, mut n) = lines(builder, x, axes)?;
    let mut post = Some(post);
    loop {
        let chunks = (n + FACTORS - 1) / FACTORS;
        let last = chunks <= 1;
        let mut draft = Draft::new(if last { dtype } else { DType::I64 }, Reducer::Sum);
        let row = draft.output(outer);
        let chunk = (!last).then(|| draft.output(chunks));
        let mut value: Option<Reg> = None;
        for factor in 0..n.min(FACTORS) {
            let index = Index::constant(factor);
            let index = chunk.map_or(index.clone(), |chunk| index.plus(chunk, FACTORS));
            let load = draft.load(x.stored.clone(), 1, vec![(outer, row.into()), (n, index)]);
            value = Some(match value {
                Some(product) => draft.mul(product, load),
                None => load,
            });
        }
        let value = value.ok_or(LowerError::Layout("a product of nothing"))?;
        let value = match post.take_if(|_| last) {
            Some(post) => post(&mut draft, value),
            None => value,
        };
        draft.yields(value);
        let stored = builder.push(draft)?;
        if last {
            return Ok(View::contiguous(stored, &shape));
        }
        x = View::contiguous(stored, &[outer, chunks]);
        n = chunks;
    }
}

/// The product of at most 14 real numbers `x − zero_point`: `post` gets a mantissa and the bits that were shifted out
/// of it, so that the product is `mantissa · 2^bits` to within 2^−25 of itself (2^−15 of
/// factors of 64 bits).
///
/// # Errors
/// There are more factors, or the operand lies so that an instruction cannot address it.
pub fn product_of_reals(
    builder: &mut Builder,
    (x, zero_point): (&View, i64),
    axes: &[usize],
    dtype: DType,
    post: impl FnOnce(&mut Draft, Reg, Arg) -> Reg,
) -> Result<View, LowerError> {
    /// Each factor takes eight operations.
    const MOST: i64 = 14;
    let shape = without_all(x, axes).shape();
    let outer: i64 = shape.iter().product();
    let (x, n) = lines(builder, x, axes)?;
    // Bits of a mantissa, so that the product with a factor fits.
    let bits_kept = (61 - i64::try_from(x.stored.dtype.bits()).unwrap_or(64).min(41)).min(30);
    if n > MOST {
        let count = usize::try_from(n).unwrap_or(usize::MAX);
        return Err(LowerError::Count { what: "factors of a product of real numbers", count, limit: 14 });
    }
    let mut draft = Draft::new(dtype, Reducer::Sum);
    let row = draft.output(outer);
    let (mut mantissa, mut bits) = (Arg::from(1), Arg::from(0));
    for factor in 0..n {
        let load = draft.load(x.stored.clone(), 0, vec![(outer, row.into()), (n, Index::constant(factor))]);
        let load = if zero_point == 0 { load } else { draft.sub(load, zero_point) };
        let product = draft.mul(mantissa, load);
        let size = draft.abs(product);
        let size = draft.log2(size);
        let excess = draft.sub(size, bits_kept);
        let excess = draft.max(excess, 0);
        mantissa = draft.rshr(product, excess).into();
        bits = draft.add(bits, excess).into();
    }
    let Arg::Reg(mantissa) = mantissa else {
        return Err(LowerError::Layout("a product of nothing"));
    };
    let value = post(&mut draft, mantissa, bits);
    draft.yields(value);
    let stored = builder.push(draft)?;
    Ok(View::contiguous(stored, &shape))
}
