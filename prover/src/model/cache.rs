//! The hashes of a model's constants, kept from one start to the next.
//!
//! A file of the cache is `opMLtree\x01 ‖ stamp ‖ model root ‖ nodes ‖ Keccak-256 of all before`: of each constant, one after another, the
//! nodes of the level [`TensorTree::CUT`], and everything above is hashed from them again. It is used if the stamp is that of the model's
//! file, the hash is right, and the model root follows from the nodes. So one that is cut, damaged or out of date is never used. One that
//! was forged can be: a cache is read only if its owner is the user, and nobody else may write to it or to its folder; and bonds do not
//! rest on it, see [`super::is_as_hashed`].

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use opml_ops::commit::Hasher;
use opml_vm::{
    Hash, Program, Tensor,
    merkle::{self, TensorTree, Tree},
};

use super::stamp::{STEP, Stamp};
use crate::{files, hex};

/// Folder of the cache, or `off`.
const PLACE: &str = "OPML_CACHE";
/// Name and version.
const MAGIC: &[u8; 9] = b"opMLtree\x01";

/// Where hashes are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache(Option<PathBuf>);

/// Where the hashes of a model came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// From the cache.
    Found,
    /// The constants were hashed, and the next start finds their hashes.
    Written,
    /// The constants were hashed, and will be again, for this reason.
    Not(String),
    /// They are hashed in no time.
    Small,
}

impl Cache {
    /// The folder that `OPML_CACHE` names, none if that is `off`; otherwise `opml` in the user's folder of caches.
    #[must_use]
    pub fn usual() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        match variable(PLACE) {
            Some(place) if place.as_os_str() == "off" => Self(None),
            Some(place) => Self(Some(place)),
            None => {
                let home = || variable("HOME").map(|home| home.join(".cache"));
                Self(variable("XDG_CACHE_HOME").or_else(home).map(|caches| caches.join("opml")))
            }
        }
    }

    /// Nowhere.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// A folder, which is made if there is none.
    #[must_use]
    pub const fn at(folder: PathBuf) -> Self {
        Self(Some(folder))
    }

    /// The place of a model file's hashes: named by where that file is, so that a new model takes the place of the old one.
    fn place(&self, model: &Path) -> Option<PathBuf> {
        let model = model.canonicalize().ok()?;
        let name = hex::of(&merkle::keccak(&[model.as_os_str().as_encoded_bytes()]));
        Some(self.0.as_ref()?.join(format!("{}.trees", name.trim_start_matches("0x").get(..32)?)))
    }

    /// The trees of a model whose file has this stamp, if they are here.
    pub(super) fn find(&self, model: &Path, stamp: &Stamp, program: &Program) -> Option<Vec<Arc<Tree>>> {
        let place = self.place(model)?;
        if !is_own(place.parent()?) || !is_own(&place) {
            return None;
        }
        let bytes = fs::read(place).ok()?;
        let (bytes, sum) = bytes.split_last_chunk::<32>()?;
        if merkle::keccak(&[bytes]) != *sum {
            return None;
        }
        let bytes = bytes.strip_prefix(MAGIC)?.strip_prefix(stamp.bytes().as_slice())?;
        let (root, bytes) = bytes.split_first_chunk::<32>()?;
        let (nodes, []) = bytes.as_chunks::<32>() else { return None };
        let trees = trees(program, nodes)?;
        let known = program.clone().with_trees(trees.clone());
        (Hasher::current().model_roots(&known).model == *root).then_some(trees)
    }

    /// Keeps the trees of a model whose file has this stamp, and has not changed since.
    pub(super) fn keep(&self, model: &Path, stamp: &Stamp, program: &Program) -> Kept {
        // Within one step of its time a file could change twice and look the same.
        let Some(age) = stamp.age() else { return Kept::Not("the file is of a time to come".to_owned()) };
        thread::sleep(STEP.saturating_sub(age));
        let is_same = model.metadata().ok().and_then(|metadata| Stamp::of(&metadata)) == Some(*stamp);
        let Some(place) = self.place(model) else { return Kept::Not("no cache is wanted".to_owned()) };
        let Some(trees) = program.trees().filter(|_| is_same) else {
            return Kept::Not("the file has changed".to_owned());
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend(stamp.bytes());
        bytes.extend(Hasher::current().model_roots(program).model);
        for (constant, tree) in program.constants().iter().zip(trees) {
            (0..count(constant)).for_each(|index| bytes.extend(tree.node(0, index)));
        }
        bytes.extend(merkle::keccak(&[&bytes]));
        match files::write_private(&place, &bytes) {
            Ok(()) if place.parent().is_some_and(is_own) => Kept::Written,
            Ok(()) => Kept::Not(format!("others may write to {}", place.display())),
            Err(error) => Kept::Not(error.to_string()),
        }
    }
}

/// Lowest kept nodes of a constant.
fn count(constant: &Tensor) -> u64 {
    TensorTree::kept_nodes(u64::try_from(constant.bytes().len()).unwrap_or(u64::MAX))
}

/// The trees of a program over all its lowest kept nodes; none if there are more or fewer.
fn trees(program: &Program, nodes: &[Hash]) -> Option<Vec<Arc<Tree>>> {
    let counts = program.constants().iter().map(|constant| usize::try_from(count(constant)));
    let counts = counts.collect::<Result<Vec<usize>, _>>().ok()?;
    let all = counts.iter().try_fold(0_usize, |sum, &count| sum.checked_add(count))?;
    let trees = || Hasher::current().trees(&counts, nodes.to_vec());
    (all == nodes.len()).then(|| trees().into_iter().map(Arc::new).collect())
}

/// Whether only the user can write to a file or folder.
#[cfg(unix)]
fn is_own(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let owner = rustix::process::geteuid().as_raw();
    path.metadata().is_ok_and(|metadata| metadata.uid() == owner && metadata.mode() & 0o022 == 0)
}

/// Nothing is known of others.
#[cfg(not(unix))]
fn is_own(_: &Path) -> bool {
    false
}
