//! Two instructions as one.

use opml_vm::{
    DType, Instruction, Op, Opcode, Source,
    isa::{MAX_CONSTANTS, MAX_OPS, SLOT_ACC, SLOT_CONST, SLOT_K, SLOT_T},
};

use super::{
    axes::{self, Common},
    is_elementwise, is_product,
};

/// Both as one, if an instruction holds it. `first` comes with its number; `dtype_of` tells the types of values.
pub(super) fn joined(
    (number, first): (u32, &Instruction),
    second: &Instruction,
    dtype_of: &dyn Fn(u32) -> Option<DType>,
) -> Option<Instruction> {
    let apart = is_elementwise(first);
    if !apart && !is_product(first) {
        return None;
    }
    let common = axes::common(&first.output, &second.output)?;
    // The axes of a product stay: they are its rows and columns.
    let split = common.first.iter().any(|parts| parts.len() > 1);
    if !apart && split || !reads_alike(number, second)? {
        return None;
    }
    let limits = (!is_stored_as_it_is(first, apart, dtype_of)).then(|| [first.dtype.min(), first.dtype.max()]);
    let mut constants = first.constants.clone();
    for &constant in second.constants.iter().chain(limits.iter().flatten()) {
        if !constants.contains(&constant) {
            constants.push(constant);
        }
    }
    if constants.len() > MAX_CONSTANTS {
        return None;
    }
    let join = Join { common: &common, constants: &constants };
    let map = join.first(first, &first.map)?;
    let (map, post) = if apart {
        (join.second(map, limits, (number, second))?, Vec::new())
    } else {
        (map, join.second(join.first(first, &first.post)?, limits, (number, second))?)
    };
    let output = common.extents.clone();
    let fits = map.len() <= MAX_OPS && post.len() <= MAX_OPS;
    fits.then(|| Instruction { dtype: second.dtype, output, constants, map, post, ..first.clone() })
}

/// Whether all loads of a value read the element that is being computed, and whether the reader's numbers mean the same in `post`.
fn reads_alike(number: u32, second: &Instruction) -> Option<bool> {
    let output = axes::extents(&second.output)?;
    let alike = second.map.iter().all(|op| match op {
        Op::Load(load) if load.source == Source::Value(number) => axes::is_identity(load, &output),
        Op::Load(load) => load.registers().all(is_known),
        Op::Scalar { opcode, operands } => operands[..opcode.arity()].iter().all(|&slot| is_known(slot)),
    });
    // Otherwise it would only be another name for the value.
    Some(alike && !matches!(second.map.last(), Some(Op::Load(load)) if load.source == Source::Value(number)))
}

/// Whether a slot is neither a term's coordinate nor a reduced value.
fn is_known(slot: u8) -> bool {
    !(SLOT_K..=SLOT_ACC).contains(&slot)
}

/// Whether its elements are inside their type's range before they are stored.
fn is_stored_as_it_is(first: &Instruction, apart: bool, dtype_of: &dyn Fn(u32) -> Option<DType>) -> bool {
    let (low, high) = (first.dtype.min(), first.dtype.max());
    let inside = |least: i64, most: i64| low <= least && most <= high;
    let constant = |slot: u8| first.constants.get(usize::from(slot.checked_sub(SLOT_CONST)?)).copied();
    match if apart { first.map.last() } else { first.post.last() } {
        _ if first.dtype == DType::I64 => true,
        Some(Op::Scalar { opcode: Opcode::Clamp, operands: [_, least, most] }) => {
            constant(*least).zip(constant(*most)).is_some_and(|(least, most)| least <= most && inside(least, most))
        }
        Some(Op::Scalar { opcode: Opcode::Eq | Opcode::Lt, .. }) => inside(0, 1),
        Some(Op::Load(load)) => match load.source {
            Source::Value(number) => {
                dtype_of(number).is_some_and(|dtype| inside(dtype.min(), dtype.max())) && inside(load.pad, load.pad)
            }
            _ => false,
        },
        _ => false,
    }
}

/// Slots of the whole.
pub(super) struct Join<'a> {
    pub(super) common: &'a Common,
    pub(super) constants: &'a [i64],
}

impl Join<'_> {
    /// Slot of the first result of a program.
    fn base(&self) -> usize {
        usize::from(SLOT_CONST) + self.constants.len()
    }

    fn constant(&self, number: i64) -> Option<u8> {
        let place = self.constants.iter().position(|&known| known == number)?;
        u8::try_from(usize::from(SLOT_CONST) + place).ok()
    }

    /// A program of the first instruction.
    pub(super) fn first(&self, first: &Instruction, program: &[Op]) -> Option<Vec<Op>> {
        let results: Vec<u8> =
            (self.base()..self.base() + program.len()).map_while(|slot| u8::try_from(slot).ok()).collect();
        program.iter().map(|op| self.renumbered(op, &self.common.first, first, &results)).collect()
    }

    /// A program that goes on with the second instruction.
    fn second(
        &self,
        before: Vec<Op>,
        limits: Option<[i64; 2]>,
        (number, second): (u32, &Instruction),
    ) -> Option<Vec<Op>> {
        let mut program = before;
        let last = |program: &[Op]| match program.len().checked_sub(1) {
            Some(last) => u8::try_from(self.base() + last).ok(),
            None => Some(SLOT_ACC),
        };
        let mut stored = last(&program)?;
        if let Some([low, high]) = limits {
            let operands = [stored, self.constant(low)?, self.constant(high)?];
            program.push(Op::Scalar { opcode: Opcode::Clamp, operands });
            stored = last(&program)?;
        }
        let mut results = Vec::with_capacity(second.map.len());
        for op in &second.map {
            if matches!(op, Op::Load(load) if load.source == Source::Value(number)) {
                results.push(stored);
                continue;
            }
            program.push(self.renumbered(op, &self.common.second, second, &results)?);
            results.push(last(&program)?);
        }
        Some(program)
    }

    /// An operation of one of the two, whose results before it stand in these slots.
    fn renumbered(
        &self,
        op: &Op,
        parts: &Vec<Vec<(usize, i64)>>,
        instruction: &Instruction,
        results: &[u8],
    ) -> Option<Op> {
        let moved = |slot: u8| match slot.checked_sub(SLOT_CONST) {
            None if slot == SLOT_T || !(..SLOT_K).contains(&slot) => Some(slot),
            None => axes::operand(axes::coordinate(slot)?, parts),
            Some(number) => match instruction.constants.get(usize::from(number)) {
                Some(&constant) => self.constant(constant),
                None => results.get(usize::from(number) - instruction.constants.len()).copied(),
            },
        };
        Some(match op {
            Op::Scalar { opcode, operands } => {
                let mut operands = *operands;
                for slot in &mut operands[..opcode.arity()] {
                    *slot = moved(*slot)?;
                }
                Op::Scalar { opcode: *opcode, operands }
            }
            Op::Load(load) => {
                let mut load = load.clone();
                if let Source::History { terms, .. } = &mut load.source {
                    *terms = axes::terms(terms, parts, &moved)?;
                }
                for axis in &mut load.axes {
                    axis.terms = axes::terms(&axis.terms, parts, &moved)?;
                }
                Op::Load(load)
            }
        })
    }
}
