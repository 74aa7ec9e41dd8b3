//! Sums of products with values of other iterations: scores of attention, where the iteration follows an output coordinate,
//! and mixed values, where it follows the reduction.

mod past;

use opml_vm::{
    DType, Extent, Instruction, Load, Op, Opcode, Reducer, Source, Tensor,
    isa::{SLOT_CONST, SLOT_T},
};
use rayon::prelude::*;

use super::{
    Frame,
    interval::Interval,
    kernels::{
        Isa,
        history::{
            self as kernels, Words,
            panels::{Kind, Panels, Rows, Sums},
        },
    },
    lanes::{self, Post, Workspace},
    load::{self, Extents, FIRST_K, Header, Headers, LoadPlan, Place, size},
    pack,
    pool::Pool,
    ranges::Ranges,
};
use crate::{num, tier::Tier};
use past::Past;

/// Least frames whose rows share packed values: one reads them as fast where they lie.
const MANY: usize = 2;
/// Multiplications below which a second thread does not pay.
const PARALLEL: usize = 1 << 17;

/// Such a sum.
#[derive(Debug, Clone)]
pub(super) struct History {
    dtype: DType,
    extents: Extents,
    /// The largest extents.
    most: Extents,
    elements: i64,
    /// The factor of this iteration, and the number of the operation that loads it.
    now: LoadPlan,
    op: usize,
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
    /// What other iterations have written, as far as it was read in this run.
    past: Past,
    /// The same, packed.
    panels: Panels,
}

impl History {
    /// `None` if the instruction is no such sum at the frame's iteration. With `grows` it can be fitted to all iterations
    /// whose extents are not larger, see [`History::fit`]; `None` also if that is not possible.
    pub(super) fn new(
        instruction: &Instruction,
        frame: Frame<'_>,
        (ranges, tier): (&Ranges, Tier),
        (header, grows): (Headers<'_>, bool),
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
        let op = instruction.map.iter().position(|op| matches!(op, Op::Load(load) if load == now))?;
        let now = LoadPlan::new(instruction, now, &extents, header)?;
        let (past, (axis, step, start)) = past;
        let Source::History { instruction: number, .. } = past.source else { return None };
        let source = frame.program.instructions().get(num::size(number.into()))?;
        let is_fixed = |extent: &Extent| matches!(extent, Extent::Fixed(_));
        let fixed = source.output.iter().all(is_fixed) && past.axes.iter().all(|axis| is_fixed(&axis.extent));
        if !fixed || !earlier(&start, (step, extents[axis]), number, frame) {
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
        if !plain || !runs(axis, &extents, &linear) {
            return None;
        }
        let terms = extents[FIRST_K].max(1);
        let bound = terms.checked_mul(1 << 30)?;
        let acc = Interval { low: -bound, high: bound };
        let post = if grows {
            Post::growing(frame.program, instruction, &extents, acc, header, tier)?
        } else {
            Post::with_acc(instruction, &extents, acc, header, tier)?
        };
        Some(Self {
            dtype: instruction.dtype,
            extents,
            elements,
            now,
            op,
            most: extents,
            linear,
            number,
            start,
            step,
            axis,
            isa: Isa::new(tier),
            post,
            past: Past::default(),
            panels: Panels::default(),
        })
    }

    /// Fits it to an iteration. If `false`, it must not run before it is fitted to another one.
    fn fit(&mut self, instruction: &Instruction, frame: Frame<'_>) -> bool {
        self.fit_sums(instruction, frame) && self.post.fit(frame.program, instruction, (frame.t, &self.extents))
    }

    /// Takes over what one for smaller extents has of the same run.
    pub(super) fn inherit(&mut self, other: Self) {
        (self.past, self.panels) = (other.past, other.panels);
    }

    /// The same but for what comes after the sums.
    fn fit_sums(&mut self, instruction: &Instruction, frame: Frame<'_>) -> bool {
        let (program, t) = (frame.program, frame.t);
        let extents = load::extents(instruction, t);
        if !extents.iter().zip(&self.most).all(|(extent, most)| (1..=*most).contains(extent)) {
            return false;
        }
        let Some(Op::Load(now)) = instruction.map.get(self.op) else { return false };
        let elements = match now.source {
            Source::Value(number) => lanes::elements(program, number, t),
            _ => Some(self.now.elements),
        };
        let position = elements.and_then(|elements| lanes::position(instruction, now, (t, &extents), elements));
        let Some(position) = position else { return false };
        self.linear[0] = position;
        self.elements = extents[..FIRST_K].iter().product();
        self.extents = extents;
        earlier(&self.start, (self.step, extents[self.axis]), self.number, frame)
            && runs(self.axis, &extents, &self.linear)
    }

    /// The instruction's value.
    pub(super) fn run(&self, frame: Frame<'_>, pool: &Pool) -> Tensor {
        self.with(frame, pool, &mut Room::new(self, frame))
    }

    /// The value in a frame that it is fitted to first; `None` if it does not suit.
    pub(super) fn run_fitted(&mut self, instruction: &Instruction, frame: Frame<'_>, pool: &Pool) -> Option<Tensor> {
        self.fit(instruction, frame).then(|| self.run(frame, pool))
    }

    /// The values in iterations of one run, the same in all calls; `None` if it does not suit one of them.
    pub(super) fn run_all<'a>(
        &mut self,
        instruction: &Instruction,
        frames: &[Frame<'a>],
        (pool, sums): (&Pool, &mut Sums),
    ) -> Option<Vec<Tensor>> {
        let &first = frames.first()?;
        let mut room = Room::new(self, first);
        let together = self.together(instruction, frames, sums)?;
        let mut values = Vec::with_capacity(frames.len());
        for (number, &frame) in frames.iter().enumerate() {
            if !self.fit(instruction, frame) {
                return None;
            }
            room.post.turn(frame);
            values.push(if together {
                self.finish(sums.of(number), pool, &mut room.post)
            } else {
                self.with(frame, pool, &mut room)
            });
        }
        Some(values)
    }

    /// Computes the sums of all frames, whose rows share packed values; whether that is so. `None` if a frame does not suit.
    fn together<'a>(&mut self, instruction: &Instruction, frames: &[Frame<'a>], sums: &mut Sums) -> Option<bool> {
        let (mut rows, mut end, mut suits) = (Rows::default(), 0, frames.len() >= MANY);
        for &frame in frames {
            if !self.fit_sums(instruction, frame) {
                return None;
            }
            let count = self.extents[self.axis];
            end = end.max(self.iteration(frame.t, 0).max(self.iteration(frame.t, count - 1)).saturating_add(1));
            // Only what is read in the order of iterations, from the same one on, can be added to.
            suits &= self.step == 1 && self.start.t == 0 && (self.axis < FIRST_K || self.is_dense());
            if suits {
                self.rows(frame, &mut rows);
            }
        }
        // The last frame sees all that is written.
        let last = *frames.iter().max_by_key(|frame| frame.t)?;
        if suits && self.packed(last, rows, sums).is_some() {
            return Some(true);
        }
        self.past.extend(end, last, self.number);
        Some(false)
    }

    /// Computes the sums of rows with packed values, to which those are added that the frame sees.
    fn packed(&mut self, frame: Frame<'_>, rows: Rows<'_>, sums: &mut Sums) -> Option<()> {
        let kind = if self.axis < FIRST_K {
            Kind::Scores(size(self.extents[FIRST_K]))
        } else {
            Kind::Mixed(size(self.width()))
        };
        let (isa, most) = (self.isa, size(self.most[self.axis]));
        let mut panels = std::mem::take(&mut self.panels);
        let value = |at| past::words(frame, self.iteration(frame.t, load::count(at)), self.number);
        let done = panels.compute(isa, (kind, most), rows, value, sums);
        self.panels = panels;
        done
    }

    /// The iteration at a coordinate.
    fn iteration(&self, t: u64, at: i64) -> u64 {
        u64::try_from(self.start.at(t).unwrap_or(0) + self.step * at).unwrap_or(u64::MAX)
    }

    /// The numbers of another iteration.
    fn value<'s>(&'s self, frame: Frame<'s>, at: i64) -> &'s Words {
        let tau = self.iteration(frame.t, at);
        self.past.get(tau).unwrap_or_else(|| past::words(frame, tau, self.number))
    }

    /// The rows of a frame.
    fn rows<'a>(&self, frame: Frame<'a>, rows: &mut Rows<'a>) {
        let now = frame.tensor(self.now.place).map_or(&[][..], Tensor::bytes).as_chunks::<2>().0;
        let count = size(self.extents[self.axis]);
        let (width, length) = (size(self.width()), size(self.elements));
        let own = if self.axis < FIRST_K { size(self.extents[FIRST_K]) } else { count };
        rows.frame(length);
        for number in 0..length / width.max(1) {
            let point = self.point(number);
            let now = now.get(self.position(0, &point)..).and_then(|list| list.get(..own)).unwrap_or(&[]);
            rows.push(now, self.position(1, &point), (width, count));
        }
    }

    /// Outputs of a row.
    fn width(&self) -> i64 {
        last_output(&self.extents).map_or(1, |axis| self.extents[axis]).max(1)
    }

    /// Whether numbers of a row that is mixed lie side by side.
    fn is_dense(&self) -> bool {
        self.linear[0].1[FIRST_K] == 1 || self.extents[FIRST_K] == 1
    }

    /// The value from its sums.
    fn finish(&self, acc: &[i64], pool: &Pool, post: &mut Workspace<'_>) -> Tensor {
        let mut bytes = pool.take(acc.len() * pack::width(self.dtype));
        self.post.run(self.dtype, 0, acc, &mut bytes, post);
        pack::tensor(self.dtype, self.elements, bytes)
    }

    /// The value in a frame.
    fn with<'a>(&self, frame: Frame<'a>, pool: &Pool, room: &mut Room<'a>) -> Tensor {
        let now = frame.tensor(self.now.place).map_or(&[][..], Tensor::bytes).as_chunks::<2>().0;
        let past: Vec<&Words> = (0..self.extents[self.axis]).map(|at| self.value(frame, at)).collect();
        let Room { acc, post } = room;
        acc.clear();
        acc.resize(size(self.elements), 0);
        // Outputs along the last axis belong together.
        let row = size(self.width());
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
        self.finish(acc, pool, post)
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

/// What a thread uses again in each frame.
struct Room<'a> {
    acc: Vec<i64>,
    post: Workspace<'a>,
}

impl<'a> Room<'a> {
    fn new(history: &History, frame: Frame<'a>) -> Self {
        Self { acc: Vec::new(), post: Workspace::with(&[], 0, history.extents, frame) }
    }
}

/// Whether all iterations that are read come before the instruction.
fn earlier(start: &Start, (step, extent): (i64, i64), number: u32, frame: Frame<'_>) -> bool {
    let before = |tau: i64| u64::try_from(tau).is_ok_and(|tau| (tau, number) < (frame.t, frame.number));
    let last = |first: i64| first.checked_add(step.checked_mul(extent.checked_sub(1)?)?);
    start.at(frame.t).is_some_and(|first| before(first) && last(first).is_some_and(before))
}

/// Whether the loops of the kernels suit the extents and the positions of both factors.
fn runs(axis: usize, extents: &Extents, linear: &[(i64, [i64; 16]); 2]) -> bool {
    let Some(last) = last_output(extents) else { return false };
    // The innermost coordinate, along which numbers are consecutive.
    let inner = if axis < FIRST_K { FIRST_K } else { last };
    let single = (FIRST_K + 1..16).all(|axis| extents[axis] == 1);
    let steps = if axis < FIRST_K { [1, 1] } else { [0, 1] };
    let dense = extents[inner] == 1 || (linear[0].1[inner], linear[1].1[inner]) == (steps[0], steps[1]);
    single && dense && axis <= FIRST_K && (axis >= FIRST_K || last == axis)
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
