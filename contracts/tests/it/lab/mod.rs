//! The adversary lab: games of honest players among liars on a chain that reorders, drops, duplicates and reorganises, from a seed. A
//! failure names the seed; `LAB_SEED=n` replays that game alone, `LAB_TRACE=1` tells its story, `LAB_GAMES=n`
//! plays so many, from that seed on.
#![allow(clippy::as_conversions, clippy::print_stdout, reason = "tests fail loudly")]

mod adversaries;
pub(crate) mod agents;
mod crowd;
mod games;
pub(crate) mod lies;
mod sim;
