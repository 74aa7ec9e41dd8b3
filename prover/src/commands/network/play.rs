//! `opml watch`, `opml defend`.

use std::{thread, time::Duration};

use anyhow::Result;

use super::{Session, deployment};
use crate::{
    agent::{Agent, AgentError, Library, Progress, Role, Settings},
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
    let fault = arguments.fault.map(|fault| (fault, arguments.seed));
    play(&arguments.play, Role::Submitter, fault, output)
}

fn play(arguments: &Play, role: Role, fault: Option<(Fault, u64)>, output: Output) -> Result<u8> {
    let library = Library::new(&arguments.models)?;
    let session = Session::open(&arguments.link, &arguments.signing)?;
    let settings = Settings {
        role,
        state: arguments.state.clone(),
        depth: arguments.confirmations,
        most: session.most,
        dry: session.dry,
        budget: arguments.budget,
        fault,
    };
    let account = session.wallet.account();
    let place = deployment(&arguments.link, &session.rpc)?;
    let mut agent = Agent::start(Box::new(session.rpc), session.wallet, place, library, settings)?;
    output.note(&format!("account {account}, contract {}", place.dispute));
    loop {
        match agent.round() {
            Ok(progress) => {
                for one in progress {
                    output.note(&words(&one));
                }
            }
            // What the chain does not answer now it may answer later; nothing is lost by waiting.
            Err(AgentError::Network(error)) if !arguments.once => output.note(&format!("waiting: {error}")),
            Err(error) => return Err(error.into()),
        }
        if arguments.once {
            return Ok(AGREE);
        }
        thread::sleep(Duration::from_secs(arguments.poll));
    }
}

fn words(progress: &Progress) -> String {
    match progress {
        Progress::Sent(what) => format!("sent {what}"),
        Progress::Refused(what, why) => format!("not sent, {what}: {why}"),
        Progress::TooPoor(what, cost) => format!("not sent, {what}: the account lacks {}", units::ether(*cost)),
        Progress::TooDear(what, fee) => format!("not sent yet, {what}: gas costs {fee} wei, more than --max-fee"),
        Progress::Would(what, gas, cost) => {
            format!("would send {what}: up to {} gas and {}", units::grouped(*gas), units::ether(*cost))
        }
    }
}
