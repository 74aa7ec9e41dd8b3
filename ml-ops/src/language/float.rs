//! The model in floats: what the integers are compared with, and what calibration looks at.
//!
//! Sums run in an order that is written here, and functions are `libm`'s: the results are the same bits on every machine.

use rayon::prelude::*;

use super::{Activation, Config, Ends, LanguageError, Layer, Matrix, Pairs, Weights, ends, layer};
use crate::num;

/// Partial sums of a dot product.
const LANES: usize = 16;

/// A model with all its weights in f32.
#[derive(Debug, Clone)]
pub struct FloatModel {
    /// What it is made of.
    pub config: Config,
    ends: Ends<Vec<f32>>,
    layers: Vec<Layer<Vec<f32>>>,
}

/// Keys and values of the positions so far, a list for each layer.
#[derive(Debug, Clone, Default)]
pub struct Cache {
    positions: usize,
    layers: Vec<[Vec<f32>; 2]>,
}

/// A value inside the model that calibration looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The residual stream.
    Residual,
    /// Queries of a layer, turned.
    Query(usize),
    /// Keys of a layer, turned.
    Key(usize),
    /// Values of a layer.
    Value(usize),
    /// What the feed-forward network of a layer gates.
    Gated(usize),
}

/// Told what the values inside the model are.
pub type Observer<'a> = &'a mut dyn FnMut(Seen, &[f32]);

impl FloatModel {
    /// Reads all weights.
    ///
    /// # Errors
    /// A tensor is missing or not as the configuration says.
    pub fn load<W: Weights + ?Sized>(source: &mut W, config: &Config) -> Result<Self, LanguageError> {
        let layers = (0..config.layers).map(|number| layer(source, config, number)).collect::<Result<_, _>>()?;
        Ok(Self { config: config.clone(), ends: ends(source, config)?, layers })
    }

    /// Logits after each of some tokens that follow those in the cache, a row for each.
    ///
    /// # Errors
    /// A token is not in the vocabulary.
    pub fn logits(
        &self,
        tokens: &[u32],
        cache: &mut Cache,
        observe: Observer<'_>,
    ) -> Result<Vec<Vec<f32>>, LanguageError> {
        let config = &self.config;
        cache.layers.resize(config.layers, [Vec::new(), Vec::new()]);
        let mut rows = tokens.iter().map(|&token| self.embed(token)).collect::<Result<Vec<_>, _>>()?;
        for (number, layer) in self.layers.iter().enumerate() {
            rows.iter().for_each(|row| observe(Seen::Residual, row));
            self.attention((number, layer), &mut rows, cache, observe);
            self.feed_forward((number, layer), &mut rows, observe);
        }
        rows.iter().for_each(|row| observe(Seen::Residual, row));
        cache.positions += tokens.len();
        let normal: Vec<Vec<f32>> = rows.iter().map(|row| rms_norm(row, &self.ends.norm, config.epsilon)).collect();
        let mut logits = products(self.ends.output.as_ref().unwrap_or(&self.ends.embedding), &normal);
        if let Some(cap) = config.logit_cap {
            logits.iter_mut().flatten().for_each(|x| *x = capped(f64::from(*x), cap));
        }
        Ok(logits)
    }

    fn embed(&self, token: u32) -> Result<Vec<f32>, LanguageError> {
        let matrix = &self.ends.embedding;
        let row = num::size(token.into());
        let weights = matrix.weights.chunks_exact(matrix.columns).nth(row);
        let weights = weights.ok_or_else(|| LanguageError::Input(format!("there is no token {token}")))?;
        let scale = num::single(self.config.embedding_scale);
        Ok(weights.iter().map(|weight| weight * scale).collect())
    }

    fn attention(
        &self,
        (number, layer): (usize, &Layer<Vec<f32>>),
        rows: &mut [Vec<f32>],
        cache: &mut Cache,
        observe: Observer<'_>,
    ) {
        let config = &self.config;
        let normal: Vec<Vec<f32>> =
            rows.iter().map(|row| rms_norm(row, &layer.attention_norm, config.epsilon)).collect();
        let mut qkv = products(&layer.qkv, &normal);
        let frequencies = config.rope_of(number).frequencies();
        let (query, kv, first) = (config.query_width(), config.kv_width(), cache.positions);
        for (position, row) in (first..).zip(&mut qkv) {
            for (head, slice) in row[..query + kv].chunks_exact_mut(config.head_width).enumerate() {
                if let Some(norms) = &layer.qk_norms {
                    let norm = &norms[usize::from(head >= config.heads)];
                    slice.copy_from_slice(&rms_norm(slice, norm, config.epsilon));
                }
                turn(slice, position, &frequencies, config.rope.pairs);
            }
            observe(Seen::Query(number), &row[..query]);
            observe(Seen::Key(number), &row[query..query + kv]);
            observe(Seen::Value(number), &row[query + kv..]);
            let [keys, values] = &mut cache.layers[number];
            keys.extend(&row[query..query + kv]);
            values.extend(&row[query + kv..]);
        }
        let [keys, values] = &cache.layers[number];
        let window = config.window_of(number).map_or(usize::MAX, |window| window.length);
        let mixed: Vec<Vec<f32>> = qkv
            .par_iter()
            .enumerate()
            .map(|(index, row)| self.mix(&row[..query], keys, values, (first + index + 1, window)))
            .collect();
        let added = products(&layer.attention_output, &mixed);
        add(rows, added, layer.attention_post_norm.as_deref(), config.epsilon);
    }

    /// Attention of one position over the `count` positions so far.
    fn mix(&self, queries: &[f32], keys: &[f32], values: &[f32], (count, window): (usize, usize)) -> Vec<f32> {
        let config = &self.config;
        let (width, kv) = (config.head_width, config.kv_width());
        let group = config.heads / config.kv_heads;
        let positions = count.saturating_sub(window)..count;
        let mut out = vec![0.0; queries.len()];
        for (head, (query, out)) in queries.chunks_exact(width).zip(out.chunks_exact_mut(width)).enumerate() {
            let at = |position: usize| position * kv + head / group * width;
            let scores = positions.clone().map(|position| {
                let score = f64::from(dot(query, &keys[at(position)..][..width])) * config.attention_scale;
                config.attention_cap.map_or(score, |cap| cap * libm::tanh(score / cap))
            });
            let scores: Vec<f64> = scores.collect();
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let powers: Vec<f64> = scores.iter().map(|score| libm::exp(score - most)).collect();
            let total: f64 = powers.iter().sum();
            for (position, power) in positions.clone().zip(powers) {
                let share = num::single(power / total);
                out.iter_mut().zip(&values[at(position)..][..width]).for_each(|(out, value)| *out += share * value);
            }
        }
        out
    }

    fn feed_forward(&self, (number, layer): (usize, &Layer<Vec<f32>>), rows: &mut [Vec<f32>], observe: Observer<'_>) {
        let config = &self.config;
        let normal: Vec<Vec<f32>> = rows.iter().map(|row| rms_norm(row, &layer.feed_norm, config.epsilon)).collect();
        let inner = products(&layer.gate_up, &normal);
        let gated = |row: &Vec<f32>| {
            let (gate, up) = row.split_at(config.feed_forward);
            gate.iter()
                .zip(up)
                .map(|(&gate, up)| num::single(activation(config.activation, gate.into())) * up)
                .collect()
        };
        let gated: Vec<Vec<f32>> = inner.par_iter().map(gated).collect();
        gated.iter().for_each(|row| observe(Seen::Gated(number), row));
        let added = products(&layer.down, &gated);
        add(rows, added, layer.feed_post_norm.as_deref(), config.epsilon);
    }
}

fn add(rows: &mut [Vec<f32>], added: Vec<Vec<f32>>, norm: Option<&[f32]>, epsilon: f64) {
    for (row, added) in rows.iter_mut().zip(added) {
        let added = norm.map_or(added.clone(), |norm| rms_norm(&added, norm, epsilon));
        row.iter_mut().zip(added).for_each(|(row, added)| *row += added);
    }
}

/// `x / √(mean x² + ε) · weight`
fn rms_norm(row: &[f32], weights: &[f32], epsilon: f64) -> Vec<f32> {
    let squares: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    let mean = squares / num::real(num::signed(row.len()));
    let inverse = num::single(1.0 / libm::sqrt(mean + epsilon));
    row.iter().zip(weights).map(|(x, weight)| x * inverse * weight).collect()
}

/// Turns the pairs of a head by the angles of a position.
fn turn(head: &mut [f32], position: usize, frequencies: &[f64], pairs: Pairs) {
    let half = frequencies.len();
    for (pair, frequency) in frequencies.iter().enumerate() {
        let (a, b) = match pairs {
            Pairs::Neighbours => (2 * pair, 2 * pair + 1),
            Pairs::Halves => (pair, pair + half),
        };
        let angle = num::real(num::signed(position)) * frequency;
        let (sin, cos) = (num::single(libm::sin(angle)), num::single(libm::cos(angle)));
        let (x, y) = (head[a], head[b]);
        head[a] = x * cos - y * sin;
        head[b] = x * sin + y * cos;
    }
}

/// See [`Activation`].
pub(super) fn activation(kind: Activation, x: f64) -> f64 {
    x * gate(kind, x)
}

/// What an activation multiplies its operand with.
pub(super) fn gate(kind: Activation, x: f64) -> f64 {
    match kind {
        Activation::Silu => 1.0 / (1.0 + libm::exp(-x)),
        Activation::GeluTanh => {
            let inner = libm::sqrt(2.0 / std::f64::consts::PI) * (x + 0.044_715 * x * x * x);
            0.5 * (1.0 + libm::tanh(inner))
        }
    }
}

fn capped(x: f64, cap: f64) -> f32 {
    num::single(cap * libm::tanh(x / cap))
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// The products of a matrix with rows.
fn products(matrix: &Matrix<Vec<f32>>, rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    // Each weight is read once for all rows.
    let columns: Vec<Vec<f32>> = matrix
        .weights
        .par_chunks_exact(matrix.columns)
        .enumerate()
        .map(|(number, weights)| {
            let bias = matrix.bias.get(number).copied().unwrap_or(0.0);
            rows.iter().map(|row| dot(row, weights) + bias).collect()
        })
        .collect();
    (0..rows.len()).into_par_iter().map(|row| columns.iter().map(|column| column[row]).collect()).collect()
}
