//! Files: whole reads, and writes that leave either the old file or the new one.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use opml_vm::{Program, model_file};

use crate::error::ProverError;

/// Reads a file.
///
/// # Errors
/// With the path.
pub fn read(path: &Path) -> Result<Vec<u8>, ProverError> {
    if path.is_dir() {
        return Err(ProverError::Folder { path: path.to_path_buf() });
    }
    fs::read(path).map_err(|error| ProverError::Read { path: path.to_path_buf(), error })
}

/// Writes a file by way of a temporary one beside it, so that a full disk or a crash loses nothing. Devices and pipes
/// are written to as they are; a symbolic link stays one.
///
/// # Errors
/// With the path; the file is then as it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), ProverError> {
    if path.is_dir() {
        return Err(ProverError::Folder { path: path.to_path_buf() });
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        return Err(ProverError::NoFolder { path: path.to_path_buf(), folder: folder.to_path_buf() });
    }
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let special = fs::metadata(&target).is_ok_and(|metadata| !metadata.is_file());
    let written = if special { write_through(&target, bytes) } else { replace(&target, bytes, &fresh()) };
    written.map_err(|error| ProverError::Write { path: path.to_path_buf(), error })
}

/// Writes a file that is the user's alone, in a folder that is made if there is none, for the user alone as well.
///
/// # Errors
/// As [`write()`].
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), ProverError> {
    let failed = |error| ProverError::Write { path: path.to_path_buf(), error };
    let (mut folders, mut file) = (fs::DirBuilder::new(), fresh());
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        folders.mode(0o700);
        file.mode(0o600);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), |folder| folders.recursive(true).create(folder)).map_err(failed)?;
    replace(path, bytes, &file).map_err(failed)
}

/// A file that is written from its beginning.
fn fresh() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    options
}

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(path)?.write_all(bytes)
}

fn replace(path: &Path, bytes: &[u8], options: &fs::OpenOptions) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = options.open(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    if written.is_err() {
        // The first error is the one to tell; a leftover part file does no harm.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Reads a model file into memory; [`crate::model::Model::open`] maps it.
///
/// # Errors
/// With the path, and the place in the file.
pub fn read_model(path: &Path) -> Result<Program, ProverError> {
    let bytes = read(path)?;
    let hint = "`opml import` writes model files";
    model_file::read_shared(&bytes.into()).map_err(|error| ProverError::Model { path: path.to_path_buf(), error, hint })
}
