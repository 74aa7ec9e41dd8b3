//! Tiny models with random weights.

use opml_ops::language::{
    Activation, Config, Decoder, DecoderOptions, Family, LanguageError, Pairs, Ranges, Rope, Scaling, Weights, Window,
    decoder, float::FloatModel,
};
use opml_vm::testing::Rng;

/// Weights that follow from a seed and a tensor's name.
pub(super) struct Random(pub(super) u64);

impl Weights for Random {
    fn get(&mut self, name: &str, shape: &[usize]) -> Result<Option<Vec<f32>>, LanguageError> {
        if name == "output.weight" && self.0.is_multiple_of(2) {
            return Ok(None);
        }
        let seed = name.bytes().fold(self.0, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let mut rng = Rng::new(seed);
        let count: usize = shape.iter().product();
        let mut number = || f32::from(i16::try_from(rng.below(2001)).unwrap() - 1000) / 1000.0;
        let (scale, centre) = match name {
            _ if name.contains("norm") => (0.3, 1.0),
            _ if name.contains("bias") => (0.2, 0.0),
            _ if name.starts_with("token_embd") => (1.0, 0.0),
            _ => (0.35, 0.0),
        };
        Ok(Some((0..count).map(|_| number() * scale + centre).collect()))
    }
}

pub(super) fn config(family: Family) -> Config {
    let gemma = family == Family::Gemma3;
    Config {
        family,
        layers: if gemma { 3 } else { 2 },
        width: 64,
        heads: 4,
        kv_heads: 2,
        head_width: if family == Family::Qwen3 { 24 } else { 16 },
        feed_forward: 96,
        vocabulary: 80,
        context: 24,
        epsilon: 1e-5,
        rope: Rope {
            base: 1000.0,
            turned: if family == Family::Qwen3 { 24 } else { 16 },
            pairs: if family == Family::Llama { Pairs::Neighbours } else { Pairs::Halves },
            scaling: match family {
                Family::Llama => Scaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 16.0 },
                Family::Gemma3 => Scaling::Linear(8.0),
                Family::Qwen2 | Family::Qwen3 => Scaling::None,
            },
        },
        window: gemma.then_some(Window { length: 3, period: 3, base: 100.0 }),
        qk_norm: matches!(family, Family::Qwen3 | Family::Gemma3),
        post_norms: gemma,
        biases: family == Family::Qwen2,
        attention_scale: 0.25,
        attention_cap: gemma.then_some(5.0),
        logit_cap: gemma.then_some(8.0),
        embedding_scale: if gemma { 8.0 } else { 1.0 },
        activation: if gemma { Activation::GeluTanh } else { Activation::Silu },
        norm_offset: 0.0,
    }
}

pub(super) const FAMILIES: [Family; 4] = [Family::Llama, Family::Qwen2, Family::Qwen3, Family::Gemma3];
pub(super) const PROMPT: [u32; 5] = [3, 77, 12, 3, 50];

pub(super) fn floats(family: Family, seed: u64) -> FloatModel {
    FloatModel::load(&mut Random(seed), &config(family)).unwrap()
}

pub(super) fn program(family: Family, seed: u64, ends: &[u32], sampling: bool) -> Decoder {
    let model = floats(family, seed);
    let ranges = Ranges::measure(&model, &[1, 2, 3, 5, 8, 13, 21, 34, 55, 77, 12, 50]).unwrap();
    let options = DecoderOptions { context: 16, ends: ends.to_vec(), sampling };
    decoder(&mut Random(seed), &config(family), &ranges, &options).unwrap()
}
