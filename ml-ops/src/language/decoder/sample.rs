//! Drawing the next token by a seed.

use crate::lower::{Builder, LowerError, Stored};

use super::{Vector, token::Text};

/// The next token.
pub(super) fn sample(
    _builder: &mut Builder,
    _logits: &Vector,
    greedy: &Stored,
    _text: &Text,
) -> Result<Stored, LowerError> {
    Ok(greedy.clone())
}
