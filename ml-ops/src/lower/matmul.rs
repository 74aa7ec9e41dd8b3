//! Matrix products.

use opml_vm::{DType, Reducer};

use super::{Builder, Domain, Draft, LowerError, Reg, Requant, View, elementwise::loops, reduce::without, view};
use crate::{moves, num};

/// Scales of rows that the program computes: a sum becomes `⌊sum · scale / 2^shift⌉`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowScale {
    /// The scales: axes as the row factor's, the last of extent 1.
    pub view: View,
    /// See above.
    pub shift: i64,
}

/// `x [.., K]` times weights `[N, K]` (row-major), plus a bias for each of the `N` results.
///
/// `rows` scale the sums of each row before the bias is added.
///
/// The reduction runs as `x` is stored, and the weights are arranged accordingly, so consecutive terms are consecutive
/// elements on both sides.
///
/// # Errors
/// An operand lies so that an instruction cannot address it.
pub fn dense(
    builder: &mut Builder,
    x: &View,
    (dtype, weights): (DType, &[i64]),
    bias: &[i64],
    rows: Option<&RowScale>,
    requant: &Requant,
) -> Result<View, LowerError> {
    let (k_axis, batch) = x.axes.split_last().ok_or(LowerError::Layout("a product needs an axis"))?;
    let k = view::product(k_axis);
    let n = num::signed(weights.len()).checked_div(k).unwrap_or(0);
    let mut order: Vec<usize> = (0..k_axis.len()).collect();
    order.sort_by_key(|&digit| std::cmp::Reverse(k_axis[digit].stride.abs()));
    let stored_k: Vec<_> = order.iter().map(|&digit| k_axis[digit]).collect();
    let arranged = arrange(weights, n, k_axis, &order);
    let w = builder.constant(dtype, &[n, k], &arranged);

    let batch = x.with(batch.to_vec());
    let scales = rows.map(|rows| without(&rows.view, rows.view.axes.len() - 1));
    let scales = scales.map(|mut view| {
        view.axes.pop();
        view
    });
    let views: Vec<&View> = std::iter::once(&batch).chain(&scales).collect();
    let domain = Domain::new(&views, &batch.shape())?;
    let mut draft = Draft::new(requant.dtype, Reducer::Sum);
    let mut terms = loops(&mut draft, &domain, views.len());
    let s_terms = if scales.is_some() { terms.pop().unwrap_or_default() } else { Vec::new() };
    let mut x_terms = terms.pop().unwrap_or_default();
    let column = draft.output(n);
    let mut w_terms = vec![(column, n, k)];
    let mut left = k;
    for digit in view::merged(&stored_k) {
        let reg = draft.reduce(digit.extent);
        left /= digit.extent;
        x_terms.push((reg, digit.extent, digit.stride));
        w_terms.push((reg, digit.extent, left));
    }
    let a = draft.load_at(x, &x_terms);
    let b = draft.load_at(&w, &w_terms);
    draft.mul(a, b);
    let acc = draft.reduced();
    let acc = scaled(&mut draft, acc, rows, &s_terms);
    requant.finish(builder, &mut draft, acc, &[(column, n, 1)], bias);
    let stored = builder.push(draft)?;
    let mut result = domain.result(stored, n);
    result.axes.push(if n == 1 { vec![] } else { vec![super::Digit { extent: n, stride: 1 }] });
    Ok(result)
}

/// The sum times the scale of its row.
fn scaled(draft: &mut Draft, acc: Reg, rows: Option<&RowScale>, terms: &[(Reg, i64, i64)]) -> Reg {
    let Some(rows) = rows else { return acc };
    let scale = draft.load_at(&rows.view, terms);
    draft.mulshr(acc, scale, rows.shift)
}

/// Rows of `n` with the digits of `K` in another order.
fn arrange(weights: &[i64], n: i64, digits: &[super::Digit], order: &[usize]) -> Vec<i64> {
    let size = |n: i64| num::index(n).unwrap_or(0);
    let mut shape = vec![size(n)];
    shape.extend(digits.iter().map(|digit| size(digit.extent)));
    let mut perm = vec![0];
    perm.extend(order.iter().map(|digit| digit + 1));
    moves::transpose(&shape, weights, &perm)
}

/// `a [.., M, K]` times `b [.., K, N]`, leading axes broadcast; zero points are subtracted in each term, `rows` scale the sums.
///
/// # Errors
/// An operand lies so that an instruction cannot address it.
pub fn matmul(
    builder: &mut Builder,
    (a, a_zero): (&View, i64),
    (b, b_zero): (&View, i64),
    rows: Option<&RowScale>,
    requant: &Requant,
) -> Result<View, LowerError> {
    let (a_shape, b_shape) = (a.shape(), b.shape());
    let ([a_batch @ .., m, k], [b_batch @ .., _, n]) = (a_shape.as_slice(), b_shape.as_slice()) else {
        return Err(LowerError::Layout("a matrix product needs two axes"));
    };
    let rank = a_batch.len().max(b_batch.len());
    let extent = |batch: &[i64], axis: usize| (axis + batch.len()).checked_sub(rank).map_or(1, |axis| batch[axis]);
    let mut shape: Vec<i64> = (0..rank).map(|axis| extent(a_batch, axis).max(extent(b_batch, axis))).collect();
    shape.extend([*m, *n]);
    // Row operand over [.., M, 1] and column operand over [.., 1, N], so that both broadcast to the result.
    let own = without(a, a_shape.len() - 1);
    let columns = without(b, b_shape.len() - 2);
    let views: Vec<&View> = [&own, &columns].into_iter().chain(rows.map(|rows| &rows.view)).collect();
    let domain = Domain::new(&views, &shape)?;
    let inner = Domain::new(&[&axis(b, b_shape.len() - 2), &axis(a, a_shape.len() - 1)], &[*k])?;
    let mut draft = Draft::new(requant.dtype, Reducer::Sum);
    let terms = loops(&mut draft, &domain, views.len());
    let s_terms = terms.get(2).cloned().unwrap_or_default();
    let (mut a_terms, mut b_terms) = (terms[0].clone(), terms[1].clone());
    for (extent, strides) in inner.merged() {
        let reg = draft.reduce(extent);
        a_terms.push((reg, extent, strides[1]));
        b_terms.push((reg, extent, strides[0]));
    }
    let mut left = draft.load_at(a, &a_terms);
    if a_zero != 0 {
        left = draft.sub(left, a_zero);
    }
    let mut right = draft.load_at(b, &b_terms);
    if b_zero != 0 {
        right = draft.sub(right, b_zero);
    }
    draft.mul(left, right);
    let acc = draft.reduced();
    let acc = scaled(&mut draft, acc, rows, &s_terms);
    requant.finish(builder, &mut draft, acc, &[], &[]);
    let stored = builder.push(draft)?;
    Ok(domain.result(stored, 1))
}

/// One axis alone.
fn axis(view: &View, axis: usize) -> View {
    view.with(vec![view.axes[axis].clone()])
}
