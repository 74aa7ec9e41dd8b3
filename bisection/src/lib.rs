//! The dispute game as a pure state machine.
//!
//! A submitter has claimed the result of a run; a challenger says it is wrong. The submitter opens the tree that commits to
//! its whole execution trace, the challenger names a child, and so on, until one number is left that contradicts the
//! submitter's own commitment, or the challenger's time is over. This crate has
//!
//! * the rules: [`Position`], [`Move`], [`transition`], and [`Game`] with its clocks;
//! * what it asks of others: [`Rules`] (the machine's arithmetic), [`Trace`] (a player's knowledge), [`Arena`] (whatever
//!   plays by the rules);
//! * the honest strategies, [`honest_submitter`], [`honest_challenger`] and [`direct_proof`];
//! * to test all of that, and any other arena: the [`players`], honest and dishonest, the honest [`Duty`]s, the [`suite`] and
//!   a [`toy`] machine.
//!
//! ```
//! use opml_bisection::suite::{Scenario, run_one};
//! use opml_bisection::toy::{Instruction, ToyWorld};
//! use opml_bisection::{MoveKind, Party, players::Lies};
//!
//! // Three elements, each a sum of a hundred terms, one of them with a wrong bit.
//! let sums = Instruction { seed: 7, dtype: 4, reducer: 0, elements: 3, growth: 0, terms: 100, until: 0 };
//! let world = ToyWorld::once(&[sums], 0);
//! let played = run_one(&world, Scenario::Liar(Lies::OneByte), 4, 2)?.expect("there is a bit to flip");
//! assert_eq!(played.outcome.winner, Party::Challenger);
//! assert_eq!(played.moves[..3], [MoveKind::OpenTrace, MoveKind::Select, MoveKind::RevealHeader]);
//! # Ok::<(), opml_bisection::Broken>(())
//! ```
//!
//! It knows no chain, no clock and no machine: time and block numbers are arguments, steps are opaque bytes.

#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic, clippy::disallowed_types)]

mod arena;
mod claim;
mod clock;
mod duties;
mod fields;
mod game;
mod hash;
mod honest;
mod moves;
mod play;
pub mod players;
mod position;
mod refused;
mod revealed;
mod rules;
pub mod split;
pub mod suite;
pub mod toy;
mod trace;
pub mod tree;

pub use arena::{Arena, PureArena};
pub use claim::{BadClaim, Claim, MAX_LEAVES};
pub use clock::{Clock, Moment, Timing, TraceStage};
pub use duties::{Broken, Duty, Witnessed, most_moves};
pub use fields::Fields;
pub use game::{End, Game, Outcome};
pub use hash::{
    Hash, Hashing, LEAF_BYTES, ZERO, cut_leaf, encode_partials, header as header_hash, leaf_hashes,
    partials as partials_hash,
};
pub use honest::{
    Policy, direct_proof, element_under_tensor, element_under_trace, first_halt, honest_challenger, honest_submitter,
    open_trace,
};
pub use moves::{Below, ElementOpening, Move, MoveKind, OpenTrace, TraceLeaf};
pub use play::{Next, transition};
pub use position::{Cell, Header, Node, Party, Position, Slice, Tensor};
pub use refused::Refused;
pub use revealed::{Overlay, Revealed};
pub use rules::{Job, MAX_ELEMENTS, Rules, Shape, Step, StepRefused};
pub use trace::{Answer, Nodes, Question, TensorNodes, Trace, TraceNodes, Unavailable};
