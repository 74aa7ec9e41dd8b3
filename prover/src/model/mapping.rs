//! A file's bytes as memory.

use std::{
    fs::File,
    io::{self, Read as _},
};

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

/// Reads `size` bytes of a file into memory of large pages, where the system has them: what is read often streams faster from there.
///
/// # Errors
/// There is no such memory, or the file cannot be read, or is shorter.
pub(super) fn copy(file: &mut File, size: usize) -> io::Result<Bytes> {
    let mut memory = MmapOptions::new().len(size).map_anon()?;
    // Without large pages all is the same, but slower.
    #[cfg(target_os = "linux")]
    let _ = memory.advise(memmap2::Advice::HugePage);
    file.read_exact(&mut memory)?;
    Ok(Bytes::from_owner(memory.make_read_only()?))
}

/// Bytes of memory that programs can have without others being moved out of it, if the system tells.
pub(super) fn available() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = told.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
