//! Model files that are opened and not read: their constants stay in the file, and are hashed once.
//!
//! | module | what it does |
//! |---|---|
//! | `mapping` | a file's bytes as memory; but for the allocator's option the only unsafe code of this crate |
//! | `stamp` | which content of a file it is, without reading it |
//! | `cache` | the hashes of constants, kept from one start to the next |
//!
//! A mapped file that somebody changes in place changes under the run. [`Guard::check`] tells, and whoever stakes or shows a result asks
//! it first. `opml` itself never changes a file in place: it puts another one where the old one was, which those who have that open keep.

mod cache;
mod mapping;
mod stamp;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use opml_ops::commit::Hasher;
use opml_vm::{Program, model_file};

pub use cache::{Cache, Kept};
use stamp::Stamp;

use crate::{error::ProverError, files};

/// Smaller files are read, and hashed whenever they are opened.
const SMALL: u64 = 1 << 20;
/// With this variable set to `off`, files are read into memory as a whole; with any other value they never are.
const MAP: &str = "OPML_MAP";

/// What is going to be done with the weights of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// They are used where they lie, as far as they are used.
    Some,
    /// All of them are read many times: they are copied to large pages, if they take less than half of the memory that is available.
    Often,
}

/// Notices that an open file changes.
#[derive(Debug, Clone, Default)]
pub struct Guard(Option<Arc<Watched>>);

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    file: File,
    stamp: Stamp,
}

impl Guard {
    /// Whether the file is still what it was when it was opened. A program that was not read from a file is.
    ///
    /// # Errors
    /// It was written to, or cut.
    pub fn check(&self) -> Result<(), ProverError> {
        let Some(watched) = &self.0 else { return Ok(()) };
        let now = watched.file.metadata().ok().and_then(|metadata| Stamp::of(&metadata));
        if now.is_some_and(|now| now.is_same_content(&watched.stamp)) {
            return Ok(());
        }
        Err(ProverError::Changed { path: watched.path.clone() })
    }
}

/// A program whose constants may lie in its file.
#[derive(Debug)]
pub struct Model {
    /// The program.
    pub program: Program,
    /// To be asked before anything that was computed with the program is used.
    pub guard: Guard,
    stamp: Option<Stamp>,
    path: PathBuf,
}

impl Model {
    /// Opens a model file. Nothing of its constants is read before it is used, if the file is large.
    ///
    /// # Errors
    /// With the path, and the place in the file.
    pub fn open(path: &Path) -> Result<Self, ProverError> {
        Self::open_for(path, Use::Some)
    }

    /// The same for a run that reads all constants many times, as one that generates a long text does.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn open_in_memory(path: &Path) -> Result<Self, ProverError> {
        Self::open_for(path, Use::Often)
    }

    fn open_for(path: &Path, purpose: Use) -> Result<Self, ProverError> {
        let (bytes, guard) = bytes(path, purpose)?;
        let hint = "`opml import` writes model files";
        let program = model_file::read_shared(&bytes);
        guard.check()?;
        let program = program.map_err(|error| ProverError::Model { path: path.to_path_buf(), error, hint })?;
        let stamp = guard.0.as_ref().map(|watched| watched.stamp);
        Ok(Self { program, guard, stamp, path: path.to_path_buf() })
    }

    /// Opens a model file to commit to it: with the hashes of its constants, from the cache or from the file.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn open_hashed(path: &Path) -> Result<Self, ProverError> {
        Ok(Self::open(path)?.hashed(&Cache::usual())?.0)
    }

    /// The same with the hashes of its constants, and where these came from. A cache that cannot be read or written costs time and nothing
    /// else.
    ///
    /// # Errors
    /// The file changed meanwhile.
    pub fn hashed(self, cache: &Cache) -> Result<(Self, Kept), ProverError> {
        // What was cut cannot be hashed.
        self.guard.check()?;
        let Self { program, guard, stamp, path } = self;
        let (program, kept) = match &stamp {
            None => (Hasher::current().hashed(program), Kept::Small),
            Some(stamp) => match cache.find(&path, stamp, &program) {
                Some(trees) => (program.with_trees(trees), Kept::Found),
                None => {
                    let program = Hasher::current().hashed(program);
                    guard.check()?;
                    let kept = cache.keep(&path, stamp, &program);
                    (program, kept)
                }
            },
        };
        guard.check()?;
        Ok((Self { program, guard, stamp, path }, kept))
    }
}

/// Whether a program's constants have the hashes that came with it; all of them are hashed. To be asked before a bond is put on the program,
/// so that not even a forged cache can cost it.
#[must_use]
pub fn is_as_hashed(program: &Program) -> bool {
    let fresh = || Hasher::current().upper_trees(program.constants());
    program.trees().is_none_or(|trees| trees.iter().map(AsRef::as_ref).eq(fresh().iter()))
}

/// A large file is mapped or copied, others, and what is no file, are read.
fn bytes(path: &Path, purpose: Use) -> Result<(Bytes, Guard), ProverError> {
    let read = || files::read(path).map(|bytes| (Bytes::from(bytes), Guard::default()));
    let wish = std::env::var_os(MAP);
    if wish.as_ref().is_some_and(|value| value == "off") {
        return read();
    }
    let failed = |error| ProverError::Read { path: path.to_path_buf(), error };
    // A folder is refused there.
    let Some(stamp) = path.metadata().ok().and_then(|metadata| Stamp::of(&metadata)) else { return read() };
    if stamp.size < SMALL {
        return read();
    }
    let mut file = File::open(path).map_err(failed)?;
    let Some(stamp) = Stamp::of(&file.metadata().map_err(failed)?) else { return read() };
    let fits = || mapping::available().is_some_and(|bytes| stamp.size < bytes / 2);
    let bytes = match usize::try_from(stamp.size) {
        Ok(size) if purpose == Use::Often && wish.is_none() && fits() => mapping::copy(&mut file, size),
        _ => mapping::map(&file),
    };
    let bytes = bytes.map_err(failed)?;
    let guard = Guard(Some(Arc::new(Watched { path: path.to_path_buf(), file, stamp })));
    if u64::try_from(bytes.len()).ok() != Some(stamp.size) {
        return Err(ProverError::Changed { path: path.to_path_buf() });
    }
    Ok((bytes, guard))
}
