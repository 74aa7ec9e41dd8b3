//! Attention checks: every way to earn, to lose a deposit, and to be late.
#![allow(clippy::as_conversions, reason = "tests fail loudly")]

use alloy_primitives::{Address, B256, U256, aliases::U96, keccak256};
use alloy_sol_types::{SolCall, SolConstructor, SolError, SolValue};
use opml_contracts::{
    HostError,
    abi::{
        Attention::{self, Terms},
        Dispute,
    },
    attention::{commitment, mark},
    dispute::{BURN, Status},
};

use crate::{
    dispute::{
        gas::Notes,
        world::{
            BOND_S, BUDGET, CHALLENGER, DELAY, Game, Outcome, ROOT_WINDOW, STRANGER, SUBMITTER, TRACE_TIME, WINDOW,
            code,
        },
    },
    lab::lies::Lie,
};

const ANN: Address = Address::repeat_byte(0xa1);
const BEN: Address = Address::repeat_byte(0xa2);
const CAT: Address = Address::repeat_byte(0xa3);
const COMMITTEE: [Address; 3] = [ANN, BEN, CAT];
const RESPOND: u64 = 900;
const REVEAL: u64 = 300;
const DEPOSIT: u64 = 1_000_001;
const FEE: u64 = 500;
const BOND: u64 = 701;
const SALT: B256 = B256::repeat_byte(0x5a);

fn terms() -> Terms {
    Terms {
        tier: 0,
        respond: RESPOND as u32,
        reveal: REVEAL as u32,
        deposit: U96::from(DEPOSIT),
        fee: U96::from(FEE),
        bond: U96::from(BOND),
        checkCost: U96::from(100),
        answerCost: U96::from(30),
    }
}

/// A claim, and a committee that has joined.
struct Watched {
    game: Game,
    attention: Address,
}

fn deploy(game: &mut Game, terms: Terms, members: &[Address]) -> Result<Address, HostError> {
    let args = Attention::constructorCall { claims_: game.world.dispute, t: terms, members: members.to_vec() };
    game.world.host.deploy(STRANGER, &code("Attention", &Attention::BYTECODE), &args.abi_encode())
}

#[track_caller]
fn refused<E: SolError>(outcome: Outcome) {
    crate::dispute::world::refused::<E>(outcome);
}

impl Watched {
    fn new(lie: Lie) -> Self {
        let (mut game, _) = lie.claim(0);
        let attention = deploy(&mut game, terms(), &COMMITTEE).unwrap();
        let mut watched = Self { game, attention };
        for member in COMMITTEE {
            watched.game.world.host.fund(member, U256::from(10 * DEPOSIT)).unwrap();
            watched.send(member, DEPOSIT, &Attention::joinCall {}).unwrap();
        }
        watched.game.world.host.warp(1);
        watched
    }

    /// Attention is asked for.
    fn asked(lie: Lie) -> Self {
        let mut watched = Self::new(lie);
        watched.ask().unwrap();
        watched
    }

    /// All but one in `silent` have answered right, the time to answer is over, and the trace is open and revealed.
    fn revealed(lie: Lie, silent: &[Address]) -> Self {
        let mut watched = Self::asked(lie);
        for member in COMMITTEE.into_iter().filter(|member| !silent.contains(member)) {
            watched.respond(member, watched.right(member)).unwrap();
        }
        watched.game.world.host.warp(RESPOND);
        watched.game.open_trace().unwrap();
        watched.reveal(SALT).unwrap();
        watched
    }

    fn send<C: SolCall>(&mut self, from: Address, value: u64, call: &C) -> Outcome {
        self.game.world.host.send(from, self.attention, U256::from(value), call).map(|(_, receipt)| receipt)
    }

    fn view<C: SolCall>(&mut self, call: &C) -> C::Return {
        self.game.world.host.view(self.attention, call).unwrap()
    }

    fn root(&self) -> B256 {
        self.game.commit.tree.root().into()
    }

    fn right(&self, member: Address) -> B256 {
        mark(self.game.id, self.root(), member)
    }

    fn ask_call(&self) -> Attention::askCall {
        let c = &self.game.claim;
        Attention::askCall {
            c: Attention::Claim {
                taskId: c.taskId,
                T: c.T,
                outputHash: c.outputHash,
                submitter: c.submitter,
                nonce: c.nonce,
            },
            commitment: commitment(self.game.id, self.root(), SALT),
        }
    }

    fn ask(&mut self) -> Outcome {
        let call = self.ask_call();
        self.send(SUBMITTER, FEE + BOND, &call)
    }

    fn respond(&mut self, from: Address, mark: B256) -> Outcome {
        self.send(from, 0, &Attention::respondCall { claimId: self.game.id, mark })
    }

    fn reveal(&mut self, salt: B256) -> Outcome {
        self.send(SUBMITTER, 0, &Attention::revealCall { claimId: self.game.id, salt })
    }

    fn settle(&mut self) -> Outcome {
        self.send(STRANGER, 0, &Attention::settleCall { claimId: self.game.id })
    }

    fn expire(&mut self) -> Outcome {
        self.send(STRANGER, 0, &Attention::expireCall { claimId: self.game.id })
    }

    fn finalize(&mut self) {
        self.game.world.pass(WINDOW);
        self.game.finalize().unwrap();
    }

    /// The claim falls by a proof.
    fn refute(&mut self) {
        self.game.challenge(CHALLENGER, 0).unwrap();
        let truth = crate::dispute::commit::Commit::of(&self.game.sample.run(3, &mut |_, _, _| ()));
        let call = crate::lab::agents::prove_now(&mut self.game, &truth).unwrap();
        let dispute = self.game.world.dispute;
        self.game.world.host.call(CHALLENGER, dispute, U256::ZERO, call.data).unwrap();
    }

    /// The same task is claimed again, and this is the claim from now on.
    fn claim_again(&mut self) {
        let game = &mut self.game;
        let claim = Dispute::claimCall { taskId: game.claim.taskId, T: 3, nonce: 1, output: game.output.clone() };
        game.world.send(SUBMITTER, BOND_S, &claim).unwrap();
        game.claim.nonce = 1;
        game.id = opml_contracts::dispute::claim_id(31_337, game.world.dispute, &game.claim);
    }

    fn credit(&mut self, account: Address) -> u64 {
        self.view(&Attention::creditOfCall { account }).to()
    }

    fn credits(&mut self) -> [u64; 3] {
        COMMITTEE.map(|member| self.credit(member))
    }

    fn pool(&mut self) -> u64 {
        self.view(&Attention::poolCall {}).to()
    }

    fn attention(&mut self) -> u64 {
        self.view(&Attention::attentionOfCall { claimId: self.game.id }).to()
    }

    fn deposits(&mut self) -> u64 {
        let seats = self.view(&Attention::seatsOfCall {});
        DEPOSIT * seats.iter().filter(|seat| !seat.since.is_zero()).count() as u64
    }

    /// All that the contract holds is somebody's: `waiting` is what a check that is not over holds.
    #[track_caller]
    fn conserves(&mut self, waiting: u64) {
        let credits: u64 = [ANN, BEN, CAT, SUBMITTER, STRANGER, BURN].map(|account| self.credit(account)).iter().sum();
        let held: u64 = self.game.world.host.balance(self.attention).to();
        assert_eq!(held, credits + self.pool() + self.deposits() + waiting);
    }
}

#[test]
fn who_computes_the_trace_shares_the_fee() {
    let mut watched = Watched::revealed(Lie::None, &[]);
    watched.conserves(FEE + BOND);
    refused::<Attention::NotOver>(watched.settle());
    watched.finalize();
    watched.settle().unwrap();
    assert_eq!(watched.credits(), [FEE / 3; 3]);
    assert_eq!((watched.pool(), watched.attention()), (FEE % 3, 3));
    assert_eq!(watched.credit(SUBMITTER), BOND);
    assert_eq!(watched.deposits(), 3 * DEPOSIT);
    watched.conserves(0);
    refused::<Attention::NotAsked>(watched.settle());
    refused::<Attention::NotAsked>(watched.expire());
}

#[test]
fn who_was_silent_about_a_final_claim_loses_its_deposit() {
    let mut watched = Watched::revealed(Lie::None, &[BEN]);
    watched.finalize();
    watched.settle().unwrap();
    assert_eq!(watched.credits(), [FEE / 2, 0, FEE / 2]);
    assert_eq!((watched.credit(STRANGER), watched.credit(BURN)), (DEPOSIT / 2, DEPOSIT - DEPOSIT / 2));
    assert_eq!((watched.deposits(), watched.attention()), (2 * DEPOSIT, 2));
    watched.conserves(0);
    // it may come back, with a new deposit
    watched.send(BEN, DEPOSIT, &Attention::joinCall {}).unwrap();
}

#[test]
fn who_reports_itself_loses_half() {
    let mut watched = Watched::revealed(Lie::None, &[BEN]);
    watched.finalize();
    watched.send(BEN, 0, &Attention::settleCall { claimId: watched.game.id }).unwrap();
    assert_eq!(watched.credit(BEN), DEPOSIT / 2);
}

#[test]
fn a_guess_a_copy_and_a_false_root_are_junk() {
    for case in 0..3 {
        let mut watched = Watched::asked(Lie::None);
        watched.respond(ANN, watched.right(ANN)).unwrap();
        let junk = [B256::repeat_byte(7), watched.right(ANN), mark(watched.game.id, B256::repeat_byte(9), BEN)][case];
        watched.respond(BEN, junk).unwrap();
        watched.respond(CAT, watched.right(CAT)).unwrap();
        watched.game.world.host.warp(RESPOND);
        watched.game.open_trace().unwrap();
        watched.reveal(SALT).unwrap();
        watched.finalize();
        watched.settle().unwrap();
        assert_eq!(watched.credits(), [FEE / 2, 0, FEE / 2], "case {case}");
        assert_eq!(watched.deposits(), 2 * DEPOSIT);
        watched.conserves(0);
    }
}

#[test]
fn answers_come_before_their_time_is_over_and_once() {
    let mut watched = Watched::asked(Lie::None);
    refused::<Attention::NotMember>(watched.respond(STRANGER, watched.right(STRANGER)));
    refused::<Attention::Answered>(watched.respond(ANN, B256::ZERO));
    watched.game.world.host.warp(RESPOND - 1);
    watched.respond(ANN, watched.right(ANN)).unwrap();
    refused::<Attention::Answered>(watched.respond(ANN, watched.right(ANN)));
    watched.game.world.host.warp(1);
    refused::<Attention::TooLate>(watched.respond(BEN, watched.right(BEN)));
    let other = Attention::respondCall { claimId: B256::ZERO, mark: B256::ZERO };
    refused::<Attention::NotAsked>(watched.send(BEN, 0, &other));
}

#[test]
fn a_trace_that_is_public_is_answered_by_nobody() {
    // a challenge makes the submitter open its trace before the answers are due: nobody earns, nobody loses but the challenger
    let mut watched = Watched::asked(Lie::None);
    watched.respond(ANN, watched.right(ANN)).unwrap();
    watched.game.challenge(CHALLENGER, 0).unwrap();
    watched.game.open_trace().unwrap();
    refused::<Attention::TraceOpen>(watched.respond(BEN, watched.right(BEN)));
    refused::<Attention::TooEarly>(watched.reveal(SALT));
    watched.game.world.host.warp(RESPOND + REVEAL);
    refused::<Attention::TooEarly>(watched.expire());
    watched.game.world.host.warp(1);
    refused::<Attention::TooLate>(watched.reveal(SALT));
    watched.expire().unwrap();
    assert_eq!((watched.pool(), watched.credit(SUBMITTER), watched.attention()), (FEE, BOND, 0));
    assert_eq!(watched.deposits(), 3 * DEPOSIT);
    watched.conserves(0);
}

#[test]
fn a_trace_opened_as_the_answers_end_is_in_time() {
    for (early, right) in [(1, false), (0, true)] {
        let mut watched = Watched::asked(Lie::None);
        watched.game.world.host.warp(RESPOND - early);
        watched.game.open_trace().unwrap();
        assert_eq!(watched.reveal(SALT).is_ok(), right, "{early}");
    }
    for (late, right) in [(0, true), (1, false)] {
        let mut watched = Watched::asked(Lie::None);
        watched.game.world.host.warp(RESPOND + REVEAL + late);
        watched.game.open_trace().unwrap();
        assert_eq!(watched.reveal(SALT).is_ok(), right, "{late}");
    }
}

#[test]
fn a_submitter_that_does_not_reveal_loses_its_bond() {
    for opens in [false, true] {
        let mut watched = Watched::asked(Lie::None);
        watched.game.world.host.warp(RESPOND);
        if opens {
            watched.game.open_trace().unwrap();
        }
        watched.game.world.host.warp(REVEAL + 1);
        watched.expire().unwrap();
        assert_eq!((watched.credit(STRANGER), watched.credit(BURN)), (BOND / 2, BOND - BOND / 2));
        assert_eq!((watched.pool(), watched.deposits(), watched.attention()), (FEE, 3 * DEPOSIT, 0));
        watched.conserves(0);
        watched.finalize();
        refused::<Attention::NotAsked>(watched.settle());
    }
}

#[test]
fn the_trace_that_is_opened_is_the_one_committed_to() {
    let mut watched = Watched::new(Lie::None);
    let other = Attention::askCall {
        commitment: commitment(watched.game.id, B256::repeat_byte(3), SALT),
        ..watched.ask_call()
    };
    watched.send(SUBMITTER, FEE + BOND, &other).unwrap();
    watched.game.world.host.warp(RESPOND);
    refused::<Attention::NotPending>(watched.reveal(SALT));
    watched.game.open_trace().unwrap();
    refused::<Attention::WrongTrace>(watched.reveal(SALT));
    let mut watched = Watched::asked(Lie::None);
    watched.game.world.host.warp(RESPOND);
    watched.game.open_trace().unwrap();
    refused::<Attention::WrongTrace>(watched.reveal(B256::ZERO));
    let call = Attention::revealCall { claimId: watched.game.id, salt: SALT };
    refused::<Attention::NotSubmitter>(watched.send(STRANGER, 0, &call));
    watched.reveal(SALT).unwrap();
    refused::<Attention::NotAsked>(watched.reveal(SALT));
}

#[test]
fn a_salt_moves_nothing_but_the_commitment() {
    // grinding: whatever salt the submitter takes, every member checks, and the answers are the same
    let mut marks = vec![];
    for salt in [B256::ZERO, SALT] {
        let mut watched = Watched::new(Lie::None);
        let commitment = commitment(watched.game.id, watched.root(), salt);
        let call = Attention::askCall { commitment, ..watched.ask_call() };
        watched.send(SUBMITTER, FEE + BOND, &call).unwrap();
        let check = watched.view(&Attention::checkOfCall { claimId: watched.game.id });
        assert_eq!(check.seats, 0b111);
        let right = watched.right(ANN);
        let view = Attention::markOfCall { claimId: watched.game.id, traceRoot: watched.root(), member: ANN };
        assert_eq!(watched.view(&view), right);
        marks.push(right);
    }
    assert_eq!(marks[0], marks[1]);
}

#[test]
fn a_member_that_joins_after_a_claim_owes_it_nothing() {
    let (mut game, _) = Lie::None.claim(0);
    let attention = deploy(&mut game, terms(), &COMMITTEE).unwrap();
    let mut watched = Watched { game, attention };
    for member in COMMITTEE {
        watched.game.world.host.fund(member, U256::from(10 * DEPOSIT)).unwrap();
    }
    refused::<Attention::NobodyActive>(watched.ask());
    watched.send(ANN, DEPOSIT, &Attention::joinCall {}).unwrap();
    // in the same second it is not active yet
    refused::<Attention::NobodyActive>(watched.ask());
    watched.game.world.host.warp(1);
    watched.ask().unwrap();
    watched.send(BEN, DEPOSIT, &Attention::joinCall {}).unwrap();
    refused::<Attention::NotAsked>(watched.respond(BEN, watched.right(BEN)));
    watched.respond(ANN, watched.right(ANN)).unwrap();
    watched.game.world.host.warp(RESPOND);
    watched.game.open_trace().unwrap();
    watched.reveal(SALT).unwrap();
    watched.finalize();
    watched.settle().unwrap();
    assert_eq!((watched.credits(), watched.deposits()), ([FEE, 0, 0], 2 * DEPOSIT));
    watched.conserves(0);
}

#[test]
fn a_deposit_answers_for_the_claims_of_its_own_time() {
    // slashed for one claim, back with a new deposit: the new one does not answer for a second claim that was asked about before
    let mut watched = Watched::revealed(Lie::None, &[BEN]);
    let first = watched.game.id;
    watched.finalize();
    watched.settle().unwrap();
    assert_eq!(watched.deposits(), 2 * DEPOSIT);
    let again = Attention::joinCall {};
    watched.send(BEN, DEPOSIT, &again).unwrap();
    assert_eq!(watched.attention(), 2);
    refused::<Attention::NotAsked>(watched.send(STRANGER, 0, &Attention::settleCall { claimId: first }));
    assert_eq!(watched.deposits(), 3 * DEPOSIT);
}

#[test]
fn a_deposit_of_the_second_in_which_a_claim_was_asked_about_does_not_answer_for_it() {
    let mut watched = Watched::revealed(Lie::None, &[BEN]);
    let first = watched.game.id;
    watched.finalize();
    watched.claim_again();
    // All in one second: the second claim is asked about while BEN is active, BEN is slashed for the first, and comes back.
    watched.ask().unwrap();
    let asked = watched.view(&Attention::checkOfCall { claimId: watched.game.id });
    watched.send(STRANGER, 0, &Attention::settleCall { claimId: first }).unwrap();
    watched.send(BEN, DEPOSIT, &Attention::joinCall {}).unwrap();
    let seats = watched.view(&Attention::seatsOfCall {});
    assert_eq!((asked.seats, seats[1].since), (0b111, asked.askedAt));
    watched.respond(ANN, watched.right(ANN)).unwrap();
    watched.respond(CAT, watched.right(CAT)).unwrap();
    watched.game.world.host.warp(RESPOND);
    watched.game.open_trace().unwrap();
    watched.reveal(SALT).unwrap();
    watched.finalize();
    watched.settle().unwrap();
    assert_eq!((watched.deposits(), watched.attention()), (3 * DEPOSIT, 2));
    watched.conserves(0);
}

#[test]
fn a_member_that_left_owes_nothing_to_later_claims() {
    let mut watched = Watched::new(Lie::None);
    watched.send(CAT, 0, &Attention::retireCall {}).unwrap();
    watched.ask().unwrap();
    refused::<Attention::NotAsked>(watched.respond(CAT, watched.right(CAT)));
    watched.respond(ANN, watched.right(ANN)).unwrap();
    watched.respond(BEN, watched.right(BEN)).unwrap();
    watched.game.world.host.warp(RESPOND);
    watched.game.open_trace().unwrap();
    watched.reveal(SALT).unwrap();
    watched.finalize();
    watched.settle().unwrap();
    assert_eq!((watched.credits(), watched.deposits()), ([FEE / 2, FEE / 2, 0], 3 * DEPOSIT));
    watched.conserves(0);
}

#[test]
fn a_false_claim_costs_its_honest_checkers_nothing() {
    // all three computed the truth, which is not what the submitter opened; two said so by their answer, one by silence
    let mut watched = Watched::asked(Lie::Sum);
    let truth = B256::repeat_byte(0x77);
    watched.respond(ANN, mark(watched.game.id, truth, ANN)).unwrap();
    watched.respond(BEN, mark(watched.game.id, truth, BEN)).unwrap();
    watched.game.world.host.warp(RESPOND);
    watched.game.open_trace().unwrap();
    watched.reveal(SALT).unwrap();
    watched.refute();
    watched.settle().unwrap();
    assert_eq!((watched.deposits(), watched.pool(), watched.attention()), (3 * DEPOSIT, FEE, 0));
    assert_eq!(watched.credit(STRANGER) + watched.credit(BURN), BOND);
    watched.conserves(0);
}

#[test]
fn who_vouched_for_a_refuted_root_loses_its_deposit() {
    let mut watched = Watched::revealed(Lie::Sum, &[CAT]);
    watched.refute();
    watched.settle().unwrap();
    assert_eq!((watched.deposits(), watched.pool()), (DEPOSIT, FEE));
    assert_eq!(watched.credits(), [0; 3]);
    watched.conserves(0);
}

#[test]
fn a_right_claim_that_is_given_up_slashes_nobody() {
    // A submitter that lets its own right claim fall by time must not take the deposits of those who checked it.
    let mut watched = Watched::revealed(Lie::None, &[]);
    watched.game.challenge(CHALLENGER, 0).unwrap();
    watched.game.select(0).unwrap();
    watched.game.world.pass(BUDGET + DELAY + 10);
    watched.game.timeout(STRANGER).unwrap();
    assert_eq!(watched.game.slot().status, Status::False);
    watched.settle().unwrap();
    assert_eq!((watched.deposits(), watched.pool(), watched.attention()), (3 * DEPOSIT, FEE, 0));
    watched.conserves(0);
}

#[test]
fn a_false_claim_that_was_not_revealed_expires() {
    let mut watched = Watched::asked(Lie::Sum);
    watched.game.challenge(CHALLENGER, 0).unwrap();
    watched.game.open_trace().unwrap();
    let truth = crate::dispute::commit::Commit::of(&watched.game.sample.run(3, &mut |_, _, _| ()));
    let call = crate::lab::agents::prove_now(&mut watched.game, &truth).unwrap();
    let dispute = watched.game.world.dispute;
    watched.game.world.host.call(CHALLENGER, dispute, U256::ZERO, call.data).unwrap();
    watched.game.world.host.warp(RESPOND);
    refused::<Attention::NotPending>(watched.reveal(SALT));
    watched.game.world.host.warp(REVEAL + 1);
    watched.expire().unwrap();
    assert_eq!(watched.credit(STRANGER) + watched.credit(BURN), BOND);
    assert_eq!(watched.pool(), FEE);
}

#[test]
fn fees_that_nobody_earned_go_to_the_next_claim() {
    let mut watched = Watched::revealed(Lie::None, &COMMITTEE);
    watched.finalize();
    watched.settle().unwrap();
    assert_eq!((watched.pool(), watched.deposits(), watched.attention()), (FEE, 0, 0));
    watched.conserves(0);
    // the next claim, on the same contract
    watched.send(ANN, DEPOSIT, &Attention::joinCall {}).unwrap();
    watched.game.world.host.warp(1);
    watched.claim_again();
    watched.ask().unwrap();
    watched.respond(ANN, watched.right(ANN)).unwrap();
    watched.game.world.host.warp(RESPOND);
    watched.game.open_trace().unwrap();
    watched.reveal(SALT).unwrap();
    watched.finalize();
    watched.settle().unwrap();
    assert_eq!((watched.credits(), watched.pool()), ([2 * FEE, 0, 0], 0));
    watched.conserves(0);
}

#[test]
fn a_signed_leak_takes_the_submitters_bond() {
    let mut watched = Watched::asked(Lie::None);
    let digest = watched.digest();
    let packed = [&b"\x19\x00"[..], watched.attention.as_slice()].concat();
    let inner = ("leak".to_owned(), U256::from(31_337), watched.game.id, watched.root()).abi_encode_params();
    assert_eq!(digest, keccak256([packed, keccak256(inner).to_vec()].concat()));
    // what somebody else signed says nothing, nor does what nobody can have signed
    let leak = watched.leak_call();
    refused::<Attention::BadSignature>(watched.send(ANN, 0, &leak));
    refused::<Attention::BadSignature>(watched.send(ANN, 0, &Attention::leakCall { v: 0, ..leak }));
    // No key is at hand, so the signature comes first: some (v, r, s) over this digest is of some account, and that account is the submitter.
    // The digest names the claim, which names the submitter, so the submitter is written into the check's slot.
    for (wait, open, right) in [(0, false, true), (RESPOND - 1, false, true), (RESPOND, false, false), (0, true, false)]
    {
        let mut watched = Watched::asked(Lie::None);
        let signer = watched.signer();
        watched.becomes_submitter(signer);
        if open {
            watched.game.open_trace().unwrap();
        }
        watched.game.world.host.warp(wait);
        let leak = watched.leak_call();
        let outcome = watched.send(ANN, 0, &leak);
        if right {
            outcome.unwrap();
            assert_eq!((watched.credit(ANN), watched.credit(BURN)), (BOND / 2, BOND - BOND / 2));
            assert_eq!((watched.pool(), watched.deposits(), watched.attention()), (FEE, 3 * DEPOSIT, 0));
            watched.conserves(0);
            refused::<Attention::NotAsked>(watched.respond(ANN, watched.right(ANN)));
            refused::<Attention::NotAsked>(watched.send(ANN, 0, &leak));
        } else if open {
            refused::<Attention::TraceOpen>(outcome);
        } else {
            refused::<Attention::TooLate>(outcome);
        }
    }
}

impl Watched {
    fn digest(&mut self) -> B256 {
        self.view(&Attention::leakDigestCall { claimId: self.game.id, traceRoot: self.root() })
    }

    fn leak_call(&self) -> Attention::leakCall {
        let (r, s) = (B256::with_last_byte(2), B256::with_last_byte(3));
        Attention::leakCall { claimId: self.game.id, traceRoot: self.root(), v: 27, r, s }
    }

    /// Whose signature over the digest the one of `leak_call` is, as the EVM recovers it.
    fn signer(&mut self) -> Address {
        let leak = self.leak_call();
        let words = [self.digest(), B256::with_last_byte(leak.v), leak.r, leak.s];
        let input: Vec<u8> = words.iter().flat_map(|word| word.0).collect();
        let receipt = self.game.world.host.static_call(STRANGER, Address::with_last_byte(1), input.into()).unwrap();
        assert_eq!(receipt.output.len(), 32, "these r and s recover to an account");
        Address::from_word(B256::from_slice(&receipt.output))
    }

    /// Puts an account in the submitter's place in the check.
    fn becomes_submitter(&mut self, account: Address) {
        let old = U256::from_be_bytes(SUBMITTER.into_word().0);
        let new = U256::from_be_bytes(account.into_word().0);
        let mask: U256 = U256::MAX >> 96_u32;
        let changed = self
            .game
            .world
            .host
            .edit(self.attention, |word| (word & mask == old && word != old).then(|| (word & !mask) | new));
        assert_eq!(changed, 1, "one slot has the submitter and more");
    }
}

#[test]
fn only_the_submitter_asks_once_with_everything_and_early_enough() {
    let mut watched = Watched::new(Lie::None);
    let call = watched.ask_call();
    refused::<Attention::NotSubmitter>(watched.send(STRANGER, FEE + BOND, &call));
    refused::<Attention::WrongValue>(watched.send(SUBMITTER, FEE + BOND - 1, &call));
    let unknown = Attention::askCall { c: Attention::Claim { nonce: 9, ..call.c.clone() }, ..call.clone() };
    refused::<Attention::NotPending>(watched.send(SUBMITTER, FEE + BOND, &unknown));
    let last = WINDOW - RESPOND - REVEAL - ROOT_WINDOW;
    let claimed = watched.game.slot().claimed_at;
    let now = watched.game.world.host.now();
    watched.game.world.host.warp(claimed + last + 1 - now);
    refused::<Attention::TooLate>(watched.ask());
    let mut watched = Watched::new(Lie::None);
    let now = watched.game.world.host.now();
    watched.game.world.host.warp(claimed + last - now);
    watched.ask().unwrap();
    refused::<Attention::Attended>(watched.ask());
    let mut watched = Watched::new(Lie::None);
    watched.game.open_trace().unwrap();
    refused::<Attention::TraceOpen>(watched.ask());
}

#[test]
fn claims_of_another_tier_are_refused() {
    let (mut game, _) = Lie::None.claim(2);
    let attention = deploy(&mut game, terms(), &COMMITTEE).unwrap();
    let mut watched = Watched { game, attention };
    watched.game.world.host.fund(ANN, U256::from(10 * DEPOSIT)).unwrap();
    watched.send(ANN, DEPOSIT, &Attention::joinCall {}).unwrap();
    watched.game.world.host.warp(1);
    refused::<Attention::WrongTier>(watched.ask());
}

#[test]
fn deposits_come_back_after_the_claims_of_their_time_are_over() {
    let mut watched = Watched::asked(Lie::None);
    refused::<Attention::WrongValue>(watched.send(ANN, 0, &Attention::joinCall {}));
    refused::<Attention::Joined>(watched.send(ANN, DEPOSIT, &Attention::joinCall {}));
    refused::<Attention::NotMember>(watched.send(STRANGER, DEPOSIT, &Attention::joinCall {}));
    refused::<Attention::NotLeft>(watched.send(ANN, 0, &Attention::reclaimCall {}));
    watched.send(ANN, 0, &Attention::retireCall {}).unwrap();
    refused::<Attention::NotJoined>(watched.send(ANN, 0, &Attention::retireCall {}));
    // it still answers for what it was asked
    watched.respond(BEN, watched.right(BEN)).unwrap();
    watched.respond(CAT, watched.right(CAT)).unwrap();
    watched.game.world.host.warp(RESPOND);
    watched.game.open_trace().unwrap();
    watched.reveal(SALT).unwrap();
    let lock: u64 = watched.view(&Attention::lockCall {}).to();
    assert!(lock >= WINDOW + TRACE_TIME + DELAY + 2 * BUDGET + 62 * DELAY);
    watched.finalize();
    watched.settle().unwrap();
    assert_eq!(watched.deposits(), 2 * DEPOSIT, "the one that left was silent");
    refused::<Attention::NotJoined>(watched.send(ANN, 0, &Attention::retireCall {}));
    watched.send(BEN, 0, &Attention::retireCall {}).unwrap();
    watched.game.world.host.warp(lock - 1);
    refused::<Attention::NotLeft>(watched.send(BEN, 0, &Attention::reclaimCall {}));
    watched.game.world.host.warp(1);
    watched.send(BEN, 0, &Attention::reclaimCall {}).unwrap();
    refused::<Attention::NotLeft>(watched.send(BEN, 0, &Attention::reclaimCall {}));
    assert_eq!(watched.credit(BEN), FEE / 2 + DEPOSIT);
    watched.conserves(0);
    watched.send(BEN, 0, &Attention::withdrawCall {}).unwrap();
}

#[test]
fn terms_that_do_not_pay_a_checker_are_not_deployed() {
    let (mut game, _) = Lie::None.claim(0);
    let mut good = |change: &dyn Fn(&mut Terms), members: &[Address]| -> bool {
        let mut terms = terms();
        change(&mut terms);
        deploy(&mut game, terms, members).is_ok()
    };
    assert!(good(&|_| (), &COMMITTEE));
    assert!(!good(&|_| (), &[]));
    assert!(!good(&|_| (), &[ANN, ANN]));
    let many: Vec<Address> = (1..=17).map(Address::repeat_byte).collect();
    let rich: &dyn Fn(&mut Terms) = &|t| (t.fee, t.bond) = (U96::from(10_000), U96::from(10_000));
    assert!(good(rich, &many[..16]));
    assert!(!good(rich, &many));
    // 4·F ≥ 5·n·(C + g): 480 for three members and 128 wei
    let cheap = |fee: u64| move |t: &mut Terms| (t.answerCost, t.fee) = (U96::from(28), U96::from(fee));
    assert!(good(&cheap(480), &COMMITTEE));
    assert!(!good(&cheap(479), &COMMITTEE));
    assert!(good(&|t| t.deposit = U96::from(100), &COMMITTEE));
    assert!(!good(&|t| t.deposit = U96::from(99), &COMMITTEE));
    assert!(good(&|t| t.bond = U96::from(FEE), &COMMITTEE));
    assert!(!good(&|t| t.bond = U96::from(FEE - 1), &COMMITTEE));
    assert!(good(&|t| t.respond = TRACE_TIME as u32, &COMMITTEE));
    assert!(!good(&|t| t.respond = TRACE_TIME as u32 - 1, &COMMITTEE));
    assert!(good(&|t| t.reveal = DELAY as u32, &COMMITTEE));
    assert!(!good(&|t| t.reveal = DELAY as u32 - 1, &COMMITTEE));
    // Δ + d' + W_root ≤ W
    let longest = (WINDOW - ROOT_WINDOW - REVEAL) as u32;
    assert!(good(&|t| t.respond = longest, &COMMITTEE));
    assert!(!good(&|t| t.respond = longest + 1, &COMMITTEE));
    assert!(!good(&|t| t.checkCost = U96::ZERO, &COMMITTEE));
    assert!(good(&|t| (t.checkCost, t.deposit) = (U96::from(1), U96::from(1)), &COMMITTEE));
}

#[test]
fn a_committee_is_for_a_tier_that_exists() {
    let (mut game, _) = Lie::None.claim(0);
    let verifier = game.world.verifier;
    let tiers = vec![crate::dispute::world::tier(4)];
    game.world.dispute = crate::dispute::world::deploy(&mut game.world.host, verifier, tiers).unwrap();
    assert!(deploy(&mut game, terms(), &COMMITTEE).is_ok());
    assert!(deploy(&mut game, Terms { tier: 1, ..terms() }, &COMMITTEE).is_err());
}

/// Gas of whole transactions, with three members.
const GAS: [(&str, u64); 5] =
    [("join", 30_477), ("ask", 94_391), ("respond", 61_245), ("reveal", 43_271), ("settle, final", 182_304)];

#[test]
fn attention_costs_what_it_did() {
    let mut notes = Notes::default();
    let mut watched = Watched::new(Lie::None);
    watched.send(ANN, 0, &Attention::retireCall {}).unwrap();
    let lock: u64 = watched.view(&Attention::lockCall {}).to();
    let before = watched.game.world.host.snapshot();
    watched.game.world.host.warp(lock);
    watched.send(ANN, 0, &Attention::reclaimCall {}).unwrap();
    notes.note("join", &watched.send(ANN, DEPOSIT, &Attention::joinCall {}).unwrap());
    watched.game.world.host.restore(&before);
    let mut watched = Watched::new(Lie::None);
    notes.note("ask", &watched.ask().unwrap());
    notes.note("respond", &watched.respond(ANN, watched.right(ANN)).unwrap());
    watched.respond(BEN, watched.right(BEN)).unwrap();
    watched.respond(CAT, watched.right(CAT)).unwrap();
    watched.game.world.host.warp(RESPOND);
    watched.game.open_trace().unwrap();
    notes.note("reveal", &watched.reveal(SALT).unwrap());
    watched.finalize();
    notes.note("settle, final", &watched.settle().unwrap());
    notes.are(&GAS);
}
