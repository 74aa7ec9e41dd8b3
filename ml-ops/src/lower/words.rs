//! Axis words of a windowed load: which bounds are checked, and which axes can share a word.

use super::{Digit, Index, LowerError, View};

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

/// The axis words of a load whose index along every axis of a view is given.
///
/// An axis joins the word of the axes inside it if their indices never leave them: then the joint index is out of bounds
/// exactly where this axis' own is. A view of a part of the stored tensor is addressed if the indices along the axes that
/// are cut never leave them.
///
/// # Errors
/// The axes are not a part of the stored tensor, row-major.
pub(super) fn words(mut axes: Vec<Covered>, x: &View) -> Result<Vec<(i64, Index)>, LowerError> {
    let fault = LowerError::Layout("the window's axes do not cover the tensor");
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
    let mut joinable = false;
    let mut next = 1;
    let mut rest = axes.into_iter().rev().peekable();
    if rest.peek().is_none_or(|first| first.digit.stride != 1) {
        // Something inside the fastest axis is fixed by the base.
        let unit = rest.peek().map_or(x.stored.elements, |first| first.digit.stride);
        if unit > 1 && x.stored.elements % unit == 0 {
            words.push((unit, Index::constant(x.base % unit)));
            (next, joinable) = (unit, true);
        }
    }
    while let Some(Covered { digit, index, inside }) = rest.next() {
        // The stored axis reaches to where the next one begins.
        let end = rest.peek().map_or(x.stored.elements, |outer| outer.digit.stride);
        if digit.stride != next || digit.stride <= 0 || end % digit.stride != 0 {
            return Err(fault);
        }
        let extent = end / digit.stride;
        let base = x.base / digit.stride % extent;
        if base + digit.extent > extent || (extent != digit.extent && !inside) {
            return Err(fault);
        }
        let index = index + base;
        next = end;
        let joined = words
            .last()
            .filter(|_| joinable)
            .map(|(inner, low)| (inner * extent, index.clone() * *inner + low.clone()));
        match (joined, words.last_mut()) {
            (Some(joined), Some(last)) if joined.1.len() <= TERMS => {
                *last = joined;
                joinable &= inside;
            }
            _ => {
                words.push((extent, index));
                joinable = inside;
            }
        }
    }
    if next != x.stored.elements {
        return Err(fault);
    }
    words.extend(single);
    words.reverse();
    Ok(words)
}
