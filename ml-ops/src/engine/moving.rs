//! Forms of instructions that are not the same at every iteration.
//!
//! Where only extents grow, an instruction is planned for a later iteration and fitted to each; else it is planned anew when
//! something that it follows changes.

use std::sync::Arc;

use opml_vm::{DType, Instruction, Source, Tensor, isa::SLOT_T};
use rayon::prelude::*;

use super::{
    Form, Frame, form,
    history::History,
    kernels::history::panels::Sums,
    lanes::Lanes,
    load::{self, Extents, Header, Place},
    pool::Pool,
    ranges::Ranges,
};
use crate::tier::Tier;

/// The last form of each instruction.
pub(super) struct Moving {
    slots: Vec<Slot>,
    scope: Scope,
    /// The last iteration that there can be.
    last: u64,
    sums: Sums,
    /// Where values come from and go to.
    pub(super) pool: Pool,
}

/// What frames have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// They are of any runs.
    Runs,
    /// They are iterations of one run.
    OneRun,
    /// Besides, they are not shared among threads.
    OneThread,
}

#[derive(Default)]
struct Slot {
    last: Option<(Key, Form)>,
    grown: State,
}

/// Whether an instruction has a form for growing extents.
#[derive(Default)]
enum State {
    #[default]
    Unknown,
    Never,
    /// One up to an iteration.
    Until(u64, Grown),
}

/// A form for growing extents.
#[derive(Clone)]
enum Grown {
    Lanes(Box<Lanes>),
    History(Box<History>),
}

/// All that a form follows.
#[derive(PartialEq, Eq)]
struct Key {
    extents: Extents,
    /// For each load its source, and the extents of the view.
    loads: Vec<(Option<Header>, Vec<u64>)>,
}

impl Moving {
    /// For a program of `count` instructions and runs of at most `longest` iterations.
    pub(super) fn new((count, longest): (usize, u64), scope: Scope, pool: Pool) -> Self {
        let slots = (0..count).map(|_| Slot::default()).collect();
        Self { slots, scope, last: longest.saturating_sub(1), sums: Sums::default(), pool }
    }

    /// The same for frames that have something else in common.
    pub(super) fn with(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// The form of an instruction at one iteration.
    pub(super) fn form(&mut self, instruction: &Instruction, frame: Frame<'_>, ranges: &Ranges, tier: Tier) -> Form {
        let key = Key::new(instruction, frame, ranges);
        let slot = usize::try_from(frame.number).ok().and_then(|number| self.slots.get_mut(number));
        match slot.map(|slot| &mut slot.last) {
            Some(Some((known, form))) if *known == key => form.clone(),
            Some(last) => last.insert((key, plan(instruction, frame, ranges, tier))).1.clone(),
            None => plan(instruction, frame, ranges, tier),
        }
    }

    /// The values in some frames by a form for growing extents; `None` if there is none, or it does not suit them all.
    pub(super) fn grown(
        &mut self,
        instruction: &Instruction,
        frames: &[Frame<'_>],
        (ranges, tier): (&Ranges, Tier),
    ) -> Option<Vec<Tensor>> {
        let latest = frames.iter().max_by_key(|frame| frame.t)?;
        let state = &mut self.slots.get_mut(usize::try_from(latest.number).ok()?)?.grown;
        match state {
            State::Never => return None,
            State::Until(end, _) if latest.t <= *end => {}
            _ if instruction.dynamics.is_empty() => *state = State::Never,
            _ => {
                let end = horizon(latest.t).min(self.last).max(latest.t);
                let ahead = Frame { t: end, ..*latest };
                let mut grown = Grown::new(instruction, ahead, ranges, tier);
                if let (Some(Grown::History(new)), State::Until(_, Grown::History(old))) =
                    (&mut grown, std::mem::take(state))
                {
                    new.inherit(*old);
                }
                *state = grown.map_or(State::Never, |grown| State::Until(end, grown));
            }
        }
        let State::Until(_, grown) = state else { return None };
        grown.run(instruction, frames, self.scope, (&self.pool, &mut self.sums))
    }
}

/// The iteration for which a form is planned that is needed at `t`.
fn horizon(t: u64) -> u64 {
    (0..).map(|n| (64u64 << (2 * n).min(56)) - 1).find(|&end| end >= t || end >= u64::MAX >> 2).unwrap_or(t)
}

impl Grown {
    /// For iterations up to the frame's.
    fn new(instruction: &Instruction, frame: Frame<'_>, ranges: &Ranges, tier: Tier) -> Option<Self> {
        let (program, t) = (frame.program, frame.t);
        let header = |source: &Source| {
            let (place, dtype, elements) = match source {
                Source::Constant(_) | Source::Input(_) => return header(instruction, frame, ranges, source),
                Source::Value(n) if *n < frame.number => {
                    let source = program.instructions().get(usize::try_from(*n).ok()?)?;
                    (Place::Now(*n), source.dtype, source.elements(t))
                }
                Source::Value(_) | Source::History { .. } => return None,
            };
            Some(Header { place, dtype, elements, tau: t, range: ranges.of(source) })
        };
        if let Some(history) = History::new(instruction, frame, (ranges, tier), (&header, true)) {
            return Some(Self::History(Box::new(history)));
        }
        match form(program, instruction, (t, tier), &header) {
            Form::Lanes(_) => {
                Lanes::growing(program, instruction, t, &header, tier).map(|lanes| Self::Lanes(Box::new(lanes)))
            }
            _ => None,
        }
    }

    /// The values in some frames; `None` if it does not suit one of them.
    fn run(
        &mut self,
        instruction: &Instruction,
        frames: &[Frame<'_>],
        scope: Scope,
        (pool, sums): (&Pool, &mut Sums),
    ) -> Option<Vec<Tensor>> {
        let threads = rayon::current_num_threads();
        if threads == 1 || scope == Scope::OneThread || frames.len() < 2 * threads {
            return self.in_turn(instruction, frames, scope, (pool, sums));
        }
        let part =
            |frames: &[Frame<'_>]| self.clone().in_turn(instruction, frames, scope, (pool, &mut Sums::default()));
        let parts: Option<Vec<Vec<Tensor>>> = frames.par_chunks(frames.len().div_ceil(threads)).map(part).collect();
        parts.map(|parts| parts.into_iter().flatten().collect())
    }

    fn in_turn(
        &mut self,
        instruction: &Instruction,
        frames: &[Frame<'_>],
        scope: Scope,
        (pool, sums): (&Pool, &mut Sums),
    ) -> Option<Vec<Tensor>> {
        match self {
            Self::Lanes(lanes) => {
                let one = |&frame: &Frame<'_>| lanes.fit(instruction, frame).then(|| lanes.run(frame, pool));
                frames.iter().map(one).collect()
            }
            Self::History(history) if scope == Scope::Runs => {
                frames.iter().map(|&frame| history.run_fitted(instruction, frame, pool)).collect()
            }
            Self::History(history) => history.run_all(instruction, frames, (pool, sums)),
        }
    }
}

impl Key {
    fn new(instruction: &Instruction, frame: Frame<'_>, ranges: &Ranges) -> Self {
        let load = |load: &opml_vm::Load| {
            let Some(found) = header(instruction, frame, ranges, &load.source) else { return (None, Vec::new()) };
            let extents = load.axes.iter().map(|axis| instruction.extent_at(axis.extent, found.tau));
            // The iteration itself counts only by the extents that it gives.
            (Some(Header { tau: 0, ..found }), extents.collect())
        };
        Self { extents: load::extents(instruction, frame.t), loads: instruction.loads().map(load).collect() }
    }
}

fn plan(instruction: &Instruction, frame: Frame<'_>, ranges: &Ranges, tier: Tier) -> Form {
    let header = |source: &Source| header(instruction, frame, ranges, source);
    if let Some(history) = History::new(instruction, frame, (ranges, tier), (&header, false)) {
        return Form::History(Arc::new(history));
    }
    form(frame.program, instruction, (frame.t, tier), &header)
}

/// What is known of a source at one iteration; `None` if its iteration follows coordinates.
pub(super) fn header(instruction: &Instruction, frame: Frame<'_>, ranges: &Ranges, source: &Source) -> Option<Header> {
    let (place, tau) = match source {
        Source::Constant(n) => (Place::Constant(*n), frame.t),
        Source::Input(n) => (Place::Input(*n), frame.t),
        Source::Value(n) if *n < frame.number => (Place::Now(*n), frame.t),
        Source::Value(_) => return Some(Header::NOWHERE),
        Source::History { instruction: n, base, terms } => {
            let tau = load::iteration(instruction, *base, terms, frame.t)?;
            match u64::try_from(tau) {
                Ok(tau) if (tau, *n) < (frame.t, frame.number) => {
                    let still = terms.iter().all(|term| term.slot != SLOT_T);
                    (if still { Place::At(tau, *n) } else { Place::Back(frame.t.saturating_sub(tau), *n) }, tau)
                }
                _ => return Some(Header::NOWHERE),
            }
        }
    };
    let (dtype, elements) = frame.tensor(place).map_or((DType::I64, 0), |t| (t.dtype(), t.elements()));
    Some(Header { place, dtype, elements, tau, range: ranges.of(source) })
}
