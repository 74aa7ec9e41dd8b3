//! Language models: a small folder as hubs publish them, imported, asked, and disputed.

use serde_json::{Map, Value, json};

use super::Folder;

const WIDTH: usize = 32;
const LAYERS: usize = 2;
const VOCABULARY: usize = 96;

/// Every tensor with its shape.
fn shapes() -> Vec<(String, Vec<usize>)> {
    let mut shapes = vec![
        ("model.embed_tokens.weight".to_owned(), vec![VOCABULARY, WIDTH]),
        ("model.norm.weight".to_owned(), vec![WIDTH]),
    ];
    for layer in 0..LAYERS {
        let square = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"];
        let wide = [("mlp.gate_proj", 64, WIDTH), ("mlp.up_proj", 64, WIDTH), ("mlp.down_proj", WIDTH, 64)];
        let matrices = square.map(|name| (name, WIDTH, WIDTH)).into_iter().chain(wide);
        for (name, rows, columns) in matrices {
            shapes.push((format!("model.layers.{layer}.{name}.weight"), vec![rows, columns]));
        }
        for name in ["input_layernorm", "post_attention_layernorm"] {
            shapes.push((format!("model.layers.{layer}.{name}.weight"), vec![WIDTH]));
        }
    }
    shapes
}

/// A safetensors file: the length of a JSON header, the header, the numbers.
fn weights() -> Vec<u8> {
    let (mut header, mut data, mut state) = (Map::new(), Vec::new(), 1u32);
    for (name, shape) in shapes() {
        let start = data.len();
        let norm = name.contains("norm");
        for _ in 0..shape.iter().product::<usize>() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = f32::from(u16::try_from(state >> 16).unwrap()) / 65536.0 - 0.5;
            data.extend((if norm { 1.0 + 0.2 * number } else { number }).to_le_bytes());
        }
        header.insert(name, json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] }));
    }
    let mut header = Value::from(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let length = u64::try_from(header.len()).unwrap().to_le_bytes();
    [&length[..], &header, &data].concat()
}

/// A folder with a small language model, `tiny`, and its program, `tiny.opml`.
pub(crate) fn folder() -> Folder {
    let folder = Folder::new();
    folder.make("tiny");
    let config = json!({
        "model_type": "llama", "num_hidden_layers": LAYERS, "hidden_size": WIDTH, "num_attention_heads": 2,
        "num_key_value_heads": 2, "intermediate_size": 64, "vocab_size": VOCABULARY, "max_position_embeddings": 64,
        "rms_norm_eps": 1e-5, "tie_word_embeddings": true,
    });
    let letters = (33..127u8).map(char::from).chain(['\u{120}']);
    let vocab: Map<String, Value> =
        letters.zip(0..).map(|(letter, id)| (letter.to_string(), Value::from(id))).collect();
    let tokenizer = json!({
        "model": { "type": "BPE", "vocab": vocab, "merges": [] },
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false },
    });
    folder.put("tiny/config.json", config.to_string().as_bytes());
    folder.put("tiny/tokenizer.json", tokenizer.to_string().as_bytes());
    folder.put("tiny/model.safetensors", &weights());
    folder.opml("import tiny -o tiny.opml --context 32").exits(0);
    folder
}

#[test]
fn a_folder_becomes_a_program_that_speaks_and_can_be_tried() {
    let folder = folder();
    let ask = "generate tiny.opml --tokenizer tiny -p some_words -n 12 --json";
    let said: Value = serde_json::from_str(&folder.opml(ask).exits(0)).unwrap();
    assert_eq!(said["prompt_tokens"].as_array().unwrap().len(), 10);
    assert_eq!(said["tokens"].as_array().unwrap().len(), 12);
    let again: Value = serde_json::from_str(&folder.opml(ask).exits(0)).unwrap();
    assert_eq!(said["tokens"], again["tokens"]);
    for fault in ["weight", "probability:3", "logit:11", "token:0", "random", "consistent", "at:9:1:0"] {
        let line = format!("trial tiny.opml --tokenizer tiny -p some_words -n 12 --fault {fault} --json");
        let trial: Value = serde_json::from_str(&folder.opml(&line).exits(0)).unwrap();
        let dispute = &trial["dispute"];
        assert_eq!((&dispute["winner"], &trial["tokens"]), (&"challenger".into(), &12.into()), "{fault}");
        assert!(dispute["gas_last_step"].as_u64().unwrap() <= 200_000, "{fault}: {dispute}");
    }
    let none = folder.opml("trial tiny.opml --tokenizer tiny -p some_words -n 12 --fault none").exits(0);
    assert!(none.contains("The claim is true") && none.contains("submitter wins"), "{none}");
    let fault = folder.opml("trial tiny.opml --tokenizer tiny -p some_words -n 4 --fault token").exits(0);
    assert!(fault.contains("All that follows is computed from it.") && fault.contains("4 new tokens"), "{fault}");
}

#[test]
fn trials_are_refused_with_a_reason() {
    let folder = folder();
    folder.refuses("trial model.opml --tokenizer tiny -p x", &["model.opml", "not a program that generates text"]);
    folder.refuses("trial tiny.opml --tokenizer tiny -p some -n 4 --fault token:4", &["there is no token 4"]);
    folder.refuses(
        "trial tiny.opml --tokenizer tiny -p some -n 4 --fault stop",
        &["no instruction that computes a halt"],
    );
    folder.refuses("trial tiny.opml --tokenizer nowhere -p some", &["nowhere"]);
    folder.put("tiny/config.json", b"{");
    folder.refuses("import tiny -o other.opml", &["config.json"]);
}
