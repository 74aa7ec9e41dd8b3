//! The weights of a model, by the names that GGUF files have for them.

use super::{Config, LanguageError};
use crate::{gguf::Codes, num};

/// Weights that share a scale.
pub const BLOCK: usize = 32;

/// Where weights come from.
pub trait Weights {
    /// The elements of a tensor, row-major; `None` if there is none of that name.
    ///
    /// # Errors
    /// It has another shape, holds what is no number, or cannot be read.
    fn get(&mut self, name: &str, shape: &[usize]) -> Result<Option<Vec<f32>>, LanguageError>;

    /// A tensor as integers with a scale for each 32 of them: as it is stored, if it is stored so, else rounded to 8 bits.
    ///
    /// # Errors
    /// As [`Weights::get`].
    fn codes(&mut self, name: &str, shape: &[usize]) -> Result<Option<Codes>, LanguageError> {
        Ok(self.get(name, shape)?.map(|values| rounded(&values)))
    }

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

/// Blocks of [`BLOCK`] numbers in 8 bits: the largest magnitude is 127.
pub(super) fn rounded(values: &[f32]) -> Codes {
    let mut codes = Codes::default();
    for block in values.chunks(BLOCK) {
        let most = block.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        let scale = most / 127.0;
        let code =
            |x: &f32| if scale > 0.0 { num::round(f64::from(*x) / f64::from(scale)).clamp(-127, 127) } else { 0 };
        codes.codes.extend(block.iter().map(|x| i8::try_from(code(x)).unwrap_or(0)));
        codes.scales.push(scale);
        codes.minima.push(0.0);
    }
    codes
}

/// What a matrix's elements are kept as.
pub trait Kept: Sized {
    /// Reads a matrix that must be there.
    ///
    /// # Errors
    /// It is missing, or not as the configuration says.
    fn read<W: Weights + ?Sized>(source: &mut W, name: &str, shape: &[usize]) -> Result<Option<Self>, LanguageError>;

    /// Adds the rows of another matrix.
    fn append(&mut self, other: Self);
}

impl Kept for Vec<f32> {
    fn read<W: Weights + ?Sized>(source: &mut W, name: &str, shape: &[usize]) -> Result<Option<Self>, LanguageError> {
        source.get(name, shape)
    }

    fn append(&mut self, other: Self) {
        self.extend(other);
    }
}

impl Kept for Codes {
    fn read<W: Weights + ?Sized>(source: &mut W, name: &str, shape: &[usize]) -> Result<Option<Self>, LanguageError> {
        source.codes(name, shape)
    }

    fn append(&mut self, other: Self) {
        self.codes.extend(other.codes);
        self.scales.extend(other.scales);
        self.minima.extend(other.minima);
    }
}

/// A matrix of `rows` rows, row-major, and what is added to its products.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix<K> {
    /// Rows.
    pub rows: usize,
    /// Elements of a row.
    pub columns: usize,
    /// Elements, row-major.
    pub weights: K,
    /// One for each row; none means 0.
    pub bias: Vec<f32>,
}

/// One layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer<K> {
    /// Norm before attention.
    pub attention_norm: Vec<f32>,
    /// Queries, keys, values: rows of one matrix in this order.
    pub qkv: Matrix<K>,
    /// Norms of queries and keys.
    pub qk_norms: Option<[Vec<f32>; 2]>,
    /// From heads back to the residual stream.
    pub attention_output: Matrix<K>,
    /// Norm of that.
    pub attention_post_norm: Option<Vec<f32>>,
    /// Norm before the feed-forward network.
    pub feed_norm: Vec<f32>,
    /// Gate and up: rows of one matrix in this order.
    pub gate_up: Matrix<K>,
    /// Back to the residual stream.
    pub down: Matrix<K>,
    /// Norm of that.
    pub feed_post_norm: Option<Vec<f32>>,
}

/// Reads matrices with the same columns as one.
fn stacked<W: Weights + ?Sized, K: Kept>(
    source: &mut W,
    parts: &[(String, usize)],
    columns: usize,
    biased: bool,
) -> Result<Matrix<K>, LanguageError> {
    let (mut weights, mut rows, mut bias): (Option<K>, _, _) = (None, 0, Vec::new());
    for (name, count) in parts {
        let tensor = format!("{name}.weight");
        let part = K::read(source, &tensor, &[*count, columns])?.ok_or(LanguageError::NoTensor(tensor))?;
        match &mut weights {
            Some(weights) => weights.append(part),
            None => weights = Some(part),
        }
        rows += count;
        if biased {
            bias.extend(source.need(&format!("{name}.bias"), &[*count])?);
        }
    }
    let weights = weights.ok_or_else(|| LanguageError::NoTensor(String::new()))?;
    Ok(Matrix { rows, columns, weights, bias })
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
pub fn layer<W: Weights + ?Sized, K: Kept>(
    source: &mut W,
    config: &Config,
    number: usize,
) -> Result<Layer<K>, LanguageError> {
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
pub struct Ends<K> {
    /// A row for each token.
    pub embedding: Matrix<K>,
    /// Last norm.
    pub norm: Vec<f32>,
    /// A row for each token; none: the embedding again.
    pub output: Option<Matrix<K>>,
}

/// Reads what is not in layers.
///
/// # Errors
/// A tensor is missing or not as the configuration says.
pub fn ends<W: Weights + ?Sized, K: Kept>(source: &mut W, config: &Config) -> Result<Ends<K>, LanguageError> {
    let shape = [config.vocabulary, config.width];
    let matrix = |weights| Matrix { rows: config.vocabulary, columns: config.width, weights, bias: Vec::new() };
    let name = "token_embd.weight";
    let embedding = K::read(source, name, &shape)?.ok_or_else(|| LanguageError::NoTensor(name.to_owned()))?;
    Ok(Ends {
        embedding: matrix(embedding),
        norm: norm(source, config, "output_norm.weight", config.width)?,
        output: K::read(source, "output.weight", &shape)?.map(matrix),
    })
}
