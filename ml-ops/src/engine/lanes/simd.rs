//! The loops of [`kernel`] and [`bytes`], compiled for each tier.
//!
//! A loop is written once, in plain Rust; a function with `#[target_feature]` around it lets the compiler use wider
//! vectors. This is the only module of the scalar programs with unsafe code.
#![allow(unsafe_code, reason = "a function for a CPU with more instructions may only be called on such a CPU")]

use opml_vm::{DType, Opcode};

use super::{
    bytes,
    kernel::{self, In},
    number::Number,
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
                    Tier::Avx512 => unsafe { avx512::<$($g),*>($($arg),*) },
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
    fn narrow<>(opcode: Opcode, out: &mut [i32], a: In<'_, i32>, b: In<'_, i32>, c: In<'_, i32>) =
        kernel::op::<i32, i32, i32>;
    /// An operation in i64.
    fn wide<A, O>(opcode: Opcode, out: &mut [O], a: In<'_, A>, b: In<'_, A>, c: In<'_, A>) = kernel::op::<i64, A, O>;
    /// See [`kernel::select`].
    fn select<A, O>(out: &mut [O], a: &[A], b: In<'_, O>, c: In<'_, O>) = kernel::select::<A, O>;
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
    /// See [`bytes::read`].
    fn read<O>(out: &mut [O], dtype: DType, data: &[u8], first: i64, stride: i64) = bytes::read::<O>;
    /// See [`bytes::read_rows`].
    fn read_rows<O>(out: &mut [O], source: (DType, &[u8]), place: (&[i64], i64), lanes: usize) = bytes::read_rows::<O>;
    /// See [`bytes::write`].
    fn write<A>(data: &mut [u8], dtype: DType, values: &[A]) = bytes::write::<A>;
}
