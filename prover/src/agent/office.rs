//! What an agent decides with: the chain's answers, its models, and the runs it made.

use std::{collections::VecDeque, sync::Arc};

use alloy_primitives::{Address, B256, U256};
use opml_bisection::Trace as GameTrace;
use opml_contracts::{
    abi::Dispute,
    dispute::{ClaimSlot, unpack_tier},
};
use opml_ops::commit::Hasher;
use opml_vm::Trace;

use super::{AgentError, Case, Claimed, Library, Picture, Store, case::Verdict};
use crate::{
    lie::{Fault, Lie, LyingTrace},
    machine::VmTrace,
    network::{Deployment, Network, Wallet, view},
    random::Random,
};

/// Traces that are kept in memory; others are computed again.
const KEPT: usize = 4;

/// The tiers of a contract.
///
/// # Errors
/// There is no such contract, or the endpoint does not answer.
pub fn tiers(network: &dyn Network, contract: Address) -> Result<Vec<Dispute::Tier>, AgentError> {
    let count: U256 = view(network, contract, &Dispute::MAX_TIERSCall {})?;
    let mut tiers = Vec::new();
    for number in 0..count.saturating_to::<u64>() {
        let tier = unpack_tier(&view(network, contract, &Dispute::tierCall { number: U256::from(number) })?);
        if tier.window == 0 {
            break;
        }
        tiers.push(tier);
    }
    Ok(tiers)
}

/// A submitter's run of a claim, with its lie if it told one.
pub(super) struct Told {
    trace: Trace,
    lie: Option<Lie>,
}

impl Told {
    /// The trace that the submitter shows.
    #[must_use]
    pub(super) fn trace<'a>(&'a self, case: &'a Case) -> Box<dyn GameTrace + 'a> {
        match &self.lie {
            Some(lie) => Box::new(LyingTrace::new(&case.program, &case.inputs, &self.trace, &lie.told)),
            None => Box::new(VmTrace::new(&case.program, &case.inputs, &self.trace)),
        }
    }
}

/// The last traces.
#[derive(Default)]
pub(super) struct Traces {
    own: VecDeque<(B256, Arc<Trace>)>,
    told: VecDeque<(B256, Arc<Told>)>,
}

/// Everything at hand for one round.
pub(super) struct Office<'a> {
    pub(super) network: &'a dyn Network,
    pub(super) wallet: &'a Wallet,
    pub(super) deployment: Deployment,
    pub(super) store: &'a Store,
    pub(super) library: &'a mut Library,
    pub(super) tiers: &'a [Dispute::Tier],
    pub(super) traces: &'a mut Traces,
    pub(super) budget: u64,
    pub(super) fault: Option<(Fault, u64)>,
}

impl<'a> Office<'a> {
    pub(super) const fn account(&self) -> Address {
        self.wallet.account()
    }

    pub(super) const fn contract(&self) -> Address {
        self.deployment.dispute
    }

    /// A tier by its number.
    pub(super) fn tier(&self, number: u8) -> Option<&'a Dispute::Tier> {
        self.tiers.get(usize::from(number))
    }

    /// A claim's slot.
    pub(super) fn slot(&self, claim: B256) -> Result<ClaimSlot, AgentError> {
        let slot = view(self.network, self.contract(), &Dispute::claimOfCall { claimId: claim })?;
        Ok(ClaimSlot::unpack(slot))
    }

    /// What a run says of a claim. It is run once; a claim that could not be judged is tried again after a start.
    pub(super) fn judge(&mut self, picture: &Picture, id: B256, claimed: &Claimed) -> Result<Verdict, AgentError> {
        if let Some(known) = self.store.verdict::<Verdict>(id)? {
            return self.with_root(picture, id, claimed, known);
        }
        let verdict = match self.case(picture, id, claimed)? {
            Err(why) => Verdict::Unknown(why),
            Ok(case) => case.verdict(self.budget),
        };
        if !matches!(verdict, Verdict::Unknown(_)) {
            self.store.judge(id, &verdict)?;
        }
        self.with_root(picture, id, claimed, verdict)
    }

    /// A right output with a wrong trace root is a wrong claim, too.
    fn with_root(
        &mut self,
        picture: &Picture,
        id: B256,
        claimed: &Claimed,
        verdict: Verdict,
    ) -> Result<Verdict, AgentError> {
        let Some(root) = claimed.trace_root.filter(|_| verdict == Verdict::Right) else { return Ok(verdict) };
        let Ok(case) = self.case(picture, id, claimed)? else { return Ok(verdict) };
        let own = self.trace(id, &case)?;
        Ok(if own.root() == root.0 { Verdict::Right } else { Verdict::Wrong })
    }

    fn case(&mut self, picture: &Picture, id: B256, claimed: &Claimed) -> Result<Result<Case, String>, AgentError> {
        let slot = self.slot(id)?;
        let Some(tier) = self.tier(slot.tier) else { return Ok(Err("its tier is unknown".to_owned())) };
        Ok(Case::of(&picture.book, id, claimed, tier.arityLog2, self.library)?)
    }

    /// The agent's own trace of a claim's task.
    pub(super) fn trace(&mut self, id: B256, case: &Case) -> Result<Arc<Trace>, AgentError> {
        if let Some((_, trace)) = self.traces.own.iter().find(|(of, _)| *of == id) {
            return Ok(trace.clone());
        }
        let trace = Arc::new(case.trace(self.budget)?);
        self.traces.own.push_front((id, trace.clone()));
        self.traces.own.truncate(KEPT);
        Ok(trace)
    }

    /// The run behind the agent's own claim: the honest one, or with the lie it was told to stand by.
    pub(super) fn theirs(&mut self, id: B256, case: &Case) -> Result<Arc<Told>, AgentError> {
        if let Some((_, told)) = self.traces.told.iter().find(|(of, _)| *of == id) {
            return Ok(told.clone());
        }
        let told = Arc::new(told(case, self.budget, self.fault)?);
        self.traces.told.push_front((id, told.clone()));
        self.traces.told.truncate(KEPT);
        Ok(told)
    }
}

/// A run of a case; with a fault, the lying one if the claim's output is the lie's.
fn told(case: &Case, budget: u64, fault: Option<(Fault, u64)>) -> Result<Told, AgentError> {
    let honest = case.run(budget)?;
    if let Some((fault, seed)) = fault {
        let planted = Lie::plant(&case.program, &case.inputs, &honest, fault, &mut Random::new(seed));
        let lie = planted.map_err(crate::error::ProverError::from)?;
        let claimed = lie.run.output(&case.program).is_some_and(|output| output.bytes() == case.on_chain.output);
        if claimed {
            let trace = Hasher::current().trace(&case.program, lie.run.clone());
            return Ok(Told { trace, lie: Some(lie) });
        }
    }
    Ok(Told { trace: Hasher::current().trace(&case.program, honest), lie: None })
}
