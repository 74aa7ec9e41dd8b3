//! `tokenizer.json`, and the chat template of `tokenizer_config.json`.

use serde_json::Value;

use super::json::{Object, parse};
use crate::{
    language::{
        LanguageError, Tokenizer,
        tokenizer::{Parts, Vocabulary},
    },
    num,
};

/// Most tokens: ids are places in a list.
const MOST: usize = 1 << 22;

/// Reads a tokenizer; `settings` is `tokenizer_config.json`, `ends` are tokens that the model says end a text.
///
/// # Errors
/// A file is damaged, or of a kind that is not supported.
pub fn tokenizer(bytes: &[u8], settings: Option<&[u8]>, ends: &[u32]) -> Result<Tokenizer, LanguageError> {
    let whole = parse("tokenizer.json", bytes)?;
    let file = Object { file: "tokenizer.json", value: &whole };
    let model = file.object("model").ok_or_else(|| file.missing("model", "an object"))?;
    match model.text("type") {
        Some("BPE") | None => {}
        Some(other) => return Err(model.bad("model.type", other, "BPE is supported")),
    }
    let (tokens, added) = tokens(&file, &model)?;
    let merges = merges(&model)?;
    let cutting = file.get("pre_tokenizer").map(Value::to_string).unwrap_or_default();
    let vocabulary = if cutting.contains("\"ByteLevel\"") {
        Vocabulary::Pairs { merges, cut: cut(&cutting) }
    } else {
        let prefix = file.get("normalizer").is_some_and(|rules| rules.to_string().contains("\"Prepend\""));
        Vocabulary::Pieces { scores: scores(&tokens, &merges), prefix }
    };
    let settings = settings.map(|bytes| parse("tokenizer_config.json", bytes)).transpose()?;
    let settings = settings.as_ref().map(|value| Object { file: "tokenizer_config.json", value });
    Tokenizer::from_parts(Parts {
        begin: begin(&file, settings.as_ref()).and_then(|name| place(&tokens, &name)),
        tokens,
        special: added,
        vocabulary,
        ends: ends.to_vec(),
        template: settings.and_then(|settings| settings.text("chat_template")).map(str::to_owned),
    })
}

fn place(tokens: &[String], name: &str) -> Option<u32> {
    tokens.iter().position(|token| token == name).and_then(|place| u32::try_from(place).ok())
}

/// Tokens that texts hold as such; whether they are control tokens.
type Special = Vec<(u32, bool)>;

/// All tokens by their ids, and the special ones.
fn tokens(file: &Object<'_>, model: &Object<'_>) -> Result<(Vec<String>, Special), LanguageError> {
    let vocabulary = model.get("vocab").and_then(Value::as_object);
    let vocabulary = vocabulary.ok_or_else(|| model.missing("model.vocab", "an object"))?;
    let known = vocabulary.iter().map(|(token, id)| (token.as_str(), id, None));
    let added = file.list("added_tokens").unwrap_or(&[]).iter().map(|entry| {
        let special = entry.get("special").and_then(Value::as_bool).unwrap_or(false);
        (
            entry.get("content").and_then(Value::as_str).unwrap_or_default(),
            entry.get("id").unwrap_or(&Value::Null),
            Some(special),
        )
    });
    let (mut tokens, mut specials) = (Vec::new(), Vec::new());
    for (token, id, special) in known.chain(added) {
        let id = id.as_u64().map(num::size).filter(|&id| id < MOST);
        let id = id.ok_or_else(|| file.bad("the id of a token", token, "ids are numbers below 2^22"))?;
        if tokens.len() <= id {
            tokens.resize(id + 1, String::new());
        }
        if let Some(place) = tokens.get_mut(id) {
            token.clone_into(place);
        }
        specials.extend(special.and_then(|special| Some((u32::try_from(id).ok()?, special))));
    }
    Ok((tokens, specials))
}

/// Both sides of each merge with a space between.
fn merges(model: &Object<'_>) -> Result<Vec<String>, LanguageError> {
    let fault = || model.missing("model.merges", "a list of pairs");
    let one = |merge: &Value| match merge {
        Value::String(merge) => Ok(merge.clone()),
        Value::Array(sides) => match sides.as_slice() {
            [Value::String(a), Value::String(b)] => Ok(format!("{a} {b}")),
            _ => Err(fault()),
        },
        _ => Err(fault()),
    };
    model.list("merges").ok_or_else(fault)?.iter().map(one).collect()
}

/// A piece that an earlier merge makes has a higher score.
fn scores(tokens: &[String], merges: &[String]) -> Vec<f64> {
    let mut ranks = std::collections::BTreeMap::new();
    for (merge, rank) in merges.iter().zip(0i64..) {
        ranks.entry(merge.replacen(' ', "", 1)).or_insert(rank);
    }
    let last = num::signed(merges.len());
    tokens.iter().map(|token| -num::real(ranks.get(token).copied().unwrap_or(last))).collect()
}

/// The name that GGUF files have for the way texts are cut, told from the expressions.
fn cut(rules: &str) -> &'static str {
    if rules.contains("\\\\p{N}{1,3}") {
        "llama-bpe"
    } else if rules.contains("\"Split\"") {
        "qwen2"
    } else if rules.contains("\"Digits\"") {
        "smollm"
    } else {
        "gpt-2"
    }
}

/// The token that texts begin with, if they do.
fn begin(file: &Object<'_>, settings: Option<&Object<'_>>) -> Option<String> {
    let named = settings.and_then(|settings| {
        let token = settings.get("bos_token")?;
        token.as_str().or_else(|| token.get("content")?.as_str()).map(str::to_owned)
    });
    match settings.and_then(|settings| settings.truth("add_bos_token")) {
        Some(true) => named,
        Some(false) => None,
        // Else the rules for whole texts say so.
        None => named.filter(|name| {
            let rules = file.get("post_processor").map(Value::to_string).unwrap_or_default();
            rules.contains("TemplateProcessing") && rules.contains(&Value::from(name.as_str()).to_string())
        }),
    }
}
