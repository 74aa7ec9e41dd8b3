//! The models that an agent has, by the root under which the contract knows them.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use alloy_primitives::B256;
use opml_ops::{commit::Hasher, engine::Engine};
use opml_vm::{Program, program::ModelRoots};

use super::{AgentError, Vault, vault::Kind};
use crate::{
    error::ProverError,
    hex,
    model::{self, Guard, Model},
};

/// Models that are kept ready.
const KEPT: usize = 4;

/// A model that is ready to run.
#[derive(Debug)]
pub struct Plan {
    /// The program.
    pub program: Arc<Program>,
    /// The engine that runs it.
    pub engine: Engine,
    /// Its roots.
    pub roots: ModelRoots,
    /// Of its file, if that is open.
    pub guard: Guard,
    /// Whether its constants were hashed in this process and are what they are said to be.
    vouched: OnceLock<bool>,
}

impl Plan {
    fn new((program, guard): (Program, Guard)) -> Self {
        let program = Arc::new(program);
        let roots = Hasher::current().model_roots(&program);
        Self { engine: Engine::from_arc(program.clone()), program, roots, guard, vouched: OnceLock::new() }
    }

    /// Makes sure that the model is the one of its roots, once and for all: its constants are hashed, whatever a cache says of them.
    ///
    /// # Errors
    /// It is not, or its file has changed.
    pub fn vouch(&self) -> Result<(), ProverError> {
        let is_right = *self.vouched.get_or_init(|| model::is_as_hashed(&self.program));
        self.guard.check()?;
        if is_right { Ok(()) } else { Err(ProverError::Forged { root: hex::of(&self.roots.model) }) }
    }
}

/// Model files, and a storage of more of them.
#[derive(Default)]
pub struct Library {
    models: BTreeMap<B256, PathBuf>,
    vault: Option<Vault>,
    /// The models that were used last: compiling one takes longer than running it.
    ready: VecDeque<(B256, Arc<Plan>)>,
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
                let root = root_of(&Model::open_hashed(&file)?.program);
                library.models.insert(root, file);
            }
        }
        Ok(library)
    }

    /// With a storage, which is asked for what is not among the files.
    #[must_use]
    pub fn with(self, vault: Option<Vault>) -> Self {
        Self { vault, ..self }
    }

    /// The storage.
    #[must_use]
    pub const fn vault(&self) -> Option<&Vault> {
        self.vault.as_ref()
    }

    /// Whether there is a model of this root; it is not read.
    ///
    /// # Errors
    /// The storage does not answer.
    pub fn has(&self, root: B256) -> Result<bool, AgentError> {
        if self.models.contains_key(&root) || self.ready.iter().any(|(known, _)| *known == root) {
            return Ok(true);
        }
        self.vault.as_ref().map_or(Ok(false), |vault| vault.has(Kind::Model, root))
    }

    /// A model by its root, whose file must still be the one it was; none if there is none.
    ///
    /// # Errors
    /// The file has changed or cannot be read; the storage does not answer, or what it has is damaged.
    pub fn plan(&mut self, root: B256) -> Result<Option<Arc<Plan>>, AgentError> {
        if let Some((_, plan)) = self.ready.iter().find(|(known, _)| *known == root) {
            let (plan, checked) = (plan.clone(), plan.guard.check());
            if checked.is_err() {
                // The next time it is read again.
                self.ready.retain(|(known, _)| *known != root);
            }
            return checked.map(|()| Some(plan)).map_err(AgentError::from);
        }
        let Some(read) = self.read(root)? else { return Ok(None) };
        let plan = Arc::new(Plan::new(read));
        self.ready.push_front((root, plan.clone()));
        self.ready.truncate(KEPT);
        Ok(Some(plan))
    }

    /// The program of [`Library::plan`].
    ///
    /// # Errors
    /// As [`Library::plan`].
    pub fn get(&mut self, root: B256) -> Result<Option<Arc<Program>>, AgentError> {
        Ok(self.plan(root)?.map(|plan| plan.program.clone()))
    }

    fn read(&self, root: B256) -> Result<Option<(Program, Guard)>, AgentError> {
        let Some(path) = self.models.get(&root) else {
            let stored = self.vault.as_ref().map_or(Ok(None), |vault| vault.model(root))?;
            return Ok(stored.map(|program| (program, Guard::default())));
        };
        let Model { program, guard, .. } = Model::open_hashed(path)?;
        if root_of(&program) != root {
            let why = "the file has changed since it was read first; start again".to_owned();
            return Err(ProverError::Input { path: path.clone(), why }.into());
        }
        Ok(Some((program, guard)))
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
