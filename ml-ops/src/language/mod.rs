//! Language models: from a file with floats to one integer program that generates text.
//!
//! | module | what it does | numbers |
//! |---|---|---|
//! | `config`, `weights` | what a model is made of, one structure for all architectures | floats |
//! | `from_gguf` | both from a GGUF file | floats |
//! | [`folder`] | both, and the tokenizer, from a folder with safetensors | floats |
//! | `decoder` | the generation of a text as one program | integers |
//! | [`generate`] | runs of such a program | |
//! | `places` | what its instructions are | |
//! | `tokenizer` | texts as tokens | |
//! | `ranges` | calibration | floats |
//! | [`float`] | the model in floats: reference and calibration | floats |

mod config;
mod decoder;
mod error;
pub mod float;
pub mod folder;
mod from_gguf;
pub mod generate;
mod places;
mod ranges;
mod tokenizer;
mod weights;

pub use config::{Activation, Config, Family, Pairs, Rope, Scaling, Window};
pub use decoder::{Decoder, DecoderOptions, LOGIT_BITS, decoder};
pub use error::LanguageError;
pub use from_gguf::config as gguf_config;
pub use places::Places;
pub use ranges::{LayerRanges, Ranges};
pub use tokenizer::Tokenizer;
pub use weights::{BLOCK, Ends, Kept, Layer, Matrix, Weights, ends, layer};
