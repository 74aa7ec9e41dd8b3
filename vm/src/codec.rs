//! The canonical bytes of an instruction (SPEC §3.1, §3.3): one encoding per instruction.

use alloc::vec::Vec;

use crate::{
    error::DecodeError,
    instruction::{Axis, Dynamic, Extent, Instruction, Load, Op, Source, Term},
    isa::{
        ARGMAX_TERMS, DType, EXTENT_LIMIT, MAX_CONSTANTS, MAX_DYNAMICS, MAX_ELEMENTS, MAX_ENCODED, MAX_LOADS, MAX_OPS,
        MAX_RANK, MAX_TERMS, Opcode, Reducer, SLOT_CONST,
    },
};

/// How many instructions, constants and inputs a program has: what decoding needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Number `N` of instructions.
    pub instructions: u32,
    /// Number of constants.
    pub constants: u32,
    /// Number of inputs.
    pub inputs: u32,
}

/// Bit of an extent word that marks the number of a dynamic extent.
const DYNAMIC: u32 = 1 << 31;

/// The bytes of a well-formed instruction.
///
/// # Errors
/// The instruction breaks a rule of SPEC §3.3; found by decoding what was written.
pub fn encode(instruction: &Instruction, counts: &Counts) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    out.push(instruction.dtype.code());
    out.push(instruction.reducer.code());
    for (field, length, limit) in [
        ("output rank", instruction.output.len(), MAX_RANK),
        ("reduction rank", instruction.reduction.len(), MAX_RANK),
        ("constants", instruction.constants.len(), MAX_CONSTANTS),
        ("map operations", instruction.map.len(), MAX_OPS),
        ("post operations", instruction.post.len(), MAX_OPS),
        ("dynamic extents", instruction.dynamics.len(), MAX_DYNAMICS),
    ] {
        out.push(count(field, length, limit)?);
    }
    for &extent in instruction.output.iter().chain(&instruction.reduction) {
        put_extent(&mut out, extent)?;
    }
    for dynamic in &instruction.dynamics {
        out.extend(dynamic.a.to_be_bytes());
        out.extend(dynamic.b.to_be_bytes());
        out.extend(dynamic.cap.to_be_bytes());
    }
    for constant in &instruction.constants {
        out.extend(constant.to_be_bytes());
    }
    for op in instruction.map.iter().chain(&instruction.post) {
        put_op(&mut out, op)?;
    }
    decode(&out, counts)?;
    Ok(out)
}

fn count(field: &'static str, length: usize, limit: usize) -> Result<u8, DecodeError> {
    match u8::try_from(length) {
        Ok(byte) if length <= limit => Ok(byte),
        _ => Err(DecodeError::Limit { field, value: wide(length), limit: wide(limit) }),
    }
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn put_extent(out: &mut Vec<u8>, extent: Extent) -> Result<(), DecodeError> {
    let (number, mark) = match extent {
        Extent::Fixed(n) => (n, 0),
        Extent::Dynamic(d) => (d, DYNAMIC),
    };
    if number >= EXTENT_LIMIT {
        return Err(DecodeError::Limit {
            field: "extent",
            value: u64::from(number),
            limit: u64::from(EXTENT_LIMIT.saturating_sub(1)),
        });
    }
    out.extend((number | mark).to_be_bytes());
    Ok(())
}

fn put_op(out: &mut Vec<u8>, op: &Op) -> Result<(), DecodeError> {
    match op {
        Op::Scalar { opcode: Opcode::Load, .. } => Err(DecodeError::NotZero("opcode of a load in scalar form")),
        Op::Scalar { opcode, operands } => {
            out.push(opcode.code());
            out.extend(operands);
            Ok(())
        }
        Op::Load(load) => put_load(out, load),
    }
}

fn put_load(out: &mut Vec<u8>, load: &Load) -> Result<(), DecodeError> {
    let (kind, src) = match load.source {
        Source::Constant(n) => (0, n),
        Source::Input(n) => (1, n),
        Source::Value(n) => (2, n),
        Source::History { instruction, .. } => (3, instruction),
    };
    out.extend([Opcode::Load.code(), kind, count("view rank", load.axes.len(), MAX_RANK)?, 0]);
    out.extend(src.to_be_bytes());
    out.extend(load.pad.to_be_bytes());
    if let Source::History { base, terms, .. } = &load.source {
        put_axis(out, *base, Extent::Fixed(0), terms)?;
    }
    load.axes.iter().try_for_each(|axis| put_axis(out, axis.base, axis.extent, &axis.terms))
}

fn put_axis(out: &mut Vec<u8>, base: i64, extent: Extent, terms: &[Term]) -> Result<(), DecodeError> {
    count("index terms", terms.len(), MAX_TERMS)?;
    if terms.iter().any(|term| term.coef == 0) {
        return Err(DecodeError::NotZero("slot of an index term without coefficient"));
    }
    out.extend(base.to_be_bytes());
    put_extent(out, extent)?;
    for index in 0..MAX_TERMS {
        let term = terms.get(index).copied().unwrap_or(Term { slot: 0, coef: 0 });
        out.push(term.slot);
        out.extend(term.coef.to_be_bytes());
    }
    Ok(())
}

/// Reads an instruction; total over all bytes.
///
/// # Errors
/// The bytes are malformed: the instruction they stand for writes the empty tensor.
pub fn decode(bytes: &[u8], counts: &Counts) -> Result<Instruction, DecodeError> {
    limit("encoded length", wide(bytes.len()), wide(MAX_ENCODED))?;
    let mut reader = Reader { bytes, at: 0, counts };
    let [dtype, reducer, rank_o, rank_k, n_const, n_map, n_post, n_dyn] = reader.take()?;
    let dtype = DType::from_code(dtype).filter(|d| d.is_writable()).ok_or(DecodeError::Limit {
        field: "dtype",
        value: u64::from(dtype),
        limit: u64::from(DType::I64.code()),
    })?;
    let reducer = Reducer::from_code(reducer).ok_or(DecodeError::Limit {
        field: "reducer",
        value: u64::from(reducer),
        limit: u64::from(Reducer::Argmax.code()),
    })?;
    limit("output rank", u64::from(rank_o), wide(MAX_RANK))?;
    limit("reduction rank", u64::from(rank_k), wide(MAX_RANK))?;
    limit("constants", u64::from(n_const), wide(MAX_CONSTANTS))?;
    limit("map operations", u64::from(n_map), wide(MAX_OPS))?;
    limit("post operations", u64::from(n_post), wide(MAX_OPS))?;
    limit("dynamic extents", u64::from(n_dyn), wide(MAX_DYNAMICS))?;
    if n_map == 0 {
        return Err(DecodeError::Limit { field: "map operations (at least 1)", value: 0, limit: wide(MAX_OPS) });
    }

    let output = reader.extents(rank_o, n_dyn)?;
    let reduction = reader.extents(rank_k, n_dyn)?;
    let dynamics = (0..n_dyn).map(|_| reader.dynamic()).collect::<Result<_, _>>()?;
    let constants = (0..n_const).map(|_| Ok(i64::from_be_bytes(reader.take()?))).collect::<Result<_, _>>()?;
    let first = SLOT_CONST.saturating_add(n_const);
    let map = reader.program(n_map, first, n_dyn)?;
    let post = reader.program(n_post, first, n_dyn)?;
    if reader.at != bytes.len() {
        return Err(DecodeError::Length { actual: bytes.len(), needed: reader.at });
    }
    let instruction = Instruction { dtype, reducer, output, reduction, dynamics, constants, map, post };
    check_domains(&instruction)?;
    Ok(instruction)
}

fn limit(field: &'static str, value: u64, limit: u64) -> Result<(), DecodeError> {
    if value > limit {
        return Err(DecodeError::Limit { field, value, limit });
    }
    Ok(())
}

/// The bounds of the domains: at most 2^40 points, argmax below 2^32 terms.
fn check_domains(instruction: &Instruction) -> Result<(), DecodeError> {
    let product = |extents: &[Extent]| {
        let bounds = extents.iter().map(|&extent| instruction.bound(extent));
        bounds.fold(1u128, |product, bound| match bound {
            0 => 0,
            // Past the limit the exact value does not matter, but a later 0 does.
            _ => product.saturating_mul(u128::from(bound)),
        })
    };
    if product(&instruction.output) > u128::from(MAX_ELEMENTS) {
        return Err(DecodeError::Domain("output"));
    }
    let terms = product(&instruction.reduction);
    let limit = match instruction.reducer {
        Reducer::Argmax => u128::from(ARGMAX_TERMS.saturating_sub(1)),
        _ => u128::from(MAX_ELEMENTS),
    };
    if terms > limit {
        return Err(DecodeError::Domain("reduction"));
    }
    Ok(())
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    counts: &'a Counts,
}

impl Reader<'_> {
    fn take<const W: usize>(&mut self) -> Result<[u8; W], DecodeError> {
        let needed = self.at.saturating_add(W);
        let field = self.bytes.get(self.at..needed).and_then(|field| field.try_into().ok());
        let field = field.ok_or(DecodeError::Length { actual: self.bytes.len(), needed })?;
        self.at = needed;
        Ok(field)
    }

    fn extents(&mut self, rank: u8, n_dyn: u8) -> Result<Vec<Extent>, DecodeError> {
        (0..rank).map(|_| self.extent(n_dyn)).collect()
    }

    fn extent(&mut self, n_dyn: u8) -> Result<Extent, DecodeError> {
        let word = u32::from_be_bytes(self.take()?);
        if word & DYNAMIC == 0 {
            return Ok(Extent::Fixed(word));
        }
        let number = word & !DYNAMIC;
        if number >= u32::from(n_dyn) {
            return Err(DecodeError::Limit {
                field: "dynamic extent number",
                value: u64::from(number),
                limit: u64::from(n_dyn).saturating_sub(1),
            });
        }
        Ok(Extent::Dynamic(number))
    }

    fn dynamic(&mut self) -> Result<Dynamic, DecodeError> {
        let a = i64::from_be_bytes(self.take()?);
        let b = i32::from_be_bytes(self.take()?);
        let cap = u32::from_be_bytes(self.take()?);
        limit("dynamic cap", u64::from(cap), u64::from(EXTENT_LIMIT.saturating_sub(1)))?;
        Ok(Dynamic { a, b, cap })
    }

    fn program(&mut self, length: u8, first: u8, n_dyn: u8) -> Result<Vec<Op>, DecodeError> {
        let mut ops = Vec::new();
        let mut loads = 0;
        for number in 0..length {
            // At most 18 + 32 + 128 slots: fits u8.
            let slot = first.saturating_add(number);
            let [code, a, b, c] = self.take()?;
            let opcode = Opcode::from_code(code).ok_or(DecodeError::Limit {
                field: "opcode",
                value: u64::from(code),
                limit: u64::from(Opcode::Select.code()),
            })?;
            if opcode == Opcode::Load {
                loads += 1;
                limit("loads", loads, wide(MAX_LOADS))?;
                ops.push(Op::Load(self.load([a, b, c], slot, n_dyn)?));
            } else {
                ops.push(scalar(opcode, [a, b, c], slot)?);
            }
        }
        Ok(ops)
    }

    fn load(&mut self, [kind, rank, zero]: [u8; 3], slot: u8, n_dyn: u8) -> Result<Load, DecodeError> {
        if zero != 0 {
            return Err(DecodeError::NotZero("byte 3 of a load"));
        }
        limit("load kind", u64::from(kind), 3)?;
        limit("view rank", u64::from(rank), wide(MAX_RANK))?;
        let src = u32::from_be_bytes(self.take()?);
        let pad = i64::from_be_bytes(self.take()?);
        let (field, count) = match kind {
            0 => ("constant number", self.counts.constants),
            1 => ("input number", self.counts.inputs),
            _ => ("instruction number", self.counts.instructions),
        };
        if src >= count {
            return Err(DecodeError::Limit { field, value: u64::from(src), limit: u64::from(count).saturating_sub(1) });
        }
        let source = match kind {
            0 => Source::Constant(src),
            1 => Source::Input(src),
            2 => Source::Value(src),
            _ => {
                let Axis { extent, base, terms } = self.axis(slot, n_dyn)?;
                if extent != Extent::Fixed(0) {
                    return Err(DecodeError::NotZero("extent of an iteration word"));
                }
                Source::History { instruction: src, base, terms }
            }
        };
        let axes = (0..rank).map(|_| self.axis(slot, n_dyn)).collect::<Result<_, _>>()?;
        Ok(Load { source, pad, axes })
    }

    fn axis(&mut self, slot: u8, n_dyn: u8) -> Result<Axis, DecodeError> {
        let base = i64::from_be_bytes(self.take()?);
        let extent = self.extent(n_dyn)?;
        let mut terms: Vec<Term> = Vec::new();
        for number in 0..MAX_TERMS {
            let [term_slot] = self.take()?;
            let coef = i32::from_be_bytes(self.take()?);
            if coef == 0 {
                if term_slot != 0 {
                    return Err(DecodeError::NotZero("slot of an index term without coefficient"));
                }
                continue;
            }
            if terms.len() != number {
                return Err(DecodeError::NotZero("index term before a used one"));
            }
            before(term_slot, slot)?;
            terms.push(Term { slot: term_slot, coef });
        }
        Ok(Axis { extent, base, terms })
    }
}

fn scalar(opcode: Opcode, operands: [u8; 3], slot: u8) -> Result<Op, DecodeError> {
    for (number, &operand) in operands.iter().enumerate() {
        if number < opcode.arity() {
            before(operand, slot)?;
        } else if operand != 0 {
            return Err(DecodeError::NotZero("operand past the arity"));
        }
    }
    Ok(Op::Scalar { opcode, operands })
}

fn before(operand: u8, slot: u8) -> Result<(), DecodeError> {
    if operand >= slot {
        return Err(DecodeError::Operand { slot: usize::from(slot), operand });
    }
    Ok(())
}
