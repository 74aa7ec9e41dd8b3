//! Elements at indices that are computed.

use opml_vm::Reducer;

use super::{Builder, Digit, Domain, Draft, LowerError, Reg, View};
use crate::num;

/// Digits of an axis that an operand does not follow.
fn free(extent: i64) -> Vec<Digit> {
    if extent == 1 { Vec::new() } else { vec![Digit { extent, stride: 0 }] }
}

/// An index that counts from the end if negative, brought inside the axis.
fn inside(draft: &mut Draft, index: Reg, extent: i64) -> Reg {
    let negative = draft.less(index, 0);
    let wrapped = draft.add(index, extent);
    let index = draft.select(negative, wrapped, index);
    draft.clamp(index, 0, extent - 1)
}

/// An element of `x` at the loops of `own` and at an index along each of some axes.
fn fetch(
    builder: &mut Builder,
    (x, own): (&View, &View),
    axes: &[Digit],
    indices: &[View],
    shape: &[i64],
) -> Result<View, LowerError> {
    let mut operands = vec![own];
    operands.extend(indices);
    let domain = Domain::new(&operands, shape)?;
    let mut draft = Draft::new(x.stored.dtype, Reducer::Sum);
    let mut terms = super::elementwise::loops(&mut draft, &domain, operands.len());
    for (number, (axis, index)) in axes.iter().zip(indices).enumerate() {
        let at = draft.load_at(index, &terms[number + 1]);
        let at = inside(&mut draft, at, axis.extent);
        terms[0].push((at, axis.extent, axis.stride));
    }
    draft.load_at(own, &terms[0]);
    let stored = builder.push(draft)?;
    Ok(domain.result(stored, 1))
}

/// `x[.., index, ..]`: the indices' axes take the place of the axis, which lies in one part. Negative indices count from
/// the end; others are clamped to the axis.
///
/// # Errors
/// An operand lies so that an instruction cannot address it.
pub fn gather(builder: &mut Builder, x: &View, index: &View, axis: usize) -> Result<View, LowerError> {
    let digit = x.digit(axis)?;
    let (before, after) = (&x.axes[..axis], &x.axes[axis + 1..]);
    let (mut own, mut at) = (before.to_vec(), Vec::new());
    let extents = |axes: &[Vec<Digit>]| axes.iter().map(|digits| super::view::product(digits)).collect::<Vec<i64>>();
    let zeros = |axes: &[Vec<Digit>]| extents(axes).into_iter().map(free).collect::<Vec<_>>();
    own.extend(zeros(&index.axes));
    own.extend_from_slice(after);
    at.extend(zeros(before));
    at.extend_from_slice(&index.axes);
    at.extend(zeros(after));
    let own = x.with(own);
    let shape = own.shape();
    fetch(builder, (x, &own), &[digit], &[index.with(at)], &shape)
}

/// Row `i + 1` of a table for each number `i` of `index`, whose last axis has extent 1: that of the row takes its place. Numbers
/// below −1 count as −1, and those past the table as its last row.
///
/// # Errors
/// An operand lies so that an instruction cannot address it.
pub fn rows(builder: &mut Builder, table: &View, index: &View) -> Result<View, LowerError> {
    let (row, columns) = (table.digit(0)?, table.axes.get(1).cloned().unwrap_or_default());
    let last = index.axes.len().checked_sub(1).ok_or(LowerError::Layout("rows are selected along an axis"))?;
    let (mut own, mut at) = (Vec::new(), index.axes[..last].to_vec());
    own.extend(at.iter().map(|digits| free(super::view::product(digits))));
    at.push(free(super::view::product(&columns)));
    own.push(columns);
    let (own, at) = (table.with(own), index.with(at));
    let domain = Domain::new(&[&own, &at], &own.shape())?;
    let mut draft = Draft::new(table.stored.dtype, Reducer::Sum);
    let mut terms = super::elementwise::loops(&mut draft, &domain, 2);
    let number = draft.load_at(&at, &terms[1]);
    let number = draft.clamp(number, -1, row.extent - 2);
    let number = draft.add(number, 1);
    terms[0].push((number, row.extent, row.stride));
    draft.load_at(&own, &terms[0]);
    let stored = builder.push(draft)?;
    Ok(domain.result(stored, 1))
}

/// `x[.., index[..], ..]`: both have the same number of axes, and the axes of `x` lie in one part each.
///
/// # Errors
/// An operand lies so that an instruction cannot address it.
pub fn gather_elements(builder: &mut Builder, x: &View, index: &View, axis: usize) -> Result<View, LowerError> {
    let shape = index.shape();
    let digit = x.digit(axis)?;
    let own = shape.iter().enumerate().map(|(j, &extent)| {
        let stride = if j == axis { 0 } else { x.digit(j)?.stride };
        Ok(if extent == 1 { Vec::new() } else { vec![Digit { extent, stride }] })
    });
    let own = x.with(own.collect::<Result<_, LowerError>>()?);
    fetch(builder, (x, &own), &[digit], std::slice::from_ref(index), &shape)
}

/// `x[batch.., index.., ..]` with index tuples along the last axis of `index`, whose axes lie in one part each.
///
/// # Errors
/// An operand lies so that an instruction cannot address it.
pub fn gather_nd(builder: &mut Builder, x: &View, index: &View, batch: usize) -> Result<View, LowerError> {
    let last = index.axes.len().checked_sub(1).ok_or(LowerError::Layout("indices need an axis"))?;
    let tuple = index.digit(last)?;
    let width = num::index(tuple.extent).unwrap_or(0);
    let axes: Vec<Digit> = (batch..batch + width).map(|axis| x.digit(axis)).collect::<Result<_, _>>()?;
    let extents = |axes: &[Vec<Digit>]| axes.iter().map(|digits| super::view::product(digits)).collect::<Vec<i64>>();
    let zeros = |axes: &[Vec<Digit>]| extents(axes).into_iter().map(free).collect::<Vec<_>>();
    let rest = &x.axes[batch + width..];
    let mut own = x.axes[..batch].to_vec();
    own.extend(zeros(&index.axes[batch..last]));
    own.extend_from_slice(rest);
    let own = x.with(own);
    let indices: Vec<View> = (0..tuple.extent)
        .map(|number| {
            let mut at = index.axes[..last].to_vec();
            at.extend(zeros(rest));
            let mut view = index.with(at);
            view.base += number * tuple.stride;
            view
        })
        .collect();
    let shape = own.shape();
    fetch(builder, (x, &own), &axes, &indices, &shape)
}
