//! Models as hubs publish them: `config.json`, `*.safetensors`, `tokenizer.json`, `tokenizer_config.json`.
//!
//! The names and defaults are those of the `transformers` library, 4.5x.

mod config;
mod json;
mod tensors;
mod tokenizer;

pub use config::config;
pub use tensors::Tensors;
pub use tokenizer::tokenizer;
