//! The largest elements along an axis, in order.

use opml_vm::{DType, Reducer};

use super::{
    Builder, Draft, Index, LowerError, Operand, Part, Reg, Requant, Scale, View, concat, pointwise, scan::Line,
};

/// Up to this many are found one after another.
const CHAIN: i64 = 32;
/// Above this extent they always are: ranks take its square.
const RANKS: i64 = 4096;
/// Most parts of a concatenation.
const PARTS: usize = 16;

/// The `k` first elements in order, where they lie in the program.
#[derive(Debug, Clone)]
pub enum Top {
    /// `element · 2^bits + n − 1 − index` for each, with elements negated for the smallest.
    Keys {
        /// Keys, the axis has extent `k`.
        keys: View,
        /// Bits of the index.
        bits: i64,
        /// Extent of the operand's axis.
        n: i64,
        /// Whether the largest.
        largest: bool,
    },
    /// How many elements come before each element.
    Ranks {
        /// The operand, row-major.
        x: View,
        /// Ranks, as `x`.
        ranks: View,
        /// The axis.
        axis: usize,
        /// How many are wanted.
        k: i64,
    },
}

/// Finds the `k` largest or smallest elements; of equal ones the first comes first.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn top_k(builder: &mut Builder, x: &View, axis: usize, k: i64, largest: bool) -> Result<Top, LowerError> {
    let line = Line::new(builder, x, axis)?;
    // Keys of 64-bit numbers would not fit.
    if x.stored.dtype == DType::I64 || (k > CHAIN && line.n <= RANKS) {
        let ranks = ranks(builder, &line, x, largest)?;
        return Ok(Top::Ranks { x: line.view, ranks, axis, k });
    }
    let bits = i64::from(64 - (line.n - 1).max(1).leading_zeros());
    let mut shape = x.shape();
    shape[axis] = 1;
    let mut found: Vec<View> = Vec::new();
    for _ in 0..k {
        let mut draft = Draft::new(DType::I64, Reducer::Max);
        let outer = draft.output(line.outer);
        let inner = draft.output(line.inner);
        let place = draft.reduce(line.n);
        let value = line.at(&mut draft, (outer, inner), place.into(), 0);
        let value = if largest { draft.shl(value, bits) } else { draft.mul(value, -(1i64 << bits)) };
        let order = draft.sub(line.n - 1, place);
        let mut key = draft.add(value, order);
        if let Some(previous) = found.last() {
            let before = draft.load_at(previous, &[(outer, line.outer, line.inner), (inner, line.inner, 1)]);
            let left = draft.less(key, before);
            key = draft.select(left, key, i64::MIN);
        }
        draft.yields(key);
        found.push(View::contiguous(builder.push(draft)?, &shape));
    }
    Ok(Top::Keys { keys: joined(builder, found, axis)?, bits, n: line.n, largest })
}

/// Views one after another along an axis.
fn joined(builder: &mut Builder, mut views: Vec<View>, axis: usize) -> Result<View, LowerError> {
    let requant = as_is(DType::I64);
    while views.len() > 1 {
        let mut groups = Vec::new();
        for group in views.chunks(PARTS) {
            let part = |view: &View| Part { view: view.clone(), zero_point: 0, multiplier: None };
            let parts: Vec<Part> = group.iter().map(part).collect();
            groups.push(concat(builder, &parts, axis, &requant)?);
        }
        views = groups;
    }
    views.pop().ok_or(LowerError::Layout("the 0 largest elements"))
}

fn as_is(dtype: DType) -> Requant {
    Requant {
        dtype,
        scale: Scale { multipliers: vec![], shift: 0 },
        zero_point: 0,
        low: dtype.min(),
        high: dtype.max(),
    }
}

/// Number of elements that come before each one.
fn ranks(builder: &mut Builder, line: &Line, x: &View, largest: bool) -> Result<View, LowerError> {
    let mut draft = Draft::new(DType::I32, Reducer::Sum);
    let outer = draft.output(line.outer);
    let place = draft.output(line.n);
    let inner = draft.output(line.inner);
    let other = draft.reduce(line.n);
    let own = line.at(&mut draft, (outer, inner), place.into(), 0);
    let rival = line.at(&mut draft, (outer, inner), other.into(), 0);
    let above = if largest { draft.less(own, rival) } else { draft.less(rival, own) };
    let equal = draft.equal(own, rival);
    let earlier = draft.less(other, place);
    let tie = draft.and(equal, earlier);
    draft.or(above, tie);
    Ok(View::contiguous(builder.push(draft)?, &x.shape()))
}

impl Top {
    /// The elements, or their indices.
    ///
    /// # Errors
    /// See [`top_k`].
    pub fn read(&self, builder: &mut Builder, dtype: DType, indices: bool) -> Result<View, LowerError> {
        match self {
            Self::Keys { keys, bits, n, largest } => {
                let operand = [Operand::View(keys.clone())];
                pointwise(builder, &operand, &keys.shape(), dtype, |draft, args| {
                    if indices {
                        let order = draft.and(args[0], (1i64 << bits) - 1);
                        return draft.sub(n - 1, order);
                    }
                    let value = draft.shr(args[0], *bits);
                    if *largest { value } else { draft.sub(0, value) }
                })
            }
            Self::Ranks { x, ranks, axis, k } => {
                let line = Line::new(builder, x, *axis)?;
                let ranks = Line::new(builder, ranks, *axis)?;
                let mut draft = Draft::new(dtype, Reducer::Sum);
                let outer = draft.output(line.outer);
                let wanted = draft.output(*k);
                let inner = draft.output(line.inner);
                let place = draft.reduce(line.n);
                let rank = ranks.at(&mut draft, (outer, inner), place.into(), 0);
                let hit = draft.equal(rank, wanted);
                let value: Reg = if indices {
                    draft.add(place, 0)
                } else {
                    line.at(&mut draft, (outer, inner), Index::from(place), 0)
                };
                draft.select(hit, value, 0);
                let mut shape = x.shape();
                shape[*axis] = *k;
                Ok(View::contiguous(builder.push(draft)?, &shape))
            }
        }
    }
}
