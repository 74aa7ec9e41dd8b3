//! The configuration and the weights of a GGUF file.

use std::io::{Read, Seek};

use super::{Activation, Config, Family, LanguageError, Pairs, Rope, Scaling, Weights, Window, weights};
use crate::{
    gguf::{Codes, Gguf, Value},
    num,
};

/// Keys of one architecture.
struct Keys<'a, R> {
    file: &'a Gguf<R>,
    prefix: &'a str,
}

impl<R: Read + Seek> Keys<'_, R> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.file.value(&self.key(name))
    }

    fn size(&self, name: &str) -> Result<usize, LanguageError> {
        self.optional_size(name)?.ok_or_else(|| LanguageError::Missing { key: self.key(name), expected: "a number" })
    }

    fn optional_size(&self, name: &str) -> Result<Option<usize>, LanguageError> {
        let fault = || LanguageError::Missing { key: self.key(name), expected: "a number" };
        self.get(name).map(|value| value.unsigned().map(num::size).ok_or_else(fault)).transpose()
    }

    fn real(&self, name: &str) -> Result<Option<f64>, LanguageError> {
        let fault = || LanguageError::Missing { key: self.key(name), expected: "a real number" };
        self.get(name).map(|value| value.real().ok_or_else(fault)).transpose()
    }
}

/// Reads the configuration.
///
/// # Errors
/// A value is missing, or one is not supported.
pub fn config<R: Read + Seek>(file: &mut Gguf<R>) -> Result<Config, LanguageError> {
    let architecture = file.value("general.architecture").and_then(Value::text).unwrap_or_default().to_owned();
    let family = Family::named("general.architecture", &architecture)?;
    let factors = if file.tensors().contains_key("rope_freqs.weight") {
        Some(file.tensor("rope_freqs.weight")?.into_iter().map(f64::from).collect())
    } else {
        None
    };
    let has = |name: &str| file.tensors().contains_key(name);
    let (qk_norm, biases) = (has("blk.0.attn_q_norm.weight"), has("blk.0.attn_q.bias"));
    let post_norms = has("blk.0.post_attention_norm.weight");
    let vocabulary = file.tensors().get("token_embd.weight").and_then(|info| info.shape.first().copied());
    let keys = Keys { file, prefix: &architecture };
    let (width, heads) = (keys.size("embedding_length")?, keys.size("attention.head_count")?);
    let head_width = match keys.optional_size("attention.key_length")? {
        Some(width) => width,
        None => width.checked_div(heads).unwrap_or(0),
    };
    if keys.optional_size("attention.value_length")?.is_some_and(|value| value != head_width) {
        let key = keys.key("attention.value_length");
        let why = "keys and values of one width are supported".to_owned();
        return Err(LanguageError::Value { key, value: "another number".to_owned(), why });
    }
    let gemma = family == Family::Gemma3;
    let rope = Rope {
        base: keys.real("rope.freq_base")?.unwrap_or(if gemma { 1e6 } else { 1e4 }),
        turned: keys.optional_size("rope.dimension_count")?.unwrap_or(head_width),
        // Llama files have the rows of queries and keys in this order.
        pairs: if family == Family::Llama { Pairs::Neighbours } else { Pairs::Halves },
        scaling: Scaling::None,
    };
    let window = match keys.optional_size("attention.sliding_window")? {
        Some(length) if gemma && length > 0 => {
            Some(Window { length, period: 6, base: keys.real("rope.freq_base_swa")?.unwrap_or(1e4) })
        }
        _ => None,
    };
    // The 27B model scales by the width of the residual stream.
    let scaled_by =
        if gemma && keys.size("block_count")? == 62 { width.checked_div(heads).unwrap_or(1) } else { head_width };
    let (scaling, stretched) = scaling(&keys, factors)?;
    let attention_scale = keys.real("attention.scale")?.unwrap_or(1.0 / libm::sqrt(num::real(num::signed(scaled_by))));
    let config = Config {
        family,
        layers: keys.size("block_count")?,
        width,
        heads,
        kv_heads: keys.optional_size("attention.head_count_kv")?.unwrap_or(heads),
        head_width,
        feed_forward: keys.size("feed_forward_length")?,
        vocabulary: num::size(vocabulary.ok_or_else(|| LanguageError::NoTensor("token_embd.weight".to_owned()))?),
        context: keys.size("context_length")?,
        epsilon: keys.real("attention.layer_norm_rms_epsilon")?.unwrap_or(1e-6),
        rope: Rope { scaling, ..rope },
        window,
        qk_norm,
        post_norms,
        biases,
        attention_scale: attention_scale * stretched * stretched,
        attention_cap: keys.real("attn_logit_softcapping")?,
        logit_cap: keys.real("final_logit_softcapping")?,
        embedding_scale: if gemma { libm::sqrt(num::real(num::signed(width))) } else { 1.0 },
        activation: if gemma { Activation::GeluTanh } else { Activation::Silu },
        norm_offset: 0.0,
    };
    config.check()
}

/// How angles are stretched, and the factor of queries and keys that goes with it.
fn scaling<R: Read + Seek>(keys: &Keys<'_, R>, factors: Option<Vec<f64>>) -> Result<(Scaling, f64), LanguageError> {
    if let Some(factors) = factors {
        return Ok((Scaling::Factors(factors), 1.0));
    }
    let kind = keys.get("rope.scaling.type").and_then(Value::text);
    let factor = keys.real("rope.scaling.factor")?;
    match (kind, factor) {
        (None | Some("none"), None) | (Some("none"), _) => Ok((Scaling::None, 1.0)),
        (None | Some("linear"), Some(factor)) if factor > 0.0 => Ok((Scaling::Linear(factor), 1.0)),
        (Some("yarn"), Some(factor)) if factor > 0.0 => {
            let original = match keys.optional_size("rope.scaling.original_context_length")? {
                Some(context) => context,
                None => keys.size("context_length")?,
            };
            let stretched = keys.real("rope.scaling.attn_factor")?.unwrap_or(1.0) * Scaling::yarn_factor(factor);
            let original = num::real(num::signed(original)).max(1.0);
            Ok((Scaling::Yarn { factor, fast: 32.0, slow: 1.0, original }, stretched))
        }
        (kind, _) => Err(LanguageError::Value {
            key: keys.key("rope.scaling.type"),
            value: kind.unwrap_or("linear").to_owned(),
            why: "none, linear and yarn with a positive factor are supported".to_owned(),
        }),
    }
}

impl<R: Read + Seek> Weights for Gguf<R> {
    fn get(&mut self, name: &str, shape: &[usize]) -> Result<Option<Vec<f32>>, LanguageError> {
        let Some(info) = self.tensors().get(name) else { return Ok(None) };
        weights::check_shape(name, &info.shape, shape)?;
        let values = self.tensor(name)?;
        weights::check_finite(name, values).map(Some)
    }

    fn codes(&mut self, name: &str, shape: &[usize]) -> Result<Option<Codes>, LanguageError> {
        let Some(info) = self.tensors().get(name) else { return Ok(None) };
        weights::check_shape(name, &info.shape, shape)?;
        match Gguf::codes(self, name)? {
            Some(codes) if codes.scales.iter().chain(&codes.minima).all(|x| x.is_finite()) => Ok(Some(codes)),
            Some(_) => Err(LanguageError::NotFinite(name.to_owned())),
            None => Ok(self.get(name, shape)?.map(|values| weights::rounded(&values))),
        }
    }
}
