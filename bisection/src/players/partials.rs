//! Lying partials.

use crate::claim::Claim;
use crate::honest::honest_partials;
use crate::position::{Cell, Slice};
use crate::rules::Rules;
use crate::trace::{Answer, Trace};

/// How a submitter that lies about an element answers for its reduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slant {
    /// The right partials: only the step from them to the element is wrong.
    Right,
    /// One too high and the next too low by as much: a sum stays what it was.
    Pair,
    /// Partials of another total, moved by as much as the element.
    Other,
    /// One partial too many.
    Count,
}

/// Partials of the range in dispute that keep up the lie as long as the rules allow.
///
/// # Errors
/// If the trace cannot be read.
pub fn slanted(
    slant: Slant,
    claim: &Claim,
    trace: &dyn Trace,
    (cell, slice, whole): (&Cell, &Slice, bool),
    part: usize,
    rules: &dyn Rules,
) -> Answer<Vec<i128>> {
    let at = (cell.tensor.leaf, cell.e);
    let mut partials = honest_partials(claim, trace, at, (slice.k0, slice.k1))?;
    let part = part % partials.len().max(1);
    if !whole {
        bend(&mut partials, part, slice.value, |all| rules.combine(cell.reducer, all));
        return Ok(partials);
    }
    match slant {
        Slant::Right => (),
        Slant::Count => partials.push(0),
        Slant::Pair => {
            shift(&mut partials, part, 1);
            let next = (part + 1) % partials.len().max(1);
            shift(&mut partials, next, -1);
        }
        Slant::Other => {
            // The element as the honest trace below the lie has it is unknown here; any other total will do.
            let by = slice.value.clamp(-1000, 1000).max(1);
            shift(&mut partials, part, by);
        }
    }
    Ok(partials)
}

fn shift(partials: &mut [i128], part: usize, by: i128) {
    if let Some(p) = partials.get_mut(part) {
        *p = p.saturating_add(by);
    }
}

/// Changes partials so that they combine to `value`: by one part's difference if it is a sum, else by setting one part and
/// limiting the others from the side that it needs.
fn bend(partials: &mut [i128], part: usize, value: i128, combine: impl Fn(&[i128]) -> Option<i128>) {
    let total = combine(partials).unwrap_or(0);
    if total == value {
        return;
    }
    let mut sum = partials.to_vec();
    shift(&mut sum, part, value.saturating_sub(total));
    let set = |limit: fn(i128, i128) -> i128| {
        let limited = partials.iter().map(|p| limit(*p, value));
        let mut all: Vec<i128> = limited.collect();
        if let Some(p) = all.get_mut(part) {
            *p = value;
        }
        all
    };
    let found = [sum, set(i128::min), set(i128::max)].into_iter().find(|all| combine(all) == Some(value));
    if let Some(found) = found {
        partials.copy_from_slice(&found);
    }
}
