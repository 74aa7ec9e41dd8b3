//! Windows: their spatial axes, and pooling.

use super::Emit;
use crate::{
    graph::{Node, Window},
    lower::{self, Builder, LowerError, Spatial, View},
    num,
};

impl Emit<'_> {
    /// The window over the positions of the node's result.
    pub(super) fn spatial(&self, node: &Node, window: &Window) -> Vec<Spatial> {
        let positions = self.shape(node);
        (0..window.kernel.len())
            .map(|axis| Spatial {
                kernel: num::signed(window.kernel[axis]),
                stride: num::signed(window.strides[axis]),
                dilation: num::signed(window.dilations[axis]),
                before: num::signed(window.before[axis]),
                positions: positions[axis + 2],
            })
            .collect()
    }

    /// A lowering of windows over a tensor as it lies, or over a copy if a window cannot address it, as after a shuffle of
    /// channels. The copy has channels innermost, like results of convolutions.
    pub(super) fn windowed(
        &mut self,
        x: &View,
        lowering: impl Fn(&mut Builder, &View) -> Result<View, LowerError>,
    ) -> Result<View, LowerError> {
        match lowering(&mut self.builder, x) {
            Err(LowerError::Layout(_)) => {
                let rank = x.axes.len();
                let inward: Vec<usize> = (0..1).chain(2..rank).chain(1..2).take(rank).collect();
                let outward: Vec<usize> = (0..1).chain([rank.saturating_sub(1)]).chain(1..rank).take(rank).collect();
                let copied = lower::copy(&mut self.builder, &x.transpose(&inward))?;
                lowering(&mut self.builder, &copied.transpose(&outward))
            }
            result => result,
        }
    }

    pub(super) fn max_pool(&mut self, node: &Node, window: &Window) -> Result<View, LowerError> {
        let (x, _) = self.place(node.inputs[0])?;
        let spatial = self.spatial(node, window);
        self.windowed(&x, |builder, x| lower::max_pool(builder, x, &spatial))
    }

    pub(super) fn average_pool(&mut self, node: &Node, window: &Window, count_pad: bool) -> Result<View, LowerError> {
        let (x, encoding) = self.place(node.inputs[0])?;
        let spatial = self.spatial(node, window);
        let shape = self.graph.shape(node.inputs[0]);
        let ratio = encoding.scale / self.encoding(node)?.scale;
        // Divisors are products over the axes, position by position.
        let mut divisors = vec![1];
        for (axis, place) in spatial.iter().enumerate() {
            let (extent, after) = (num::signed(shape[axis + 2]), num::signed(window.after[axis]));
            let counts: Vec<i64> =
                (0..place.positions).map(|position| covered(place, position, extent, after, count_pad)).collect();
            divisors = divisors.iter().flat_map(|d| counts.iter().map(move |count| d * count)).collect();
        }
        let factors: Vec<f64> = divisors.iter().map(|&d| ratio / num::real(d.max(1))).collect();
        let requant = self.requant(node, &factors)?;
        let pad = encoding.zero_point;
        self.windowed(&x, |builder, x| lower::average_pool(builder, x, &spatial, pad, &requant))
    }
}

/// Taps at a position that count in the divisor: those on elements, or on padding too.
fn covered(window: &Spatial, position: i64, extent: i64, after: i64, count_pad: bool) -> i64 {
    let (low, high) = if count_pad { (-window.before, extent + after) } else { (0, extent) };
    let place = |tap: i64| position * window.stride + tap * window.dilation - window.before;
    let inside = (0..window.kernel).filter(|&tap| (low..high).contains(&place(tap)));
    num::signed(inside.count())
}
