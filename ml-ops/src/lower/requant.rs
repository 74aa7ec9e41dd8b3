//! From an accumulator to the stored integer.

use opml_vm::DType;

use super::{Arg, Builder, Draft, Reg, View};
use crate::num;

/// Fixed-point factors: `multiplier / 2^shift`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale {
    /// One for all channels, or one for each.
    pub multipliers: Vec<i64>,
    /// Right shift of the product.
    pub shift: i64,
}

/// `clamp(⌊v · multiplier / 2^shift + 1/2⌋ + zero_point, low, high)`, saturated to the type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requant {
    /// Stored type.
    pub dtype: DType,
    /// Factors.
    pub scale: Scale,
    /// Stored number that means 0.
    pub zero_point: i64,
    /// Least stored number.
    pub low: i64,
    /// Greatest stored number.
    pub high: i64,
}

impl Requant {
    /// Ends a draft: adds `bias` for the channel, scales, shifts to the zero point, clamps.
    ///
    /// Bias and multipliers of a channel stand side by side in one constant, so that one opened leaf shows both.
    pub(super) fn finish(
        &self,
        builder: &mut Builder,
        draft: &mut Draft,
        acc: Reg,
        channel: &[(Reg, i64, i64)],
        bias: &[i64],
    ) {
        let factors = &self.scale.multipliers;
        let (many, biased) = (factors.len() > 1, bias.iter().any(|&b| b != 0));
        let biased_each = biased && bias.len() > 1;
        let mut value = acc;
        let mut factor: Arg = factors.first().copied().unwrap_or(0).into();
        let load = |draft: &mut Draft, table: &View, width: i64, at: i64| {
            let terms = channel.iter().map(|&(reg, extent, stride)| (reg, extent, stride * width));
            let terms: Vec<_> = terms.collect();
            draft.load_column(table, &terms, at)
        };
        match (biased_each, many) {
            (true, true) => {
                let pairs: Vec<i64> = bias.iter().zip(factors).flat_map(|(&b, &m)| [b, m]).collect();
                let table = builder.constant(Builder::width(&pairs), &[num::signed(pairs.len())], &pairs);
                let bias = load(draft, &table, 2, 0);
                value = draft.add(value, bias);
                factor = load(draft, &table, 2, 1).into();
            }
            (true, false) => {
                let table = builder.constant(Builder::width(bias), &[num::signed(bias.len())], bias);
                let bias = load(draft, &table, 1, 0);
                value = draft.add(value, bias);
            }
            (false, _) => {
                if biased {
                    value = draft.add(value, bias.first().copied().unwrap_or(0));
                }
                if many {
                    let table = builder.constant(Builder::width(factors), &[num::signed(factors.len())], factors);
                    factor = load(draft, &table, 1, 0).into();
                }
            }
        }
        let value = draft.mulshr(value, factor, self.scale.shift);
        self.place(draft, value);
    }

    /// Shifts to the zero point and clamps where the type does not do it.
    pub fn place(&self, draft: &mut Draft, value: Reg) -> Reg {
        let mut value = value;
        if self.zero_point != 0 {
            value = draft.add(value, self.zero_point);
        }
        if self.low > self.dtype.min() || self.high < self.dtype.max() {
            value = draft.clamp(value, self.low, self.high);
        }
        value
    }
}

impl Draft {
    /// Reads the element at `at + Σ stride · reg`.
    pub(super) fn load_column(&mut self, table: &View, terms: &[(Reg, i64, i64)], at: i64) -> Reg {
        let index = terms
            .iter()
            .fold(super::Index::constant(table.base + at), |index, &(reg, _, stride)| index.plus(reg, stride));
        self.load(table.stored.clone(), 0, vec![(table.stored.elements, index)])
    }
}
