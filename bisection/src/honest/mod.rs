//! The honest strategies: pure functions from what a player sees to its move.

mod challenger;
mod direct;
mod open;
mod submitter;

pub use challenger::honest_challenger;
pub use direct::direct_proof;
pub use open::{element_under_tensor, element_under_trace, first_halt, open_trace};
pub use submitter::honest_submitter;

pub(crate) use open::{tensor_root, trace_leaf};
pub(crate) use submitter::partials as honest_partials;

/// What an honest challenger may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A reduction or slice of at most so many terms is proved at once instead of being cut again.
    pub max_terms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self { max_terms: 64 }
    }
}

impl Policy {
    /// Whether a range of `terms` terms is proved at once. Fewer than two terms cannot be cut.
    #[must_use]
    pub fn proves(&self, terms: u64) -> bool {
        terms <= self.max_terms.max(1)
    }
}
