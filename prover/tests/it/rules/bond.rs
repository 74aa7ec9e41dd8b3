//! What a false challenge costs the submitter, and what it is paid for it.

use std::collections::BTreeMap;

use alloy_primitives::U256;
use opml_bisection::{Claim, Party, Position, most_moves, players::Idea, split, suite::World};
use opml_contracts::abi::Dispute;
use opml_prover::chain::{FUNDS, SUBMITTER, bond_of_challenger, bond_of_submitter, tier};
use opml_vm::{DType, Opcode, Program, Reducer, testing::Build};

use super::{
    table::Table,
    worlds::{SUM, WIDE, five, honest},
};
use crate::world::VmWorld;

/// The price of gas up to which the bond covers everything, in wei.
const PRICE: u128 = 10_000_000_000;

/// A trace of 2^13 leaves, a tensor of 2^12, and a reduction of 2^12 terms: at arity 64 every reveal has 64 children.
fn full() -> VmWorld {
    let mut instructions = vec![
        Build::each(DType::I64, &[32 << 12]).op(Opcode::Abs, [1, 0, 0]).done(),
        Build::new(DType::I64, Reducer::Sum, &[1], &[1 << 12]).op(Opcode::Mul, [9, 9, 0]).done(),
    ];
    let small = Build::each(DType::U8, &[1]).op(Opcode::Abs, [0, 0, 0]).done();
    instructions.resize(1 << 13, small);
    VmWorld::new(Program::new(instructions, Vec::new(), Vec::new(), 2, None).unwrap(), Vec::new(), 1)
}

/// Walks to a value, into its first leaf and down its first element's reduction as far as it goes.
fn walk(world: &VmWorld, arity_log2: u32, leaf: u64) -> BTreeMap<&'static str, u64> {
    let run = honest(world);
    let mut table = Table::honest(world, arity_log2, &run).walk_to(leaf);
    loop {
        let idea = match table.at() {
            Position::TensorOpen(..) => Idea::Select(0),
            Position::Leaf(..) if run.knowledge().header(leaf).is_some() && leaf_terms(&run, leaf) > 1 => Idea::Cut(0),
            Position::ElementPartials(_, slice, _) | Position::SlicePartials(_, slice, _) => {
                let part = split::part(1 << arity_log2, slice.k0, slice.k1, 0).unwrap();
                if part.1 - part.0 < 2 {
                    break;
                }
                Idea::Part(0)
            }
            _ => break,
        };
        table = table.follow(&[idea]);
    }
    table.stalls();
    let mut gas = BTreeMap::new();
    for sent in table.contract.transactions() {
        let most = gas.entry(sent.call).or_insert(0);
        *most = sent.gas.max(*most);
    }
    // The challenger has lost: all but what is burnt is the submitter's.
    table.contract.settle().unwrap();
    let burnt = bond_of_challenger() * u128::from(tier(1).burnC) / 10_000;
    let paid = table.contract.chain().balance(SUBMITTER);
    assert_eq!(paid, U256::from(FUNDS + bond_of_challenger() - burnt));
    gas
}

fn leaf_terms(run: &opml_prover::machine::VmTrace<'_>, leaf: u64) -> u64 {
    opml_bisection::Trace::shape(run, leaf).unwrap().terms
}

/// The submitter's moves of the longest dispute there is: trace and reduction of 2^40, a tensor of 2^35 leaves.
fn longest(b: u32) -> [(&'static str, u32); 6] {
    let trace = 40u32.div_ceil(b) - 1;
    let tensor = 35u32.div_ceil(b) - 1;
    let rounds = split::rounds(1 << b, 1 << 40);
    [
        ("openTrace", 1),
        ("reveal", trace + tensor),
        ("revealHeader", 1),
        ("revealLeaf", 1),
        ("revealPartials", rounds),
        ("claimTimeout", 1),
    ]
}

#[test]
fn rule_32_the_challengers_bond_covers_the_longest_lost_dispute() {
    let paid = bond_of_challenger() * u128::from(10_000 - tier(1).burnC) / 10_000;
    for b in [1, 6] {
        let (world, leaves) = if b == 6 { (full(), [0, 1]) } else { (five(), [WIDE, SUM]) };
        let mut gas = walk(&world, b, leaves[0]);
        for (call, most) in walk(&world, b, leaves[1]) {
            let old = gas.entry(call).or_insert(0);
            *old = most.max(*old);
        }
        let total: u64 = longest(b).iter().map(|(call, times)| gas[call] * u64::from(*times)).sum();
        let cost = u128::from(total) * PRICE;
        println!("arity {}: {total} gas, {cost} of {paid} wei; {gas:?}", 1 << b);
        // What is left pays for computing the trace: a quarter of the payment at least.
        assert!(cost * 4 <= paid * 3, "arity {}: {cost} of {paid} wei for {total} gas", 1 << b);
        // The pure game counts as many moves, of both sides: each of the submitter's is asked for by one.
        let claim = Claim { instructions: 1, max_length: 1 << 40, length: 1 << 40, arity_log2: b, ..five().claim() };
        let moves: u32 = longest(b).iter().map(|(_, times)| times).sum();
        assert!(most_moves(&claim, 1 << 35, 1 << 40) <= 2 * moves, "{moves}");
        assert!(most_moves(&claim, 1 << 35, 1 << 40) + 4 >= 2 * moves, "{moves}");
    }
}

#[test]
fn rule_32_a_challenger_that_is_right_gets_more_than_it_spends() {
    // The pot is at least a tenth of the submitter's bond: with a false claim it pays for a dispute of the longest kind, of both sides.
    let pot = bond_of_submitter() * u128::from(10_000 - tier(1).burnS) / 10_000;
    assert!(pot / 2 > bond_of_challenger());
    let world = five();
    let run = honest(&world);
    let lie = opml_bisection::players::Corrupted::new(&run, world.rules()).flip(SUM, 0, 1).unwrap();
    let mut table = Table::opened(&world, 1, 1, &lie);
    table.proves(&table.idea(Idea::Element(SUM, 0)));
    assert_eq!(table.turn(), Party::Challenger);
    table.contract.settle().unwrap();
    let spent: u64 = table.contract.transactions().iter().filter(|t| t.who == "challenger").map(|t| t.gas).sum();
    let change = table.contract.chain().balance(opml_prover::chain::CHALLENGER) - U256::from(FUNDS);
    assert_eq!(change, U256::from(pot));
    assert!(u128::from(spent) * PRICE * 100 < pot, "{spent} gas");
}

#[test]
fn rule_32_bonds_are_exact() {
    // The pure game knows no money.
    let world = five();
    let run = honest(&world);
    let mut table = Table::honest(&world, 4, &run);
    let call = Dispute::challengeCall { claimId: table.contract.on_chain().id, nonce: 4_242 };
    for wrong in [0, bond_of_challenger() - 1, bond_of_challenger() + 1] {
        super::table::reverts::<Dispute::BadValue, _>(table.send(SUBMITTER, U256::from(wrong), &call));
    }
    table.send(SUBMITTER, U256::from(bond_of_challenger()), &call).unwrap();
}
