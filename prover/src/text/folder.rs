//! A folder with a model as hubs publish it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use opml_ops::language::{Config, Tokenizer, folder};

use crate::files;

/// The small files of a folder, and where the weights are.
pub(crate) struct Files {
    config: Vec<u8>,
    tokenizer: Vec<u8>,
    settings: Option<Vec<u8>>,
    weights: Vec<PathBuf>,
}

impl Files {
    /// Reads all but the weights.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let settings = folder.join("tokenizer_config.json");
        let entries = folder.read_dir().with_context(|| folder.display().to_string())?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut weights: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|extension| extension == "safetensors")).collect();
        weights.sort();
        Ok(Self {
            config: files::read(&folder.join("config.json"))?,
            tokenizer: files::read(&folder.join("tokenizer.json"))?,
            settings: if settings.is_file() { Some(files::read(&settings)?) } else { None },
            weights,
        })
    }

    /// `config.json`.
    pub(crate) fn json(&self) -> &[u8] {
        &self.config
    }

    /// The model without its weights.
    pub(crate) fn config(&self) -> Result<Config> {
        Ok(folder::config(&self.config)?.0)
    }

    /// Its tokenizer.
    pub(crate) fn tokenizer(&self) -> Result<Tokenizer> {
        let (_, ends) = folder::config(&self.config)?;
        Ok(folder::tokenizer(&self.tokenizer, self.settings.as_deref(), &ends)?)
    }

    /// All weights' files.
    pub(crate) fn weights(&self) -> Result<Vec<Vec<u8>>> {
        ensure!(!self.weights.is_empty(), "the folder has no .safetensors file");
        Ok(self.weights.iter().map(|path| files::read(path)).collect::<Result<_, _>>()?)
    }
}
