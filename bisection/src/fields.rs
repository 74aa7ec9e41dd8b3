//! A position as the flat record that a contract's state holds.

use crate::hash::{Hash, ZERO};
use crate::position::{Cell, Header, Node, Position, Slice, Tensor};

/// All fields of any position; those that a kind does not use are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// Number of the kind, 0 … 9.
    pub kind: u8,
    /// Node height.
    pub height: u32,
    /// Node index (in the trace tree for kinds 0 and 1, else in the tensor's tree).
    pub index: u64,
    /// Node hash, or the hash of the partials for kinds 8 and 9.
    pub node: Hash,
    /// Trace leaf of the disputed value.
    pub leaf: u64,
    /// Header: element type.
    pub dtype: u8,
    /// Header: number of elements.
    pub elements: u64,
    /// Element number.
    pub e: u64,
    /// Code of the reduction.
    pub reducer: u8,
    /// First term.
    pub k0: u64,
    /// One past the last term.
    pub k1: u64,
    /// Element value or partial.
    pub value: i128,
}

impl Fields {
    fn node(self) -> Node {
        Node { height: self.height, index: self.index, hash: self.node }
    }

    fn tensor(self) -> Tensor {
        Tensor { leaf: self.leaf, header: Header { dtype: self.dtype, elements: self.elements } }
    }

    fn cell(self) -> Cell {
        Cell { tensor: self.tensor(), e: self.e, reducer: self.reducer }
    }

    fn slice(self) -> Slice {
        Slice { k0: self.k0, k1: self.k1, value: self.value }
    }

    fn with_node(self, node: Node) -> Self {
        Self { height: node.height, index: node.index, node: node.hash, ..self }
    }

    fn with_tensor(self, tensor: Tensor) -> Self {
        let Header { dtype, elements } = tensor.header;
        Self { leaf: tensor.leaf, dtype, elements, ..self }
    }

    fn with_cell(self, cell: Cell, slice: Slice, partials: Hash) -> Self {
        let Slice { k0, k1, value } = slice;
        let flat = self.with_tensor(cell.tensor);
        Self { node: partials, e: cell.e, reducer: cell.reducer, k0, k1, value, ..flat }
    }

    /// The position; `None` for a kind above 9. Fields that the kind does not use are ignored.
    #[must_use]
    pub fn position(self) -> Option<Position> {
        Some(match self.kind {
            0 => Position::TraceOpen(self.node()),
            1 => Position::TraceHidden(self.node()),
            2 => Position::TensorOpen(self.tensor(), self.node()),
            3 => Position::TensorHidden(self.tensor(), self.node()),
            4 => Position::Leaf(self.tensor(), self.node()),
            5 => Position::Empty(self.tensor()),
            6 => Position::Element(self.cell(), self.slice()),
            7 => Position::Slice(self.cell(), self.slice()),
            8 => Position::ElementPartials(self.cell(), self.slice(), self.node),
            9 => Position::SlicePartials(self.cell(), self.slice(), self.node),
            _ => return None,
        })
    }
}

impl From<Position> for Fields {
    fn from(position: Position) -> Self {
        let flat = Self { kind: position.kind(), ..Self::default() };
        match position {
            Position::TraceOpen(node) | Position::TraceHidden(node) => flat.with_node(node),
            Position::TensorOpen(tensor, node)
            | Position::TensorHidden(tensor, node)
            | Position::Leaf(tensor, node) => flat.with_tensor(tensor).with_node(node),
            Position::Empty(tensor) => flat.with_tensor(tensor),
            Position::Element(cell, slice) | Position::Slice(cell, slice) => flat.with_cell(cell, slice, ZERO),
            Position::ElementPartials(cell, slice, hash) | Position::SlicePartials(cell, slice, hash) => {
                flat.with_cell(cell, slice, hash)
            }
        }
    }
}
