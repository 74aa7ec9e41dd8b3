//! The models that an agent has, by the root under which the contract knows them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy_primitives::B256;
use opml_ops::commit::Hasher;
use opml_vm::Program;

use crate::{error::ProverError, files};

/// Model files.
#[derive(Debug, Default)]
pub struct Library {
    models: BTreeMap<B256, PathBuf>,
    /// The model that was used last: claims come in runs.
    last: Option<(B256, Arc<Program>)>,
}

impl Library {
    /// The model files among these paths, and in these folders.
    ///
    /// # Errors
    /// A path cannot be read, or a file that was named is no model.
    pub fn new(paths: &[PathBuf]) -> Result<Self, ProverError> {
        let mut library = Self::default();
        for path in paths {
            for file in files_of(path)? {
                let root = root_of(&files::read_model(&file)?);
                library.models.insert(root, file);
            }
        }
        Ok(library)
    }

    /// The roots of the models.
    pub fn roots(&self) -> impl Iterator<Item = &B256> {
        self.models.keys()
    }

    /// A model by its root, whose file must still be the one it was; none if there is none.
    ///
    /// # Errors
    /// The file has changed or cannot be read.
    pub fn get(&mut self, root: B256) -> Result<Option<Arc<Program>>, ProverError> {
        if let Some((last, program)) = &self.last
            && *last == root
        {
            return Ok(Some(program.clone()));
        }
        let Some(path) = self.models.get(&root) else { return Ok(None) };
        let program = files::read_model(path)?;
        if root_of(&program) != root {
            let why = "the file has changed since it was read first; start again".to_owned();
            return Err(ProverError::Input { path: path.clone(), why });
        }
        let program = Arc::new(program);
        self.last = Some((root, program.clone()));
        Ok(Some(program))
    }
}

/// The root under which the contract knows a model.
#[must_use]
pub fn root_of(program: &Program) -> B256 {
    Hasher::current().model_roots(program).model.into()
}

/// A file itself, or the `.opml` files of a folder in their order.
fn files_of(path: &Path) -> Result<Vec<PathBuf>, ProverError> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let failed = |error| ProverError::Read { path: path.to_path_buf(), error };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension().is_some_and(|extension| extension == "opml") {
            found.push(file);
        }
    }
    found.sort();
    Ok(found)
}
