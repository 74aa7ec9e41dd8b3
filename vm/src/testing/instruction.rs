//! Random well-formed instructions, biased towards loads that hit and edges that nearly do.

use alloc::{vec, vec::Vec};

use super::rng::Rng;
use crate::{
    codec::Counts,
    instruction::{Axis, Dynamic, Extent, Instruction, Load, Op, Source, Term},
    isa::{DType, Opcode, Reducer, SLOT_ACC, SLOT_CONST, SLOT_K, SLOT_O, SLOT_T},
    tensor::Tensor,
};

/// What has been drawn so far of a program.
pub(super) struct Draft<'r> {
    pub(super) rng: &'r mut Rng,
    counts: Counts,
    elements: u32,
    /// Most terms of one instruction at one iteration.
    share: u64,
    constants: Vec<u32>,
    inputs: Vec<u32>,
    /// Bounds of the output axes of the instructions so far.
    outputs: Vec<Vec<u32>>,
}

/// The instruction that is being drawn, as far as its operations must know it.
struct Frame {
    number: u32,
    dynamics: Vec<Dynamic>,
    rank_o: u8,
    rank_k: u8,
    constants: Vec<i64>,
    post: bool,
    /// Reads only what exists and computes plainly, so that values differ and later loads read something.
    tame: bool,
}

impl Frame {
    /// Slot of the first operation.
    fn first(&self) -> u8 {
        SLOT_CONST.saturating_add(u8::try_from(self.constants.len()).unwrap_or(0))
    }

    /// Slot of an output or reduction coordinate that counts.
    fn coordinate(&self, rng: &mut Rng) -> u8 {
        let (first, rank) =
            if self.rank_k > 0 && !self.post && rng.chance(50) { (SLOT_K, self.rank_k) } else { (SLOT_O, self.rank_o) };
        first.saturating_add(u8::try_from(rng.below(u64::from(rank))).unwrap_or(0))
    }
}

impl<'r> Draft<'r> {
    pub(super) fn new(rng: &'r mut Rng, counts: Counts, elements: u32, share: u64) -> Self {
        Self { rng, counts, elements, share, constants: Vec::new(), inputs: Vec::new(), outputs: Vec::new() }
    }

    /// Notes the sizes of the tensors that loads can name.
    pub(super) fn tensors(&mut self, constants: &[Tensor], inputs: &[Tensor]) {
        let size = |t: &Tensor| u32::try_from(t.elements()).unwrap_or(u32::MAX);
        self.constants = constants.iter().map(size).collect();
        self.inputs = inputs.iter().map(size).collect();
    }

    /// Number of some instruction.
    pub(super) fn number(&mut self) -> u32 {
        self.rng.between(0, self.counts.instructions.saturating_sub(1))
    }

    /// The next instruction.
    pub(super) fn instruction(&mut self, number: u32) -> Instruction {
        let rng = &mut *self.rng;
        let dtype = Some(rng.pick(DType::ALL, DType::I32)).filter(|d| d.is_writable()).unwrap_or(DType::I32);
        let reducer = rng.pick(Reducer::ALL, Reducer::Sum);
        let dynamics: Vec<Dynamic> = (0..rng.pick(&[0, 0, 1, 1, 2, 3], 0)).map(|_| dynamic(rng)).collect();
        let (mut output, mut reduction) = self.domains(&dynamics);
        let limit = u64::from(self.elements);
        shrink(self.rng, &mut output, &dynamics, limit.min(self.share));
        let wide = product(&output, &dynamics).max(1);
        shrink(self.rng, &mut reduction, &dynamics, self.share.checked_div(wide).unwrap_or(1).max(1));
        let rng = &mut *self.rng;
        let constants = (0..rng.pick(&[0, 1, 1, 2, 3, 4, 6, 32], 1)).map(|_| rng.value()).collect();
        let tame = rng.chance(50);
        let mut frame =
            Frame { number, dynamics, rank_o: rank(&output), rank_k: rank(&reduction), constants, post: false, tame };
        let length = self.rng.pick(&[1, 2, 3, 4, 5, 8, 20], 3);
        let map = self.operations(&frame, length);
        frame.post = true;
        let length = self.rng.pick(&[0, 0, 0, 1, 2, 3, 6], 0);
        let post = self.operations(&frame, length);
        self.outputs.push(output.iter().map(|&extent| bound(extent, &frame.dynamics)).collect());
        Instruction {
            dtype,
            reducer,
            output,
            reduction,
            dynamics: frame.dynamics,
            constants: frame.constants,
            map,
            post,
        }
    }

    fn domains(&mut self, dynamics: &[Dynamic]) -> (Vec<Extent>, Vec<Extent>) {
        let long = self.elements;
        let rng = &mut *self.rng;
        let output = match rng.below(10) {
            0 => Vec::new(),
            1 => vec![Extent::Fixed(rng.between(long / 2, long))],
            2 => (0..8).map(|_| Extent::Fixed(rng.between(1, 2))).collect(),
            _ => (0..rng.between(1, 3)).map(|_| extent(rng, dynamics)).collect(),
        };
        let reduction = match rng.below(10) {
            0..4 => Vec::new(),
            4 => (0..8).map(|_| Extent::Fixed(rng.between(1, 2))).collect(),
            _ => (0..rng.between(1, 3)).map(|_| extent(rng, dynamics)).collect(),
        };
        (output, reduction)
    }

    fn operations(&mut self, frame: &Frame, length: u8) -> Vec<Op> {
        let first = frame.first();
        let mut loads = 0u8;
        let mut ops = Vec::new();
        for number in 0..length {
            let slot = first.saturating_add(number);
            // The first result is mostly loaded, later ones mostly computed.
            let percent = if number == 0 && !frame.post { 80 } else { 30 };
            if loads < 16 && self.rng.chance(percent) {
                loads = loads.saturating_add(1);
                ops.push(Op::Load(self.load(frame, slot)));
            } else {
                ops.push(self.scalar(frame, slot));
            }
        }
        ops
    }

    fn scalar(&mut self, frame: &Frame, slot: u8) -> Op {
        let opcode = Some(self.rng.pick(Opcode::ALL, Opcode::Add)).filter(|&o| o != Opcode::Load);
        let plain = [Opcode::Add, Opcode::Sub, Opcode::Mul, Opcode::Max];
        let opcode = opcode
            .filter(|_| self.rng.chance(if frame.tame { 20 } else { 70 }))
            .unwrap_or_else(|| self.rng.pick(&plain, Opcode::Add));
        let mut operands = [0; 3];
        for operand in operands.iter_mut().take(opcode.arity()) {
            *operand = self.slot(frame, slot);
        }
        Op::Scalar { opcode, operands }
    }

    /// A slot below `own`: mostly the latest results, coordinates and constants.
    fn slot(&mut self, frame: &Frame, own: u8) -> u8 {
        let rng = &mut *self.rng;
        let drawn = match rng.below(10) {
            0..6 if own > frame.first() => own.saturating_sub(rng.pick(&[1, 1, 1, 2, 2, 3], 1)),
            0..8 if frame.post => SLOT_ACC,
            0..8 => frame.coordinate(rng),
            8 if frame.tame => frame.coordinate(rng),
            8 => rng.pick(&[SLOT_T, SLOT_CONST], SLOT_T),
            _ => u8::try_from(rng.below(u64::from(own))).unwrap_or(0),
        };
        drawn.min(own.saturating_sub(1))
    }

    fn load(&mut self, frame: &Frame, slot: u8) -> Load {
        let (source, sizes) = self.source(frame, slot);
        let axes = match self.rng.below(10) {
            _ if frame.tame => self.natural(frame, slot, &sizes),
            0 => Vec::new(),
            1..4 => (0..self.rng.between(1, 3)).map(|_| self.wild_axis(frame, slot)).collect(),
            _ => self.natural(frame, slot, &sizes),
        };
        Load { source, pad: self.rng.value(), axes }
    }

    /// A source and the extents at which its elements lie.
    fn source(&mut self, frame: &Frame, slot: u8) -> (Source, Vec<u32>) {
        let kind = match self.rng.below(10) {
            kind if frame.tame && frame.number == 0 => kind % 5,
            kind => kind,
        };
        if kind < 3 && self.counts.constants > 0 {
            let number = self.rng.between(0, self.counts.constants.saturating_sub(1));
            return (Source::Constant(number), flat(&self.constants, number));
        }
        if kind < 5 && self.counts.inputs > 0 {
            let number = self.rng.between(0, self.counts.inputs.saturating_sub(1));
            return (Source::Input(number), flat(&self.inputs, number));
        }
        let earlier = frame.number.saturating_sub(1);
        let any = self.number();
        let number = if frame.tame || self.rng.chance(60) { self.rng.between(0, earlier) } else { any };
        let sizes = usize::try_from(number).ok().and_then(|n| self.outputs.get(n)).cloned();
        let sizes = sizes.unwrap_or_else(|| vec![self.rng.between(1, 9)]);
        if kind < 8 {
            return (Source::Value(number), sizes);
        }
        let (base, terms) = self.iteration(frame, slot);
        (Source::History { instruction: any, base, terms }, sizes)
    }

    /// The iteration of a past reference: mostly `t − 1`; also this one, the next, a fixed or a computed one.
    fn iteration(&mut self, frame: &Frame, slot: u8) -> (i64, Vec<Term>) {
        let now = vec![Term { slot: SLOT_T, coef: 1 }];
        match self.rng.below(10) {
            0..4 => (-1, now),
            4 => (0, now),
            5 => (1, now),
            6 => (i64::from(self.rng.between(0, 2)), Vec::new()),
            7 => (-2, now),
            8 => (0, vec![Term { slot: self.slot(frame, slot), coef: 1 }]),
            _ => (self.rng.value(), self.terms(frame, slot)),
        }
    }

    /// A view of the source's own extents, indexed by coordinates or registers.
    fn natural(&mut self, frame: &Frame, slot: u8, sizes: &[u32]) -> Vec<Axis> {
        let flat = sizes.iter().fold(1u32, |product, &n| product.saturating_mul(n)).min(1 << 30);
        let sizes = if self.rng.chance(30) { vec![flat] } else { sizes.to_vec() };
        let mut axes = Vec::new();
        for &size in &sizes {
            let off = self.rng.pick(&[0, 0, 0, 0, 1, 2], 0);
            let mut extent = Extent::Fixed(size.saturating_add(off));
            if frame.tame {
                let slot = frame.coordinate(self.rng);
                axes.push(Axis { extent: Extent::Fixed(size), base: 0, terms: vec![Term { slot, coef: 1 }] });
                continue;
            }
            if !frame.dynamics.is_empty() && self.rng.chance(30) {
                extent = Extent::Dynamic(self.dynamic_number(frame));
            }
            let coef = self.rng.pick(&[1, 1, 1, 1, 2, -1], 1);
            let base = if coef < 0 { i64::from(size) - 1 } else { self.rng.pick(&[0, 0, 0, 1, -1], 0) };
            let slot = if self.rng.chance(75) { frame.coordinate(self.rng) } else { self.slot(frame, slot) };
            axes.push(Axis { extent, base, terms: vec![Term { slot, coef }] });
        }
        axes
    }

    fn wild_axis(&mut self, frame: &Frame, slot: u8) -> Axis {
        let extent = extent(self.rng, &frame.dynamics);
        let base = if self.rng.chance(70) { self.rng.small(3) } else { self.rng.value() };
        Axis { extent, base, terms: self.terms(frame, slot) }
    }

    fn terms(&mut self, frame: &Frame, slot: u8) -> Vec<Term> {
        let coefs = [1, 1, 1, 1, -1, 2, 3, -5, 64, i32::MAX, i32::MIN];
        let count = self.rng.pick(&[0, 1, 1, 1, 2, 2, 4], 1);
        (0..count).map(|_| Term { slot: self.slot(frame, slot), coef: self.rng.pick(&coefs, 1) }).collect()
    }

    fn dynamic_number(&mut self, frame: &Frame) -> u32 {
        u32::try_from(self.rng.index(frame.dynamics.len())).unwrap_or(0)
    }
}

fn flat(sizes: &[u32], number: u32) -> Vec<u32> {
    usize::try_from(number).ok().and_then(|n| sizes.get(n)).map(|&n| vec![n]).unwrap_or_default()
}

fn rank(extents: &[Extent]) -> u8 {
    u8::try_from(extents.len()).unwrap_or(0)
}

fn dynamic(rng: &mut Rng) -> Dynamic {
    let a = if rng.chance(85) { rng.small(4) + 2 } else { rng.value() };
    let b = match rng.below(10) {
        0..5 => rng.pick(&[1, 1, 1, 2, -1], 1),
        5 => 0,
        6..9 => i32::try_from(rng.small(4)).unwrap_or(0),
        _ => rng.pick(&[i32::MAX, i32::MIN], 1),
    };
    let cap = if rng.chance(90) { rng.between(1, 12) } else { rng.pick(&[0, 1, 40], 0) };
    Dynamic { a, b, cap }
}

fn extent(rng: &mut Rng, dynamics: &[Dynamic]) -> Extent {
    if !dynamics.is_empty() && rng.chance(40) {
        return Extent::Dynamic(u32::try_from(rng.index(dynamics.len())).unwrap_or(0));
    }
    if rng.chance(3) { Extent::Fixed(0) } else { Extent::Fixed(rng.pick(&[1, 2, 2, 3, 3, 4, 5, 7, 9], 1)) }
}

fn bound(extent: Extent, dynamics: &[Dynamic]) -> u32 {
    match extent {
        Extent::Fixed(n) => n,
        Extent::Dynamic(d) => usize::try_from(d).ok().and_then(|d| dynamics.get(d)).map_or(0, |d| d.cap),
    }
}

fn product(extents: &[Extent], dynamics: &[Dynamic]) -> u64 {
    extents.iter().fold(1, |product: u64, &e| product.saturating_mul(u64::from(bound(e, dynamics))))
}

/// Makes extents smaller until their bounds multiply to at most `limit ≥ 1`.
fn shrink(rng: &mut Rng, extents: &mut [Extent], dynamics: &[Dynamic], limit: u64) {
    while product(extents, dynamics) > limit {
        let index = rng.index(extents.len());
        if let Some(extent) = extents.get_mut(index) {
            *extent =
                Extent::Fixed(bound(*extent, dynamics).div_ceil(2).saturating_sub(u32::from(rng.chance(20))).max(1));
        }
    }
}
