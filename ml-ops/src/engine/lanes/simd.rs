//! The loops of [`kernel`] and [`bytes`], compiled for each tier.
//!
//! A loop is written once, in plain Rust; a function with `#[target_feature]` around it lets the compiler use wider
//! vectors. NEON needs none: all of 64-bit Arm has it. Beside this module only those that are written in
//! vectors have unsafe code: `products`, `shuffle::gather`, `tables::look_up`.
#![allow(unsafe_code, reason = "a function for a CPU with more instructions may only be called on such a CPU")]

use opml_vm::{DType, Opcode};

use super::{
    bytes,
    fold::{self, Fold},
    kernel,
    linear::Constants,
    number::Number,
    products,
    shifted::Scale,
    whole::{gate, power, quantise, reduce, rotary, scale},
};
use crate::tier::Tier;

/// A tier that this CPU has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Kernels(Tier);

impl Kernels {
    /// The tier, or the best one below it that this CPU has.
    pub(in crate::engine) fn new(tier: Tier) -> Self {
        Self(tier.usable())
    }
}

macro_rules! tiered {
    ($($(#[$doc:meta])* fn $name:ident<$($g:ident),*>($($arg:ident: $type:ty),*) = $body:expr;)*) => {
        impl Kernels {
            $($(#[$doc])*
            #[allow(clippy::too_many_arguments, reason = "operands are apart so that loops over them are plain")]
            pub(super) fn $name<$($g: Number),*>(self, $($arg: $type),*) {
                #[cfg(target_arch = "x86_64")]
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2")]
                fn avx512<$($g: Number),*>($($arg: $type),*) {
                    $body($($arg),*);
                }
                #[cfg(target_arch = "x86_64")]
                #[target_feature(enable = "avx2")]
                fn avx2<$($g: Number),*>($($arg: $type),*) {
                    $body($($arg),*);
                }
                match self.0 {
                    // SAFETY: `Kernels` holds a tier that this CPU has, so it has every feature named above.
                    #[cfg(target_arch = "x86_64")]
                    Tier::Avx512 | Tier::Amx => unsafe { avx512::<$($g),*>($($arg),*) },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    Tier::Avx2 => unsafe { avx2::<$($g),*>($($arg),*) },
                    _ => $body($($arg),*),
                }
            })*
        }
    };
}

tiered! {
    /// An operation in i32.
    fn narrow<>(opcode: Opcode, out: &mut [i32], a: &[i32], b: &[i32], c: &[i32], x: i64, y: i64, z: i64) =
        kernel::op::<i32, i32, i32>;
    /// An operation in i64.
    fn wide<A, O>(opcode: Opcode, out: &mut [O], a: &[A], b: &[A], c: &[A], x: i64, y: i64, z: i64) =
        kernel::op::<i64, A, O>;
    /// See [`kernel::linear`].
    fn linear_wide<O>(
        out: &mut [O], a: &[i32], b: &[i32], c: &[i32], d: &[i32], y: i64, w: i64, constants: &Constants
    ) = kernel::linear::<O>;
    /// See [`kernel::select`].
    fn select<A, O>(out: &mut [O], a: &[A], b: &[O], c: &[O], x: i64, y: i64) = kernel::select::<A, O>;
    /// See [`kernel::convert`].
    fn convert<A, O>(out: &mut [O], a: &[A]) = kernel::convert::<A, O>;
    /// See [`kernel::table`].
    fn table<O>(out: &mut [O], index: &[i32], table: &[O], offset: i64) = kernel::table::<O>;
    /// See [`kernel::add_to`].
    fn add_to<A, O>(out: &mut [O], a: &[A]) = kernel::add_to::<A, O>;
    /// See [`kernel::max_to`].
    fn max_to<A, O>(out: &mut [O], a: &[A]) = kernel::max_to::<A, O>;
    /// See [`kernel::min_to`].
    fn min_to<A, O>(out: &mut [O], a: &[A]) = kernel::min_to::<A, O>;
    /// See [`kernel::sum`].
    fn sum<C, A>(out: &mut i64, a: &[A]) = kernel::sum::<C, A>;
    /// See [`kernel::greatest`].
    fn greatest<A>(out: &mut i64, a: &[A]) = kernel::greatest::<A>;
    /// See [`kernel::least`].
    fn least<A>(out: &mut i64, a: &[A]) = kernel::least::<A>;
    /// See [`bytes::read_rows`].
    fn read_rows<O>(out: &mut [O], source: (DType, &[u8]), place: (&[i64], i64), lanes: usize) = bytes::read_rows::<O>;
    /// See [`bytes::read_inside`].
    fn read_inside<O>(
        out: &mut [O], source: (DType, &[u8]), place: (&[i64], i64), valid: &[(usize, usize)], pad: i64
    ) = bytes::read_inside::<O>;
    /// See [`fold::bytes`].
    fn fold_bytes<>(out: &mut [u8], fold: &Fold, source: &[u8], first: usize) = fold::bytes;
    /// See [`fold::numbers`].
    fn fold_numbers<>(out: &mut [i32], fold: &Fold, source: &[u8], first: usize) = fold::numbers;
    /// See [`bytes::shifted`].
    fn shifted<>(out: &mut [u8], sums: &[i64], added: &[u8], scale: Scale) = bytes::shifted;
    /// See [`reduce::rows`].
    fn reduce_rows<>(out: &mut [i64], bytes: &[u8], kind: reduce::Kind, dtype: DType) = reduce::rows;
    /// See [`quantise::rows`].
    fn quantise<>(out: &mut [u8], source: &[u8], divisors: &[u8], constants: quantise::Constants) = quantise::rows;
    /// See [`scale::greatest_magnitude`].
    fn greatest_magnitude<>(out: &mut i64, source: &[u8]) = scale::greatest_magnitude;
    /// See [`scale::Scale`], to i8.
    fn scale_byte<>(out: &mut [u8], source: &[u8], each: Option<&[u8]>, constants: scale::Constants) = scale::byte;
    /// The same to i16.
    fn scale_short<>(out: &mut [u8], source: &[u8], each: Option<&[u8]>, constants: scale::Constants) = scale::short;
    /// The same to i32.
    fn scale_long<>(out: &mut [u8], source: &[u8], each: Option<&[u8]>, constants: scale::Constants) = scale::long;
    /// See [`rotary::groups`].
    fn rotary<>(out: &mut [u8], source: (&[u8], usize), cosines: &[u8], sines: [&[u8]; 2], shift: u32) =
        rotary::groups;
    /// See [`gate::places`].
    fn gate_places<>(index: &mut [i32], part: &mut [i32], source: &[u8], constants: gate::Constants) = gate::places;
    /// See [`gate::products`].
    fn gate_products<>(
        out: &mut [u8], sources: (&[u8], &[u8]), part: &[i32], pairs: &[i64], constants: gate::Constants
    ) = gate::products;
    /// See [`power::places`].
    fn power_places<>(index: &mut [i32], above: &mut i32, source: &[u8], m: i32, constants: power::Constants) =
        power::places;
    /// See [`power::shift`].
    fn power_shift<>(out: &mut [u8], source: &[u8], m: i32, pairs: &[i64], constants: power::Constants) = power::shift;
    /// See [`bytes::write`].
    fn write<A>(data: &mut [u8], dtype: DType, values: &[A]) = bytes::write::<A>;
}

impl Kernels {
    /// See [`kernel::linear`].
    #[allow(clippy::too_many_arguments, reason = "as above")]
    pub(super) fn linear(
        self,
        out: &mut [i32],
        a: &[i32],
        b: &[i32],
        c: &[i32],
        d: &[i32],
        y: i64,
        w: i64,
        constants: &Constants,
    ) {
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        if constants.narrow && out.len() >= 16 {
            let factors = products::Factors { a, b, c, d, y, w };
            match self.0 {
                // SAFETY: `Kernels` holds a tier that this CPU has.
                #[cfg(target_arch = "x86_64")]
                Tier::Avx512 | Tier::Amx => return unsafe { products::avx512(out, factors, constants) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Tier::Avx2 => return unsafe { products::avx2(out, factors, constants) },
                // SAFETY: as above.
                #[cfg(target_arch = "aarch64")]
                Tier::Neon | Tier::NeonDot => return unsafe { products::neon(out, factors, constants) },
                _ => {}
            }
        }
        self.linear_wide(out, a, b, c, d, y, w, constants);
    }

    /// See [`kernel::table`].
    pub(super) fn look_up(self, out: &mut [i32], index: &[i32], table: &[i32], offset: i64) {
        #[cfg(target_arch = "x86_64")]
        if self.0 >= Tier::Avx512
            && let Ok(offset) = i32::try_from(offset)
            && let Ok(last) = i32::try_from(table.len().wrapping_sub(1))
        {
            // SAFETY: `Kernels` holds a tier that this CPU has.
            return unsafe { gather(out, index, table, offset, last) };
        }
        self.table(out, index, table, offset);
    }

    /// See [`kernel::table`]: of pairs.
    pub(super) fn look_up_pairs(self, out: &mut [i64], index: &[i32], table: &[i64]) {
        #[cfg(target_arch = "x86_64")]
        if self.0 >= Tier::Avx512
            && let Ok(last) = i32::try_from(table.len().wrapping_sub(1))
        {
            // SAFETY: `Kernels` holds a tier that this CPU has.
            return unsafe { gather_pairs(out, index, table, last) };
        }
        self.table(out, index, table, 0);
    }
}

/// [`kernel::table`] by gathers of 8 numbers; `last` is the last place of the table, which is not empty.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx2")]
fn gather_pairs(out: &mut [i64], index: &[i32], table: &[i64], last: i32) {
    use std::arch::x86_64::{
        _mm256_loadu_si256, _mm256_max_epi32, _mm256_min_epi32, _mm256_set1_epi32, _mm256_setzero_si256,
        _mm512_i32gather_epi64, _mm512_storeu_si512,
    };
    let (outs, rest) = out.as_chunks_mut::<8>();
    let (indices, tail) = index.as_chunks::<8>();
    let most = _mm256_set1_epi32(last);
    for (out, index) in outs.iter_mut().zip(indices) {
        // SAFETY: `index` has 32 bytes and `out` 64; every place lies in `0..=last`, inside the table.
        unsafe {
            let place = _mm256_max_epi32(_mm256_loadu_si256(index.as_ptr().cast()), _mm256_setzero_si256());
            let place = _mm256_min_epi32(place, most);
            _mm512_storeu_si512(out.as_mut_ptr().cast(), _mm512_i32gather_epi64::<8>(place, table.as_ptr().cast()));
        }
    }
    kernel::table(rest, tail, table, 0);
}

/// [`kernel::table`] by gathers of 16 numbers; `last` is the last place of the table, which is not empty.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn gather(out: &mut [i32], index: &[i32], table: &[i32], offset: i32, last: i32) {
    use std::arch::x86_64::{
        _mm512_add_epi32, _mm512_i32gather_epi32, _mm512_loadu_si512, _mm512_max_epi32, _mm512_min_epi32,
        _mm512_set1_epi32, _mm512_setzero_si512, _mm512_storeu_si512,
    };
    let (outs, rest) = out.as_chunks_mut::<16>();
    let (indices, tail) = index.as_chunks::<16>();
    let (add, most) = (_mm512_set1_epi32(offset), _mm512_set1_epi32(last));
    for (out, index) in outs.iter_mut().zip(indices) {
        // SAFETY: `index` and `out` are 64 bytes each; every place lies in `0..=last`, inside the table.
        unsafe {
            let place = _mm512_add_epi32(_mm512_loadu_si512(index.as_ptr().cast()), add);
            let place = _mm512_min_epi32(_mm512_max_epi32(place, _mm512_setzero_si512()), most);
            _mm512_storeu_si512(out.as_mut_ptr().cast(), _mm512_i32gather_epi32::<4>(place, table.as_ptr().cast()));
        }
    }
    kernel::table(rest, tail, table, i64::from(offset));
}
