//! Convolution: one instruction for any stride, padding, dilation and grouping.

use opml_vm::{DType, Reducer};

use super::{
    Builder, Digit, Draft, Index, LowerError, Reg, Requant, View,
    words::{Covered, words},
};
use crate::{moves, num};

/// One spatial axis of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spatial {
    /// Taps.
    pub kernel: i64,
    /// Step between positions.
    pub stride: i64,
    /// Distance between taps.
    pub dilation: i64,
    /// Padding before.
    pub before: i64,
    /// Positions.
    pub positions: i64,
}

impl Spatial {
    /// Whether no tap ever leaves an axis of this extent.
    pub(super) const fn is_inside(&self, extent: i64) -> bool {
        let last = (self.positions - 1) * self.stride + (self.kernel - 1) * self.dilation - self.before;
        self.before == 0 && last < extent
    }

    /// Index of a tap.
    pub(super) fn index(&self, position: Option<Reg>, tap: Option<Reg>) -> Index {
        let mut index = Index::constant(-self.before);
        if let Some(position) = position {
            index = index.plus(position, self.stride);
        }
        if let Some(tap) = tap {
            index = index.plus(tap, self.dilation);
        }
        index
    }
}

/// A convolution in integers.
#[derive(Debug, Clone)]
pub struct Convolution<'a> {
    /// Spatial axes.
    pub spatial: Vec<Spatial>,
    /// Groups of channels.
    pub groups: i64,
    /// Weights `[M, C/groups, taps ..]`, row-major, and their type.
    pub weights: (DType, &'a [i64]),
    /// One for each of the `M` results.
    pub bias: &'a [i64],
    /// What padding reads: the zero point of `x`.
    pub pad: i64,
}

/// A reduction axis: its extent, its stride in `x`, and the axis of the weights it walks.
struct Tap {
    extent: i64,
    stride: i64,
    weight_axis: usize,
}

/// A convolution of `x [N, C, ..]`. The result is stored `[N, .., M]`: channels innermost.
///
/// # Errors
/// An operand lies so that an instruction cannot address it.
pub fn convolution(
    builder: &mut Builder,
    x: &View,
    convolution: &Convolution<'_>,
    requant: &Requant,
) -> Result<View, LowerError> {
    let digits: Vec<Digit> = (0..x.axes.len()).map(|axis| x.digit(axis)).collect::<Result<_, _>>()?;
    let ([batch, channels], spatial_digits) = match digits.split_at_checked(2) {
        Some(([n, c], rest)) if rest.len() == convolution.spatial.len() => ([*n, *c], rest),
        _ => return Err(LowerError::Layout("a convolution needs batch, channels and its spatial axes")),
    };
    let groups = convolution.groups;
    let per_group = channels.extent / groups;
    let taps = taps(convolution, per_group, channels, spatial_digits);
    let k: i64 = taps.iter().map(|tap| tap.extent).product();
    let m = num::signed(convolution.weights.1.len()).checked_div(k).unwrap_or(0);
    let per_group_out = m / groups;

    let mut draft = Draft::new(requant.dtype, Reducer::Sum);
    let mut output = |extent: i64| (extent != 1).then(|| draft.output(extent));
    let image = output(batch.extent);
    let positions: Vec<Option<Reg>> = convolution.spatial.iter().map(|axis| output(axis.positions)).collect();
    let group = output(groups);
    let member = output(per_group_out);

    // A kernel row and the channels inside it are consecutive in x: one reduction axis for both.
    let row = joined_row(convolution, &taps, channels, spatial_digits);
    let mut regs: Vec<Option<Reg>> = vec![None; taps.len()];
    let mut w_terms = Vec::new();
    let mut left = k;
    for (number, tap) in taps.iter().enumerate() {
        let joined = if row == Some(number) { per_group } else { 1 };
        left /= tap.extent;
        if row.is_some_and(|row| number == row + 1) || tap.extent * joined == 1 {
            continue;
        }
        let reg = draft.reduce(tap.extent * joined);
        regs[number] = Some(reg);
        w_terms.push((reg, tap.extent * joined, left / joined));
    }
    let tap_reg = |weight_axis: usize| taps.iter().position(|tap| tap.weight_axis == weight_axis).and_then(|n| regs[n]);

    let mut covered = Vec::new();
    let from = |reg: Option<Reg>, stride: i64| reg.map_or_else(Index::default, |reg| reg * stride);
    covered.push(Covered { digit: batch, index: from(image, 1), inside: true });
    let mut channel = from(group, per_group) + from(tap_reg(1), 1);
    for (axis, (spatial, digit)) in convolution.spatial.iter().zip(spatial_digits).enumerate() {
        let mut tap = tap_reg(axis + 2);
        if row.is_some_and(|row| taps[row].weight_axis == axis + 2) {
            // The joint register counts channels; its share along this axis arrives through the channel's index.
            channel = from(tap, 1);
            tap = None;
        }
        let inside = spatial.is_inside(digit.extent);
        covered.push(Covered { digit: *digit, index: spatial.index(positions[axis], tap), inside });
    }
    covered.push(Covered { digit: channels, index: channel, inside: true });
    let axes = words(covered, x)?;

    let weights = arrange(convolution, m, per_group, &taps);
    let w = builder.constant(convolution.weights.0, &[m, k], &weights);
    let mut channel_terms = Vec::new();
    for (reg, extent, stride) in [(group, groups, per_group_out), (member, per_group_out, 1)] {
        channel_terms.extend(reg.map(|reg| (reg, extent, stride)));
    }
    w_terms.extend(channel_terms.iter().map(|&(reg, extent, stride)| (reg, extent, stride * k)));
    let a = draft.load(x.stored.clone(), convolution.pad, axes);
    let b = draft.load_at(&w, &w_terms);
    draft.mul(a, b);
    let acc = draft.reduced();
    requant.finish(builder, &mut draft, acc, &channel_terms, convolution.bias);
    let stored = builder.push(draft)?;
    Ok(channels_last(stored, batch.extent, m, convolution.spatial.iter().map(|axis| axis.positions).collect()))
}

/// Reduction axes in the order of their strides in `x`, largest first.
fn taps(convolution: &Convolution<'_>, per_group: i64, channels: Digit, spatial: &[Digit]) -> Vec<Tap> {
    let mut taps = vec![Tap { extent: per_group, stride: channels.stride, weight_axis: 1 }];
    for (axis, (window, digit)) in convolution.spatial.iter().zip(spatial).enumerate() {
        taps.push(Tap { extent: window.kernel, stride: digit.stride * window.dilation, weight_axis: axis + 2 });
    }
    taps.sort_by_key(|tap| std::cmp::Reverse(tap.stride));
    taps
}

/// The number of the tap that continues the channels right after it: consecutive pixels of an ungrouped convolution.
fn joined_row(convolution: &Convolution<'_>, taps: &[Tap], channels: Digit, spatial: &[Digit]) -> Option<usize> {
    let (last, before) = (taps.last()?, taps.len().checked_sub(2)?);
    let row = &taps[before];
    let axis = row.weight_axis.checked_sub(2)?;
    let consecutive = last.weight_axis == 1
        && channels.stride == 1
        && channels.extent > 1
        && convolution.groups == 1
        && row.extent > 1
        && convolution.spatial[axis].dilation == 1
        && spatial[axis].extent > 1
        && spatial[axis].stride == channels.extent;
    consecutive.then_some(before)
}

/// Weights with the reduction in the order of `taps`.
fn arrange(convolution: &Convolution<'_>, m: i64, per_group: i64, taps: &[Tap]) -> Vec<i64> {
    let size = |n: i64| num::index(n).unwrap_or(0);
    let mut shape = vec![size(m), size(per_group)];
    shape.extend(convolution.spatial.iter().map(|axis| size(axis.kernel)));
    let mut perm = vec![0];
    perm.extend(taps.iter().map(|tap| tap.weight_axis));
    moves::transpose(&shape, convolution.weights.1, &perm)
}

/// `[N, M, ..]` over elements stored `[N, .., M]`.
fn channels_last(stored: super::Stored, n: i64, m: i64, positions: Vec<i64>) -> View {
    let mut order = vec![n];
    order.extend(&positions);
    order.push(m);
    let rank = order.len();
    let mut perm = vec![0, rank - 1];
    perm.extend(1..rank - 1);
    View::contiguous(stored, &order).transpose(&perm)
}
