//! Shape inference: the extents of a node's result.

mod moves;

use super::{Operator, Window};

/// Extents of `operator` on operands of the given extents.
///
/// Element counts are not limited here. [`Operator::Reshape`] has no rule: its target is known where it is made.
///
/// # Errors
/// What does not fit, in words.
pub fn infer(operator: &Operator, operands: &[&[usize]]) -> Result<Vec<usize>, String> {
    let operand = |i: usize| operands.get(i).copied().ok_or_else(|| format!("operand {i} is missing"));
    let x = operand(0)?;
    match operator {
        Operator::MatMul => matmul(x, operand(1)?),
        Operator::Dense => dense(x, operand(1)?, operands.get(2).copied()),
        Operator::Conv { window, groups } => conv(x, operand(1)?, operands.get(2).copied(), window, *groups),
        Operator::MaxPool(window) | Operator::AveragePool { window, .. } => pool(x, window),
        Operator::Add | Operator::Sub | Operator::Mul | Operator::Zip(_) => broadcast(x, operand(1)?),
        Operator::Select => broadcast(&broadcast(x, operand(1)?)?, operand(2)?),
        Operator::Affine => {
            for constant in [operand(1)?, operand(2)?] {
                if broadcast(x, constant)? != x {
                    return Err(format!("{constant:?} does not broadcast to {x:?}"));
                }
            }
            Ok(x.to_vec())
        }
        Operator::Transpose { perm } => transpose(x, perm),
        Operator::Concat { axis } => concat(operands, *axis),
        Operator::Softmax { axis } | Operator::LogSoftmax { axis } | Operator::CumSum { axis, .. } => {
            extent(x, *axis)?;
            Ok(x.to_vec())
        }
        Operator::ArgMax { axis, .. } => {
            if extent(x, *axis)? == 0 {
                return Err(format!("argmax over the empty axis {axis} of {x:?}"));
            }
            Ok(x.iter().enumerate().filter(|(j, _)| j != axis).map(|(_, &n)| n).collect())
        }
        Operator::Reshape
        | Operator::Clip { .. }
        | Operator::LeakyRelu { .. }
        | Operator::Sigmoid
        | Operator::Tanh
        | Operator::Map(_)
        | Operator::Quantise(_) => Ok(x.to_vec()),
        Operator::Reduce { axes, .. } => reduced(x, axes),
        Operator::Normalise { axes, .. } => reduced(x, axes).map(|_| x.to_vec()),
        Operator::Take { axes, .. } => moves::take(x, axes),
        Operator::Resample { axis, taps } => moves::resample(x, *axis, taps),
        Operator::Gather { axis } => moves::gather(x, operand(1)?, *axis),
        Operator::GatherElements { axis } => moves::gather_elements(x, operand(1)?, *axis),
        Operator::GatherNd { batch } => moves::gather_nd(x, operand(1)?, *batch),
        Operator::TopK { axis, k, .. } => top_k(x, *axis, *k),
    }
}

/// The named axes become 1.
fn reduced(x: &[usize], axes: &[usize]) -> Result<Vec<usize>, String> {
    let ascending = axes.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascending || axes.last().is_some_and(|&last| last >= x.len()) {
        return Err(format!("axes {axes:?} of {x:?}"));
    }
    Ok(x.iter().enumerate().map(|(j, &n)| if axes.contains(&j) { 1 } else { n }).collect())
}

fn top_k(x: &[usize], axis: usize, k: usize) -> Result<Vec<usize>, String> {
    if k > extent(x, axis)? {
        return Err(format!("the {k} largest along axis {axis} of {x:?}"));
    }
    let mut shape = x.to_vec();
    shape[axis] = k;
    Ok(shape)
}

fn extent(x: &[usize], axis: usize) -> Result<usize, String> {
    x.get(axis).copied().ok_or_else(|| format!("axis {axis} of {x:?}"))
}

/// Extents of two operands broadcast against each other, aligned at the last axis.
///
/// # Errors
/// Two extents differ and neither is 1.
pub fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let rank = a.len().max(b.len());
    let at = |x: &[usize], j: usize| (j + x.len()).checked_sub(rank).and_then(|j| x.get(j).copied()).unwrap_or(1);
    (0..rank)
        .map(|j| match (at(a, j), at(b, j)) {
            (m, n) if m == n => Ok(m),
            (1, n) | (n, 1) => Ok(n),
            _ => Err(format!("{a:?} and {b:?} do not broadcast")),
        })
        .collect()
}

fn matmul(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let ([batch_a @ .., m, k], [batch_b @ .., l, n]) = (a, b) else {
        return Err(format!("matrix product of {a:?} and {b:?}"));
    };
    if k != l {
        return Err(format!("matrix product of {a:?} and {b:?}: {k} differs from {l}"));
    }
    let mut shape = broadcast(batch_a, batch_b)?;
    shape.extend([m, n]);
    Ok(shape)
}

fn dense(x: &[usize], w: &[usize], b: Option<&[usize]>) -> Result<Vec<usize>, String> {
    let ([batch @ .., k], [n, l]) = (x, w) else {
        return Err(format!("weights {w:?} on {x:?}"));
    };
    if k != l || b.is_some_and(|b| b != [*n]) {
        return Err(format!("weights {w:?} with bias {b:?} on {x:?}"));
    }
    let mut shape = batch.to_vec();
    shape.push(*n);
    Ok(shape)
}

fn conv(x: &[usize], w: &[usize], b: Option<&[usize]>, window: &Window, groups: usize) -> Result<Vec<usize>, String> {
    let ([n, c, spatial @ ..], [m, per_group, kernel @ ..]) = (x, w) else {
        return Err(format!("convolution of {x:?} with {w:?}"));
    };
    let fits = groups > 0
        && per_group.checked_mul(groups) == Some(*c)
        && m.checked_rem(groups) == Some(0)
        && kernel == window.kernel
        && b.is_none_or(|b| b == [*m]);
    if !fits {
        return Err(format!("convolution of {x:?} with weights {w:?}, bias {b:?}, groups {groups}"));
    }
    let mut shape = vec![*n, *m];
    shape.extend(windows(spatial, window)?);
    Ok(shape)
}

fn pool(x: &[usize], window: &Window) -> Result<Vec<usize>, String> {
    let [n, c, spatial @ ..] = x else {
        return Err(format!("pooling of {x:?}"));
    };
    let mut shape = vec![*n, *c];
    shape.extend(windows(spatial, window)?);
    Ok(shape)
}

/// Number of window positions along each spatial axis.
fn windows(spatial: &[usize], window: &Window) -> Result<Vec<usize>, String> {
    let lists = [&window.kernel, &window.strides, &window.before, &window.after, &window.dilations];
    if lists.iter().any(|list| list.len() != spatial.len()) {
        return Err(format!("window over {} axes on {} spatial axes", window.kernel.len(), spatial.len()));
    }
    (0..spatial.len())
        .map(|j| {
            positions(spatial[j], window, j)
                .ok_or_else(|| format!("a window of {} does not fit {} padded values", window.kernel[j], spatial[j]))
        })
        .collect()
}

fn positions(extent: usize, window: &Window, j: usize) -> Option<usize> {
    let reach = window.kernel[j].checked_sub(1)?.checked_mul(window.dilations[j])?.checked_add(1)?;
    let padded = extent.checked_add(window.before[j])?.checked_add(window.after[j])?;
    let room = padded.checked_sub(reach)?;
    let stride = window.strides[j];
    if stride == 0 {
        return None;
    }
    let mut count = if window.ceil { room.div_ceil(stride) } else { room / stride }.checked_add(1)?;
    // A position that would start in the trailing padding does not count.
    let real_end = extent.checked_add(window.before[j])?;
    if window.ceil && (count - 1).checked_mul(stride)? >= real_end {
        count -= 1;
    }
    Some(count)
}

fn transpose(x: &[usize], perm: &[usize]) -> Result<Vec<usize>, String> {
    let mut sorted = perm.to_vec();
    sorted.sort_unstable();
    if sorted.len() != x.len() || sorted.iter().enumerate().any(|(j, &p)| j != p) {
        return Err(format!("{perm:?} does not permute the axes of {x:?}"));
    }
    Ok(perm.iter().map(|&p| x[p]).collect())
}

fn concat(operands: &[&[usize]], axis: usize) -> Result<Vec<usize>, String> {
    let first = operands.first().copied().unwrap_or(&[]);
    let mut shape = first.to_vec();
    let mut total: usize = 0;
    for x in operands {
        let others_equal = x.len() == first.len() && (0..x.len()).all(|j| j == axis || x[j] == first[j]);
        if !others_equal {
            return Err(format!("{x:?} does not join {first:?} along axis {axis}"));
        }
        total = total.saturating_add(extent(x, axis)?);
    }
    if let Some(place) = shape.get_mut(axis) {
        *place = total;
    }
    Ok(shape)
}
