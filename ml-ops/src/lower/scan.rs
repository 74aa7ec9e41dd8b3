//! Running sums, by doubling distances.

use opml_vm::{DType, Reducer};

use super::{Builder, Draft, Index, LowerError, Reg, Requant, View, copy};

/// A row-major tensor around one axis: `[outer, n, inner]`.
pub(super) struct Line {
    pub(super) view: View,
    pub(super) outer: i64,
    pub(super) n: i64,
    pub(super) inner: i64,
}

impl Line {
    pub(super) fn new(builder: &mut Builder, x: &View, axis: usize) -> Result<Self, LowerError> {
        let shape = x.shape();
        let view = if x.is_contiguous() { x.clone() } else { copy(builder, x)? };
        let (outer, inner) = (shape[..axis].iter().product(), shape[axis + 1..].iter().product());
        Ok(Self { view, outer, n: shape[axis], inner })
    }

    /// Reads the element at an index along the axis; outside of it `pad`.
    pub(super) fn at(&self, draft: &mut Draft, (outer, inner): (Reg, Reg), index: Index, pad: i64) -> Reg {
        let axes = vec![(self.outer, outer.into()), (self.n, index), (self.inner, inner.into())];
        draft.load(self.view.stored.clone(), pad, axes)
    }
}

/// How sums run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// Whether the element itself is left out.
    pub exclusive: bool,
    /// Whether sums run from the end.
    pub reverse: bool,
    /// Stored number that means 0.
    pub zero_point: i64,
    /// Type of sums.
    pub sums: DType,
}

/// Sums up to each index along an axis: `⌈log2 n⌉` instructions, at least one. Without multipliers in `requant` the sums
/// are stored as they are.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn cum_sum(
    builder: &mut Builder,
    x: &View,
    axis: usize,
    scan: Scan,
    requant: &Requant,
) -> Result<View, LowerError> {
    let shape = x.shape();
    let mut line = Line::new(builder, x, axis)?;
    let mut distance = 1;
    let mut first = true;
    loop {
        let last = distance * 2 >= line.n;
        let mut draft = Draft::new(if last { requant.dtype } else { scan.sums }, Reducer::Sum);
        let outer = draft.output(line.outer);
        let place = draft.output(line.n);
        let inner = draft.output(line.inner);
        let skipped = i64::from(first && scan.exclusive);
        let read = |draft: &mut Draft, back: i64| {
            let index = Index::from(place) + if scan.reverse { back } else { -back };
            let zero = if first { scan.zero_point } else { 0 };
            let value = line.at(draft, (outer, inner), index, zero);
            if zero == 0 { value } else { draft.sub(value, zero) }
        };
        let mut value = read(&mut draft, skipped);
        if line.n > 1 {
            let other = read(&mut draft, skipped + distance);
            value = draft.add(value, other);
        }
        if last {
            if let Some(&factor) = requant.scale.multipliers.first() {
                value = draft.mulshr(value, factor, requant.scale.shift);
            }
            value = requant.place(&mut draft, value);
        }
        draft.yields(value);
        line.view = View::contiguous(builder.push(draft)?, &shape);
        if last {
            return Ok(line.view);
        }
        distance *= 2;
        first = false;
    }
}
