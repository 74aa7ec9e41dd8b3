//! Values of a JSON file, with errors that name them.

use serde_json::Value;

use crate::{language::LanguageError, num};

/// A JSON object and the name of its file.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    pub(super) file: &'a str,
    pub(super) value: &'a Value,
}

/// Reads a file.
pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<Value, LanguageError> {
    serde_json::from_slice(bytes).map_err(|error| LanguageError::Json { file: file.to_owned(), why: error.to_string() })
}

impl<'a> Object<'a> {
    /// A value that is neither missing nor null.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.value.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn object(&self, key: &str) -> Option<Self> {
        self.get(key).filter(|value| value.is_object()).map(|value| Self { file: self.file, value })
    }

    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key).and_then(Value::as_str)
    }

    pub(super) fn truth(&self, key: &str) -> Option<bool> {
        self.get(key).and_then(Value::as_bool)
    }

    pub(super) fn list(&self, key: &str) -> Option<&'a [Value]> {
        self.get(key).and_then(Value::as_array).map(Vec::as_slice)
    }

    pub(super) fn size(&self, key: &str) -> Result<Option<usize>, LanguageError> {
        let number = |value: &Value| value.as_u64().map(num::size).ok_or_else(|| self.missing(key, "a number"));
        self.get(key).map(number).transpose()
    }

    pub(super) fn real(&self, key: &str) -> Result<Option<f64>, LanguageError> {
        let number = |value: &Value| value.as_f64().ok_or_else(|| self.missing(key, "a number"));
        self.get(key).map(number).transpose()
    }

    pub(super) fn needed_size(&self, key: &str) -> Result<usize, LanguageError> {
        self.size(key)?.ok_or_else(|| self.missing(key, "a number"))
    }

    pub(super) fn missing(&self, key: &str, expected: &'static str) -> LanguageError {
        LanguageError::Missing { key: format!("{}: {key}", self.file), expected }
    }

    pub(super) fn bad(&self, key: &str, value: &str, why: &str) -> LanguageError {
        LanguageError::Value { key: format!("{}: {key}", self.file), value: value.to_owned(), why: why.to_owned() }
    }
}
