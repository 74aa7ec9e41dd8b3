//! `opml submit`, `opml withdraw`.

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall as _, SolError as _};
use anyhow::{Context as _, Result, bail};
use opml_contracts::{abi::Dispute, dispute};
use opml_ops::engine::Engine;
use opml_vm::{
    Program, Tensor,
    interpreter::{Run, Stop},
};
use serde::Serialize;

use super::{Paid, Session, deployment, is_done_already};
use crate::{
    agent::{Book, Library, tiers},
    arguments::network::{Submit, Withdraw},
    commands::AGREE,
    error::ProverError,
    lie::{Fault, Lie},
    network::{Network as _, Rpc, view},
    output::Output,
    random::Random,
    units,
};

#[derive(Serialize)]
struct Submitted {
    claim: String,
    length: u64,
    output_bytes: usize,
    bond: String,
    paid: Option<Paid>,
}

pub(in crate::commands) fn submit(arguments: &Submit, output: Output) -> Result<u8> {
    let mut library = Library::new(&arguments.models)?;
    let session = Session::open(&arguments.link, &arguments.signing)?;
    let place = deployment(&arguments.link, &session.rpc)?;
    let book = read(&session.rpc, place.dispute, place.block)?;
    if !book.tasks.contains_key(&arguments.task) {
        bail!("there is no task {} on this contract; `opml request` opens one", arguments.task);
    }
    let fault = arguments.fault.map(|fault| (fault, arguments.seed));
    let work = Work::of(&book, &mut library, arguments.task, fault, arguments.budget)?;
    let claim = Dispute::Claim { nonce: arguments.nonce, ..work.claim(session.wallet.account()) };
    let id = dispute::claim_id(session.rpc.chain_id(), place.dispute, &claim);
    let bond = U256::from(work.tier(&session.rpc, place.dispute)?.bondS);
    let output_bytes = work.output.len();
    let (length, bytes) = (claim.T, Bytes::from(work.output));
    let call = Dispute::claimCall { taskId: arguments.task, T: length, nonce: arguments.nonce, output: bytes };
    let sent = session.sender().send("claim", Some(place.dispute), bond, call.abi_encode().into());
    let paid = match sent {
        // After a crash between sending and knowing: the claim stands.
        Err(error) if is_done_already(&error, Dispute::IdUsed::SELECTOR) => None,
        sent => Some(Paid::of(&sent?)),
    };
    let submitted = Submitted { claim: id.to_string(), length, output_bytes, bond: bond.to_string(), paid };
    output.result(&submitted, |submitted| match &submitted.paid {
        None => format!("{}\nThis claim was made before; --nonce makes another.", submitted.claim),
        Some(paid) => format!("{}\nBond {}; {}.", submitted.claim, units::ether(bond), paid.words()),
    })?;
    Ok(AGREE)
}

/// A task that was run, and what is to be claimed of it.
pub(in crate::commands) struct Work {
    task: B256,
    tier: u8,
    length: u64,
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
        let Some(program) = library.get(task.task.modelRoot)? else {
            bail!("none of the model files has the root {}", task.task.modelRoot);
        };
        let inputs = program.inputs().iter().zip(&task.inputs);
        let inputs: Vec<Tensor> = inputs
            .map(|(header, bytes)| Tensor::new(header.dtype, header.elements, bytes.to_vec()))
            .collect::<Result<_, _>>()
            .map_err(|error| ProverError::Stuck(format!("the task's inputs: {error}")))?;
        program.check_inputs(&inputs)?;
        let run = run(&program, &inputs, task.task.maxT, fault, budget)?;
        let output = run.output(&program).map(|output| output.bytes().to_vec()).unwrap_or_default();
        Ok(Self { task: id, tier: task.task.tier, length: run.length, output })
    }

    /// The claim, with the number 0.
    pub(in crate::commands) fn claim(&self, submitter: Address) -> Dispute::Claim {
        let hash = alloy_primitives::keccak256(&self.output);
        Dispute::Claim { taskId: self.task, T: self.length, outputHash: hash, submitter, nonce: 0 }
    }

    /// The task's tier.
    pub(in crate::commands) fn tier(&self, rpc: &Rpc, contract: Address) -> Result<Dispute::Tier> {
        let all = tiers(rpc, contract)?;
        all.get(usize::from(self.tier)).cloned().context("the task's tier is unknown")
    }
}

/// The run to claim: with a fault the lying one.
fn run(program: &Program, inputs: &[Tensor], max_t: u64, fault: Option<(Fault, u64)>, budget: u64) -> Result<Run> {
    let honest = Engine::compile(program).run(inputs, Stop::Halt { max: max_t }, budget);
    let honest = honest.map_err(ProverError::Budget)?;
    let Some((fault, seed)) = fault else { return Ok(honest) };
    let lie = Lie::plant(program, inputs, &honest, fault, &mut Random::new(seed));
    Ok(lie.map_err(ProverError::from)?.run)
}

/// All that happened on a contract.
pub(in crate::commands) fn read(rpc: &Rpc, contract: Address, from: u64) -> Result<Book> {
    let head = rpc.head()?;
    let mut book = Book::default();
    for event in rpc.events(contract, from, head.number)? {
        book.add(&event.log);
    }
    Ok(book)
}

#[derive(Serialize)]
struct Withdrawn {
    wei: String,
    paid: Option<Paid>,
}

pub(in crate::commands) fn withdraw(arguments: &Withdraw, output: Output) -> Result<u8> {
    let session = Session::open(&arguments.link, &arguments.signing)?;
    let place = deployment(&arguments.link, &session.rpc)?;
    let call = Dispute::creditOfCall { account: session.wallet.account() };
    let credit = view(&session.rpc, place.dispute, &call)?;
    let paid = if credit.is_zero() {
        None
    } else {
        let data = Dispute::withdrawCall {}.abi_encode().into();
        Some(Paid::of(&session.sender().send("withdraw", Some(place.dispute), U256::ZERO, data)?))
    };
    let withdrawn = Withdrawn { wei: credit.to_string(), paid };
    output.result(&withdrawn, |withdrawn| match &withdrawn.paid {
        None => "The contract owes this account nothing.".to_owned(),
        Some(paid) => format!("{}; {}.", units::ether(credit), paid.words()),
    })?;
    Ok(AGREE)
}
