//! Coordinates of two instructions over the same elements as those of a third.

use opml_vm::{
    Axis, Extent, Load, Term,
    isa::{MAX_RANK, SLOT_ACC, SLOT_K, SLOT_O},
};

/// For each coordinate the finer ones it is made of: their numbers, and a factor for each.
type Parts = Vec<Vec<(usize, i64)>>;

/// Axes of which the axes of two instructions are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Common {
    pub(super) extents: Vec<Extent>,
    pub(super) first: Parts,
    pub(super) second: Parts,
}

/// The coarsest axes of which both lists are made; `None` if there are none, or too many.
pub(super) fn common(first: &[Extent], second: &[Extent]) -> Option<Common> {
    let (first, second) = (extents(first)?, extents(second)?);
    let mut parts: [Parts; 2] = [vec![Vec::new(); first.len()], vec![Vec::new(); second.len()]];
    let mut found: Vec<i64> = Vec::new();
    let mut walks = [Walk::new(&first), Walk::new(&second)];
    loop {
        let extent = match (walks[0].rest(), walks[1].rest()) {
            (None, None) => break,
            (Some(a), Some(b)) if a.max(b) % a.min(b) == 0 => a.min(b),
            _ => return None,
        };
        for (walk, parts) in walks.iter_mut().zip(&mut parts) {
            parts[walk.axis].push((found.len(), walk.factor));
            walk.take(extent);
        }
        found.push(extent);
    }
    if found.len() > MAX_RANK {
        return None;
    }
    // They were found from the last one on.
    found.reverse();
    let last = found.len().saturating_sub(1);
    parts.iter_mut().flatten().flatten().for_each(|(number, _)| *number = last - *number);
    let extents = found.iter().map(|&extent| u32::try_from(extent).ok().map(Extent::Fixed)).collect::<Option<_>>()?;
    let [first, second] = parts;
    Some(Common { extents, first, second })
}

/// The way through the axes from the last one on.
struct Walk<'a> {
    extents: &'a [i64],
    axis: usize,
    /// What is taken of the axis already.
    factor: i64,
}

impl<'a> Walk<'a> {
    fn new(extents: &'a [i64]) -> Self {
        let mut walk = Self { extents, axis: extents.len(), factor: 1 };
        walk.go_on();
        walk
    }

    /// To the next axis that is longer than 1.
    fn go_on(&mut self) {
        self.factor = 1;
        while let Some(axis) = self.axis.checked_sub(1) {
            self.axis = axis;
            if self.extents[axis] != 1 {
                return;
            }
        }
        self.axis = usize::MAX;
    }

    /// What is left of the axis.
    fn rest(&self) -> Option<i64> {
        self.extents.get(self.axis).map(|extent| extent / self.factor)
    }

    fn take(&mut self, extent: i64) {
        self.factor = self.factor.saturating_mul(extent);
        if self.rest().is_some_and(|rest| rest == 1) {
            self.go_on();
        }
    }
}

/// The numbers, if all are fixed and none is 0.
pub(super) fn extents(list: &[Extent]) -> Option<Vec<i64>> {
    let number = |extent: &Extent| match extent {
        Extent::Fixed(0) | Extent::Dynamic(_) => None,
        Extent::Fixed(n) => Some(i64::from(*n)),
    };
    list.iter().map(number).collect()
}

/// Number of an output coordinate.
pub(super) fn coordinate(slot: u8) -> Option<usize> {
    (SLOT_O..SLOT_K).contains(&slot).then(|| usize::from(slot - SLOT_O))
}

/// Index terms with finer coordinates in the place of their own; other slots go through `moved`.
pub(super) fn terms(list: &[Term], parts: &Parts, moved: &dyn Fn(u8) -> Option<u8>) -> Option<Vec<Term>> {
    let mut sums: Vec<(u8, i64)> = Vec::new();
    let mut add = |slot: u8, coef: i64| match sums.iter_mut().find(|(known, _)| *known == slot) {
        Some((_, sum)) => *sum += coef,
        None => sums.push((slot, coef)),
    };
    for term in list {
        match coordinate(term.slot) {
            Some(number) => {
                for &(part, factor) in parts.get(number).map_or(&[][..], Vec::as_slice) {
                    add(SLOT_O.checked_add(u8::try_from(part).ok()?)?, i64::from(term.coef).checked_mul(factor)?);
                }
            }
            None => add(moved(term.slot)?, term.coef.into()),
        }
    }
    let sums = sums.into_iter().filter(|(_, coef)| *coef != 0);
    sums.map(|(slot, coef)| Some(Term { slot, coef: i32::try_from(coef).ok()? })).collect()
}

/// The slot of a coordinate as a number; none where it is made of several, or is always 0.
pub(super) fn operand(number: usize, parts: &Parts) -> Option<u8> {
    match parts.get(number)?.as_slice() {
        &[(part, 1)] => SLOT_O.checked_add(u8::try_from(part).ok()?),
        _ => None,
    }
}

/// Whether a load reads element by element what is as long as the reader's own output of these extents.
pub(super) fn is_identity(load: &Load, output: &[i64]) -> bool {
    let Some((base, coefficients)) = linear(load, output) else { return false };
    let mut step = 1;
    let strides = output.iter().rev().map(|&extent| {
        step *= i128::from(extent);
        step / i128::from(extent)
    });
    let strides: Vec<i128> = strides.collect();
    let follows = output.iter().zip(&coefficients).zip(strides.iter().rev());
    base == 0 && follows.into_iter().all(|((&extent, coefficient), stride)| extent == 1 || coefficient == stride)
}

/// The position that a load reads, as a number and steps of the output's coordinates; `None` if it follows anything else, or may be
/// outside.
pub(super) fn linear(load: &Load, output: &[i64]) -> Option<(i128, Vec<i128>)> {
    let (mut base, mut coefficients) = (0i128, vec![0i128; output.len()]);
    for axis in &load.axes {
        let (extent, own) = index(axis, output)?;
        base = base * i128::from(extent) + i128::from(axis.base);
        coefficients.iter_mut().zip(own).for_each(|(sum, own)| *sum = *sum * i128::from(extent) + i128::from(own));
    }
    Some((base, coefficients))
}

/// Whether the index of a load follows an output coordinate.
pub(super) fn follows(load: &Load, axis: usize) -> bool {
    load.axes.iter().flat_map(|axis| &axis.terms).any(|term| coordinate(term.slot) == Some(axis))
}

/// The extent of an axis and the coefficients of coordinates, if its index is always inside and follows nothing else.
fn index(axis: &Axis, output: &[i64]) -> Option<(i64, Vec<i64>)> {
    let Extent::Fixed(extent) = axis.extent else { return None };
    let mut coefficients = vec![0i64; output.len()];
    for term in &axis.terms {
        let own = coefficients.get_mut(coordinate(term.slot).filter(|_| term.slot < SLOT_ACC)?)?;
        *own = own.checked_add(term.coef.into())?;
    }
    let (mut low, mut high) = (axis.base, axis.base);
    for (coefficient, extent) in coefficients.iter().zip(output) {
        let end = coefficient.checked_mul(extent - 1)?;
        low = low.checked_add(end.min(0))?;
        high = high.checked_add(end.max(0))?;
    }
    let inside = low >= 0 && high < i64::from(extent);
    inside.then(|| (extent.into(), coefficients))
}
