//! A file's bytes as memory.

use std::{fs::File, io};

use bytes::Bytes;
use memmap2::MmapOptions;

/// Maps a file, private and read-only; it may be closed.
///
/// If another process writes to the file meanwhile, the bytes change; if it cuts the file, reading what is gone ends this process
/// (`SIGBUS`). Neither is noticed here: see [`super::Guard`].
///
/// # Errors
/// The file cannot be mapped.
#[allow(unsafe_code, reason = "the one place that maps files")]
pub(super) fn map(file: &File) -> io::Result<Bytes> {
    // SAFETY: nothing in this process writes to the mapping, which is read-only, nor to the file. Another process may. Then a read gives
    // the old or the new byte: those who read take any byte for a number and derive no address, length or branch from two reads of one
    // byte being equal, and what they computed is not used once `Guard::check` has seen the change. Reads past a cut are a signal that
    // ends the process. So a change can end or delay this process, and is never taken for a result.
    let map = unsafe { MmapOptions::new().map_copy_read_only(file) }?;
    Ok(Bytes::from_owner(map))
}
