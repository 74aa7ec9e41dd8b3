//! `opml mint …`: a token of what a model makes of an input, on a chain.

use std::{thread, time::Duration};

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall as _, SolError as _};
use anyhow::{Context as _, Result, bail};
use opml_contracts::abi::{AIOracle, AigcCollection, Offering};
use serde::Serialize;

use super::{Asks, Desk, Window, finish, imo::number, tried};
use crate::{
    agent::root_of,
    arguments::market::{Content, Mint, MintStep},
    commands::{AGREE, FAULT},
    economy::calls::{hidden_prompt, prompt, token_id},
    error::ProverError,
    ledger::event,
    network::{Network as _, NetworkError, Request},
    output::Output,
    task::Task,
    units,
};

/// How often and how far apart a block is looked for.
const LOOKS: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);
const TOO_YOUNG: [u8; 4] = AigcCollection::CommitmentTooYoung::SELECTOR;

pub(in crate::commands) fn mint(step: &MintStep, output: Output) -> Result<u8> {
    match step {
        MintStep::Request(mint) => request(mint, output),
        MintStep::Verify(content) => verify(content, output),
        MintStep::Show(content) => show(content, output),
    }
}

/// A collection of the model's content.
fn collection(desk: &impl Asks, address: Address, task: &Task) -> Result<Address> {
    let collection = desk.through(address, "collection", &Offering::collectionCall {})?;
    let model = desk.ask(collection, &AigcCollection::MODEL_IDCall {});
    let model = model.with_context(|| format!("{collection} is no collection"))?;
    let oracle = desk.ask(collection, &AigcCollection::aiOracleCall {})?;
    let terms = desk.ask(oracle, &AIOracle::getModelCall { modelId: model })?;
    let root = root_of(&task.program);
    if terms.modelRoot != root {
        bail!("the collection is of another model: its root is {}, the file's {root}", terms.modelRoot);
    }
    Ok(collection)
}

#[derive(Serialize)]
struct Requested {
    token: String,
    request: Option<String>,
    fee: String,
}

fn request(arguments: &Mint, output: Output) -> Result<u8> {
    let task = Task::read(&arguments.task)?;
    let mut desk = Desk::open(&arguments.access)?;
    let collection = collection(&desk, arguments.collection, &task)?;
    let (prompt, salt) = (prompt(&task.inputs), desk.session.wallet.salt(b"prompt"));
    let commitment = hidden_prompt(desk.account(), &prompt, salt);
    // It is there already if an earlier try came so far.
    if desk.ask(collection, &AigcCollection::committedAtCall { commitment })?.is_zero()
        && desk.send(collection, U256::ZERO, &AigcCollection::commitPromptCall { commitment })?.is_none()
    {
        return tried(&desk, output);
    }
    let fee = desk.ask(collection, &AigcCollection::mintFeeCall {})?;
    let token = number(token_id(&prompt));
    let call = AigcCollection::mintCall { prompt_: prompt, salt };
    await_block(&desk, collection, fee, &call);
    let logs = desk.send(collection, fee, &call)?;
    let asked = logs.map(|logs| event::<AigcCollection::Requested>(&logs)).transpose()?;
    let request = asked.map(|asked| asked.requestId.to_string());
    let words =
        request.as_ref().map_or_else(String::new, |id| format!("{token}\nRequest {id}, fee {}.", units::ether(fee)));
    finish(&desk, output, &Requested { token, request, fee: fee.to_string() }, &words)
}

/// Waits while the announcement is in the newest block: the token may be asked for a block later.
fn await_block(desk: &Desk, collection: Address, fee: U256, call: &AigcCollection::mintCall) {
    let data = call.abi_encode().into();
    let request = Request { from: desk.account(), to: Some(collection), value: fee, data };
    for _ in 0..LOOKS {
        match desk.session.rpc.estimate(&request) {
            Err(NetworkError::Reverted { data }) if data.starts_with(&TOO_YOUNG) => thread::sleep(PAUSE),
            // Whatever else is wrong, sending says it.
            _ => break,
        }
    }
}

#[derive(Serialize)]
struct Verified {
    token: String,
    content: String,
    verified: bool,
}

fn verify(arguments: &Content, output: Output) -> Result<u8> {
    let task = Task::read(&arguments.task)?;
    let window = Window::open(&arguments.link)?;
    let collection = collection(&window, arguments.collection, &task)?;
    let run = task.run()?;
    let content = run.output(&task.program).map(|output| output.bytes().to_vec());
    let content = content.ok_or_else(|| ProverError::Stuck("the run has no output".to_owned()))?;
    let prompt = prompt(&task.inputs);
    let token = number(token_id(&prompt));
    let call = AigcCollection::verifyCall { prompt_: prompt, aigcData: content.clone().into(), _2: Bytes::new() };
    let verified = window.ask(collection, &call)?;
    let report = Verified { token, content: crate::hex::of(&content), verified };
    output.result(&report, |report| {
        let fact = if report.verified { "vouches" } else { "does not vouch (yet)" };
        format!("{}\nToken {}: the collection {fact} for this content.", report.content, report.token)
    })?;
    Ok(if verified { AGREE } else { FAULT })
}

#[derive(Serialize)]
struct Report {
    token: String,
    request: Option<String>,
    owner: Option<String>,
    content: Option<String>,
    /// Whether the collection vouches for the content as it is.
    verified: bool,
    status: &'static str,
}

fn show(arguments: &Content, output: Output) -> Result<u8> {
    let task = Task::read(&arguments.task)?;
    let window = Window::open(&arguments.link)?;
    let collection = collection(&window, arguments.collection, &task)?;
    let prompt = prompt(&task.inputs);
    let id = token_id(&prompt);
    let request = window.ask(collection, &AigcCollection::requestOfCall { tokenId_: id })?;
    // A token that is not minted has neither content nor owner: these questions are refused.
    let content = window.ask(collection, &AigcCollection::aigcDataOfCall { tokenId_: id }).ok();
    let owner = window.ask(collection, &AigcCollection::ownerOfCall { tokenId: id }).ok();
    let verified = match &content {
        None => false,
        Some(content) => {
            let call = AigcCollection::verifyCall { prompt_: prompt, aigcData: content.clone(), _2: Bytes::new() };
            window.ask(collection, &call)?
        }
    };
    let status = match (request.is_zero(), &content, verified) {
        (true, ..) => "nobody has asked for it",
        (_, None, _) => "asked for, not answered",
        (_, _, false) => "minted, not final",
        _ => "verified",
    };
    let report = Report {
        token: number(id),
        request: (!request.is_zero()).then(|| request.to_string()),
        owner: owner.map(|owner| owner.to_string()),
        content: content.map(|content| crate::hex::of(&content)),
        verified,
        status,
    };
    output.result(&report, text)?;
    Ok(AGREE)
}

fn text(report: &Report) -> String {
    let mut lines = vec![format!("token {}: {}", report.token, report.status)];
    if let (Some(owner), Some(content)) = (&report.owner, &report.content) {
        lines.push(format!("  owner {owner}"));
        lines.push(format!("  content {content}"));
    }
    if let Some(request) = &report.request {
        lines.push(format!("  request {request}; `opml ask show` tells its answers"));
    }
    lines.join("\n")
}
