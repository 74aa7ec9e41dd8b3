//! What follows a product: fixed-point arithmetic where `post` is recognised as such, else `post` itself.
//!
//! Recognised are chains `acc → + table → · table / 2^shift → + zero point → clamp`, in which any link may be missing
//! and tables are numbers or constants that follow the column. No link may leave i64, by the bounds of the sums. Before all of
//! that may come `acc → + table → · row / 2^shift`, with a number of each row that was computed before; these stay in i32.
//! A chain may also be the first part of `post` alone: then the rest goes on with its numbers, many rows at once.

mod chain;
mod tail;

use opml_vm::{DType, Instruction, Program, Tensor, tensor};

use super::{
    Frame,
    kernels::{Channels, Finish, Fixed, STRIP, low_half},
    lanes::{Numbers, Post, Workspace},
    load::{self, Extents, FIRST_K, Headers, LoadPlan, Place},
};
use crate::{num, tier::Tier};
use chain::RowLink;

/// Least and greatest sum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) low: i128,
    pub(super) high: i128,
}

/// A column's share of its sums, which the kernels leave out: `shift · total + offset`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) shift: i64,
    pub(super) offset: i64,
}

impl Share {
    fn of(self, total: i64) -> i64 {
        self.shift * total + self.offset
    }
}

/// What follows a product.
#[derive(Debug, Clone)]
pub(super) struct Epilogue {
    /// With the columns' share in its table if the column factor is a constant.
    fixed: Option<Fixed>,
    /// Where the scales of rows are: the tensor, and a position as a sum over output coordinates.
    scale: Option<RowPlace>,
    /// If these are only the first part of `post`: their type, and the rest.
    tail: Option<(DType, Post)>,
    post: Post,
    share: Share,
    columns: usize,
    /// Whether the column factor is a constant.
    constant: bool,
}

/// A number for each row.
#[derive(Debug, Clone)]
struct RowPlace {
    place: Place,
    dtype: DType,
    base: i64,
    /// Extents and coefficients of the output's axes, the last one first.
    axes: Vec<(usize, i64)>,
}

/// The product's instruction.
pub(super) struct Context<'a> {
    pub(super) program: &'a Program,
    pub(super) instruction: &'a Instruction,
    pub(super) extents: Extents,
    /// Extents of the axes that columns and blocks follow, 1 for the others.
    pub(super) own: Extents,
    pub(super) header: Headers<'a>,
    pub(super) columns: usize,
    /// First column axis.
    pub(super) split: usize,
    pub(super) tier: Tier,
}

impl Epilogue {
    /// `None` if a load of `post` cannot be planned.
    pub(super) fn new(context: &Context<'_>, bounds: Bounds, share: Share, totals: Option<&[i64]>) -> Option<Self> {
        let post = Post::new(context.instruction, &context.extents, context.header)?;
        let found = Found::whole(context, bounds).or_else(|| Found::in_parts(context, bounds));
        let (fixed, row, tail) = found.map_or((None, None, None), |found| (Some(found.fixed), found.row, found.tail));
        let scale = row.map(|row| RowPlace::new(&row.scale, &context.extents));
        let fixed = match totals {
            Some(totals) => fixed.map(|fixed| shared(&fixed, share, totals, context.columns)),
            None => fixed,
        };
        Some(Self { fixed, scale, tail, post, share, columns: context.columns, constant: totals.is_some() })
    }

    /// The epilogue of runs, with the totals of each one's columns, or one set for all.
    pub(super) fn over<'a>(
        &'a self,
        totals: Vec<&'a [i64]>,
        frames: &'a [Frame<'a>],
        instruction: (DType, &'a [i64], Extents),
    ) -> Over<'a> {
        let own = |totals: &&[i64]| self.fixed.as_ref().map(|f| shared(f, self.share, totals, self.columns));
        let fixed = if self.constant || self.share.of(1) == 0 && self.share.of(0) == 0 {
            Vec::new()
        } else {
            totals.iter().filter_map(own).collect()
        };
        let scales =
            frames.iter().map(|frame| self.scale.as_ref().and_then(|scale| frame.tensor(scale.place))).collect();
        Over { epilogue: self, fixed, totals, scales, frames, instruction }
    }
}

/// What is recognised of `post`.
struct Found {
    fixed: Fixed,
    row: Option<RowLink>,
    /// The type of its numbers and the rest, if it is only the first part.
    tail: Option<(DType, Post)>,
}

impl Found {
    /// All of `post` as a chain.
    fn whole(context: &Context<'_>, bounds: Bounds) -> Option<Self> {
        let chain = chain::find(context)?;
        Some(Self { fixed: chain.fixed(context, bounds)?, row: chain.row, tail: None })
    }

    /// A first part of `post` as a chain.
    fn in_parts(context: &Context<'_>, bounds: Bounds) -> Option<Self> {
        tail::cuts(context.instruction).find_map(|cut| {
            let found = Self::whole(&Context { instruction: &cut.head, ..*context }, bounds)?;
            let rest = Post::with_acc(&cut.tail, &context.extents, cut.range, context.header, context.tier)?;
            Some(Self { tail: Some((cut.head.dtype, rest)), ..found })
        })
    }
}

impl RowPlace {
    fn new(plan: &LoadPlan, extents: &Extents) -> Self {
        let (base, coefficients) = plan.linear();
        let axes = (0..FIRST_K).rev().map(|axis| (load::size(extents[axis]), coefficients[axis]));
        Self { place: plan.place, dtype: plan.dtype, base, axes: axes.filter(|(extent, _)| *extent != 1).collect() }
    }

    /// Where the number of an element's row is.
    fn position(&self, element: usize) -> u64 {
        let (mut rest, mut position) = (element, self.base);
        for &(extent, coefficient) in &self.axes {
            position += coefficient * num::signed(rest % extent);
            rest /= extent;
        }
        u64::try_from(position).unwrap_or(u64::MAX)
    }
}

/// Adds the columns' share to a table.
fn shared(fixed: &Fixed, share: Share, totals: &[i64], columns: usize) -> Fixed {
    let padded = columns.next_multiple_of(STRIP);
    let mut fixed = fixed.clone();
    for (number, &total) in totals.iter().enumerate() {
        let at = number / columns * padded + number % columns;
        if let Some(stage) = &mut fixed.rows {
            if let Some(add) = stage.add.get_mut(at) {
                *add = add.wrapping_add(low_half(share.of(total)));
            }
            continue;
        }
        match &mut fixed.channels {
            // Low halves suffice: the sum of all parts fits i32.
            Channels::Narrow { add, .. } => {
                if let Some(add) = add.get_mut(at) {
                    *add = add.wrapping_add(low_half(share.of(total)));
                }
            }
            Channels::Wide { add, .. } => {
                if let Some(add) = add.get_mut(at) {
                    *add = add.wrapping_add(share.of(total));
                }
            }
        }
    }
    fixed
}

/// An epilogue with the tensors of runs.
pub(super) struct Over<'a> {
    epilogue: &'a Epilogue,
    fixed: Vec<Fixed>,
    totals: Vec<&'a [i64]>,
    scales: Vec<Option<&'a Tensor>>,
    frames: &'a [Frame<'a>],
    instruction: (DType, &'a [i64], Extents),
}

impl<'a> Finish for Over<'a> {
    type State = Option<(usize, Workspace<'a>)>;

    fn state(&self) -> Self::State {
        None
    }

    fn fixed(&self, sample: usize) -> Option<&Fixed> {
        self.fixed.get(sample).or(self.epilogue.fixed.as_ref())
    }

    fn scale(&self, sample: usize, element: usize) -> i32 {
        let tensor = self.scales.get(sample).copied().flatten();
        let Some((place, tensor)) = self.epilogue.scale.as_ref().zip(tensor) else { return 0 };
        low_half(tensor::element_at(place.dtype, tensor.bytes(), place.position(element)).unwrap_or(0))
    }

    fn tail(&self) -> Option<DType> {
        self.epilogue.tail.as_ref().map(|(dtype, _)| *dtype)
    }

    fn go_on(&self, state: &mut Self::State, sample: usize, first: usize, numbers: &[i32], out: &mut [u8]) {
        let (dtype, constants, extents) = self.instruction;
        let (Some((_, post)), Some(&frame)) = (&self.epilogue.tail, self.frames.get(sample)) else { return };
        if state.as_ref().is_none_or(|(known, _)| *known != sample) {
            *state = Some((sample, Workspace::with(constants, post.len(), extents, frame)));
        }
        if let Some((_, lanes)) = state {
            post.numbers(dtype, first, Numbers::Narrow(numbers), out, lanes);
        }
    }

    fn values(
        &self,
        state: &mut Self::State,
        sample: usize,
        first: usize,
        (column, width): (usize, usize),
        sums: &mut [i64],
        out: &mut [u8],
    ) {
        let (dtype, constants, extents) = self.instruction;
        let totals = self.totals.get(sample).or(self.totals.first());
        let (Some(totals), Some(&frame)) = (totals, self.frames.get(sample)) else { return };
        let columns = self.epilogue.columns;
        let padded = columns.next_multiple_of(STRIP);
        let totals = totals.get(column / padded * columns + column % padded..).unwrap_or(&[]);
        for row in sums.chunks_mut(width) {
            row.iter_mut().zip(totals).for_each(|(sum, &total)| *sum += self.epilogue.share.of(total));
        }
        if state.as_ref().is_none_or(|(known, _)| *known != sample) {
            *state = Some((sample, Workspace::with(constants, self.epilogue.post.len(), extents, frame)));
        }
        if let Some((_, lanes)) = state {
            self.epilogue.post.run(dtype, first, sums, out, lanes);
        }
    }
}
