//! Element by element: copies, scalings, sums, products.

use opml_vm::Reducer;

use super::{Arg, Builder, Domain, Draft, LowerError, Reg, Requant, Stored, View};
use crate::num;

/// Loops of a domain as output axes; for each operand its index terms.
pub(super) fn loops(draft: &mut Draft, domain: &Domain, operands: usize) -> Vec<Vec<(Reg, i64, i64)>> {
    let mut terms = vec![Vec::new(); operands];
    for (extent, strides) in domain.merged() {
        let reg = draft.output(extent);
        for (list, stride) in terms.iter_mut().zip(strides) {
            list.push((reg, extent, stride));
        }
    }
    terms
}

/// The elements in row-major order of the logical shape.
///
/// # Errors
/// An operand lies so that an instruction cannot address it.
pub fn copy(builder: &mut Builder, x: &View) -> Result<View, LowerError> {
    let shape = x.shape();
    // A row-major stand-in as first operand sorts the loops.
    let dense = Stored { elements: x.elements(), ..x.stored.clone() };
    let domain = Domain::new(&[&View::contiguous(dense, &shape), x], &shape)?;
    let mut draft = Draft::new(x.stored.dtype, Reducer::Sum);
    let terms = loops(&mut draft, &domain, 2);
    draft.load_at(x, &terms[1]);
    let stored = builder.push(draft)?;
    Ok(View::contiguous(stored, &shape))
}

/// An operand of [`combine`]: `multiplier · (x − zero_point)`.
#[derive(Debug, Clone, Copy)]
pub struct Scaled<'a> {
    /// The tensor.
    pub view: &'a View,
    /// Stored number that means 0.
    pub zero_point: i64,
    /// Factor, over `2^shift` of the result.
    pub multiplier: i64,
}

/// `Σ multiplier · (x − zero_point)` over operands that broadcast to `shape`, then `rshr` by the shift of `requant`
/// (whose multipliers are not used).
///
/// # Errors
/// An operand lies so that an instruction cannot address it.
pub fn combine(
    builder: &mut Builder,
    operands: &[Scaled<'_>],
    shape: &[i64],
    requant: &Requant,
) -> Result<View, LowerError> {
    let views: Vec<&View> = operands.iter().map(|operand| operand.view).collect();
    let domain = Domain::new(&views, shape)?;
    let mut draft = Draft::new(requant.dtype, Reducer::Sum);
    let terms = loops(&mut draft, &domain, operands.len());
    let mut sum: Option<Reg> = None;
    let mut offset: i64 = 0;
    for (operand, terms) in operands.iter().zip(&terms) {
        let x = draft.load_at(operand.view, terms);
        let term = draft.mul(x, operand.multiplier);
        offset = offset.saturating_sub(operand.zero_point.saturating_mul(operand.multiplier));
        sum = Some(match sum {
            Some(sum) => draft.add(sum, term),
            None => term,
        });
    }
    let mut value = sum.ok_or(LowerError::Layout("a sum needs an operand"))?;
    if offset != 0 {
        value = draft.add(value, offset);
    }
    let value = draft.rshr(value, requant.scale.shift);
    requant.place(&mut draft, value);
    let stored = builder.push(draft)?;
    Ok(domain.result(stored, 1))
}

/// `(a − a_zero) · (b − b_zero)`, broadcast to `shape`, requantised.
///
/// # Errors
/// An operand lies so that an instruction cannot address it.
pub fn product(
    builder: &mut Builder,
    (a, a_zero): (&View, i64),
    (b, b_zero): (&View, i64),
    shape: &[i64],
    requant: &Requant,
) -> Result<View, LowerError> {
    let domain = Domain::new(&[a, b], shape)?;
    let mut draft = Draft::new(requant.dtype, Reducer::Sum);
    let terms = loops(&mut draft, &domain, 2);
    let mut centred = |view: &View, zero: i64, terms: &[(Reg, i64, i64)]| {
        let x = draft.load_at(view, terms);
        if zero == 0 { x } else { draft.sub(x, zero) }
    };
    let left = centred(a, a_zero, &terms[0]);
    let right = centred(b, b_zero, &terms[1]);
    let value = draft.mul(left, right);
    let factor: Arg = requant.scale.multipliers.first().copied().unwrap_or(0).into();
    let value = draft.mulshr(value, factor, requant.scale.shift);
    requant.place(&mut draft, value);
    let stored = builder.push(draft)?;
    Ok(domain.result(stored, 1))
}

/// Tables of [`affine`], row-major over shapes that broadcast to the operand's.
#[derive(Debug, Clone)]
pub struct Affine<'a> {
    /// Factors over `2^shift`.
    pub factors: (&'a [i64], &'a [i64]),
    /// Summands over `2^(shift − cut)`.
    pub offsets: (&'a [i64], &'a [i64]),
    /// See `offsets`.
    pub cut: i64,
}

impl Affine<'_> {
    /// Factors and summands as constants; none where one number serves all.
    pub(super) fn views(&self, builder: &mut Builder) -> [Option<View>; 2] {
        [self.factors, self.offsets]
            .map(|(shape, values)| (values.len() > 1).then(|| builder.constant(Builder::width(values), shape, values)))
    }

    /// `(x · factor + offset · 2^cut) / 2^shift`, then what the result asks for.
    pub(super) fn apply(&self, draft: &mut Draft, x: Reg, [factor, offset]: [Arg; 2], requant: &Requant) -> Reg {
        let value = draft.mul(x, factor);
        let offset = match offset {
            Arg::Literal(n) => Arg::Literal(n.saturating_mul(1i64 << self.cut.clamp(0, 62))),
            Arg::Reg(_) if self.cut == 0 => offset,
            Arg::Reg(offset) => draft.mul(offset, 1i64 << self.cut.clamp(0, 62)).into(),
        };
        let value = draft.add(value, offset);
        let value = draft.rshr(value, requant.scale.shift);
        requant.place(draft, value)
    }

    /// The number that serves all, where there is no constant.
    pub(super) fn single(&self) -> [i64; 2] {
        [self.factors.1, self.offsets.1].map(|values| values.first().copied().unwrap_or(0))
    }
}

/// `(x · factor + offset) / 2^shift` with tables of constants, then zero point and clamp of `requant`.
///
/// # Errors
/// An operand lies so that an instruction cannot address it.
pub fn affine(builder: &mut Builder, x: &View, tables: &Affine<'_>, requant: &Requant) -> Result<View, LowerError> {
    let shape = x.shape();
    let domain = Domain::new(&[x], &shape)?;
    let tables_views = tables.views(builder);
    let mut operands = vec![x];
    operands.extend(tables_views.iter().flatten());
    let domain = if operands.len() == 1 { domain } else { Domain::new(&operands, &shape)? };
    let mut draft = Draft::new(requant.dtype, Reducer::Sum);
    let terms = loops(&mut draft, &domain, operands.len());
    let mut terms = terms.iter();
    let mut next = || terms.next().cloned().unwrap_or_default();
    let x_terms = next();
    let mut arg = |draft: &mut Draft, view: &Option<View>, values: &[i64]| -> Arg {
        match view {
            Some(view) => draft.load_at(view, &next()).into(),
            None => values.first().copied().unwrap_or(0).into(),
        }
    };
    let value = draft.load_at(x, &x_terms);
    let factor = arg(&mut draft, &tables_views[0], tables.factors.1);
    let offset = arg(&mut draft, &tables_views[1], tables.offsets.1);
    tables.apply(&mut draft, value, [factor, offset], requant);
    let stored = builder.push(draft)?;
    debug_assert_eq!(num::signed(shape.len()), num::signed(x.axes.len()), "logical rank");
    Ok(domain.result(stored, 1))
}
