//! Lowerings: each writes an operator as instructions of the machine. Integers only.
//!
//! [`Builder`] collects a program, [`Draft`] one instruction, [`View`] says where a tensor's elements lie. An operator is
//! a function over these; `x`, `w` … are views, and requantisation comes ready as integers ([`Requant`]).

mod builder;
mod concat;
mod convolution;
mod draft;
mod elementwise;
mod fuse;
mod gather;
mod index;
mod layout;
mod matmul;
mod normalise;
mod pointwise;
mod pool;
pub mod powers;
mod reduce;
mod reduction;
mod requant;
mod resample;
mod scan;
mod softmax;
mod take;
mod top;
mod view;
mod words;

use thiserror::Error;

pub use builder::{Builder, Stored};
pub use concat::{Part, concat};
pub use convolution::{Convolution, Spatial, convolution};
pub use draft::{Arg, Draft, Index, Reg, Size};
pub use elementwise::{Affine, Scaled, affine, combine, copy, product};
pub use gather::{Curve, FRACTION, interpolate, leaky, lookup, stairs};
pub use index::{gather, gather_elements, gather_nd, rows};
pub use layout::Domain;
pub use matmul::{RowScale, dense, matmul};
pub use normalise::{Normalise, normalise};
pub use pointwise::{Operand, pointwise, round_even};
pub use pool::{average_pool, max_pool};
pub use reduce::arg_max;
pub use reduction::{product_of_integers, product_of_reals, reduction};
pub use requant::{Requant, Scale};
pub use resample::{Taps, resample};
pub use scan::{Scan, cum_sum};
pub use softmax::{Exponent, log_softmax, powers_of_rows, softmax};
pub use take::{Sources, take, take_axis};
pub use top::{Top, top_k};
pub use view::{Digit, View};

/// Why a lowering does not fit the machine.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LowerError {
    /// A number exceeds its field.
    #[error("{what} is {value}, which does not fit its field")]
    Field {
        /// The field.
        what: &'static str,
        /// Its value.
        value: i64,
    },
    /// More of something than an instruction can hold.
    #[error("an instruction cannot hold {count} {what}; the limit is {limit}")]
    Count {
        /// The thing.
        what: &'static str,
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// A tensor whose elements do not lie as the lowering needs them.
    #[error("{0}")]
    Layout(&'static str),
}
