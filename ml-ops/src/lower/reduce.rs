//! The place of the largest element along an axis.

use opml_vm::{DType, Reducer};

use super::{Builder, Domain, Draft, LowerError, Reg, View};

/// A view with one axis reduced to extent 1.
pub(super) fn without(view: &View, axis: usize) -> View {
    let mut view = view.clone();
    view.axes[axis] = Vec::new();
    view
}

/// Number of the largest element along an axis; the axis disappears. The first of equals, or the last.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn arg_max(builder: &mut Builder, x: &View, axis: usize, last: bool, dtype: DType) -> Result<View, LowerError> {
    let rest = without(x, axis);
    let domain = Domain::new(&[&rest], &rest.shape())?;
    let mut draft = Draft::new(dtype, Reducer::Argmax);
    let mut terms = outer_terms(&mut draft, &domain);
    let (mut base, mut extent) = (0, 1);
    for digit in super::view::merged(&x.axes[axis]) {
        let reg = draft.reduce(digit.extent);
        extent *= digit.extent;
        if last {
            base += (digit.extent - 1) * digit.stride;
        }
        terms.push((reg, digit.extent, if last { -digit.stride } else { digit.stride }));
    }
    draft.load_column(x, &terms, base);
    if last {
        let first = draft.reduced();
        draft.sub(extent - 1, first);
    }
    let stored = builder.push(draft)?;
    let mut result = domain.result(stored, 1);
    result.axes.remove(axis);
    Ok(result)
}

fn outer_terms(draft: &mut Draft, domain: &Domain) -> Vec<(Reg, i64, i64)> {
    domain.merged().into_iter().map(|(extent, strides)| (draft.output(extent), extent, strides[0])).collect()
}
