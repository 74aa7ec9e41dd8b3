//! Random sequences of requests, claims, commitments, deliveries and time: the oracle is solvent to the wei after every call, money that
//! came in went out to those it is due to, and nobody is called back more than twice.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::SolValue;
use opml_contracts::{
    abi::{
        AIOracle::{self, Entry},
        Dispute::{self, Claim},
    },
    dispute::{BURN, ClaimSlot, Status},
};
use opml_vm::testing::Rng;

use crate::dispute::world::{STRANGER, WINDOW};

use super::world::{
    ALICE, BOB, CAROL, COMMIT_BOND, FEE, GAS_PRICE, Hostile, OWNER, Oracle, REVEAL_TIME, RIGHT, TTL, WORSE, WRONG,
    theirs,
};

const PEOPLE: [Address; 3] = [ALICE, BOB, CAROL];
const OUTPUTS: [&[u8]; 3] = [RIGHT, WRONG, WORSE];
const GAS: u64 = 100_000;
// Numbers of the oracle's enumerations.
const OPEN: u8 = 1;
const ANSWERED: u8 = 2;
const REFUNDED: u8 = 3;
const COMMITTED: u8 = 0;
const CLAIMED: u8 = 1;

/// A claim, and its hidden place on a request if it has one.
struct Made {
    claim: Claim,
    output: &'static [u8],
    id: U256,
    committed: Option<(u64, B256)>,
    made: bool,
}

struct Play {
    oracle: Oracle,
    rng: Rng,
    callee: Address,
    requests: u64,
    claims: Vec<Made>,
    paid_in: U256,
    paid_out: U256,
}

impl Play {
    fn new(seed: u64) -> Self {
        let mut oracle = Oracle::new();
        let callee = oracle.hostile(0, vec![]);
        let (paid_in, paid_out) = (U256::ZERO, U256::ZERO);
        Self { oracle, rng: Rng::new(seed), callee, requests: 0, claims: vec![], paid_in, paid_out }
    }

    fn any_request(&mut self) -> U256 {
        U256::from(1 + self.rng.below(self.requests.max(1)))
    }

    fn step(&mut self) {
        match self.rng.below(14) {
            0 => self.ask(),
            1..=3 => self.claim(),
            4 => self.commit(),
            5 => self.reveal(),
            6 => {
                let id = self.any_request();
                let index = self.rng.below(4);
                let call = AIOracle::expireCall { requestId: id, index: U256::from(index) };
                drop(self.oracle.send(STRANGER, 0, &call));
            }
            7 => self.fall(),
            8 => self.finalize(),
            9 => {
                let (id, output) = (self.any_request(), OUTPUTS[self.rng.index(3)]);
                drop(self.oracle.update(STRANGER, id, output));
            }
            10 => {
                let id = self.any_request();
                drop(self.oracle.settle(id));
                drop(self.oracle.refund(id));
            }
            11 => self.withdraw(),
            12 => {
                let deed = u8::try_from(self.rng.below(5)).unwrap();
                let callee = self.callee;
                self.oracle.instruct(callee, deed, vec![]);
            }
            _ => {
                let seconds = [1, 60, REVEAL_TIME, TTL, WINDOW][self.rng.index(5)];
                self.oracle.world.pass(seconds);
            }
        }
    }

    fn ask(&mut self) {
        if self.requests == 3 {
            return;
        }
        let from = PEOPLE[self.rng.index(3)];
        let mode = u8::try_from(self.rng.below(3)).unwrap();
        let extra = self.rng.below(3) * 17;
        let (to, gas) = if self.rng.chance(70) { (self.callee, GAS) } else { (Address::ZERO, 0) };
        let call = self.oracle.request_call(to, gas);
        let call = AIOracle::requestCallback_1Call {
            modelId: call.modelId,
            input: call.input,
            callbackContract: to,
            gasLimit: gas,
            callbackData: Bytes::new(),
            mode,
            refundTo: from,
        };
        let value = FEE + GAS_PRICE * gas + extra;
        self.oracle.send(from, value, &call).unwrap();
        self.paid_in += U256::from(value);
        self.requests += 1;
    }

    fn prepare(&mut self) -> Option<usize> {
        if self.requests == 0 || self.claims.len() == 8 {
            return None;
        }
        let (by, id) = (PEOPLE[self.rng.index(3)], self.any_request());
        // Mostly the right answer.
        let output = OUTPUTS[self.rng.index(6) % 4 % 3];
        let claim = self.oracle.prepared(by, id, output);
        self.claims.push(Made { claim, output, id, committed: None, made: false });
        Some(self.claims.len() - 1)
    }

    fn make(&mut self, number: usize) {
        let Made { claim, output, made, .. } = &mut self.claims[number];
        if !std::mem::replace(made, true) {
            let (claim, output) = (claim.clone(), *output);
            self.oracle.make(&claim, output);
        }
    }

    fn claim(&mut self) {
        let Some(number) = self.prepare() else { return };
        self.make(number);
        let (claim, output) = (self.claims[number].claim.clone(), self.claims[number].output);
        // All requests have one input, so a claim answers any of them.
        let id = self.any_request();
        drop(self.oracle.answer(id, &claim, output));
    }

    fn commit(&mut self) {
        let Some(number) = self.prepare() else { return };
        let (claim, id) = (self.claims[number].claim.clone(), self.claims[number].id);
        let salt = B256::from(U256::from(self.rng.bits()));
        let hash = keccak256((id, self.oracle.claim_id(&claim), salt).abi_encode());
        let index = u64::try_from(self.entries(id).len()).unwrap();
        if self.oracle.send(claim.submitter, COMMIT_BOND, &AIOracle::commitCall { requestId: id, hash }).is_ok() {
            self.paid_in += U256::from(COMMIT_BOND);
            self.claims[number].committed = Some((index, salt));
        }
    }

    fn reveal(&mut self) {
        if self.claims.is_empty() {
            return;
        }
        let number = self.rng.index(self.claims.len());
        let Some((index, salt)) = self.claims[number].committed else { return };
        self.make(number);
        let Made { claim, output, id, .. } = &self.claims[number];
        let call = AIOracle::revealCall {
            requestId: *id,
            index: U256::from(index),
            c: theirs(claim),
            salt,
            output: Bytes::copy_from_slice(output),
        };
        let from = claim.submitter;
        drop(self.oracle.send(from, 0, &call));
    }

    /// Some lie, or an honest claim of a submitter that sleeps, falls.
    fn fall(&mut self) {
        if self.claims.is_empty() {
            return;
        }
        let number = self.rng.index(self.claims.len());
        let claim = self.claims[number].claim.clone();
        let slot = self.slot(&claim);
        let open = self.oracle.world.host.now() < slot.claimed_at + WINDOW;
        if slot.status == Status::Pending && open && (self.claims[number].output != RIGHT || self.rng.chance(30)) {
            self.oracle.fell(&claim);
        }
    }

    fn slot(&mut self, claim: &Claim) -> ClaimSlot {
        let id = self.oracle.claim_id(claim);
        self.oracle.world.slot(id)
    }

    fn finalize(&mut self) {
        for number in 0..self.claims.len() {
            let claim = self.claims[number].claim.clone();
            drop(self.oracle.world.send(STRANGER, 0, &Dispute::finalizeCall { c: claim }));
        }
    }

    fn withdraw(&mut self) {
        for account in [PEOPLE[self.rng.index(3)], STRANGER, BURN] {
            let due = self.oracle.credit(account);
            let call = AIOracle::withdrawForCall { account };
            assert_eq!(self.oracle.send(STRANGER, 0, &call).is_ok(), !due.is_zero());
            self.paid_out += due;
        }
        let due = self.oracle.revenue();
        let model = self.oracle.model;
        let call = AIOracle::claimModelRevenueCall { modelId: model };
        assert_eq!(self.oracle.send(STRANGER, 0, &call).is_ok(), !due.is_zero());
        self.paid_out += due;
    }

    fn entries(&mut self, id: U256) -> Vec<Entry> {
        self.oracle.view(&AIOracle::entriesOfCall { requestId: id })
    }

    /// All that the oracle owes is there, to the wei, and nothing else.
    fn check(&mut self) {
        let mut owed = self.oracle.revenue();
        for account in PEOPLE.into_iter().chain([STRANGER, BURN, OWNER]) {
            owed += self.oracle.credit(account);
        }
        for number in 1..=self.requests {
            let id = U256::from(number);
            let r = self.oracle.request(id);
            if r.status == OPEN || (r.status == ANSWERED && !r.settled) {
                owed += U256::from(r.fee);
            }
            if !r.gasPaid && r.status != REFUNDED && !r.gasFee.is_zero() {
                owed += U256::from(r.gasFee);
            }
            let waiting = self.entries(id).iter().filter(|entry| entry.kind == COMMITTED).count();
            owed += U256::from(COMMIT_BOND) * U256::from(waiting);
        }
        assert_eq!(self.oracle.held(), owed);
        assert_eq!(self.paid_in, self.paid_out + owed);
        let calls: U256 = self.oracle.world.host.view(self.callee, &Hostile::callsCall {}).unwrap();
        assert!(calls <= U256::from(2 * self.requests));
    }

    /// Ends everything: every request is paid or refunded, and nothing is left.
    fn finish(&mut self) {
        self.oracle.world.pass(TTL + WINDOW + REVEAL_TIME);
        self.finalize();
        for number in 1..=self.requests {
            let id = U256::from(number);
            let entries = self.entries(id);
            for index in 0..entries.len() {
                let index = U256::from(index);
                drop(self.oracle.send(STRANGER, 0, &AIOracle::expireCall { requestId: id, index }));
                drop(self.oracle.send(STRANGER, 0, &AIOracle::concludeCall { requestId: id, index }));
            }
            for output in OUTPUTS {
                drop(self.oracle.update(STRANGER, id, output));
            }
            drop(self.oracle.settle(id));
            drop(self.oracle.refund(id));
            self.check();
            self.fair(id);
        }
        self.withdraw();
        for account in PEOPLE {
            drop(self.oracle.send(STRANGER, 0, &AIOracle::withdrawForCall { account }));
        }
        assert_eq!(self.oracle.held(), U256::ZERO);
    }

    /// A request has an answer exactly if one of its claims is final, and the lowest of those that carry it was paid.
    fn fair(&mut self, id: U256) {
        let r = self.oracle.request(id);
        let entries = self.entries(id);
        let is_final = |play: &mut Self, entry: &Entry| {
            entry.kind == CLAIMED && play.oracle.world.slot(entry.id).status == Status::Final
        };
        let winner =
            (0..entries.len()).find(|&index| is_final(self, &entries[index]) && entries[index].outputHash == r.answer);
        match winner {
            Some(index) => {
                assert!(r.status == ANSWERED && r.settled && r.delivery.last);
                assert_eq!(usize::try_from(r.head).unwrap(), index, "who was paid");
            }
            None => {
                assert_eq!(r.status, REFUNDED);
                assert!(entries.iter().all(|entry| !is_final(self, entry)));
            }
        }
        assert_eq!(self.oracle.is_final(id), winner.is_some());
    }
}

#[test]
fn the_oracle_is_solvent_and_fair_under_random_sequences() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64);
    let mut ends = [0; 2];
    for seed in 0..cases {
        let mut play = Play::new(seed);
        for _ in 0..40 {
            play.step();
            play.check();
        }
        play.finish();
        for number in 1..=play.requests {
            ends[usize::from(play.oracle.request(U256::from(number)).status == ANSWERED)] += 1;
        }
    }
    assert!(cases < 50 || ends.iter().all(|&count| count > 20), "{ends:?}");
}
