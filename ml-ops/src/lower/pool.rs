//! Pooling over windows.

use opml_vm::Reducer;

use super::{
    Builder, Digit, Draft, Index, LowerError, Reg, Requant, Spatial, Stored, View,
    view::{from_order, stored_order},
    words::{Covered, words},
};
use crate::num;

/// The loops and the load that all poolings share.
struct Pool {
    draft: Draft,
    /// Coordinates of the spatial positions.
    positions: Vec<Option<Reg>>,
    /// Logical axes in the order of storage.
    order: Vec<usize>,
    extents: Vec<i64>,
}

impl Pool {
    /// Loads one tap of each window of `x [N, C, ..]`; the result will be stored like `x`.
    fn new(x: &View, spatial: &[Spatial], mut draft: Draft, pad: i64) -> Result<Self, LowerError> {
        let digits: Vec<Digit> = (0..x.axes.len()).map(|axis| x.digit(axis)).collect::<Result<_, _>>()?;
        if digits.len() != spatial.len() + 2 {
            return Err(LowerError::Layout("a pooling needs batch, channels and its spatial axes"));
        }
        let window = |axis: usize| axis.checked_sub(2).map(|axis| &spatial[axis]);
        let extents: Vec<i64> =
            (0..digits.len()).map(|axis| window(axis).map_or(digits[axis].extent, |window| window.positions)).collect();
        let order = stored_order(&digits);
        let mut outputs: Vec<Option<Reg>> = vec![None; digits.len()];
        for &axis in order.iter().filter(|&&axis| extents[axis] != 1) {
            outputs[axis] = Some(draft.output(extents[axis]));
        }
        let mut taps: Vec<Option<Reg>> = vec![None; digits.len()];
        for &axis in &order {
            if let Some(window) = window(axis).filter(|window| window.kernel != 1) {
                taps[axis] = Some(draft.reduce(window.kernel));
            }
        }
        let covered = (0..digits.len()).map(|axis| match window(axis) {
            Some(window) => Covered {
                digit: digits[axis],
                index: window.index(outputs[axis], taps[axis]),
                inside: window.is_inside(digits[axis].extent),
            },
            None => Covered {
                digit: digits[axis],
                index: outputs[axis].map_or_else(Index::default, Index::from),
                inside: true,
            },
        });
        let axes = words(covered.collect(), x)?;
        draft.load(x.stored.clone(), pad, axes);
        Ok(Self { draft, positions: outputs.split_off(2), order, extents })
    }

    fn result(&self, stored: Stored) -> View {
        from_order(stored, &self.order, &self.extents)
    }
}

/// Largest element of each window of `x [N, C, ..]`; padding never wins.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn max_pool(builder: &mut Builder, x: &View, spatial: &[Spatial]) -> Result<View, LowerError> {
    let dtype = x.stored.dtype;
    let mut pool = Pool::new(x, spatial, Draft::new(dtype, Reducer::Max), dtype.min())?;
    let stored = {
        pool.draft.reduced();
        let draft = std::mem::replace(&mut pool.draft, Draft::new(dtype, Reducer::Max));
        builder.push(draft)?
    };
    Ok(pool.result(stored))
}

/// Mean of each window of `x [N, C, ..]`: the sum with `pad` outside, less `pad` for every tap, times a factor.
///
/// `requant` has one multiplier, or one for each position (row-major): windows at borders may have other divisors.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn average_pool(
    builder: &mut Builder,
    x: &View,
    spatial: &[Spatial],
    pad: i64,
    requant: &Requant,
) -> Result<View, LowerError> {
    let mut pool = Pool::new(x, spatial, Draft::new(requant.dtype, Reducer::Sum), pad)?;
    let acc = pool.draft.reduced();
    let taps: i64 = spatial.iter().map(|window| window.kernel).product();
    let mut stride = 1;
    let mut terms = Vec::new();
    for (reg, window) in pool.positions.iter().zip(spatial).rev() {
        terms.extend(reg.map(|reg| (reg, window.positions, stride)));
        stride *= window.positions;
    }
    debug_assert!(matches!(num::signed(requant.scale.multipliers.len()), n if n == 1 || n == stride), "table size");
    requant.finish(builder, &mut pool.draft, acc, &terms, &[-pad * taps]);
    let draft = std::mem::replace(&mut pool.draft, Draft::new(requant.dtype, Reducer::Sum));
    let stored = builder.push(draft)?;
    Ok(pool.result(stored))
}
