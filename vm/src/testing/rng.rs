//! A small deterministic generator.

/// SplitMix64: every seed gives a full-period stream.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// A stream for a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..n`; 0 for `n = 0`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.bits().checked_rem(n).unwrap_or(0)
    }

    /// A number in `low..=high` as `u32`; `low` if the range is empty.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        let span = u64::from(high.saturating_sub(low)).saturating_add(1);
        low.saturating_add(u32::try_from(self.below(span)).unwrap_or(0))
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of a list; the default for an empty list.
    pub fn pick<T: Copy>(&mut self, list: &[T], otherwise: T) -> T {
        let index = self.below(u64::try_from(list.len()).unwrap_or(0));
        usize::try_from(index).ok().and_then(|index| list.get(index)).copied().unwrap_or(otherwise)
    }

    /// A number of `0..len` as an index.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(u64::try_from(len).unwrap_or(0))).unwrap_or(0)
    }

    /// A signed number of a random magnitude: mostly small, sometimes an edge, sometimes anything.
    pub fn value(&mut self) -> i64 {
        match self.below(10) {
            0..6 => self.small(9),
            6..8 => self.pick(&super::EDGES, 0),
            8 => self.small(300),
            _ => i64::from_le_bytes(self.bits().to_le_bytes()),
        }
    }

    /// A number in `-magnitude..=magnitude`.
    pub fn small(&mut self, magnitude: u32) -> i64 {
        i64::from(self.between(0, magnitude.saturating_mul(2))) - i64::from(magnitude)
    }
}
