//! `config.json`.

use serde_json::Value;

use super::json::{Object, parse};
use crate::{
    language::{Activation, Config, Family, LanguageError, Pairs, Rope, Scaling, Window},
    num,
};

/// The configuration, and the tokens that end a text.
///
/// # Errors
/// The file is damaged, or a value is missing or not supported.
pub fn config(bytes: &[u8]) -> Result<(Config, Vec<u32>), LanguageError> {
    let whole = parse("config.json", bytes)?;
    let outer = Object { file: "config.json", value: &whole };
    // Models that see pictures too have the part for texts inside.
    let keys = outer.object("text_config").unwrap_or(outer);
    let name = keys.text("model_type").or_else(|| outer.text("model_type")).unwrap_or_default();
    let family = Family::named("config.json: model_type", name)?;
    let gemma = family == Family::Gemma3;
    let (width, heads) = (keys.needed_size("hidden_size")?, keys.needed_size("num_attention_heads")?);
    let head_width = match keys.size("head_dim")? {
        Some(width) => width,
        None => width.checked_div(heads).unwrap_or(0),
    };
    let context = keys.size("max_position_embeddings")?.unwrap_or(if gemma { 131_072 } else { 2048 });
    let (scaling, stretched) = scaling(&keys, context)?;
    let window = match keys.size("sliding_window")? {
        Some(length) if gemma => Some(Window {
            length,
            period: keys.size("sliding_window_pattern")?.unwrap_or(6),
            base: keys.real("rope_local_base_freq")?.unwrap_or(1e4),
        }),
        Some(_) if keys.truth("use_sliding_window") == Some(true) => {
            return Err(keys.bad("use_sliding_window", "true", "windows are supported for gemma3"));
        }
        _ => None,
    };
    if family == Family::Llama && keys.truth("attention_bias") == Some(true) {
        return Err(keys.bad("attention_bias", "true", "biases are supported for qwen2"));
    }
    let scaled_by = match keys.real("query_pre_attn_scalar")? {
        Some(number) if gemma => number,
        _ => num::real(num::signed(head_width)),
    };
    let config = Config {
        family,
        layers: keys.needed_size("num_hidden_layers")?,
        width,
        heads,
        kv_heads: keys.size("num_key_value_heads")?.unwrap_or(heads),
        head_width,
        feed_forward: keys.needed_size("intermediate_size")?,
        vocabulary: keys.needed_size("vocab_size")?,
        context,
        epsilon: keys.real("rms_norm_eps")?.unwrap_or(1e-6),
        rope: Rope {
            base: keys.real("rope_theta")?.unwrap_or(if gemma { 1e6 } else { 1e4 }),
            turned: head_width,
            pairs: Pairs::Halves,
            scaling,
        },
        window,
        qk_norm: matches!(family, Family::Qwen3 | Family::Gemma3),
        post_norms: gemma,
        biases: family == Family::Qwen2,
        attention_scale: stretched * stretched / libm::sqrt(scaled_by),
        attention_cap: keys.real("attn_logit_softcapping")?,
        logit_cap: keys.real("final_logit_softcapping")?,
        embedding_scale: if gemma { libm::sqrt(num::real(num::signed(width))) } else { 1.0 },
        activation: activation(&keys, gemma)?,
        norm_offset: if gemma { 1.0 } else { 0.0 },
    };
    let ends = outer.get("eos_token_id").or_else(|| keys.get("eos_token_id"));
    Ok((config.check()?, ends.map(tokens).unwrap_or_default()))
}

/// One token, or a list of them.
fn tokens(value: &Value) -> Vec<u32> {
    let one = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value.as_array() {
        Some(list) => list.iter().filter_map(one).collect(),
        None => one(value).into_iter().collect(),
    }
}

fn activation(keys: &Object<'_>, gemma: bool) -> Result<Activation, LanguageError> {
    match keys.text("hidden_activation").or_else(|| keys.text("hidden_act")) {
        None => Ok(if gemma { Activation::GeluTanh } else { Activation::Silu }),
        Some("silu") => Ok(Activation::Silu),
        Some("gelu_pytorch_tanh") => Ok(Activation::GeluTanh),
        Some(other) => Err(keys.bad("hidden_act", other, "silu and gelu_pytorch_tanh are supported")),
    }
}

/// How angles are stretched, and the factor of queries and keys that goes with it.
fn scaling(keys: &Object<'_>, context: usize) -> Result<(Scaling, f64), LanguageError> {
    let Some(rope) = keys.object("rope_scaling") else { return Ok((Scaling::None, 1.0)) };
    let kind = rope.text("rope_type").or_else(|| rope.text("type")).unwrap_or("default");
    let positive = |key: &str, otherwise: Option<f64>| {
        let value = rope.real(key)?.or(otherwise).ok_or_else(|| rope.missing(key, "a number"))?;
        let fault = || rope.bad(key, &value.to_string(), "must be a positive number");
        if value.is_finite() && value > 0.0 { Ok(value) } else { Err(fault()) }
    };
    let original = || positive("original_max_position_embeddings", Some(num::real(num::signed(context))));
    match kind {
        "default" => Ok((Scaling::None, 1.0)),
        "linear" => Ok((Scaling::Linear(positive("factor", None)?), 1.0)),
        "llama3" => {
            let (low, high) = (positive("low_freq_factor", Some(1.0))?, positive("high_freq_factor", Some(4.0))?);
            if low >= high {
                return Err(rope.bad("low_freq_factor", &low.to_string(), "must be below high_freq_factor"));
            }
            Ok((Scaling::Llama3 { factor: positive("factor", None)?, low, high, original: original()? }, 1.0))
        }
        "yarn" => {
            let factor = positive("factor", None)?;
            let stretched = positive("attention_factor", Some(Scaling::yarn_factor(factor)))?;
            let (fast, slow) = (positive("beta_fast", Some(32.0))?, positive("beta_slow", Some(1.0))?);
            Ok((Scaling::Yarn { factor, fast, slow, original: original()? }, stretched))
        }
        other => Err(rope.bad("rope_type", other, "default, linear, llama3 and yarn are supported")),
    }
}
