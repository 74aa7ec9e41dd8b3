//! Why a language model cannot be used.

use thiserror::Error;

use crate::{gguf::GgufError, lower::LowerError};

/// What is wrong with a language model's file, or with what it is asked for.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum LanguageError {
    /// The GGUF file is damaged or not supported.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The safetensors file is damaged.
    #[error("safetensors: {0}")]
    Safetensors(String),
    /// A JSON file is damaged.
    #[error("{file}: {why}")]
    Json {
        /// The file.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// A value that must be there.
    #[error("\"{key}\" is missing, or not {expected}")]
    Missing {
        /// Its key.
        key: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A value that is there and cannot be used.
    #[error("\"{key}\" is {value}: {why}")]
    Value {
        /// Its key.
        key: String,
        /// What it is.
        value: String,
        /// What would be accepted.
        why: String,
    },
    /// A tensor of another shape than the configuration says.
    #[error("tensor \"{name}\" has the shape {actual:?} instead of {expected:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its extents.
        actual: Vec<u64>,
        /// What the configuration says.
        expected: Vec<u64>,
    },
    /// A tensor that must be there.
    #[error("tensor \"{0}\" is missing")]
    NoTensor(String),
    /// A weight that is no number.
    #[error("tensor \"{0}\" holds infinity or NaN")]
    NotFinite(String),
    /// A lowering does not fit the machine.
    #[error("{place}: {fault}")]
    Lower {
        /// Which part of the model.
        place: String,
        /// What does not fit.
        fault: LowerError,
    },
    /// The machine refuses the program.
    #[error(transparent)]
    Program(#[from] opml_vm::ModelError),
    /// A text or token that the model cannot read.
    #[error("{0}")]
    Input(String),
}
