//! What an agent decides with: the chain's answers, its models, and the runs it made.

use std::{collections::VecDeque, sync::Arc};

use alloy_primitives::{Address, B256, U256, keccak256};
use opml_bisection::{Answer, Move, Policy, Trace as GameTrace};
use opml_contracts::{
    abi::{BatchDispute, Dispute},
    dispute::{ClaimSlot, unpack_tier},
};

use super::{AgentError, Case, Claimed, Ledger, Library, Picture, Verdict, checks::Known};
use crate::{
    chain::Record,
    lie::{self, Fault, LyingTrace},
    machine::VmTrace,
    network::{Deployment, Network, NetworkError, Request, Wallet, view},
    policy::{Cutting, Price},
    runs::Own,
};

/// Traces that are kept in memory; others are computed again.
const KEPT: usize = 4;
/// Most gas of a transaction (EIP-7825), less what an estimate may miss.
const GAS: u64 = 13_500_000;
/// Bytes of the largest trace that is stored: a larger one is sooner run again than fetched.
const STORED: usize = 1 << 28;

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

/// A claim's slot; of a leaf that nobody has disputed its batch's.
///
/// # Errors
/// There is no such contract, or the endpoint does not answer.
pub fn slot(network: &dyn Network, id: B256, claimed: &Claimed) -> Result<ClaimSlot, NetworkError> {
    let word = match claimed.leaf {
        Some((batch, _)) if claimed.disputes.is_empty() => {
            view(network, claimed.home, &BatchDispute::batchOfCall { batchId: batch })?
        }
        _ => view(network, claimed.home, &Dispute::claimOfCall { claimId: id })?,
    };
    Ok(ClaimSlot::unpack(word))
}

/// A submitter's run of a claim, with its lie if it told one.
pub(super) struct Told {
    own: Own,
    lie: Option<lie::Told>,
}

impl Told {
    /// The trace that the submitter shows.
    #[must_use]
    pub(super) fn trace<'a>(&'a self, case: &'a Case) -> Box<dyn GameTrace + 'a> {
        let own = self.own.knowledge();
        match &self.lie {
            Some(told) => Box::new(LyingTrace::new(&case.program, &case.inputs, own, told)),
            None => Box::new(VmTrace::new(&case.program, &case.inputs, own)),
        }
    }
}

/// The last traces.
#[derive(Default)]
pub(super) struct Traces {
    own: VecDeque<(B256, Arc<Own>)>,
    told: VecDeque<(B256, Arc<Told>)>,
}

/// Everything at hand for one round.
pub(super) struct Office<'a> {
    pub(super) network: &'a dyn Network,
    pub(super) wallet: &'a Wallet,
    pub(super) deployment: Deployment,
    pub(super) ledger: &'a dyn Ledger,
    pub(super) known: &'a mut Known,
    pub(super) library: &'a mut Library,
    pub(super) tiers: &'a [Dispute::Tier],
    pub(super) traces: &'a mut Traces,
    pub(super) budget: u64,
    pub(super) step_gas: u64,
    pub(super) memory: u64,
    pub(super) fault: Option<(Fault, u64)>,
}

impl<'a> Office<'a> {
    pub(super) const fn account(&self) -> Address {
        self.wallet.account()
    }

    /// A tier by its number.
    pub(super) fn tier(&self, number: u8) -> Option<&'a Dispute::Tier> {
        self.tiers.get(usize::from(number))
    }

    /// A claim's slot; of a leaf that nobody has disputed its batch's.
    pub(super) fn slot(&self, id: B256, claimed: &Claimed) -> Result<ClaimSlot, AgentError> {
        Ok(slot(self.network, id, claimed)?)
    }

    pub(super) fn case(
        &mut self,
        picture: &Picture,
        id: B256,
        claimed: &Claimed,
    ) -> Result<Result<Case, String>, AgentError> {
        let number = picture.book.tasks.get(&claimed.claim.taskId).map(|task| task.task.tier);
        let Some(tier) = number.and_then(|number| self.tier(number)) else {
            return Ok(Err("its tier is unknown".to_owned()));
        };
        Case::of(&picture.book, id, claimed, tier.arityLog2, self.library)
    }

    /// The agent's own trace of a claim's task, of as many iterations as the claim has: the last ones from memory, others from the storage,
    /// if a run made before says its root.
    pub(super) fn trace(&mut self, id: B256, case: &Case) -> Result<Arc<Own>, AgentError> {
        if let Some((_, trace)) = self.traces.own.iter().find(|(of, _)| *of == id) {
            return Ok(trace.clone());
        }
        let trace = Arc::new(self.trace_of(case)?);
        self.traces.own.push_front((id, trace.clone()));
        self.traces.own.truncate(KEPT);
        Ok(trace)
    }

    fn trace_of(&self, case: &Case) -> Result<Own, AgentError> {
        let (subject, length) = (case.on_chain.claim.taskId, case.claim.length);
        let run = || case.runner(self.budget, self.memory).of_length(length);
        let Some(vault) = self.library.vault() else { return Ok(run()?) };
        let name = keccak256([b"trace", subject.as_slice(), &length.to_be_bytes()].concat());
        if let Some(Verdict::Traced(root)) = self.ledger.verdicts(&[name])?.get(&name)
            // A storage that is damaged or silent is no reason to miss a move: the run is made again.
            && let Ok(Some(trace)) = vault.trace(&case.program, B256::from(*root))
        {
            return Ok(Own::Whole(Box::new(trace)));
        }
        let own = run()?;
        // What is not kept as a whole is sooner run again than fetched.
        if let Own::Whole(trace) = &own {
            self.ledger.judge(&[(name, Verdict::Traced(trace.root()))])?;
            let bytes: usize = trace.run().values.iter().map(|value| value.bytes().len()).sum();
            if bytes <= STORED {
                let _ = vault.put_trace(trace);
            }
        }
        Ok(own)
    }

    /// The run behind the agent's own claim: the honest one, or with the lie it was told to stand by.
    pub(super) fn theirs(&mut self, id: B256, case: &Case) -> Result<Arc<Told>, AgentError> {
        if let Some((_, told)) = self.traces.told.iter().find(|(of, _)| *of == id) {
            return Ok(told.clone());
        }
        let told = Arc::new(told(case, (self.budget, self.memory), self.fault)?);
        self.traces.told.push_front((id, told.clone()));
        self.traces.told.truncate(KEPT);
        Ok(told)
    }

    /// A challenger's next move, by the price that the chain names.
    pub(super) fn choose(
        &self,
        (case, home): (&Case, Address),
        record: &Record,
        make: impl FnMut(&Policy) -> Answer<Option<Move>>,
    ) -> Result<Option<Move>, AgentError> {
        let price = |mv: &Move| {
            let data = record.calldata(&case.on_chain, &case.claim, mv)?;
            let request = Request { from: self.account(), to: Some(home), value: U256::ZERO, data };
            match self.network.estimate(&request) {
                Ok(gas) => Ok(if gas > GAS { Price::TooMuch } else { Price::Gas(gas) }),
                Err(NetworkError::Reverted { data }) if !data.is_empty() => Ok(Price::Unknown),
                Err(NetworkError::Reverted { .. } | NetworkError::Refused { .. }) => Ok(Price::TooMuch),
                Err(error) => Err(error.into()),
            }
        };
        Cutting::new(Policy::default().max_terms, self.step_gas).choose(make, price)
    }
}

/// A run of a case; with a fault, the lying one if the claim's output is the lie's.
fn told(case: &Case, (budget, memory): (u64, u64), fault: Option<(Fault, u64)>) -> Result<Told, AgentError> {
    let runner = case.runner(budget, memory);
    let honest = runner.honest()?;
    if let Some(fault) = fault {
        let (own, told) = runner.lying(&honest, fault)?;
        if case.agrees(&own)? {
            return Ok(Told { own, lie: Some(told) });
        }
    }
    Ok(Told { own: honest, lie: None })
}
