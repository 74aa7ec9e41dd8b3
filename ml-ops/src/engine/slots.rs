//! Operations with their slots numbered otherwise.

use opml_vm::{Op, Source};

/// An operation with other slots; `None` if one of them has no other number.
pub(super) fn renumbered(op: &Op, moved: &dyn Fn(u8) -> Option<u8>) -> Option<Op> {
    match op {
        Op::Scalar { opcode, operands } => {
            let mut operands = *operands;
            for slot in operands.get_mut(..opcode.arity())? {
                *slot = moved(*slot)?;
            }
            Some(Op::Scalar { opcode: *opcode, operands })
        }
        Op::Load(load) => {
            let mut load = load.clone();
            for term in load.axes.iter_mut().flat_map(|axis| &mut axis.terms) {
                term.slot = moved(term.slot)?;
            }
            // Iterations that follow results are nowhere planned.
            let plain = !matches!(load.source, Source::History { .. });
            plain.then_some(Op::Load(load))
        }
    }
}
