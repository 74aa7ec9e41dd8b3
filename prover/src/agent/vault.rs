//! Models, inputs and traces by the hash that the contract knows them by: a folder, or S3-compatible storage that a fleet shares.
//!
//! What comes out is parsed, committed to again and compared with its name, so a storage that is damaged or lies can only fail to answer.

use std::{path::PathBuf, time::Duration};

use alloy_primitives::B256;
use object_store::{
    ClientConfigKey, ObjectStore, ObjectStoreExt as _, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    local::LocalFileSystem,
    path::Path,
};
use opml_ops::commit::Hasher;
use opml_vm::{DType, Program, Tensor, Trace, interpreter::Run, model_file};
use tokio::runtime::Runtime;

use super::{AgentError, root_of};

/// Longest wait for one answer of the storage, and for all its repetitions.
const PATIENCE: Duration = Duration::from_secs(20);
/// Repetitions of a question that brought no answer.
const RETRIES: usize = 3;

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A model file; its name is the model root.
    Model,
    /// A task's inputs, one after the other; their name is the input root.
    Inputs,
    /// The values of a run; their name is the trace root.
    Trace,
}

impl Kind {
    const fn folder(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Inputs => "inputs",
            Self::Trace => "traces",
        }
    }
}

/// A storage of objects that are named by what they hold.
pub struct Vault {
    store: Box<dyn ObjectStore>,
    prefix: Path,
    runtime: Runtime,
    shown: String,
}

impl Vault {
    /// Opens a folder, which is made if there is none, or `s3://bucket/prefix`, whose endpoint, region and keys are in the usual
    /// environment variables (`AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ALLOW_HTTP`).
    ///
    /// # Errors
    /// The folder cannot be made, or the address or the environment is not understood.
    pub fn open(place: &str) -> Result<Self, AgentError> {
        let refused = |why: String| AgentError::Vault { object: place.to_owned(), why, passing: false };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| refused(error.to_string()))?;
        let (store, prefix): (Box<dyn ObjectStore>, Path) = match place.split_once("://") {
            None => {
                let folder = PathBuf::from(place);
                std::fs::create_dir_all(&folder).map_err(|error| refused(error.to_string()))?;
                let store = LocalFileSystem::new_with_prefix(&folder).map_err(|error| refused(error.to_string()))?;
                (Box::new(store), Path::default())
            }
            Some(("s3", rest)) => {
                let (_, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                let retry = RetryConfig { max_retries: RETRIES, retry_timeout: PATIENCE, ..RetryConfig::default() };
                let timeout = AmazonS3ConfigKey::Client(ClientConfigKey::Timeout);
                let store = AmazonS3Builder::from_env().with_url(place).with_retry(retry);
                let store = store.with_config(timeout, format!("{} s", PATIENCE.as_secs()));
                (Box::new(store.build().map_err(|error| refused(error.to_string()))?), Path::from(prefix))
            }
            Some((scheme, _)) => {
                return Err(refused(format!("{scheme}:// is no storage; name a folder or s3://bucket/prefix")));
            }
        };
        Ok(Self { store, prefix, runtime, shown: place.trim_end_matches('/').to_owned() })
    }

    fn path(&self, kind: Kind, name: B256) -> Path {
        let parts = self.prefix.parts().map(|part| part.as_ref().to_owned());
        Path::from_iter(parts.chain([kind.folder().to_owned(), name.to_string()]))
    }

    fn failed(&self, kind: Kind, name: B256, why: String, passing: bool) -> AgentError {
        AgentError::Vault { object: format!("{}/{}/{name}", self.shown, kind.folder()), why, passing }
    }

    fn said<T>(&self, kind: Kind, name: B256, answer: object_store::Result<T>) -> Result<Option<T>, AgentError> {
        use object_store::Error;
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => {
                // A refusal or a full disk stays; a storage that is not there may come back.
                let passing = matches!(&error, Error::Generic { store: "S3", .. });
                Err(self.failed(kind, name, error.to_string(), passing))
            }
        }
    }

    /// Whether there is an object of this name.
    ///
    /// # Errors
    /// The storage does not answer, or refuses.
    pub fn has(&self, kind: Kind, name: B256) -> Result<bool, AgentError> {
        let answer = self.runtime.block_on(self.store.head(&self.path(kind, name)));
        Ok(self.said(kind, name, answer)?.is_some())
    }

    fn get(&self, kind: Kind, name: B256) -> Result<Option<Vec<u8>>, AgentError> {
        let path = self.path(kind, name);
        let answer = self.runtime.block_on(async { self.store.get(&path).await?.bytes().await });
        Ok(self.said(kind, name, answer)?.map(|bytes| bytes.to_vec()))
    }

    fn put(&self, kind: Kind, name: B256, bytes: Vec<u8>) -> Result<(), AgentError> {
        let answer = self.runtime.block_on(self.store.put(&self.path(kind, name), bytes.into()));
        match self.said(kind, name, answer)? {
            Some(_) => Ok(()),
            None => Err(self.failed(kind, name, "there is no such bucket".to_owned(), false)),
        }
    }

    /// Compares what an object holds with its name.
    fn verified<T>(&self, kind: Kind, name: B256, found: Result<(B256, T), String>) -> Result<T, AgentError> {
        let damaged = |why: String| self.failed(kind, name, format!("{why}; the object is damaged, remove it"), false);
        match found {
            Ok((root, content)) if root == name => Ok(content),
            Ok((root, _)) => Err(damaged(format!("it holds what is named {root}"))),
            Err(why) => Err(damaged(why)),
        }
    }

    /// A model by its root.
    ///
    /// # Errors
    /// The storage does not answer or refuses, or the object is not what its name says.
    pub fn model(&self, root: B256) -> Result<Option<Program>, AgentError> {
        let Some(bytes) = self.get(Kind::Model, root)? else { return Ok(None) };
        let read = model_file::read_shared(&bytes.into()).map(|program| Hasher::current().hashed(program));
        let read = read.map(|program| (root_of(&program), program));
        self.verified(Kind::Model, root, read.map_err(|error| error.to_string())).map(Some)
    }

    /// Stores a model; gives its root.
    ///
    /// # Errors
    /// The storage does not answer or refuses.
    pub fn put_model(&self, program: &Program) -> Result<B256, AgentError> {
        let root = root_of(program);
        if !self.has(Kind::Model, root)? {
            let bytes = model_file::write(program);
            self.put(Kind::Model, root, bytes)?;
        }
        Ok(root)
    }

    /// The inputs of a model by their root.
    ///
    /// # Errors
    /// As [`Vault::model`].
    pub fn inputs(&self, program: &Program, root: B256) -> Result<Option<Vec<Tensor>>, AgentError> {
        let Some(bytes) = self.get(Kind::Inputs, root)? else { return Ok(None) };
        let read = cut(program, &bytes).map(|inputs| (Hasher::current().input_root(&inputs).into(), inputs));
        self.verified(Kind::Inputs, root, read).map(Some)
    }

    /// Stores inputs; gives their root.
    ///
    /// # Errors
    /// The storage does not answer or refuses.
    pub fn put_inputs(&self, inputs: &[Tensor]) -> Result<B256, AgentError> {
        let root = Hasher::current().input_root(inputs).into();
        if !self.has(Kind::Inputs, root)? {
            let bytes = inputs.iter().flat_map(|input| input.bytes().iter().copied()).collect();
            self.put(Kind::Inputs, root, bytes)?;
        }
        Ok(root)
    }

    /// The trace of a run by its root.
    ///
    /// # Errors
    /// As [`Vault::model`].
    pub fn trace(&self, program: &Program, root: B256) -> Result<Option<Trace>, AgentError> {
        let Some(bytes) = self.get(Kind::Trace, root)? else { return Ok(None) };
        let leaves = u64::from(program.counts().instructions);
        let whole =
            |run: &Run| u64::try_from(run.values.len()).is_ok_and(|n| n > 0 && n == run.length.saturating_mul(leaves));
        let read = run_of(&bytes).filter(whole).map(|run| Hasher::current().trace(program, run));
        let read = read.map(|trace| (B256::from(trace.root()), trace));
        self.verified(Kind::Trace, root, read.ok_or_else(|| "it is no trace".to_owned())).map(Some)
    }

    /// Stores a trace; gives its root.
    ///
    /// # Errors
    /// The storage does not answer or refuses.
    pub fn put_trace(&self, trace: &Trace) -> Result<B256, AgentError> {
        let root = B256::from(trace.root());
        if !self.has(Kind::Trace, root)? {
            self.put(Kind::Trace, root, bytes_of(trace.run()))?;
        }
        Ok(root)
    }
}

/// Bytes as the tensors of a program's inputs.
fn cut(program: &Program, mut bytes: &[u8]) -> Result<Vec<Tensor>, String> {
    let mut inputs = Vec::new();
    for header in program.inputs() {
        let size = header.elements.saturating_mul(header.dtype.bits()).div_ceil(8);
        let size = usize::try_from(size).map_err(|error| error.to_string())?;
        let (input, rest) = bytes.split_at_checked(size).ok_or("it is too short for the model's inputs")?;
        inputs.push(Tensor::new(header.dtype, header.elements, input.to_vec()).map_err(|error| error.to_string())?);
        bytes = rest;
    }
    if bytes.is_empty() { Ok(inputs) } else { Err("it is too long for the model's inputs".to_owned()) }
}

/// `length:u64`, then of each value `dtype:u8 ‖ elements:u64 ‖ bytes:u64` and its bytes.
fn bytes_of(run: &Run) -> Vec<u8> {
    let mut bytes = run.length.to_be_bytes().to_vec();
    for value in &run.values {
        let size = u64::try_from(value.bytes().len()).unwrap_or(u64::MAX);
        bytes.push(value.dtype().code());
        bytes.extend(value.elements().to_be_bytes());
        bytes.extend(size.to_be_bytes());
        bytes.extend_from_slice(value.bytes());
    }
    bytes
}

fn run_of(bytes: &[u8]) -> Option<Run> {
    let (length, mut rest) = bytes.split_first_chunk::<8>()?;
    let mut values = Vec::new();
    while let Some((&dtype, after)) = rest.split_first() {
        let (elements, after) = after.split_first_chunk::<8>()?;
        let (size, after) = after.split_first_chunk::<8>()?;
        let (value, after) = after.split_at_checked(usize::try_from(u64::from_be_bytes(*size)).ok()?)?;
        let dtype = DType::from_code(dtype)?;
        values.push(Tensor::new(dtype, u64::from_be_bytes(*elements), value.to_vec()).ok()?);
        rest = after;
    }
    Some(Run { length: u64::from_be_bytes(*length), values })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use opml_vm::{
        interpreter::{self, Stop},
        testing::{Limits, random_program},
    };

    use super::*;

    /// A folder with a model, its inputs and its trace.
    fn stored() -> (tempfile::TempDir, Vault, Program, Vec<Tensor>, Trace) {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path().join("store").to_str().unwrap()).unwrap();
        let made = (0..).find_map(|seed| {
            let (program, inputs, max) = random_program(seed, &Limits::default());
            let run = interpreter::run(&program, &inputs, Stop::Halt { max }, 1 << 20).ok()?;
            let full = inputs.iter().any(|input| !input.bytes().is_empty());
            full.then(|| (Trace::new(&program, run), program, inputs))
        });
        let (trace, program, inputs) = made.unwrap();
        (folder, vault, program, inputs, trace)
    }

    #[test]
    fn what_comes_out_is_what_went_in() {
        let (_folder, vault, program, inputs, trace) = stored();
        let (model, input, root) =
            (vault.put_model(&program).unwrap(), vault.put_inputs(&inputs).unwrap(), vault.put_trace(&trace).unwrap());
        assert_eq!(vault.model(model).unwrap().unwrap(), program);
        assert_eq!(vault.inputs(&program, input).unwrap().unwrap(), inputs);
        assert_eq!(vault.trace(&program, root).unwrap().unwrap(), trace);
        assert_eq!((model, root), (root_of(&program), B256::from(trace.root())));
        for kind in [Kind::Model, Kind::Inputs, Kind::Trace] {
            assert!(!vault.has(kind, B256::ZERO).unwrap());
        }
        assert_eq!(vault.model(B256::ZERO).unwrap(), None);
        assert_eq!(vault.inputs(&program, B256::ZERO).unwrap(), None);
        assert_eq!(vault.trace(&program, B256::ZERO).unwrap(), None);
    }

    #[test]
    fn a_damaged_object_is_an_error_that_names_it() {
        let (folder, vault, program, inputs, trace) = stored();
        let (model, input, root) =
            (vault.put_model(&program).unwrap(), vault.put_inputs(&inputs).unwrap(), vault.put_trace(&trace).unwrap());
        let damages: [fn(&mut Vec<u8>, usize); 3] =
            [|bytes, at| bytes[at] ^= 0x10, |bytes, at| bytes.truncate(at), |bytes, _| bytes.push(0)];
        for (kind, name) in [(Kind::Model, model), (Kind::Inputs, input), (Kind::Trace, root)] {
            let path = folder.path().join("store").join(kind.folder()).join(name.to_string());
            let good = std::fs::read(&path).unwrap();
            for damage in damages {
                for at in (0..good.len()).step_by(good.len().div_ceil(97)) {
                    let mut bytes = good.clone();
                    damage(&mut bytes, at);
                    std::fs::write(&path, bytes).unwrap();
                    let error = match kind {
                        Kind::Model => vault.model(name).unwrap_err(),
                        Kind::Inputs => vault.inputs(&program, name).unwrap_err(),
                        Kind::Trace => vault.trace(&program, name).unwrap_err(),
                    };
                    let words = error.to_string();
                    assert!(words.contains(&name.to_string()) && words.contains("damaged"), "{words}");
                    assert!(!error.is_passing());
                }
            }
            std::fs::write(&path, good).unwrap();
        }
    }

    #[test]
    fn places_that_are_none_are_refused() {
        let error = |place: &str| Vault::open(place).map(drop).unwrap_err().to_string();
        assert!(error("ftp://somewhere/else").contains("ftp:// is no storage"));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(error(file.path().join("below").to_str().unwrap()).contains("below"));
    }
}
