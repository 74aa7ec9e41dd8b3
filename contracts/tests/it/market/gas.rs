//! Gas.
