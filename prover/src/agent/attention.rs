//! Attention checks: a member of the committee answers for the traces it computed, a submitter shows the trace it asked about, and whoever
//! is there ends a check that is over.

use alloy_primitives::{Address, B256, U256};
use opml_bisection::honest_submitter;
use opml_contracts::{
    abi::Attention::{self, Check, Terms},
    attention::mark,
};

use super::{
    AgentError, Asked, Attended, Claimed, Duty, Office, Picture, Progress, Standing, case::missing, challenger::short,
    submitter::opening,
};
use crate::network::view;

/// What makes a submitter's commitment to a trace: known to its key only, and the same after a crash.
#[must_use]
pub fn salt_purpose(claim: B256) -> Vec<u8> {
    [b"attention".as_slice(), claim.as_slice()].concat()
}

/// A claim's check with what is needed to act in it.
struct Matter<'p> {
    contract: Address,
    id: B256,
    claimed: &'p Claimed,
    asked: &'p Asked,
    check: Check,
    terms: Terms,
    now: u64,
}

impl Matter<'_> {
    /// The first second in which answers are too late.
    fn answers_by(&self) -> u64 {
        self.check.askedAt.to::<u64>().saturating_add(self.terms.respond.into())
    }

    /// The last second to open the trace and show it.
    fn opens_by(&self) -> u64 {
        self.answers_by().saturating_add(self.terms.reveal.into())
    }

    /// The end of a check, which anybody may send.
    fn end(&self) -> Option<Duty> {
        let id = self.id;
        let over = self.claimed.standing != Standing::Pending;
        let duty = match self.asked.stage {
            Attended::Revealed if over => {
                let call = Attention::settleCall { claimId: id };
                Duty::once(id, format!("settle the attention to claim {}", short(id)), U256::ZERO, &call)
            }
            Attended::Asked if self.now > self.opens_by() => {
                let call = Attention::expireCall { claimId: id };
                Duty::once(id, format!("expire: the trace of claim {} was not shown", short(id)), U256::ZERO, &call)
            }
            _ => return None,
        };
        Some(duty.at(self.contract))
    }
}

/// The checks that are not over.
fn matters<'p>(office: &Office<'_>, picture: &'p Picture) -> Result<Vec<Matter<'p>>, AgentError> {
    let Some(contract) = office.deployment.attention else { return Ok(Vec::new()) };
    let open = picture.book.asked.iter().filter(|(_, asked)| !matches!(asked.stage, Attended::Closed(_)));
    let open: Vec<_> = open.filter_map(|(&id, asked)| Some((id, asked, picture.book.claims.get(&id)?))).collect();
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let terms = view(office.network, contract, &Attention::termsOfCall {})?;
    let mut matters = Vec::new();
    for (id, asked, claimed) in open {
        let check = view(office.network, contract, &Attention::checkOfCall { claimId: id })?;
        let now = picture.head.time;
        matters.push(Matter { contract, id, claimed, asked, check, terms: terms.clone(), now });
    }
    Ok(matters)
}

/// What a member is to send. Nobody else has anything to do here.
///
/// # Errors
/// The endpoint does not answer, or the memory cannot be written.
pub(super) fn of_member(
    office: &mut Office<'_>,
    picture: &Picture,
    said: &mut Vec<Progress>,
) -> Result<Vec<Duty>, AgentError> {
    let matters = matters(office, picture)?;
    let Some(first) = matters.first() else { return Ok(Vec::new()) };
    let seats = view(office.network, first.contract, &Attention::seatsOfCall {})?;
    let Some(seat) = seats.iter().position(|seat| seat.member == office.account()) else { return Ok(Vec::new()) };
    let mut due = Vec::new();
    for matter in &matters {
        due.extend(matter.end());
        match answer(office, picture, matter, seat) {
            Ok(duty) => due.extend(duty),
            Err(error) if error.is_local() => said.push(Progress::Unjudged(matter.id, error.to_string())),
            Err(error) => return Err(error),
        }
    }
    Ok(due)
}

/// A member's answer, which takes the whole trace.
fn answer(
    office: &mut Office<'_>,
    picture: &Picture,
    matter: &Matter<'_>,
    seat: usize,
) -> Result<Option<Duty>, AgentError> {
    let member = office.account();
    let own = (matter.asked.seats >> seat) & 1 == 1 && !matter.asked.answered.contains(&member);
    let early = matter.now < matter.answers_by() && matter.claimed.trace_root.is_none();
    // Of a fleet one answers.
    if !own || !early || matter.asked.stage != Attended::Asked || !office.ledger.hold(matter.id)? {
        return Ok(None);
    }
    let case = office.case(picture, matter.id, matter.claimed)?.map_err(|why| missing(&why))?;
    let root = B256::from(office.trace(matter.id, &case)?.root());
    let call = Attention::respondCall { claimId: matter.id, mark: mark(matter.id, root, member) };
    let what = format!("answer the attention check of claim {}", short(matter.id));
    Ok(Some(Duty::once(matter.id, what, U256::ZERO, &call).at(matter.contract)))
}

/// What a submitter is to send for the checks that it asked for.
///
/// # Errors
/// The endpoint does not answer, or the memory cannot be written.
pub(super) fn of_submitter(
    office: &mut Office<'_>,
    picture: &Picture,
    said: &mut Vec<Progress>,
) -> Result<Vec<Duty>, AgentError> {
    let mut due = Vec::new();
    for matter in &matters(office, picture)? {
        if matter.claimed.claim.submitter != office.account() || !office.ledger.hold(matter.id)? {
            continue;
        }
        due.extend(matter.end());
        match show(office, picture, matter) {
            Ok(duty) => due.extend(duty),
            Err(error) if error.is_local() => said.push(Progress::Unplayed(matter.id, error.to_string())),
            Err(error) => return Err(error),
        }
    }
    Ok(due)
}

/// Opens the trace when no answer can be copied from it any more, and shows that it is the one that was meant.
fn show(office: &mut Office<'_>, picture: &Picture, matter: &Matter<'_>) -> Result<Option<Duty>, AgentError> {
    let pending = matter.asked.stage == Attended::Asked && matter.claimed.standing == Standing::Pending;
    if !pending || matter.now < matter.answers_by() || matter.now > matter.opens_by() {
        return Ok(None);
    }
    if matter.claimed.trace_root.is_some() {
        let salt = office.wallet.salt(&salt_purpose(matter.id));
        let call = Attention::revealCall { claimId: matter.id, salt };
        let what = format!("show the trace of claim {} to the committee", short(matter.id));
        return Ok(Some(Duty::once(matter.id, what, U256::ZERO, &call).at(matter.contract)));
    }
    let case = office.case(picture, matter.id, matter.claimed)?.map_err(|why| missing(&why))?;
    let run = office.theirs(matter.id, &case)?;
    let trace = run.trace(&case);
    let mv = honest_submitter(&case.claim, None, trace.as_ref(), &case.rules)?;
    Ok(mv.map(|mv| opening(matter.id, &case, &mv)).transpose()?.map(|duty| duty.at(matter.claimed.home)))
}
