//! Reductions over axes.

use opml_vm::Reducer;

use super::{super::multiplier, Emit};
use crate::{
    graph::{Encoding, Node, Reduction},
    lower::{self, Draft, LowerError, Reg, Scale, View},
    num,
};

/// Bits that sums have.
const SUM_BITS: i64 = 62;

impl Emit<'_> {
    pub(super) fn reduce(
        &mut self,
        node: &Node,
        kind: Reduction,
        axes: &[usize],
    ) -> Result<(View, Encoding), LowerError> {
        let (x, from) = self.place(node.inputs[0])?;
        let (dtype, zero) = (from.dtype, from.zero_point);
        let exact = self.is_exact(node);
        let to = self.encoding(node)?;
        let count: i64 = axes.iter().map(|&axis| x.shape()[axis]).product();
        let extreme = match kind {
            Reduction::Max => Some(Reducer::Max),
            Reduction::Min => Some(Reducer::Min),
            _ => None,
        };
        if let Some(reducer) = extreme {
            let form = (dtype, reducer);
            let view = lower::reduction(&mut self.builder, (&x, axes), form, &[], |_, x, _| x, |_, acc| acc)?;
            return Ok((view, from));
        }
        if exact && kind != Reduction::Mean {
            return Ok((self.exact_reduction(node, &x, kind, axes)?, to));
        }
        let mean = if kind == Reduction::Mean { 1.0 / num::real(count.max(1)) } else { 1.0 };
        let view = match kind {
            Reduction::Sum | Reduction::Mean => {
                let requant = self.requant(node, &[from.scale * mean / to.scale])?;
                let finish = finish(&requant, zero.saturating_mul(-count));
                let form = (requant.dtype, Reducer::Sum);
                lower::reduction(&mut self.builder, (&x, axes), form, &[], |_, x, _| x, finish)?
            }
            Reduction::SumAbs => {
                let requant = self.requant(node, &[from.scale / to.scale])?;
                let form = (requant.dtype, Reducer::Sum);
                let term = |draft: &mut Draft, x: Reg, _: &[Reg]| {
                    let x = draft.sub(x, zero);
                    draft.abs(x)
                };
                lower::reduction(&mut self.builder, (&x, axes), form, &[], term, finish(&requant, 0))?
            }
            Reduction::SumSquare => {
                // Squares lose the bits that a sum of so many would have too many.
                let own = if from.is_integer() { multiplier::bits(dtype) } else { multiplier::bits(dtype).min(41) };
                let cut = (2 * own + multiplier::exponent(num::real(count)) - SUM_BITS).max(0);
                let unit = from.scale * from.scale * multiplier::power(cut);
                let requant = self.requant(node, &[unit / to.scale])?;
                let form = (requant.dtype, Reducer::Sum);
                let term = |draft: &mut Draft, x: Reg, _: &[Reg]| {
                    let x = if zero == 0 { x } else { draft.sub(x, zero) };
                    if cut == 0 { draft.mul(x, x) } else { draft.mulshr(x, x, cut) }
                };
                lower::reduction(&mut self.builder, (&x, axes), form, &[], term, finish(&requant, 0))?
            }
            _ => self.real_product(node, &x, from, axes, count)?,
        };
        Ok((view, to))
    }

    fn exact_reduction(&mut self, node: &Node, x: &View, kind: Reduction, axes: &[usize]) -> Result<View, LowerError> {
        let requant = self.bounds(node)?;
        let place = |draft: &mut Draft, acc: Reg| requant.place(draft, acc);
        if kind == Reduction::Product {
            return lower::product_of_integers(&mut self.builder, x, axes, requant.dtype, place);
        }
        let form = (requant.dtype, Reducer::Sum);
        let term: fn(&mut Draft, Reg, &[Reg]) -> Reg = match kind {
            Reduction::SumAbs => |draft, x, _| draft.abs(x),
            Reduction::SumSquare => |draft, x, _| draft.mul(x, x),
            _ => |_, x, _| x,
        };
        lower::reduction(&mut self.builder, (x, axes), form, &[], term, place)
    }

    fn real_product(
        &mut self,
        node: &Node,
        x: &View,
        from: Encoding,
        axes: &[usize],
        count: i64,
    ) -> Result<View, LowerError> {
        // The units' product can be far outside of what a factor holds: its power of two joins the mantissa's.
        let logs = libm::log2(from.scale) * num::real(count) - libm::log2(self.encoding(node)?.scale);
        let whole = num::round(libm::floor(logs));
        let factor = multiplier::fixed(libm::exp2(logs - num::real(whole)), 29);
        let requant = self.requant_scaled(node, Scale { multipliers: vec![], shift: 0 })?;
        lower::product_of_reals(
            &mut self.builder,
            (x, from.zero_point),
            axes,
            requant.dtype,
            |draft, mantissa, bits| {
                let value = draft.mul(mantissa, factor);
                let down = draft.sub(29 - whole, bits);
                let up = draft.sub(0, down);
                let value = draft.rshr(value, down);
                let value = draft.shl(value, up);
                requant.place(draft, value)
            },
        )
    }
}

/// Adds an offset, scales, places.
fn finish(requant: &lower::Requant, offset: i64) -> impl FnOnce(&mut Draft, Reg) -> Reg {
    move |draft, acc| {
        let acc = if offset == 0 { acc } else { draft.add(acc, offset) };
        let factor = requant.scale.multipliers.first().copied().unwrap_or(0);
        let value = draft.mulshr(acc, factor, requant.scale.shift);
        requant.place(draft, value)
    }
}
