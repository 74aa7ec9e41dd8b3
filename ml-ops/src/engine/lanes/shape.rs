//! What each slot follows, and so how often it must be computed.

use opml_vm::{Op, isa::SLOT_ACC};

use super::{
    access::Access,
    analysis::Analysis,
    code::{Shape, When},
    space::Space,
};
use crate::engine::load;

/// Shapes and times of all slots.
#[derive(Debug)]
pub(super) struct Shapes {
    pub(super) shapes: Vec<Shape>,
    pub(super) whens: Vec<When>,
    /// How many operations read each slot; the program's result counts as a reader.
    pub(super) readers: Vec<usize>,
}

impl Shapes {
    /// `acc` says whether slot 17 is a number a lane.
    pub(super) fn new(ops: &[Op], analysis: &Analysis, space: &Space, acc: bool) -> Self {
        let count = analysis.intervals.len();
        let mut shapes = Self {
            shapes: vec![Shape::Uniform; analysis.base],
            whens: vec![When::Start; analysis.base],
            readers: vec![0; count],
        };
        for slot in 0..analysis.base {
            (shapes.shapes[slot], shapes.whens[slot]) = before(slot, analysis, space, acc);
        }
        for (op, load) in ops.iter().zip(&analysis.loads) {
            let (shape, when) = match (op, load) {
                (Op::Scalar { opcode, operands }, _) => shapes.operation(&operands[..opcode.arity().min(3)]),
                (Op::Load(_), Some(load)) if !load.never => shapes.load(load, space),
                (Op::Load(_), _) => (Shape::Uniform, When::Start),
            };
            shapes.shapes.push(shape);
            shapes.whens.push(when);
        }
        if let Some(last) = shapes.readers.last_mut() {
            *last += 1;
        }
        shapes
    }

    fn operation(&mut self, read: &[u8]) -> (Shape, When) {
        let (mut shape, mut when) = (Shape::Uniform, When::Start);
        for slot in read.iter().map(|&slot| usize::from(slot)) {
            self.readers[slot] += 1;
            shape = shape.max(self.shapes[slot]);
            when = when.max(self.whens[slot]);
        }
        (shape, when)
    }

    fn load(&mut self, access: &Access, space: &Space) -> (Shape, When) {
        for (slot, _) in access.axes.iter().flat_map(|(sum, _)| &sum.slots) {
            self.readers[*slot] += 1;
        }
        let any = |mask: u32, slot: &dyn Fn(usize) -> bool| access.sums().any(|sum| sum.follows(mask, slot));
        let lane = if space.width == 1 { 0 } else { 1 << space.lane };
        let shape = if any(lane, &|slot| self.shapes[slot] == Shape::Lane) {
            Shape::Lane
        } else if any(Space::mask(&space.rows), &|slot| self.shapes[slot] == Shape::Row) {
            Shape::Row
        } else {
            Shape::Uniform
        };
        let term = any(Space::mask(&space.terms), &|slot| self.whens[slot] == When::Term);
        let when = match (term, shape) {
            (true, _) => When::Term,
            (false, Shape::Uniform) => When::Start,
            (false, _) => When::Block,
        };
        (shape, when)
    }
}

/// Slots before the first operation.
fn before(slot: usize, analysis: &Analysis, space: &Space, acc: bool) -> (Shape, When) {
    if acc && slot == usize::from(SLOT_ACC) {
        return (Shape::Lane, When::Block);
    }
    let axis = u8::try_from(slot).ok().and_then(load::coordinate);
    let Some(axis) = axis.filter(|&axis| analysis.extents[axis] != 1) else {
        return (Shape::Uniform, When::Start);
    };
    if axis == space.lane {
        (Shape::Lane, When::Block)
    } else if space.rows.iter().any(|&(row, _)| row == axis) {
        (Shape::Row, When::Block)
    } else {
        (Shape::Uniform, When::Term)
    }
}
