//! Iterations side by side on several threads: each thread takes its own through a stretch of instructions, before they meet.
//!
//! In a stretch no instruction reads what another one of it writes in another iteration: so threads do not wait for each
//! other within it. A layer of a language model is one, but for where its attention looks at earlier positions.

use std::ops::Range;

use opml_vm::Tensor;
use rayon::prelude::*;

use super::{
    Engine,
    moving::Moving,
    run::{LONG, Sample},
    walk::{Span, shared},
};
use crate::num;

/// Least iterations of a part: fewer share too little of a reading of weights.
const LEAST: usize = 8;

/// Values that a thread has computed and others do not see yet: for each instruction those of its iterations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own<'a> {
    first: u32,
    iterations: (u64, usize),
    values: &'a [Tensor],
}

impl<'a> Own<'a> {
    /// The value `(t, n)`, if it is one of them.
    pub(super) fn get(&self, t: u64, n: u32) -> Option<&'a Tensor> {
        let (first, count) = self.iterations;
        let column = num::size(t.checked_sub(first)?);
        let row = num::size(n.checked_sub(self.first)?.into());
        if column < count { self.values.get(row * count + column) } else { None }
    }
}

/// A stretch of instructions over the iterations of a span.
pub(super) struct Stretch<'s> {
    pub(super) engine: &'s Engine,
    pub(super) sample: &'s Sample<'s>,
    pub(super) span: &'s Span<'s>,
    pub(super) numbers: Range<u32>,
}

/// The part of a thread.
pub(super) struct Part {
    pub(super) iterations: Range<u64>,
    pub(super) moving: Moving,
    /// For each instruction of the stretch the values of the iterations, empty where nobody reads them any more.
    pub(super) values: Vec<Tensor>,
}

/// Iterations of each part: one for each thread, if they are not too few, or too short by the work of one. `None` if there is
/// only one iteration.
pub(super) fn parts(iterations: &Range<u64>, work: u64) -> Option<Vec<Range<u64>>> {
    let length = iterations.end.saturating_sub(iterations.start);
    let count = num::size(length);
    if count < 2 {
        return None;
    }
    let is_long = work.saturating_mul(length) >= LONG;
    let parts = if is_long { rayon::current_num_threads().min(count / LEAST).max(1) } else { 1 };
    let at = |part: usize| iterations.start + num::wide(part * count / parts);
    Some((0..parts).map(|part| at(part)..at(part + 1)).collect())
}

impl Stretch<'_> {
    /// Computes all parts.
    pub(super) fn run(&self, parts: &mut [Part]) {
        let each = |part: &mut Part| self.numbers.clone().for_each(|number| self.instruction(number, part));
        match parts {
            [part] => each(part),
            parts => parts.par_iter_mut().with_max_len(1).for_each(each),
        }
    }

    fn instruction(&self, number: u32, part: &mut Part) {
        let (engine, program) = (self.engine, self.engine.program.as_ref());
        let Part { iterations, moving, values } = part;
        let count = num::size(iterations.end - iterations.start);
        let place = num::size(number.into());
        let computed = shared(&self.span.of(number), iterations);
        let before = num::size(computed.start - iterations.start);
        // Places of iterations in which it is not computed stay empty.
        values.resize_with(values.len() + before, Tensor::empty);
        let known = program.instructions().get(place).zip(engine.forms.get(place));
        let Some((instruction, form)) = known.filter(|_| before < count) else { return };
        let own = Own { first: self.numbers.start, iterations: (iterations.start, count), values };
        let frame = |t| self.sample.frame(program, (t, number)).with(own);
        let frames: Vec<_> = computed.map(frame).collect();
        let found = engine.step(&frames, instruction, form.as_ref(), moving);
        values.extend(found);
        let rows = self.span.gone(number).iter().filter_map(|gone| gone.checked_sub(self.numbers.start));
        for row in rows.map(|row| num::size(row.into())) {
            let gone = values.iter_mut().skip(row * count + before).take(count - before);
            let gone: Vec<Vec<u8>> = gone.map(|value| std::mem::replace(value, Tensor::empty()).into_bytes()).collect();
            moving.pool.put_many(gone.into_iter());
        }
    }
}

#[cfg(test)]
mod tests {
    use opml_vm::{
        Program, Tensor,
        interpreter::{self, Stop},
        testing::{Limits, Rng, random_program},
    };

    use super::*;
    use crate::engine::walk::{Told, Walk};

    /// All values, computed span by span in parts of random sizes.
    fn in_parts(program: &Program, inputs: &[Tensor], length: u64, rng: &mut Rng) -> Vec<Tensor> {
        let engine = Engine::compile(program);
        let needed = engine.needs.all();
        let mut walk = Walk::new(&engine, inputs, Vec::new(), u64::MAX).unwrap();
        let mut told = Vec::new();
        let mut t = 0;
        while t < length {
            let end = walk.reach(t, length.min(t + 1 + rng.below(6)), &needed);
            let mut cuts: Vec<u64> = (t..=end).filter(|&at| at == t || at == end || rng.chance(40)).collect();
            cuts.dedup();
            let parts: Vec<Range<u64>> = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
            let span = Span { iterations: t..end, needed: &needed, last: None, after: &[] };
            let mut tell = |t: u64, number: u32| told.push((t, number));
            walk.in_parts(&span, Some(&parts), &mut Told::Places(&mut tell)).unwrap_or_else(|e| panic!("{e}"));
            t = end;
        }
        told.sort_unstable();
        let places = |t| (0..program.counts().instructions).map(move |number| (t, number));
        assert_eq!(told, (0..length).flat_map(places).collect::<Vec<_>>());
        walk.sample.values
    }

    #[test]
    fn parts_give_the_values_of_a_run() {
        for seed in 0..400 {
            let (program, inputs, length) = random_program(seed, &Limits { max_t: 9, ..Limits::default() });
            let expected = interpreter::run(&program, &inputs, Stop::Exactly(length), 1 << 32).unwrap();
            let found = in_parts(&program, &inputs, length, &mut Rng::new(seed));
            assert!(expected.values == found, "seed {seed}");
        }
    }

    #[test]
    fn iterations_are_shared_evenly() {
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let of = |threads, iterations: Range<u64>, work| pool(threads).install(|| parts(&iterations, work));
        let one = |part: Range<u64>| Some(std::iter::once(part).collect::<Vec<_>>());
        assert_eq!(of(2, 5..6, LONG), None);
        assert_eq!(of(2, 5..7, LONG), one(5..7));
        assert_eq!(of(2, 5..20, LONG), one(5..20));
        assert_eq!(of(2, 5..22, LONG), Some(vec![5..13, 13..22]));
        assert_eq!(of(1, 5..22, LONG), one(5..22));
        assert_eq!(of(2, 5..22, LONG / 17), one(5..22));
        assert_eq!(of(3, 0..96, LONG), Some(vec![0..32, 32..64, 64..96]));
    }
}
