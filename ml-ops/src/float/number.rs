//! The two kinds of numbers that operators are evaluated on: f32, and i64 where all operands are integers.

use super::{Operand, functions, real};
use crate::{
    graph::{Function, Operator, Pairwise, Reduction},
    num,
};

/// A function of one number.
pub(super) type Unary<T> = Box<dyn Fn(T) -> T>;
/// A function of two numbers.
pub(super) type Binary<T> = fn(T, T) -> T;

/// A number; integers saturate.
pub(crate) trait Number: Copy + PartialOrd + Send + Sync + 'static {
    /// 0.
    const ZERO: Self;
    /// Below or equal to every number.
    const LOWEST: Self;

    /// Sum.
    fn plus(self, other: Self) -> Self;
    /// Difference.
    fn minus(self, other: Self) -> Self;
    /// Product.
    fn times(self, other: Self) -> Self;
    /// A count.
    fn of_count(n: usize) -> Self;
    /// An attribute, if it is of this kind.
    fn of_real(value: f32) -> Option<Self>;
    /// The nearest integer.
    fn integer(self) -> i64;
    /// `min(max(x, low), high)`.
    fn clip(self, low: f32, high: f32) -> Self;
    /// `Σ a·b` in a fixed order, rounded or saturated at the end.
    fn dot(a: &[Self], b: &[Self]) -> Self;
    /// A reduction of numbers in their order.
    fn reduce(kind: Reduction, values: impl Iterator<Item = Self>) -> Option<Self>;
    /// Sums of the first 1, 2, … numbers.
    fn sums(values: &mut [Self]);
    /// A function, if it gives numbers of this kind.
    fn function(function: Function) -> Option<Unary<Self>>;
    /// A function of two numbers; see [`Number::function`].
    fn pairwise(function: Pairwise) -> Option<Binary<Self>>;
    /// The operators that only one kind of number has.
    fn own(operator: &Operator, operands: &[Operand<'_, Self>], shape: &[usize]) -> Option<Vec<Self>>;
}

/// Partial sums that are kept apart; their number and the order of the final sum are part of the result.
const LANES: usize = 16;

impl Number for f32 {
    const ZERO: Self = 0.0;
    const LOWEST: Self = Self::NEG_INFINITY;

    fn plus(self, other: Self) -> Self {
        self + other
    }
    fn minus(self, other: Self) -> Self {
        self - other
    }
    fn times(self, other: Self) -> Self {
        self * other
    }
    fn of_count(n: usize) -> Self {
        num::single(num::real(num::signed(n)))
    }
    fn of_real(value: f32) -> Option<Self> {
        Some(value)
    }
    fn integer(self) -> i64 {
        num::round(f64::from(self))
    }
    fn clip(self, low: f32, high: f32) -> Self {
        self.max(low).min(high)
    }

    fn dot(a: &[Self], b: &[Self]) -> Self {
        let (a_chunks, a_rest) = a.as_chunks::<LANES>();
        let (b_chunks, b_rest) = b.as_chunks::<LANES>();
        let mut lanes = [0.0f32; LANES];
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            for (lane, (x, y)) in lanes.iter_mut().zip(a.iter().zip(b)) {
                *lane += x * y;
            }
        }
        let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
        lanes.iter().sum::<f32>() + rest
    }

    fn reduce(kind: Reduction, values: impl Iterator<Item = Self>) -> Option<Self> {
        let mut count = 0;
        let wide = values.inspect(|_| count += 1).map(f64::from);
        let result = match kind {
            Reduction::Sum | Reduction::Mean => wide.sum(),
            Reduction::Max => wide.fold(f64::NEG_INFINITY, f64::max),
            Reduction::Min => wide.fold(f64::INFINITY, f64::min),
            Reduction::SumSquare => wide.map(|v| v * v).sum(),
            Reduction::SumAbs => wide.map(f64::abs).sum(),
            Reduction::Product => wide.product(),
        };
        let result = if kind == Reduction::Mean { result / num::real(count) } else { result };
        Some(num::single(result))
    }

    fn sums(values: &mut [Self]) {
        let mut sum = 0.0;
        for value in values {
            sum += f64::from(*value);
            *value = num::single(sum);
        }
    }

    fn function(function: Function) -> Option<Unary<Self>> {
        Some(Box::new(move |x| num::single(functions::real(function, f64::from(x)))))
    }

    fn pairwise(function: Pairwise) -> Option<Binary<Self>> {
        Some(functions::real_pair(function))
    }

    fn own(operator: &Operator, operands: &[Operand<'_>], shape: &[usize]) -> Option<Vec<Self>> {
        real::evaluate(operator, operands, shape)
    }
}

impl Number for i64 {
    const ZERO: Self = 0;
    const LOWEST: Self = Self::MIN;

    fn plus(self, other: Self) -> Self {
        self.saturating_add(other)
    }
    fn minus(self, other: Self) -> Self {
        self.saturating_sub(other)
    }
    fn times(self, other: Self) -> Self {
        self.saturating_mul(other)
    }
    fn of_count(n: usize) -> Self {
        num::signed(n)
    }
    fn of_real(value: f32) -> Option<Self> {
        num::integral(value)
    }
    fn integer(self) -> i64 {
        self
    }
    fn clip(self, low: f32, high: f32) -> Self {
        let low = num::round(libm::ceil(f64::from(low)));
        self.max(low).min(num::round(libm::floor(f64::from(high))))
    }

    fn dot(a: &[Self], b: &[Self]) -> Self {
        let sum = a.iter().zip(b).fold(0i128, |sum, (&x, &y)| sum.saturating_add(i128::from(x) * i128::from(y)));
        num::saturated(sum)
    }

    fn reduce(kind: Reduction, values: impl Iterator<Item = Self>) -> Option<Self> {
        let sum = |values: &mut dyn Iterator<Item = i128>| values.fold(0i128, i128::saturating_add);
        let mut values = values.map(i128::from);
        Some(num::saturated(match kind {
            Reduction::Sum => sum(&mut values),
            Reduction::SumSquare => sum(&mut values.map(|v| v * v)),
            Reduction::SumAbs => sum(&mut values.map(i128::abs)),
            Reduction::Max => values.max()?,
            Reduction::Min => values.min()?,
            Reduction::Product => values.fold(1, i128::saturating_mul),
            Reduction::Mean => return None,
        }))
    }

    fn sums(values: &mut [Self]) {
        let mut sum = 0i128;
        for value in values {
            sum = sum.saturating_add(i128::from(*value));
            *value = num::saturated(sum);
        }
    }

    fn function(function: Function) -> Option<Unary<Self>> {
        functions::integer(function)
    }

    fn pairwise(function: Pairwise) -> Option<Binary<Self>> {
        functions::integer_pair(function)
    }

    fn own(_: &Operator, _: &[Operand<'_, Self>], _: &[usize]) -> Option<Vec<Self>> {
        None
    }
}
