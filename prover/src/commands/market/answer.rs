//! `opml ask answer`: a request is run, claimed with a bond, and answered with the claim.

use alloy_primitives::{Address, B256, U256};
use anyhow::Result;
use opml_contracts::{
    abi::{AIOracle, Dispute},
    dispute,
};
use serde::Serialize;

use super::{Asks, Desk, ask::known, finish, tried};
use crate::{
    agent::{Book, Library, Standing},
    arguments::market::Answer,
    commands::network::{Work, read},
    economy::calls::{hidden_claim, theirs},
    ledger::event,
    network::Network as _,
    output::Output,
};

/// A commitment that may still be revealed.
const COMMITTED: u8 = 0;

#[derive(Serialize)]
struct Answered {
    claim: String,
    output: String,
    /// Number of the answer among those of its request; none if it was there before.
    index: Option<String>,
    /// Whether an answer before it says something else.
    conflict: bool,
}

pub(super) fn answer(arguments: &Answer, output: Output) -> Result<u8> {
    let mut library = Library::new(&arguments.models)?;
    let mut desk = Desk::open(&arguments.access)?;
    let (oracle, id) = (desk.oracle()?, arguments.request);
    let request = known(&desk, oracle, id)?;
    let book = read(&desk.session.rpc, &desk.place.singles())?;
    let work = Work::of(&book, &mut library, request.taskId, arguments.rehearsal.lie(), arguments.budget)?;
    let (claim, claim_id, is_made) = claim(&desk, &book, &work, id);
    let mut answered =
        Answered { claim: claim_id.to_string(), output: crate::hex::of(&work.output), index: None, conflict: false };
    let entries = desk.ask(oracle, &AIOracle::entriesOfCall { requestId: id })?;
    if entries.iter().any(|entry| entry.id == claim_id) {
        return finish(&desk, output, &answered, &format!("{claim_id}\nThis answer was given before."));
    }
    // The place first, then the claim that it hides; each is left out if it is there from an earlier try.
    let mut place = None;
    if arguments.hidden {
        let salt = desk.session.wallet.salt(b"answer");
        let Some(index) = commit(&mut desk, oracle, id, &entries, hidden_claim(id, claim_id, salt))? else {
            return tried(&desk, output);
        };
        place = Some((index, salt));
    }
    if !is_made && !make(&mut desk, &work, &claim)? {
        return tried(&desk, output);
    }
    let (c, bytes) = (theirs(&claim), work.output.clone().into());
    let logs = match place {
        None => desk.send(oracle, U256::ZERO, &AIOracle::answerCall { requestId: id, c, output: bytes })?,
        Some((index, salt)) => {
            let call = AIOracle::revealCall { requestId: id, index, c, salt, output: bytes };
            desk.send(oracle, U256::ZERO, &call)?
        }
    };
    let Some(logs) = logs else { return tried(&desk, output) };
    answered.index = Some(event::<AIOracle::Answered>(&logs)?.index.to_string());
    answered.conflict = event::<AIOracle::Conflict>(&logs).is_ok();
    let alarm = if answered.conflict { "\nCONFLICT: an answer that may still stand says something else." } else { "" };
    finish(&desk, output, &answered, &format!("{claim_id}\nOutput {}{alarm}", answered.output))
}

/// The claim to answer with: one of the account's that says the same, if there is one that may stand, and whether there is.
fn claim(desk: &Desk, book: &Book, work: &Work, request: U256) -> (Dispute::Claim, B256, bool) {
    let claim = Dispute::Claim { nonce: request.saturating_to(), ..work.claim(desk.account()) };
    let same = |made: &Dispute::Claim| Dispute::Claim { nonce: claim.nonce, ..made.clone() } == claim;
    let stands =
        |(_, claimed): &(&B256, &crate::agent::Claimed)| claimed.standing != Standing::False && same(&claimed.claim);
    if let Some((id, claimed)) = book.claims.iter().find(stands) {
        return (claimed.claim.clone(), *id, true);
    }
    let id = dispute::claim_id(desk.session.rpc.chain_id(), desk.place.dispute, &claim);
    (claim, id, false)
}

/// Takes a place; gives its number, or none in a dry run.
fn commit(desk: &mut Desk, oracle: Address, id: U256, entries: &[AIOracle::Entry], hash: B256) -> Result<Option<U256>> {
    let own = |entry: &AIOracle::Entry| entry.kind == COMMITTED && entry.id == hash;
    if let Some(index) = entries.iter().position(own) {
        return Ok(Some(U256::from(index)));
    }
    let bond = desk.ask(oracle, &AIOracle::COMMIT_BONDCall {})?;
    let logs = desk.send(oracle, bond, &AIOracle::commitCall { requestId: id, hash })?;
    logs.map(|logs| Ok(event::<AIOracle::Committed>(&logs)?.index)).transpose()
}

/// Claims, with the bond; false if it could only be tried.
fn make(desk: &mut Desk, work: &Work, claim: &Dispute::Claim) -> Result<bool> {
    let bond = U256::from(work.tier(&desk.session.rpc, desk.place.dispute)?.bondS);
    let call =
        Dispute::claimCall { taskId: claim.taskId, T: claim.T, nonce: claim.nonce, output: work.output.clone().into() };
    Ok(desk.send(desk.place.dispute, bond, &call)?.is_some())
}
