//! The lies that submitters tell.

use super::Dice;
use super::partials::Slant;
use crate::claim::Claim;
use crate::suite::Lie;
use crate::trace::{Answer, Trace};

/// What a false submitter is up to. Every one of them must lose to an honest challenger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lies {
    /// One wrong byte somewhere, everything else as in the honest run.
    OneByte,
    /// One wrong element, and everything later computed from it.
    Consistent,
    /// One wrong byte in a value that is not the output; the output is right.
    DeadValue,
    /// A hash without preimage somewhere in the trace tree.
    JunkNode,
    /// A non-zero byte behind a tensor's last element.
    TensorPadding,
    /// A hash behind the trace's last leaf.
    TracePadding,
    /// A header with another element type.
    Dtype,
    /// A header with another number of elements.
    Elements,
    /// The honest trace of a run that was cut short.
    EarlyHalt,
    /// The same, with a forged halt.
    ForgedHalt,
    /// The honest trace of a run that went on after its halt.
    LateHalt,
    /// The same, with the halt hidden.
    HiddenHalt,
    /// One wrong element, defended with these partials.
    Partials(Slant),
    /// The honest trace, but another output.
    OtherOutput,
    /// The honest trace, but an output one byte longer.
    LongOutput,
    /// Never opens its trace.
    Withholds,
    /// Stops answering after a few moves.
    Stalls,
    /// Sends faulty data before each right answer.
    Garbage,
}

impl Lies {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::OneByte,
        Self::Consistent,
        Self::DeadValue,
        Self::JunkNode,
        Self::TensorPadding,
        Self::TracePadding,
        Self::Dtype,
        Self::Elements,
        Self::EarlyHalt,
        Self::ForgedHalt,
        Self::LateHalt,
        Self::HiddenHalt,
        Self::Partials(Slant::Right),
        Self::Partials(Slant::Pair),
        Self::Partials(Slant::Other),
        Self::Partials(Slant::Count),
        Self::OtherOutput,
        Self::LongOutput,
        Self::Withholds,
        Self::Stalls,
        Self::Garbage,
    ];

    /// The length that it claims when `right` is right; none if the lie needs another task.
    pub fn length(self, right: &Claim, dice: &mut Dice) -> Option<u64> {
        let Claim { length, max_length, halt_at, .. } = *right;
        match self {
            Self::EarlyHalt | Self::ForgedHalt => (length > 1 && halt_at.is_some()).then(|| 1 + dice.below(length - 1)),
            Self::LateHalt | Self::HiddenHalt => {
                (length < max_length && halt_at.is_some()).then(|| length + 1 + dice.below(max_length - length))
            }
            _ => Some(length),
        }
    }

    /// The element that a [`Lies::Consistent`] run overwrites; none for all others and if there is no element.
    ///
    /// # Errors
    /// If the trace cannot be read.
    pub fn lie(self, claim: &Claim, honest: &dyn Trace, dice: &mut Dice) -> Answer<Option<Lie>> {
        if self != Self::Consistent {
            return Ok(None);
        }
        let Some(leaf) = target(claim, honest, dice, |_, elements| Ok(elements > 0))? else { return Ok(None) };
        let e = dice.below(honest.header(leaf)?.elements);
        let value = match honest.element(leaf, e)? {
            0 => 1,
            right => right - right.signum(),
        };
        Ok(Some(Lie { leaf, e, value }))
    }
}

/// A random leaf with a property, if there is one.
pub(super) fn target(
    claim: &Claim,
    trace: &dyn Trace,
    dice: &mut Dice,
    want: impl Fn(u64, u64) -> Answer<bool>,
) -> Answer<Option<u64>> {
    let n = claim.leaves();
    let from = dice.below(n);
    for at in 0..n {
        let leaf = (from + at) % n;
        if want(leaf, trace.header(leaf)?.elements)? {
            return Ok(Some(leaf));
        }
    }
    Ok(None)
}
