//! How the process allocates.
//!
//! Runs make and drop values by the thousand, and fresh pages cost more than what is computed in them: the allocator is one that serves
//! threads from heaps of their own and in 2 MiB pages where the system has them, and memory that was freed is kept for the next run.

use libmimalloc_sys::{mi_option_set_default, mi_option_t};
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// `mi_option_purge_delay` of `mimalloc.h`, which the bindings do not name.
const PURGE_DELAY: mi_option_t = 15;

/// How long freed memory is kept before the system has it back, in milliseconds: some rounds of an agent.
const KEPT: std::ffi::c_long = 10_000;

/// Keeps freed memory for some seconds; the environment's `MIMALLOC_PURGE_DELAY` goes before. For the start of a program.
#[allow(unsafe_code, reason = "an option of the allocator, written before threads are there that read it")]
pub fn keep_freed() {
    // SAFETY: writes one word of a table of options; every value is valid.
    unsafe { mi_option_set_default(PURGE_DELAY, KEPT) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(unsafe_code, reason = "reads an option of the allocator")]
    fn the_option_is_the_purge_delay() {
        // SAFETY: reads one word of a table of options.
        let get = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        // The default that `mimalloc.h` tells, unless the environment says otherwise.
        if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
            assert_eq!(get(), 1000);
            keep_freed();
            assert_eq!(get(), KEPT);
        }
    }
}
