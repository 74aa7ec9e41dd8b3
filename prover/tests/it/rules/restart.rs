//! A client that has nothing but the chain: it rebuilds what it must know from events before each of its moves.

use alloy_primitives::{B256, Log};
use alloy_sol_types::SolEventInterface;
use opml_bisection::{
    Arena, Below, Cell, Claim, Header, Move, Node, OpenTrace, Party, Policy, Position, Revealed, Rules, Slice, Tensor,
    TraceLeaf, honest_challenger, players::Corrupted, split, suite::World, tree,
};
use opml_contracts::{
    abi::Dispute::{self, DisputeEvents},
    dispute::{self, Kind, Sizes},
};
use opml_prover::chain::Chain;

use super::{
    table::{Table, claim_of},
    worlds::{EMPTY, OUTPUT, SMALL, SUM, WIDE, five, halting, honest},
};
use crate::world::VmWorld;

/// What a client knows of a dispute.
#[derive(Default)]
struct Client {
    revealed: Revealed,
    position: Option<Position>,
    header: Option<Header>,
}

impl Client {
    /// Reads all events of the dispute.
    fn from_logs(claim: &Claim, rules: &dyn Rules, logs: &[Log]) -> Self {
        let mut client = Self::default();
        for log in logs {
            let before = client.position;
            let (mv, state) = match DisputeEvents::decode_log(log).unwrap().data {
                DisputeEvents::TraceOpened(event) => {
                    let node = Node { height: tree::depth(claim.leaves()), index: 0, hash: event.traceRoot.0 };
                    client.position = Some(Position::TraceOpen(node));
                    (Some(opening(event.traceRoot, &event.children)), None)
                }
                DisputeEvents::Selected(event) => (None, Some(event.state)),
                DisputeEvents::Revealed(event) => {
                    (Some(revealing(before.as_ref(), &event.state, &event.words)), Some(event.state))
                }
                DisputeEvents::LeafRevealed(event) => {
                    (Some(Move::RevealLeaf { bytes: event.data.concat() }), Some(event.state))
                }
                DisputeEvents::PartialsRevealed(event) => {
                    let place = dispute::Position::unpack(&event.state).unwrap();
                    let parts = usize::try_from(split::parts(claim.arity(), place.k1 - place.k0)).unwrap();
                    let partials = event.partials.chunks(event.partials.len() / parts).map(signed).collect();
                    (Some(Move::RevealPartials { partials }), Some(event.state))
                }
                _ => (None, None),
            };
            if let Some(mv) = mv {
                client.revealed.observe(claim, before.as_ref(), &mv, rules);
            }
            if let Some(state) = state {
                client.enter(&state);
            }
        }
        client
    }

    fn enter(&mut self, state: &Dispute::State) {
        let place = dispute::Position::unpack(state).unwrap();
        let node = Node { height: place.height.into(), index: place.index, hash: place.node.0 };
        if matches!(place.kind, Kind::TensorOpen | Kind::Leaf | Kind::Empty) {
            self.header = Some(Header { dtype: place.dtype, elements: place.elements });
        }
        let tensor = Tensor { leaf: place.leaf, header: self.header.unwrap_or(Header { dtype: 0, elements: 0 }) };
        let cell = Cell { tensor, e: place.e, reducer: place.reducer };
        let slice = Slice { k0: place.k0, k1: place.k1, value: place.value };
        self.position = Some(match place.kind {
            Kind::TraceOpen => Position::TraceOpen(node),
            Kind::TraceHidden => Position::TraceHidden(node),
            Kind::TensorOpen => Position::TensorOpen(tensor, node),
            Kind::TensorHidden => Position::TensorHidden(tensor, node),
            Kind::Leaf => Position::Leaf(tensor, node),
            Kind::Empty => Position::Empty(tensor),
            Kind::Element => Position::Element(cell, slice),
            Kind::Slice => Position::Slice(cell, slice),
            Kind::ElementPartials => Position::ElementPartials(cell, slice, node.hash),
            Kind::SlicePartials => Position::SlicePartials(cell, slice, node.hash),
        });
    }
}

/// A signed big-endian number.
fn signed(bytes: &[u8]) -> i128 {
    let sign = if bytes[0] < 128 { 0 } else { -1 };
    bytes.iter().fold(sign, |number, &byte| (number << 8) | i128::from(byte))
}

fn hashes(words: &[B256]) -> Vec<[u8; 32]> {
    words.iter().map(|word| word.0).collect()
}

fn opening(root: B256, children: &[B256]) -> Move {
    let output_leaf = TraceLeaf { leaf: 0, dtype: 0, elements: 0, proof: Vec::new() };
    Move::OpenTrace(Box::new(OpenTrace {
        root: root.0,
        children: hashes(children),
        output: Vec::new(),
        output_leaf,
        halt: None,
    }))
}

/// The reveal that led to a state.
fn revealing(before: Option<&Position>, state: &Dispute::State, words: &[B256]) -> Move {
    match before {
        Some(Position::TraceHidden(node)) if node.height == 0 => {
            let place = dispute::Position::unpack(state).unwrap();
            let below = match place.kind {
                Kind::Empty => Below::Nothing,
                Kind::Leaf => Below::Leaf(words.concat()),
                _ => Below::Children(hashes(words)),
            };
            Move::RevealHeader { dtype: place.dtype, elements: place.elements, root: place.node.0, below }
        }
        _ => Move::Reveal { children: hashes(words) },
    }
}

/// The claim in dispute, from the events that made its model, its task and itself known.
fn claim_from_chain(world: &VmWorld, right: &Claim, output: &[u8]) -> Claim {
    let mut chain = Chain::new(u8::try_from(right.arity_log2).unwrap()).unwrap();
    let task = chain.open_task(world.program(), world.inputs(), right.max_length).unwrap();
    let (_, receipt) = chain.claim(&task, right.length, output, None).unwrap();
    let event = receipt.logs.iter().find_map(|log| match DisputeEvents::decode_log(log).unwrap().data {
        DisputeEvents::Claimed(event) => Some(event),
        _ => None,
    });
    let event = event.unwrap();
    assert_eq!(event.output.as_ref(), output);
    let call = Dispute::taskOfCall { taskId: event.taskId };
    let (header, _) = chain.send("taskOf", opml_prover::chain::OPERATOR, alloy_primitives::U256::ZERO, &call).unwrap();
    let sizes = Sizes::unpack(header);
    Claim {
        instructions: sizes.instructions,
        output_at: sizes.output,
        halt_at: (sizes.halt != u32::MAX).then_some(sizes.halt),
        max_length: sizes.max_t,
        length: event.claim.T,
        output: event.claim.outputHash.0,
        arity_log2: chain.tier().arityLog2.into(),
    }
}

/// Plays a liar to its end; the challenger starts anew before each move, the pure game beside it.
fn restarts(world: &VmWorld, mut table: Table<'_>, own: &dyn opml_bisection::Trace) {
    let output = table.contract.on_chain().output.clone();
    let claim = claim_from_chain(world, &table.claim, &output);
    assert_eq!(claim, table.claim);
    let rules = world.rules();
    for _ in 0..200 {
        let client = Client::from_logs(&claim, rules, table.contract.logs());
        assert_eq!(client.position, table.pure.position());
        assert_eq!(client.revealed, table.revealed, "what the events say is all that was revealed");
        if table.turn() == Party::Submitter {
            table.answer();
            continue;
        }
        let policy = Policy { max_terms: 20 };
        let at = client.position.unwrap();
        let mv = honest_challenger(&policy, &claim, &at, &client.revealed, own, rules).unwrap().unwrap();
        table.play(&mv);
        if let Some(outcome) = table.contract.outcome() {
            assert_eq!(outcome.winner, Party::Challenger);
            return;
        }
    }
    panic!("no end");
}

#[test]
fn rule_31_a_challenger_that_has_only_the_chain_wins() {
    let world = five();
    let run = honest(&world);
    for arity_log2 in [1, 2, 4] {
        for (leaf, byte) in [(WIDE, 300), (WIDE, 0), (SMALL, 1), (OUTPUT, 3), (SUM, 9)] {
            let lie = Corrupted::new(&run, world.rules()).flip(leaf, byte, 4).unwrap();
            restarts(&world, Table::of_next_block(&world, claim_of(&world, arity_log2, 1, &lie), &lie), &run);
        }
        let header = Header { dtype: 0, elements: 2 };
        let lie = Corrupted::new(&run, world.rules()).value(EMPTY, header, vec![1, 2]);
        restarts(&world, Table::of_next_block(&world, claim_of(&world, arity_log2, 1, &lie), &lie), &run);
    }
}

#[test]
fn rule_31_a_late_halt_is_proved_from_the_chain_alone() {
    let world = halting();
    let run = world.run(5).unwrap();
    restarts(&world, Table::of_next_block(&world, claim_of(&world, 1, 5, &run), &run), &run);
}

#[test]
fn rule_31_refused_calls_leave_no_event() {
    let world = five();
    let run = honest(&world);
    let mut table = Table::honest(&world, 4, &run);
    let before = table.contract.logs().to_vec();
    table.refuse::<Dispute::NoContradiction>(
        &table.idea(opml_bisection::players::Idea::Element(SUM, 0)),
        &opml_bisection::Refused::NoFault,
    );
    assert_eq!(table.contract.logs(), before);
}
