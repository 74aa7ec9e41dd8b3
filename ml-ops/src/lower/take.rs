//! Elements of an operand in another order, with repetitions and gaps.

use opml_vm::Reducer;

use super::{
    Builder, Digit, Draft, Index, LowerError, Reg, View, view,
    words::{Covered, words},
};
use crate::num;

/// Most parts of an axis that is left as a view.
const PARTS: usize = 3;

/// Where the elements of one axis come from.
pub type Sources = [Option<i64>];

/// The list as digits over an axis of stride 1 and the first index: counting steps inside counting steps.
///
/// `None` if the list has gaps, or is not that regular.
fn regular(sources: &Sources) -> Option<(i64, Vec<Digit>)> {
    let list: Vec<i64> = sources.iter().copied().collect::<Option<_>>()?;
    let first = *list.first()?;
    let mut digits = Vec::new();
    let mut list = list;
    while list.len() > 1 {
        let step = list[1] - list[0];
        let run = list.windows(2).take_while(|pair| pair[1] - pair[0] == step).count() + 1;
        // The longest block that divides the list and repeats up to a shift.
        let fits = |size: &usize| {
            list.len().is_multiple_of(*size)
                && list.chunks(*size).all(|block| block.windows(2).all(|pair| pair[1] - pair[0] == step))
        };
        let size = (2..=run).rev().find(fits)?;
        digits.insert(0, Digit { extent: num::signed(size), stride: step });
        list = list.chunks(size).map(|block| block[0]).collect();
    }
    (digits.len() <= PARTS).then_some((first, digits))
}

/// The axis as digits of the operand, without an instruction; `None` if that is not possible.
pub fn take_axis(x: &View, axis: usize, sources: &Sources) -> Option<View> {
    let own = x.digit(axis).ok()?;
    let (first, digits) = regular(sources)?;
    let scaled = digits.iter().map(|digit| Digit { stride: digit.stride * own.stride, ..*digit });
    let mut result = x.clone();
    result.base += first * own.stride;
    result.axes[axis] = scaled.collect();
    Some(result)
}

/// `base + step · j`, of which exactly the present sources lie inside the axis.
fn affine(sources: &Sources, extent: i64) -> Option<(i64, i64)> {
    let mut present = (0..).zip(sources).filter_map(|(j, source): (i64, _)| source.map(|source| (j, source)));
    let (first, at) = present.next()?;
    let step = present.next().map_or(extent, |(j, source)| if j == first + 1 { source - at } else { 0 });
    let base = at - step * first;
    let fits = (0..).zip(sources).all(|(j, source): (i64, _)| {
        let index = base + step * j;
        *source == (0..extent).contains(&index).then_some(index)
    });
    (step != 0 && fits).then_some((base, step))
}

/// Result index `j` along each axis reads index `axes[j]`, or `fill` where there is none. The operand's axes lie in one
/// part each and cover the stored tensor.
///
/// # Errors
/// The operand lies otherwise, or has too many axes.
pub fn take(builder: &mut Builder, x: &View, axes: &[Option<&Sources>], fill: i64) -> Result<View, LowerError> {
    let digits: Vec<Digit> = (0..x.axes.len()).map(|axis| x.digit(axis)).collect::<Result<_, _>>()?;
    let extents: Vec<i64> = digits
        .iter()
        .zip(axes)
        .map(|(digit, sources)| sources.map_or(digit.extent, |s| num::signed(s.len())))
        .collect();
    let mut draft = Draft::new(x.stored.dtype, Reducer::Sum);
    let order = view::stored_order(&digits);
    let mut regs: Vec<Option<Reg>> = vec![None; digits.len()];
    for &axis in order.iter().filter(|&&axis| extents[axis] != 1) {
        regs[axis] = Some(draft.output(extents[axis]));
    }
    let mut covered = Vec::with_capacity(digits.len());
    for (axis, &digit) in digits.iter().enumerate() {
        let position = regs[axis].map_or_else(Index::default, Index::from);
        let Some(sources) = axes[axis] else {
            covered.push(Covered { digit, index: position, inside: true });
            continue;
        };
        let inside = sources.iter().all(Option::is_some);
        let index = match affine(sources, digit.extent) {
            Some((base, step)) => position * step + base,
            None => {
                let table: Vec<i64> = sources.iter().map(|source| source.unwrap_or(-1)).collect();
                let table = builder.constant(Builder::width(&table), &[num::signed(table.len())], &table);
                let entries = table.stored.elements;
                Index::from(draft.load(table.stored, -1, vec![(entries, position)]))
            }
        };
        covered.push(Covered { digit, index, inside });
    }
    let words = words(covered, x)?;
    draft.load(x.stored.clone(), fill, words);
    let stored = builder.push(draft)?;
    Ok(view::from_order(stored, &order, &extents))
}
