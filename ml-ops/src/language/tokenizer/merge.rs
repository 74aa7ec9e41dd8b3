//! Joins neighbours, best first: the work of both kinds of tokenizers.

use std::{cmp::Reverse, collections::BinaryHeap, ops::Range};

/// A float as an integer of the same order.
pub(super) fn order(x: f64) -> i64 {
    let bits = i64::from_le_bytes(x.to_le_bytes());
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

/// A pair that can be joined: how good that is, then the leftmost.
type Candidate = (i64, Reverse<usize>, Range<usize>, Range<usize>);

/// A heap's entry.
#[derive(PartialEq, Eq)]
struct Entry(Candidate);

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0.0, self.0.1).cmp(&(other.0.0, other.0.1))
    }
}

/// A piece between its neighbours; `None` once it was joined to the left one.
struct Piece {
    range: Option<Range<usize>>,
    left: Option<usize>,
    right: Option<usize>,
}

/// Cuts a text into its characters and joins neighbours as long as `worth` gives a number for a pair, the greatest first.
pub(super) fn merge(text: &str, worth: impl Fn(&str, &str) -> Option<i64>) -> Vec<&str> {
    let starts: Vec<usize> = text.char_indices().map(|(start, _)| start).collect();
    let ends = starts.iter().copied().skip(1).chain([text.len()]);
    let count = starts.len();
    let mut pieces: Vec<Piece> = starts
        .iter()
        .zip(ends)
        .enumerate()
        .map(|(number, (&start, end))| Piece {
            range: Some(start..end),
            left: number.checked_sub(1),
            right: (number + 1 < count).then_some(number + 1),
        })
        .collect();
    let mut heap = BinaryHeap::new();
    let candidate = |pieces: &[Piece], left: usize| -> Option<Entry> {
        let right = pieces.get(left)?.right?;
        let (a, b) = (pieces.get(left)?.range.clone()?, pieces.get(right)?.range.clone()?);
        let value = worth(text.get(a.clone())?, text.get(b.clone())?)?;
        Some(Entry((value, Reverse(left), a, b)))
    };
    heap.extend((0..count).filter_map(|left| candidate(&pieces, left)));
    while let Some(Entry((_, Reverse(left), a, b))) = heap.pop() {
        let Some(right) = pieces[left].right else { continue };
        // Either side may have been joined with another one meanwhile.
        if pieces[left].range.as_ref() != Some(&a) || pieces[right].range.as_ref() != Some(&b) {
            continue;
        }
        pieces[left].range = Some(a.start..b.end);
        pieces[right].range = None;
        let after = pieces[right].right;
        pieces[left].right = after;
        if let Some(after) = after {
            pieces[after].left = Some(left);
        }
        let before = pieces[left].left;
        heap.extend([Some(left), before].into_iter().flatten().filter_map(|left| candidate(&pieces, left)));
    }
    pieces.into_iter().filter_map(|piece| text.get(piece.range?)).collect()
}
