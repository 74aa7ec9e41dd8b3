//! `opml submit`, `opml withdraw`.

use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::{SolCall as _, SolError as _};
use anyhow::{Context as _, Result, bail};
use opml_bisection::Claim;
use opml_contracts::{abi::Dispute, dispute};
use opml_ops::engine::Engine;
use opml_vm::{Program, Tensor, interpreter::Stop};
use serde::Serialize;

use super::{Paid, Session, deployment, is_done_already};
use crate::{
    agent::{Book, Library, events, tiers},
    arguments::network::{Submit, Withdraw},
    commands::AGREE,
    error::ProverError,
    lie::Fault,
    network::{Deployment, Network as _, Rpc, view},
    outlook::Outlook,
    output::Output,
    runs::{MEMORY, Runner},
    units,
};

#[derive(Serialize)]
struct Submitted {
    claim: String,
    length: u64,
    output_bytes: usize,
    bond: String,
    /// What one dispute can ask of the submitter.
    dispute: Outlook,
    paid: Option<Paid>,
}

pub(in crate::commands) fn submit(arguments: &Submit, output: Output) -> Result<u8> {
    let mut library = Library::new(&arguments.models)?;
    let session = Session::open(&arguments.link, &arguments.signing)?;
    let place = deployment(&arguments.link, &session.rpc)?;
    let book = read(&session.rpc, &place)?;
    if !book.tasks.contains_key(&arguments.task) {
        bail!("there is no task {} on this contract; `opml request` opens one", arguments.task);
    }
    let work = Work::of(&book, &mut library, arguments.task, arguments.rehearsal.lie(), arguments.budget)?;
    let claim = Dispute::Claim { nonce: arguments.nonce, ..work.claim(session.wallet.account()) };
    let id = dispute::claim_id(session.rpc.chain_id(), place.dispute, &claim);
    let tier = work.tier(&session.rpc, place.dispute)?;
    let bond = U256::from(tier.bondS);
    let (output_bytes, length) = (work.output.len(), claim.T);
    let dispute = Outlook::of(&work.program, &work.game(&tier), &tier, output_bytes, session.most);
    let call =
        Dispute::claimCall { taskId: arguments.task, T: length, nonce: arguments.nonce, output: work.output.into() };
    let sent = session.sender().send("claim", Some(place.dispute), bond, call.abi_encode().into());
    let paid = match sent {
        // After a crash between sending and knowing: the claim stands.
        Err(error) if is_done_already(&error, Dispute::IdUsed::SELECTOR) => None,
        sent => Some(Paid::of(&sent?)),
    };
    let bond_text = bond.to_string();
    let submitted = Submitted { claim: id.to_string(), length, output_bytes, bond: bond_text, dispute, paid };
    output.result(&submitted, |submitted| match &submitted.paid {
        None => format!("{}\nThis claim was made before; --nonce makes another.", submitted.claim),
        Some(paid) => {
            let (bond, outlook) = (units::ether(bond), submitted.dispute.words());
            format!("{}\nBond {bond}; {}.\n{outlook}", submitted.claim, paid.words())
        }
    })?;
    Ok(AGREE)
}

/// A task that was run, and what is to be claimed of it.
pub(in crate::commands) struct Work {
    task: B256,
    pub(super) tier: u8,
    pub(super) program: Arc<Program>,
    max_t: u64,
    length: u64,
    engine: Engine,
    inputs: Vec<Tensor>,
    fault: Option<(Fault, u64)>,
    budget: u64,
    pub(in crate::commands) output: Vec<u8>,
}

impl Work {
    /// Runs a task; with a fault it is a lie that is claimed.
    pub(in crate::commands) fn of(
        book: &Book,
        library: &mut Library,
        id: B256,
        fault: Option<(Fault, u64)>,
        budget: u64,
    ) -> Result<Self> {
        let Some(task) = book.tasks.get(&id) else { bail!("there is no task {id} on this contract") };
        let Some(plan) = library.plan(task.task.modelRoot)? else {
            bail!("none of the model files has the root {}", task.task.modelRoot);
        };
        let program = plan.program.clone();
        let inputs = program.inputs().iter().zip(&task.inputs);
        let inputs: Vec<Tensor> = inputs
            .map(|(header, bytes)| Tensor::new(header.dtype, header.elements, bytes.to_vec()))
            .collect::<Result<_, _>>()
            .map_err(|error| ProverError::Stuck(format!("the task's inputs: {error}")))?;
        program.check_inputs(&inputs)?;
        let (tier, max_t) = (task.task.tier, task.task.maxT);
        let engine = plan.engine.clone();
        let runner = Runner { engine: &engine, inputs: &inputs, max_t, budget, memory: MEMORY };
        let (length, output) = run(&runner, fault)?;
        // A bond will stand on this.
        plan.vouch()?;
        Ok(Self { task: id, tier, program, max_t, length, output, engine, inputs, fault, budget })
    }

    /// The root of the run's trace, with its lie if it has one.
    pub(super) fn root(&self) -> Result<B256> {
        let (engine, inputs) = (&self.engine, self.inputs.as_slice());
        let runner = Runner { engine, inputs, max_t: self.max_t, budget: self.budget, memory: MEMORY };
        let honest = runner.honest()?;
        let own = match self.fault {
            Some(fault) => runner.lying(&honest, fault)?.0,
            None => honest,
        };
        Ok(B256::from(own.root()))
    }

    /// The claim, with the number 0.
    pub(in crate::commands) fn claim(&self, submitter: Address) -> Dispute::Claim {
        let hash = alloy_primitives::keccak256(&self.output);
        Dispute::Claim { taskId: self.task, T: self.length, outputHash: hash, submitter, nonce: 0 }
    }

    /// The claim as the game has it.
    fn game(&self, tier: &Dispute::Tier) -> Claim {
        Claim {
            instructions: self.program.counts().instructions,
            output_at: self.program.output(),
            halt_at: self.program.halt(),
            max_length: self.max_t,
            length: self.length,
            output: alloy_primitives::keccak256(&self.output).0,
            arity_log2: tier.arityLog2.into(),
        }
    }

    /// The task's tier.
    pub(in crate::commands) fn tier(&self, rpc: &Rpc, contract: Address) -> Result<Dispute::Tier> {
        let all = tiers(rpc, contract)?;
        all.get(usize::from(self.tier)).cloned().context("the task's tier is unknown")
    }
}

/// Iterations and output to claim: with a fault those of the lying run.
fn run(runner: &Runner<'_>, fault: Option<(Fault, u64)>) -> Result<(u64, Vec<u8>)> {
    let Some(fault) = fault else {
        let stop = Stop::Halt { max: runner.max_t };
        let output = runner.engine.run_output(runner.inputs, stop, runner.budget).map_err(ProverError::Budget)?;
        return Ok((output.length, output.tensor.into_bytes()));
    };
    let (lying, _) = runner.lying(&runner.honest()?, fault)?;
    Ok((lying.length(), lying.output(runner.engine.program().output())?))
}

/// All that happened on the contracts of a deployment.
pub(in crate::commands) fn read(rpc: &Rpc, place: &Deployment) -> Result<Book> {
    let head = rpc.head()?;
    let mut book = Book::of(place.chain_id);
    for event in events(rpc, place, place.block, head.number)? {
        book.at = event.block;
        book.add(&event.log);
    }
    Ok(book)
}

#[derive(Serialize)]
struct Withdrawn {
    wei: String,
    paid: Vec<Paid>,
}

pub(in crate::commands) fn withdraw(arguments: &Withdraw, output: Output) -> Result<u8> {
    let session = Session::open(&arguments.link, &arguments.signing)?;
    let place = deployment(&arguments.link, &session.rpc)?;
    let call = Dispute::creditOfCall { account: session.wallet.account() };
    let (mut credit, mut paid) = (U256::ZERO, Vec::new());
    for contract in place.followed() {
        let owed = view(&session.rpc, contract, &call)?;
        if !owed.is_zero() {
            let data = Dispute::withdrawCall {}.abi_encode().into();
            paid.push(Paid::of(&session.sender().send("withdraw", Some(contract), U256::ZERO, data)?));
            credit = credit.saturating_add(owed);
        }
    }
    let withdrawn = Withdrawn { wei: credit.to_string(), paid };
    output.result(&withdrawn, |withdrawn| {
        let paid: Vec<String> = withdrawn.paid.iter().map(Paid::words).collect();
        match paid.is_empty() {
            true => "The contracts owe this account nothing.".to_owned(),
            false => format!("{}; {}.", units::ether(credit), paid.join("; ")),
        }
    })?;
    Ok(AGREE)
}
