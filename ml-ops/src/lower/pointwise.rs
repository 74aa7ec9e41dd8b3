//! Any function of elements, in one instruction.

use opml_vm::{DType, Reducer};

use super::{Arg, Builder, Domain, Draft, LowerError, Reg, View, copy, elementwise::loops};

/// An operand of [`pointwise`].
#[derive(Debug, Clone)]
pub enum Operand {
    /// A tensor that broadcasts to the result.
    View(View),
    /// The same number everywhere.
    Literal(i64),
}

impl Operand {
    const fn view(&self) -> Option<&View> {
        match self {
            Self::View(view) => Some(view),
            Self::Literal(_) => None,
        }
    }
}

/// `f(operands)` for each element of `shape`, to which the operands broadcast. The result has the loops of the largest
/// tensor among them.
///
/// # Errors
/// An operand lies so that an instruction cannot address it.
pub fn pointwise(
    builder: &mut Builder,
    operands: &[Operand],
    shape: &[i64],
    dtype: DType,
    f: impl FnOnce(&mut Draft, &[Arg]) -> Reg,
) -> Result<View, LowerError> {
    let tensors: Vec<&View> = operands.iter().filter_map(Operand::view).collect();
    let (tensors, domain) = aligned(builder, &tensors, shape)?;
    let mut draft = Draft::new(dtype, Reducer::Sum);
    let terms = loops(&mut draft, &domain, tensors.len());
    let mut loads = tensors.iter().zip(&terms);
    let mut args: Vec<Arg> = Vec::with_capacity(operands.len());
    for operand in operands {
        args.push(match (operand, operand.view().and_then(|_| loads.next())) {
            (Operand::Literal(literal), _) => Arg::Literal(*literal),
            (Operand::View(_), Some((view, terms))) => draft.load_at(view, terms).into(),
            (Operand::View(_), None) => return Err(LowerError::Layout("an operand has no loops")),
        });
    }
    let value = f(&mut draft, &args);
    draft.yields(value);
    let stored = builder.push(draft)?;
    Ok(domain.result(stored, 1))
}

/// Common loops of the operands; those that lie in parts that do not fit the others are copied first.
///
/// # Errors
/// An operand cannot be copied in one instruction.
pub(super) fn aligned(
    builder: &mut Builder,
    operands: &[&View],
    shape: &[i64],
) -> Result<(Vec<View>, Domain), LowerError> {
    let mut own: Vec<View> = operands.iter().map(|&view| view.clone()).collect();
    if let Ok(domain) = Domain::sorted(operands, largest(operands), shape) {
        return Ok((own, domain));
    }
    for view in &mut own {
        if (0..view.axes.len()).any(|axis| view.digit(axis).is_err()) {
            *view = copy(builder, view)?;
        }
    }
    let domain = {
        let views: Vec<&View> = own.iter().collect();
        Domain::sorted(&views, largest(&views), shape)?
    };
    Ok((own, domain))
}

/// The number of the tensor that follows most elements, the first of equals.
fn largest(operands: &[&View]) -> usize {
    let size = |number: &usize| operands[*number].elements();
    (0..operands.len()).max_by_key(|number| (size(number), std::cmp::Reverse(*number))).unwrap_or(0)
}

/// The integer nearest to `x / 2^shift`, ties to even.
pub fn round_even(draft: &mut Draft, x: Reg, shift: i64) -> Reg {
    let rounded = draft.rshr(x, shift);
    if shift == 0 {
        return rounded;
    }
    // A tie that went up to an odd number belongs to the even one below.
    let exact = draft.shl(rounded, shift);
    let over = draft.sub(exact, x);
    let half = 1i64 << shift.clamp(1, 62).saturating_sub(1);
    let tie = draft.equal(over, half);
    let odd = draft.and(rounded, 1);
    let back = draft.and(tie, odd);
    draft.sub(rounded, back)
}
