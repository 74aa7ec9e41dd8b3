//! Folders with safetensors: small ones of every architecture, and damage to them.

use std::collections::BTreeMap;

use opml_ops::language::{
    Activation, Config, Family, LanguageError, Pairs, Rope, Scaling, Weights,
    float::FloatModel,
    folder::{self, Tensors},
};
use safetensors::{Dtype, serialize, tensor::TensorView};
use serde_json::{Value, json};

use super::tiny::{self, FAMILIES, Random};

/// The names that hubs have, written down apart from the reader's.
fn published(name: &str, family: Family) -> String {
    let layer = name.strip_prefix("blk.").map(|rest| rest.split_once('.').unwrap());
    let Some((number, part)) = layer else {
        return match name {
            "token_embd.weight" => "model.embed_tokens.weight".to_owned(),
            "output_norm.weight" => "model.norm.weight".to_owned(),
            _ => "lm_head.weight".to_owned(),
        };
    };
    let gemma = family == Family::Gemma3;
    let names: BTreeMap<&str, &str> = [
        ("attn_norm.weight", "input_layernorm.weight"),
        ("attn_q.weight", "self_attn.q_proj.weight"),
        ("attn_k.weight", "self_attn.k_proj.weight"),
        ("attn_v.weight", "self_attn.v_proj.weight"),
        ("attn_q.bias", "self_attn.q_proj.bias"),
        ("attn_k.bias", "self_attn.k_proj.bias"),
        ("attn_v.bias", "self_attn.v_proj.bias"),
        ("attn_output.weight", "self_attn.o_proj.weight"),
        ("attn_q_norm.weight", "self_attn.q_norm.weight"),
        ("attn_k_norm.weight", "self_attn.k_norm.weight"),
        ("post_attention_norm.weight", "post_attention_layernorm.weight"),
        ("ffn_norm.weight", if gemma { "pre_feedforward_layernorm.weight" } else { "post_attention_layernorm.weight" }),
        ("post_ffw_norm.weight", "post_feedforward_layernorm.weight"),
        ("ffn_gate.weight", "mlp.gate_proj.weight"),
        ("ffn_up.weight", "mlp.up_proj.weight"),
        ("ffn_down.weight", "mlp.down_proj.weight"),
    ]
    .into();
    format!("model.layers.{number}.{}", names[part])
}

/// A tiny model as a folder has it: rows of queries and keys are turned by halves, and Gemma's norms are stored less 1.
fn config(family: Family) -> Config {
    let config = tiny::config(family);
    let offset = if family == Family::Gemma3 { 1.0 } else { 0.0 };
    Config { rope: Rope { pairs: Pairs::Halves, ..config.rope }, norm_offset: offset, ..config }
}

/// Random weights, with norms around 0 where 1 is added to them.
struct Stored(u64, f32);

impl Weights for Stored {
    fn get(&mut self, name: &str, shape: &[usize]) -> Result<Option<Vec<f32>>, LanguageError> {
        let offset = if name.contains("norm") { self.1 } else { 0.0 };
        let values = Random(self.0).get(name, shape)?;
        // Halves hold numbers of few bits exactly.
        Ok(values.map(|values| values.into_iter().map(|x| ((x - offset) * 256.0).round() / 256.0).collect()))
    }
}

fn file(family: Family, seed: u64, kind: Dtype) -> Vec<u8> {
    struct Listed(Vec<(String, Vec<usize>, Vec<f32>)>, Stored);
    impl Weights for Listed {
        fn get(&mut self, name: &str, shape: &[usize]) -> Result<Option<Vec<f32>>, LanguageError> {
            let values = self.1.get(name, shape)?;
            self.0.extend(values.iter().map(|values| (name.to_owned(), shape.to_vec(), values.clone())));
            Ok(values)
        }
    }
    let config = config(family);
    let mut listed = Listed(Vec::new(), Stored(seed, config.norm_offset));
    FloatModel::load(&mut listed, &config).unwrap();
    let bytes = |values: &[f32]| -> Vec<u8> {
        match kind {
            Dtype::BF16 => values.iter().flat_map(|x| x.to_le_bytes()[2..].to_vec()).collect(),
            _ => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    };
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> =
        listed.0.iter().map(|(name, shape, values)| (published(name, family), shape.clone(), bytes(values))).collect();
    let views = tensors.iter().map(|(name, shape, bytes)| (name, TensorView::new(kind, shape.clone(), bytes).unwrap()));
    serialize(views, None).unwrap()
}

fn json(family: Family, tied: bool) -> Value {
    let c = config(family);
    let mut json = json!({
        "model_type": if family == Family::Gemma3 { "gemma3_text" } else { family.name() },
        "num_hidden_layers": c.layers, "hidden_size": c.width, "num_attention_heads": c.heads,
        "num_key_value_heads": c.kv_heads, "head_dim": c.head_width, "intermediate_size": c.feed_forward,
        "vocab_size": c.vocabulary, "max_position_embeddings": c.context, "rms_norm_eps": c.epsilon,
        "rope_theta": c.rope.base, "tie_word_embeddings": tied, "eos_token_id": [2, 7],
    });
    match family {
        Family::Llama => {
            json["rope_scaling"] = json!({ "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16 });
        }
        Family::Gemma3 => {
            json["rope_scaling"] = json!({ "rope_type": "linear", "factor": 8.0 });
            json["sliding_window"] = 3.into();
            json["sliding_window_pattern"] = 3.into();
            json["rope_local_base_freq"] = 100.0.into();
            json["query_pre_attn_scalar"] = 16.into();
            json["attn_logit_softcapping"] = 5.0.into();
            json["final_logit_softcapping"] = 8.0.into();
            json["hidden_activation"] = "gelu_pytorch_tanh".into();
        }
        Family::Qwen2 | Family::Qwen3 => {}
    }
    json
}

fn logits(model: &FloatModel) -> Vec<Vec<f32>> {
    model.logits(&[1, 2, 3, 40], &mut Default::default(), &mut |_, _| ()).unwrap()
}

#[test]
fn a_folder_is_the_model_that_was_written() {
    for family in FAMILIES {
        for seed in [1, 2] {
            let bytes = json(family, seed == 2).to_string().into_bytes();
            let (read, ends) = folder::config(&bytes).unwrap();
            let scale = 1.0 / (config(family).head_width as f64).sqrt();
            let scale = if family == Family::Gemma3 { 0.25 } else { scale };
            assert_eq!(read, Config { attention_scale: scale, ..config(family) });
            assert_eq!(ends, [2, 7]);
            let expected = FloatModel::load(&mut Stored(seed, read.norm_offset), &read).unwrap();
            let files = [file(family, seed, Dtype::F32)];
            let mut tensors = Tensors::open(&files, &read, &bytes).unwrap();
            assert_eq!(logits(&FloatModel::load(&mut tensors, &read).unwrap()), logits(&expected), "{family:?}");
        }
    }
}

#[test]
fn halves_are_read() {
    let bytes = json(Family::Qwen3, true).to_string().into_bytes();
    let (config, _) = folder::config(&bytes).unwrap();
    let files = [file(Family::Qwen3, 2, Dtype::BF16)];
    let mut tensors = Tensors::open(&files, &config, &bytes).unwrap();
    let name = "blk.1.ffn_down.weight";
    let (read, written) =
        (tensors.get(name, &[64, 96]).unwrap().unwrap(), Stored(2, 0.0).get(name, &[64, 96]).unwrap().unwrap());
    // Numbers below 1 with 8 fraction bits fit.
    assert_eq!(read, written);
    let shape = tensors.get(name, &[96, 64]).unwrap_err();
    assert!(matches!(&shape, LanguageError::Shape { name, .. } if name == "model.layers.1.mlp.down_proj.weight"));
}

#[test]
fn yarn_is_that_of_its_library() {
    let scaling = json!({ "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768 });
    let mut json = json(Family::Qwen2, true);
    (json["rope_scaling"], json["head_dim"], json["rope_theta"]) = (scaling, 128.into(), 1e6.into());
    let (config, _) = folder::config(json.to_string().as_bytes()).unwrap();
    assert_eq!(config.rope.scaling, Scaling::Yarn { factor: 4.0, fast: 32.0, slow: 1.0, original: 32768.0 });
    let found = config.rope.frequencies();
    // `transformers.modeling_rope_utils`, pairs 0, 20, 30, 35, 40, 50, 63.
    let expected = [
        (0, 1.0),
        (20, 0.013_335_214_321_633_24),
        (30, 0.001_064_360_981_247_002),
        (35, 0.000_246_258_406_908_938_7),
        (40, 4.445_698_525_097_307e-5),
        (50, 5.133_812_566_142_866e-6),
        (63, 3.102_344_401_879_299e-7),
    ];
    for (pair, expected) in expected {
        assert!((found[pair] / expected - 1.0).abs() < 1e-9, "{pair}: {} instead of {expected}", found[pair]);
    }
    let stretched = 1.0 + 0.1 * 4f64.ln();
    assert!((config.attention_scale * 128f64.sqrt() - stretched * stretched).abs() < 1e-12);
    assert_eq!(config.activation, Activation::Silu);
}

fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut json = json(Family::Llama, true);
    change(&mut json);
    folder::config(json.to_string().as_bytes()).unwrap_err().to_string()
}

#[test]
fn errors_name_the_value() {
    assert!(
        refused(|json| json["model_type"] = "mamba".into()).contains("llama, qwen2, qwen3 and gemma3 are supported")
    );
    assert!(refused(|json| json["hidden_size"] = Value::Null).contains("config.json: hidden_size"));
    assert!(refused(|json| json["hidden_size"] = "64".into()).contains("not a number"));
    assert!(refused(|json| json["rope_scaling"] = json!({ "type": "dynamic", "factor": 2.0 })).contains("dynamic"));
    assert!(refused(|json| json["rope_scaling"] = json!({ "type": "linear", "factor": -2.0 })).contains("positive"));
    assert!(refused(|json| json["attention_bias"] = true.into()).contains("attention_bias"));
    assert!(refused(|json| json["hidden_act"] = "relu".into()).contains("silu"));
    assert!(folder::config(b"{\"model_type\": ").unwrap_err().to_string().starts_with("config.json: "));
    let bytes = json(Family::Llama, true).to_string().into_bytes();
    let (config, _) = folder::config(&bytes).unwrap();
    let whole = file(Family::Llama, 2, Dtype::F32);
    for length in (0..400).chain([whole.len() / 2, whole.len() - 1]) {
        assert!(Tensors::open(&[whole[..length].to_vec()], &config, &bytes).is_err(), "{length} bytes");
    }
}

fn byte_pairs(cutting: Value) -> Value {
    let mut vocab: serde_json::Map<String, Value> =
        (33..127u8).zip(0..).map(|(byte, id)| (char::from(byte).to_string(), Value::from(id))).collect();
    for (token, id) in [("Ġ", 94), ("Ġt", 95), ("he", 96), ("Ġthe", 97), ("12", 98)] {
        vocab.insert(token.to_owned(), id.into());
    }
    json!({
        "model": { "type": "BPE", "vocab": vocab, "merges": ["Ġ t", ["h", "e"], "Ġt he", "1 2"] },
        "added_tokens": [{ "id": 99, "content": "<|im_end|>", "special": true }, { "id": 100, "content": "<s>", "special": true }],
        "pre_tokenizer": cutting,
    })
}

#[test]
fn tokenizers_of_folders() {
    let level = json!({ "type": "ByteLevel", "add_prefix_space": false });
    let digits =
        json!({ "type": "Sequence", "pretokenizers": [{ "type": "Digits", "individual_digits": true }, level] });
    let read = |json: &Value, settings: Option<&Value>| {
        let settings = settings.map(|settings| settings.to_string().into_bytes());
        folder::tokenizer(json.to_string().as_bytes(), settings.as_deref(), &[7])
    };
    let settings = json!({ "bos_token": { "content": "<s>" }, "add_bos_token": true, "chat_template": "{{ x }}" });
    let plain = read(&byte_pairs(level.clone()), Some(&settings)).unwrap();
    assert_eq!(plain.encode("the the12<|im_end|>", true), [100, 83, 96, 97, 98, 99]);
    assert_eq!((plain.ends(), plain.template()), (&[7, 99][..], Some("{{ x }}")));
    assert_eq!(plain.decode(&[97, 98, 99]), " the12");
    let single = read(&byte_pairs(digits), None).unwrap();
    assert_eq!(single.encode("12", true), [16, 17]);

    let pieces = json!({
        "model": { "type": "BPE", "vocab": { "\u{2581}": 0, "a": 1, "b": 2, "ab": 3, "\u{2581}ab": 4, "<0xC3>": 5, "<0xA9>": 6 },
                   "merges": ["a b", "\u{2581} ab"], "byte_fallback": true },
        "normalizer": { "type": "Sequence", "normalizers": [{ "type": "Prepend", "prepend": "\u{2581}" }] },
    });
    let pieces = read(&pieces, None).unwrap();
    assert_eq!(pieces.encode("ab\u{e9}", true), [4, 5, 6]);
    assert_eq!(pieces.decode(&[4, 5, 6]), " ab\u{e9}");

    let mut other = byte_pairs(level);
    other["model"]["type"] = "WordPiece".into();
    assert!(read(&other, None).unwrap_err().to_string().contains("BPE is supported"));
    other["model"] = json!({ "type": "BPE", "vocab": { "a": 1u64 << 40 }, "merges": [] });
    assert!(read(&other, None).unwrap_err().to_string().contains("below 2^22"));
    other["model"] = json!({ "type": "BPE", "vocab": { "a": 0 }, "merges": [["a"]] });
    assert!(read(&other, None).unwrap_err().to_string().contains("merges"));
}
