//! Texts as tokens and back, by the vocabulary of a model file.
//!
//! Two kinds: byte pairs in the order of a list of merges, after the text was cut by regular expressions (GPT-2); and
//! pieces joined by their scores, with single bytes for what no piece spells (SentencePiece).

mod merge;
mod pretokens;

use std::{
    collections::BTreeMap,
    io::{Read, Seek},
};

use super::LanguageError;
use crate::{
    gguf::{Gguf, Value},
    num,
};
use pretokens::Pretokens;

/// Types of tokens in model files.
const UNKNOWN: i64 = 2;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
const BYTE: i64 = 6;

/// A vocabulary with its rules.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    tokens: Vec<String>,
    kinds: Vec<i64>,
    ids: BTreeMap<String, u32>,
    rules: Rules,
    /// Tokens that are found in a text before anything else, longest first.
    special: Vec<(String, u32)>,
    /// First token of every text.
    begin: Option<u32>,
    /// Tokens that end a text.
    ends: Vec<u32>,
    template: Option<String>,
}

#[derive(Debug, Clone)]
enum Rules {
    /// Ranks of merges, by both sides with a space between.
    Pairs { ranks: BTreeMap<String, i64>, pretokens: Pretokens },
    /// Scores of pieces, and whether a text begins with a space.
    Pieces { scores: Vec<f64>, prefix: bool },
}

/// What a tokenizer is made of.
pub(super) struct Parts {
    /// Tokens by their ids.
    pub(super) tokens: Vec<String>,
    /// Tokens that texts hold as such; whether they are control tokens.
    pub(super) special: Vec<(u32, bool)>,
    pub(super) vocabulary: Vocabulary,
    /// First token of every text.
    pub(super) begin: Option<u32>,
    /// Tokens that end a text.
    pub(super) ends: Vec<u32>,
    pub(super) template: Option<String>,
}

/// How letters become tokens.
pub(super) enum Vocabulary {
    /// Merges in their order, and the name of the way texts are cut.
    Pairs { merges: Vec<String>, cut: &'static str },
    /// Scores of pieces, and whether a text begins with a space.
    Pieces { scores: Vec<f64>, prefix: bool },
}

fn missing(key: &str, expected: &'static str) -> LanguageError {
    LanguageError::Missing { key: key.to_owned(), expected }
}

fn texts<R: Read + Seek>(file: &Gguf<R>, key: &str) -> Result<Vec<String>, LanguageError> {
    let list = file.value(key).and_then(Value::list).ok_or_else(|| missing(key, "a list of strings"))?;
    let text = |value: &Value| value.text().map(str::to_owned).ok_or_else(|| missing(key, "a list of strings"));
    list.iter().map(text).collect()
}

impl Tokenizer {
    /// Reads the tokenizer of a GGUF file.
    ///
    /// # Errors
    /// A part of it is missing, or of a kind that is not supported.
    pub fn from_gguf<R: Read + Seek>(file: &Gguf<R>) -> Result<Self, LanguageError> {
        let tokens = texts(file, "tokenizer.ggml.tokens")?;
        let mut kinds: Vec<i64> = match file.value("tokenizer.ggml.token_type").and_then(Value::list) {
            Some(list) => list.iter().map(|value| value.signed().unwrap_or(1)).collect(),
            None => Vec::new(),
        };
        kinds.resize(tokens.len(), 1);
        let truth = |key: &str| file.value(key).and_then(Value::truth);
        let rules = match file.value("tokenizer.ggml.model").and_then(Value::text) {
            Some("gpt2") => {
                let merges = texts(file, "tokenizer.ggml.merges")?;
                let name = file.value("tokenizer.ggml.pre").and_then(Value::text).unwrap_or("default");
                Rules::Pairs { ranks: merges.into_iter().zip(0..).collect(), pretokens: Pretokens::named(name)? }
            }
            Some("llama") => {
                let key = "tokenizer.ggml.scores";
                let list = file.value(key).and_then(Value::list).ok_or_else(|| missing(key, "a list of numbers"))?;
                let mut scores: Vec<f64> = list.iter().map(|value| value.real().unwrap_or(0.0)).collect();
                scores.resize(tokens.len(), 0.0);
                Rules::Pieces { scores, prefix: truth("tokenizer.ggml.add_space_prefix").unwrap_or(true) }
            }
            other => {
                return Err(LanguageError::Value {
                    key: "tokenizer.ggml.model".to_owned(),
                    value: other.unwrap_or("nothing").to_owned(),
                    why: "gpt2 and llama are supported".to_owned(),
                });
            }
        };
        let id = |key: &str| file.value(key).and_then(Value::unsigned).and_then(|id| u32::try_from(id).ok());
        let pieces = matches!(rules, Rules::Pieces { .. });
        let begin =
            id("tokenizer.ggml.bos_token_id").filter(|_| truth("tokenizer.ggml.add_bos_token").unwrap_or(pieces));
        let ends = ["eos", "eot", "eom"].map(|name| id(&format!("tokenizer.ggml.{name}_token_id")));
        let template = file.value("tokenizer.chat_template").and_then(Value::text).map(str::to_owned);
        let mut tokenizer = Self::new(tokens, kinds, rules);
        (tokenizer.begin, tokenizer.template) = (begin, template);
        tokenizer.end_with(ends.into_iter().flatten().collect());
        Ok(tokenizer)
    }

    /// Puts a tokenizer together.
    ///
    /// # Errors
    /// Texts are cut in a way that is not supported.
    pub(super) fn from_parts(parts: Parts) -> Result<Self, LanguageError> {
        let mut kinds = vec![1; parts.tokens.len()];
        let is_piece = matches!(parts.vocabulary, Vocabulary::Pieces { .. });
        for (token, kind) in parts.tokens.iter().zip(&mut kinds) {
            if is_piece && token.len() == 6 && token.starts_with("<0x") && token.ends_with('>') {
                *kind = BYTE;
            }
        }
        for (id, control) in parts.special {
            if let Some(kind) = kinds.get_mut(num::size(id.into())) {
                *kind = if control { CONTROL } else { USER_DEFINED };
            }
        }
        let rules = match parts.vocabulary {
            Vocabulary::Pairs { merges, cut } => {
                Rules::Pairs { ranks: merges.into_iter().zip(0..).collect(), pretokens: Pretokens::named(cut)? }
            }
            Vocabulary::Pieces { scores, prefix } => Rules::Pieces { scores, prefix },
        };
        let mut tokenizer = Self::new(parts.tokens, kinds, rules);
        (tokenizer.begin, tokenizer.template) = (parts.begin, parts.template);
        tokenizer.end_with(parts.ends);
        Ok(tokenizer)
    }

    /// Sets the tokens that end a text.
    fn end_with(&mut self, ends: Vec<u32>) {
        self.ends = ends;
        // Files that name one end may have another one that ends a turn.
        let turns = ["<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|endoftext|>"];
        self.ends.extend(turns.iter().filter_map(|turn| self.ids.get(*turn)));
        self.ends.sort_unstable();
        self.ends.dedup();
    }

    fn new(tokens: Vec<String>, kinds: Vec<i64>, rules: Rules) -> Self {
        let mut ids = BTreeMap::new();
        for (token, id) in tokens.iter().zip(0..) {
            ids.entry(token.clone()).or_insert(id);
        }
        let is_special = |kind: i64| matches!(kind, UNKNOWN | CONTROL | USER_DEFINED);
        let mut special: Vec<(String, u32)> = tokens
            .iter()
            .zip(0..)
            .zip(&kinds)
            .filter(|((token, _), kind)| is_special(**kind) && !token.is_empty())
            .map(|((token, id), _)| (token.clone(), id))
            .collect();
        special.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then(a.1.cmp(&b.1)));
        Self { tokens, kinds, ids, rules, special, begin: None, ends: Vec::new(), template: None }
    }

    /// Number of tokens.
    pub const fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Tokens that end a text.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The model's chat template, as the file has it (Jinja).
    pub fn template(&self) -> Option<&str> {
        self.template.as_deref()
    }

    /// The token of exactly these characters.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    /// A token's characters, as the file has them.
    pub fn token(&self, id: u32) -> Option<&str> {
        self.tokens.get(num::size(id.into())).map(String::as_str)
    }

    /// The tokens of a text; special tokens in it count as such. With `begin`, the token that begins a text comes first if
    /// the model wants one.
    pub fn encode(&self, text: &str, begin: bool) -> Vec<u32> {
        let mut out: Vec<u32> = self.begin.filter(|_| begin).into_iter().collect();
        let mut rest = text;
        let mut first = true;
        while !rest.is_empty() {
            let found =
                self.special.iter().filter_map(|(token, id)| Some((rest.find(token.as_str())?, token.len(), *id)));
            let found = found.min_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
            let (start, length) = found.map_or((rest.len(), 0), |(start, length, _)| (start, length));
            let (plain, _) = rest.split_at(start);
            if !plain.is_empty() {
                self.plain(plain, first, &mut out);
            }
            out.extend(found.map(|(_, _, id)| id));
            first = false;
            rest = rest.get(start + length..).unwrap_or("");
        }
        out
    }

    /// Text without special tokens.
    fn plain(&self, text: &str, first: bool, out: &mut Vec<u32>) {
        match &self.rules {
            Rules::Pairs { ranks, pretokens } => {
                for part in pretokens.split(text) {
                    let spelled: String = part.bytes().map(pretokens::letter).collect();
                    let rank = |a: &str, b: &str| ranks.get(&format!("{a} {b}")).map(|rank| -rank);
                    let pieces = merge::merge(&spelled, rank);
                    out.extend(pieces.iter().filter_map(|piece| self.id(piece)));
                }
            }
            Rules::Pieces { scores, prefix } => {
                let spaced = if *prefix && first { format!(" {text}") } else { text.to_owned() };
                let spelled = spaced.replace(' ', "\u{2581}");
                let score = |a: &str, b: &str| {
                    let id = self.id(&format!("{a}{b}"))?;
                    Some(merge::order(scores.get(num::size(id.into())).copied().unwrap_or(0.0)))
                };
                for piece in merge::merge(&spelled, score) {
                    match self.id(piece) {
                        Some(id) => out.push(id),
                        None => out.extend(piece.bytes().filter_map(|byte| self.id(&format!("<0x{byte:02X}>")))),
                    }
                }
            }
        }
    }

    /// The bytes of a token; none of control tokens.
    pub fn bytes(&self, id: u32) -> Vec<u8> {
        let Some(token) = self.token(id) else { return Vec::new() };
        let kind = self.kinds.get(num::size(id.into())).copied().unwrap_or(1);
        match (&self.rules, kind) {
            (_, CONTROL | UNKNOWN) => Vec::new(),
            (_, USER_DEFINED) => token.as_bytes().to_vec(),
            (Rules::Pieces { .. }, BYTE) => {
                let byte = token.strip_prefix("<0x").and_then(|token| token.strip_suffix('>'));
                byte.and_then(|byte| u8::from_str_radix(byte, 16).ok()).into_iter().collect()
            }
            (Rules::Pieces { .. }, _) => token.replace('\u{2581}', " ").into_bytes(),
            (Rules::Pairs { .. }, _) => token.chars().filter_map(pretokens::byte).collect(),
        }
    }

    /// The text of some tokens; what is no UTF-8 is replaced.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| self.bytes(id)).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small vocabulary of byte pairs.
    fn pairs(name: &str) -> Tokenizer {
        let merges = ["Ġ t", "h e", "Ġt he", "a b", "ab c"];
        let mut tokens: Vec<String> = (0..=255u8).map(|byte| pretokens::letter(byte).to_string()).collect();
        tokens.extend(merges.iter().map(|merge| merge.replace(' ', "")));
        tokens.push("<|end|>".to_owned());
        let mut kinds = vec![1; tokens.len()];
        *kinds.last_mut().unwrap() = CONTROL;
        let ranks = merges.iter().map(|&merge| merge.to_owned()).zip(0..).collect();
        Tokenizer::new(tokens, kinds, Rules::Pairs { ranks, pretokens: Pretokens::named(name).unwrap() })
    }

    #[test]
    fn byte_pairs_merge_in_order() {
        let tokenizer = pairs("smollm");
        assert_eq!(tokenizer.encode("the the", true), [u32::from(b't'), 257, 258]);
        assert_eq!(tokenizer.encode("abcab<|end|>ab", true), [260, 259, 261, 259]);
        assert_eq!(tokenizer.decode(&[258, 261, 260]), " theabc");
    }

    #[test]
    fn every_text_comes_back() {
        for name in ["default", "smollm", "qwen2", "llama-bpe"] {
            let tokenizer = pairs(name);
            for text in ["", "a", "  two  spaces\n\n", "naïve façade — 日本語 🙂 12345", "don't I'LL\t\r\n x"]
            {
                assert_eq!(tokenizer.decode(&tokenizer.encode(text, true)), text, "{name}");
            }
        }
    }

    #[test]
    fn pieces_join_by_score() {
        let mut tokens: Vec<String> = (0..=255u8).map(|byte| format!("<0x{byte:02X}>")).collect();
        let mut kinds = vec![BYTE; 256];
        let words = ["\u{2581}", "a", "b", "ab", "\u{2581}a", "aba"];
        let scores = [0.0, -9.0, -9.0, -1.0, -2.0, -3.0];
        tokens.extend(words.map(str::to_owned));
        kinds.resize(tokens.len(), 1);
        let scores = std::iter::repeat_n(0.0, 256).chain(scores).collect();
        let tokenizer = Tokenizer::new(tokens, kinds, Rules::Pieces { scores, prefix: true });
        // "▁aba": "ab" first, then "aba", and the space stays alone.
        assert_eq!(tokenizer.encode("aba", false), [256, 261]);
        assert_eq!(tokenizer.encode("é", false), [256, 0xc3, 0xa9]);
        assert_eq!(tokenizer.decode(&[256, 261, 0xc3, 0xa9]), " abaé");
    }
}
