//! The honest players.

use super::{Player, View};
use crate::honest::{Policy, honest_challenger, honest_submitter};
use crate::moves::Move;
use crate::trace::{Answer, Trace};

/// Opens its own trace.
pub struct HonestSubmitter<'a>(pub &'a dyn Trace);

impl Player for HonestSubmitter<'_> {
    fn next(&mut self, view: &View<'_>) -> Answer<Option<Move>> {
        honest_submitter(view.claim, view.position, self.0, view.rules)
    }
}

/// Names the first difference from its own trace.
pub struct HonestChallenger<'a>(pub &'a dyn Trace, pub Policy);

impl Player for HonestChallenger<'_> {
    fn next(&mut self, view: &View<'_>) -> Answer<Option<Move>> {
        match view.position {
            Some(at) => honest_challenger(&self.1, view.claim, at, view.revealed, self.0, view.rules),
            None => Ok(None),
        }
    }
}
