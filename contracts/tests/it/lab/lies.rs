//! What a submitter claims, right or wrong, and what everybody who runs the program knows.

use opml_vm::Tensor;
use opml_vm::testing::Rng;

use crate::dispute::{
    batch::Batched,
    commit::Commit,
    programs::{COUNTER, SMALL, SUMS, WIDE, changed, looping},
    world::Game,
};

/// A wrong claim, or a right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// All is right.
    None,
    /// A sum of 300 terms is off, and the output.
    Sum,
    /// The output alone is off.
    Output,
    /// The first counter is off, and all that follows from it.
    Counter,
    /// One element of many, of one term, and the output.
    Element,
    /// A header has another type, and the output is off.
    Header,
    /// The run goes on after its halt.
    Length,
    /// The output is right, a value on which nothing depends is not.
    Dead,
}

impl Lie {
    pub(crate) const ALL: [Self; 8] =
        [Self::None, Self::Sum, Self::Output, Self::Counter, Self::Element, Self::Header, Self::Length, Self::Dead];

    pub(crate) fn draw(rng: &mut Rng) -> Self {
        if rng.below(4) == 0 { Self::None } else { rng.pick(&Self::ALL[1..], Self::Sum) }
    }

    fn tamper(self, t: u64, i: u32, value: &mut Tensor) {
        let off = |value: &mut Tensor, e| *value = changed(value, e, 1);
        match (self, t, i) {
            (Self::Sum | Self::Dead, 1, SUMS) => off(value, 7),
            (Self::Element, 1, WIDE) => off(value, 1_234),
            (Self::Counter, 0, COUNTER) => off(value, 0),
            (Self::Sum | Self::Output | Self::Element | Self::Header, 2, SMALL) => off(value, 1),
            _ => (),
        }
    }

    /// The claim, not challenged yet, and the right trace of its length.
    pub(crate) fn claim(self, tier: u8) -> (Game, Commit) {
        let sample = looping();
        let length = if self == Self::Length { 5 } else { 3 };
        let truth = Commit::of(&sample.run(length, &mut |_, _, _| ()));
        let run = sample.run(length, &mut |t, i, value| self.tamper(t, i, value));
        let mut commit = Commit::of(&run);
        if self == Self::Header {
            commit.values[10].dtype = 1;
            commit = Commit::new(commit.values);
        }
        (Game::claimed_as(&sample, tier, run, commit), truth)
    }

    /// The claim as a leaf of a batch of five.
    pub(crate) fn batch(self, tier: u8) -> (Game, Batched, Commit) {
        let (game, truth) = self.claim(tier);
        let (game, batched) = game.in_batch(5, 2);
        (game, batched, truth)
    }

    /// Whether whoever runs the program sees from the claim alone that it is wrong.
    pub(crate) fn is_seen(self) -> bool {
        !matches!(self, Self::None | Self::Dead)
    }
}
