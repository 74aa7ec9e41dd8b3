//! Which content of a file it is, without reading it.

use std::{
    fs::Metadata,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Times of files advance in steps of at most so long: a file that is older does not change again without a new time.
pub(super) const STEP: Duration = Duration::from_millis(100);

/// A file and the time of its last change, to the precision of its file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    /// Bytes.
    pub(super) size: u64,
    /// Seconds and nanoseconds; whoever may write to the file may set it.
    modified: [i64; 2],
    /// The same of the last change of anything about the file, which the system alone sets.
    changed: [i64; 2],
}

impl Stamp {
    /// Bytes of [`Stamp::bytes`].
    pub(super) const BYTES: usize = 56;

    /// None of what is no regular file, and where the system does not tell.
    #[cfg(unix)]
    pub(super) fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        metadata.is_file().then(|| Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: [metadata.mtime(), metadata.mtime_nsec()],
            changed: [metadata.ctime(), metadata.ctime_nsec()],
        })
    }

    /// None of what is no regular file, and where the system does not tell.
    #[cfg(not(unix))]
    pub(super) fn of(_: &Metadata) -> Option<Self> {
        None
    }

    /// Whether the same file was not written to between two stamps. A new name or another owner change no content.
    pub(super) fn is_same_content(&self, other: &Self) -> bool {
        let content = |stamp: &Self| (stamp.device, stamp.inode, stamp.size, stamp.modified);
        content(self) == content(other)
    }

    /// How long ago the last change was; none if that is yet to come.
    pub(super) fn age(&self) -> Option<Duration> {
        let [seconds, nanoseconds] = self.changed;
        let since = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
        SystemTime::now().duration_since(UNIX_EPOCH.checked_add(since)?).ok()
    }

    /// For a file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        [self.device, self.inode, self.size].iter().for_each(|number| out.extend(number.to_be_bytes()));
        self.modified.iter().chain(&self.changed).for_each(|number| out.extend(number.to_be_bytes()));
        out
    }
}
