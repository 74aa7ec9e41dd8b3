//! Common loops over tensors that lie differently, and flat indices into them.

use super::{Digit, Draft, Index, LowerError, Reg, Stored, View};

/// Most terms of one axis word.
const TERMS: usize = opml_vm::isa::MAX_TERMS;

/// A loop over part of a logical shape, with one stride for each operand.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Loop {
    extent: i64,
    strides: Vec<i64>,
}

/// A logical shape cut into loops that all operands share.
#[derive(Debug, Clone)]
pub struct Domain {
    /// Loops in the order of the result's storage, slowest first.
    loops: Vec<Loop>,
    /// For each logical axis the numbers of its loops, slowest first.
    axes: Vec<Vec<usize>>,
}

impl Domain {
    /// Cuts the shape so that every operand, broadcast to it, has one stride in each loop; the loops are sorted as the
    /// first operand is stored.
    ///
    /// # Errors
    /// Two operands cut an axis at places that do not divide each other.
    pub fn new(operands: &[&View], shape: &[i64]) -> Result<Self, LowerError> {
        Self::sorted(operands, 0, shape)
    }

    /// [`Domain::new`] with the loops sorted as the operand of this number is stored.
    ///
    /// # Errors
    /// As [`Domain::new`].
    pub fn sorted(operands: &[&View], lead: usize, shape: &[i64]) -> Result<Self, LowerError> {
        let wide: Vec<View> = operands.iter().map(|view| view.broadcast(shape)).collect();
        let mut loops = Vec::new();
        let mut axes = Vec::new();
        for axis in 0..shape.len() {
            let lists: Vec<&[Digit]> = wide.iter().filter_map(|view| view.axes.get(axis).map(Vec::as_slice)).collect();
            let start = loops.len();
            loops.extend(refine(&lists)?);
            axes.push((start..loops.len()).collect());
        }
        let mut domain = Self { loops, axes };
        domain.sort(lead);
        Ok(domain)
    }

    /// Sorts by an operand's strides, descending; loops that it does not follow stay where they are.
    fn sort(&mut self, lead: usize) {
        let stride = |number: usize| self.loops[number].strides.get(lead).copied().unwrap_or(0);
        let places: Vec<usize> = (0..self.loops.len()).filter(|&number| stride(number) != 0).collect();
        let mut sorted = places.clone();
        sorted.sort_by_key(|&number| std::cmp::Reverse(stride(number).abs()));
        let mut order: Vec<usize> = (0..self.loops.len()).collect();
        for (place, number) in places.into_iter().zip(sorted) {
            order[place] = number;
        }
        let place = |number: usize| order.iter().position(|&other| other == number).unwrap_or(number);
        for number in self.axes.iter_mut().flatten() {
            *number = place(*number);
        }
        self.loops = order.iter().map(|&number| self.loops[number].clone()).collect();
    }

    /// Loops joined where one continues the other in every operand: extents and strides.
    pub fn merged(&self) -> Vec<(i64, Vec<i64>)> {
        let mut result: Vec<(i64, Vec<i64>)> = Vec::new();
        for Loop { extent, strides } in self.loops.iter().filter(|l| l.extent != 1) {
            let continues = |last: &[i64]| last.iter().zip(strides).all(|(outer, inner)| *outer == inner * extent);
            match result.last_mut() {
                Some((last, outer)) if continues(outer) => {
                    *last *= extent;
                    outer.clone_from(strides);
                }
                _ => result.push((*extent, strides.clone())),
            }
        }
        result
    }

    /// The logical shape over a result that was stored in loop order, each element followed by `inner` others.
    pub fn result(&self, stored: Stored, inner: i64) -> View {
        let mut strides = vec![0; self.loops.len()];
        let mut stride = inner;
        for (number, l) in self.loops.iter().enumerate().rev() {
            strides[number] = stride;
            stride *= l.extent;
        }
        let digit = |&number: &usize| Digit { extent: self.loops[number].extent, stride: strides[number] };
        let axes = self.axes.iter().map(|axis| axis.iter().map(digit).filter(|digit| digit.extent != 1).collect());
        View { stored, base: 0, axes: axes.collect() }
    }
}

/// Loops of one axis that refine all lists of digits; each list has the same product.
fn refine(lists: &[&[Digit]]) -> Result<Vec<Loop>, LowerError> {
    let mut cuts: Vec<i64> = vec![1];
    for digits in lists {
        let mut size = 1;
        for digit in digits.iter().rev() {
            size *= digit.extent;
            cuts.push(size);
        }
    }
    cuts.sort_unstable();
    cuts.dedup();
    let mut loops = Vec::new();
    for pair in cuts.windows(2).rev() {
        let (low, high) = (pair[0], pair[1]);
        if high % low != 0 {
            return Err(LowerError::Layout("operands lie in parts that do not fit each other"));
        }
        let strides = lists.iter().map(|digits| stride_at(digits, low)).collect::<Option<_>>();
        let strides = strides.ok_or(LowerError::Layout("operands lie in parts that do not fit each other"))?;
        loops.push(Loop { extent: high / low, strides });
    }
    Ok(loops)
}

/// Elements that a step of `size` along an axis moves in an operand.
fn stride_at(digits: &[Digit], size: i64) -> Option<i64> {
    let mut below = 1;
    for digit in digits.iter().rev() {
        if size < below * digit.extent {
            return (size % below == 0).then(|| digit.stride * (size / below));
        }
        below *= digit.extent;
    }
    None
}

impl Draft {
    /// Reads the element of a view at `Σ stride · reg`, which is always inside; `terms` are (register, extent, stride).
    pub fn load_at(&mut self, x: &View, terms: &[(Reg, i64, i64)]) -> Reg {
        let axes = self.flat(x, terms);
        self.load(x.stored.clone(), 0, axes)
    }

    /// One axis word; or two, if there are too many terms and the strides allow a cut; or one with a computed address.
    fn flat(&mut self, x: &View, terms: &[(Reg, i64, i64)]) -> Vec<(i64, Index)> {
        let elements = x.stored.elements;
        let mut terms: Vec<_> = terms.iter().filter(|(_, _, stride)| *stride != 0).collect();
        let index = |terms: &[&(Reg, i64, i64)], unit: i64, base: i64| {
            let start = Index::constant(base);
            terms.iter().fold(start, |index, (reg, _, stride)| index.plus(*reg, stride / unit))
        };
        if terms.len() <= TERMS {
            return vec![(elements, index(&terms, 1, x.base))];
        }
        terms.sort_by_key(|(_, _, stride)| std::cmp::Reverse(stride.abs()));
        for outer in terms.len().saturating_sub(TERMS)..=TERMS {
            let (high, low) = terms.split_at(outer);
            let unit = high.last().map_or(1, |(_, _, stride)| *stride);
            let reach: i64 = low.iter().map(|(_, extent, stride)| (extent - 1) * stride).sum();
            let forward = terms.iter().all(|(_, _, stride)| *stride > 0);
            if forward
                && x.base == 0
                && reach < unit
                && elements % unit == 0
                && high.iter().all(|(_, _, stride)| stride % unit == 0)
            {
                return vec![(elements / unit, index(high, unit, 0)), (unit, index(low, 1, 0))];
            }
        }
        let rest = terms.split_off(TERMS - 1);
        let mut address: Option<Reg> = None;
        for &(reg, _, stride) in rest {
            let term = self.mul(reg, stride);
            address = Some(match address {
                Some(sum) => self.add(sum, term),
                None => term,
            });
        }
        let near = index(&terms, 1, x.base);
        vec![(elements, address.map_or(near.clone(), |reg| near.plus(reg, 1)))]
    }
}
