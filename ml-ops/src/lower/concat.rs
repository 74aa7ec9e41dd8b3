//! Joining tensors: a sum of loads, of which all but one read their pad.

use opml_vm::Reducer;

use super::{
    Builder, Digit, Draft, Index, LowerError, Reg, Requant, View,
    view::{from_order, stored_order},
    words::{Covered, words},
};

/// One of the joined tensors.
#[derive(Debug, Clone)]
pub struct Part {
    /// The tensor.
    pub view: View,
    /// Stored number that means 0.
    pub zero_point: i64,
    /// Factor over `2^shift` of the result; `None` keeps stored numbers as they are.
    pub multiplier: Option<i64>,
}

/// Parts one after another along an axis; the result is stored like the first one.
///
/// # Errors
/// An operand lies so that an instruction cannot address it, or there are too many of them.
pub fn concat(builder: &mut Builder, parts: &[Part], axis: usize, requant: &Requant) -> Result<View, LowerError> {
    let first = parts.first().ok_or(LowerError::Layout("a concatenation needs an operand"))?;
    let mut shape = first.view.shape();
    shape[axis] = parts.iter().map(|part| part.view.shape()[axis]).sum();
    let digits = digits(&first.view)?;
    let order = stored_order(&digits);
    let mut draft = Draft::new(requant.dtype, Reducer::Sum);
    let mut regs: Vec<Option<Reg>> = vec![None; shape.len()];
    for &axis in order.iter().filter(|&&axis| shape[axis] != 1) {
        regs[axis] = Some(draft.output(shape[axis]));
    }
    let (mut start, mut offset) = (0, 0i64);
    let mut sum: Option<Reg> = None;
    for part in parts {
        let own = part.view.shape();
        let covered = self::digits(&part.view)?.into_iter().enumerate().map(|(j, digit)| {
            let index = regs[j].map_or_else(Index::default, Index::from);
            let (index, inside) = if j == axis { (index - start, false) } else { (index, true) };
            Covered { digit, index, inside }
        });
        let axes = words(covered.collect(), &part.view)?;
        let pad = if part.multiplier.is_some() { part.zero_point } else { 0 };
        let mut term = draft.load(part.view.stored.clone(), pad, axes);
        if let Some(multiplier) = part.multiplier {
            term = draft.mul(term, multiplier);
            offset = offset.saturating_sub(part.zero_point.saturating_mul(multiplier));
        }
        sum = Some(match sum {
            Some(sum) => draft.add(sum, term),
            None => term,
        });
        start += own[axis];
    }
    let mut value = sum.ok_or(LowerError::Layout("a concatenation needs an operand"))?;
    if parts.iter().any(|part| part.multiplier.is_some()) {
        if offset != 0 {
            value = draft.add(value, offset);
        }
        value = draft.rshr(value, requant.scale.shift);
        requant.place(&mut draft, value);
    }
    let stored = builder.push(draft)?;
    Ok(from_order(stored, &order, &shape))
}

fn digits(view: &View) -> Result<Vec<Digit>, LowerError> {
    (0..view.axes.len()).map(|axis| view.digit(axis)).collect()
}
