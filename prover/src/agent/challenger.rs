//! The challenger: it runs every claim's model again, challenges what is wrong, and plays its disputes to the end.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolCall as _;
use opml_bisection::{Move, Party, Policy, Trace as _, honest_challenger, tree};
use opml_contracts::{
    abi::{BatchDispute, Dispute},
    batch::Leaves,
    dispute::{self, ClaimSlot, Stage, Status},
};

use super::{
    AgentError, Book, Case, Claimed, Disputed, Duty, Office, Progress, Standing, case::missing, follow::Picture,
};
use crate::{
    chain::{Replay, function},
    machine::VmTrace,
    words,
};

/// Most disputes of its own that a challenger opens on one claim: a further one can only be needed after a lost clock.
const ATTEMPTS: usize = 2;

/// What the challenger says of the claims, and what it is to send.
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
        let own: Vec<_> = own(&picture.book, claimed, office.account()).collect();
        match claimed.standing {
            Standing::Final => {}
            Standing::False => {
                for (dispute, disputed) in own.iter().filter(|(_, disputed)| !disputed.over) {
                    due.extend(settle(*dispute, disputed).map(|duty| duty.at(claimed.home)));
                }
            }
            // One dispute that cannot be played must not keep the others waiting.
            Standing::Pending => match pending(office, picture, id, claimed, &own) {
                Ok(duties) => due.extend(duties.into_iter().map(|duty| duty.at(claimed.home))),
                Err(error) if error.is_local() => said.push(Progress::Unplayed(id, error.to_string())),
                Err(error) => return Err(error),
            },
        }
    }
    Ok(due)
}

/// The agent's own disputes on a claim.
fn own<'b>(book: &'b Book, claimed: &'b Claimed, account: Address) -> impl Iterator<Item = (B256, &'b Disputed)> {
    claimed
        .disputes
        .iter()
        .filter_map(|id| Some((*id, book.disputes.get(id)?)))
        .filter(move |(_, disputed)| disputed.challenger == account)
}

fn settle(id: B256, disputed: &Disputed) -> Option<Duty> {
    let state = disputed.logs.iter().filter_map(dispute::state_after).filter(|(of, _)| *of == id).last()?.1;
    let call = Dispute::settleCall { state };
    Some(Duty::once(id, "settle: take the bond back and the share".to_owned(), U256::ZERO, &call))
}

fn pending(
    office: &mut Office<'_>,
    picture: &Picture,
    id: B256,
    claimed: &Claimed,
    own: &[(B256, &Disputed)],
) -> Result<Vec<Duty>, AgentError> {
    let open: Vec<_> = own.iter().filter(|(_, disputed)| !disputed.over).collect();
    if open.is_empty() && own.len() >= ATTEMPTS {
        return Ok(Vec::new());
    }
    if open.is_empty() {
        if !office.known.is_wrong(id, claimed) {
            return Ok(Vec::new());
        }
        let slot = office.slot(id, claimed)?;
        vouched(office, picture, claimed)?;
        return Ok(challenge(office, picture, id, claimed, &slot, own).into_iter().collect());
    }
    let slot = office.slot(id, claimed)?;
    let mut due = Vec::new();
    for (dispute, disputed) in open {
        // Of a fleet one plays it.
        if !office.ledger.hold(*dispute)? {
            continue;
        }
        due.extend(play(office, picture, (id, claimed), &slot, (*dispute, disputed))?);
    }
    Ok(due)
}

/// Before a bond is put on what the model says: it is the model, whatever its cache says.
fn vouched(office: &mut Office<'_>, picture: &Picture, claimed: &Claimed) -> Result<(), AgentError> {
    let model = picture.book.subject(claimed).map(|(task, _)| task.task.modelRoot);
    if let Some(plan) = model.map(|root| office.library.plan(root)).transpose()?.flatten() {
        plan.vouch()?;
    }
    Ok(())
}

fn challenge(
    office: &Office<'_>,
    picture: &Picture,
    id: B256,
    claimed: &Claimed,
    slot: &ClaimSlot,
    own: &[(B256, &Disputed)],
) -> Option<Duty> {
    let tier = office.tier(slot.tier)?;
    let open = slot.status == Status::Pending
        && picture.head.time < slot.claimed_at.saturating_add(tier.window.into())
        && claimed.claim.submitter != office.account();
    let used = |nonce: &u16| own.iter().any(|(_, disputed)| disputed.nonce == *nonce);
    let nonce = (0..u16::MAX).find(|nonce| !used(nonce)).filter(|_| open)?;
    let bond = U256::from(tier.bondC);
    let subject = dispute::dispute_id(id, office.account(), nonce);
    let Some((batch, j)) = claimed.leaf else {
        let call = Dispute::challengeCall { claimId: id, nonce };
        return Some(Duty::once(subject, format!("challenge claim {}", short(id)), bond, &call));
    };
    let batched = picture.book.batches.get(&batch)?;
    let call = BatchDispute::challengeCall {
        b: batched.batch.clone(),
        j: U256::from(j),
        e: batched.entries.get(usize::from(j))?.clone(),
        path: Leaves::new(&batched.entries).path(j),
        nonce,
    };
    Some(Duty::once(subject, format!("challenge claim {}, leaf {j} of batch {}", short(id), short(batch)), bond, &call))
}

/// The next move of an open dispute, or the end of one whose submitter is late.
fn play(
    office: &mut Office<'_>,
    picture: &Picture,
    (id, claimed): (B256, &Claimed),
    slot: &ClaimSlot,
    (dispute, disputed): (B256, &Disputed),
) -> Result<Option<Duty>, AgentError> {
    let Some(tier) = office.tier(slot.tier) else { return Ok(None) };
    let case = match Case::of(&picture.book, id, claimed, tier.arityLog2, office.library)? {
        Ok(case) => case,
        Err(why) => return Err(missing(&format!("dispute {}: {why}", short(dispute)))),
    };
    let replay = Replay::of(&case.claim, &case.rules, &disputed.logs);
    let replay = replay.ok_or_else(|| missing("the dispute's events are incomplete"))?;
    let state = replay.record.state().clone();
    let late = || {
        let call = Dispute::claimTimeoutCall { state: state.clone(), c: claimed.claim.clone() };
        let what = format!("claimTimeout: the submitter of {} is late", short(id));
        let hash = dispute::state_hash(&state);
        Duty::new("claimTimeout", dispute, hash, what, U256::ZERO, call.abi_encode().into())
    };
    let Some(position) = replay.record.position(&case.claim) else {
        let limit = slot.stage_at.saturating_add(tier.traceTime.into()).saturating_add(tier.delay.into());
        let blocks = slot.stage_block.saturating_add(tier.minBlocks.into());
        let is_late = slot.stage == Stage::Awaited && picture.head.time > limit && picture.head.number >= blocks;
        return Ok(is_late.then(late));
    };
    let place = dispute::Position::unpack(&state).map(|place| place.resolved(slot, B256::from(root(&replay))));
    if position.turn() == Party::Submitter {
        let is_late = place.is_some_and(|place| place.late(picture.head.time, picture.head.number));
        return Ok(is_late.then(late));
    }
    let trace = office.trace(id, &case)?;
    let own = VmTrace::new(&case.program, &case.inputs, trace.knowledge());
    if own.node(tree::depth(case.claim.leaves()), 0)? == root(&replay) && slot.stage == Stage::Opened {
        // The trace is its own: nothing is wrong with this claim any more that could be proved.
        return Ok(None);
    }
    let make = |policy: &Policy| honest_challenger(policy, &case.claim, &position, &replay.revealed, &own, &case.rules);
    // None: it finds nothing wrong.
    let Some(mv) = office.choose((&case, claimed.home), &replay.record, make)? else { return Ok(None) };
    case.plan.guard.check()?;
    let data = replay.record.calldata(&case.on_chain, &case.claim, &mv)?;
    Ok(Some(move_duty(dispute, &state, &mv, words::of_move(&case.claim, Some(&position), &mv), data)))
}

pub(super) fn move_duty(
    dispute: B256,
    state: &Dispute::State,
    mv: &Move,
    what: String,
    data: alloy_primitives::Bytes,
) -> Duty {
    let name = function(mv.kind());
    Duty::new(name, dispute, dispute::state_hash(state), format!("{name}: {what}"), U256::ZERO, data)
}

fn root(replay: &Replay) -> [u8; 32] {
    replay.record.root().unwrap_or_default()
}

/// The first digits of a name.
pub(super) fn short(name: B256) -> String {
    let text = name.to_string();
    format!("{}…", text.get(..10).unwrap_or(&text))
}
