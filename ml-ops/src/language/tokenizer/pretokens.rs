//! How a text is cut before byte pairs are merged, and the letters that stand for bytes.
//!
//! The expressions are those that models of these names were trained with, as llama.cpp lists them
//! (`llama-vocab.cpp`, by the metadata `tokenizer.ggml.pre`).

use fancy_regex::Regex;

use super::LanguageError;

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Expressions that cut a text one after the other: each match is a part, and so is what lies between.
#[derive(Debug, Clone)]
pub(super) struct Pretokens(Vec<Regex>);

impl Pretokens {
    /// By the name that the file has for them.
    pub(super) fn named(name: &str) -> Result<Self, LanguageError> {
        let expressions: &[&str] = match name {
            "default" | "gpt-2" => &[GPT2],
            "smollm" => &[r"\p{N}", GPT2],
            "qwen2" | "qwen3" => &[QWEN2],
            "llama3" | "llama-bpe" | "llama-v3" => &[LLAMA3],
            _ => {
                return Err(LanguageError::Value {
                    key: "tokenizer.ggml.pre".to_owned(),
                    value: name.to_owned(),
                    why: "default, gpt-2, smollm, qwen2 and llama-bpe are supported".to_owned(),
                });
            }
        };
        let compiled = expressions.iter().map(|expression| Regex::new(expression));
        let compiled = compiled.collect::<Result<_, _>>();
        compiled.map(Self).map_err(|error| LanguageError::Input(error.to_string()))
    }

    /// The parts of a text, all of it.
    pub(super) fn split<'a>(&self, text: &'a str) -> Vec<&'a str> {
        self.0
            .iter()
            .fold(vec![text], |parts, expression| parts.into_iter().flat_map(|part| cut(expression, part)).collect())
    }
}

fn cut<'a>(expression: &Regex, text: &'a str) -> Vec<&'a str> {
    let (mut parts, mut at) = (Vec::new(), 0);
    for found in expression.find_iter(text).filter_map(Result::ok) {
        parts.extend(text.get(at..found.start()).filter(|gap| !gap.is_empty()));
        parts.push(found.as_str());
        at = found.end();
    }
    parts.extend(text.get(at..).filter(|rest| !rest.is_empty()));
    parts
}

/// Whether a byte stands for itself.
const fn is_printable(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)
}

/// The letter of a byte: itself, or one from U+0100 on for the others in their order.
pub(super) fn letter(byte: u8) -> char {
    if is_printable(byte) {
        return char::from(byte);
    }
    let place = (0..byte).filter(|&other| !is_printable(other)).count();
    u32::try_from(place).ok().and_then(|place| char::from_u32(0x100 + place)).unwrap_or(' ')
}

/// The byte of a letter.
pub(super) fn byte(letter: char) -> Option<u8> {
    match u8::try_from(u32::from(letter)) {
        Ok(byte) if is_printable(byte) => Some(byte),
        _ => {
            let place = usize::try_from(u32::from(letter).checked_sub(0x100)?).ok()?;
            (0..=u8::MAX).filter(|&byte| !is_printable(byte)).nth(place)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_bytes() {
        assert_eq!(letter(b' '), 'Ġ');
        assert_eq!(letter(b'\n'), 'Ċ');
        assert!((0..=u8::MAX).all(|b| byte(letter(b)) == Some(b)));
        assert_eq!(byte('日'), None);
    }

    #[test]
    fn cuts() {
        let cut = |name: &str, text: &str| -> Vec<String> {
            Pretokens::named(name).unwrap().split(text).into_iter().map(str::to_owned).collect()
        };
        assert_eq!(cut("smollm", "It's  12 o'clock"), ["It", "'s", "  ", "1", "2", " o", "'", "clock"]);
        assert_eq!(cut("gpt-2", "a  12"), ["a", " ", " 12"]);
        assert_eq!(cut("llama-bpe", "x 12345\n\n"), ["x", " ", "123", "45", "\n\n"]);
        assert!(Pretokens::named("other").is_err());
    }
}
