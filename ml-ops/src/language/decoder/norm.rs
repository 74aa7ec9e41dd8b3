//! `x / √(mean x² + ε) · weight`, over a whole vector or over each head.

use opml_vm::{DType, Reducer};

use super::{Vector, fixed, size};
use crate::{
    lower::{Builder, Draft, Index, LowerError, Reg, Stored},
    num,
};

/// Fraction bits of the root.
const ROOT_BITS: i64 = 16;
/// Fraction bits of the reciprocal; it reaches 2^31 where the root of the mean square is 2^−10.
const INVERSE_BITS: i64 = 21;
/// Fraction bits of normalised numbers before they meet the weight.
const NORMAL_BITS: i64 = 20;

/// Vectors of `width` elements inside a stored one, from `first` on.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) vector: Vector,
    pub(super) first: i64,
    pub(super) rows: i64,
    pub(super) width: i64,
}

/// The weights of a norm in a program.
#[derive(Debug, Clone)]
pub(super) struct Weight {
    stored: Stored,
    bits: i64,
    /// Bits of the largest normalised number times weight.
    magnitude: i64,
}

impl Weight {
    pub(super) fn new(builder: &mut Builder, weights: &[f32]) -> Self {
        let most = weights.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        let bits = fixed::bits_for(most.into(), 16).clamp(0, 24);
        let values: Vec<i64> = weights.iter().map(|&x| fixed::scaled(x.into(), bits)).collect();
        let stored = builder.constant(DType::I16, &[size(values.len())], &values).stored;
        // No element of n numbers with mean square 1 is larger than √n.
        let reach = f64::from(most) * libm::sqrt(num::real(size(weights.len())));
        Self { stored, bits, magnitude: fixed::magnitude_bits(reach) }
    }

    /// Most fraction bits with which a normalised number has `width` bits, the sign apart.
    pub(super) fn fraction(&self, width: i64) -> i64 {
        (width - self.magnitude).clamp(0, 20)
    }

    /// A normalised number: `x` times the row's reciprocal times the weight of its place.
    pub(super) fn apply(
        &self,
        draft: &mut Draft,
        (x, inverse): (Reg, Reg),
        place: impl Into<Index>,
        (from, to): (i64, i64),
    ) -> Reg {
        let weight = draft.load(self.stored.clone(), 0, vec![(self.stored.elements, place.into())]);
        let normal = draft.mulshr(x, inverse, from + INVERSE_BITS - NORMAL_BITS);
        draft.mulshr(normal, weight, NORMAL_BITS + self.bits - to)
    }
}

/// `1 / √(mean x² + ε)` of each row with [`INVERSE_BITS`] fraction bits.
pub(super) fn inverses(builder: &mut Builder, x: &Rows, epsilon: f64) -> Result<Stored, LowerError> {
    let bits = x.vector.bits;
    // Squares keep 24 fraction bits, so that the sum fits.
    let cut = (2 * bits - 24).max(0);
    let mut draft = Draft::new(DType::I32, Reducer::Sum);
    let row = draft.output(x.rows);
    let place = draft.reduce(x.width);
    let elements = x.vector.stored.elements;
    let value = draft.load(x.vector.stored.clone(), 0, vec![(elements, row * x.width + place + x.first)]);
    draft.mulshr(value, value, cut);
    let acc = draft.reduced();
    let width = num::real(x.width);
    let sum = draft.add(acc, fixed::scaled(epsilon * width, 2 * bits - cut).max(1));
    let sum = draft.shl(sum, 2 * ROOT_BITS - (2 * bits - cut));
    let root = draft.isqrt(sum);
    let root = draft.max(root, 1);
    draft.div(fixed::scaled(libm::sqrt(width), ROOT_BITS + INVERSE_BITS), root);
    builder.push(draft)
}

/// A whole vector normalised, with at most `width` bits.
pub(super) fn norm(
    builder: &mut Builder,
    x: &Vector,
    (weights, epsilon): (&[f32], f64),
    width: i64,
) -> Result<Vector, LowerError> {
    let weight = Weight::new(builder, weights);
    let bits = weight.fraction(width);
    let most = (1 << width) - 1;
    norm_with(builder, x, (&weight, epsilon), bits, |draft, value, _| draft.clamp(value, -most, most))
}

/// A whole vector normalised with the given fraction bits; `finish` changes each number before it is stored.
pub(super) fn norm_with(
    builder: &mut Builder,
    x: &Vector,
    (weight, epsilon): (&Weight, f64),
    bits: i64,
    finish: impl FnOnce(&mut Draft, Reg, Reg) -> Reg,
) -> Result<Vector, LowerError> {
    let width = x.stored.elements;
    let rows = Rows { vector: x.clone(), first: 0, rows: 1, width };
    let inverse = inverses(builder, &rows, epsilon)?;
    let mut draft = Draft::new(super::WIDE, Reducer::Sum);
    let place = draft.output(width);
    let value = draft.load(x.stored.clone(), 0, vec![(width, place.into())]);
    let inverse = draft.load(inverse, 0, vec![]);
    let value = weight.apply(&mut draft, (value, inverse), place, (x.bits, bits));
    let value = finish(&mut draft, value, place);
    draft.yields(value);
    Ok(Vector { stored: builder.push(draft)?, bits })
}
