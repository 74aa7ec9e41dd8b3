//! The walk down the trace tree and into one tensor.

use super::Table;
use crate::hash::{self, Hash};
use crate::moves::{Below, MoveKind};
use crate::position::{Cell, Node, Position, Slice, Tensor};
use crate::refused::Refused;
use crate::rules::{Rules, Step};
use crate::tree::{self, Children};

impl<R: Rules + ?Sized> Table<'_, R> {
    pub(super) fn select(&self, at: &Position, child: u64, hash: Hash, proof: &[Hash]) -> Result<Position, Refused> {
        match at {
            Position::TraceOpen(node) => {
                let n = self.claim.leaves();
                Ok(Position::TraceHidden(self.child(n, node, child, hash, proof)?))
            }
            Position::TensorOpen(tensor, node) => {
                let n = self.tensor_leaves(tensor.header);
                Ok(Position::TensorHidden(*tensor, self.child(n, node, child, hash, proof)?))
            }
            _ => Err(Refused::NotHere(MoveKind::Select)),
        }
    }

    fn child(&self, n: u64, node: &Node, child: u64, hash: Hash, proof: &[Hash]) -> Result<Node, Refused> {
        let children = Children::of(n, node.height, node.index, self.claim.arity_log2);
        if child >= children.count {
            return Err(Refused::Number);
        }
        let index = children.first + child;
        let top = tree::climb(self.rules, n, (children.height, index), hash, children.levels, proof);
        if top != Some(node.hash) {
            return Err(Refused::Opening);
        }
        Ok(Node { height: children.height, index, hash })
    }

    pub(super) fn reveal(&self, at: &Position, children: &[Hash]) -> Result<Position, Refused> {
        match at {
            Position::TraceHidden(node) if node.height > 0 => {
                self.folds(self.claim.leaves(), node, children)?;
                Ok(Position::TraceOpen(*node))
            }
            Position::TensorHidden(tensor, node) if node.height > 0 => {
                self.folds(self.tensor_leaves(tensor.header), node, children)?;
                Ok(Position::TensorOpen(*tensor, *node))
            }
            _ => Err(Refused::NotHere(MoveKind::Reveal)),
        }
    }

    /// The hashes are all real children of the node and fold to it.
    pub(super) fn folds(&self, n: u64, node: &Node, hashes: &[Hash]) -> Result<(), Refused> {
        let children = Children::of(n, node.height, node.index, self.claim.arity_log2);
        if u64::try_from(hashes.len()) != Ok(children.count) {
            return Err(Refused::Children);
        }
        let top = tree::fold(self.rules, hashes, children.levels, |_, _, _| ());
        if top == Some(node.hash) { Ok(()) } else { Err(Refused::Children) }
    }

    pub(super) fn reveal_header(
        &self,
        at: &Position,
        (dtype, elements): (u8, u64),
        root: &Hash,
        below: &Below,
    ) -> Result<Position, Refused> {
        let Position::TraceHidden(node) = at else {
            return Err(Refused::NotHere(MoveKind::RevealHeader));
        };
        if node.height > 0 {
            return Err(Refused::NotHere(MoveKind::RevealHeader));
        }
        let (header, _) = self.header(dtype, elements)?;
        if hash::header(self.rules, dtype, elements, root) != node.hash {
            return Err(Refused::Opening);
        }
        let tensor = Tensor { leaf: node.index, header };
        let leaves = self.tensor_leaves(header);
        let top = Node { height: tree::depth(leaves), index: 0, hash: *root };
        match (leaves, below) {
            (0, Below::Nothing) if *root == hash::ZERO => Ok(Position::Empty(tensor)),
            (0, Below::Nothing) => Err(Refused::Header),
            (1, Below::Leaf(bytes)) => self.opened_leaf(tensor, top, bytes),
            (2.., Below::Children(children)) => {
                self.folds(leaves, &top, children)?;
                Ok(Position::TensorOpen(tensor, top))
            }
            _ => Err(Refused::Below),
        }
    }

    pub(super) fn reveal_leaf(&self, at: &Position, bytes: &[u8]) -> Result<Position, Refused> {
        match at {
            Position::TensorHidden(tensor, node) if node.height == 0 => self.opened_leaf(*tensor, *node, bytes),
            _ => Err(Refused::NotHere(MoveKind::RevealLeaf)),
        }
    }

    fn opened_leaf(&self, tensor: Tensor, node: Node, bytes: &[u8]) -> Result<Position, Refused> {
        if self.leaf_hash(bytes)? != node.hash {
            return Err(Refused::LeafBytes);
        }
        self.padded(tensor.header, node.index, bytes)?;
        Ok(Position::Leaf(tensor, node))
    }

    pub(super) fn select_element(&self, at: &Position, bytes: &[u8], e: u64, step: &Step) -> Result<Position, Refused> {
        let Position::Leaf(tensor, node) = at else {
            return Err(Refused::NotHere(MoveKind::SelectElement));
        };
        let value = self.element_in(tensor.header, node.index, bytes, e)?;
        if self.leaf_hash(bytes)? != node.hash {
            return Err(Refused::LeafBytes);
        }
        let shape = self.rules.shape(&self.claim.job(tensor.leaf, self.root), step)?;
        if shape.terms < 2 {
            return Err(Refused::Terms);
        }
        let cell = Cell { tensor: *tensor, e, reducer: shape.reducer };
        Ok(Position::Element(cell, Slice { k0: 0, k1: shape.terms, value: i128::from(value) }))
    }
}
