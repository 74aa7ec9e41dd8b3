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

/// `clamp(⌊((sum + row + add) · factor + half) / 2^shift⌋ + zero, low, high)`, where no step leaves i64 unless `split`.
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
    /// Whether products leave i64 and are made of two, of the sum's bits from 16 on and of those below. The shift is 16
    /// at least, and the channels are wide.
    pub(in crate::engine) split: bool,
    /// What sums go through before all that; then they have 32 bits, and the channels are narrow.
    pub(in crate::engine) rows: Option<RowStage>,
    /// Bits by which sums may be shifted up, and then down again with the rest: with them `shift` is 32 at least.
    pub(in crate::engine) lift: u32,
    /// What is made of these numbers before they are stored: then `low` and `high` are not the type's.
    pub(in crate::engine) gate: Option<Gate>,
}

/// `⌊((sum + row + add) · scale + half) / 2^shift⌋` with a scale for each row; neither the first sum nor the result leave i32.
#[derive(Debug, Clone)]
pub(in crate::engine) struct RowStage {
    /// For each column, as [`Channels`].
    pub(in crate::engine) add: Vec<i32>,
    /// Below 62.
    pub(in crate::engine) shift: u32,
    /// `2^(shift-1)` to round half up, or 0.
    pub(in crate::engine) half: i64,
    /// Whether stored numbers fit i32 before they are cut to their range.
    pub(in crate::engine) small: bool,
}

/// `clamp(⌊(x · clamp(x + add, least, most) · factor + half) / 2^shift⌋ + zero, low, high)`: a number that passes as far as
/// it is large. Hard-swish is one. The product of `x` with the ramp and the factor fit i32, nothing leaves i64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Gate {
    /// Added to the number, which is the ramp.
    pub(in crate::engine) add: i32,
    /// Its least value.
    pub(in crate::engine) least: i32,
    /// Its greatest value.
    pub(in crate::engine) most: i32,
    /// Multiplies the product.
    pub(in crate::engine) factor: i32,
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

impl Gate {
    #[inline(always)]
    fn apply(&self, values: &mut [i64; STRIP]) {
        for value in values {
            let x = low_half(*value);
            let product = x.wrapping_mul(x.wrapping_add(self.add).max(self.least).min(self.most));
            let scaled = i64::from(product).wrapping_mul(i64::from(self.factor)).wrapping_add(self.half) >> self.shift;
            *value = scaled.wrapping_add(self.zero).max(self.low).min(self.high);
        }
    }
}

/// Rows of a tile on their way out.
pub(super) struct Rows<'a, 'b> {
    /// Added to all sums of a row, for each row.
    pub(super) totals: &'a [i64],
    /// The scale of each row, if rows have scales.
    pub(super) scales: &'a [i32],
    /// The tile's first column, counted with the padding of the blocks before.
    pub(super) first: usize,
    /// Where each row goes.
    pub(super) out: &'a mut [&'b mut [u8]],
}

impl Fixed {
    /// Stores the rows of a tile from i32 sums.
    pub(super) fn narrow(&self, isa: Isa, sums: &[[i32; STRIP]], rows: &mut Rows<'_, '_>) {
        let strip = rows.first..rows.first + STRIP;
        let tables = match &self.channels {
            Channels::Narrow { add, factor } => {
                let add = add.get(strip.clone()).and_then(<[i32]>::first_chunk);
                add.zip(factor.get(strip).and_then(<[i32]>::first_chunk))
            }
            Channels::Wide { .. } => None,
        };
        let Some(tables) = tables else {
            let wide: Vec<[i64; STRIP]> = sums.iter().map(|row| row.map(i64::from)).collect();
            return self.wide(isa, &wide, rows);
        };
        if let Some(stage) = &self.rows {
            return self.scaled(isa, sums, rows, (stage, tables));
        }
        #[cfg(target_arch = "x86_64")]
        {
            let bytes = matches!(self.dtype, DType::U8 | DType::I8) && self.shift >= 32 && self.gate.is_none();
            // SAFETY: the CPU has the tier.
            unsafe {
                match isa.tier() {
                    Tier::Amx | Tier::Avx512 if bytes => super::avx512::requantise(self, sums, rows, tables),
                    Tier::Amx | Tier::Avx512 if self.dtype != DType::I64 => {
                        super::avx512::scale(self, sums, rows, tables)
                    }
                    Tier::Amx | Tier::Avx512 => narrow_avx512(self, sums, rows, tables),
                    Tier::Avx2 => narrow_avx2(self, sums, rows, tables),
                    Tier::Portable | Tier::Neon | Tier::NeonDot => narrow(self, sums, rows, tables),
                }
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            #[cfg(target_arch = "aarch64")]
            let bytes = matches!(self.dtype, DType::U8 | DType::I8) && self.shift >= 32 && self.gate.is_none();
            #[cfg(target_arch = "aarch64")]
            if isa.tier() != Tier::Portable && bytes {
                // SAFETY: the CPU has the tier.
                return unsafe { super::neon::requantise(self, sums, rows, tables) };
            }
            let _ = isa;
            narrow(self, sums, rows, tables);
        }
    }

    /// Same from i64 sums.
    pub(super) fn wide(&self, isa: Isa, sums: &[[i64; STRIP]], rows: &mut Rows<'_, '_>) {
        if self.rows.is_some() {
            // With all of their parts they fit.
            let narrow: Vec<[i32; STRIP]> = sums.iter().map(|row| row.map(low_half)).collect();
            return self.narrow(isa, &narrow, rows);
        }
        #[cfg(target_arch = "x86_64")]
        {
            // SAFETY: the CPU has the tier.
            unsafe {
                match isa.tier() {
                    Tier::Amx | Tier::Avx512 => wide_avx512(self, sums, rows),
                    Tier::Avx2 => wide_avx2(self, sums, rows),
                    Tier::Portable | Tier::Neon | Tier::NeonDot => wide(self, sums, rows),
                }
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = isa;
            wide(self, sums, rows);
        }
    }

    /// Same with scales of rows.
    fn scaled(
        &self,
        isa: Isa,
        sums: &[[i32; STRIP]],
        rows: &mut Rows<'_, '_>,
        (stage, tables): (&RowStage, Tables<'_>),
    ) {
        let before = stage.add.get(rows.first..).and_then(<[i32]>::first_chunk);
        let Some(before) = before else { return };
        #[cfg(target_arch = "x86_64")]
        {
            let short = stage.small && matches!(self.dtype, DType::U8 | DType::I8 | DType::I16);
            // SAFETY: the CPU has the tier.
            unsafe {
                match isa.tier() {
                    Tier::Amx | Tier::Avx512 if short => {
                        super::avx512::requantise_rows(self, sums, rows, (stage, before, tables));
                    }
                    Tier::Amx | Tier::Avx512 => scaled_avx512(self, sums, rows, (stage, before, tables)),
                    Tier::Avx2 => scaled_avx2(self, sums, rows, (stage, before, tables)),
                    Tier::Portable | Tier::Neon | Tier::NeonDot => scaled(self, sums, rows, (stage, before, tables)),
                }
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = isa;
            scaled(self, sums, rows, (stage, before, tables));
        }
    }

    #[inline(always)]
    fn values(&self, sums: &[i64; STRIP], channels: impl Iterator<Item = (i64, i64)>, values: &mut [i64; STRIP]) {
        for ((value, &sum), (add, factor)) in values.iter_mut().zip(sums).zip(channels) {
            let sum = sum.wrapping_add(add);
            *value = if self.split { self.scale_split(sum, factor) } else { self.scale(sum.wrapping_mul(factor)) };
        }
    }

    /// `⌊(x·2^16 + y) / 2^shift⌋ = ⌊(x + ⌊y / 2^16⌋) / 2^(shift-16)⌋`
    #[inline(always)]
    fn scale_split(&self, sum: i64, factor: i64) -> i64 {
        let low = (sum & 0xffff).wrapping_mul(factor).wrapping_add(self.half);
        let whole = (sum >> 16).wrapping_mul(factor).wrapping_add(low >> 16);
        (whole >> (self.shift - 16)).wrapping_add(self.zero).max(self.low).min(self.high)
    }

    #[inline(always)]
    fn scale(&self, product: i64) -> i64 {
        ((product.wrapping_add(self.half) >> self.shift).wrapping_add(self.zero)).max(self.low).min(self.high)
    }
}

/// The low half: right for a part of a sum that fits i32 as a whole.
pub(in crate::engine) fn low_half(n: i64) -> i32 {
    let [a, b, c, d, ..] = n.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// The low byte.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) fn low_byte(n: i64) -> i8 {
    let [a, ..] = n.to_le_bytes();
    i8::from_le_bytes([a])
}

/// Numbers of a strip's columns: added, multiplied.
pub(super) type Tables<'a> = (&'a [i32; STRIP], &'a [i32; STRIP]);

#[inline(always)]
fn narrow(fixed: &Fixed, sums: &[[i32; STRIP]], rows: &mut Rows<'_, '_>, (add, factor): Tables<'_>) {
    for ((sums, &total), out) in sums.iter().zip(rows.totals).zip(rows.out.iter_mut()) {
        let row = low_half(total);
        let mut values = [0; STRIP];
        for (((value, &sum), &add), &factor) in values.iter_mut().zip(sums).zip(add).zip(factor) {
            let sum = sum.wrapping_add(row).wrapping_add(add);
            *value = fixed.scale(i64::from(sum) * i64::from(factor));
        }
        if let Some(gate) = &fixed.gate {
            gate.apply(&mut values);
        }
        store(fixed.dtype, &values, out);
    }
}

/// Tables of sums before and after the scale of their row.
pub(super) type RowTables<'a> = (&'a RowStage, &'a [i32; STRIP], Tables<'a>);

#[inline(always)]
fn scaled(fixed: &Fixed, sums: &[[i32; STRIP]], rows: &mut Rows<'_, '_>, (stage, before, tables): RowTables<'_>) {
    let (add, factor) = tables;
    let lines = sums.iter().zip(rows.totals).zip(rows.scales).zip(rows.out.iter_mut());
    for (((sums, &total), &scale), out) in lines {
        let row = low_half(total);
        let mut values = [0; STRIP];
        let columns = sums.iter().zip(before).zip(add).zip(factor);
        for (value, (((&sum, &before), &add), &factor)) in values.iter_mut().zip(columns) {
            let sum = sum.wrapping_add(row).wrapping_add(before);
            let sum = (i64::from(sum) * i64::from(scale)).wrapping_add(stage.half) >> stage.shift;
            *value = fixed.scale(i64::from(low_half(sum).wrapping_add(add)) * i64::from(factor));
        }
        store(fixed.dtype, &values, out);
    }
}

#[inline(always)]
fn wide(fixed: &Fixed, sums: &[[i64; STRIP]], rows: &mut Rows<'_, '_>) {
    let strip = rows.first..rows.first + STRIP;
    for ((sums, &total), out) in sums.iter().zip(rows.totals).zip(rows.out.iter_mut()) {
        let mut values = [0; STRIP];
        match &fixed.channels {
            Channels::Narrow { add, factor } => {
                let (add, factor) = (add.get(strip.clone()).unwrap_or(&[]), factor.get(strip.clone()).unwrap_or(&[]));
                for (((value, &sum), &add), &factor) in values.iter_mut().zip(sums).zip(add).zip(factor) {
                    // Only with all of its parts a sum fits i32.
                    let sum = low_half(sum.wrapping_add(total).wrapping_add(i64::from(add)));
                    *value = fixed.scale(i64::from(sum) * i64::from(factor));
                }
            }
            Channels::Wide { add, factor } => {
                let (add, factor) = (add.get(strip.clone()).unwrap_or(&[]), factor.get(strip.clone()).unwrap_or(&[]));
                let sums = sums.map(|sum| sum.wrapping_add(total));
                fixed.values(&sums, add.iter().zip(factor).map(|(&add, &factor)| (add, factor)), &mut values);
            }
        }
        if let Some(gate) = &fixed.gate {
            gate.apply(&mut values);
        }
        store(fixed.dtype, &values, out);
    }
}

/// The functions above for CPUs with certain instructions.
#[cfg(target_arch = "x86_64")]
macro_rules! with_instructions {
    ($($name:ident = $plain:ident ($sum:ty $(, $tables:ident: $type:ty)?) with $features:literal;)*) => {$(
        /// # Safety
        /// The CPU has the instructions.
        #[target_feature(enable = $features)]
        unsafe fn $name(fixed: &Fixed, sums: &[[$sum; STRIP]], rows: &mut Rows<'_, '_> $(, $tables: $type)?) {
            $plain(fixed, sums, rows $(, $tables)?);
        }
    )*};
}

#[cfg(target_arch = "x86_64")]
with_instructions! {
    narrow_avx512 = narrow(i32, tables: Tables<'_>) with "avx512f,avx512bw,avx512dq,avx512vl";
    narrow_avx2 = narrow(i32, tables: Tables<'_>) with "avx2";
    scaled_avx512 = scaled(i32, tables: RowTables<'_>) with "avx512f,avx512bw,avx512dq,avx512vl";
    scaled_avx2 = scaled(i32, tables: RowTables<'_>) with "avx2";
    wide_avx512 = wide(i64) with "avx512f,avx512bw,avx512dq,avx512vl";
    wide_avx2 = wide(i64) with "avx2";
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
