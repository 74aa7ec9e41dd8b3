//! Forms of instructions that are not the same at every iteration: planned anew only when something they follow changes.

use std::sync::Arc;

use opml_vm::{DType, Instruction, Source, isa::SLOT_T};

use super::{
    Form, Frame, form,
    history::History,
    load::{self, Extents, Header, Place},
    ranges::Ranges,
};
use crate::tier::Tier;

/// The last form of each instruction.
pub(super) struct Moving(Vec<Option<(Key, Form)>>);

/// All that a form follows.
#[derive(PartialEq, Eq)]
struct Key {
    extents: Extents,
    /// For each load its source, and the extents of the view.
    loads: Vec<(Option<Header>, Vec<u64>)>,
}

impl Moving {
    /// For a program of `count` instructions.
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).map(|_| None).collect())
    }

    /// The form of an instruction at one iteration.
    pub(super) fn form(&mut self, instruction: &Instruction, frame: Frame<'_>, ranges: &Ranges, tier: Tier) -> Form {
        let key = Key::new(instruction, frame, ranges);
        let slot = usize::try_from(frame.number).ok().and_then(|number| self.0.get_mut(number));
        match slot {
            Some(Some((known, form))) if *known == key => form.clone(),
            Some(slot) => slot.insert((key, plan(instruction, frame, ranges, tier))).1.clone(),
            None => plan(instruction, frame, ranges, tier),
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
    if let Some(history) = History::new(instruction, frame, (ranges, tier), &header) {
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
