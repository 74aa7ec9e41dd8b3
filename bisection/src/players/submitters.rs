//! Dishonest submitters.

use super::corrupt::corrupt;
use super::partials::slanted;
use super::{Corrupted, Dice, Lies, Player, View, mangle};
use crate::claim::Claim;
use crate::honest::honest_submitter;
use crate::moves::Move;
use crate::position::Position;
use crate::rules::Rules;
use crate::trace::{Answer, Trace};

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
