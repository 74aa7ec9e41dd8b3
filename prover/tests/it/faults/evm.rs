//! What comes of the EVM: widths, calldata, code and gas.

use alloy_primitives::{Address, U256};
use alloy_sol_types::{SolCall, SolConstructor};
use opml_bisection::{Arena, Below, Move, Refused, ZERO, players::Idea, suite::World};
use opml_contracts::{
    Host,
    abi::{Dispute, StepVerifier},
    dispute::state_after,
    host::{MAX_CODE, TX_GAS_CAP},
};
use opml_prover::chain::{CHALLENGER, OPERATOR, tier};

use crate::rules::{
    table::{Table, is, reverts},
    worlds::{SMALL, SUM, WIDE, five, honest},
};

#[test]
fn fault_a_number_is_cut_to_its_width() {
    let world = five();
    let run = honest(&world);
    // Numbers that are right in their low bits.
    let mut table = Table::honest(&world, 4, &run);
    let Move::Select { hash, proof, .. } = table.idea(Idea::Select(SMALL)) else { panic!() };
    for high in [1 << 4, 1 << 8, 1 << 32, 1 << 48, 1 << 63] {
        let wide = Move::Select { child: SMALL + high, hash, proof: proof.clone() };
        table.refuse::<Dispute::BadChild>(&wide, &Refused::Number);
    }
    let state = table.contract.logs().iter().filter_map(state_after).last().unwrap().1;
    for high in [64, 128, 255] {
        let child = U256::from(SMALL) + (U256::ONE << high);
        let siblings = proof.iter().map(Into::into).collect();
        let call = Dispute::selectCall { state: state.clone(), child, hash: hash.into(), siblings };
        reverts::<Dispute::BadChild, _>(table.send(CHALLENGER, U256::ZERO, &call));
    }
    let Move::ProveElement { opening, step } = table.idea(Idea::Element(SMALL, 1)) else { panic!() };
    for high in [1u64 << 8, 1 << 32, 1 << 48, 1 << 63] {
        let mut wide = opening.clone();
        wide.e += high;
        table.refuse::<Dispute::BadElement>(
            &Move::ProveElement { opening: wide, step: step.clone() },
            &Refused::Element,
        );
    }
    let Move::ProveHeader { trace, root, step } = table.idea(Idea::Header(SMALL)) else { panic!() };
    let trace = trace.unwrap();
    for high in [1u64 << 41, 1 << 48, 1 << 63] {
        let mut wide = trace.clone();
        wide.elements += high;
        let mv = Move::ProveHeader { trace: Some(wide), root, step: step.clone() };
        table.refuse::<Dispute::BadHeader>(&mv, &Refused::Header);
    }
    table.play(&table.idea(Idea::Select(SMALL)));
    let Move::RevealHeader { dtype, elements, root, below } = table.due() else { panic!() };
    for high in [1u64 << 41, 1 << 48, 1 << 63] {
        let wide = Move::RevealHeader { dtype, elements: elements + high, root, below: below.clone() };
        table.refuse::<Dispute::BadHeader>(&wide, &Refused::Header);
    }
    let empty = Move::RevealHeader { dtype, elements: 0, root: ZERO, below: Below::Nothing };
    table.refuse::<Dispute::BadHash>(&empty, &Refused::Opening);
    table.answer();
    let mut table = table.follow(&[Idea::Cut(0)]);
    let partials = table.revealed.partials().to_vec();
    for part in [1u64 << 8, 1 << 32, 1 << 63] {
        let wide = Move::SelectPartial { part, partials: partials.clone() };
        table.refuse::<Dispute::BadPartials>(&wide, &Refused::Number);
    }
}

#[test]
fn fault_a_move_is_taken_with_extra_bytes() {
    // Two calldata for one move would be two transactions of one meaning.
    let mut host = Host::new();
    let verifier = host.deploy(OPERATOR, &StepVerifier::BYTECODE, &[]).unwrap();
    let arguments = Dispute::constructorCall { verifier, tiers: vec![tier(4)] }.abi_encode();
    let contract = host.deploy(OPERATOR, &Dispute::BYTECODE, &arguments).unwrap();
    let state = Dispute::State {
        claimId: ZERO.into(),
        node: ZERO.into(),
        players: U256::ZERO,
        clock: U256::ZERO,
        place: U256::ZERO,
        range: U256::ZERO,
    };
    let calls = [
        Dispute::settleCall { state: state.clone() }.abi_encode(),
        Dispute::revealCall { state: state.clone(), children: vec![ZERO.into()] }.abi_encode(),
        Dispute::selectCall { state: state.clone(), child: U256::ZERO, hash: ZERO.into(), siblings: vec![] }
            .abi_encode(),
        Dispute::revealLeafCall { state, data: [ZERO.into(); 8] }.abi_encode(),
    ];
    for call in calls {
        let mut send = |data: Vec<u8>| host.call(OPERATOR, contract, U256::ZERO, data.into()).unwrap_err();
        assert!(!send(call.clone()).is::<Dispute::TrailingBytes>());
        for more in [1, 4, 32, 64] {
            is::<Dispute::TrailingBytes>(&send([&call[..], &vec![0; more]].concat()));
        }
    }
    // The pure game's moves have no bytes of their own; a witness with bytes left over is refused by both.
    let world = five();
    let run = honest(&world);
    let mut table = Table::honest(&world, 4, &run);
    let Move::ProveElement { opening, mut step } = table.idea(Idea::Element(SUM, 0)) else { panic!() };
    step.witness.push(0);
    let longer = Move::ProveElement { opening, step };
    let refused = table.pure.play(opml_bisection::Party::Challenger, &longer);
    assert!(matches!(refused, Err(Refused::Step(_))), "{refused:?}");
    reverts::<StepVerifier::WitnessLength, _>(table.contract.play(opml_bisection::Party::Challenger, &longer));
}

#[test]
fn fault_code_or_gas_outgrows_the_limits() {
    let mut host = Host::new();
    let verifier = host.deploy(OPERATOR, &StepVerifier::BYTECODE, &[]).unwrap();
    let arguments = Dispute::constructorCall { verifier, tiers: vec![tier(6)] }.abi_encode();
    let contract = host.deploy(OPERATOR, &Dispute::BYTECODE, &arguments).unwrap();
    for code in [verifier, contract] {
        assert!((1..=MAX_CODE).contains(&host.code_size(code)));
    }
    assert_eq!(host.code_size(Address::ZERO), 0);
    // No move of a dispute comes near the most that a transaction may use.
    let world = five();
    let run = honest(&world);
    for (arity_log2, leaf) in [(1, WIDE), (6, SUM)] {
        let mut table = Table::honest(&world, arity_log2, &run).walk_to(leaf);
        if leaf == WIDE {
            table = table.follow(&[Idea::Select(0)]);
        }
        table = table.follow(&[Idea::Cut(0)]);
        table.stalls();
        for sent in table.contract.transactions() {
            assert!(sent.gas < TX_GAS_CAP / 50, "{}: {} gas", sent.call, sent.gas);
        }
    }

    assert_eq!(world.timing().min_blocks, u64::from(tier(1).minBlocks));
}
