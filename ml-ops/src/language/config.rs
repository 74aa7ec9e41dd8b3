//! What a language model is made of: one structure for all architectures that are read.

use super::LanguageError;
use crate::num;

/// The architectures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Llama, SmolLM and what is built like them.
    Llama,
    /// Biases of queries, keys and values.
    Qwen2,
    /// Norms of queries and keys.
    Qwen3,
    /// Norms before and after, windows, GELU.
    Gemma3,
}

impl Family {
    /// By the name that model files have for it.
    ///
    /// # Errors
    /// It is another one.
    pub fn named(key: &str, name: &str) -> Result<Self, LanguageError> {
        match name {
            "llama" => Ok(Self::Llama),
            "qwen2" => Ok(Self::Qwen2),
            "qwen3" => Ok(Self::Qwen3),
            "gemma3" | "gemma3_text" => Ok(Self::Gemma3),
            _ => Err(LanguageError::Value {
                key: key.to_owned(),
                value: name.to_owned(),
                why: "llama, qwen2, qwen3 and gemma3 are supported".to_owned(),
            }),
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Gemma3 => "gemma3",
        }
    }
}

/// Which elements of a head are turned together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// Elements `2i` and `2i + 1`.
    Neighbours,
    /// Elements `i` and `i + n/2`.
    Halves,
}

/// How the angles of positions are stretched beyond the context of the training.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    /// Not at all.
    None,
    /// All by one factor.
    Linear(f64),
    /// Each by its own factor.
    Factors(Vec<f64>),
    /// Long waves by a factor, short ones not, those between partly.
    Llama3 {
        /// Of long waves.
        factor: f64,
        /// Waves longer than `original / low` are long.
        low: f64,
        /// Waves shorter than `original / high` are short.
        high: f64,
        /// Context of the training.
        original: f64,
    },
    /// YaRN (Peng et al. 2023): pairs that turn seldom by a factor, those that turn often not, those between partly.
    Yarn {
        /// Of pairs that turn seldom.
        factor: f64,
        /// Pairs that turn more often in the original context stay.
        fast: f64,
        /// Pairs that turn less often in it are stretched.
        slow: f64,
        /// Context of the training.
        original: f64,
    },
}

impl Scaling {
    /// Factor of queries and of keys that goes with YaRN: `1 + ln(factor)/10`.
    pub(super) fn yarn_factor(factor: f64) -> f64 {
        if factor > 1.0 { 1.0 + 0.1 * libm::log(factor) } else { 1.0 }
    }
}

/// Rotary embedding of positions.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Base of the wave lengths.
    pub base: f64,
    /// Elements of a head that are turned, from the first on; the others stay.
    pub turned: usize,
    /// Which of them together.
    pub pairs: Pairs,
    /// Stretching.
    pub scaling: Scaling,
}

impl Rope {
    /// Radians a position, for each pair.
    pub fn frequencies(&self) -> Vec<f64> {
        let pairs = self.turned / 2;
        let width = num::real(num::signed(self.turned));
        let plain = |i: usize| libm::pow(self.base, -2.0 * num::real(num::signed(i)) / width);
        (0..pairs).map(|i| self.scaled(i, plain(i))).collect()
    }

    fn scaled(&self, pair: usize, frequency: f64) -> f64 {
        match &self.scaling {
            Scaling::None => frequency,
            Scaling::Linear(factor) => frequency / factor,
            Scaling::Factors(factors) => frequency / factors.get(pair).copied().unwrap_or(1.0),
            Scaling::Yarn { factor, fast, slow, original } => {
                let width = num::real(num::signed(self.turned));
                // The pair that turns so often in the original context.
                let turning = |times: f64| {
                    width * libm::log(original / (times * 2.0 * std::f64::consts::PI)) / (2.0 * libm::log(self.base))
                };
                let low = libm::floor(turning(*fast)).max(0.0);
                let high = libm::ceil(turning(*slow)).min(width - 1.0);
                let over = (num::real(num::signed(pair)) - low) / (high - low).max(0.001);
                let stretched = over.clamp(0.0, 1.0);
                frequency / factor * stretched + frequency * (1.0 - stretched)
            }
            Scaling::Llama3 { factor, low, high, original } => {
                let wave = 2.0 * std::f64::consts::PI / frequency;
                if wave < original / high {
                    frequency
                } else if wave > original / low {
                    frequency / factor
                } else {
                    let smooth = (original / wave - low) / (high - low);
                    (1.0 - smooth) * frequency / factor + smooth * frequency
                }
            }
        }
    }
}

/// Layers that see only the last positions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Positions seen, the own one included.
    pub length: usize,
    /// Every so many-th layer sees all positions.
    pub period: usize,
    /// Base of the wave lengths in layers with a window; these are not stretched.
    pub base: f64,
}

/// What stands in the gate of the feed-forward network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x / (1 + e^−x)`
    Silu,
    /// `x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`
    GeluTanh,
}

/// A language model without its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Architecture.
    pub family: Family,
    /// Layers.
    pub layers: usize,
    /// Elements of the residual stream.
    pub width: usize,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values, which divides `heads`.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_width: usize,
    /// Elements of the feed-forward network.
    pub feed_forward: usize,
    /// Tokens.
    pub vocabulary: usize,
    /// Positions.
    pub context: usize,
    /// Added to mean squares.
    pub epsilon: f64,
    /// Positions.
    pub rope: Rope,
    /// Windows, if there are any.
    pub window: Option<Window>,
    /// Queries and keys are normalised a head each.
    pub qk_norm: bool,
    /// Results of attention and feed-forward are normalised before they are added.
    pub post_norms: bool,
    /// Queries, keys and values have biases.
    pub biases: bool,
    /// Factor of scores.
    pub attention_scale: f64,
    /// Scores become `cap · tanh(score / cap)`.
    pub attention_cap: Option<f64>,
    /// Logits likewise.
    pub logit_cap: Option<f64>,
    /// Factor of embeddings.
    pub embedding_scale: f64,
    /// Gate.
    pub activation: Activation,
    /// Added to the weights of norms as the file has them.
    pub norm_offset: f32,
}

impl Config {
    /// Elements of all queries.
    pub const fn query_width(&self) -> usize {
        self.heads * self.head_width
    }

    /// Elements of all keys, or values.
    pub const fn kv_width(&self) -> usize {
        self.kv_heads * self.head_width
    }

    /// The window of a layer.
    pub fn window_of(&self, layer: usize) -> Option<Window> {
        self.window.filter(|window| layer % window.period != window.period - 1)
    }

    /// The positions of a layer.
    pub fn rope_of(&self, layer: usize) -> Rope {
        match self.window_of(layer) {
            Some(window) => Rope { base: window.base, scaling: Scaling::None, ..self.rope.clone() },
            None => self.rope.clone(),
        }
    }

    /// Checks that the numbers go together and are of a size that can be worked with.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(self) -> Result<Self, LanguageError> {
        let fault = |key: &str, value: String, why: &str| {
            Err(LanguageError::Value { key: key.to_owned(), value, why: why.to_owned() })
        };
        let sizes = [
            ("layers", self.layers, 1 << 10),
            ("width", self.width, 1 << 16),
            ("heads", self.heads, 1 << 10),
            ("key-value heads", self.kv_heads, 1 << 10),
            ("elements of a head", self.head_width, 1 << 12),
            ("feed-forward width", self.feed_forward, 1 << 20),
            ("vocabulary", self.vocabulary, 1 << 22),
            ("context", self.context, 1 << 24),
        ];
        for (key, value, limit) in sizes {
            if value == 0 || value > limit {
                return fault(key, value.to_string(), &format!("1 to {limit} are supported"));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return fault("key-value heads", self.kv_heads.to_string(), "must divide the number of heads");
        }
        if !self.rope.turned.is_multiple_of(2) || self.rope.turned > self.head_width || self.rope.turned == 0 {
            return fault("rope dimensions", self.rope.turned.to_string(), "an even number up to a head's width");
        }
        if self.window.is_some_and(|window| window.period == 0 || window.length == 0) {
            return fault("sliding window", "0".to_owned(), "must be positive");
        }
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let reals = [
            ("epsilon", self.epsilon),
            ("rope base", self.rope.base),
            ("attention scale", self.attention_scale),
            ("attention soft cap", self.attention_cap.unwrap_or(1.0)),
            ("logit soft cap", self.logit_cap.unwrap_or(1.0)),
        ];
        for (key, value) in reals {
            if !positive(value) {
                return fault(key, value.to_string(), "must be a positive number");
            }
        }
        Ok(self)
    }
}
