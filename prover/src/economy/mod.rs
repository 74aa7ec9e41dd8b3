//! What models earn: offerings, requests and their answers, tokens of content, revenue; played by a cast of accounts.

mod answers;
mod book;
mod cast;
mod content;
pub mod ledger;
mod market;
mod revenue;
mod scenes;
pub mod story;

pub use book::{Balance, Book, Step, balances, steps};
pub use market::{Plan, Prices};
pub use revenue::Holding;
pub use scenes::{Account, Asked, Minted, Offered, Shared, ask, imo, mint, revenue as shared_revenue};
