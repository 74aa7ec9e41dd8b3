//! What the submitter's moves have made public. It can be rebuilt from the moves alone.

use crate::claim::Claim;
use crate::hash::Hash;
use crate::moves::{Below, Move};
use crate::position::{Header, Node, Position};
use crate::rules::Rules;
use crate::trace::{Answer, Nodes, Unavailable};
use crate::tree::{self, Children};
use std::collections::BTreeMap;

type Tree = BTreeMap<(u32, u64), Hash>;

/// Everything revealed so far in one dispute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revealed {
    root: Option<Hash>,
    trace: Tree,
    tensor: Tree,
    bytes: Vec<u8>,
    partials: Vec<i128>,
}

impl Revealed {
    /// Takes in a move that was accepted at `before` (none: before the trace was open). The challenger's moves add
    /// nothing.
    pub fn observe<R: Rules + ?Sized>(&mut self, claim: &Claim, before: Option<&Position>, mv: &Move, rules: &R) {
        let b = claim.arity_log2;
        match (mv, before) {
            (Move::OpenTrace(open), _) => {
                let top = Node { height: tree::depth(claim.leaves()), index: 0, hash: open.root };
                self.root = Some(open.root);
                insert(&mut self.trace, rules, claim.leaves(), &top, b, &open.children);
            }
            (Move::Reveal { children }, Some(Position::TraceHidden(node))) => {
                insert(&mut self.trace, rules, claim.leaves(), node, b, children);
            }
            (Move::Reveal { children }, Some(Position::TensorHidden(tensor, node))) => {
                insert(&mut self.tensor, rules, leaves(rules, tensor.header), node, b, children);
            }
            (Move::RevealHeader { dtype, elements, root, below }, _) => {
                let n = leaves(rules, Header { dtype: *dtype, elements: *elements });
                let top = Node { height: tree::depth(n), index: 0, hash: *root };
                match below {
                    Below::Nothing => (),
                    Below::Leaf(bytes) => self.bytes.clone_from(bytes),
                    Below::Children(children) => insert(&mut self.tensor, rules, n, &top, b, children),
                }
            }
            (Move::RevealLeaf { bytes }, _) => self.bytes.clone_from(bytes),
            (Move::RevealPartials { partials }, _) => self.partials.clone_from(partials),
            _ => (),
        }
    }

    /// The submitter's trace root.
    ///
    /// # Errors
    /// Before the trace is open.
    pub fn root(&self) -> Answer<Hash> {
        self.root.ok_or_else(|| Unavailable("the trace is not open".into()))
    }

    /// The last revealed leaf's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The last revealed partials.
    #[must_use]
    pub fn partials(&self) -> &[i128] {
        &self.partials
    }

    /// The revealed part of the submitter's trace tree, and `own` where nothing was revealed.
    pub fn trace_over<'a>(&'a self, own: &'a dyn Nodes) -> Overlay<'a> {
        Overlay { revealed: &self.trace, own }
    }

    /// The revealed part of the disputed tensor's tree, and `own` where nothing was revealed.
    pub fn tensor_over<'a>(&'a self, own: &'a dyn Nodes) -> Overlay<'a> {
        Overlay { revealed: &self.tensor, own }
    }
}

/// Number of leaves of a value with this header.
pub(crate) fn leaves<R: Rules + ?Sized>(rules: &R, header: Header) -> u64 {
    header.elements.saturating_mul(rules.element_size(header.dtype).unwrap_or(0)).div_ceil(256)
}

fn insert<R: Rules + ?Sized>(into: &mut Tree, rules: &R, n: u64, node: &Node, b: u32, hashes: &[Hash]) {
    let children = Children::of(n, node.height, node.index, b);
    tree::fold(rules, hashes, children.levels, |level, at, hash| {
        into.insert((children.height + level, (children.first >> level) + at), hash);
    });
}

/// Revealed nodes over a player's own.
pub struct Overlay<'a> {
    revealed: &'a Tree,
    own: &'a dyn Nodes,
}

impl Overlay<'_> {
    /// A node that the submitter must have revealed.
    ///
    /// # Errors
    /// If it was not.
    pub fn theirs(&self, height: u32, index: u64) -> Answer<Hash> {
        let node = self.revealed.get(&(height, index)).copied();
        node.ok_or_else(|| Unavailable(format!("node ({height}, {index}) was not revealed")))
    }
}

impl Nodes for Overlay<'_> {
    fn node(&self, height: u32, index: u64) -> Answer<Hash> {
        match self.revealed.get(&(height, index)) {
            Some(hash) => Ok(*hash),
            None => self.own.node(height, index),
        }
    }
}
