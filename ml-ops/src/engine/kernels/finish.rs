//! From sums to stored numbers: bias, fixed-point factor, zero point, clamp.

#![allow(unsafe_code, reason = "functions for CPUs with certain instructions")]

use opml_vm::DType;

use super::{Isa, STRIP};
use crate::tier::Tier;

/// Numbers for each column, in blocks of whole strips: all columns of a block, then zeros.
#[derive(Debug, Clone)]
pub(in crate::engine) enum Channels {
    /// Sums with their bias, and factors, fit i32.
    Narrow {
        /// Added to the sum.
        add: Vec<i32>,
        /// Multiplies that.
        factor: Vec<i32>,
    },
    /// Products fit i64.
    Wide {
        /// Added to the sum.
        add: Vec<i64>,
        /// Multiplies that.
        factor: Vec<i64>,
    },
}

/// `clamp(⌊((sum + row + add) · factor + half) / 2^shift⌋ + zero, low, high)`, where no step leaves i64.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Fixed {
    /// Stored type; `low` and `high` are inside it.
    pub(in crate::engine) dtype: DType,
    /// For each column.
    pub(in crate::engine) channels: Channels,
    /// Below 63.
    pub(in crate::engine) shift: u32,
    /// `2^(shift-1)` to round half up, or 0.
    pub(in crate::engine) half: i64,
    /// Zero point.
    pub(in crate::engine) zero: i64,
    /// Least stored number.
    pub(in crate::engine) low: i64,
    /// Greatest stored number.
    pub(in crate::engine) high: i64,
}

impl Fixed {
    /// Stores a row of a tile from i32 sums. `first` is the tile's first column, counted with the padding of the blocks
    /// before; `row` is added to every sum.
    pub(super) fn narrow(&self, isa: Isa, sums: &[i32; STRIP], row: i64, first: usize, out: &mut [u8]) {
        let Channels::Narrow { add, factor } = &self.channels else {
            let sums = sums.map(i64::from);
            return self.wide(isa, &sums, row, first, out);
        };
        let strip = first..first + STRIP;
        let tables =
            (add.get(strip.clone()).and_then(<[i32]>::first_chunk), factor.get(strip).and_then(<[i32]>::first_chunk));
        let (Some(add), Some(factor)) = tables else { return };
        // The sum of all parts fits i32, so its low half is right.
        let [a, b, c, d, ..] = row.to_le_bytes();
        let row = i32::from_le_bytes([a, b, c, d]);
        #[cfg(target_arch = "x86_64")]
        {
            let bytes = matches!(self.dtype, DType::U8 | DType::I8);
            if isa.tier() >= Tier::Avx512 && bytes && self.shift >= 32 && out.len() <= STRIP {
                // SAFETY: the CPU has the tier.
                return unsafe { super::avx512::requantise(self, sums, row, (add, factor), out) };
            }
            if isa.tier() >= Tier::Avx512 {
                // SAFETY: the CPU has the tier.
                return unsafe { narrow_avx512(self, sums, row, (add, factor), out) };
            }
            if isa.tier() >= Tier::Avx2 {
                // SAFETY: the CPU has the tier.
                return unsafe { narrow_avx2(self, sums, row, (add, factor), out) };
            }
        }
        let _ = isa;
        narrow(self, sums, row, (add, factor), out);
    }

    /// Same from i64 sums.
    pub(super) fn wide(&self, isa: Isa, sums: &[i64; STRIP], row: i64, first: usize, out: &mut [u8]) {
        let mut values = [0; STRIP];
        let strip = first..first + STRIP;
        match &self.channels {
            Channels::Narrow { add, factor } => {
                let (add, factor) = (add.get(strip.clone()).unwrap_or(&[]), factor.get(strip).unwrap_or(&[]));
                let channels = add.iter().zip(factor).map(|(&add, &factor)| (i64::from(add), i64::from(factor)));
                self.values(sums, row, channels, &mut values);
            }
            Channels::Wide { add, factor } => {
                let (add, factor) = (add.get(strip.clone()).unwrap_or(&[]), factor.get(strip).unwrap_or(&[]));
                self.values(sums, row, add.iter().zip(factor).map(|(&add, &factor)| (add, factor)), &mut values);
            }
        }
        let _ = isa;
        store(self.dtype, &values, out);
    }

    #[inline(always)]
    fn values(
        &self,
        sums: &[i64; STRIP],
        row: i64,
        channels: impl Iterator<Item = (i64, i64)>,
        values: &mut [i64; STRIP],
    ) {
        for ((value, &sum), (add, factor)) in values.iter_mut().zip(sums).zip(channels) {
            let sum = sum.wrapping_add(row).wrapping_add(add);
            *value = self.scale(sum.wrapping_mul(factor));
        }
    }

    #[inline(always)]
    fn scale(&self, product: i64) -> i64 {
        ((product.wrapping_add(self.half) >> self.shift).wrapping_add(self.zero)).max(self.low).min(self.high)
    }
}

#[inline(always)]
fn narrow(fixed: &Fixed, sums: &[i32; STRIP], row: i32, (add, factor): (&[i32; STRIP], &[i32; STRIP]), out: &mut [u8]) {
    let mut values = [0; STRIP];
    for (((value, &sum), &add), &factor) in values.iter_mut().zip(sums).zip(add).zip(factor) {
        let sum = sum.wrapping_add(row).wrapping_add(add);
        *value = fixed.scale(i64::from(sum) * i64::from(factor));
    }
    store(fixed.dtype, &values, out);
}

/// # Safety
/// The CPU has the tier.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn narrow_avx512(
    fixed: &Fixed,
    sums: &[i32; STRIP],
    row: i32,
    tables: (&[i32; STRIP], &[i32; STRIP]),
    out: &mut [u8],
) {
    narrow(fixed, sums, row, tables, out);
}

/// # Safety
/// The CPU has the tier.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn narrow_avx2(
    fixed: &Fixed,
    sums: &[i32; STRIP],
    row: i32,
    tables: (&[i32; STRIP], &[i32; STRIP]),
    out: &mut [u8],
) {
    narrow(fixed, sums, row, tables, out);
}

/// Low bytes of numbers that are in the type's range.
#[inline(always)]
fn store(dtype: DType, values: &[i64; STRIP], out: &mut [u8]) {
    #[inline(always)]
    fn each<const W: usize>(values: &[i64; STRIP], out: &mut [u8]) {
        for (out, value) in out.as_chunks_mut::<W>().0.iter_mut().zip(values) {
            if let Some(low) = value.to_le_bytes().first_chunk::<W>() {
                *out = *low;
            }
        }
    }
    match dtype {
        DType::U8 | DType::I8 | DType::I4 => each::<1>(values, out),
        DType::I16 => each::<2>(values, out),
        DType::I32 => each::<4>(values, out),
        DType::I64 => each::<8>(values, out),
    }
}
