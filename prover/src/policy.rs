//! When a challenger proves, and when it asks for a finer cut: of every challenger, in this process and on a chain.

use opml_bisection::{Move, Policy, Unavailable};

/// Most gas of a last step, unless said otherwise.
pub const STEP_GAS: u64 = 200_000;

/// What it costs to send a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Price {
    /// So much gas.
    Gas(u64),
    /// The chain does not say, or would refuse it for a reason that no cut removes.
    Unknown,
    /// More than a transaction may take.
    TooMuch,
}

/// How much of a sum is proved at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cutting {
    policy: Policy,
    step_gas: u64,
}

impl Default for Cutting {
    fn default() -> Self {
        Self::new(Policy::default().max_terms, STEP_GAS)
    }
}

impl Cutting {
    /// Reductions of at most so many terms are proved without a further cut, if that takes no more than `step_gas` gas.
    #[must_use]
    pub const fn new(max_terms: u64, step_gas: u64) -> Self {
        Self { policy: Policy { max_terms }, step_gas }
    }

    /// The next move of a challenger: of what `make` finds, a proof that does not cost too much by `price`, else a finer cut. What cannot be
    /// cut further is proved all the same.
    ///
    /// # Errors
    /// The move cannot be made however finely it is cut, or its price is not told.
    pub fn choose<E: From<Unavailable>>(
        &mut self,
        mut make: impl FnMut(&Policy) -> Result<Option<Move>, Unavailable>,
        mut price: impl FnMut(&Move) -> Result<Price, E>,
    ) -> Result<Option<Move>, E> {
        loop {
            let mv = match make(&self.policy) {
                Ok(Some(mv)) => mv,
                Ok(None) => return Ok(None),
                // The step opens too much for one witness: a part of it opens less.
                Err(_) if self.shrink() => continue,
                Err(error) => return Err(error.into()),
            };
            if !mv.kind().is_proof() || self.policy.max_terms <= 1 {
                return Ok(Some(mv));
            }
            match price(&mv)? {
                // A part of it costs less.
                Price::Gas(gas) if gas > self.step_gas => self.policy.max_terms /= 2,
                Price::TooMuch => drop(self.shrink()),
                Price::Gas(_) | Price::Unknown => return Ok(Some(mv)),
            }
        }
    }

    /// Proves less at once from now on; false if it is a single term already.
    pub fn shrink(&mut self) -> bool {
        let (terms, usual) = (self.policy.max_terms, Policy::default().max_terms);
        let smaller = if terms > usual { usual } else { (terms / 4).max(1) };
        self.policy.max_terms = smaller;
        smaller < terms
    }

    /// Terms that are proved at once now.
    #[must_use]
    pub const fn max_terms(&self) -> u64 {
        self.policy.max_terms
    }
}
