//! Products of activations with weights, both in blocks of 32 with integer scales.
//!
//! An activation block is `codes · most / 127`, where `most` is its largest magnitude; it is found anew in each iteration. A
//! weight block is `codes · scale + minimum`. So with `x`, `w` codes of 8 (or 4) bits,
//!
//! `out = Σ_b Σ_i x[b,i] · (w[n,b,i] · scale[n,b] + minimum[n,b]) · most[b]`
//!
//! is one exact sum, shifted right once: the weights' unit has 1/127 and every other factor in it.

use opml_vm::{DType, Reducer, Tensor};

use super::{super::Matrix, Vector, fixed, size};
use crate::{
    gguf::Codes,
    lower::{Builder, Draft, Index, LowerError, Reg, Stored},
    num,
};

/// Weights, and activations, that share a scale.
const BLOCK: i64 = 32;
/// Largest code of an activation.
const LARGEST: i64 = 127;
/// Fraction bits of the reciprocal of a block's largest magnitude.
const RECIPROCAL: i64 = 30;
/// Scales and minima of weights take at most so many bits, the sign apart.
const SCALE_BITS: i64 = 15;

/// Weights in the program.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    rows: i64,
    columns: i64,
    weights: Stored,
    /// Scales of blocks; with minima each before its minimum, so that one leaf has both.
    scales: Stored,
    minima: bool,
    /// `127 · 2^−unit` is the real number of scale 1 and code 1.
    unit: i64,
    /// Bits that a block's largest magnitude may have so that sums are exact in 64 bits.
    pub(super) headroom: i64,
    bias: Vec<f32>,
}

impl Packed {
    /// Adds a matrix to a program.
    pub(super) fn new(builder: &mut Builder, matrix: &Matrix<Codes>) -> Result<Self, LowerError> {
        let (codes, scales, minima) = narrowed(&matrix.weights);
        let least = codes.iter().copied().min().unwrap_or(0);
        let most = codes.iter().copied().max().unwrap_or(0);
        let dtype = if least >= -8 && most <= 7 { DType::I4 } else { DType::I8 };
        let largest = scales.iter().chain(&minima).fold(0.0, |most: f64, x| most.max(x.abs()));
        let unit = (SCALE_BITS - fixed::magnitude_bits(largest / real(LARGEST))).clamp(0, 60);
        let integers =
            |list: &[f64]| -> Vec<i64> { list.iter().map(|x| fixed::scaled(x / real(LARGEST), unit)).collect() };
        let (mut scales, minima) = (integers(&scales), integers(&minima));
        let values: Vec<i64> = codes.iter().map(|&code| i64::from(code)).collect();
        let tensor = |dtype, values: &[i64]| {
            Tensor::from_values(dtype, values).map_err(|_| LowerError::Layout("weights do not fit their type"))
        };
        let has_minima = minima.iter().any(|&m| m != 0);
        let headroom = {
            // As large as the types allow: an engine knows no more of large constants.
            let code = dtype.min().abs();
            let weight = (code + i64::from(has_minima)) << SCALE_BITS;
            62 - fixed::magnitude_bits(real(size(matrix.columns)) * real(weight) * 128.0)
        };
        if headroom < 12 {
            return Err(LowerError::Field { what: "columns of a product", value: size(matrix.columns) });
        }
        if has_minima {
            scales = scales.iter().zip(&minima).flat_map(|(&scale, &minimum)| [scale, minimum]).collect();
        }
        Ok(Self {
            rows: size(matrix.rows),
            columns: size(matrix.columns),
            weights: builder.tensor(tensor(dtype, &values)?),
            scales: builder.tensor(tensor(DType::I16, &scales)?),
            minima: has_minima,
            unit,
            headroom,
            bias: matrix.bias.clone(),
        })
    }

    fn blocks(&self) -> i64 {
        self.columns / BLOCK
    }

    /// Loads the weight of a row, block and place as `code · scale + minimum`.
    fn weight(&self, draft: &mut Draft, row: Reg, block: Reg, place: Reg) -> Reg {
        let at = |extent: i64, index: Index| vec![(self.rows, Index::from(row)), (extent, index)];
        let code = draft.load(self.weights.clone(), 0, at(self.columns, block * BLOCK + place));
        if !self.minima {
            let scale = draft.load(self.scales.clone(), 0, at(self.blocks(), block.into()));
            return draft.mul(code, scale);
        }
        let scale = draft.load(self.scales.clone(), 0, at(2 * self.blocks(), block * 2));
        let minimum = draft.load(self.scales.clone(), 0, at(2 * self.blocks(), block * 2 + 1));
        let weight = draft.mul(code, scale);
        draft.add(weight, minimum)
    }

    /// One row, times a factor, with the given fraction bits; `row` reads its number.
    pub(super) fn row(
        &self,
        builder: &mut Builder,
        factor: f64,
        bits: i64,
        row: impl FnOnce(&mut Draft) -> Reg,
    ) -> Result<Vector, LowerError> {
        let mut draft = Draft::new(super::WIDE, Reducer::Sum);
        let (block, place) = (draft.output(self.blocks()), draft.output(BLOCK));
        let row = row(&mut draft);
        let weight = self.weight(&mut draft, row, block, place);
        let real = factor * real(LARGEST) * libm::exp2(real(bits - self.unit));
        let scale = fixed::factor(real, 30);
        draft.mulshr(weight, fixed::multiplier(&scale), scale.shift);
        Ok(Vector { stored: builder.push(draft)?, bits })
    }

    /// The products of all rows with `x`, plus bias, with the given fraction bits; `finish` changes each number before it
    /// is stored, knowing its row.
    pub(super) fn product(
        &self,
        builder: &mut Builder,
        x: &Blocks,
        bits: i64,
        finish: impl FnOnce(&mut Draft, Reg, Reg) -> Reg,
    ) -> Result<Vector, LowerError> {
        let shift = x.bits + self.unit - bits;
        if shift < 0 {
            return Err(LowerError::Field { what: "shift of a product", value: shift });
        }
        let bias: Vec<i64> = self.bias.iter().map(|&b| fixed::scaled(b.into(), bits)).collect();
        let bias = bias.iter().any(|&b| b != 0).then(|| builder.constant(DType::I32, &[self.rows], &bias));
        let mut draft = Draft::new(super::WIDE, Reducer::Sum);
        let row = draft.output(self.rows);
        let (block, place) = (draft.reduce(self.blocks()), draft.reduce(BLOCK));
        let code = draft.load(x.codes.clone(), 0, vec![(self.columns, block * BLOCK + place)]);
        let most = draft.load(x.most.clone(), 0, vec![(self.blocks(), block.into())]);
        let weight = self.weight(&mut draft, row, block, place);
        let term = draft.mul(code, weight);
        draft.mul(term, most);
        let acc = draft.reduced();
        let mut value = draft.rshr(acc, shift);
        if let Some(bias) = bias {
            let bias = draft.load(bias.stored, 0, vec![(self.rows, row.into())]);
            value = draft.add(value, bias);
        }
        let value = finish(&mut draft, value, row);
        draft.yields(value);
        Ok(Vector { stored: builder.push(draft)?, bits })
    }
}

fn real(n: i64) -> f64 {
    num::real(n)
}

/// Codes of 0 to 15 as −8 to 7, the difference in the minima.
fn narrowed(weights: &Codes) -> (Vec<i8>, Vec<f64>, Vec<f64>) {
    let scales: Vec<f64> = weights.scales.iter().map(|&x| x.into()).collect();
    let minima = weights.minima.iter().map(|&x| f64::from(x));
    if weights.codes.iter().all(|code| (0..16).contains(code)) {
        let minima = minima.zip(&scales).map(|(minimum, scale)| minimum + 8.0 * scale).collect();
        return (weights.codes.iter().map(|code| code - 8).collect(), scales, minima);
    }
    (weights.codes.clone(), scales, minima.collect())
}

/// Activations in 8 bits and blocks.
#[derive(Debug, Clone)]
pub(super) struct Blocks {
    codes: Stored,
    most: Stored,
    bits: i64,
}

/// The largest magnitude of each block, and codes with it at 127.
pub(super) fn blocks(builder: &mut Builder, x: &Vector) -> Result<Blocks, LowerError> {
    let elements = x.stored.elements;
    let mut draft = Draft::new(super::WIDE, Reducer::Max);
    let (block, place) = (draft.output(elements / BLOCK), draft.reduce(BLOCK));
    let value = draft.load(x.stored.clone(), 0, vec![(elements, block * BLOCK + place)]);
    draft.abs(value);
    let most = builder.push(draft)?;

    let mut draft = Draft::new(DType::I8, Reducer::Sum);
    let (block, place) = (draft.output(elements / BLOCK), draft.output(BLOCK));
    let largest = draft.load(most.clone(), 0, vec![(elements / BLOCK, block.into())]);
    let reciprocal = draft.div(LARGEST << RECIPROCAL, largest);
    let value = draft.load(x.stored.clone(), 0, vec![(elements, block * BLOCK + place)]);
    draft.mulshr(value, reciprocal, RECIPROCAL);
    Ok(Blocks { codes: builder.push(draft)?, most, bits: x.bits })
}
