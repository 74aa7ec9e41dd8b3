//! Axis words of a windowed load: which bounds are checked, and which axes can share a word.

use super::{Digit, Index, LowerError};

/// Most terms of one axis word.
const TERMS: usize = opml_vm::isa::MAX_TERMS;

/// A stored axis under a window.
#[derive(Debug, Clone)]
pub(super) struct Covered {
    /// Extent and stride.
    pub(super) digit: Digit,
    /// Index along the axis.
    pub(super) index: Index,
    /// Whether the index never leaves the axis.
    pub(super) inside: bool,
}

/// The axis words of a load whose index along every stored axis is given.
///
/// An axis joins the word of the axes inside it if their indices never leave them: then the joint index is out of bounds
/// exactly where this axis' own is.
///
/// # Errors
/// The axes do not cover the stored tensor row-major.
pub(super) fn words(mut axes: Vec<Covered>, elements: i64) -> Result<Vec<(i64, Index)>, LowerError> {
    // Axes of one element stand anywhere; they only check bounds.
    let mut single: Vec<(i64, Index)> = Vec::new();
    axes.retain(|axis| {
        let one = axis.digit.extent == 1;
        if one && !(axis.inside || axis.index.is_empty()) {
            single.push((1, axis.index.clone()));
        }
        !one
    });
    axes.sort_by_key(|axis| std::cmp::Reverse(axis.digit.stride));
    let mut words: Vec<(i64, Index)> = Vec::new();
    let mut next = 1;
    let mut joinable = false;
    for Covered { digit, index, inside } in axes.into_iter().rev() {
        if digit.stride != next {
            return Err(LowerError::Layout("the window's axes do not cover the tensor"));
        }
        next = digit.stride * digit.extent;
        let joined = words
            .last()
            .filter(|_| joinable)
            .map(|(extent, inner)| (extent * digit.extent, index.clone() * *extent + inner.clone()));
        match (joined, words.last_mut()) {
            (Some(joined), Some(last)) if joined.1.len() <= TERMS => {
                *last = joined;
                joinable &= inside;
            }
            _ => {
                words.push((digit.extent, index));
                joinable = inside;
            }
        }
    }
    if next != elements {
        return Err(LowerError::Layout("the window's axes do not cover the tensor"));
    }
    words.extend(single);
    words.reverse();
    Ok(words)
}
