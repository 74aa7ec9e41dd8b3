//! Requests, the claims that answer them, and the dispute over a lie.

use alloy_primitives::{B256, Bytes, Log, U256, keccak256};
use opml_bisection::{Party, Trace as GameTrace};
use opml_contracts::{
    abi::{AIOracle, Dispute},
    dispute::{BURN, task_id},
};
use opml_ops::commit::Hasher;
use opml_vm::{Trace, interpreter::Run};

use super::{
    book::Book,
    calls::{self, COMMIT_BOND, DAY, prompt, theirs},
    cast::Actor,
    market::{Launched, Venue},
};
use crate::{
    chain::{ClaimOnChain, ContractArena, Seats, TIER, bond_of_challenger, bond_of_submitter},
    dispute::{STEP_GAS, Setup, Table},
    error::ProverError,
    ledger::{Ledger, event},
    lie::{Fault, Lie, LyingTrace},
    machine::VmTrace,
    random::Random,
    task::Task,
    units,
};

/// How a dispute of a story is played.
pub(super) const SETUP: Setup =
    Setup { arity: 16, seed: 1, fault: None, max_terms: 64, step_gas: STEP_GAS, posted: false };
/// What hides a commitment. Everybody may know it here: the story has no thief.
const SALT: B256 = B256::repeat_byte(0x5a);
/// Lies that are tried until one shows in the output.
const TRIES: u64 = 1_000;

/// The output of a run.
pub(super) fn output(task: &Task, run: &Run) -> Result<Vec<u8>, ProverError> {
    let output = run.output(&task.program);
    output.map(|output| output.bytes().to_vec()).ok_or_else(|| ProverError::Stuck("the run has no output".to_owned()))
}

/// A consistent lie that shows in the output.
pub(super) fn visible_lie(task: &Task, honest: &Run, seed: u64) -> Result<Lie, ProverError> {
    let mut random = Random::new(seed);
    let truth = output(task, honest)?;
    for _ in 0..TRIES {
        let fault = Fault { cell: None, consistent: true };
        let lie = Lie::plant(&task.program, &task.inputs, honest, fault, &mut random)?;
        if output(task, &lie.run)? != truth {
            return Ok(lie);
        }
    }
    Err(ProverError::Stuck("no lie shows in the output".to_owned()))
}

/// Asks without a contract to call back; gives the request's number.
pub(super) fn request<N: Ledger>(
    book: &mut Book<N>,
    venue: &Venue,
    launched: &Launched,
    who: Actor,
    task: &Task,
) -> Result<U256, ProverError> {
    let fee = book.ask(venue.oracle, &AIOracle::estimateFeeCall { modelId: launched.model, gasLimit: U256::ZERO })?;
    let call = AIOracle::requestCallback_0Call {
        modelId: launched.model,
        input: prompt(&task.inputs),
        callbackContract: alloy_primitives::Address::ZERO,
        gasLimit: 0,
        callbackData: Bytes::new(),
    };
    let sent = book.send(who, venue.oracle, fee, &call, format!("fee {}", units::ether(fee)))?;
    Ok(event::<AIOracle::RequestTask>(&sent.logs)?.requestId)
}

/// A claim that is not made yet.
fn prepared<N: Ledger>(
    book: &mut Book<N>,
    venue: &Venue,
    who: Actor,
    id: U256,
    task: &Task,
    run: &Run,
) -> Result<ClaimOnChain, ProverError> {
    let on_chain = calls::task(&task.program, &task.inputs, task.max_t, TIER);
    let output = output(task, run)?;
    let claim = Dispute::Claim {
        taskId: task_id(&on_chain.task),
        T: run.length,
        outputHash: keccak256(&output),
        submitter: book.at(who),
        nonce: id.saturating_to(),
    };
    // The contract knows its chain's number.
    let id = book.ask(venue.claims, &Dispute::claimIdOfCall { c: claim.clone() })?;
    Ok(ClaimOnChain { id, claim, parts: on_chain.parts, output })
}

fn make<N: Ledger>(book: &mut Book<N>, venue: &Venue, who: Actor, claim: &ClaimOnChain) -> Result<(), ProverError> {
    let bond = U256::from(bond_of_submitter());
    let call = Dispute::claimCall {
        taskId: claim.claim.taskId,
        T: claim.claim.T,
        nonce: claim.claim.nonce,
        output: claim.output.clone().into(),
    };
    book.send(who, venue.claims, bond, &call, format!("bond {}", units::ether(bond))).map(drop)
}

/// Claims, and answers with the claim.
pub(super) fn answer<N: Ledger>(
    book: &mut Book<N>,
    venue: &Venue,
    who: Actor,
    id: U256,
    task: &Task,
    run: &Run,
) -> Result<ClaimOnChain, ProverError> {
    let claim = prepared(book, venue, who, id, task, run)?;
    make(book, venue, who, &claim)?;
    let call = AIOracle::answerCall { requestId: id, c: theirs(&claim.claim), output: claim.output.clone().into() };
    let what = format!("answers request {id}");
    let sent = book.send(who, venue.oracle, U256::ZERO, &call, what)?;
    alarm(book, &sent.logs);
    Ok(claim)
}

/// The same with a commitment first, so that nobody can copy the claim to a better place.
pub(super) fn answer_hidden<N: Ledger>(
    book: &mut Book<N>,
    venue: &Venue,
    who: Actor,
    id: U256,
    task: &Task,
    run: &Run,
) -> Result<ClaimOnChain, ProverError> {
    let claim = prepared(book, venue, who, id, task, run)?;
    let hash = calls::hidden_claim(id, claim.id, SALT);
    let bond = U256::from(COMMIT_BOND);
    let what = format!("a hidden answer to request {id}, bond {}", units::ether(bond));
    let sent = book.send(who, venue.oracle, bond, &AIOracle::commitCall { requestId: id, hash }, what)?;
    let index = event::<AIOracle::Committed>(&sent.logs)?.index;
    make(book, venue, who, &claim)?;
    let call = AIOracle::revealCall {
        requestId: id,
        index,
        c: theirs(&claim.claim),
        salt: SALT,
        output: claim.output.clone().into(),
    };
    let sent = book.send(who, venue.oracle, U256::ZERO, &call, format!("answers request {id}"))?;
    alarm(book, &sent.logs);
    Ok(claim)
}

/// Says so if the oracle has seen two answers that cannot both be right.
fn alarm<N: Ledger>(book: &mut Book<N>, logs: &[Log]) {
    if event::<AIOracle::Conflict>(logs).is_ok() {
        book.record.note("(AIOracle)", "Conflict", "two claims contradict each other", 0);
    }
}

/// A challenger plays the dispute of the liar's claim to its end, and is paid; whether the claim has fallen.
pub(super) fn caught<N: Ledger>(
    book: &mut Book<N>,
    venue: &Venue,
    task: &Task,
    honest: &Trace,
    lie: &Lie,
    claim: ClaimOnChain,
) -> Result<bool, ProverError> {
    let submitted = Hasher::current().trace(&task.program, lie.run.clone());
    let theirs: &dyn GameTrace = &LyingTrace::new(&task.program, &task.inputs, &submitted, &lie.told);
    let own = VmTrace::new(&task.program, &task.inputs, honest);
    let table = Table::new(task, &submitted, &SETUP)?;
    let seats = Seats {
        contract: venue.claims,
        submitter: book.at(Actor::Liar),
        challenger: book.at(Actor::Challenger),
        anybody: book.at(Actor::Creator),
    };
    let stake = (0, U256::from(bond_of_challenger()));
    let mut arena = ContractArena::open(&mut book.ledger, seats, claim, table.game(), None, stake)?;
    let outcome = table.walk(&mut arena, theirs, &own)?;
    let fell = outcome.winner == Party::Challenger;
    if fell {
        arena.share_out()?;
    }
    for t in arena.transactions() {
        let who = if t.who == "submitter" { Actor::Liar.name() } else { t.who };
        book.record.note(who, t.call, t.what.clone(), t.gas);
    }
    Ok(fell)
}

/// Waits until nobody can object any more.
pub(super) fn wait<N: Ledger>(book: &mut Book<N>) -> Result<(), ProverError> {
    super::wait(book, u64::from(DAY))
}

/// Finalises a claim and brings the answer to who asked.
pub(super) fn conclude<N: Ledger>(
    book: &mut Book<N>,
    venue: &Venue,
    (who, id): (Actor, U256),
    claim: &ClaimOnChain,
) -> Result<bool, ProverError> {
    let call = Dispute::finalizeCall { c: claim.claim.clone() };
    book.send(who, venue.claims, U256::ZERO, &call, "nobody objected")?;
    let call = AIOracle::updateResultCall { requestId: id, output: claim.output.clone().into() };
    book.send(who, venue.oracle, U256::ZERO, &call, format!("request {id} is final; the fee is paid"))?;
    book.ask(venue.oracle, &AIOracle::isFinalizedCall { requestId: id })
}

/// Everybody takes what the claims and the oracle owe, and what is burnt goes where nobody has it.
pub(super) fn withdraw<N: Ledger>(book: &mut Book<N>, venue: &Venue) -> Result<(), ProverError> {
    for actor in Actor::ALL {
        let account = book.at(actor);
        let credit = book.ask(venue.claims, &Dispute::creditOfCall { account })?;
        if !credit.is_zero() {
            let what = format!("bonds, {}", units::ether(credit));
            book.send(actor, venue.claims, U256::ZERO, &Dispute::withdrawCall {}, what)?;
        }
        let credit = book.ask(venue.oracle, &AIOracle::creditOfCall { account })?;
        if !credit.is_zero() {
            let what = format!("fees, {}", units::ether(credit));
            book.send(actor, venue.oracle, U256::ZERO, &AIOracle::withdrawCall {}, what)?;
        }
    }
    let credit = book.ask(venue.claims, &Dispute::creditOfCall { account: BURN })?;
    if !credit.is_zero() {
        let what = format!("{} of the liar's bond", units::ether(credit));
        book.send(Actor::Creator, venue.claims, U256::ZERO, &Dispute::burnCall {}, what)?;
    }
    Ok(())
}

/// Answers another request of the same input by a claim that is final.
pub(super) fn answer_again<N: Ledger>(
    book: &mut Book<N>,
    venue: &Venue,
    (who, id): (Actor, U256),
    claim: &ClaimOnChain,
) -> Result<(), ProverError> {
    let output = Bytes::from(claim.output.clone());
    let call = AIOracle::answerCall { requestId: id, c: theirs(&claim.claim), output: output.clone() };
    book.send(who, venue.oracle, U256::ZERO, &call, format!("answers request {id} by the same claim"))?;
    let call = AIOracle::updateResultCall { requestId: id, output };
    book.send(who, venue.oracle, U256::ZERO, &call, format!("request {id} is final; the fee is paid")).map(drop)
}

/// What the oracle holds for the model's token, in wei.
pub(super) fn revenue_of<N: Ledger>(
    book: &mut Book<N>,
    venue: &Venue,
    launched: &Launched,
) -> Result<U256, ProverError> {
    book.ask(venue.oracle, &AIOracle::revenueOfCall { modelId: launched.model })
}
