//! `opml submit`, `opml withdraw`.

use alloy_primitives::{Bytes, U256};
use alloy_sol_types::{SolCall as _, SolError as _};
use anyhow::{Result, bail};
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
    lie::Lie,
    network::{Network as _, view},
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
    let place = deployment(&arguments.link)?;
    let book = read(&session, place.dispute, place.block)?;
    let Some(task) = book.tasks.get(&arguments.task) else {
        bail!("there is no task {} on this contract; `opml request` opens one", arguments.task);
    };
    let Some(program) = library.get(task.task.modelRoot)? else {
        bail!("none of the model files has the root {}", task.task.modelRoot);
    };
    let inputs = program.inputs().iter().zip(&task.inputs);
    let inputs: Vec<Tensor> = inputs
        .map(|(header, bytes)| Tensor::new(header.dtype, header.elements, bytes.to_vec()))
        .collect::<Result<_, _>>()
        .map_err(|error| ProverError::Stuck(format!("the task's inputs: {error}")))?;
    program.check_inputs(&inputs)?;
    let run = run(&program, &inputs, task.task.maxT, arguments)?;
    let bytes = run.output(&program).map(|output| output.bytes().to_vec()).unwrap_or_default();
    let all = tiers(&session.rpc, place.dispute)?;
    let Some(tier) = all.get(usize::from(task.task.tier)) else { bail!("the task's tier is unknown") };
    let claim = Dispute::Claim {
        taskId: arguments.task,
        T: run.length,
        outputHash: alloy_primitives::keccak256(&bytes),
        submitter: session.wallet.account(),
        nonce: arguments.nonce,
    };
    let id = dispute::claim_id(session.rpc.chain_id(), place.dispute, &claim);
    let bond = U256::from(tier.bondS);
    let call = Dispute::claimCall {
        taskId: arguments.task,
        T: run.length,
        nonce: arguments.nonce,
        output: Bytes::copy_from_slice(&bytes),
    };
    let sent = session.sender().send("claim", Some(place.dispute), bond, call.abi_encode().into());
    let paid = match sent {
        // After a crash between sending and knowing: the claim stands.
        Err(error) if is_done_already(&error, Dispute::IdUsed::SELECTOR) => None,
        sent => Some(Paid::of(&sent?)),
    };
    let submitted = Submitted {
        claim: id.to_string(),
        length: run.length,
        output_bytes: bytes.len(),
        bond: bond.to_string(),
        paid,
    };
    output.result(&submitted, |submitted| match &submitted.paid {
        None => format!("{}\nThis claim was made before; --nonce makes another.", submitted.claim),
        Some(paid) => format!("{}\nBond {}; {}.", submitted.claim, units::ether(bond), paid.words()),
    })?;
    Ok(AGREE)
}

/// The run to claim: with a fault the lying one.
fn run(program: &Program, inputs: &[Tensor], max_t: u64, arguments: &Submit) -> Result<Run> {
    let honest = Engine::compile(program).run(inputs, Stop::Halt { max: max_t }, arguments.budget);
    let honest = honest.map_err(ProverError::Budget)?;
    let Some(fault) = arguments.fault else { return Ok(honest) };
    let lie = Lie::plant(program, inputs, &honest, fault, &mut Random::new(arguments.seed));
    Ok(lie.map_err(ProverError::from)?.run)
}

/// All that happened on a contract.
pub(super) fn read(session: &Session, contract: alloy_primitives::Address, from: u64) -> Result<Book> {
    let head = session.rpc.head()?;
    let mut book = Book::default();
    for event in session.rpc.events(contract, from, head.number)? {
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
    let place = deployment(&arguments.link)?;
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
