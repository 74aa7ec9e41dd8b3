//! A chain with the claims contract, an oracle, and one listed model.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{SolCall, SolConstructor, SolEvent, sol};
use opml_contracts::{
    Host,
    abi::{
        AIOracle::{self, Terms},
        Dispute::{self, Claim},
    },
    dispute::claim_id,
};
use opml_vm::{
    DType, InputHeader, Program, Reducer, Source, Tensor,
    testing::{Build, fixed},
};

use crate::dispute::{
    programs::Sample,
    world::{
        BOND_C, BOND_S, CHAIN_ID, CHALLENGER, DELAY, Outcome, STRANGER, TRACE_TIME, WINDOW, World, input_headers,
        last_state,
    },
};

sol!(
    #[derive(Debug)]
    OaoConsumer,
    "artifacts/test/OaoConsumer.json"
);
sol!(
    #[derive(Debug)]
    Hostile,
    "artifacts/test/Hostile.json"
);

pub(crate) const ALICE: Address = Address::repeat_byte(0xa1);
pub(crate) const BOB: Address = Address::repeat_byte(0xb0);
pub(crate) const CAROL: Address = Address::repeat_byte(0xca);
/// Gets what the model earns, unless a test has it otherwise.
pub(crate) const OWNER: Address = Address::repeat_byte(0x0e);

pub(crate) const FEE: u64 = 1_000_003;
pub(crate) const GAS_PRICE: u64 = 7;
pub(crate) const TTL: u64 = 2_000;
pub(crate) const SHARE: u16 = 3_333;
pub(crate) const COMMIT_BOND: u64 = 501;
pub(crate) const REVEAL_TIME: u64 = 300;
/// What anybody may hold from the beginning.
pub(crate) const FUNDS: u64 = u64::MAX;

/// Three bytes in, the same three bytes out.
pub(crate) fn echo() -> Sample {
    let copy = Build::new(DType::U8, Reducer::Max, &[3], &[1])
        .load(Source::Input(0), 0, &[fixed(3, 0, &[(1, 1)])])
        .op(opml_vm::Opcode::Add, [18, 0, 0])
        .done();
    let header = InputHeader { dtype: DType::U8, elements: 3 };
    Sample {
        program: Program::new(vec![copy], vec![], vec![header], 0, None).unwrap(),
        inputs: vec![Tensor::from_values(DType::U8, &[1, 2, 3]).unwrap()],
        max_t: 1,
        length: 1,
    }
}

/// The input of every request, unless a test has it otherwise, and three answers, of which the first is right.
pub(crate) const INPUT: [u8; 3] = [1, 2, 3];
pub(crate) const RIGHT: &[u8] = &[1, 2, 3];
pub(crate) const WRONG: &[u8] = &[9, 9, 9];
pub(crate) const WORSE: &[u8] = &[8, 8, 8];

pub(crate) struct Oracle {
    pub(crate) world: World,
    pub(crate) at: Address,
    pub(crate) terms: Terms,
    pub(crate) model: U256,
    nonce: u64,
}

pub(crate) fn terms(model_root: B256, receiver: Address) -> Terms {
    Terms {
        modelRoot: model_root,
        maxT: 1,
        tier: 0,
        ttl: u32::try_from(TTL).unwrap(),
        share: SHARE,
        receiver,
        fee: alloy_primitives::aliases::U96::from(FEE),
        gasPrice: GAS_PRICE,
    }
}

pub(crate) fn deploy_oracle(host: &mut Host, dispute: Address) -> Address {
    let args =
        AIOracle::constructorCall { dispute, commitBond: U256::from(COMMIT_BOND), revealTime: U256::from(REVEAL_TIME) };
    host.deploy(STRANGER, &AIOracle::BYTECODE, &args.abi_encode()).unwrap()
}

impl Oracle {
    pub(crate) fn new() -> Self {
        let mut world = World::new();
        for account in [ALICE, BOB, CAROL] {
            world.host.fund(account, U256::from(FUNDS)).unwrap();
        }
        let at = deploy_oracle(&mut world.host, world.dispute);
        let sample = echo();
        let terms = terms(world.register(&sample), OWNER);
        let mut oracle = Self { world, at, terms: terms.clone(), model: U256::ZERO, nonce: 0 };
        let call = AIOracle::listCall { terms, inputHeaders: input_headers(&sample) };
        oracle.model = oracle.send(STRANGER, 0, &call).map(|_| oracle.model_id()).unwrap();
        oracle
    }

    fn model_id(&mut self) -> U256 {
        let terms = self.terms.clone();
        self.view(&AIOracle::modelIdOfCall { terms })
    }

    pub(crate) fn send<C: SolCall>(&mut self, from: Address, value: u64, call: &C) -> Outcome {
        self.world.host.send(from, self.at, U256::from(value), call).map(|(_, receipt)| receipt)
    }

    pub(crate) fn view<C: SolCall>(&mut self, call: &C) -> C::Return {
        self.world.host.view(self.at, call).unwrap()
    }

    pub(crate) fn request_call(&self, to: Address, gas: u64) -> AIOracle::requestCallback_0Call {
        AIOracle::requestCallback_0Call {
            modelId: self.model,
            input: INPUT.into(),
            callbackContract: to,
            gasLimit: gas,
            callbackData: Bytes::new(),
        }
    }

    /// A request of the optimistic mode, with exactly its price.
    pub(crate) fn ask(&mut self, from: Address, to: Address, gas: u64) -> U256 {
        let call = self.request_call(to, gas);
        self.send(from, FEE + GAS_PRICE * gas, &call).unwrap();
        self.view(&AIOracle::requestCountCall {})
    }

    pub(crate) fn ask_in_mode(&mut self, from: Address, to: Address, gas: u64, mode: u8) -> U256 {
        let AIOracle::requestCallback_0Call { modelId, input, callbackContract, gasLimit, callbackData } =
            self.request_call(to, gas);
        let call = AIOracle::requestCallback_1Call {
            modelId,
            input,
            callbackContract,
            gasLimit,
            callbackData,
            mode,
            refundTo: from,
        };
        self.send(from, FEE + GAS_PRICE * gas, &call).unwrap();
        self.view(&AIOracle::requestCountCall {})
    }

    pub(crate) fn request(&mut self, id: U256) -> AIOracle::Request {
        self.view(&AIOracle::requestOfCall { requestId: id })
    }

    /// A claim that nobody has made yet.
    pub(crate) fn prepared(&mut self, by: Address, id: U256, output: &[u8]) -> Claim {
        self.nonce += 1;
        let task = self.request(id).taskId;
        Claim { taskId: task, T: 1, outputHash: keccak256(output), submitter: by, nonce: self.nonce }
    }

    pub(crate) fn make(&mut self, claim: &Claim, output: &[u8]) {
        let call = Dispute::claimCall {
            taskId: claim.taskId,
            T: claim.T,
            nonce: claim.nonce,
            output: Bytes::copy_from_slice(output),
        };
        self.world.send(claim.submitter, BOND_S, &call).unwrap();
    }

    pub(crate) fn claim(&mut self, by: Address, id: U256, output: &[u8]) -> Claim {
        let claim = self.prepared(by, id, output);
        self.make(&claim, output);
        claim
    }

    pub(crate) fn answer(&mut self, id: U256, claim: &Claim, output: &[u8]) -> Outcome {
        let call = AIOracle::answerCall { requestId: id, c: theirs(claim), output: Bytes::copy_from_slice(output) };
        self.send(claim.submitter, 0, &call)
    }

    /// Claims and answers.
    pub(crate) fn answers(&mut self, by: Address, id: U256, output: &[u8]) -> Claim {
        let claim = self.claim(by, id, output);
        self.answer(id, &claim, output).unwrap();
        claim
    }

    pub(crate) fn claim_id(&self, claim: &Claim) -> B256 {
        claim_id(CHAIN_ID, self.world.dispute, claim)
    }

    /// The claim falls: it is challenged, and its submitter shows no trace.
    pub(crate) fn fell(&mut self, claim: &Claim) {
        let id = self.claim_id(claim);
        let (state, _) = self.world.challenge(CHALLENGER, id, 0).unwrap();
        self.world.pass(TRACE_TIME + DELAY + 1);
        let call = Dispute::claimTimeoutCall { state, c: claim.clone() };
        let receipt = self.world.send(STRANGER, 0, &call).unwrap();
        let state = last_state(&receipt).unwrap();
        self.world.send(STRANGER, 0, &Dispute::settleCall { state }).unwrap();
        let _ = BOND_C;
    }

    /// The claim becomes final, after its window.
    pub(crate) fn stands(&mut self, claim: &Claim) {
        self.world.pass(WINDOW);
        self.stands_now(claim);
    }

    pub(crate) fn stands_now(&mut self, claim: &Claim) {
        self.world.send(STRANGER, 0, &Dispute::finalizeCall { c: claim.clone() }).unwrap();
    }

    pub(crate) fn update(&mut self, by: Address, id: U256, output: &[u8]) -> Outcome {
        let call = AIOracle::updateResultCall { requestId: id, output: Bytes::copy_from_slice(output) };
        self.send(by, 0, &call)
    }

    pub(crate) fn settle(&mut self, id: U256) -> Outcome {
        self.send(STRANGER, 0, &AIOracle::settleFeeCall { requestId: id })
    }

    pub(crate) fn refund(&mut self, id: U256) -> Outcome {
        self.send(STRANGER, 0, &AIOracle::refundCall { requestId: id })
    }

    pub(crate) fn is_final(&mut self, id: U256) -> bool {
        self.view(&AIOracle::isFinalizedCall { requestId: id })
    }

    pub(crate) fn credit(&mut self, account: Address) -> U256 {
        self.view(&AIOracle::creditOfCall { account })
    }

    pub(crate) fn revenue(&mut self) -> U256 {
        let model = self.model;
        self.view(&AIOracle::revenueOfCall { modelId: model })
    }

    pub(crate) fn held(&mut self) -> U256 {
        let at = self.at;
        self.world.host.balance(at)
    }

    pub(crate) fn consumer(&mut self) -> Address {
        let args = OaoConsumer::constructorCall { oracle: self.at }.abi_encode();
        self.world.host.deploy(STRANGER, &OaoConsumer::BYTECODE, &args).unwrap()
    }

    pub(crate) fn hostile(&mut self, deed: u8, calls: Vec<Bytes>) -> Address {
        let at = self.world.host.deploy(STRANGER, &Hostile::BYTECODE, &[]).unwrap();
        self.instruct(at, deed, calls);
        at
    }

    pub(crate) fn instruct(&mut self, hostile: Address, deed: u8, calls: Vec<Bytes>) {
        let call = Hostile::setCall { deed_: deed, target_: self.at, answers_: calls };
        self.world.host.send(STRANGER, hostile, U256::ZERO, &call).unwrap();
    }
}

/// The claim as the oracle's bindings have it.
pub(crate) fn theirs(claim: &Claim) -> AIOracle::Claim {
    let Claim { taskId, T, outputHash, submitter, nonce } = claim.clone();
    AIOracle::Claim { taskId, T, outputHash, submitter, nonce }
}

/// All events of a kind.
pub(crate) fn events<E: SolEvent>(outcome: &Outcome) -> Vec<E> {
    let logs = &outcome.as_ref().unwrap().logs;
    logs.iter().filter_map(|log| E::decode_log(log).ok()).map(|log| log.data).collect()
}

/// A fee's parts: the receiver's and the submitter's.
pub(crate) fn parts(fee: u64) -> (u64, u64) {
    let share = fee * u64::from(SHARE) / 10_000;
    (share, fee - share)
}
