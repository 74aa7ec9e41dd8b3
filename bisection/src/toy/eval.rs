//! The toy's arithmetic, over whatever memory holds the operands.

use super::hash::mix;
use super::program::Instruction;
use crate::position::Header;
use crate::rules::StepRefused;
use crate::split::exact_sum;

/// Where operands come from.
pub(super) trait Memory {
    fn header(&self, leaf: u64) -> Result<Header, StepRefused>;
    fn element(&self, leaf: u64, e: u64) -> Result<i64, StepRefused>;
}

/// A step: the instruction at a trace leaf of iteration `t`.
pub(super) struct At<'a, M> {
    pub(super) instruction: &'a Instruction,
    pub(super) leaf: u64,
    pub(super) t: u64,
    pub(super) memory: &'a M,
}

impl<M: Memory> At<'_, M> {
    /// A pseudo-random earlier cell; 7 where there is none.
    fn load(&self, r: u64) -> Result<i64, StepRefused> {
        if self.leaf == 0 {
            return Ok(7);
        }
        let source = r % self.leaf;
        let elements = self.memory.header(source)?.elements;
        let e = (r >> 20) % (elements + 1);
        if e < elements { self.memory.element(source, e) } else { Ok(7) }
    }

    fn term(&self, e: u64, k: u64) -> Result<i64, StepRefused> {
        let r = mix(self.instruction.seed ^ mix(e) ^ mix(k.wrapping_add(1_000_000)));
        let factor = i64::try_from((r >> 50) % 7).unwrap_or(0) - 3;
        let bias = i64::try_from((r >> 40) % 11).unwrap_or(0) - 5;
        Ok(self.load(r)?.saturating_mul(factor).saturating_add(bias))
    }

    /// Partial over `[k0, k1)`.
    pub(super) fn partial(&self, e: u64, k0: u64, k1: u64) -> Result<i128, StepRefused> {
        let terms = (k0..k1).map(|k| {
            let term = i128::from(self.term(e, k)?);
            Ok(if self.instruction.reducer == 3 { (term << 32) + i128::from(u32::MAX) - i128::from(k) } else { term })
        });
        let terms = terms.collect::<Result<Vec<_>, StepRefused>>()?;
        combine(self.instruction.reducer, &terms).ok_or_else(|| StepRefused("empty slice".into()))
    }

    /// Value of the element if the reduction's partial is `partial` (none: no terms).
    pub(super) fn post(&self, e: u64, partial: Option<i128>) -> Result<i64, StepRefused> {
        let Instruction { seed, reducer, until, dtype, .. } = *self.instruction;
        if until != 0 {
            return Ok(i64::from(self.t + 1 >= u64::from(until)));
        }
        let acc = match (reducer, partial) {
            (1, None) => i64::MIN,
            (2, None) => i64::MAX,
            (_, None) => 0,
            (3, Some(p)) => i64::from(u32::MAX) - saturate(p.rem_euclid(1 << 32), i64::MIN, i64::MAX),
            (_, Some(p)) => saturate(p, i64::MIN, i64::MAX),
        };
        let bias = self.load(mix(seed ^ mix(e).rotate_left(7)))?;
        Ok(store(dtype, i128::from(acc) + i128::from(bias)))
    }

    /// Value of the element.
    pub(super) fn element(&self, e: u64) -> Result<i64, StepRefused> {
        let terms = u64::from(self.instruction.terms);
        let partial = if terms == 0 { None } else { Some(self.partial(e, 0, terms)?) };
        self.post(e, partial)
    }
}

/// `⊕` of partials.
pub(super) fn combine(reducer: u8, partials: &[i128]) -> Option<i128> {
    match reducer {
        0 => exact_sum(partials),
        1 | 3 => partials.iter().max().copied(),
        2 => partials.iter().min().copied(),
        _ => None,
    }
}

fn saturate(x: i128, min: i64, max: i64) -> i64 {
    i64::try_from(x.clamp(i128::from(min), i128::from(max))).unwrap_or(0)
}

fn store(dtype: u8, x: i128) -> i64 {
    match dtype {
        0 => saturate(x, 0, 255),
        1 => saturate(x, -128, 127),
        2 => saturate(x, i64::from(i16::MIN), i64::from(i16::MAX)),
        3 => saturate(x, i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => saturate(x, i64::MIN, i64::MAX),
    }
}

/// Bytes of an element.
pub(super) fn size(dtype: u8) -> Option<u64> {
    [1, 1, 2, 4, 8].get(usize::from(dtype)).copied()
}

/// Little-endian two's complement, of the dtype's size.
pub(super) fn encode(dtype: u8, value: i64) -> Vec<u8> {
    let size = size(dtype).and_then(|s| usize::try_from(s).ok()).unwrap_or(8);
    value.to_le_bytes().into_iter().take(size).collect()
}

/// The number that these bytes encode.
pub(super) fn decode(dtype: u8, bytes: &[u8]) -> Option<i64> {
    let size = usize::try_from(size(dtype)?).ok()?;
    if bytes.len() != size {
        return None;
    }
    let fill = if dtype > 0 && bytes.last()? & 0x80 != 0 { 0xff } else { 0 };
    let mut wide = [fill; 8];
    for (to, from) in wide.iter_mut().zip(bytes) {
        *to = *from;
    }
    Some(i64::from_le_bytes(wide))
}
