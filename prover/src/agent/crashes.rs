//! An agent is killed at every call that it makes to the chain and to its memory, before and after it, one game for each; started again, it
//! ends with the same balances as if nothing had happened, and with the same number of transactions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use std::rc::Rc;

use alloy_primitives::{Address, B256, Bytes, U256};
use opml_contracts::{abi::Dispute, dispute};
use opml_ops::{commit::Hasher, engine::Engine};
use opml_vm::{
    Program, Tensor,
    interpreter::Stop,
    model_file,
    testing::{Limits, random_program},
};

use super::{
    Agent, AgentError, Attended, Book, Library, Role, Settings, Standing, events,
    local::{Fuse, Fused, FusedLedger, Local, wallet},
    root_of,
};
use crate::{
    chain::{ETHER, bond_of_challenger, bond_of_submitter, input_headers, register_call},
    lie::{Fault, Lie},
    network::{Network as _, NetworkError},
    policy::STEP_GAS,
    random::Random,
    runs::{MEMORY, Own, Runner},
};

const FAULT: Fault = Fault { cell: None, consistent: true };
const SEED: u64 = 5;
pub(super) const SUBMITTER: u8 = 1;
pub(super) const CHALLENGER: u8 = 2;

/// A model on disk, a chain that knows it, and a claim on it.
pub(super) struct World {
    folder: tempfile::TempDir,
    pub(super) chain: Local,
    fault: Option<(Fault, u64)>,
    memory: u64,
    step_gas: u64,
    /// Seconds that pass when nobody sends anything; agents see a block late that they have passed.
    pub(super) idle: u64,
}

/// What a claim is about, and how its players are set up.
pub(super) struct Plot {
    pub(super) program: Program,
    pub(super) inputs: Vec<Tensor>,
    pub(super) max_t: u64,
    pub(super) fault: Option<(Fault, u64)>,
    pub(super) memory: u64,
    pub(super) step_gas: u64,
}

fn model() -> (Program, Vec<Tensor>, u64) {
    let limits = Limits { instructions: 4, max_t: 2, elements: 40, work: 2_000 };
    let good = |seed| {
        let (program, inputs, max_t) = random_program(seed, &limits);
        let honest = opml_vm::interpreter::run(&program, &inputs, Stop::Halt { max: max_t }, 1 << 20).ok()?;
        let posted = !program.inputs().is_empty();
        let lie = Lie::plant(&program, &inputs, &honest, FAULT, &mut Random::new(SEED)).ok().filter(|_| posted)?;
        let differs = lie.run.output(&program).map(Tensor::bytes) != honest.output(&program).map(Tensor::bytes);
        differs.then_some((program, inputs, max_t))
    };
    (0..500).find_map(good).unwrap()
}

impl Plot {
    /// A small model, about which the submitter says the truth or lies.
    pub(super) fn new(lies: bool) -> Self {
        let (program, inputs, max_t) = model();
        let fault = lies.then_some((FAULT, SEED));
        Self { program, inputs, max_t, fault, memory: MEMORY, step_gas: STEP_GAS }
    }

    /// What the submitter says if it lies, or else what is right.
    pub(super) fn told(&self, lies: bool) -> Own {
        let engine = Engine::compile(&self.program);
        let (inputs, max_t, memory) = (&self.inputs, self.max_t, self.memory);
        let runner = Runner { engine: &engine, inputs, max_t, budget: 1 << 20, memory };
        let honest = runner.honest().unwrap();
        self.fault
            .filter(|_| lies)
            .map_or_else(|| runner.honest().unwrap(), |fault| runner.lying(&honest, fault).unwrap().0)
    }
}

impl World {
    fn new(lies: bool) -> Self {
        Self::of(Plot::new(lies))
    }

    /// With a claim on the task.
    pub(super) fn of(plot: Plot) -> Self {
        let (world, task) = Self::with_task(&plot);
        let own = plot.told(true);
        let output = own.output(plot.program.output()).unwrap();
        let claim = Dispute::claimCall { taskId: task, T: own.length(), nonce: 0, output: output.into() };
        world.chain.sent(wallet(SUBMITTER).account(), bond_of_submitter(), &claim);
        world
    }

    /// With the task only, and its name.
    pub(super) fn with_task(plot: &Plot) -> (Self, B256) {
        let Plot { program, inputs, max_t, fault, memory, step_gas } = plot;
        // Thousands of state files: in memory where that can be had, for a disk takes its time for every write.
        let shared = std::path::Path::new("/dev/shm");
        let folder = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() }.unwrap();
        std::fs::write(folder.path().join("model.opml"), model_file::write(program)).unwrap();
        let chain = Local::new(&[wallet(SUBMITTER).account(), wallet(CHALLENGER).account()], 1);
        let operator = crate::chain::OPERATOR;
        chain.sent(operator, 0, &register_call(program));
        let task = Dispute::openTaskCall {
            modelRoot: root_of(program),
            maxT: *max_t,
            tier: 0,
            inputHeaders: input_headers(program),
            inputs: inputs.iter().map(|input| Bytes::copy_from_slice(input.bytes())).collect(),
        };
        chain.sent(operator, 0, &task);
        let task = dispute::task_id(&Dispute::Task {
            modelRoot: root_of(program),
            inputRoot: Hasher::current().input_root(inputs).into(),
            maxT: *max_t,
            tier: 0,
            requester: Address::ZERO,
        });
        (Self { folder, chain, fault: *fault, memory: *memory, step_gas: *step_gas, idle: 7_200 }, task)
    }

    fn agent(&self, role: Role, fuse: &Rc<Fuse>) -> Result<Agent, AgentError> {
        let number = if role == Role::Submitter { SUBMITTER } else { CHALLENGER };
        let library = Library::new(&[self.folder.path().join("model.opml")]).unwrap();
        let settings = Settings {
            role,
            state: self.folder.path().join(number.to_string()),
            depth: 3,
            most: 2_000,
            dry: false,
            budget: 1 << 20,
            step_gas: self.step_gas,
            memory: self.memory,
            fault: self.fault,
        };
        let network = Box::new(Fused { chain: self.chain.clone(), fuse: fuse.clone() });
        let agent = Agent::start(network, wallet(number), self.chain.place, library, settings)?;
        let ledger = FusedLedger { ledger: agent.ledger(), fuse: fuse.clone() };
        Ok(agent.with(Rc::new(ledger)))
    }

    pub(super) fn book(&self) -> Book {
        let mut book = Book::of(self.chain.place.chain_id);
        let head = self.chain.head().unwrap().number;
        for event in events(&self.chain, &self.chain.place, 0, head).unwrap() {
            book.add(&event.log);
        }
        book
    }

    /// Whether nothing is left to do.
    fn is_over(&self) -> bool {
        let book = self.book();
        let done = book.claims.values().all(|claim| claim.standing != Standing::Pending);
        let settled = book.disputes.values().all(|dispute| dispute.over);
        let attended = book.asked.values().all(|asked| matches!(asked.stage, Attended::Closed(_)));
        let paid = [SUBMITTER, CHALLENGER].iter().all(|who| self.chain.credit(wallet(*who).account()).is_zero());
        done && settled && attended && paid
    }

    fn balances(&self) -> [U256; 3] {
        let of = |account| self.chain.balance(account).unwrap();
        let contracts = self.chain.place.followed().map(of).fold(U256::ZERO, |sum, balance| sum + balance);
        [of(wallet(SUBMITTER).account()), of(wallet(CHALLENGER).account()), contracts]
    }

    /// Plays to the end; the agent of `role` has a fuse that ends after `end` calls, and is started again without one.
    pub(super) fn play(&self, players: &[Role], role: Role, end: Option<u64>) -> Ended {
        let steady = Rc::new(Fuse::default());
        let fuse = Rc::new(Fuse::default());
        fuse.end.set(end);
        let mut agents: Vec<Option<Agent>> = players.iter().map(|_| None).collect();
        let (mut killed, mut blocks) = (false, 0);
        while !self.is_over() {
            for (player, slot) in players.iter().zip(&mut agents) {
                let own = if *player == role { &fuse } else { &steady };
                let round = match slot {
                    Some(agent) => agent.round().map(drop),
                    None => self.agent(*player, own).map(|agent| *slot = Some(agent)),
                };
                if let Err(error) = round {
                    assert!(!killed && *player == role && is_kill(&error), "{end:?}: {error}");
                    // Whatever it held in memory is gone.
                    (*slot, killed) = (None, true);
                    fuse.end.set(None);
                }
            }
            if self.chain.mine() == 0 {
                self.chain.warp(self.idle);
            }
            blocks += 1;
            assert!(blocks < 600, "no end after a kill at call {end:?}");
        }
        let sent = [SUBMITTER, CHALLENGER].map(|who| self.chain.transactions(wallet(who).account()));
        Ended { balances: self.balances(), sent, calls: fuse.passed.get(), killed }
    }
}

fn is_kill(error: &AgentError) -> bool {
    matches!(error, AgentError::Network(NetworkError::Start(_)) | AgentError::Store { .. })
}

#[derive(Debug)]
pub(super) struct Ended {
    /// Of the submitter, the challenger and the contracts.
    pub(super) balances: [U256; 3],
    /// Of both players: transactions that went through, and that did not.
    pub(super) sent: [(usize, usize); 2],
    calls: u64,
    killed: bool,
}

/// Kills the agent of `role` at every call; the balances are the same at the end, and the transactions if nobody else could have sent them.
pub(super) fn kill_everywhere(world: impl Fn() -> World, players: &[Role], role: Role, alone: bool) -> Ended {
    let game = |end| world().play(players, role, end);
    let calm = game(None);
    assert!(!calm.killed && calm.calls > 100, "{calm:?}");
    println!("{role:?}: killed at each of {} calls", calm.calls);
    for end in 0..calm.calls {
        let ended = game(Some(end));
        assert!(ended.killed, "call {end}");
        assert_eq!(ended.balances, calm.balances, "killed at call {end}");
        assert!(!alone || ended.sent == calm.sent, "killed at call {end}: {ended:?}, {calm:?}");
    }
    calm
}

pub(super) fn ether(tenths: u128) -> U256 {
    U256::from(tenths * ETHER / 10)
}

#[test]
fn a_challenger_may_die_at_every_call() {
    let players = [Role::Submitter, Role::Challenger];
    let ended = kill_everywhere(|| World::new(true), &players, Role::Challenger, true);
    // The challenger gets half of the liar's bond; what is burnt stays with the contract.
    assert_eq!(ended.balances, [ether(90), ether(105), ether(5)]);
    assert_eq!(ended.sent.map(|(_, failed)| failed), [0, 0], "{ended:?}");
}

#[test]
fn a_submitter_may_die_at_every_call() {
    let players = [Role::Submitter, Role::Challenger];
    let ended = kill_everywhere(|| World::new(true), &players, Role::Submitter, true);
    assert_eq!(ended.balances, [ether(90), ether(105), ether(5)]);
}

#[test]
fn an_honest_submitter_may_die_at_every_call() {
    // A challenger who challenges what is right, and then is silent.
    let challenged = || {
        let world = World::new(false);
        let id = *world.book().claims.keys().next().unwrap();
        let call = Dispute::challengeCall { claimId: id, nonce: 7 };
        world.chain.sent(wallet(CHALLENGER).account(), bond_of_challenger(), &call);
        world
    };
    let ended = kill_everywhere(challenged, &[Role::Submitter], Role::Submitter, true);
    // A quarter of the challenger's bond is burnt, the rest is the submitter's.
    let quarter = U256::from(bond_of_challenger() / 4);
    assert_eq!(ended.balances, [ether(100) + quarter * U256::from(3), ether(99), quarter]);
    assert_eq!(ended.sent[0].1, 0, "{ended:?}");
}

#[test]
fn a_full_disk_sends_nothing() {
    let world = World::new(true);
    let fuse = Rc::new(Fuse::default());
    let mut submitter = world.agent(Role::Submitter, &fuse).unwrap();
    let mut challenger = world.agent(Role::Challenger, &fuse).unwrap();
    submitter.round().unwrap();
    let before = world.chain.transactions(wallet(CHALLENGER).account());
    let broken = Rc::new(Fuse::default());
    broken.end.set(Some(0));
    // The chain answers, the disk does not take anything.
    let ledger = FusedLedger { ledger: challenger.ledger(), fuse: broken };
    challenger = challenger.with(Rc::new(ledger));
    let error = challenger.round().unwrap_err();
    assert!(matches!(&error, AgentError::Store { .. }) && error.to_string().contains("no space left"), "{error}");
    world.chain.mine();
    assert_eq!(world.chain.transactions(wallet(CHALLENGER).account()), before);
}
