//! Tables with straight lines between their entries.

use std::sync::{Arc, OnceLock};

use opml_vm::DType;

use super::{super::simd::Kernels, pattern::Pattern};
use crate::engine::{
    Frame,
    load::{Place, count, size},
};

/// Most entries.
const ENTRIES: i64 = 4096;
/// Lanes that are looked up together.
pub(super) const TILE: usize = 256;

/// Room for a tile.
pub(super) struct Tile {
    pub(super) index: [i32; TILE],
    pub(super) part: [i32; TILE],
    pub(super) found: [i64; TILE],
}

impl Tile {
    pub(super) const fn new() -> Self {
        Self { index: [0; TILE], part: [0; TILE], found: [0; TILE] }
    }

    /// Looks up the first `lanes` places, and some more: whole vectors are quicker.
    pub(super) fn look_up(&mut self, kernels: Kernels, lanes: usize, pairs: &Pairs) {
        let lanes = lanes.next_multiple_of(16).min(TILE);
        kernels.look_up_pairs(&mut self.found[..lanes], &self.index[..lanes], &pairs.pairs);
    }
}

/// A constant's entries with what follows each until the next one, of a number that is never negative.
#[derive(Debug, Clone)]
pub(super) struct Line {
    place: Place,
    extent: i64,
    pad: i64,
    entries: i64,
    known: Arc<OnceLock<Option<Pairs>>>,
}

/// An entry in the low 32 bits, the step to the next one in the high ones.
#[derive(Debug, Clone)]
pub(super) struct Pairs {
    pub(super) pairs: Vec<i64>,
    /// The least and the greatest entry.
    pub(super) ends: (i64, i64),
}

impl Line {
    /// Of two loads, at an index and at the next one; with the slot of the index.
    pub(super) fn new(pattern: &Pattern<'_>, entry: usize, next: usize) -> Option<(Self, usize)> {
        let single = |slot: usize| {
            let (access, _) = pattern.load(slot)?;
            let [(sum, extent)] = access.axes.as_slice() else { return None };
            let [(index, 1)] = sum.slots.as_slice() else { return None };
            let still = (0..16).all(|axis| pattern.extents[axis] == 1 || sum.coordinates[axis] == 0);
            let known = still && access.dtype != DType::I64 && matches!(access.place, Place::Constant(_));
            known.then_some((access, *extent, *index, sum.base))
        };
        let ((first, extent, index, 0), (second, same, again, 1)) = (single(entry)?, single(next)?) else {
            return None;
        };
        let one = (first.place, first.pad, extent, index) == (second.place, second.pad, same, again);
        let range = pattern.interval(index);
        let entries = range.high.checked_add(1)?;
        let known = Arc::default();
        let line = Self { place: first.place, extent, pad: first.pad, entries, known };
        (one && range.low >= 0 && entries <= ENTRIES).then_some((line, index))
    }

    /// The entries; `None` if one of them or a step does not fit i32.
    pub(super) fn pairs(&self, frame: Frame<'_>) -> Option<&Pairs> {
        self.known.get_or_init(|| self.read(frame)).as_ref()
    }

    fn read(&self, frame: Frame<'_>) -> Option<Pairs> {
        let tensor = frame.tensor(self.place)?;
        let entry = |index: i64| {
            let inside = u64::try_from(index).ok().filter(|_| index < self.extent);
            inside.and_then(|index| tensor.get(index)).unwrap_or(self.pad)
        };
        let values: Vec<i64> = (0..=self.entries).map(entry).collect();
        let ends = (*values.iter().min()?, *values.iter().max()?);
        let pair = |pair: &[i64; 2]| {
            let (low, step) = (i32::try_from(pair[0]).ok()?, i32::try_from(pair[1].checked_sub(pair[0])?).ok()?);
            Some((i64::from(step) << 32) | (i64::from(low) & 0xffff_ffff))
        };
        let pairs: Option<Vec<i64>> = values.array_windows::<2>().map(pair).collect();
        pairs
            .filter(|pairs| count(pairs.len()) == self.entries && size(self.entries) > 0)
            .map(|pairs| Pairs { pairs, ends })
    }
}
