//! `opml submit`, `opml withdraw`.

use alloy_primitives::{Bytes, U256};
use alloy_sol_types::{SolCall as _, SolError as _};
use anyhow::{Result, bail};
use opml_bisection::{Claim, most_moves};
use opml_contracts::{abi::Dispute, dispute};
use opml_ops::engine::Engine;
use opml_vm::{
    Program, Tensor,
    bounds::{Bounds, InstructionBounds},
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
    /// What one dispute can ask of the submitter.
    dispute: Outlook,
    paid: Option<Paid>,
}

/// What a dispute can ask of the submitter of a claim, whatever the challenger does.
#[derive(Serialize)]
struct Outlook {
    /// Most moves of its own.
    moves: u32,
    /// Most wei for them, at the dearest gas that it pays.
    wei: String,
    /// Of the challenger's bond, wei that a submitter gets who wins it.
    won: String,
}

/// Gas that no move of a submitter is above: openings and reveals, which open no data.
const GAS_OF_A_MOVE: u64 = 250_000;

impl Outlook {
    fn of(program: &Program, max_t: u64, claim: &Claim, tier: &Dispute::Tier, most: u128) -> Self {
        let bounds = Bounds::new(program, max_t);
        let largest = |size: fn(&InstructionBounds) -> u128| {
            u64::try_from(bounds.instructions.iter().map(size).max().unwrap_or(1)).unwrap_or(u64::MAX)
        };
        let all = most_moves(claim, largest(|of| of.tensor_leaves), largest(|of| of.terms));
        let moves = all.div_ceil(2);
        let gas = U256::from(moves).saturating_mul(U256::from(GAS_OF_A_MOVE));
        let burnt = U256::from(tier.bondC).saturating_mul(U256::from(tier.burnC)) / U256::from(10_000);
        let won = U256::from(tier.bondC).saturating_sub(burnt);
        Self { moves, wei: gas.saturating_mul(U256::from(most)).to_string(), won: won.to_string() }
    }

    fn words(&self) -> String {
        let amount = |text: &str| units::ether(text.parse::<U256>().unwrap_or_default());
        let (wei, won) = (amount(&self.wei), amount(&self.won));
        format!(
            "A dispute asks for at most {} moves of yours, {wei} at --max-fee; one that you win brings {won}.",
            self.moves
        )
    }
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
    let in_game = Claim {
        instructions: program.counts().instructions,
        output_at: program.output(),
        halt_at: program.halt(),
        max_length: task.task.maxT,
        length: run.length,
        output: claim.outputHash.0,
        arity_log2: tier.arityLog2.into(),
    };
    let dispute = Outlook::of(&program, task.task.maxT, &in_game, tier, session.most);
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
        dispute,
        paid,
    };
    output.result(&submitted, |submitted| match &submitted.paid {
        None => format!("{}\nThis claim was made before; --nonce makes another.", submitted.claim),
        Some(paid) => {
            let (bond, outlook) = (units::ether(bond), submitted.dispute.words());
            format!("{}\nBond {bond}; {}.\n{outlook}", submitted.claim, paid.words())
        }
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
