//! GGUF files: a small one, and all kinds of damage to it.

use std::io::Cursor;

use opml_ops::{
    gguf::{Gguf, GgufError, TensorType, Value},
    language::{Config, Family, LanguageError, Tokenizer, Weights, float::FloatModel, gguf_config},
};
use opml_vm::testing::Rng;

use super::tiny::{self, Random};

/// Writes the parts of a file.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn u32(&mut self, n: u32) {
        self.0.extend(n.to_le_bytes());
    }
    fn u64(&mut self, n: u64) {
        self.0.extend(n.to_le_bytes());
    }
    fn text(&mut self, text: &str) {
        self.u64(text.len() as u64);
        self.0.extend(text.as_bytes());
    }
    fn number(&mut self, key: &str, n: u32) {
        self.text(key);
        self.u32(4);
        self.u32(n);
    }
    fn word(&mut self, key: &str, word: &str) {
        self.text(key);
        self.u32(8);
        self.text(word);
    }
    fn words(&mut self, key: &str, words: &[&str]) {
        self.text(key);
        self.u32(9);
        self.u32(8);
        self.u64(words.len() as u64);
        words.iter().for_each(|word| self.text(word));
    }
}

/// Every tensor of a tiny model, by name and shape.
fn tensors(config: &Config) -> Vec<(String, Vec<usize>)> {
    struct Listed(Vec<(String, Vec<usize>)>);
    impl Weights for Listed {
        fn get(&mut self, name: &str, shape: &[usize]) -> Result<Option<Vec<f32>>, LanguageError> {
            self.0.push((name.to_owned(), shape.to_vec()));
            Random(2).get(name, shape)
        }
    }
    let mut listed = Listed(Vec::new());
    FloatModel::load(&mut listed, config).unwrap();
    listed.0.retain(|(name, _)| name != "output.weight");
    listed.0
}

fn plain() -> Config {
    let mut config = tiny::config(Family::Llama);
    config.rope.scaling = opml_ops::language::Scaling::None;
    config.rope.base = 10_000.0;
    config
}

fn file() -> Vec<u8> {
    let config = plain();
    let tensors = tensors(&config);
    let mut w = Writer(b"GGUF".to_vec());
    w.u32(3);
    w.u64(tensors.len() as u64);
    w.u64(12);
    w.word("general.architecture", "llama");
    w.number("llama.block_count", 2);
    w.number("llama.embedding_length", 64);
    w.number("llama.attention.head_count", 4);
    w.number("llama.attention.head_count_kv", 2);
    w.number("llama.feed_forward_length", 96);
    w.number("llama.context_length", 24);
    w.text("llama.attention.layer_norm_rms_epsilon");
    w.u32(6);
    w.0.extend(1e-5f32.to_le_bytes());
    w.word("tokenizer.ggml.model", "gpt2");
    w.words("tokenizer.ggml.tokens", &["a", "b", "ab", "<|im_end|>"]);
    w.words("tokenizer.ggml.merges", &["a b"]);
    w.number("tokenizer.ggml.eos_token_id", 3);
    let mut data = Vec::new();
    for (name, shape) in &tensors {
        w.text(name);
        w.u32(shape.len() as u32);
        shape.iter().rev().for_each(|&extent| w.u64(extent as u64));
        w.u32(0);
        w.u64(data.len() as u64);
        for value in Random(2).get(name, shape).unwrap().unwrap() {
            data.extend(value.to_le_bytes());
        }
        data.resize(data.len().next_multiple_of(32), 0);
    }
    w.0.resize(w.0.len().next_multiple_of(32), 0);
    w.0.extend(data);
    w.0
}

fn open(bytes: Vec<u8>) -> Result<Gguf<Cursor<Vec<u8>>>, GgufError> {
    Gguf::open(Cursor::new(bytes))
}

#[test]
fn a_file_is_the_model_that_was_written() {
    let mut file = open(file()).unwrap();
    assert_eq!(file.value("general.architecture"), Some(&Value::Text("llama".to_owned())));
    let config = gguf_config(&mut file).unwrap();
    assert_eq!(config, Config { attention_scale: 0.25, epsilon: f64::from(1e-5f32), ..plain() });
    let (read, written) =
        (FloatModel::load(&mut file, &config).unwrap(), FloatModel::load(&mut Random(2), &config).unwrap());
    let logits = |model: &FloatModel| model.logits(&[1, 2, 3], &mut Default::default(), &mut |_, _| ()).unwrap();
    assert_eq!(logits(&read), logits(&written));
    let tokenizer = Tokenizer::from_gguf(&file).unwrap();
    assert_eq!((tokenizer.encode("abb", true), tokenizer.ends()), (vec![2, 1], &[3][..]));
}

#[test]
fn every_shorter_file_is_refused() {
    let whole = file();
    let header =
        whole.len() - 4 * tensors(&plain()).iter().map(|(_, shape)| shape.iter().product::<usize>()).sum::<usize>();
    for length in (0..header.min(whole.len())).chain([whole.len() - 1]) {
        assert!(open(whole[..length].to_vec()).is_err(), "{length} bytes");
    }
}

#[test]
fn damaged_files_do_no_harm() {
    let whole = file();
    let mut rng = Rng::new(4);
    for _ in 0..3000 {
        let mut bytes = whole.clone();
        for _ in 0..=rng.below(3) {
            let place = usize::try_from(rng.below(1400)).unwrap();
            bytes[place] = match rng.below(3) {
                0 => 0xff,
                1 => 0,
                _ => u8::try_from(rng.below(256)).unwrap(),
            };
        }
        let Ok(mut file) = open(bytes) else { continue };
        let _ = Tokenizer::from_gguf(&file);
        if let Ok(config) = gguf_config(&mut file)
            && config.layers <= 2
        {
            let _ = FloatModel::load(&mut file, &config);
        }
    }
}

#[test]
fn errors_name_the_place() {
    let start = |version: u32, tensors: u64, values: u64| {
        let mut w = Writer(b"GGUF".to_vec());
        w.u32(version);
        w.u64(tensors);
        w.u64(values);
        w
    };
    let fails = |w: Writer| open(w.0).unwrap_err();
    assert_eq!(fails(Writer(b"GGML\x03\0\0\0".to_vec())), GgufError::Magic);
    assert_eq!(fails(start(1, 0, 0)), GgufError::Version(1));
    assert_eq!(
        fails(start(3, 1 << 60, 0)),
        GgufError::Count { place: "the number of tensors".to_owned(), value: 1 << 60 }
    );
    let mut w = start(3, 0, 1);
    w.text("key");
    w.u32(13);
    assert_eq!(fails(w), GgufError::ValueType { key: "key".to_owned(), code: 13 });
    let mut w = start(3, 0, 1);
    w.text("key");
    for _ in 0..6 {
        w.u32(9);
        if w.0.len() > 50 {
            w.u64(1);
        }
    }
    assert!(open(w.0).is_err());
    let tensor = |code: u32, extent: u64, offset: u64| {
        let mut w = start(3, 1, 0);
        w.text("x");
        w.u32(1);
        w.u64(extent);
        w.u32(code);
        w.u64(offset);
        w
    };
    assert_eq!(fails(tensor(99, 1, 0)), GgufError::Type { name: "x".to_owned(), code: 99 });
    let shape = |why| GgufError::Shape { name: "x".to_owned(), why };
    assert_eq!(fails(tensor(TensorType::Q4_0.code(), 33, 0)), shape("has rows that are no whole number of blocks"));
    assert_eq!(fails(tensor(0, 1, u64::MAX)), shape("lies outside of the file"));
    assert_eq!(fails(tensor(0, 1 << 40, 0)), shape("lies outside of the file"));
}

#[test]
fn other_architectures_are_refused() {
    let mut bytes = file();
    let place = bytes.windows(5).position(|window| window == b"llama").unwrap();
    bytes[place] = b'x';
    let mut file = open(bytes).unwrap();
    let error = gguf_config(&mut file).unwrap_err();
    assert!(matches!(&error, LanguageError::Value { value, .. } if value == "xlama"), "{error}");
}
