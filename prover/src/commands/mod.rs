//! The commands, one file each. Each gives the exit code for what it found.

mod ask;
mod commit;
mod demo;
mod dispute;
mod eval;
mod figures;
mod imo;
mod import;
mod inspect;
mod language;
mod market;
mod mint;
mod network;
mod prove;
mod revenue;
mod run;
mod stage;
mod story;
mod verify;

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    arguments::{Arguments, Command},
    output::Output,
};

/// Everything agrees.
pub(crate) const AGREE: u8 = 0;
/// A fault was found.
pub(crate) const FAULT: u8 = 1;
/// Exit code of an error.
pub const ERROR: u8 = 2;

/// Carries out a command line.
///
/// # Errors
/// What stopped the command; it has printed nothing then.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let output = Output { json: arguments.json };
    let code = match &arguments.command {
        Command::Demo(demo) => demo::run(demo, output),
        Command::Import(import) => import::run(import, output),
        Command::Inspect(inspect) => inspect::run(inspect, output),
        Command::Generate(generate) => language::generate(generate, output),
        Command::Chat(chat) => language::chat(chat, output),
        Command::Trial(trial) => language::trial(trial, output),
        Command::Run(run) => run::run(run, output),
        Command::Commit(commit) => commit::run(commit, output),
        Command::Prove(prove) => prove::run(prove, output),
        Command::Verify(verify) => verify::run(verify, output),
        Command::Dispute(dispute) => dispute::run(dispute, output),
        Command::Story(story) => story::run(story, output),
        Command::Imo(imo) => imo::run(imo, output),
        Command::Ask(ask) => ask::run(ask, output),
        Command::Mint(mint) => mint::run(mint, output),
        Command::Revenue(revenue) => revenue::run(revenue, output),
        Command::Eval(eval) => eval::run(eval, output),
        Command::Figures(figures) => figures::run(figures, output),
        Command::Deploy(deploy) => network::deploy(deploy, output),
        Command::Register(register) => network::register(register, output),
        Command::Request(request) => network::request(request, output),
        Command::Submit(submit) => network::submit(submit, output),
        Command::Batch(batch) => network::batch(&batch.step, output),
        Command::Attention(attention) => network::attention(&attention.step, output),
        Command::Watch(watch) => network::watch(watch, output),
        Command::Defend(defend) => network::defend(defend, output),
        Command::Status(status) => network::status(status, output),
        Command::Withdraw(withdraw) => network::withdraw(withdraw, output),
    }?;
    Ok(ExitCode::from(code))
}
