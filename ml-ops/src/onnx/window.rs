//! Window attributes of convolutions and poolings.

use super::call::Call;
use crate::{
    error::NodeFault,
    graph::{MAX_SPATIAL, Window},
    num,
};

/// Largest number in a window attribute.
pub(super) const LIMIT: usize = 1 << 24;

/// Reads `kernel_shape`, `strides`, `pads`, `auto_pad`, `dilations` and `ceil_mode` for operand extents `x [N, C, ..]`;
/// a convolution gives its kernel from the weights.
pub(super) fn read(call: &Call<'_, '_>, x: &[usize], weights: Option<&[usize]>) -> Result<Window, NodeFault> {
    let spatial = x.get(2..).filter(|spatial| !spatial.is_empty());
    let spatial = spatial.ok_or_else(|| NodeFault::Shape(format!("operand {x:?} has no spatial axis")))?;
    let (kernel, [strides, dilations, pads]) = lists(call, x, weights)?;
    let rank = spatial.len();
    let (before, after) = match call.text("auto_pad", "NOTSET").as_str() {
        "NOTSET" | "" => (pads[..rank].to_vec(), pads[rank..].to_vec()),
        "VALID" => (vec![0; rank], vec![0; rank]),
        "SAME_UPPER" => same(spatial, &kernel, &strides, &dilations, false),
        "SAME_LOWER" => same(spatial, &kernel, &strides, &dilations, true),
        other => return Err(wrong_padding(other)),
    };
    let ceil = call.flag("ceil_mode", false);
    Ok(Window { kernel, strides, before, after, dilations, ceil })
}

fn wrong_padding(value: &str) -> NodeFault {
    NodeFault::Value { name: "auto_pad", value: value.into(), supported: "NOTSET, VALID, SAME_UPPER, SAME_LOWER" }
}

/// Window of a transposed convolution.
pub(super) struct Transposed {
    /// Extents.
    pub(super) kernel: Vec<usize>,
    /// Distances between the operand's elements in the result.
    pub(super) strides: Vec<usize>,
    /// Distances between taps.
    pub(super) dilations: Vec<usize>,
    /// What is cropped from the beginning of each axis.
    pub(super) crops: Vec<usize>,
    /// Extents of the result.
    pub(super) extents: Vec<usize>,
}

/// With `output_shape` or automatic padding the total to crop follows from the extents; the larger half is cropped at the
/// beginning, with `SAME_UPPER` at the end.
pub(super) fn transposed(call: &Call<'_, '_>, x: &[usize], kernel: &[usize]) -> Result<Transposed, NodeFault> {
    let (kernel, [strides, dilations, pads]) = lists(call, x, Some(kernel))?;
    let rank = kernel.len();
    let extra = list(call, "output_padding", 0)?.unwrap_or_else(|| vec![0; rank]);
    let wanted = list(call, "output_shape", 1)?;
    let mode = call.text("auto_pad", "NOTSET");
    let (mut crops, mut extents) = (Vec::new(), Vec::new());
    for axis in 0..rank {
        let reach = (kernel[axis] - 1).saturating_mul(dilations[axis]).saturating_add(1);
        let spread = x[axis + 2].saturating_sub(1).saturating_mul(strides[axis]);
        let full = spread.saturating_add(reach).saturating_add(extra.get(axis).copied().unwrap_or(0));
        let target = match (&wanted, mode.as_str()) {
            (Some(wanted), _) => wanted.get(wanted.len().saturating_sub(rank) + axis).copied(),
            (None, "SAME_UPPER" | "SAME_LOWER") => Some(x[axis + 2].saturating_mul(strides[axis])),
            (None, "VALID") => Some(full),
            (None, "NOTSET" | "") => None,
            (None, other) => return Err(wrong_padding(other)),
        };
        let total = full.saturating_sub(target.unwrap_or(full));
        crops.push(match (target, mode.as_str()) {
            (None, _) => pads[axis],
            (Some(_), "SAME_UPPER") => total / 2,
            (Some(_), _) => total.div_ceil(2),
        });
        let padded = pads[axis].saturating_add(pads[rank + axis]);
        extents.push(target.unwrap_or(full.saturating_sub(padded)));
    }
    Ok(Transposed { kernel, strides, dilations, crops, extents })
}

/// The kernel, and strides, dilations, pads.
fn lists(
    call: &Call<'_, '_>,
    x: &[usize],
    weights: Option<&[usize]>,
) -> Result<(Vec<usize>, [Vec<usize>; 3]), NodeFault> {
    let rank = x.len().saturating_sub(2);
    if rank > MAX_SPATIAL {
        return Err(NodeFault::Shape(format!("operand {x:?} has more than {MAX_SPATIAL} spatial axes")));
    }
    let kernel = match (weights, list(call, "kernel_shape", 1)?) {
        (Some(weights), Some(kernel)) if weights != kernel => {
            return Err(NodeFault::Shape(format!("kernel_shape {kernel:?} differs from the weights' {weights:?}")));
        }
        (Some(weights), _) => weights.to_vec(),
        (None, Some(kernel)) => kernel,
        (None, None) => {
            return Err(NodeFault::Value { name: "kernel_shape", value: "absent".into(), supported: "a list" });
        }
    };
    let strides = list(call, "strides", 1)?.unwrap_or_else(|| vec![1; rank]);
    let dilations = list(call, "dilations", 1)?.unwrap_or_else(|| vec![1; rank]);
    let pads = list(call, "pads", 0)?.unwrap_or_else(|| vec![0; 2 * rank]);
    for (name, length, needed) in [
        ("kernel_shape", kernel.len(), rank),
        ("strides", strides.len(), rank),
        ("dilations", dilations.len(), rank),
        ("pads", pads.len(), 2 * rank),
    ] {
        if length != needed {
            return Err(NodeFault::Shape(format!("{name} has {length} numbers, needed are {needed}")));
        }
    }
    if kernel.contains(&0) {
        return Err(NodeFault::Shape(format!("a window of {kernel:?}")));
    }
    Ok((kernel, [strides, dilations, pads]))
}

/// Padding that gives `⌈extent / stride⌉` positions; an odd one goes after, or before if `lower`.
fn same(
    spatial: &[usize],
    kernel: &[usize],
    strides: &[usize],
    dilations: &[usize],
    lower: bool,
) -> (Vec<usize>, Vec<usize>) {
    let pads = (0..spatial.len()).map(|j| {
        let positions = spatial[j].div_ceil(strides[j]);
        let reach = (kernel[j] - 1) * dilations[j] + 1;
        let total = ((positions - 1) * strides[j] + reach).saturating_sub(spatial[j]);
        let (small, large) = (total / 2, total.div_ceil(2));
        if lower { (large, small) } else { (small, large) }
    });
    pads.unzip()
}

fn list(call: &Call<'_, '_>, name: &'static str, least: usize) -> Result<Option<Vec<usize>>, NodeFault> {
    let Some(values) = call.ints(name) else {
        return Ok(None);
    };
    let numbers: Option<Vec<usize>> =
        values.iter().map(|&v| num::index(v).filter(|v| (least..=LIMIT).contains(v))).collect();
    match numbers {
        Some(numbers) => Ok(Some(numbers)),
        None => {
            Err(NodeFault::Value { name, value: format!("{values:?}"), supported: "numbers from 1 (pads: 0) to 2^24" })
        }
    }
}
