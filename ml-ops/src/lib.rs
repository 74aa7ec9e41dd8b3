//! From a model file to an integer program, a fast engine for such programs, and fast commitments to its runs.
//!
//! | module | what it does | numbers |
//! |---|---|---|
//! | [`onnx`] | reads ONNX files into a [`graph`] | floats |
//! | [`gguf`] | reads GGUF files | floats |
//! | [`language`] | language models: as floats, as one program, their tokens | both |
//! | [`graph`] | operators with static shapes, and rewrites of them | floats |
//! | [`float`] | evaluates a graph in f32, the same bits everywhere | floats |
//! | [`quantise`] | chooses integer encodings by calibration or from the file, and emits the program | floats |
//! | [`lower`] | writes operators as instructions | integers |
//! | [`engine`] | runs programs fast, bit for bit like the reference interpreter | integers |
//! | [`commit`] | hashes runs, models and inputs in batches, the hashes of `opml_vm` | |
//! | [`import`] | all of it in one call | |
//! | [`checkpoint`] | traces of runs too long for memory | |
//! | [`accuracy`] | decisions over labelled sets | |
//! | [`npy`] | reads arrays | |
//! | [`tier`] | the vector instructions that kernels use | |
#![deny(unsafe_code)]

pub mod accuracy;
pub mod checkpoint;
pub mod commit;
pub mod engine;
pub mod error;
pub mod float;
pub mod gguf;
pub mod graph;
pub mod import;
pub mod language;
pub mod lower;
mod moves;
pub mod npy;
mod num;
pub mod onnx;
pub mod quantise;
pub mod tier;

pub use import::{ImportOptions, Imported, import_onnx};

pub use error::{ImportError, NodeFault};
