//! Which numbers a slot can hold: closed intervals, and every operation over them.
//!
//! An interval may be too wide, never too narrow. Results at the corners come from [`opml_vm::eval::scalar`]; an operation
//! that is monotone in each operand (for a fixed sign of the divisor) has its extremes there.

use opml_vm::{DType, Opcode, Reducer, eval::scalar};

/// All numbers from `low` to `high`, which is not below `low`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) low: i64,
    pub(super) high: i64,
}

impl Interval {
    /// Every number.
    pub(super) const ALL: Self = Self { low: i64::MIN, high: i64::MAX };
    /// What a comparison gives.
    const BIT: Self = Self { low: 0, high: 1 };

    /// One number.
    pub(super) const fn point(value: i64) -> Self {
        Self { low: value, high: value }
    }

    /// What a type can hold.
    pub(super) const fn of(dtype: DType) -> Self {
        Self { low: dtype.min(), high: dtype.max() }
    }

    /// Coordinates of an axis.
    pub(super) fn axis(extent: i64) -> Self {
        Self { low: 0, high: (extent - 1).max(0) }
    }

    /// The least interval with both.
    pub(super) fn union(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// Each number clamped to the other interval.
    pub(super) fn saturated(self, to: Self) -> Self {
        Self { low: self.low.clamp(to.low, to.high), high: self.high.clamp(to.low, to.high) }
    }

    pub(super) const fn contains(self, value: i64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Whether all of it lies in the other.
    pub(super) const fn within(self, other: Self) -> bool {
        other.low <= self.low && self.high <= other.high
    }

    /// Whether i32 holds it.
    pub(super) const fn is_narrow(self) -> bool {
        self.within(Self::of(DType::I32))
    }

    /// The only number, if there is one.
    pub(super) const fn constant(self) -> Option<i64> {
        if self.low == self.high { Some(self.low) } else { None }
    }

    /// From exact bounds, saturated.
    pub(super) fn saturating(low: i128, high: i128) -> Self {
        Self { low: opml_vm::eval::saturate(low), high: opml_vm::eval::saturate(high) }
    }

    /// Bitwise results with the other: `−2^n ..= 2^n − 1` around both, without the negative half if neither has it.
    fn bits(self, other: Self) -> Self {
        let high = [self.high, !self.low, other.high, !other.low].into_iter().fold(0, i64::max);
        // All bits below the highest one set.
        let mask = high.checked_ilog2().map_or(0, |bit| i64::MAX >> (62 - bit.min(62)));
        Self { low: if self.low.min(other.low) < 0 { !mask } else { 0 }, high: mask }
    }

    /// The shift amount as the machine uses it.
    fn shift(self) -> Self {
        self.saturated(Self { low: 0, high: opml_vm::isa::MAX_SHIFT })
    }
}

/// Results of an operation over operands; operands past the arity are not looked at.
pub(super) fn apply(opcode: Opcode, [a, b, c]: [Interval; 3]) -> Interval {
    match opcode {
        Opcode::Load => Interval::point(0),
        Opcode::Eq | Opcode::Lt => Interval::BIT,
        Opcode::Select => b.union(c),
        Opcode::Abs if a.contains(0) => Interval { low: 0, ..corners(opcode, a, b, c) },
        Opcode::Abs | Opcode::Isqrt | Opcode::Log2 => corners(opcode, a, b, c),
        Opcode::Add | Opcode::Sub | Opcode::Mul | Opcode::Min | Opcode::Max | Opcode::Clamp => corners(opcode, a, b, c),
        Opcode::Shl | Opcode::Shr | Opcode::Rshr => corners(opcode, a, b.shift(), c),
        Opcode::Mulshr => corners(opcode, a, b, c.shift()),
        Opcode::And => and(a, b),
        Opcode::Or | Opcode::Xor => a.bits(b),
        Opcode::Div => signs(b, |b| corners(opcode, a, b, c)),
        Opcode::Rem => signs(b, |b| remainder(a, b)),
    }
}

/// The interval around the results at all corners.
fn corners(opcode: Opcode, a: Interval, b: Interval, c: Interval) -> Interval {
    let mut all = Interval::point(scalar(opcode, a.low, b.low, c.low));
    for a in [a.low, a.high] {
        for b in [b.low, b.high] {
            for c in [c.low, c.high] {
                all = all.union(Interval::point(scalar(opcode, a, b, c)));
            }
        }
    }
    all
}

fn and(a: Interval, b: Interval) -> Interval {
    match (a.low >= 0, b.low >= 0) {
        (true, true) => Interval { low: 0, high: a.high.min(b.high) },
        (true, false) => Interval { low: 0, high: a.high },
        (false, true) => Interval { low: 0, high: b.high },
        (false, false) => a.bits(b),
    }
}

/// Divisors of each sign apart; a divisor 0 gives 0.
fn signs(divisor: Interval, of: impl Fn(Interval) -> Interval) -> Interval {
    let zero = divisor.contains(0).then_some(Interval::point(0));
    let negative = (divisor.low < 0).then(|| of(Interval { low: divisor.low, high: divisor.high.min(-1) }));
    let positive = (divisor.high > 0).then(|| of(Interval { low: divisor.low.max(1), high: divisor.high }));
    let parts = [zero, negative, positive];
    parts.into_iter().flatten().reduce(Interval::union).unwrap_or(Interval::point(0))
}

/// A remainder has the sign of the divisor and a smaller magnitude.
fn remainder(a: Interval, b: Interval) -> Interval {
    if b.low > 0 {
        let high = if a.low >= 0 { a.high.min(b.high - 1) } else { b.high - 1 };
        Interval { low: 0, high }
    } else {
        Interval { low: b.low + 1, high: 0 }
    }
}

/// Reduced values of between `least` and `most` terms.
pub(super) fn reduced(reducer: Reducer, term: Interval, (least, most): (i64, i64)) -> Interval {
    let empty = (least == 0).then(|| Interval::point(opml_vm::eval::empty(reducer)));
    let some = match reducer {
        Reducer::Sum => {
            let low = i128::from(term.low) * i128::from(if term.low < 0 { most } else { least });
            let high = i128::from(term.high) * i128::from(if term.high < 0 { least } else { most });
            Interval::saturating(low, high)
        }
        Reducer::Max | Reducer::Min => term,
        Reducer::Argmax => Interval::axis(most),
    };
    empty.map_or(some, |empty| if most == 0 { empty } else { empty.union(some) })
}

#[cfg(test)]
mod tests {
    use opml_vm::testing::{EDGES, Rng};

    use super::*;

    impl Interval {
        /// The numbers between two, which may come in any order.
        fn between(a: i64, b: i64) -> Self {
            Self { low: a.min(b), high: a.max(b) }
        }
    }

    fn inside(rng: &mut Rng, interval: Interval) -> i64 {
        match rng.below(4) {
            0 => interval.low,
            1 => interval.high,
            _ => rng.value().clamp(interval.low, interval.high),
        }
    }

    #[test]
    fn results_lie_in_their_interval() {
        let mut rng = Rng::new(1);
        for &opcode in Opcode::ALL {
            for _ in 0..4000 {
                let operands = [0; 3].map(|_| Interval::between(rng.value(), rng.value()));
                let result = apply(opcode, operands);
                for _ in 0..8 {
                    let [a, b, c] = operands.map(|operand| inside(&mut rng, operand));
                    let value = scalar(opcode, a, b, c);
                    assert!(result.contains(value), "{opcode:?} {a} {b} {c} = {value}, {operands:?} {result:?}");
                }
            }
        }
    }

    #[test]
    fn all_of_small_intervals() {
        let ends = [-9, -4, -1, 0, 1, 3, 8];
        for &opcode in Opcode::ALL.iter().filter(|opcode| opcode.arity() < 3) {
            for (a, b) in ends.iter().flat_map(|&a| ends.iter().map(move |&b| (a, b))).filter(|(a, b)| a <= b) {
                for (c, d) in ends.iter().flat_map(|&c| ends.iter().map(move |&d| (c, d))).filter(|(c, d)| c <= d) {
                    let result = apply(opcode, [Interval::between(a, b), Interval::between(c, d), Interval::point(0)]);
                    for (x, y) in (a..=b).flat_map(|x| (c..=d).map(move |y| (x, y))) {
                        let value = scalar(opcode, x, y, 0);
                        assert!(result.contains(value), "{opcode:?} {x} {y} = {value}, {result:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn edges_are_points() {
        for &opcode in Opcode::ALL.iter().filter(|&&opcode| !matches!(opcode, Opcode::Eq | Opcode::Lt)) {
            for (&a, &b) in EDGES.iter().flat_map(|a| EDGES.iter().map(move |b| (a, b))) {
                let result = apply(opcode, [Interval::point(a), Interval::point(b), Interval::point(b)]);
                assert!(result.contains(scalar(opcode, a, b, b)), "{opcode:?} {a} {b}");
            }
        }
    }

    #[test]
    fn reductions() {
        let term = Interval::between(-3, 5);
        assert_eq!(reduced(Reducer::Sum, term, (4, 4)), Interval::between(-12, 20));
        assert_eq!(reduced(Reducer::Sum, Interval::between(2, 5), (0, 4)), Interval::between(0, 20));
        assert_eq!(reduced(Reducer::Sum, Interval::ALL, (9, 9)), Interval::ALL);
        assert_eq!(reduced(Reducer::Max, term, (1, 4)), term);
        assert_eq!(reduced(Reducer::Max, term, (0, 4)), Interval::between(i64::MIN, 5));
        assert_eq!(reduced(Reducer::Argmax, term, (1, 4)), Interval::between(0, 3));
        assert_eq!(reduced(Reducer::Min, term, (0, 0)), Interval::point(i64::MAX));
    }
}
