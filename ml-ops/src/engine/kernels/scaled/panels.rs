//! Vectors side by side, 16 to a panel, as the kernel of strips reads them.

use super::{BLOCK, Vector};

/// Vectors of a panel.
pub(super) const PANEL: usize = 16;
/// Most panels of a strip.
pub(super) const PANELS: usize = 2;
/// The sum of a block of 32 numbers that are all −128. With weights in 4 bits that are all −8, and only then, the product of a block
/// does not fit 16 bits.
const LEAST: i32 = -4096;

/// A block of the vectors of a panel.
#[derive(Clone)]
#[repr(C, align(64))]
pub(super) struct Part {
    /// Codes: in line `k` numbers `4k` to `4k + 3` of each vector. For weights in 4 bits even numbers come before odd ones.
    pub(super) codes: [[i8; 64]; 8],
    /// The sum of each vector; for weights in 4 bits in the high half.
    pub(super) sums: [i32; PANEL],
    /// Takes back that weights are read as unsigned.
    pub(super) start: [i32; PANEL],
    /// Largest magnitudes of vectors with even numbers, and with odd ones.
    pub(super) most: [[i64; 8]; 2],
}

impl Part {
    const EMPTY: Self = Self { codes: [[0; 64]; 8], sums: [0; PANEL], start: [0; PANEL], most: [[0; 8]; 2] };

    /// Takes in the block of a vector, and gives its sum.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "it is to be compiled with the caller's instructions")]
    fn put(&mut self, place: usize, codes: &[i8; BLOCK], most: i32, four: bool) -> i32 {
        let mut ordered = *codes;
        if four {
            for (at, &code) in codes.iter().enumerate() {
                ordered[at / 2 + at % 2 * (BLOCK / 2)] = code;
            }
        }
        for (line, group) in self.codes.iter_mut().zip(ordered.as_chunks::<4>().0) {
            line[4 * place..][..4].copy_from_slice(group);
        }
        let sum: i32 = codes.iter().map(|&code| i32::from(code)).sum();
        self.sums[place] = if four { sum << 16 } else { sum };
        self.start[place] = sum * if four { -8 } else { -128 };
        self.most[place % 2][place / 2] = i64::from(most);
        sum
    }
}

/// Up to 32 vectors.
pub(in crate::engine) struct Strip {
    /// How many.
    pub(super) vectors: usize,
    /// Block by block the parts of all panels.
    pub(super) parts: Vec<Part>,
}

impl Strip {
    /// Panels of the strip.
    pub(super) const fn panels(&self) -> usize {
        self.vectors.div_ceil(PANEL)
    }

    /// `None` if a product of a block may not fit 16 bits where it has to.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "as above")]
    pub(super) fn new(vectors: &[Vector<'_>], blocks: usize, four: bool) -> Option<Self> {
        let panels = vectors.len().div_ceil(PANEL);
        let mut parts = vec![Part::EMPTY; panels * blocks];
        for (number, vector) in vectors.iter().enumerate() {
            let codes = vector.codes.as_chunks::<BLOCK>().0.iter();
            let most = vector.most.as_chunks::<4>().0.iter();
            let parts = parts[number / PANEL..].iter_mut().step_by(panels);
            for ((codes, &most), part) in codes.zip(most).zip(parts) {
                let codes = codes.map(u8::cast_signed);
                let sum = part.put(number % PANEL, &codes, i32::from_le_bytes(most), four);
                if four && sum == LEAST {
                    return None;
                }
            }
        }
        Some(Self { vectors: vectors.len(), parts })
    }
}
