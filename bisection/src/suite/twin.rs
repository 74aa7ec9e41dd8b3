//! Two arenas that must agree on every call: a contract beside the pure game.

use crate::arena::Arena;
use crate::game::Outcome;
use crate::moves::Move;
use crate::position::{Party, Position};
use core::fmt::Debug;

/// Plays the same dispute in two arenas and notes the first call at which they differ.
#[derive(Clone, Debug)]
pub struct Twin<A, B> {
    first: A,
    second: B,
    differs: Option<String>,
}

impl<A: Arena, B: Arena> Twin<A, B> {
    /// Two arenas at the start of the same dispute.
    pub fn new(first: A, second: B) -> Self {
        Self { first, second, differs: None }
    }

    /// The first arena.
    pub fn first(&self) -> &A {
        &self.first
    }

    /// The second arena.
    pub fn second(&self) -> &B {
        &self.second
    }

    fn compare(&mut self, call: &dyn Debug, a: &Result<(), A::Error>, b: &Result<(), B::Error>) {
        let places = (self.first.position(), self.second.position());
        let outcomes = (self.first.outcome(), self.second.outcome());
        let playing = outcomes.0.is_none();
        let same = a.is_ok() == b.is_ok() && outcomes.0 == outcomes.1 && (!playing || places.0 == places.1);
        if !same && self.differs.is_none() {
            self.differs = Some(format!("{call:?}: {a:?} and {b:?}, then {places:?}, {outcomes:?}"));
        }
    }
}

impl<A: Arena, B: Arena> Arena for Twin<A, B> {
    type Error = A::Error;

    fn position(&self) -> Option<Position> {
        self.first.position()
    }

    fn play(&mut self, who: Party, mv: &Move) -> Result<(), A::Error> {
        let (a, b) = (self.first.play(who, mv), self.second.play(who, mv));
        self.compare(&(who, mv), &a, &b);
        a
    }

    fn advance(&mut self, seconds: u64, blocks: u64) {
        self.first.advance(seconds, blocks);
        self.second.advance(seconds, blocks);
    }

    fn timeout(&mut self) -> Result<(), A::Error> {
        let (a, b) = (self.first.timeout(), self.second.timeout());
        self.compare(&"timeout", &a, &b);
        a
    }

    fn outcome(&self) -> Option<Outcome> {
        self.first.outcome()
    }

    fn broken(&self) -> Option<String> {
        self.differs.clone().or_else(|| self.first.broken()).or_else(|| self.second.broken())
    }
}
