//! `opml batch`: claims that come many at once.

use alloy_primitives::{B256, U256, Uint};
use alloy_sol_types::{SolCall, SolConstructor as _, SolValue as _};
use anyhow::{Context as _, Result, bail};
use opml_contracts::{
    abi::{
        BatchDispute::{self, Batch, Entry},
        Dispute,
    },
    batch::{Leaves, batch_id, claim_of},
    dispute::claim_id,
};
use serde::Serialize;

use super::{Paid, Session, Work, beside, deployment, read};
use crate::{
    agent::{Batched, Book, Library, tiers},
    arguments::{
        batch::{BatchStep, DeployBatches, OfBatch, OfLeaf, SubmitBatch},
        market::Access,
    },
    commands::AGREE,
    network::{Deployment, Done, Network as _, view},
    output::Output,
    units,
};

pub(in crate::commands) fn batch(step: &BatchStep, output: Output) -> Result<u8> {
    match step {
        BatchStep::Deploy(arguments) => deploy(arguments, output),
        BatchStep::Submit(arguments) => submit(arguments, output),
        BatchStep::Finalise(arguments) => finalise(arguments, output),
        BatchStep::Prove(arguments) => prove(arguments, output),
        BatchStep::Challenge(arguments) => challenge(arguments, output),
    }
}

fn deploy(arguments: &DeployBatches, output: Output) -> Result<u8> {
    beside(
        &arguments.access,
        output,
        "BatchDispute",
        |session, place| {
            let tiers = tiers(&session.rpc, place.dispute)?;
            let verifier = view(&session.rpc, place.dispute, &Dispute::verifierCall {})?;
            let same = |tier: &Dispute::Tier| BatchDispute::Tier::abi_decode(&tier.abi_encode());
            let call = BatchDispute::constructorCall {
                registry: place.dispute,
                verifier,
                tiers: tiers.iter().map(same).collect::<Result<_, _>>()?,
                maxLeaves: U256::from(arguments.max_leaves),
                leafShare: U256::from(arguments.leaf_share),
            };
            Ok([BatchDispute::BYTECODE.as_ref(), &call.abi_encode()].concat().into())
        },
        |place, contract| place.batches = Some(contract),
    )
}

/// A command about batches: the chain, the key, and what happened.
struct Desk {
    session: Session,
    place: Deployment,
    book: Book,
}

impl Desk {
    fn open(access: &Access) -> Result<Self> {
        let session = Session::open(&access.link, &access.signing)?;
        let place = deployment(&access.link, &session.rpc)?;
        let book = read(&session.rpc, &place)?;
        Ok(Self { session, place, book })
    }

    fn contract(&self) -> Result<alloy_primitives::Address> {
        self.place
            .batches
            .context("the deployment file names no contract for batches; `opml batch deploy` puts one there")
    }

    fn batch(&self, name: B256) -> Result<&Batched> {
        self.book.batches.get(&name).with_context(|| format!("there is no batch {name}; `opml status` lists claims"))
    }

    fn send<C: SolCall>(&self, value: U256, call: &C) -> Result<Done> {
        let name = C::SIGNATURE.split('(').next().unwrap_or(C::SIGNATURE);
        let done = self.session.sender().send(name, Some(self.contract()?), value, call.abi_encode().into());
        done.context(name)
    }
}

#[derive(Serialize)]
struct Submitted {
    batch: String,
    claims: Vec<String>,
    bond: String,
    paid: Paid,
}

fn submit(arguments: &SubmitBatch, output: Output) -> Result<u8> {
    let mut library = Library::new(&arguments.models)?;
    let desk = Desk::open(&arguments.access)?;
    let (rpc, contract) = (&desk.session.rpc, desk.contract()?);
    let mut entries = Vec::new();
    let mut tier = None;
    for (j, &task) in (0_u16..).zip(&arguments.task) {
        let lie = arguments.rehearsal.lie().filter(|_| j == arguments.leaf);
        let work = Work::of(&desk.book, &mut library, task, lie, arguments.budget)?;
        if *tier.get_or_insert(work.tier) != work.tier {
            bail!("task {task} is of another tier than the first: a batch has one");
        }
        let claim = work.claim(desk.session.wallet.account());
        entries.push(Entry { taskId: claim.taskId, T: claim.T, outputHash: claim.outputHash });
    }
    let tier = tier.context("a batch needs tasks")?;
    let count = U256::from(entries.len());
    let most = view(rpc, contract, &BatchDispute::maxLeavesCall {})?;
    if count > most {
        bail!("{count} tasks are more than a batch of this contract takes: {most}");
    }
    let bond = view(rpc, contract, &BatchDispute::bondOfCall { tier_: U256::from(tier), count })?;
    let nonce = Uint::from(arguments.nonce);
    let root = Leaves::new(&entries).root();
    let batch = Batch { root, submitter: desk.session.wallet.account(), nonce };
    let id = batch_id(rpc.chain_id(), contract, &batch);
    let claims =
        (0_u16..).zip(&entries).map(|(j, entry)| claim_id(rpc.chain_id(), contract, &claim_of(&batch, j, entry)));
    let claims: Vec<String> = claims.map(|id| id.to_string()).collect();
    let done = desk.send(bond, &BatchDispute::claimBatchCall { tier_: tier, nonce, entries })?;
    let submitted = Submitted { batch: id.to_string(), claims, bond: bond.to_string(), paid: Paid::of(&done) };
    output.result(&submitted, |submitted| {
        let claims = units::count(u64::try_from(submitted.claims.len()).unwrap_or(u64::MAX), "claim");
        format!("{}\n{claims}, bond {}; {}.", submitted.batch, units::ether(bond), submitted.paid.words())
    })?;
    Ok(AGREE)
}

#[derive(Serialize)]
struct Ended {
    batch: String,
    claim: Option<String>,
    paid: Paid,
}

fn finish(batch: B256, claim: Option<B256>, done: &Done, words: &str, output: Output) -> Result<u8> {
    let claim = claim.map(|claim| claim.to_string());
    let ended = Ended { batch: batch.to_string(), claim, paid: Paid::of(done) };
    output.result(&ended, |ended| format!("{words}: {}.", ended.paid.words()))?;
    Ok(AGREE)
}

fn finalise(arguments: &OfBatch, output: Output) -> Result<u8> {
    let desk = Desk::open(&arguments.access)?;
    let b = desk.batch(arguments.batch)?.batch.clone();
    let done = desk.send(U256::ZERO, &BatchDispute::finalizeCall { b })?;
    finish(arguments.batch, None, &done, "The batch is final", output)
}

/// What a call about a leaf brings: its number, what it says, and its path.
fn leaf(batched: &Batched, j: u16) -> Result<(U256, Entry, Vec<B256>, B256)> {
    let (entry, id) = batched
        .entries
        .get(usize::from(j))
        .zip(batched.leaves.get(usize::from(j)))
        .with_context(|| format!("the batch has {} leaves, from 0; there is no leaf {j}", batched.entries.len()))?;
    Ok((U256::from(j), entry.clone(), Leaves::new(&batched.entries).path(j), *id))
}

fn prove(arguments: &OfLeaf, output: Output) -> Result<u8> {
    let desk = Desk::open(&arguments.access)?;
    let batched = desk.batch(arguments.batch)?;
    let (j, e, path, id) = leaf(batched, arguments.leaf)?;
    let done = desk.send(U256::ZERO, &BatchDispute::consumeCall { b: batched.batch.clone(), j, e, path })?;
    finish(arguments.batch, Some(id), &done, &format!("Claim {id} is known as final"), output)
}

fn challenge(arguments: &OfLeaf, output: Output) -> Result<u8> {
    let desk = Desk::open(&arguments.access)?;
    let batched = desk.batch(arguments.batch)?;
    let (j, e, path, id) = leaf(batched, arguments.leaf)?;
    let account = desk.session.wallet.account();
    let own = desk.book.disputes.values().filter(|one| one.claim == id && one.challenger == account);
    let nonce = own.map(|one| one.nonce.saturating_add(1)).max().unwrap_or(0);
    let task = batched.entries.get(usize::from(arguments.leaf)).and_then(|entry| desk.book.tasks.get(&entry.taskId));
    let tiers = tiers(&desk.session.rpc, desk.place.dispute)?;
    let tier = task.and_then(|task| tiers.get(usize::from(task.task.tier))).context("the leaf's tier is unknown")?;
    let call = BatchDispute::challengeCall { b: batched.batch.clone(), j, e, path, nonce };
    let done = desk.send(U256::from(tier.bondC), &call)?;
    finish(arguments.batch, Some(id), &done, &format!("Claim {id} is challenged"), output)
}
