//! What models earn: offerings, requests and their answers, tokens of content, revenue; played by a cast of accounts on any ledger.

mod answers;
mod book;
pub mod calls;
mod cast;
mod content;
mod market;
mod revenue;
mod scenes;
mod stage;
pub mod story;

use crate::{error::ProverError, ledger::Ledger};

pub use book::{Balance, Book, Record, Step, balances, steps};
pub use cast::{Actor, Cast};
pub use market::{Plan, Prices};
pub use revenue::Holding;
pub use scenes::{Account, Asked, Minted, Offered, Shared, ask, imo, mint, revenue as shared_revenue};
pub use stage::Stage;

/// Lets time pass, and the blocks that come meanwhile.
fn wait<N: Ledger>(book: &mut Book<N>, seconds: u64) -> Result<(), ProverError> {
    book.ledger.pass(seconds, seconds / 12 + 1)
}
