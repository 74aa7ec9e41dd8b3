//! Known faults of published oracles: each shown in a stand-in that has it, and shown absent here.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall, sol};
use opml_contracts::{HostError, abi::AIOracle};

use crate::dispute::world::{STRANGER, WINDOW, refused};

use super::world::{ALICE, BOB, Hostile, Oracle, RIGHT};

sol!(
    #[derive(Debug)]
    FaultyOracle,
    "artifacts/test/FaultyOracle.json"
);

const GAS: u64 = 200_000;

struct Faulty {
    oracle: Oracle,
    at: Address,
    hostile: Address,
}

impl Faulty {
    fn new(deed: u8) -> Self {
        let mut oracle = Oracle::new();
        let at = oracle.world.host.deploy(STRANGER, &FaultyOracle::BYTECODE, &[]).unwrap();
        let hostile = oracle.hostile(deed, vec![]);
        let ask = FaultyOracle::requestCallbackCall {
            _0: U256::ZERO,
            _1: Bytes::new(),
            to: hostile,
            gasLimit: GAS,
            _4: Bytes::new(),
        };
        let mut faulty = Self { oracle, at, hostile };
        faulty.send(&ask).unwrap();
        faulty
    }

    fn send<C: SolCall>(&mut self, call: &C) -> Result<C::Return, HostError> {
        self.oracle.world.host.send(STRANGER, self.at, U256::ZERO, call).map(|(value, _)| value)
    }

    fn calls(&mut self) -> u64 {
        self.oracle.world.host.view(self.hostile, &Hostile::callsCall {}).unwrap().to()
    }
}

#[test]
fn a_request_that_nobody_answered_is_not_final() {
    let mut faulty = Faulty::new(0);
    assert!(faulty.send(&FaultyOracle::isFinalizedCall { id: U256::ZERO }).unwrap(), "the fault");
    let mut oracle = Oracle::new();
    let id = oracle.ask(ALICE, Address::ZERO, 0);
    oracle.world.pass(10 * WINDOW);
    for number in [U256::ZERO, id, id + U256::from(1), U256::MAX] {
        assert!(!oracle.is_final(number));
    }
}

#[test]
fn a_callback_is_not_replayed() {
    let mut faulty = Faulty::new(0);
    faulty.send(&FaultyOracle::invokeCallbackCall { id: U256::ZERO, output: RIGHT.into() }).unwrap();
    for _ in 0..3 {
        faulty.send(&FaultyOracle::updateResultCall { id: U256::ZERO }).unwrap();
    }
    assert_eq!(faulty.calls(), 4, "the fault");

    let mut oracle = Oracle::new();
    let hostile = oracle.hostile(0, vec![]);
    let id = oracle.ask(ALICE, hostile, GAS);
    let claim = oracle.answers(BOB, id, RIGHT);
    oracle.stands(&claim);
    oracle.update(STRANGER, id, RIGHT).unwrap();
    for _ in 0..3 {
        refused::<AIOracle::AlreadyDelivered>(oracle.update(STRANGER, id, RIGHT));
        let call = AIOracle::invokeCallbackCall { requestId: id, output: RIGHT.into() };
        refused::<AIOracle::RequestClosed>(oracle.send(STRANGER, 0, &call));
    }
    assert_eq!(oracle.world.host.view(hostile, &Hostile::callsCall {}).unwrap(), U256::from(1));
}

#[test]
fn a_callback_that_fails_blocks_nothing() {
    let mut faulty = Faulty::new(1);
    let invoke = FaultyOracle::invokeCallbackCall { id: U256::ZERO, output: RIGHT.into() };
    assert!(matches!(faulty.send(&invoke), Err(HostError::Revert { .. })), "the fault");

    let mut oracle = Oracle::new();
    let hostile = oracle.hostile(1, vec![]);
    let id = oracle.ask(ALICE, hostile, GAS);
    let claim = oracle.answers(BOB, id, RIGHT);
    oracle.stands(&claim);
    oracle.update(STRANGER, id, RIGHT).unwrap();
    assert!(oracle.is_final(id));
}
