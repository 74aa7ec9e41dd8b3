//! Reductions of blocks: across terms, a total for each lane; or along lanes, a total for each row.

use opml_vm::{Reducer, eval::saturate};

use super::{machine::Numbers, number::Number, simd::Kernels};
use crate::engine::interval::{self, Interval};

/// What totals are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Sums, greatest or least numbers in i32.
    Narrow,
    /// The same in i64.
    Wide,
    /// Sums in i128.
    Exact,
    /// The greatest number in i64 and where it is.
    Argmax,
}

/// A reduction with the numbers it meets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reduction {
    reducer: Reducer,
    kind: Kind,
    /// Sums of as many lanes fit i32.
    chunk: usize,
}

impl Reduction {
    /// Of `terms` numbers in an interval.
    pub(super) fn new(reducer: Reducer, term: Interval, terms: i64) -> Self {
        let magnitude = i128::from(term.low).abs().max(i128::from(term.high).abs()).max(1);
        let fits = |limit: i128| magnitude.saturating_mul(i128::from(terms.max(1))) <= limit;
        let kind = match reducer {
            Reducer::Argmax => Kind::Argmax,
            Reducer::Sum if fits(i128::from(i32::MAX)) => Kind::Narrow,
            Reducer::Sum if fits(i128::from(i64::MAX)) => Kind::Wide,
            Reducer::Sum => Kind::Exact,
            Reducer::Max | Reducer::Min if term.is_narrow() => Kind::Narrow,
            Reducer::Max | Reducer::Min => Kind::Wide,
        };
        let chunk = usize::try_from(i128::from(i32::MAX) / magnitude).unwrap_or(0);
        Self { reducer, kind, chunk }
    }

    pub(super) const fn reducer(self) -> Reducer {
        self.reducer
    }

    /// What comes out.
    pub(super) fn interval(reducer: Reducer, term: Interval, terms: i64) -> Interval {
        interval::reduced(reducer, term, (terms, terms))
    }
}

/// Totals in the making.
#[derive(Debug, Default)]
pub(super) struct Totals {
    narrow: Vec<i32>,
    wide: Vec<i64>,
    exact: Vec<i128>,
    /// Number of the greatest term so far; −1 before the first.
    place: Vec<i64>,
}

impl Totals {
    /// Begins `count` totals.
    pub(super) fn start(&mut self, reduction: Reduction, count: usize) {
        let neutral = opml_vm::eval::empty(reduction.reducer);
        let narrow = neutral.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
        match reduction.kind {
            Kind::Narrow => refill(&mut self.narrow, count, i32::cut(narrow)),
            Kind::Wide => refill(&mut self.wide, count, neutral),
            Kind::Exact => refill(&mut self.exact, count, 0),
            Kind::Argmax => {
                refill(&mut self.wide, count, i64::MIN);
                refill(&mut self.place, count, -1);
            }
        }
    }

    /// Adds term number `number` of each lane.
    pub(super) fn across(&mut self, reduction: Reduction, kernels: Kernels, terms: Numbers<'_>, number: i64) {
        match (reduction.kind, terms) {
            (Kind::Narrow, Numbers::Narrow(terms)) => combine(reduction.reducer, kernels, &mut self.narrow, terms),
            (Kind::Narrow, Numbers::Wide(terms)) => combine(reduction.reducer, kernels, &mut self.narrow, terms),
            (Kind::Wide, Numbers::Narrow(terms)) => combine(reduction.reducer, kernels, &mut self.wide, terms),
            (Kind::Wide, Numbers::Wide(terms)) => combine(reduction.reducer, kernels, &mut self.wide, terms),
            (Kind::Exact, Numbers::Narrow(terms)) => exactly(&mut self.exact, terms),
            (Kind::Exact, Numbers::Wide(terms)) => exactly(&mut self.exact, terms),
            (Kind::Argmax, Numbers::Narrow(terms)) => self.greatest(terms, number),
            (Kind::Argmax, Numbers::Wide(terms)) => self.greatest(terms, number),
        }
    }

    fn greatest<A: Number>(&mut self, terms: &[A], number: i64) {
        for ((best, place), &term) in self.wide.iter_mut().zip(&mut self.place).zip(terms) {
            let term = term.wide();
            if *place < 0 || term > *best {
                (*best, *place) = (term, number);
            }
        }
    }

    /// Adds `lanes` consecutive terms to the total of each row, beginning with term number `first`.
    pub(super) fn along(
        &mut self,
        reduction: Reduction,
        kernels: Kernels,
        terms: Numbers<'_>,
        (lanes, first): (usize, i64),
    ) {
        match terms {
            Numbers::Narrow(terms) => {
                for (row, terms) in terms.chunks_exact(lanes).enumerate() {
                    self.row(reduction, kernels, terms, (row, first));
                }
            }
            Numbers::Wide(terms) => {
                for (row, terms) in terms.chunks_exact(lanes).enumerate() {
                    self.row(reduction, kernels, terms, (row, first));
                }
            }
        }
    }

    fn row<A: Number>(&mut self, reduction: Reduction, kernels: Kernels, terms: &[A], (row, first): (usize, i64)) {
        match (reduction.reducer, reduction.kind) {
            (Reducer::Argmax, _) => self.greatest_along(kernels, terms, (row, first)),
            (Reducer::Sum, Kind::Exact) => {
                self.exact[row] = terms.iter().fold(self.exact[row], |sum, term| sum + i128::from(term.wide()));
            }
            (Reducer::Sum, kind) => {
                let mut sum = 0;
                if terms.len() <= reduction.chunk {
                    kernels.sum::<i32, A>(&mut sum, terms);
                } else {
                    kernels.sum::<i64, A>(&mut sum, terms);
                }
                match kind {
                    Kind::Narrow => self.narrow[row] = self.narrow[row].wrapping_add(i32::cut(sum)),
                    _ => self.wide[row] = self.wide[row].wrapping_add(sum),
                }
            }
            (reducer, kind) => {
                let narrow = kind == Kind::Narrow;
                let mut total = if narrow { i64::from(self.narrow[row]) } else { self.wide[row] };
                match reducer {
                    Reducer::Max => kernels.greatest(&mut total, terms),
                    _ => kernels.least(&mut total, terms),
                }
                if narrow {
                    self.narrow[row] = i32::cut(total);
                } else {
                    self.wide[row] = total;
                }
            }
        }
    }

    /// The first of the greatest, whatever the order in which terms come.
    fn greatest_along<A: Number>(&mut self, kernels: Kernels, terms: &[A], (row, first): (usize, i64)) {
        let mut best = i64::MIN;
        kernels.greatest(&mut best, terms);
        let (old, old_place) = (self.wide[row], self.place[row]);
        if old_place >= 0 && best < old {
            return;
        }
        let place = terms.iter().position(|term| term.wide() == best);
        let place = first + place.and_then(|place| i64::try_from(place).ok()).unwrap_or(0);
        if old_place < 0 || best > old || place < old_place {
            (self.wide[row], self.place[row]) = (best, place);
        }
    }

    /// The reduced values.
    pub(super) fn finish(&mut self, reduction: Reduction) -> Numbers<'_> {
        match reduction.kind {
            Kind::Narrow => Numbers::Narrow(&self.narrow),
            Kind::Wide => Numbers::Wide(&self.wide),
            Kind::Exact => {
                self.wide.clear();
                self.wide.extend(self.exact.iter().map(|&sum| saturate(sum)));
                Numbers::Wide(&self.wide)
            }
            Kind::Argmax => Numbers::Wide(&self.place),
        }
    }
}

fn refill<T: Copy>(list: &mut Vec<T>, count: usize, value: T) {
    list.clear();
    list.resize(count, value);
}

fn combine<A: Number, O: Number>(reducer: Reducer, kernels: Kernels, totals: &mut [O], terms: &[A]) {
    match reducer {
        Reducer::Sum => kernels.add_to(totals, terms),
        Reducer::Max => kernels.max_to(totals, terms),
        Reducer::Min => kernels.min_to(totals, terms),
        // Kept by place.
        Reducer::Argmax => {}
    }
}

fn exactly<A: Number>(totals: &mut [i128], terms: &[A]) {
    for (total, term) in totals.iter_mut().zip(terms) {
        *total += i128::from(term.wide());
    }
}
