//! The tensor machine of opML: one instruction, a strided map-reduce, with exact integer semantics.
//!
//! `docs/SPEC.md` is the authority; the modules follow its sections.
//!
//! | module | SPEC | what it holds |
//! |---|---|---|
//! | [`isa`] | §1, §3 | the table of dtypes, reducers and scalar operations, and the limits |
//! | [`tensor`] | §1 | flat tensors and the integers in them |
//! | [`merkle`] | §1, §2 | tree roots, multiproofs, headers |
//! | [`instruction`], [`codec`] | §3 | the instruction and its canonical bytes |
//! | [`program`], [`model_file`] | §4 | programs, roots, the model file |
//! | [`mod@eval`] | §3.4–3.6 | one element, one slice: the meaning of an instruction |
//! | [`interpreter`] | §4 | the reference run |
//! | [`trace`] | §5 | the tree over a run |
//! | [`witness`], [`step`] | §6 | openings for one step, and its verification |
//! | [`disasm`] | | text for people |
//! | [`bounds`] | | what a program costs at most |
//! | `testing` | | random programs and conformance cases, behind the feature of that name |
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

extern crate alloc;

pub mod bounds;
pub mod codec;
pub mod disasm;
pub mod error;
pub mod eval;
pub mod instruction;
pub mod interpreter;
pub mod isa;
pub mod merkle;
pub mod model_file;
pub mod program;
pub mod step;
pub mod tensor;
#[cfg(feature = "testing")]
pub mod testing;
pub mod trace;
pub mod witness;

pub use codec::Counts;
pub use error::{DecodeError, ModelError, StepError, TensorError};
pub use instruction::{Axis, Dynamic, Extent, Instruction, Load, Op, Source, Term};
pub use isa::{DType, Opcode, Reducer};
pub use merkle::Hash;
pub use program::{InputHeader, Program};
pub use tensor::Tensor;
pub use trace::Trace;
