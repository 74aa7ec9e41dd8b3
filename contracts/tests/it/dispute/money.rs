//! Bonds: who gets what, to the wei.

use alloy_primitives::{Address, U256};
use alloy_sol_types::{SolCall, sol};
use opml_contracts::{
    abi::Dispute::{self, State},
    dispute::{BURN, Position, Status},
};

use super::{
    programs::{SUMS, changed, looping},
    world::{
        BOND_C, BOND_S, CHALLENGER, Game, RIVAL, STRANGER, SUBMITTER, TRACE_TIME, WINDOW, World, last_state, refused,
    },
};

sol!(
    #[derive(Debug)]
    Puppet,
    "artifacts/test/Puppet.json"
);

const POT: u64 = BOND_S - BOND_S / 2;
const OPEN: u64 = 30;
const SELECT: u64 = 12;
const PROVE: u64 = 25;

impl Game {
    /// Opens another dispute of this claim; gives its state.
    pub(crate) fn rival(&mut self, from: Address, nonce: u16) -> State {
        self.world.challenge(from, self.id, nonce).unwrap().0
    }

    /// Takes another dispute's place for a while.
    pub(crate) fn swap(&mut self, state: &mut State, challenger: &mut Address) {
        std::mem::swap(&mut self.state, state);
        std::mem::swap(&mut self.challenger, challenger);
    }

    pub(crate) fn prove_lie(&mut self) {
        let leaf = self.leaf_number(1, SUMS);
        let call = self.prove_element_call(leaf, 7);
        self.play(self.challenger, &call).unwrap();
    }

    pub(crate) fn held(&mut self) -> U256 {
        let dispute = self.world.dispute;
        self.world.host.balance(dispute)
    }
}

pub(crate) fn lying() -> Game {
    Game::lying(&looping(), 0, 1, SUMS, &|value| changed(value, 7, 1))
}

fn wei(amount: u64) -> U256 {
    U256::from(amount)
}

#[test]
fn the_only_challenger_gets_the_whole_pot_and_the_rest_is_burnt() {
    let mut game = lying();
    game.prove_lie();
    let state = game.state.clone();
    assert_eq!(Position::unpack(&state).unwrap().weight, (OPEN + PROVE) as u32);
    game.settle(&state).unwrap();
    assert_eq!(game.world.credit(CHALLENGER), wei(BOND_C + POT));
    assert_eq!(game.world.credit(BURN), wei(BOND_S - POT));
    let before = game.world.host.balance(CHALLENGER);
    game.world.send(CHALLENGER, 0, &Dispute::withdrawCall {}).unwrap();
    assert_eq!(game.world.host.balance(CHALLENGER) - before, wei(BOND_C + POT));
    refused::<Dispute::NothingToWithdraw>(game.world.send(CHALLENGER, 0, &Dispute::withdrawCall {}));
    game.world.send(STRANGER, 0, &Dispute::burnCall {}).unwrap();
    assert_eq!(game.world.host.balance(BURN), wei(BOND_S - POT));
    assert_eq!(game.held(), U256::ZERO);
}

#[test]
fn the_pot_is_shared_by_the_weight_of_moves_and_the_dust_is_burnt() {
    let mut game = lying();
    let (mut one, mut player) = (game.rival(RIVAL, 0), RIVAL);
    let two = game.rival(STRANGER, 7);
    // the rival makes two selects
    game.swap(&mut one, &mut player);
    game.select(0).unwrap();
    game.reveal().unwrap();
    game.select(0).unwrap();
    game.swap(&mut one, &mut player);
    let total = OPEN + PROVE + OPEN + 2 * SELECT + OPEN;
    assert_eq!(game.slot().weight, total - PROVE);
    game.prove_lie();
    assert_eq!(game.slot().weight, total);
    let share = |weight: u64| u64::try_from(u128::from(POT) * u128::from(weight) / u128::from(total)).unwrap();
    let winner = game.state.clone();
    let shares = [
        (two, STRANGER, share(OPEN)),
        (winner, CHALLENGER, share(OPEN + PROVE)),
        (one, RIVAL, share(OPEN + 2 * SELECT)),
    ];
    let paid: u64 = shares.iter().map(|(_, _, share)| share).sum();
    assert!(paid < POT, "the numbers leave dust");
    for (number, (state, account, share)) in shares.iter().enumerate() {
        assert_eq!(game.world.credit(BURN), U256::ZERO, "{number}");
        game.settle(state).unwrap();
        assert_eq!(game.world.credit(*account), wei(BOND_C + share));
        refused::<Dispute::WrongState>(game.settle(state));
    }
    assert_eq!(game.world.credit(BURN), wei(BOND_S - paid));
}

#[test]
fn a_losing_challenger_pays_the_submitter_and_a_part_is_burnt() {
    for by_time in [false, true] {
        let mut game = Game::honest(&looping(), 0);
        if by_time {
            game.world.pass(1_000_000);
            game.timeout(STRANGER).unwrap();
        } else {
            game.resign(CHALLENGER).unwrap();
        }
        assert_eq!(game.world.credit(BURN), wei(BOND_C / 4));
        assert_eq!(game.world.credit(SUBMITTER), wei(BOND_C - BOND_C / 4));
        game.world.pass(WINDOW);
        game.finalize().unwrap();
        assert_eq!(game.world.credit(SUBMITTER), wei(BOND_C - BOND_C / 4 + BOND_S));
        game.world.send(SUBMITTER, 0, &Dispute::withdrawCall {}).unwrap();
        game.world.send(STRANGER, 0, &Dispute::burnCall {}).unwrap();
        assert_eq!(game.held(), U256::ZERO);
    }
}

#[test]
fn a_lost_dispute_has_no_share() {
    let mut game = lying();
    let mut other = game.rival(RIVAL, 0);
    let mut player = RIVAL;
    game.swap(&mut other, &mut player);
    game.resign(RIVAL).unwrap();
    let lost = game.state.clone();
    game.swap(&mut other, &mut player);
    game.prove_lie();
    refused::<Dispute::WrongState>(game.settle(&lost));
    let state = game.state.clone();
    game.settle(&state).unwrap();
    assert_eq!(game.world.credit(CHALLENGER), wei(BOND_C + POT));
    assert_eq!(game.slot().open, 0);
}

#[test]
fn shares_wait_for_the_claim_to_fall() {
    let mut game = lying();
    let state = game.state.clone();
    refused::<Dispute::ClaimNotFalse>(game.settle(&state));
    game.resign(CHALLENGER).unwrap();
    refused::<Dispute::WrongState>(game.settle(&state));
}

#[test]
fn a_claim_with_no_open_trace_shares_its_pot_too() {
    let sample = looping();
    let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
    game.challenge(CHALLENGER, 0).unwrap();
    let other = game.rival(RIVAL, 0);
    game.world.pass(TRACE_TIME + 1_000);
    game.timeout(STRANGER).unwrap();
    assert_eq!(game.slot().status, Status::False);
    let state = game.state.clone();
    game.settle(&state).unwrap();
    game.settle(&other).unwrap();
    assert_eq!(game.world.credit(CHALLENGER), wei(BOND_C + POT / 2));
    assert_eq!(game.world.credit(RIVAL), wei(BOND_C + POT / 2));
    assert_eq!(game.world.credit(BURN), wei(BOND_S - POT / 2 * 2));
}

#[test]
fn the_contract_takes_no_value_that_is_nobodys() {
    let mut world = World::new();
    let dispute = world.dispute;
    assert!(world.host.call(STRANGER, dispute, wei(1), alloy_primitives::Bytes::new()).is_err());
    let withdraw = Dispute::withdrawCall {}.abi_encode();
    assert!(world.host.call(STRANGER, dispute, wei(1), withdraw.into()).is_err());
}

/// A contract that challenges and proves in the place of the challenger.
pub(crate) fn puppet(world: &mut World) -> Address {
    let address = world.host.deploy(STRANGER, &Puppet::BYTECODE, &[]).unwrap();
    world.host.fund(address, wei(10 * BOND_S)).unwrap();
    address
}

pub(crate) fn act<C: SolCall>(
    game: &mut Game,
    puppet: Address,
    value: u64,
    limit: u64,
    call: &C,
) -> super::world::Outcome {
    let act = Puppet::actCall {
        to: game.world.dispute,
        value: wei(value),
        limit: wei(limit),
        data: call.abi_encode().into(),
    };
    let (_, receipt) = game.world.host.send(STRANGER, puppet, U256::ZERO, &act)?;
    if let Some(state) = last_state(&receipt) {
        game.state = state;
    }
    Ok(receipt)
}

#[test]
fn fault_a_payee_that_refuses_hurts_only_itself() {
    let mut game = lying();
    let payee = puppet(&mut game.world);
    let honest = game.state.clone();
    let call = Dispute::challengeCall { claimId: game.id, nonce: 0 };
    act(&mut game, payee, BOND_C, 5_000_000, &call).unwrap();
    let refusing = game.state.clone();
    game.state = honest;
    game.prove_lie();
    let set = Puppet::setCall { refuses_: true, target_: Address::ZERO, answer_: vec![].into() };
    game.world.host.send(STRANGER, payee, U256::ZERO, &set).unwrap();
    let state = game.state.clone();
    game.settle(&refusing).unwrap();
    game.settle(&state).unwrap();
    let credit = game.world.credit(payee);
    assert!(credit > wei(BOND_C));
    refused::<Dispute::TransferFailed>(act(&mut game, payee, 0, 5_000_000, &Dispute::withdrawCall {}));
    assert_eq!(game.world.credit(payee), credit);
    game.world.send(CHALLENGER, 0, &Dispute::withdrawCall {}).unwrap();
}

#[test]
fn fault_a_payee_that_re_enters_is_paid_once() {
    let mut game = lying();
    let payee = puppet(&mut game.world);
    let call = Dispute::challengeCall { claimId: game.id, nonce: 0 };
    act(&mut game, payee, BOND_C, 5_000_000, &call).unwrap();
    let leaf = game.leaf_number(1, SUMS);
    let call = game.prove_element_call(leaf, 7);
    act(&mut game, payee, 0, 10_000_000, &call).unwrap();
    let state = game.state.clone();
    game.settle(&state).unwrap();
    let credit = game.world.credit(payee);
    let before = game.world.host.balance(payee);
    for answer in [Dispute::withdrawCall {}.abi_encode(), Dispute::settleCall { state: state.clone() }.abi_encode()] {
        let set = Puppet::setCall { refuses_: false, target_: game.world.dispute, answer_: answer.into() };
        game.world.host.send(STRANGER, payee, U256::ZERO, &set).unwrap();
        if game.world.credit(payee) > U256::ZERO {
            act(&mut game, payee, 0, 5_000_000, &Dispute::withdrawCall {}).unwrap();
        }
        assert!(!game.world.host.view(payee, &Puppet::succeededCall {}).unwrap());
    }
    assert_eq!(game.world.host.balance(payee) - before, credit);
    // the other dispute's bond, and what it has to get, are still there
    assert_eq!(game.held(), wei(BOND_C + BOND_S) - (credit - wei(BOND_C)));
}
