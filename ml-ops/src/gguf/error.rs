//! What can be wrong with a GGUF file.

use thiserror::Error;

/// Why a GGUF file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GgufError {
    /// The system cannot read it.
    #[error("cannot be read: {0}")]
    Read(String),
    /// It does not begin as such files do.
    #[error("not a GGUF file")]
    Magic,
    /// A version that is not read.
    #[error("GGUF version {0} is not supported: 2 and 3 are")]
    Version(u32),
    /// The file ends before what it announces.
    #[error("the file ends inside {0}")]
    End(String),
    /// A count or length that the rest of the file cannot hold.
    #[error("{place} is {value}: more than the file can hold")]
    Count {
        /// What is counted.
        place: String,
        /// The number.
        value: u64,
    },
    /// A string that is no UTF-8.
    #[error("{0} is not UTF-8")]
    Utf8(String),
    /// A metadata type that does not exist.
    #[error("metadata \"{key}\": there is no type {code}")]
    ValueType {
        /// The key.
        key: String,
        /// Its type's code.
        code: u32,
    },
    /// Lists in lists in lists.
    #[error("metadata \"{0}\": lists are nested too deeply")]
    Nesting(String),
    /// A name or key that stands twice.
    #[error("\"{0}\" stands twice")]
    Twice(String),
    /// An alignment that is no small positive number.
    #[error("metadata \"general.alignment\" is not a number from 1 to 2^20")]
    Alignment,
    /// A tensor type that is not read.
    #[error(
        "tensor \"{name}\": type {code} is not supported: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K are"
    )]
    Type {
        /// The tensor.
        name: String,
        /// Its type's code.
        code: u32,
    },
    /// A shape or place that cannot be.
    #[error("tensor \"{name}\" {why}")]
    Shape {
        /// The tensor.
        name: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A tensor that is asked for and not there.
    #[error("there is no tensor \"{0}\"")]
    NoTensor(String),
}

impl GgufError {
    #[allow(clippy::needless_pass_by_value, reason = "map_err gives it away")]
    pub(super) fn read(error: std::io::Error) -> Self {
        Self::Read(error.to_string())
    }
}
