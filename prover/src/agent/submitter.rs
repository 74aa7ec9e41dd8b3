//! The submitter: it answers every dispute on its claims, and takes its bond back when a claim is final.

use alloy_primitives::{B256, U256};
use alloy_sol_types::SolCall as _;
use opml_bisection::{Move, Party, honest_submitter};
use opml_contracts::{
    abi::{BatchDispute, Dispute},
    dispute::{self, Stage, Status},
};

use super::{
    AgentError, Case, Claimed, Disputed, Duty, Office, Progress, Standing,
    case::missing,
    challenger::{move_duty, short},
    follow::Picture,
};
use crate::{
    chain::{Record, Replay},
    words,
};

/// What the submitter is to send.
///
/// # Errors
/// The endpoint does not answer, a model file cannot be read, or the state file cannot be written.
pub(super) fn duties(
    office: &mut Office<'_>,
    picture: &Picture,
    said: &mut Vec<Progress>,
) -> Result<Vec<Duty>, AgentError> {
    let mut due = Vec::new();
    for (&id, claimed) in &picture.book.claims {
        let own = claimed.claim.submitter == office.account() && claimed.standing == Standing::Pending;
        // Of a fleet one answers for it.
        if !own || !office.ledger.hold(id)? {
            continue;
        }
        // One claim that cannot be defended must not keep the others waiting.
        match pending(office, picture, id, claimed) {
            Ok(duties) => due.extend(duties.into_iter().map(|duty| duty.at(claimed.home))),
            Err(error) if error.is_local() => said.push(Progress::Unplayed(id, error.to_string())),
            Err(error) => return Err(error),
        }
    }
    Ok(due)
}

fn pending(office: &mut Office<'_>, picture: &Picture, id: B256, claimed: &Claimed) -> Result<Vec<Duty>, AgentError> {
    if claimed.disputes.is_empty() && claimed.leaf.is_some_and(|(_, j)| j > 0) {
        // The first leaf ends the batch.
        return Ok(Vec::new());
    }
    let slot = office.slot(id, claimed)?;
    let Some(tier) = office.tier(slot.tier).cloned() else { return Ok(Vec::new()) };
    let disputes = || claimed.disputes.iter().filter_map(|id| Some((*id, picture.book.disputes.get(id)?)));
    let open: Vec<(B256, &Disputed)> = disputes().filter(|(_, disputed)| !disputed.over).collect();
    if open.is_empty() {
        let over = picture.head.time >= slot.claimed_at.saturating_add(tier.window.into());
        let ends = over && slot.open == 0 && slot.status == Status::Pending;
        let duty = || match claimed.leaf.and_then(|(batch, _)| Some((batch, picture.book.batches.get(&batch)?))) {
            Some((batch, batched)) => {
                let call = BatchDispute::finalizeCall { b: batched.batch.clone() };
                Duty::once(batch, format!("finalize batch {}", short(batch)), U256::ZERO, &call)
            }
            None => {
                let call = Dispute::finalizeCall { c: claimed.claim.clone() };
                Duty::once(id, format!("finalize claim {}", short(id)), U256::ZERO, &call)
            }
        };
        return Ok(ends.then(duty).into_iter().collect());
    }
    let case = match Case::of(&picture.book, id, claimed, tier.arityLog2, office.library)? {
        Ok(case) => case,
        Err(why) => return Err(missing(&format!("claim {}: {why}", short(id)))),
    };
    let run = office.theirs(id, &case)?;
    let trace = run.trace(&case);
    case.plan.guard.check()?;
    let mut due = Vec::new();
    if slot.stage == Stage::Awaited {
        let mv = honest_submitter(&case.claim, None, trace.as_ref(), &case.rules)?;
        if let Some(mv) = mv {
            due.push(opening(id, &case, &mv)?);
        }
        return Ok(due);
    }
    for (dispute, disputed) in open {
        let replay = Replay::of(&case.claim, &case.rules, &disputed.logs);
        let replay = replay.ok_or_else(|| missing("the dispute's events are incomplete"))?;
        let state = replay.record.state().clone();
        let Some(position) = replay.record.position(&case.claim) else { continue };
        if position.turn() == Party::Challenger {
            let root = B256::from(replay.record.root().unwrap_or_default());
            let place = dispute::Position::unpack(&state).map(|place| place.resolved(&slot, root));
            if place.is_some_and(|place| place.late(picture.head.time, picture.head.number)) {
                let call = Dispute::claimTimeoutCall { state: state.clone(), c: claimed.claim.clone() };
                let what = format!("claimTimeout: the challenger of {} is late", short(id));
                let hash = dispute::state_hash(&state);
                due.push(Duty::new("claimTimeout", dispute, hash, what, U256::ZERO, call.abi_encode().into()));
            }
            continue;
        }
        if let Some(mv) = honest_submitter(&case.claim, Some(&position), trace.as_ref(), &case.rules)? {
            let data = replay.record.calldata(&case.on_chain, &case.claim, &mv)?;
            due.push(move_duty(dispute, &state, &mv, words::of_move(&case.claim, Some(&position), &mv), data));
        }
    }
    Ok(due)
}

/// The opening of a claim's trace.
pub(super) fn opening(id: B256, case: &Case, mv: &Move) -> Result<Duty, AgentError> {
    let data = Record::new(B256::ZERO, blank(), None).calldata(&case.on_chain, &case.claim, mv)?;
    let what = format!("openTrace: {}", words::of_move(&case.claim, None, mv));
    Ok(Duty::new("openTrace", id, B256::ZERO, what, U256::ZERO, data))
}

/// No dispute's state: the opening of a trace needs none.
fn blank() -> Dispute::State {
    Dispute::State {
        claimId: B256::ZERO,
        node: B256::ZERO,
        players: U256::ZERO,
        clock: U256::ZERO,
        place: U256::ZERO,
        range: U256::ZERO,
    }
}
