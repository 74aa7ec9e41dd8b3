//! Instructions that move elements and do nothing else: transpositions, shuffles, parts.
//!
//! The innermost axes are one *piece*: a run of consecutive elements, or the list of the places of its elements. The
//! axes that are left say where pieces begin.

mod gather;

use opml_vm::{DType, Instruction, Op, Reducer, Tensor};
use rayon::prelude::*;

use crate::{
    engine::{
        load::{Extents, FIRST_K, Headers, LoadPlan, Place, size},
        pack,
    },
    tier::Tier,
};
use gather::Gather;

/// Most elements of a piece that lists places.
const LISTED: i64 = 1 << 10;
/// Fewest elements that are worth a copy of their own.
const RUN: i64 = 16;
/// Bytes below which a second thread does not pay.
const PARALLEL: usize = 1 << 17;

/// Elements in another order.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Shuffle {
    place: Place,
    dtype: DType,
    /// Where the first piece begins.
    base: i64,
    /// Extents and steps of the axes outside of pieces, slowest first.
    outer: Vec<(i64, i64)>,
    piece: Piece,
}

#[derive(Debug, Clone)]
enum Piece {
    /// Consecutive elements.
    Run(usize),
    /// Places of elements after the least of them, which is not where the piece begins but this far from there. Bytes may be
    /// gathered many at once.
    Listed { places: Vec<u32>, least: i64, window: usize, gather: Option<Gather> },
}

impl Shuffle {
    /// `None` if the instruction is no such one.
    pub(in crate::engine) fn new(
        instruction: &Instruction,
        extents: &Extents,
        header: Headers<'_>,
        tier: Tier,
    ) -> Option<Self> {
        let [Op::Load(load)] = instruction.map.as_slice() else { return None };
        let plain = instruction.post.is_empty() && instruction.reduction.is_empty();
        if !plain || instruction.reducer == Reducer::Argmax {
            return None;
        }
        let plan = LoadPlan::new(instruction, load, extents, header)?;
        if !plan.inside || plan.dtype != instruction.dtype || plan.dtype == DType::I4 || extents.contains(&0) {
            return None;
        }
        let (base, coefficients) = plan.linear();
        let mut outer = loops(extents, &coefficients);
        let mut piece = Piece::of(&mut outer)?;
        if pack::width(plan.dtype) == 1 {
            piece.gathered(tier);
        }
        Some(Self { place: plan.place, dtype: plan.dtype, base, outer, piece })
    }

    /// Where the source is.
    pub(super) const fn place(&self) -> Place {
        self.place
    }

    /// Writes all elements.
    pub(in crate::engine) fn run(&self, tensor: &Tensor, bytes: &mut [u8]) {
        match pack::width(self.dtype) {
            1 => self.pieces::<1>(tensor.bytes(), bytes),
            2 => self.pieces::<2>(tensor.bytes(), bytes),
            4 => self.pieces::<4>(tensor.bytes(), bytes),
            _ => self.pieces::<8>(tensor.bytes(), bytes),
        }
    }

    fn pieces<const W: usize>(&self, source: &[u8], bytes: &mut [u8]) {
        let (source, out) = (source.as_chunks::<W>().0, bytes.as_chunks_mut::<W>().0);
        let length = self.piece.elements();
        if out.len() * W < PARALLEL || rayon::current_num_threads() == 1 {
            return self.part(source, 0, out);
        }
        let many = (PARALLEL / 4 / W / length).max(1);
        let parts = out.par_chunks_mut(many * length).enumerate();
        parts.for_each(|(number, out)| self.part(source, number * many, out));
    }

    /// Pieces from number `first` on.
    fn part<const W: usize>(&self, source: &[[u8; W]], first: usize, out: &mut [[u8; W]]) {
        let mut point = vec![0; self.outer.len()];
        let (mut rest, mut start) = (i64::try_from(first).unwrap_or(0), self.base);
        for (place, &(extent, step)) in point.iter_mut().zip(&self.outer).rev() {
            *place = rest % extent;
            rest /= extent;
            start += *place * step;
        }
        for out in out.chunks_exact_mut(self.piece.elements()) {
            self.piece.write(source, start, out);
            for (place, &(extent, step)) in point.iter_mut().zip(&self.outer).rev() {
                (*place, start) = (*place + 1, start + step);
                if *place < extent {
                    break;
                }
                (*place, start) = (0, start - extent * step);
            }
        }
    }
}

/// The output's axes with their steps in the source, slowest first; those that go on evenly are one.
pub(super) fn loops(extents: &Extents, coefficients: &[i64; 16]) -> Vec<(i64, i64)> {
    let mut loops: Vec<(i64, i64)> = Vec::new();
    for (&extent, &step) in extents.iter().zip(coefficients).take(FIRST_K).filter(|(extent, _)| **extent != 1) {
        match loops.last_mut() {
            Some((outer, last)) if step.checked_mul(extent) == Some(*last) => (*outer, *last) = (*outer * extent, step),
            _ => loops.push((extent, step)),
        }
    }
    loops
}

impl Piece {
    /// Takes the innermost axes; an axis that is too long for a list is cut.
    fn of(loops: &mut Vec<(i64, i64)>) -> Option<Self> {
        match loops.pop() {
            None => return Some(Self::Run(1)),
            Some((extent, 1)) if extent >= RUN => return Some(Self::Run(size(extent))),
            Some(last) => loops.push(last),
        }
        let mut inner = Vec::new();
        let mut count = 1;
        while let Some((extent, step)) = loops.pop() {
            if count * extent <= LISTED {
                inner.push((extent, step));
                count *= extent;
                continue;
            }
            // The greatest divisor for which there is room.
            let part = (1..=LISTED / count).rev().find(|part| extent % part == 0).unwrap_or(1);
            loops.push((extent / part, step.checked_mul(part)?));
            if part > 1 {
                inner.push((part, step));
            }
            break;
        }
        let mut places = vec![0i64];
        for &(extent, step) in inner.iter().rev() {
            places = places.iter().flat_map(|&place| (0..extent).map(move |at| place + at * step)).collect();
        }
        let (least, most) = (places.iter().copied().min()?, places.iter().copied().max()?);
        let places = places.iter().map(|place| u32::try_from(place - least).ok()).collect::<Option<_>>()?;
        Some(Self::Listed { places, least, window: size(most - least + 1), gather: None })
    }

    /// Prepares to gather bytes, if this CPU can.
    fn gathered(&mut self, tier: Tier) {
        if let Self::Listed { places, window, gather, .. } = self {
            *gather = Gather::new(places, *window, tier);
        }
    }

    fn elements(&self) -> usize {
        match self {
            Self::Run(length) => *length,
            Self::Listed { places, .. } => places.len(),
        }
    }

    fn write<const W: usize>(&self, source: &[[u8; W]], start: i64, out: &mut [[u8; W]]) {
        match self {
            Self::Run(length) => {
                let start = size(start);
                if let Some(run) = source.get(start..start + length) {
                    out.copy_from_slice(run);
                }
            }
            Self::Listed { places, least, window, gather } => {
                let start = size(start + least);
                let Some(source) = source.get(start..start + window) else { return };
                if let Some(gather) = gather {
                    return gather.write(source.as_flattened(), out.as_flattened_mut());
                }
                for (out, &place) in out.iter_mut().zip(places) {
                    let element = usize::try_from(place).ok().and_then(|place| source.get(place));
                    *out = element.copied().unwrap_or([0; W]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use opml_vm::testing::Rng;

    use super::*;

    /// Every element by itself.
    fn slowly(axes: &[(i64, i64)], base: i64, source: &[u8]) -> Vec<u8> {
        let mut places = vec![base];
        for &(extent, step) in axes {
            places = places.iter().flat_map(|&place| (0..extent).map(move |at| place + at * step)).collect();
        }
        places.into_iter().map(|place| source[size(place)]).collect()
    }

    #[test]
    fn pieces_cover_any_axes() {
        let mut rng = Rng::new(11);
        let mut gathered = 0;
        for round in 0..600 {
            let rank = rng.below(5);
            let mut below = |n: u32| i64::from(rng.between(0, n - 1));
            let most = if round % 7 == 0 { 40 } else { 9 };
            let mut axes: Vec<(i64, i64)> = (0..rank).map(|_| (1 + below(most), below(60) - 20)).collect();
            if round % 3 == 0 {
                axes.push((1 + below(90), 1));
            }
            if round % 11 == 0 {
                axes.push((2 * 521, below(3)));
            }
            let mut room = 1 << 15;
            axes.retain(|(extent, _)| {
                let fits = *extent <= room;
                room /= if fits { *extent } else { 1 };
                fits
            });
            let low: i64 = axes.iter().map(|(extent, step)| ((extent - 1) * step).min(0)).sum();
            let high: i64 = axes.iter().map(|(extent, step)| ((extent - 1) * step).max(0)).sum();
            let source: Vec<u8> = (0..high - low + 1).map(|_| below(256).to_le_bytes()[0]).collect();
            let (mut extents, mut coefficients) = ([1; 16], [0; 16]);
            for (axis, &(extent, step)) in axes.iter().enumerate() {
                (extents[axis], coefficients[axis]) = (extent, step);
            }
            let mut outer = loops(&extents, &coefficients);
            let mut piece = Piece::of(&mut outer).unwrap();
            let expected = slowly(&axes, -low, &source);
            let mut out = vec![0; expected.len()];
            let with = |piece: &Piece, outer: &[(i64, i64)]| {
                let (outer, piece) = (outer.to_vec(), piece.clone());
                Shuffle { place: Place::Nowhere, dtype: DType::U8, base: -low, outer, piece }
            };
            with(&piece, &outer).pieces::<1>(&source, &mut out);
            assert_eq!(out, expected, "round {round}: {axes:?}");
            piece.gathered(Tier::best());
            gathered += usize::from(matches!(piece, Piece::Listed { gather: Some(_), .. }));
            let shuffle = with(&piece, &outer);
            out.fill(0);
            shuffle.pieces::<1>(&source, &mut out);
            assert_eq!(out, expected, "gathered in round {round}: {axes:?}");
            // From a piece in the middle on.
            let length = shuffle.piece.elements();
            let first = expected.len() / length / 2;
            let mut rest = vec![[0]; expected.len() - first * length];
            shuffle.part::<1>(source.as_chunks().0, first, &mut rest);
            assert_eq!(rest.as_flattened(), &expected[first * length..], "round {round}: {axes:?}");
        }
        #[cfg(target_arch = "x86_64")]
        assert_eq!(gathered > 40, Tier::best() >= Tier::Avx512 && is_x86_feature_detected!("avx512vbmi"), "{gathered}");
    }
}
