//! Along one axis: running sums, the largest elements, interpolation.

use opml_vm::DType;

use super::{super::multiplier, Emit};
use crate::{
    graph::{Encoding, Node},
    lower::{self, LowerError, Scan, Taps, View},
    num,
};

impl Emit<'_> {
    pub(super) fn cum_sum(
        &mut self,
        node: &Node,
        axis: usize,
        exclusive: bool,
        reverse: bool,
    ) -> Result<View, LowerError> {
        let (x, from) = self.place(node.inputs[0])?;
        let requant = if self.is_exact(node) {
            self.bounds(node)?
        } else {
            self.requant(node, &[from.scale / self.encoding(node)?.scale])?
        };
        let bits = multiplier::bits(from.dtype) + multiplier::exponent(num::real(x.shape()[axis])) + 1;
        let sums = if bits <= 32 { DType::I32 } else { DType::I64 };
        let scan = Scan { exclusive, reverse, zero_point: from.zero_point, sums };
        lower::cum_sum(&mut self.builder, &x, axis, scan, &requant)
    }

    pub(super) fn top_k(
        &mut self,
        node: &Node,
        axis: usize,
        k: usize,
        largest: bool,
        indices: bool,
    ) -> Result<(View, Encoding), LowerError> {
        let (x, from) = self.place(node.inputs[0])?;
        let name = (node.inputs[0], axis, k, largest);
        let top = match self.tops.get(&name) {
            Some(top) => top.clone(),
            None => lower::top_k(&mut self.builder, &x, axis, num::signed(k), largest)?,
        };
        self.tops.insert(name, top.clone());
        let encoding = if indices { self.encoding(node)? } else { from };
        Ok((top.read(&mut self.builder, encoding.dtype, indices)?, encoding))
    }

    pub(super) fn resample(
        &mut self,
        node: &Node,
        axis: usize,
        taps: &[Vec<(usize, f32)>],
    ) -> Result<View, LowerError> {
        let (x, from) = self.place(node.inputs[0])?;
        let x = self.in_parts(x, [axis])?;
        let bits = if from.dtype.bits() <= 8 { 14 } else { 22 };
        let width = taps.iter().map(Vec::len).max().unwrap_or(0);
        let (mut indices, mut weights) = (Vec::new(), Vec::new());
        for list in taps {
            let padding = std::iter::repeat_n((0, 0.0), width - list.len());
            for (index, weight) in list.iter().copied().chain(padding) {
                indices.push(num::signed(index));
                weights.push(multiplier::fixed(f64::from(weight), bits));
            }
        }
        let factor = from.scale * multiplier::power(-bits) / self.encoding(node)?.scale;
        let requant = self.requant(node, &[factor])?;
        let taps = Taps { indices: &indices, weights: &weights, width: num::signed(width) };
        lower::resample(&mut self.builder, (&x, from.zero_point), axis, &taps, &requant)
    }
}
