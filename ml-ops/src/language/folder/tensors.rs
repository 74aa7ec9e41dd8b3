//! Weights in safetensors files.

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::language::{Config, Family, LanguageError, Weights, weights};

/// The tensors of one or several files.
pub struct Tensors<'a> {
    files: Vec<SafeTensors<'a>>,
    gemma: bool,
    /// Whether the output is the embedding again.
    tied: bool,
}

impl<'a> Tensors<'a> {
    /// Reads the headers of a model's files; `json` is its `config.json`.
    ///
    /// # Errors
    /// A file is damaged.
    pub fn open(files: &'a [Vec<u8>], config: &Config, json: &[u8]) -> Result<Self, LanguageError> {
        let open = |bytes: &'a Vec<u8>| {
            SafeTensors::deserialize(bytes).map_err(|error| LanguageError::Safetensors(error.to_string()))
        };
        let whole = super::json::parse("config.json", json)?;
        let gemma = config.family == Family::Gemma3;
        let tied = whole.get("tie_word_embeddings").and_then(serde_json::Value::as_bool).unwrap_or(gemma);
        Ok(Self { files: files.iter().map(open).collect::<Result<_, _>>()?, gemma, tied })
    }

    fn find(&self, name: &str) -> Option<TensorView<'_>> {
        let places = ["", "language_model.", "model.language_model."];
        let one = |prefix: &&str| {
            let name = match (*prefix, name.strip_prefix("model.")) {
                ("model.language_model.", Some(rest)) => format!("{prefix}{rest}"),
                _ => format!("{prefix}{name}"),
            };
            self.files.iter().find_map(|file| file.tensor(&name).ok())
        };
        places.iter().find_map(one)
    }
}

impl Weights for Tensors<'_> {
    fn get(&mut self, name: &str, shape: &[usize]) -> Result<Option<Vec<f32>>, LanguageError> {
        if name == "output.weight" && self.tied {
            return Ok(None);
        }
        let published = published(name, self.gemma);
        let Some(tensor) = self.find(&published) else { return Ok(None) };
        let actual: Vec<u64> = tensor.shape().iter().map(|&extent| crate::num::wide(extent)).collect();
        weights::check_shape(&published, &actual, shape)?;
        weights::check_finite(&published, floats(&published, &tensor)?).map(Some)
    }
}

fn floats(name: &str, tensor: &TensorView<'_>) -> Result<Vec<f32>, LanguageError> {
    let bytes = tensor.data();
    let halves = bytes.as_chunks::<2>().0.iter();
    match tensor.dtype() {
        Dtype::F32 => Ok(bytes.as_chunks::<4>().0.iter().map(|&word| f32::from_le_bytes(word)).collect()),
        Dtype::BF16 => Ok(halves.map(|&pair| crate::gguf::brain(pair)).collect()),
        Dtype::F16 => Ok(halves.map(|&pair| crate::gguf::half(pair)).collect()),
        other => Err(LanguageError::Value {
            key: format!("the type of tensor {name}"),
            value: format!("{other:?}"),
            why: "F32, F16 and BF16 are supported".to_owned(),
        }),
    }
}

/// The published name of what GGUF files call `name`.
fn published(name: &str, gemma: bool) -> String {
    let ends = [
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("output_norm.weight", "model.norm.weight"),
        ("output.weight", "lm_head.weight"),
    ];
    if let Some((_, published)) = ends.iter().find(|(own, _)| *own == name) {
        return (*published).to_owned();
    }
    let layer = || {
        let (number, rest) = name.strip_prefix("blk.")?.split_once('.')?;
        let (part, kind) = rest.rsplit_once('.')?;
        let part = match part {
            "attn_norm" => "input_layernorm",
            "attn_q" => "self_attn.q_proj",
            "attn_k" => "self_attn.k_proj",
            "attn_v" => "self_attn.v_proj",
            "attn_output" => "self_attn.o_proj",
            "attn_q_norm" => "self_attn.q_norm",
            "attn_k_norm" => "self_attn.k_norm",
            "ffn_norm" if gemma => "pre_feedforward_layernorm",
            "ffn_norm" | "post_attention_norm" => "post_attention_layernorm",
            "post_ffw_norm" => "post_feedforward_layernorm",
            "ffn_gate" => "mlp.gate_proj",
            "ffn_up" => "mlp.up_proj",
            "ffn_down" => "mlp.down_proj",
            other => other,
        };
        Some(format!("model.layers.{number}.{part}.{kind}"))
    };
    layer().unwrap_or_else(|| name.to_owned())
}
