//! Programs whose extents grow with the iteration: planned once for larger extents, then fitted to those of each iteration.
//!
//! What intervals prove for larger extents holds for smaller ones. So only extents, and the positions of loads from tensors
//! that grow too, are computed again; and where axes are joined, that their positions still run on evenly.

use opml_vm::{Extent, Instruction, Load, Op, Program, Source};

use super::{
    access::Access,
    analysis::Analysis,
    code::{Code, LoadCode, Path, TableSource},
};
use crate::{
    engine::load::{self, Extents, FIRST_K},
    num,
};

/// What a program follows as extents grow.
#[derive(Debug, Clone)]
pub(super) struct Growth {
    /// The extents of the plan: the largest that it is right for.
    most: Extents,
    /// For each axis the one that it is part of.
    part_of: [usize; 16],
    /// Loads from what grows.
    loads: Vec<Growing>,
}

/// A load from what grows.
#[derive(Debug, Clone, Copy)]
struct Growing {
    /// In the list of the program.
    number: usize,
    /// The operation.
    op: usize,
    /// The instruction that is read.
    source: Option<u32>,
}

/// The position of a load as a sum over coordinates: base and coefficients.
pub(in crate::engine) type Linear = (i64, [i64; 16]);

impl Growth {
    /// `None` if the program follows extents in other ways.
    pub(super) fn new(
        program: &Program,
        instruction: &Instruction,
        ops: &[Op],
        (analysis, code, extents): (&Analysis, &Code, &Extents),
    ) -> Option<Self> {
        let moves = moves(instruction);
        let part_of = parts(extents, &analysis.extents);
        let mut loads = Vec::new();
        for (op, access) in analysis.loads.iter().enumerate() {
            let (Some(access), Some(Op::Load(load))) = (access, ops.get(op)) else { continue };
            let grows = grows(program, load)?;
            if !grows && !stays(access, &part_of, moves) {
                return None;
            }
            for (number, own) in code.loads.iter().enumerate().filter(|(_, own)| grows && own.number == op) {
                let in_table = code
                    .tables
                    .iter()
                    .any(|table| matches!(table.source, TableSource::Load { load, .. } if load == number));
                let plain = own.checks.is_empty() && own.axes.is_empty() && own.position.lanes.is_empty();
                if in_table || !plain || own.never || !own.bounded {
                    return None;
                }
                let source = if let Source::Value(n) = load.source { Some(n) } else { None };
                loads.push(Growing { number, op, source });
            }
        }
        Some(Self { most: *extents, part_of, loads })
    }

    /// Whether the plan holds for some extents.
    pub(super) fn covers(&self, extents: &Extents) -> bool {
        extents.iter().zip(&self.most).all(|(extent, most)| (1..=*most).contains(extent))
    }
}

impl Code {
    /// Fits the program to the extents of an iteration. If `false`, it must not run before it is fitted to others.
    pub(super) fn fit(
        &mut self,
        growth: &Growth,
        (program, instruction, ops): (&Program, &Instruction, &[Op]),
        (t, extents): (u64, &Extents),
    ) -> bool {
        for load in &growth.loads {
            let Some(own) = self.loads.get_mut(load.number) else { return false };
            let Some(Op::Load(plan)) = ops.get(load.op) else { return false };
            let elements = load.source.map_or(Some(own.elements), |source| elements(program, source, t));
            let found =
                elements.and_then(|elements| Some((elements, position(instruction, plan, (t, extents), elements)?)));
            let Some((elements, position)) = found else { return false };
            own.elements = elements;
            if !even(&position.1, growth, extents) || !place(own, &position, growth, extents, self.space.lane) {
                return false;
            }
        }
        let mut joined = [1; 16];
        for (&part_of, &extent) in growth.part_of.iter().zip(extents) {
            joined[part_of] *= extent;
        }
        for (axis, extent) in self.space.rows.iter_mut().chain(&mut self.space.terms) {
            *extent = joined[*axis];
        }
        self.space.width = load::size(joined[self.space.lane]);
        true
    }
}

/// Elements of the value of an instruction.
pub(in crate::engine) fn elements(program: &Program, number: u32, t: u64) -> Option<i64> {
    let source = program.instructions().get(num::size(number.into()))?;
    i64::try_from(source.elements(t)).ok()
}

/// Which coordinates have an extent that may grow.
fn moves(instruction: &Instruction) -> [bool; 16] {
    let mut moves = [false; 16];
    for (first, list) in [(0, &instruction.output), (FIRST_K, &instruction.reduction)] {
        for (axis, extent) in list.iter().enumerate() {
            moves[first + axis] = matches!(extent, Extent::Dynamic(_));
        }
    }
    moves
}

/// Whether a load's view or source follows the iteration; `None` if it does so in another way than by extents.
fn grows(program: &Program, load: &Load) -> Option<bool> {
    let dynamic = |extent: &Extent| matches!(extent, Extent::Dynamic(_));
    let source = match load.source {
        Source::Constant(_) | Source::Input(_) => false,
        Source::Value(n) => program.instructions().get(num::size(n.into()))?.output.iter().any(dynamic),
        Source::History { .. } => return None,
    };
    Some(source || load.axes.iter().any(|axis| dynamic(&axis.extent)))
}

/// For each axis the one that it was joined to; see [`super::space::merge`].
fn parts(extents: &Extents, joined: &Extents) -> [usize; 16] {
    let mut parts = [0; 16];
    for range in [0..FIRST_K, FIRST_K..16] {
        let mut inner = None;
        for axis in range.rev() {
            let is_joined = extents[axis] != 1 && joined[axis] == 1;
            parts[axis] = inner.filter(|_| is_joined).unwrap_or(axis);
            if joined[axis] != 1 {
                inner = Some(axis);
            }
        }
    }
    parts
}

/// Whether axes that are joined run on evenly in a load that does not grow, whatever the extents are.
fn stays(access: &Access, parts: &[usize; 16], moves: [bool; 16]) -> bool {
    let grown = |inner: usize| parts.iter().zip(moves).any(|(&part, moves)| part == inner && moves);
    (0..16).filter(|&axis| parts[axis] != axis && grown(parts[axis])).all(|axis| {
        let used = |coordinates: &[i64; 16]| coordinates[axis] != 0 || coordinates[parts[axis]] != 0;
        let axes = access.axes.iter().map(|(sum, _)| sum);
        !axes.chain([&access.position]).any(|sum| used(&sum.coordinates))
    })
}

/// The position of a load that is inside its view everywhere; `None` if that is not known.
pub(in crate::engine) fn position(
    instruction: &Instruction,
    load: &Load,
    (t, extents): (u64, &Extents),
    elements: i64,
) -> Option<Linear> {
    let (mut base, mut coefficients, mut largest) = (0i64, [0i64; 16], 0i64);
    for axis in &load.axes {
        let extent = i64::try_from(instruction.extent_at(axis.extent, t)).ok()?;
        let (mut fixed, mut own) = (axis.base, [0i64; 16]);
        for term in &axis.terms {
            let coefficient = i64::from(term.coef);
            match load::coordinate(term.slot) {
                Some(c) => own[c] = own[c].checked_add(coefficient)?,
                None => {
                    let value = load::constant(instruction, term.slot)?;
                    fixed = fixed.checked_add(coefficient.checked_mul(value)?)?;
                }
            }
        }
        let (mut low, mut high) = (fixed, fixed);
        for (c, own) in own.iter().enumerate().filter(|(_, own)| **own != 0) {
            let reach = own.checked_mul(extents[c].checked_sub(1)?)?;
            low = low.checked_add(reach.min(0))?;
            high = high.checked_add(reach.max(0))?;
        }
        if low < 0 || high >= extent {
            return None;
        }
        base = base.checked_mul(extent)?.checked_add(fixed)?;
        largest = largest.checked_mul(extent)?.checked_add(high)?;
        for (sum, own) in coefficients.iter_mut().zip(own) {
            *sum = sum.checked_mul(extent)?.checked_add(own)?;
        }
    }
    (largest < elements).then_some((base, coefficients))
}

/// Whether a position runs on evenly over axes that are joined.
fn even(coefficients: &[i64; 16], growth: &Growth, extents: &Extents) -> bool {
    // What is joined so far of each axis.
    let mut joined = *extents;
    (0..16).rev().filter(|&axis| growth.part_of[axis] != axis && extents[axis] != 1).all(|axis| {
        let inner = growth.part_of[axis];
        let step = coefficients[inner].checked_mul(joined[inner]);
        joined[inner] *= extents[axis];
        step == Some(coefficients[axis])
    })
}

/// Writes a position; `false` if the plan has no place for a coordinate.
fn place(load: &mut LoadCode, (base, coefficients): &Linear, growth: &Growth, extents: &Extents, lane: usize) -> bool {
    let mut placed = growth.part_of.map(|_| false);
    let Path { base: own, uniform, rows, lane: by_lane, .. } = &mut load.position;
    *own = *base;
    *by_lane = coefficients[lane];
    placed[lane] = true;
    for (slot, coefficient) in uniform.iter_mut().chain(rows) {
        let Some(axis) = slot.checked_sub(1).filter(|axis| *axis < 16) else { return false };
        *coefficient = coefficients[axis];
        placed[axis] = true;
    }
    (0..16).all(|axis| placed[axis] || coefficients[axis] == 0 || extents[axis] == 1 || growth.part_of[axis] != axis)
}
