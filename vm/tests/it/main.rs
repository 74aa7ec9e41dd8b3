//! Tests of the tensor machine against `docs/SPEC.md`; `rule_NN_…` are the soundness rules.

mod conformance;
mod generator;
