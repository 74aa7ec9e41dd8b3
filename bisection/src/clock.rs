//! Chess clocks. Seconds and block numbers are given, never read.

use crate::position::Party;

/// Constants of a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Seconds each side has in all.
    pub budget: u64,
    /// Free seconds of every turn, `d`.
    pub delay: u64,
    /// Seconds for computing the trace, `TR`.
    pub trace: u64,
    /// Blocks that must pass before anybody is late.
    pub min_blocks: u64,
}

/// A moment on the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Timestamp, seconds.
    pub time: u64,
    /// Block number.
    pub block: u64,
}

/// The clock of one dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Seconds left to the submitter.
    pub submitter: u64,
    /// Seconds left to the challenger.
    pub challenger: u64,
    /// When the turn began; its time may lie in the future.
    pub turn_start: Moment,
}

impl Clock {
    /// A clock with full budgets.
    #[must_use]
    pub fn new(timing: &Timing, turn_start: Moment) -> Self {
        Self { submitter: timing.budget, challenger: timing.budget, turn_start }
    }

    /// Seconds left to a side; a stranger has none.
    #[must_use]
    pub fn budget(&self, who: Party) -> u64 {
        match who {
            Party::Submitter => self.submitter,
            Party::Challenger => self.challenger,
            Party::Stranger => 0,
        }
    }

    /// Seconds of the turn beyond the free delay.
    #[must_use]
    pub fn charge(&self, timing: &Timing, now: Moment) -> u64 {
        now.time.saturating_sub(self.turn_start.time).saturating_sub(timing.delay)
    }

    /// Whether `turn` has used up its time: in seconds and in blocks. At charge = budget it has not.
    #[must_use]
    pub fn late(&self, timing: &Timing, turn: Party, now: Moment) -> bool {
        let blocks = now.block.saturating_sub(self.turn_start.block);
        self.charge(timing, now) > self.budget(turn) && blocks >= timing.min_blocks
    }

    /// Ends the turn: charges `turn` and starts the next.
    pub fn press(&mut self, timing: &Timing, turn: Party, now: Moment) {
        let charge = self.charge(timing, now);
        match turn {
            Party::Submitter => self.submitter = self.submitter.saturating_sub(charge),
            Party::Challenger => self.challenger = self.challenger.saturating_sub(charge),
            Party::Stranger => (),
        }
        self.turn_start = now;
    }
}

/// The claim's clock before its trace is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceStage {
    /// When the claim's first dispute was opened.
    pub first: Moment,
    /// When this dispute was opened.
    pub challenged: Moment,
}

impl TraceStage {
    /// Whether the submitter may no longer open the trace.
    #[must_use]
    pub fn late(&self, timing: &Timing, now: Moment) -> bool {
        let elapsed = now.time.saturating_sub(self.first.time);
        let blocks = now.block.saturating_sub(self.first.block);
        elapsed > timing.trace.saturating_add(timing.delay) && blocks >= timing.min_blocks
    }

    /// When the challenger's first turn begins if the trace was opened at `opened`: it too may compute the trace.
    #[must_use]
    pub fn first_turn(&self, timing: &Timing, opened: Moment) -> Moment {
        Moment {
            time: opened.time.max(self.challenged.time.saturating_add(timing.trace)),
            block: opened.block.max(self.challenged.block),
        }
    }
}
