//! Dishonest submitters.

use super::partials::{Slant, slanted};
use super::{Corrupted, Dice, Player, View, mangle};
use crate::claim::Claim;
use crate::honest::honest_submitter;
use crate::moves::Move;
use crate::position::{Header, Position};
use crate::rules::Rules;
use crate::suite::Lie;
use crate::trace::{Answer, Trace};
use crate::tree;

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
            Self::EarlyHalt | Self::ForgedHalt => (length > 1).then(|| 1 + dice.below(length - 1)),
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
fn target(
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

/// A false submitter: a trace with a lie and a way to defend it.
pub struct Liar<'a> {
    lies: Lies,
    trace: Box<dyn Trace + 'a>,
    output: Option<Vec<u8>>,
    dice: Dice,
    left: u64,
}

/// Casts a liar over `base`, the run of the length that it claims (for [`Lies::Consistent`] the tampered run), and the
/// claim that it makes. None if such a lie is impossible there.
///
/// # Errors
/// If the trace cannot be read.
pub fn cast<'a>(
    lies: Lies,
    mut claim: Claim,
    base: &'a dyn Trace,
    rules: &'a dyn Rules,
    mut dice: Dice,
) -> Answer<Option<(Claim, Liar<'a>)>> {
    let right = base.bytes(claim.output_leaf())?;
    let Some(trace) = corrupt(lies, &claim, Corrupted::new(base, rules), (base, rules), &mut dice)? else {
        return Ok(None);
    };
    let mut claimed = trace.bytes(claim.output_leaf())?;
    match lies {
        Lies::OtherOutput => match claimed.first_mut() {
            Some(byte) => *byte ^= 1,
            None => return Ok(None),
        },
        Lies::LongOutput => claimed.push(0),
        _ => (),
    }
    claim.output = rules.hash(&claimed);
    let output = (claimed != right).then_some(claimed);
    let left = dice.below(6);
    Ok(Some((claim, Liar { lies, trace: Box::new(trace), output, dice, left })))
}

fn corrupt<'a>(
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

impl Liar<'_> {
    /// The trace that it commits to.
    #[must_use]
    pub fn trace(&self) -> &dyn Trace {
        &*self.trace
    }
}

impl Player for Liar<'_> {
    fn next(&mut self, view: &View<'_>) -> Answer<Option<Move>> {
        let garbage = self.lies == Lies::Garbage;
        if (view.refused > 0 && !garbage) || view.refused > 3 {
            return Ok(None);
        }
        match (self.lies, view.position) {
            (Lies::Withholds, None) => return Ok(None),
            (Lies::Stalls, _) if self.left == 0 => return Ok(None),
            (Lies::Partials(slant), Some(Position::Element(cell, slice) | Position::Slice(cell, slice))) => {
                let whole = matches!(view.position, Some(Position::Element(..)));
                let part = self.dice.index(64);
                let at = (cell, slice, whole);
                let partials = slanted(slant, view.claim, &*self.trace, at, part, view.rules)?;
                return Ok(Some(Move::RevealPartials { partials }));
            }
            _ => self.left = self.left.saturating_sub(1),
        }
        let mv = honest_submitter(view.claim, view.position, &*self.trace, view.rules)?;
        Ok(match (mv, &self.output) {
            (Some(Move::OpenTrace(mut open)), Some(output)) => {
                open.output.clone_from(output);
                Some(Move::OpenTrace(open))
            }
            (Some(mv), _) if garbage && view.refused < 3 => Some(mangle(&mv, &mut self.dice)),
            (mv, _) => mv,
        })
    }
}
