//! The weights of a model, by the names that GGUF files have for them.

use super::{Config, LanguageError};
use crate::num;

/// Where weights come from.
pub trait Weights {
    /// The elements of a tensor, row-major; `None` if there is none of that name.
    ///
    /// # Errors
    /// It has another shape, holds what is no number, or cannot be read.
    fn get(&mut self, name: &str, shape: &[usize]) -> Result<Option<Vec<f32>>, LanguageError>;

    /// A tensor that must be there.
    ///
    /// # Errors
    /// As [`Weights::get`], or it is missing.
    fn need(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LanguageError> {
        self.get(name, shape)?.ok_or_else(|| LanguageError::NoTensor(name.to_owned()))
    }
}

pub(super) fn check_shape(name: &str, actual: &[u64], expected: &[usize]) -> Result<(), LanguageError> {
    let expected: Vec<u64> = expected.iter().map(|&extent| num::wide(extent)).collect();
    if actual == expected {
        return Ok(());
    }
    Err(LanguageError::Shape { name: name.to_owned(), actual: actual.to_vec(), expected })
}

pub(super) fn check_finite(name: &str, values: Vec<f32>) -> Result<Vec<f32>, LanguageError> {
    if values.iter().all(|value| value.is_finite()) {
        return Ok(values);
    }
    Err(LanguageError::NotFinite(name.to_owned()))
}

/// A matrix of `rows` rows, row-major, and what is added to its products.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Rows.
    pub rows: usize,
    /// Elements of a row.
    pub columns: usize,
    /// Elements, row-major.
    pub weights: Vec<f32>,
    /// One for each row; none means 0.
    pub bias: Vec<f32>,
}

/// One layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Norm before attention.
    pub attention_norm: Vec<f32>,
    /// Queries, keys, values: rows of one matrix in this order.
    pub qkv: Matrix,
    /// Norms of queries and keys.
    pub qk_norms: Option<[Vec<f32>; 2]>,
    /// From heads back to the residual stream.
    pub attention_output: Matrix,
    /// Norm of that.
    pub attention_post_norm: Option<Vec<f32>>,
    /// Norm before the feed-forward network.
    pub feed_norm: Vec<f32>,
    /// Gate and up: rows of one matrix in this order.
    pub gate_up: Matrix,
    /// Back to the residual stream.
    pub down: Matrix,
    /// Norm of that.
    pub feed_post_norm: Option<Vec<f32>>,
}

/// Reads matrices with the same columns as one.
fn stacked<W: Weights + ?Sized>(
    source: &mut W,
    parts: &[(String, usize)],
    columns: usize,
    biased: bool,
) -> Result<Matrix, LanguageError> {
    let mut matrix = Matrix { rows: 0, columns, weights: Vec::new(), bias: Vec::new() };
    for (name, rows) in parts {
        matrix.weights.extend(source.need(&format!("{name}.weight"), &[*rows, columns])?);
        matrix.rows += rows;
        if biased {
            matrix.bias.extend(source.need(&format!("{name}.bias"), &[*rows])?);
        }
    }
    Ok(matrix)
}

fn norm<W: Weights + ?Sized>(
    source: &mut W,
    config: &Config,
    name: &str,
    width: usize,
) -> Result<Vec<f32>, LanguageError> {
    let weights = source.need(name, &[width])?;
    Ok(weights.into_iter().map(|weight| weight + config.norm_offset).collect())
}

/// Reads a layer.
///
/// # Errors
/// A tensor is missing or not as the configuration says.
pub fn layer<W: Weights + ?Sized>(source: &mut W, config: &Config, number: usize) -> Result<Layer, LanguageError> {
    let name = |part: &str| format!("blk.{number}.{part}");
    let (query, kv) = (config.query_width(), config.kv_width());
    let qkv = [(name("attn_q"), query), (name("attn_k"), kv), (name("attn_v"), kv)];
    let gate_up = [(name("ffn_gate"), config.feed_forward), (name("ffn_up"), config.feed_forward)];
    let head_norm = |source: &mut W, part: &str| norm(source, config, &name(part), config.head_width);
    let qk_norms = match config.qk_norm {
        true => Some([head_norm(source, "attn_q_norm.weight")?, head_norm(source, "attn_k_norm.weight")?]),
        false => None,
    };
    let mut post = |part: &str| match config.post_norms {
        true => norm(source, config, &name(part), config.width).map(Some),
        false => Ok(None),
    };
    let attention_post_norm = post("post_attention_norm.weight")?;
    let feed_post_norm = post("post_ffw_norm.weight")?;
    Ok(Layer {
        attention_norm: norm(source, config, &name("attn_norm.weight"), config.width)?,
        qkv: stacked(source, &qkv, config.width, config.biases)?,
        qk_norms,
        attention_output: stacked(source, &[(name("attn_output"), config.width)], query, false)?,
        attention_post_norm,
        feed_norm: norm(source, config, &name("ffn_norm.weight"), config.width)?,
        gate_up: stacked(source, &gate_up, config.width, false)?,
        down: stacked(source, &[(name("ffn_down"), config.width)], config.feed_forward, false)?,
        feed_post_norm,
    })
}

/// What stands before and after the layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Ends {
    /// A row for each token.
    pub embedding: Matrix,
    /// Last norm.
    pub norm: Vec<f32>,
    /// A row for each token; none: the embedding again.
    pub output: Option<Matrix>,
}

/// Reads what is not in layers.
///
/// # Errors
/// A tensor is missing or not as the configuration says.
pub fn ends<W: Weights + ?Sized>(source: &mut W, config: &Config) -> Result<Ends, LanguageError> {
    let shape = [config.vocabulary, config.width];
    let matrix = |weights| Matrix { rows: config.vocabulary, columns: config.width, weights, bias: Vec::new() };
    Ok(Ends {
        embedding: matrix(source.need("token_embd.weight", &shape)?),
        norm: norm(source, config, "output_norm.weight", config.width)?,
        output: source.get("output.weight", &shape)?.map(matrix),
    })
}
