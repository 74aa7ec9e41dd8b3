//! Buffers that values have left.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Most buffers that are kept.
const KEPT: usize = 256;
/// Shorter ones are kept by their capacity.
const SHORTEST: usize = 1 << 14;
/// Still shorter ones are as cheap to allocate, but for many at once.
const TINY: usize = 1 << 10;
/// From so many tiny buffers on, an allocator has not all of them at hand.
const MANY: usize = 8;
/// Least difference of the capacities of short buffers.
const LEAST: usize = 16;
/// Most bytes of short buffers that are kept.
const SHORT_BYTES: usize = 1 << 23;
/// Most short buffers of a capacity that are kept.
const EACH: usize = 512;

/// Buffers for reuse; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    long: Vec<Vec<u8>>,
    /// By their classes, which are their capacities.
    short: BTreeMap<usize, Vec<Vec<u8>>>,
    /// Capacities of the short ones, and a word for each.
    short_bytes: usize,
}

impl Pool {
    /// `length` bytes of unknown content, of a buffer that is not much larger, if there is one.
    pub(super) fn take(&self, length: usize) -> Vec<u8> {
        if length < TINY {
            return short(length);
        }
        if length < SHORTEST {
            let found = self.kept().one_short(length);
            return found.unwrap_or_else(|| short(length));
        }
        let found = self.kept().long(length);
        long(found, length)
    }

    /// [`Pool::take`] so many times.
    pub(super) fn take_many(&self, count: usize, length: usize) -> Vec<Vec<u8>> {
        if length < TINY && count < MANY {
            return (0..count).map(|_| short(length)).collect();
        }
        let mut buffers = Vec::with_capacity(count);
        let mut kept = self.kept();
        if length < SHORTEST {
            kept.short(length, count, &mut buffers);
            drop(kept);
            buffers.resize_with(count, || short(length));
        } else {
            let found: Vec<_> = (0..count).map(|_| kept.long(length)).collect();
            drop(kept);
            buffers.extend(found.into_iter().map(|found| long(found, length)));
        }
        buffers
    }

    /// Keeps a buffer.
    pub(super) fn put(&self, buffer: Vec<u8>) {
        if buffer.capacity() >= TINY {
            self.kept().keep(buffer);
        }
    }

    /// Keeps buffers.
    pub(super) fn put_many(&self, buffers: impl ExactSizeIterator<Item = Vec<u8>>) {
        if buffers.len() < MANY {
            return buffers.for_each(|buffer| self.put(buffer));
        }
        let mut kept = self.kept();
        buffers.for_each(|buffer| kept.keep(buffer));
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn long(&mut self, length: usize) -> Option<Vec<u8>> {
        let fits =
            |buffer: &Vec<u8>| buffer.capacity() >= length && buffer.capacity() - buffer.capacity() / 4 <= length;
        let best = self.long.iter().enumerate().filter(|(_, b)| fits(b)).min_by_key(|(_, b)| b.capacity());
        best.map(|(number, _)| number).map(|number| self.long.swap_remove(number))
    }

    /// Up to `count` buffers of that class.
    fn short(&mut self, length: usize, count: usize, out: &mut Vec<Vec<u8>>) {
        let Some(buffers) = self.short.get_mut(&class(length)) else { return };
        let first = buffers.len().saturating_sub(count);
        for mut buffer in buffers.drain(first..) {
            self.short_bytes = self.short_bytes.saturating_sub(held(&buffer));
            buffer.resize(length, 0);
            out.push(buffer);
        }
    }

    /// A buffer of that class.
    fn one_short(&mut self, length: usize) -> Option<Vec<u8>> {
        let mut buffer = self.short.get_mut(&class(length))?.pop()?;
        self.short_bytes = self.short_bytes.saturating_sub(held(&buffer));
        buffer.resize(length, 0);
        Some(buffer)
    }

    fn keep(&mut self, buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        if capacity >= SHORTEST {
            if self.long.len() < KEPT {
                self.long.push(buffer);
            }
        } else if capacity > 0 && capacity == class(capacity) && self.short_bytes + held(&buffer) <= SHORT_BYTES {
            let same = self.short.entry(capacity).or_default();
            if same.len() < EACH {
                self.short_bytes += held(&buffer);
                same.push(buffer);
            }
        }
    }
}

/// What a short buffer takes.
fn held(buffer: &Vec<u8>) -> usize {
    buffer.capacity() + size_of::<Vec<u8>>()
}

/// The capacity of short buffers of a length: one for eight of up to a quarter more, so that values that grow find those that
/// shorter ones have left.
fn class(length: usize) -> usize {
    let step = (length / 8).next_power_of_two().max(LEAST);
    length.next_multiple_of(step).min(length.max(SHORTEST - 1))
}

/// Allocators have short buffers at hand, but not cleared ones.
fn short(length: usize) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(class(length));
    buffer.resize(length, 0);
    buffer
}

fn long(found: Option<Vec<u8>>, length: usize) -> Vec<u8> {
    match found {
        Some(mut buffer) => {
            buffer.resize(length, 0);
            buffer
        }
        None => vec![0; length],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back() {
        for length in [1, 100, SHORTEST - 1, SHORTEST, 3 * SHORTEST] {
            let pool = Pool::default();
            let mut buffers = pool.take_many(20, length);
            assert!(buffers.iter().all(|buffer| *buffer == vec![0; length]), "{length}");
            buffers.iter_mut().for_each(|buffer| buffer.fill(7));
            pool.put_many(buffers.into_iter());
            let again = pool.take_many(25, length);
            let known = again.iter().filter(|buffer| **buffer == vec![7; length]).count();
            assert_eq!((again.len(), known), (25, 20), "{length}");
            assert!(again.iter().all(|buffer| buffer.len() == length));
        }
    }

    #[test]
    fn few_short_buffers_are_the_allocators() {
        let pool = Pool::default();
        pool.put_many(vec![vec![7; 9]; MANY - 1].into_iter());
        pool.put(vec![7; 9]);
        assert_eq!(pool.take_many(MANY, 9), vec![vec![0; 9]; MANY]);
        assert_eq!(pool.take(9), vec![0; 9]);
        pool.put(vec![7; SHORTEST]);
        assert_eq!(pool.take(SHORTEST - 1), vec![0; SHORTEST - 1]);
        assert_eq!(pool.take(SHORTEST), vec![7; SHORTEST]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let pool = Pool::default();
        for _ in 0..40 {
            pool.put_many(vec![vec![7; 10_240]; 100].into_iter());
            pool.put_many(vec![Vec::new(); 100].into_iter());
        }
        let again = pool.take_many(2000, 10_240);
        let known = again.iter().filter(|buffer| buffer[0] == 7).count();
        assert_eq!(known, EACH);
        assert_eq!(pool.kept().short_bytes, 0);
        pool.put_many(vec![vec![7; SHORTEST]; KEPT + 9].into_iter());
        assert_eq!(pool.kept().long.len(), KEPT);
    }
}
