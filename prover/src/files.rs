//! Files: whole reads, and writes that leave either the old file or the new one.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use opml_vm::{Program, model_file};

use crate::error::ProverError;

/// Reads a file.
///
/// # Errors
/// With the path.
pub fn read(path: &Path) -> Result<Vec<u8>, ProverError> {
    fs::read(path).map_err(|error| ProverError::Read { path: path.to_path_buf(), error })
}

/// Writes a file by way of a temporary one beside it, so that a full disk or a crash loses nothing.
///
/// # Errors
/// With the path; the file is then as it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), ProverError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = fs::File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    written.map_err(|error| {
        // The first error is the one to tell; a leftover part file does no harm.
        let _ = fs::remove_file(&beside);
        ProverError::Write { path: path.to_path_buf(), error }
    })
}

/// Reads a model file.
///
/// # Errors
/// With the path, and the place in the file.
pub fn read_model(path: &Path) -> Result<Program, ProverError> {
    let bytes = read(path)?;
    model_file::read(&bytes).map_err(|error| ProverError::Model { path: path.to_path_buf(), error })
}
