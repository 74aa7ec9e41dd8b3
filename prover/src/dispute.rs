//! A whole dispute in one process: both players, the contracts, and a report of every transaction.

use std::time::Instant;

use opml_bisection::{
    Answer, Arena, Claim, Move, Outcome, Party, Policy, Position, Revealed, Trace as GameTrace, direct_proof,
    honest_challenger, honest_submitter, open_trace, tree,
};
use opml_contracts::HostError;
use opml_ops::{commit::Hasher, engine::Engine};
use opml_vm::{Trace, merkle, witness::Known};
use serde::Serialize;

use crate::{
    chain::{CHALLENGER, Chain, ClaimOnChain, ContractArena, FUNDS, SUBMITTER, Transaction},
    error::ProverError,
    knowledge::Knowledge,
    ledger::Ledger,
    lie::{Fault, Lie, LyingTrace, Told},
    machine::{VmRules, VmTrace},
    policy::{Cutting, Price},
    runs::MEMORY,
    task::Task,
    units,
};

pub use crate::policy::STEP_GAS;

/// How a dispute is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// Children of a move, a power of two from 2 to 64.
    pub arity: u64,
    /// Seed of a random lie.
    pub seed: u64,
    /// The submitter's lie; none: an honest claim under a false challenge.
    pub fault: Option<Fault>,
    /// Reductions of at most so many terms are proved without a further split.
    pub max_terms: u64,
    /// A proof that costs more gas is cut instead, where it can be.
    pub step_gas: u64,
    /// The claim posts its trace root: the challenger proves the fault in one transaction.
    pub posted: bool,
}

/// What a dispute cost and how it ended.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `challenger` or `submitter`.
    pub winner: &'static str,
    /// Why: the contract's function that ended it, a proof's or `claimTimeout`.
    pub end: &'static str,
    /// Transactions from the challenge to the resolution, of both sides.
    pub moves: usize,
    /// Their gas.
    pub gas_total: u64,
    /// Gas of the last of them.
    pub gas_last_step: u64,
    /// Their calldata, bytes.
    pub calldata_bytes: usize,
    /// Wall time of both players and the chain, runs and traces included.
    pub seconds: f64,
    /// Children of a move.
    pub arity: u64,
    /// Seed of the lie.
    pub seed: u64,
    /// The lie.
    pub fault: Option<FaultReport>,
    /// What the submitter has afterwards beside what it had before, in wei.
    pub submitter_change: String,
    /// What the challenger has afterwards beside what it had before, in wei.
    pub challenger_change: String,
    /// The walk.
    pub transactions: Vec<Transaction>,
}

/// A lie as planted.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct FaultReport {
    /// Iteration.
    pub t: u64,
    /// Instruction.
    pub instruction: u32,
    /// Element.
    pub element: u64,
    /// Term whose product is wrong.
    pub term: Option<u64>,
    /// Right value of the element.
    pub right: i64,
    /// What the submitter says.
    pub wrong: i64,
    /// Everything later was computed from it.
    pub consistent: bool,
}

/// The two players' knowledge.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// The challenger's own run.
    pub honest: Knowledge<'a>,
    /// The run that the submitter claims.
    pub submitted: Knowledge<'a>,
    /// The lie in it; none: it is the same run, under a false challenge.
    pub told: Option<Told>,
}

/// Runs the model, plants the lie, and plays the dispute to its end.
///
/// # Errors
/// The run is refused, the lie cannot be planted, or the chain refuses a move that the rules allow.
pub fn play(task: &Task, setup: &Setup) -> Result<Report, ProverError> {
    play_within(task, setup, MEMORY)
}

/// The same where each player keeps at most so many bytes of values, or checkpoints.
///
/// # Errors
/// As [`play`].
pub fn play_within(task: &Task, setup: &Setup, memory: u64) -> Result<Report, ProverError> {
    let start = Instant::now();
    let engine = Engine::compile(&task.program);
    let runner = task.runner(&engine, memory);
    let mut honest = runner.honest()?;
    let lie = setup.fault.map(|fault| runner.lying(&honest, (fault, setup.seed))).transpose()?;
    if let Some((lying, _)) = lie.as_ref().filter(|(lying, _)| lying.length() != honest.length()) {
        // The challenger's trace is that of the claim's length.
        honest = runner.of_length(lying.length())?;
    }
    let (submitted, told) = lie.as_ref().map_or((&honest, None), |(lying, told)| (lying, Some(*told)));
    let sides = Sides { honest: honest.knowledge(), submitted: submitted.knowledge(), told };
    let report = play_sides(task, setup, sides)?;
    task.guard.check()?;
    Ok(Report { seconds: start.elapsed().as_secs_f64(), ..report })
}

/// Plays the dispute over a lie that is already planted; none: over a true claim.
///
/// # Errors
/// The chain refuses a move that the rules allow.
pub fn play_lie(task: &Task, setup: &Setup, honest: &Trace, lie: Option<&Lie>) -> Result<Report, ProverError> {
    let lying = lie.map(|lie| Hasher::current().trace(&task.program, lie.run.clone()));
    let submitted = lying.as_ref().unwrap_or(honest).into();
    play_sides(task, setup, Sides { honest: honest.into(), submitted, told: lie.map(|lie| lie.told) })
}

/// Plays a dispute between two runs.
///
/// # Errors
/// The chain refuses a move that the rules allow.
pub fn play_sides(task: &Task, setup: &Setup, sides: Sides<'_>) -> Result<Report, ProverError> {
    let start = Instant::now();
    let Sides { honest, submitted, told } = sides;
    let own = VmTrace::new(&task.program, &task.inputs, honest);
    let theirs: Box<dyn GameTrace> = match &told {
        Some(told) => Box::new(LyingTrace::new(&task.program, &task.inputs, submitted, told)),
        None => Box::new(VmTrace::new(&task.program, &task.inputs, submitted)),
    };
    let table = Table::new(task, submitted, setup)?;
    let mut chain = Chain::new(table.arity_log2()?)?;
    let (claim, root) = table.claim(&mut chain, task, theirs.as_ref())?;
    let mut arena = ContractArena::challenge(chain, claim, table.claim, root)?;
    let outcome = table.walk(&mut arena, theirs.as_ref(), &own)?;
    let transactions = arena.transactions().to_vec();
    arena.settle()?;
    let mut change = |account| units::change(arena.chain().balance(account), FUNDS);
    let (submitter_change, challenger_change) = (change(SUBMITTER), change(CHALLENGER));
    Ok(Report {
        winner: if outcome.winner == Party::Challenger { "challenger" } else { "submitter" },
        end: transactions.last().map_or("none", |t| t.call),
        moves: transactions.len(),
        gas_total: transactions.iter().map(|t| t.gas).sum(),
        gas_last_step: transactions.last().map_or(0, |t| t.gas),
        calldata_bytes: transactions.iter().map(|t| t.calldata_bytes).sum(),
        seconds: start.elapsed().as_secs_f64(),
        arity: setup.arity,
        seed: setup.seed,
        fault: told.map(FaultReport::from),
        submitter_change,
        challenger_change,
        transactions,
    })
}

impl From<Told> for FaultReport {
    fn from(told: Told) -> Self {
        Self {
            t: told.cell.t,
            instruction: told.cell.instruction,
            element: told.cell.e,
            term: told.term.map(|(term, _)| term),
            right: told.right,
            wrong: told.wrong,
            consistent: told.consistent,
        }
    }
}

/// What both players and the contract agree the dispute is about.
pub(crate) struct Table {
    rules: VmRules,
    claim: Claim,
    cutting: Cutting,
    posted: bool,
}

impl Table {
    pub(crate) fn new<'a>(
        task: &Task,
        submitted: impl Into<Knowledge<'a>>,
        setup: &Setup,
    ) -> Result<Self, ProverError> {
        let submitted = submitted.into();
        let last = submitted.length().saturating_sub(1);
        let leaf = submitted.leaf(last, task.program.output()).and_then(|leaf| usize::try_from(leaf).ok());
        let hash = |known: Known<'_>| Some(merkle::keccak(&[known.values.get(leaf?)?.bytes()]));
        let output = submitted.at(last, hash)?;
        let claim = Claim {
            instructions: task.program.counts().instructions,
            output_at: task.program.output(),
            halt_at: task.program.halt(),
            max_length: task.max_t,
            length: submitted.length(),
            output: output.ok_or_else(|| ProverError::Stuck("the run has no output".to_owned()))?,
            arity_log2: setup.arity.ilog2(),
        };
        Ok(Self {
            rules: VmRules::new(&task.program, &task.inputs),
            claim,
            cutting: match setup.posted {
                true => Cutting::new(u64::MAX, u64::MAX),
                false => Cutting::new(setup.max_terms, setup.step_gas),
            },
            posted: setup.posted,
        })
    }

    pub(crate) fn arity_log2(&self) -> Result<u8, ProverError> {
        u8::try_from(self.claim.arity_log2).map_err(|_| ProverError::Stuck("the arity is out of range".to_owned()))
    }

    /// Opens the task and claims; gives the trace root if it was posted.
    fn claim(
        &self,
        chain: &mut Chain,
        task: &Task,
        theirs: &dyn GameTrace,
    ) -> Result<(ClaimOnChain, Option<[u8; 32]>), ProverError> {
        let on_chain = chain.open_task(&task.program, &task.inputs, task.max_t)?;
        let open = open_trace(&self.claim, theirs, &self.rules)?;
        let eager = self.posted.then_some((&open, self.claim.instructions));
        let (claim, _) = chain.claim(&on_chain, self.claim.length, &open.output, eager)?;
        Ok((claim, self.posted.then_some(open.root)))
    }

    /// The claim as the game has it.
    pub(crate) const fn game(&self) -> Claim {
        self.claim
    }

    /// Plays both sides until somebody has won.
    pub(crate) fn walk<L: Ledger>(
        &self,
        arena: &mut ContractArena<L>,
        theirs: &dyn GameTrace,
        own: &VmTrace<'_>,
    ) -> Result<Outcome, ProverError> {
        let mut revealed = Revealed::default();
        if self.posted {
            // A posted trace is public as a whole.
            let open = Move::OpenTrace(Box::new(open_trace(&self.claim, theirs, &self.rules)?));
            revealed.observe(&self.claim, None, &open, &self.rules);
        }
        let mut cutting = self.cutting;
        // Every walk is far shorter; a fault of this program shall not run for ever.
        for _ in 0..10_000 {
            if let Some(outcome) = arena.outcome() {
                return Ok(outcome);
            }
            let position = arena.position();
            let turn = position.as_ref().map_or(Party::Submitter, Position::turn);
            let mv = match (&position, turn) {
                (Some(position), Party::Challenger) => {
                    let make = |policy: &Policy| self.challenger(policy, position, &revealed, theirs, own);
                    let price = |mv: &Move| Ok(arena.gas_of(turn, mv)?.map_or(Price::Unknown, Price::Gas));
                    cutting.choose::<ProverError>(make, price)?
                }
                _ => honest_submitter(&self.claim, position.as_ref(), theirs, &self.rules)?,
            };
            let Some(mv) = mv else {
                // Nothing to say: the clock runs out.
                arena.advance(7 * 24 * 3_600, 1_000);
                arena.timeout()?;
                continue;
            };
            match arena.play(turn, &mv) {
                Ok(()) => revealed.observe(&self.claim, position.as_ref(), &mv, &self.rules),
                // The proof does not fit a transaction: a part of it does.
                Err(ProverError::Chain { error: HostError::Halt { .. } | HostError::Invalid(_), .. })
                    if turn == Party::Challenger && mv.kind().is_proof() && cutting.shrink() => {}
                Err(error) => return Err(error),
            }
        }
        Err(ProverError::Stuck("no end after 10,000 moves".to_owned()))
    }

    fn challenger(
        &self,
        policy: &Policy,
        position: &Position,
        revealed: &Revealed,
        theirs: &dyn GameTrace,
        own: &VmTrace<'_>,
    ) -> Answer<Option<Move>> {
        let top = tree::depth(self.claim.leaves());
        if self.posted && matches!(position, Position::TraceOpen(node) if node.height == top) {
            let proof = direct_proof(policy, &self.claim, theirs, own, &self.rules)?;
            if proof.is_some() {
                return Ok(proof);
            }
        }
        honest_challenger(policy, &self.claim, position, revealed, own, &self.rules)
    }
}
