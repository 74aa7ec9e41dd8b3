//! ORA's opML interface over the same claims.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{SolCall, SolConstructor};
use opml_contracts::{
    abi::{
        Dispute::{self, Claim},
        OpmlAdapter,
    },
    dispute::{NO_HALT, dispute_id},
};

use crate::dispute::world::{CHALLENGER, Outcome, STRANGER, WINDOW, input_headers, refused};

use super::world::{BOB, CAROL, Oracle, RIGHT, WRONG, echo};

struct Adapter {
    oracle: Oracle,
    at: Address,
    model: B256,
    program: B256,
}

impl Adapter {
    fn new() -> Self {
        let mut oracle = Oracle::new();
        let args = OpmlAdapter::constructorCall { dispute_: oracle.world.dispute, maxT: 1, tier: 0 }.abi_encode();
        let at = oracle.world.host.deploy(STRANGER, &OpmlAdapter::BYTECODE, &args).unwrap();
        let sample = echo();
        let roots = sample.program.roots();
        let describe = OpmlAdapter::describeModelCall {
            programRoot: roots.program.into(),
            constsRoot: roots.constants.into(),
            N: 1,
            nConsts: 0,
            out: 0,
            halt: NO_HALT,
            inputHeaders: input_headers(&sample),
        };
        let (model, program) = (roots.model.into(), roots.program.into());
        let mut adapter = Self { oracle, at, model, program };
        let upload = OpmlAdapter::uploadModelCall { modelHash: model, programHash: program };
        refused::<OpmlAdapter::UnknownListing>(adapter.send(STRANGER, &upload));
        adapter.send(STRANGER, &describe).unwrap();
        refused::<OpmlAdapter::UnknownListing>(adapter.init().map(|_| unreachable!()));
        adapter.send(STRANGER, &upload).unwrap();
        adapter
    }

    fn send<C: SolCall>(&mut self, from: Address, call: &C) -> Outcome {
        self.oracle.world.host.send(from, self.at, U256::ZERO, call).map(|(_, receipt)| receipt)
    }

    fn view<C: SolCall>(&mut self, call: &C) -> C::Return {
        self.oracle.world.host.view(self.at, call).unwrap()
    }

    fn init(&mut self) -> Result<U256, opml_contracts::HostError> {
        let call = OpmlAdapter::initOpmlRequestCall {
            modelHash: self.model,
            programHash: self.program,
            input: super::world::INPUT.into(),
        };
        self.oracle.world.host.send(STRANGER, self.at, U256::ZERO, &call).map(|(id, _)| id)
    }

    /// A claim as `uploadResult` expects it.
    fn claim(&mut self, by: Address, id: U256, output: &[u8]) -> Claim {
        let task = self.view(&OpmlAdapter::taskOfCall { requestId: id });
        let claim = Claim { taskId: task, T: 1, outputHash: keccak256(output), submitter: by, nonce: id.to() };
        self.oracle.make(&claim, output);
        claim
    }

    fn upload(&mut self, by: Address, id: U256, output: &[u8]) -> Outcome {
        self.send(by, &OpmlAdapter::uploadResultCall { requestId: id, output: Bytes::copy_from_slice(output) })
    }

    fn output(&mut self, id: U256) -> Bytes {
        self.view(&OpmlAdapter::getOutputCall { requestId: id })
    }

    fn is_final(&mut self, id: U256) -> bool {
        self.view(&OpmlAdapter::isFinalizedCall { requestId: id })
    }
}

#[test]
fn a_result_is_uploaded_challenged_replaced_and_final() {
    let mut adapter = Adapter::new();
    let id = adapter.init().unwrap();
    assert_eq!((adapter.output(id), adapter.is_final(id)), (Bytes::new(), false));
    refused::<OpmlAdapter::NoSuchClaim>(adapter.upload(CAROL, id, WRONG));
    let lie = adapter.claim(CAROL, id, WRONG);
    adapter.upload(CAROL, id, WRONG).unwrap();
    refused::<OpmlAdapter::AlreadyRegistered>(adapter.upload(CAROL, id, WRONG));
    assert_eq!((adapter.output(id), adapter.is_final(id)), (WRONG.into(), false));

    // Whoever has challenged the claim has the number of the challenge.
    let start = OpmlAdapter::startChallengeCall { requestId: id, _1: RIGHT.into(), _2: B256::ZERO, _3: U256::ZERO };
    refused::<OpmlAdapter::NoSuchClaim>(adapter.send(CHALLENGER, &start));
    let claim_id = adapter.oracle.claim_id(&lie);
    let state = adapter.oracle.world.challenge(CHALLENGER, claim_id, 1).unwrap().0;
    let number = adapter.oracle.world.host.send(CHALLENGER, adapter.at, U256::ZERO, &start).unwrap().0;
    assert_eq!(B256::from(number), dispute_id(claim_id, CHALLENGER, 1));

    // A second right answer has to wait until the first has fallen.
    let right = adapter.claim(BOB, id, RIGHT);
    refused::<OpmlAdapter::AlreadyRegistered>(adapter.upload(BOB, id, RIGHT));
    adapter.oracle.world.pass(700);
    adapter.oracle.world.send(STRANGER, 0, &Dispute::claimTimeoutCall { state, c: lie.clone() }).unwrap();
    assert_eq!((adapter.output(id), adapter.is_final(id)), (Bytes::new(), false));
    refused::<OpmlAdapter::ClaimIsFalse>(adapter.upload(CAROL, id, WRONG));
    adapter.upload(BOB, id, RIGHT).unwrap();
    assert_eq!((adapter.output(id), adapter.is_final(id)), (RIGHT.into(), false));
    adapter.oracle.world.pass(WINDOW);
    adapter.oracle.stands_now(&right);
    assert_eq!((adapter.output(id), adapter.is_final(id)), (RIGHT.into(), true));
}

#[test]
fn a_final_claim_takes_the_place_of_one_that_is_not() {
    let mut adapter = Adapter::new();
    let id = adapter.init().unwrap();
    let right = adapter.claim(BOB, id, RIGHT);
    adapter.oracle.world.pass(WINDOW);
    adapter.claim(CAROL, id, WRONG);
    adapter.upload(CAROL, id, WRONG).unwrap();
    adapter.oracle.stands_now(&right);
    let c = OpmlAdapter::Claim {
        taskId: right.taskId,
        T: right.T,
        outputHash: right.outputHash,
        submitter: right.submitter,
        nonce: right.nonce,
    };
    let other = OpmlAdapter::uploadClaimCall { requestId: id, c: c.clone(), output: WRONG.into() };
    refused::<OpmlAdapter::WrongOutput>(adapter.send(STRANGER, &other));
    let call = OpmlAdapter::uploadClaimCall { requestId: id, c, output: RIGHT.into() };
    adapter.send(STRANGER, &call).unwrap();
    assert_eq!((adapter.output(id), adapter.is_final(id)), (RIGHT.into(), true));
}

#[test]
fn what_was_never_asked_or_answered_is_not_final() {
    let mut adapter = Adapter::new();
    assert!(!adapter.is_final(U256::ZERO) && !adapter.is_final(U256::from(1)));
    refused::<OpmlAdapter::UnknownRequest>(adapter.upload(BOB, U256::from(1), RIGHT));
    let id = adapter.init().unwrap();
    adapter.oracle.world.pass(10 * WINDOW);
    assert!(!adapter.is_final(id));
}
