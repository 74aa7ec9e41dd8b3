//! Normalisation over axes: mean, reciprocal deviation, and the elements by both.

use opml_vm::{DType, Reducer};

use super::{Affine, Arg, Builder, Draft, LowerError, Operand, Reg, Requant, Scale, View, pointwise, reduction};

/// Integers of a normalisation. With `d = x · 2^guard − centre` in finer units:
///
/// `root = ⌊√(Σ d² · variance + epsilon)⌋`, and the result is `d · ⌊one / root⌋ / 2^shift` rounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalise {
    /// Bits by which differences are finer than stored numbers.
    pub guard: i64,
    /// `Σ x` times this is the mean in finer units; `None` takes `zero_point`.
    pub mean: Option<Scale>,
    /// Stored number that means 0, in finer units.
    pub zero_point: i64,
    /// Bits that a square loses before it is summed.
    pub cut: i64,
    /// Factor of the sum of squares.
    pub variance: Scale,
    /// In units of `variance`.
    pub epsilon: i64,
    /// Numerator of the reciprocal.
    pub one: i64,
    /// Bits of the reciprocal below the point.
    pub shift: i64,
}

fn factor(scale: &Scale) -> i64 {
    scale.multipliers.first().copied().unwrap_or(0)
}

/// The difference from the centre, in finer units.
fn difference(draft: &mut Draft, x: Arg, centre: Arg, guard: i64) -> Reg {
    let fine = if guard == 0 { x } else { draft.shl(x, guard).into() };
    draft.sub(fine, centre)
}

/// Normalises over axes: three instructions, or two without a mean. `scaled` multiplies the result, as its type holds it, and adds.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn normalise(
    builder: &mut Builder,
    x: &View,
    axes: &[usize],
    plan: &Normalise,
    requant: &Requant,
    scaled: Option<(&Affine<'_>, &Requant)>,
) -> Result<View, LowerError> {
    let mean = match &plan.mean {
        Some(scale) => {
            let post = |draft: &mut Draft, acc: Reg| draft.mulshr(acc, factor(scale), scale.shift);
            Some(reduction(builder, (x, axes), (DType::I64, Reducer::Sum), &[], |_, x, _| x, post)?)
        }
        None => None,
    };
    let term = |draft: &mut Draft, x: Reg, others: &[Reg]| {
        let centre = others.first().map_or(Arg::Literal(plan.zero_point), |&mean| mean.into());
        let d = difference(draft, x.into(), centre, plan.guard);
        if plan.cut == 0 { draft.mul(d, d) } else { draft.mulshr(d, d, plan.cut) }
    };
    let post = |draft: &mut Draft, acc: Reg| {
        let variance = draft.mulshr(acc, factor(&plan.variance), plan.variance.shift);
        let variance = draft.add(variance, plan.epsilon);
        let root = draft.isqrt(variance);
        let root = draft.max(root, 1);
        draft.div(plan.one, root)
    };
    let others: Vec<&View> = mean.iter().collect();
    let reciprocal = reduction(builder, (x, axes), (DType::I64, Reducer::Sum), &others, term, post)?;
    let centre = mean.map_or(Operand::Literal(plan.zero_point), Operand::View);
    let mut operands = vec![Operand::View(x.clone()), centre, Operand::View(reciprocal)];
    if let Some((tables, _)) = scaled {
        let views = tables.views(builder).into_iter().zip(tables.single());
        operands.extend(views.map(|(view, single)| view.map_or(Operand::Literal(single), Operand::View)));
    }
    let dtype = scaled.map_or(requant.dtype, |(_, last)| last.dtype);
    pointwise(builder, &operands, &x.shape(), dtype, |draft, args| {
        let d = difference(draft, args[0], args[1], plan.guard);
        let value = draft.mul(d, args[2]);
        let value = draft.rshr(value, plan.shift);
        let value = requant.place(draft, value);
        match scaled {
            Some((tables, last)) => {
                let value = draft.clamp(value, requant.dtype.min(), requant.dtype.max());
                tables.apply(draft, value, [args[3], args[4]], last)
            }
            None => value,
        }
    })
}
