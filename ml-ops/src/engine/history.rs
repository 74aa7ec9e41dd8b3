//! Sums of products with values of other iterations: scores of attention, where the iteration follows an output coordinate,
//! and mixed values, where it follows the reduction.

use opml_vm::{
    DType, Instruction, Load, Op, Opcode, Reducer, Source, Tensor,
    isa::{SLOT_CONST, SLOT_T},
};
use rayon::prelude::*;

use super::{
    Frame,
    interval::Interval,
    kernels::{
        Isa,
        history::{self as kernels, Words},
    },
    lanes::{Post, Workspace},
    load::{self, Extents, FIRST_K, Header, Headers, LoadPlan, Place, size},
    pack,
    ranges::Ranges,
};
use crate::{num, tier::Tier};

/// Multiplications below which a second thread does not pay.
const PARALLEL: usize = 1 << 17;

/// Such a sum.
#[derive(Debug, Clone)]
pub(super) struct History {
    dtype: DType,
    extents: Extents,
    elements: i64,
    /// The factor of this iteration.
    now: LoadPlan,
    /// Positions in it and in the other one.
    linear: [(i64, [i64; 16]); 2],
    /// The instruction whose values of other iterations are read.
    number: u32,
    /// Iteration at coordinate 0, and the coordinate's step.
    start: Start,
    step: i64,
    /// The coordinate that the iteration follows.
    axis: usize,
    isa: Isa,
    post: Post,
}

impl History {
    /// `None` if the instruction is no such sum.
    pub(super) fn new(
        instruction: &Instruction,
        frame: Frame<'_>,
        (ranges, tier): (&Ranges, Tier),
        header: Headers<'_>,
    ) -> Option<Self> {
        if instruction.reducer != Reducer::Sum || instruction.map.len() != 3 {
            return None;
        }
        let base = usize::from(SLOT_CONST) + instruction.constants.len();
        let load = |slot: u8| match instruction.map.get(usize::from(slot).checked_sub(base)?)? {
            Op::Load(load) => Some(load),
            Op::Scalar { .. } => None,
        };
        let Op::Scalar { opcode: Opcode::Mul, operands: [a, b, _] } = instruction.map.last()? else { return None };
        let (a, b) = (load(*a)?, load(*b)?);
        let (now, past) = match (follows(a), follows(b)) {
            (None, Some(past)) => (a, (b, past)),
            (Some(past), None) => (b, (a, past)),
            _ => return None,
        };
        let extents = load::extents(instruction, frame.t);
        let elements = i64::try_from(instruction.elements(frame.t)).ok().filter(|&n| n > 0)?;
        let now = LoadPlan::new(instruction, now, &extents, header)?;
        let (past, (axis, step, start)) = past;
        let Source::History { instruction: number, .. } = past.source else { return None };
        let first = start.at(frame.t)?;
        let last = first.checked_add(step.checked_mul(extents[axis].checked_sub(1)?)?)?;
        let earlier = |tau: i64| u64::try_from(tau).is_ok_and(|tau| (tau, number) < (frame.t, frame.number));
        let source = frame.program.instructions().get(num::size(number.into()))?;
        if !earlier(first) || !earlier(last) || !source.dynamics.is_empty() {
            return None;
        }
        let range = ranges.of(&Source::Value(number));
        let written = Header {
            place: Place::Now(number),
            dtype: source.dtype,
            elements: source.elements(0),
            tau: frame.t,
            range,
        };
        let past = LoadPlan::new(instruction, past, &extents, &|_| Some(written))?;
        let fixed = past.axes.len() == 1 && !past.follows(axis..axis + 1);
        let words = now.dtype == DType::I16 && past.dtype == DType::I16;
        let plain = now.inside && past.inside && fixed && words && now.slots().next().is_none();
        let linear = [now.linear(), past.linear()];
        // The innermost coordinate, along which numbers are consecutive.
        let inner = if axis < FIRST_K { FIRST_K } else { last_output(&extents)? };
        let single = (FIRST_K + 1..16).all(|axis| extents[axis] == 1);
        let steps = if axis < FIRST_K { [1, 1] } else { [0, 1] };
        let dense = extents[inner] == 1 || (linear[0].1[inner], linear[1].1[inner]) == (steps[0], steps[1]);
        if !plain || !single || !dense || axis > FIRST_K {
            return None;
        }
        if axis < FIRST_K && last_output(&extents).is_some_and(|last| last != axis) {
            return None;
        }
        let terms = extents[FIRST_K].max(1);
        let bound = terms.checked_mul(1 << 30)?;
        let acc = Interval { low: -bound, high: bound };
        let post = Post::with_acc(instruction, &extents, acc, header, tier)?;
        Some(Self {
            dtype: instruction.dtype,
            extents,
            elements,
            now,
            linear,
            number,
            start,
            step,
            axis,
            isa: Isa::new(tier),
            post,
        })
    }

    /// The instruction's value.
    pub(super) fn run(&self, frame: Frame<'_>) -> Tensor {
        let now = frame.tensor(self.now.place).map_or(&[][..], Tensor::bytes).as_chunks::<2>().0;
        let first = self.start.at(frame.t).unwrap_or(0);
        let past: Vec<&Words> = (0..self.extents[self.axis])
            .map(|at| {
                let tau = u64::try_from(first + self.step * at).unwrap_or(u64::MAX);
                frame.value(tau, self.number).map_or(&[][..], Tensor::bytes).as_chunks::<2>().0
            })
            .collect();
        let mut acc = vec![0; size(self.elements)];
        // Outputs along the last axis belong together.
        let row = last_output(&self.extents).map_or(1, |axis| size(self.extents[axis])).max(1);
        let fill = |(number, acc): (usize, &mut [i64])| {
            let point = self.point(number);
            if self.axis < FIRST_K { self.scores(now, &past, &point, acc) } else { self.mix(now, &past, &point, acc) }
        };
        let work = acc.len().saturating_mul(size(self.extents[FIRST_K]));
        if work < PARALLEL {
            acc.chunks_mut(row).enumerate().for_each(fill);
        } else {
            acc.par_chunks_mut(row).enumerate().for_each(fill);
        }
        let mut bytes = vec![0; acc.len() * pack::width(self.dtype)];
        self.post.run(self.dtype, 0, &acc, &mut bytes, &mut Workspace::with(&[], 0, self.extents, frame));
        pack::tensor(self.dtype, self.elements, bytes)
    }

    /// Output coordinates of a row of outputs.
    fn point(&self, number: usize) -> [i64; 16] {
        let mut point = [0; 16];
        let mut rest = load::count(number);
        let last = last_output(&self.extents).unwrap_or(0);
        for axis in (0..last).rev() {
            point[axis] = rest % self.extents[axis];
            rest /= self.extents[axis];
        }
        point
    }

    fn position(&self, factor: usize, point: &[i64; 16]) -> usize {
        let (base, coefficients) = &self.linear[factor];
        size(base + coefficients.iter().zip(point).map(|(c, p)| c * p).sum::<i64>())
    }

    /// A dot product with each of the values.
    fn scores(&self, now: &Words, past: &[&Words], point: &[i64; 16], acc: &mut [i64]) {
        let terms = size(self.extents[FIRST_K]);
        let query = now.get(self.position(0, point)..).and_then(|list| list.get(..terms)).unwrap_or(&[]);
        kernels::scores(self.isa, query, past, self.position(1, point), acc);
    }

    /// The values, each times a number.
    fn mix(&self, now: &Words, past: &[&Words], point: &[i64; 16], acc: &mut [i64]) {
        let (first, step) = (self.position(0, point), size(self.linear[0].1[FIRST_K]));
        let power = |at: usize| now.get(first + at * step).map_or(0, |&bytes| i32::from(i16::from_le_bytes(bytes)));
        let powers: Vec<i32> = (0..past.len()).map(power).collect();
        kernels::mix(self.isa, &powers, past, self.position(1, point), acc);
    }
}

/// The iteration at coordinate 0: a number, and whether `t` is added. Both ways a form that is right at one iteration is right
/// at later ones with the same extents.
#[derive(Debug, Clone)]
struct Start {
    base: i64,
    t: i64,
}

impl Start {
    fn at(&self, t: u64) -> Option<i64> {
        self.base.checked_add(self.t.checked_mul(i64::try_from(t).ok()?)?)
    }
}

/// The coordinate that a load's iteration follows, its coefficient of ±1, and the rest.
fn follows(load: &Load) -> Option<(usize, i64, Start)> {
    let Source::History { base, terms, .. } = &load.source else { return None };
    let (mut found, mut t) = (None, 0);
    for term in terms {
        match load::coordinate(term.slot) {
            Some(axis) if found.is_none() && matches!(term.coef, 1 | -1) => found = Some((axis, i64::from(term.coef))),
            None if term.slot == SLOT_T => t += i64::from(term.coef),
            _ => return None,
        }
    }
    found.filter(|_| matches!(t, 0 | 1)).map(|(axis, step)| (axis, step, Start { base: *base, t }))
}

/// The last output axis with more than one point; the first if there is none.
fn last_output(extents: &Extents) -> Option<usize> {
    Some((0..FIRST_K).rev().find(|&axis| extents[axis] != 1).unwrap_or(0))
}
