//! `opml watch`, `opml defend`.

use std::{rc::Rc, thread, time::Duration};

use anyhow::Result;

use super::{Session, deployment};
use crate::{
    agent::{Agent, Fleet, Library, Progress, Role, Settings, Vault},
    arguments::network::{Defend, Play},
    commands::AGREE,
    lie::Fault,
    output::Output,
    units,
};

pub(in crate::commands) fn watch(arguments: &Play, output: Output) -> Result<u8> {
    play(arguments, Role::Challenger, None, output)
}

pub(in crate::commands) fn defend(arguments: &Defend, output: Output) -> Result<u8> {
    play(&arguments.play, Role::Submitter, arguments.rehearsal.lie(), output)
}

fn play(arguments: &Play, role: Role, fault: Option<(Fault, u64)>, output: Output) -> Result<u8> {
    let vault = arguments.store.as_deref().map(Vault::open).transpose()?;
    let library = Library::new(&arguments.models)?.with(vault);
    let session = Session::open(&arguments.link, &arguments.signing)?;
    let settings = Settings {
        role,
        state: arguments.state.clone(),
        depth: arguments.confirmations,
        most: session.most,
        dry: session.dry,
        budget: arguments.budget,
        step_gas: arguments.step_gas,
        memory: arguments.trace_memory.saturating_mul(1 << 20),
        fault,
    };
    let account = session.wallet.account();
    let place = deployment(&arguments.link, &session.rpc)?;
    let mut agent = Agent::start(Box::new(session.rpc), session.wallet, place, library, settings)?;
    if let Some(address) = &arguments.fleet {
        let lease = Duration::from_secs(arguments.lease);
        let fleet = Fleet::join(address, place.chain_id, place.dispute, account, lease)?;
        output.note(&fleet.words());
        agent = agent.with(Rc::new(fleet));
    }
    output.note(&format!("account {account}, contract {}", place.dispute));
    let mut checked = 0;
    loop {
        match agent.round() {
            Ok(progress) => {
                for one in progress {
                    output.note(&words(&one));
                }
            }
            // What is not answered now may be answered later; nothing is lost by waiting.
            Err(error) if error.is_passing() && !arguments.once => output.note(&format!("waiting: {error}")),
            Err(error) => return Err(error.into()),
        }
        if agent.checks() > checked {
            checked = agent.checks();
            output.note(&format!("{} checks made", units::grouped(checked)));
        }
        if arguments.once && !agent.is_busy() {
            return Ok(AGREE);
        }
        if !agent.is_busy() {
            thread::sleep(Duration::from_secs(arguments.poll));
        }
    }
}

fn words(progress: &Progress) -> String {
    match progress {
        Progress::Sent(what) => format!("sent {what}"),
        Progress::Refused(what, why) => format!("not sent, {what}: {why}"),
        Progress::TooPoor(what, cost) => format!("not sent, {what}: the account lacks {}", units::ether(*cost)),
        Progress::TooDear(what, fee) => format!("not sent yet, {what}: gas costs {fee} wei, more than --max-fee"),
        Progress::Unjudged(claim, why) => format!("claim {claim} is not judged: {why}"),
        Progress::Unplayed(claim, why) => format!("the disputes of claim {claim} are not played: {why}"),
        Progress::Would(what, gas, cost) => {
            format!("would send {what}: up to {} gas and {}", units::grouped(*gas), units::ether(*cost))
        }
    }
}
