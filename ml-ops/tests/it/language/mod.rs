//! Language models: tiny ones of every architecture, hostile files, the real tokenizer.

mod decoder;
mod file;
mod folder;
mod tiny;
mod tokens;
