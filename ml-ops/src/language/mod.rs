//! Language models: from a file with floats to one integer program that generates text.
//!
//! | module | what it does | numbers |
//! |---|---|---|
//! | `config`, `weights` | what a model is made of, one structure for all architectures | floats |
//! | `from_gguf` | both from a GGUF file | floats |
//! | [`float`] | the model in floats: reference and calibration | floats |

mod config;
mod error;
pub mod float;
mod from_gguf;
mod weights;

pub use config::{Activation, Config, Family, Pairs, Rope, Scaling, Window};
pub use error::LanguageError;
pub use from_gguf::config as gguf_config;
pub use weights::{Ends, Layer, Matrix, Weights, ends, layer};
