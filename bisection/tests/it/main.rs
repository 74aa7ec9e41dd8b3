//! The game, the strategies and the cast, on toy machines.

mod challengers_enumerated;
mod clocks;
mod ends;
mod positions;
mod refusals;
mod shapes;
mod submitters_enumerated;
mod suite;
mod table;
mod worlds;
