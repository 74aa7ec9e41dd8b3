//! Telling a lie: the honest trace with what the lie changes.

use super::lies::target;
use super::{Corrupted, Dice, Lies};
use crate::claim::Claim;
use crate::position::Header;
use crate::rules::Rules;
use crate::trace::{Answer, Trace};
use crate::tree;

/// The trace `base` with the lie in it; none if it has no room for such a lie.
pub(super) fn corrupt<'a>(
    lies: Lies,
    claim: &Claim,
    trace: Corrupted<'a, dyn Trace + 'a>,
    (base, rules): (&'a dyn Trace, &'a dyn Rules),
    dice: &mut Dice,
) -> Answer<Option<Corrupted<'a, dyn Trace + 'a>>> {
    let n = claim.leaves();
    let depth = tree::depth(n);
    let length = |leaf: u64| base.bytes(leaf).map(|bytes| bytes.len());
    let found = match lies {
        Lies::OneByte | Lies::Stalls | Lies::Garbage => target(claim, base, dice, |_, elements| Ok(elements > 0))?,
        Lies::DeadValue => target(claim, base, dice, |leaf, elements| Ok(elements > 0 && leaf != claim.output_leaf()))?,
        Lies::TensorPadding => target(claim, base, dice, |leaf, _| Ok(!length(leaf)?.is_multiple_of(256)))?,
        Lies::Dtype | Lies::Elements => target(claim, base, dice, |_, _| Ok(true))?,
        Lies::Partials(_) => {
            target(claim, base, dice, |leaf, elements| Ok(elements > 0 && base.shape(leaf)?.terms >= 2))?
        }
        Lies::JunkNode => {
            let height = u32::try_from(dice.below(u64::from(depth) + 1)).unwrap_or(0);
            let index = dice.below(tree::width(n, height));
            return Ok(Some(trace.junk(height, index, dice.hash())));
        }
        Lies::TracePadding => {
            let room = (1 << depth) - n;
            return Ok((room > 0).then(|| trace.junk(0, n + dice.below(room), dice.hash())));
        }
        Lies::ForgedHalt => claim.halt_at.map(|halt| claim.leaf(claim.length - 1, halt)),
        Lies::HiddenHalt => return hide_halts(claim, trace, (base, rules)),
        _ => return Ok(Some(trace)),
    };
    let Some(leaf) = found else { return Ok(None) };
    let Header { dtype, elements } = base.header(leaf)?;
    match lies {
        Lies::TensorPadding => trace.pad(leaf).map(Some),
        Lies::Dtype => {
            let other =
                (1..=4).map(|by| (dtype + by) % 5).find(|d| rules.element_size(*d).is_some() && dice.below(2) == 0);
            let dtype = other.unwrap_or((dtype + 1) % 5);
            Ok(Some(trace.value(leaf, Header { dtype, elements }, base.bytes(leaf)?)))
        }
        Lies::Elements => {
            let elements = if elements > 0 && dice.below(2) == 0 { elements - 1 } else { elements + 1 };
            Ok(Some(trace.value(leaf, Header { dtype, elements }, base.bytes(leaf)?)))
        }
        // A halt value without elements has no byte to forge.
        Lies::ForgedHalt if elements == 0 => Ok(None),
        Lies::ForgedHalt => trace.flip(leaf, 0, 1).map(Some),
        _ => {
            let at = dice.index(length(leaf)?);
            trace.flip(leaf, at, 1 << (at % 8)).map(Some)
        }
    }
}

/// Writes 0 over all halts before the last iteration.
fn hide_halts<'a>(
    claim: &Claim,
    mut trace: Corrupted<'a, dyn Trace + 'a>,
    (base, rules): (&dyn Trace, &dyn Rules),
) -> Answer<Option<Corrupted<'a, dyn Trace + 'a>>> {
    let Some(halt) = claim.halt_at else { return Ok(None) };
    for t in 0..claim.length - 1 {
        let leaf = claim.leaf(t, halt);
        let header = base.header(leaf)?;
        if header.elements > 0 && base.element(leaf, 0)? != 0 {
            let size = usize::try_from(rules.element_size(header.dtype).unwrap_or(0)).unwrap_or(0);
            let mut bytes = base.bytes(leaf)?;
            bytes.iter_mut().take(size).for_each(|byte| *byte = 0);
            trace = trace.value(leaf, header, bytes);
        }
    }
    Ok(Some(trace))
}
