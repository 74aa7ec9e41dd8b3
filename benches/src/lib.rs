//! Benches of the machine and of disputes; see `benches/` and the README beside this crate.
