//! `opml deploy`, `opml register`, `opml request`.

use alloy_primitives::{B256, Bytes, U256};
use alloy_sol_types::{SolCall as _, SolValue as _};
use anyhow::{Context as _, Result, bail};
use opml_contracts::{
    Host,
    abi::{Dispute, StepVerifier},
    dispute,
};
use opml_ops::commit::Hasher;
use serde::Serialize;

use super::{Paid, Session, deployment};
use crate::{
    agent::{Vault, root_of},
    arguments::network::{Deploy, Register, RequestTask},
    chain::{OPERATOR, input_headers, register_call},
    commands::AGREE,
    model::Model,
    network::{Deployment, Done, Network as _, TIERS, view},
    output::Output,
    task::Task,
    words,
};

#[derive(Serialize)]
struct Deployed {
    chain_id: u64,
    verifier: Option<String>,
    dispute: Option<String>,
    block: Option<u64>,
    paid: Vec<Paid>,
}

pub(in crate::commands) fn deploy(arguments: &Deploy, output: Output) -> Result<u8> {
    let session = Session::open(&arguments.link, &arguments.signing)?;
    let sender = session.sender();
    let mut deployed =
        Deployed { chain_id: session.rpc.chain_id(), verifier: None, dispute: None, block: None, paid: Vec::new() };
    let arity_log2 = u8::try_from(arguments.arity.ilog2())?;
    let bonds = (arguments.claim_bond, arguments.challenge_bond);
    let named = |name: &&str| TIERS.iter().find(|times| times.name == *name);
    let tiers: Vec<_> = arguments.tier.iter().filter_map(named).map(|times| times.tier(arity_log2, bonds)).collect();
    check(&tiers)?;
    let done = sender.send("StepVerifier", None, U256::ZERO, StepVerifier::BYTECODE.clone())?;
    deployed.paid.push(Paid::of(&done));
    if let Done::Mined(mined) = done {
        let verifier = mined.created.context("the deployment made no contract")?;
        let code = [Dispute::BYTECODE.as_ref(), &(verifier, tiers).abi_encode_params()].concat();
        let done = sender.send("Dispute", None, U256::ZERO, code.into())?;
        deployed.paid.push(Paid::of(&done));
        if let Done::Mined(mined) = done {
            let contract = mined.created.context("the deployment made no contract")?;
            let file = Deployment::alone(session.rpc.chain_id(), contract, mined.block);
            file.write(&arguments.link.deployment)?;
            deployed.verifier = Some(verifier.to_string());
            deployed.dispute = Some(contract.to_string());
            deployed.block = Some(mined.block);
        }
    }
    let place = arguments.link.deployment.display().to_string();
    output.result(&deployed, |deployed| match &deployed.dispute {
        Some(dispute) => format!("Dispute contract {dispute} on chain {}; {place} tells where.", deployed.chain_id),
        None => deployed.paid.iter().map(Paid::words).collect::<Vec<_>>().join("\n"),
    })?;
    Ok(AGREE)
}

/// Refuses what the contract would refuse, before anything is paid: it is deployed in this process first.
fn check(tiers: &[Dispute::Tier]) -> Result<()> {
    let mut host = Host::new();
    let verifier = host.deploy(OPERATOR, &StepVerifier::BYTECODE, &[])?;
    let constructor = (verifier, tiers.to_vec()).abi_encode_params();
    let refused = host.deploy(OPERATOR, &Dispute::BYTECODE, &constructor).err();
    let Some(error) = refused else { return Ok(()) };
    bail!(
        "the contract refuses these tiers ({}): a lost claim bond must pay a challenger's whole game twice up to the price of gas at which a \
         lost challenge bond pays a submitter's; raise --claim-bond, or lower --challenge-bond",
        words::of_refusal(&error)
    )
}

#[derive(Serialize)]
struct Registered {
    model_root: String,
    paid: Option<Paid>,
}

pub(in crate::commands) fn register(arguments: &Register, output: Output) -> Result<u8> {
    let Model { program, guard, .. } = Model::open_hashed(&arguments.model)?;
    let session = Session::open(&arguments.link, &arguments.signing)?;
    let place = deployment(&arguments.link, &session.rpc)?;
    let root = root_of(&program);
    guard.check()?;
    if let Some(store) = &arguments.store {
        Vault::open(store)?.put_model(&program)?;
    }
    let paid = register_if_new(&session, place, &program, root)?;
    let registered = Registered { model_root: root.to_string(), paid };
    output.result(&registered, |registered| match &registered.paid {
        None => format!("Model {} is known already.", registered.model_root),
        Some(paid) => format!("Model {}: {}.", registered.model_root, paid.words()),
    })?;
    Ok(AGREE)
}

fn register_if_new(
    session: &Session,
    place: Deployment,
    program: &opml_vm::Program,
    root: B256,
) -> Result<Option<Paid>> {
    let model = view(&session.rpc, place.dispute, &Dispute::modelOfCall { modelRoot: root })?;
    if !model.header.is_zero() {
        return Ok(None);
    }
    let data = register_call(program).abi_encode().into();
    let done = session.sender().send("registerModel", Some(place.dispute), U256::ZERO, data)?;
    Ok(Some(Paid::of(&done)))
}

#[derive(Serialize)]
struct Requested {
    model_root: String,
    task: String,
    paid: Vec<Paid>,
}

pub(in crate::commands) fn request(arguments: &RequestTask, output: Output) -> Result<u8> {
    let task = Task::read(&arguments.task)?;
    let session = Session::open(&arguments.link, &arguments.signing)?;
    let place = deployment(&arguments.link, &session.rpc)?;
    let root = root_of(&task.program);
    if let Some(store) = &arguments.store {
        let vault = Vault::open(store)?;
        vault.put_model(&task.program)?;
        vault.put_inputs(&task.inputs)?;
    }
    let mut paid: Vec<Paid> = register_if_new(&session, place, &task.program, root)?.into_iter().collect();
    let on_chain = Dispute::Task {
        modelRoot: root,
        inputRoot: Hasher::current().input_root(&task.inputs).into(),
        maxT: task.max_t,
        tier: arguments.tier,
        requester: alloy_primitives::Address::ZERO,
    };
    let id = dispute::task_id(&on_chain);
    let known = view(&session.rpc, place.dispute, &Dispute::taskOfCall { taskId: id })?;
    let new_model = paid.iter().any(|paid| !paid.sent);
    if known.is_zero() && !new_model {
        let call = Dispute::openTaskCall {
            modelRoot: root,
            maxT: task.max_t,
            tier: arguments.tier,
            inputHeaders: input_headers(&task.program),
            inputs: task.inputs.iter().map(|input| Bytes::copy_from_slice(input.bytes())).collect(),
        };
        let done = session.sender().send("openTask", Some(place.dispute), U256::ZERO, call.abi_encode().into())?;
        paid.push(Paid::of(&done));
    }
    let requested = Requested { model_root: root.to_string(), task: id.to_string(), paid };
    output.result(&requested, |requested| {
        let paid: Vec<String> = requested.paid.iter().map(Paid::words).collect();
        let how = if paid.is_empty() { "open already".to_owned() } else { paid.join("; ") };
        format!("{}\n{how}", requested.task)
    })?;
    Ok(AGREE)
}
