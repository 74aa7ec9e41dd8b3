//! A conversation as one text, by the template that a model file has for it.

use anyhow::{Context, Result};
use minijinja::{Environment, Error, ErrorKind, Value, context, syntax::SyntaxConfig};
use opml_ops::language::Tokenizer;

/// Steps that a template may take: it comes from a file that may be hostile.
const FUEL: u64 = 1 << 20;

/// What somebody said.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    role: &'static str,
    content: String,
}

impl Turn {
    pub(super) fn new(role: &'static str, content: &str) -> Self {
        Self { role, content: content.trim().to_owned() }
    }
}

/// The text that the model is to go on with.
pub(super) fn render(tokenizer: &Tokenizer, turns: &[Turn]) -> Result<String> {
    let source =
        tokenizer.template().context("the model file has no chat template: `opml generate` goes on with a text")?;
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.context("the chat template")?);
    environment.add_function("raise_exception", |why: String| -> Result<String, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, why))
    });
    environment.set_unknown_method_callback(|_, value, method, _| {
        let text = value.as_str().unwrap_or_default();
        match method {
            "strip" => Ok(text.trim().into()),
            "lstrip" => Ok(text.trim_start().into()),
            "rstrip" => Ok(text.trim_end().into()),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    });
    environment.add_template("chat", source).context("the chat template")?;
    let template = environment.get_template("chat").context("the chat template")?;
    let said: Vec<Value> =
        turns.iter().map(|turn| context! { role => turn.role, content => turn.content.as_str() }).collect();
    let values = context! {
        messages => Value::from(said),
        add_generation_prompt => true,
        // The tokenizer sets the first token.
        bos_token => "",
        eos_token => tokenizer.ends().first().and_then(|&end| tokenizer.token(end)).unwrap_or_default(),
    };
    template.render(values).context("the chat template")
}
