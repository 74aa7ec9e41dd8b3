//! A chain with the contracts, and one disputed claim at a time played on it.

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall, SolConstructor, SolError};
use opml_contracts::{
    Host, HostError, Receipt,
    abi::{
        Dispute::{self, Claim, Parts, State, Task, Tier},
        StepVerifier,
    },
    dispute::{ClaimSlot, Kind, NO_HALT, Position, Sizes, claim_id, state_after, task_id},
};
use opml_vm::{
    Tensor, Trace,
    eval::{At, Evaluator},
    interpreter::{Run, RunMemory},
    merkle,
    witness::{Openings, Question},
};

use super::{
    commit::{Commit, words},
    programs::Sample,
};

pub(crate) const SUBMITTER: Address = Address::repeat_byte(0x51);
pub(crate) const CHALLENGER: Address = Address::repeat_byte(0xc1);
pub(crate) const RIVAL: Address = Address::repeat_byte(0xc2);
pub(crate) const STRANGER: Address = Address::repeat_byte(0x77);
pub(crate) const CHAIN_ID: u64 = 31_337;

pub(crate) const WINDOW: u64 = 3_600;
pub(crate) const BUDGET: u64 = 1_200;
pub(crate) const TRACE_TIME: u64 = 600;
pub(crate) const DELAY: u64 = 60;
pub(crate) const ROOT_WINDOW: u64 = 1_200;
pub(crate) const MIN_BLOCKS: u64 = 5;
pub(crate) const BOND_S: u64 = 35_000_000_000_000_007;
pub(crate) const BOND_C: u64 = 2_400_000_000_000_001;

pub(crate) type Outcome = Result<Receipt, HostError>;

/// The tier of most tests; others differ in arity and in what follows from it.
pub(crate) fn tier(arity_log2: u8) -> Tier {
    Tier {
        window: 3_600,
        budget: 1_200,
        traceTime: 600,
        delay: if arity_log2 < 3 { 20 } else { 60 },
        rootWindow: 1_200,
        minBlocks: 5,
        burnS: 5_000,
        burnC: 2_500,
        weightOpen: 30,
        weightSelect: 12,
        weightProve: 25,
        arityLog2: arity_log2,
        bondS: alloy_primitives::aliases::U96::from(BOND_S),
        bondC: alloy_primitives::aliases::U96::from(BOND_C),
    }
}

/// Tiers 0 to 3: arity 16, 2, 64 and 32.
pub(crate) const ARITIES: [u8; 4] = [4, 1, 6, 5];

/// Fails unless a call was refused with the custom error `E`.
#[track_caller]
pub(crate) fn refused<E: SolError>(outcome: Outcome) {
    match outcome {
        Ok(_) => panic!("accepted, but {} was due", E::SIGNATURE),
        Err(error) => assert!(error.is::<E>(), "{error}, but {} was due", E::SIGNATURE),
    }
}

pub(crate) struct World {
    pub(crate) host: Host,
    pub(crate) dispute: Address,
    pub(crate) verifier: Address,
}

/// The creation code of a contract: of the artifact in the folder `OPML_ARTIFACTS` if there is one, which is how mutants are tried.
pub(crate) fn code(name: &str, committed: &Bytes) -> Bytes {
    let Ok(folder) = std::env::var("OPML_ARTIFACTS") else { return committed.clone() };
    let Ok(artifact) = std::fs::read_to_string(format!("{folder}/{name}.json")) else { return committed.clone() };
    let field = artifact.split("\"bytecode\": \"").nth(1).unwrap();
    field.split('"').next().unwrap().parse().unwrap()
}

pub(crate) fn deploy(host: &mut Host, verifier: Address, tiers: Vec<Tier>) -> Result<Address, HostError> {
    let args = Dispute::constructorCall { verifier, tiers }.abi_encode();
    host.deploy(STRANGER, &code("Dispute", &Dispute::BYTECODE), &args)
}

impl World {
    pub(crate) fn new() -> Self {
        let mut host = Host::new();
        for account in [SUBMITTER, CHALLENGER, RIVAL, STRANGER] {
            host.fund(account, U256::from(10).pow(U256::from(24))).unwrap();
        }
        let verifier = host.deploy(STRANGER, &StepVerifier::BYTECODE, &[]).unwrap();
        let dispute = deploy(&mut host, verifier, ARITIES.map(tier).to_vec()).unwrap();
        Self { host, dispute, verifier }
    }

    pub(crate) fn send<C: SolCall>(&mut self, from: Address, value: u64, call: &C) -> Outcome {
        self.host.send(from, self.dispute, U256::from(value), call).map(|(_, receipt)| receipt)
    }

    pub(crate) fn view<C: SolCall>(&mut self, call: &C) -> C::Return {
        self.host.view(self.dispute, call).unwrap()
    }

    pub(crate) fn register(&mut self, sample: &Sample) -> B256 {
        self.send(STRANGER, 0, &Self::register_call(sample)).unwrap();
        sample.program.roots().model.into()
    }

    pub(crate) fn register_call(sample: &Sample) -> Dispute::registerModelCall {
        let roots = sample.program.roots();
        let counts = sample.program.counts();
        Dispute::registerModelCall {
            programRoot: roots.program.into(),
            constsRoot: roots.constants.into(),
            N: counts.instructions,
            nConsts: counts.constants,
            out: sample.program.output(),
            halt: sample.program.halt().unwrap_or(NO_HALT),
            inputHeaders: input_headers(sample),
        }
    }

    pub(crate) fn open_task(&mut self, sample: &Sample, tier: u8) -> Task {
        let model = self.register(sample);
        let call = Dispute::openTaskCall {
            modelRoot: model,
            maxT: sample.max_t,
            tier,
            inputHeaders: input_headers(sample),
            inputs: sample.inputs.iter().map(|input| input.bytes().to_vec().into()).collect(),
        };
        self.send(STRANGER, 0, &call).unwrap();
        Task {
            modelRoot: model,
            inputRoot: opml_vm::program::input_root(&sample.inputs).into(),
            maxT: sample.max_t,
            tier,
            requester: Address::ZERO,
        }
    }

    pub(crate) fn slot(&mut self, claim: B256) -> ClaimSlot {
        ClaimSlot::unpack(self.view(&Dispute::claimOfCall { claimId: claim }))
    }

    pub(crate) fn credit(&mut self, account: Address) -> U256 {
        self.view(&Dispute::creditOfCall { account })
    }

    pub(crate) fn challenge(&mut self, from: Address, claim: B256, nonce: u16) -> Result<(State, Receipt), HostError> {
        let receipt = self.send(from, BOND_C, &Dispute::challengeCall { claimId: claim, nonce })?;
        Ok((last_state(&receipt).unwrap(), receipt))
    }

    /// Passes so much time in as many blocks as an honest chain would make of it.
    pub(crate) fn pass(&mut self, seconds: u64) {
        self.host.warp(seconds);
        self.host.roll(seconds / 2 + 1);
    }
}

pub(crate) fn input_headers(sample: &Sample) -> Bytes {
    let header = |input: &opml_vm::InputHeader| [&[input.dtype.code()][..], &input.elements.to_be_bytes()].concat();
    sample.program.inputs().iter().flat_map(header).collect::<Vec<u8>>().into()
}

pub(crate) fn last_state(receipt: &Receipt) -> Option<State> {
    receipt.logs.iter().filter_map(state_after).last().map(|(_, state)| state)
}

/// A claim with what its submitter committed to, and one dispute of it.
pub(crate) struct Game {
    pub(crate) world: World,
    pub(crate) sample: Sample,
    pub(crate) task: Task,
    pub(crate) claim: Claim,
    pub(crate) id: B256,
    pub(crate) output: Bytes,
    pub(crate) run: Run,
    pub(crate) commit: Commit,
    pub(crate) state: State,
    pub(crate) challenger: Address,
}

impl Game {
    /// What the task is made of besides its header.
    pub(crate) fn parts(&self) -> Parts {
        let roots = self.sample.program.roots();
        Parts {
            programRoot: roots.program.into(),
            constsRoot: roots.constants.into(),
            inputsHash: roots.inputs_hash.into(),
            inputRoot: self.task.inputRoot,
            requester: self.task.requester,
        }
    }

    /// A claim with the commitments of this run, not challenged yet.
    pub(crate) fn claimed(sample: &Sample, tier: u8, run: Run) -> Self {
        let commit = Commit::of(&run);
        Self::claimed_as(sample, tier, run, commit)
    }

    /// The same, where the commitments differ from the run.
    pub(crate) fn claimed_as(sample: &Sample, tier: u8, run: Run, commit: Commit) -> Self {
        let mut world = World::new();
        let task = world.open_task(sample, tier);
        let length = run.length;
        let value =
            &commit.values[usize::try_from((length - 1) * sample.n()).unwrap() + sample.program.output() as usize];
        let bytes = usize::try_from(value.elements * value.size()).unwrap();
        let output = Bytes::from(value.bytes[..bytes].to_vec());
        let claim = Claim {
            taskId: task_id(&task),
            T: length,
            outputHash: alloy_primitives::keccak256(&output),
            submitter: SUBMITTER,
            nonce: 0,
        };
        let id = claim_id(CHAIN_ID, world.dispute, &claim);
        let call = Dispute::claimCall { taskId: claim.taskId, T: length, nonce: 0, output: output.clone() };
        world.send(SUBMITTER, BOND_S, &call).unwrap();
        let state = Position {
            claim_id: id,
            node: B256::ZERO,
            challenger: CHALLENGER,
            budget_s: 0,
            budget_c: 0,
            version: 0,
            turn_start: 0,
            turn_block: 0,
            open_block: 0,
            delay: 0,
            min_blocks: 0,
            weight: 0,
            nonce: 0,
            weight_select: 0,
            arity_log2: 0,
            kind: Kind::TraceOpen,
            height: 0,
            leaf: 0,
            index: 0,
            leaves: 0,
            elements: 0,
            dtype: 0,
            e: 0,
            reducer: 0,
            value: 0,
            k0: 0,
            k1: 0,
        }
        .pack();
        let sample = sample.clone();
        Self { world, sample, task, claim, id, output, run, commit, state, challenger: CHALLENGER }
    }

    /// A claim of a run with one value changed, challenged, and its trace open.
    pub(crate) fn lying(sample: &Sample, tier: u8, t: u64, i: u32, lie: &dyn Fn(&Tensor) -> Tensor) -> Self {
        let run = sample.run(sample.length, &mut |at, number, value| {
            if (at, number) == (t, i) {
                *value = lie(value);
            }
        });
        Self::claimed(sample, tier, run).opened()
    }

    /// The same of an honest run.
    pub(crate) fn honest(sample: &Sample, tier: u8) -> Self {
        Self::claimed(sample, tier, sample.run(sample.length, &mut |_, _, _| ())).opened()
    }

    pub(crate) fn opened(mut self) -> Self {
        self.challenge(CHALLENGER, 0).unwrap();
        self.open_trace().unwrap();
        self
    }

    pub(crate) fn challenge(&mut self, from: Address, nonce: u16) -> Outcome {
        let (state, receipt) = self.world.challenge(from, self.id, nonce)?;
        self.state = state;
        self.challenger = from;
        Ok(receipt)
    }

    pub(crate) fn open_trace_call(&self) -> Dispute::openTraceCall {
        let last = (self.run.length - 1) * self.sample.n();
        let halt = self.sample.program.halt().filter(|_| self.run.length < self.sample.max_t);
        Dispute::openTraceCall {
            c: self.claim.clone(),
            output: self.output.clone(),
            opening: self.commit.trace_opening(
                self.arity_log2(),
                last + u64::from(self.sample.program.output()),
                halt.map(|halt| last + u64::from(halt)),
            ),
        }
    }

    pub(crate) fn open_trace(&mut self) -> Outcome {
        let call = self.open_trace_call();
        self.world.send(SUBMITTER, 0, &call)
    }

    pub(crate) fn arity_log2(&self) -> u32 {
        ARITIES[usize::from(self.task.tier)].into()
    }

    /// The present position; the first one as the opened trace has it.
    pub(crate) fn position(&mut self) -> Position {
        let slot = self.world.slot(self.id);
        let root = self.world.view(&Dispute::traceRootOfCall { claimId: self.id });
        Position::unpack(&self.state).unwrap().resolved(&slot, root)
    }

    /// Sends a move and keeps the state it leaves.
    pub(crate) fn play<C: SolCall>(&mut self, from: Address, call: &C) -> Outcome {
        let receipt = self.world.send(from, 0, call)?;
        if let Some(state) = last_state(&receipt) {
            self.state = state;
        }
        Ok(receipt)
    }

    fn tree(&self, at: &Position) -> merkle::Tree {
        match at.kind {
            Kind::TraceOpen | Kind::TraceHidden => self.commit.tree.clone(),
            _ => self.commit.value(at.leaf).tree(),
        }
    }

    pub(crate) fn select_call(&mut self, child: u64) -> Dispute::selectCall {
        let at = self.position();
        let tree = self.tree(&at);
        let levels = at.arity_log2.min(at.height);
        let (below, index) = (u32::from(at.height - levels), (at.index << levels) + child);
        Dispute::selectCall {
            state: self.state.clone(),
            child: U256::from(child),
            hash: tree.node(below, index).into(),
            siblings: words(tree.prove_under(below, index, levels.into())),
        }
    }

    pub(crate) fn select(&mut self, child: u64) -> Outcome {
        let call = self.select_call(child);
        self.play(self.challenger, &call)
    }

    pub(crate) fn reveal_call(&mut self) -> Dispute::revealCall {
        let at = self.position();
        let children = Commit::children(&self.tree(&at), at.height.into(), at.index, at.arity_log2.into());
        Dispute::revealCall { state: self.state.clone(), children }
    }

    pub(crate) fn reveal_header_call(&mut self) -> Dispute::revealHeaderCall {
        let at = self.position();
        let value = self.commit.value(at.index);
        let tree = value.tree();
        let words = match tree.leaves() {
            0 => vec![],
            1 => value.leaf(0).to_vec(),
            _ => Commit::children(&tree, tree.depth(), 0, at.arity_log2.into()),
        };
        Dispute::revealHeaderCall { state: self.state.clone(), dtype: value.dtype, elements: value.elements, words }
    }

    pub(crate) fn reveal_leaf_call(&mut self) -> Dispute::revealLeafCall {
        let at = self.position();
        Dispute::revealLeafCall { state: self.state.clone(), data: self.commit.value(at.leaf).leaf(at.index) }
    }

    /// Reveals whatever is hidden.
    pub(crate) fn reveal(&mut self) -> Outcome {
        let at = self.position();
        match (at.kind, at.height) {
            (Kind::TraceHidden, 0) => {
                let call = self.reveal_header_call();
                self.play(SUBMITTER, &call)
            }
            (Kind::TensorHidden, 0) => {
                let call = self.reveal_leaf_call();
                self.play(SUBMITTER, &call)
            }
            _ => {
                let call = self.reveal_call();
                self.play(SUBMITTER, &call)
            }
        }
    }

    /// Walks down to the header of a trace leaf.
    pub(crate) fn walk_to_header(&mut self, leaf: u64) {
        while matches!(self.position().kind, Kind::TraceOpen | Kind::TraceHidden) {
            let at = self.position();
            match at.kind {
                Kind::TraceOpen => {
                    let below = at.height - at.arity_log2.min(at.height);
                    let first = at.index << (at.height - below);
                    self.select((leaf >> below) - first).unwrap();
                }
                _ => {
                    self.reveal().unwrap();
                }
            }
        }
    }

    /// Walks down to the tensor leaf that holds an element.
    pub(crate) fn walk_to_leaf(&mut self, leaf: u64, e: u64) {
        self.walk_to_header(leaf);
        let number = self.commit.value(leaf).leaf_of(e);
        while self.position().kind != Kind::Leaf {
            let at = self.position();
            if at.kind == Kind::TensorOpen {
                let below = at.height - at.arity_log2.min(at.height);
                let first = at.index << (at.height - below);
                self.select((number >> below) - first).unwrap();
            } else {
                self.reveal().unwrap();
            }
        }
    }

    pub(crate) fn leaf_number(&self, t: u64, i: u32) -> u64 {
        t * self.sample.n() + u64::from(i)
    }

    pub(crate) fn instruction(&self, leaf: u64) -> (Bytes, Bytes) {
        let trace = Trace::new(&self.sample.program, self.run.clone());
        let openings = Openings::new(&self.sample.program, &self.sample.inputs, &trace);
        let (encoding, siblings) = openings.instruction((leaf % self.sample.n()) as u32).unwrap();
        (encoding.to_vec().into(), siblings.concat().into())
    }

    pub(crate) fn witness(&self, leaf: u64, question: Question) -> Bytes {
        let trace = Trace::new(&self.sample.program, self.run.clone());
        let openings = Openings::new(&self.sample.program, &self.sample.inputs, &trace);
        let (t, i) = (leaf / self.sample.n(), (leaf % self.sample.n()) as u32);
        let node = |level, index| self.commit.tree.node(level, index);
        openings.witness_under(t, i, question, &node).unwrap().into()
    }

    pub(crate) fn select_element_call(&mut self, e: u64) -> Dispute::selectElementCall {
        let at = self.position();
        let (instruction, siblings) = self.instruction(at.leaf);
        Dispute::selectElementCall {
            state: self.state.clone(),
            c: self.claim.clone(),
            task: self.parts(),
            e,
            data: self.commit.value(at.leaf).leaf(at.index),
            instruction,
            siblings,
        }
    }

    pub(crate) fn select_element(&mut self, e: u64) -> Outcome {
        let call = self.select_element_call(e);
        self.play(self.challenger, &call)
    }

    /// The true partials of the disputed range.
    pub(crate) fn partials(&mut self) -> Vec<i128> {
        let at = self.position();
        let (n, m) = (at.k1 - at.k0, (at.k1 - at.k0).min(1 << at.arity_log2));
        let (t, i) = (at.leaf / self.sample.n(), (at.leaf % self.sample.n()) as u32);
        let program = &self.sample.program;
        let mut memory = RunMemory::new(program, &self.sample.inputs, &self.run.values);
        let place = At { instructions: program.counts().instructions, t, instruction: i };
        (0..m)
            .map(|j| {
                let mut evaluator = Evaluator::new(&program.instructions()[i as usize], place);
                let (k0, k1) = (at.k0 + j * n / m, at.k0 + (j + 1) * n / m);
                evaluator.slice(at.e, k0, k1, &mut memory).unwrap().unwrap()
            })
            .collect()
    }

    pub(crate) fn reveal_partials_call(&self, partials: &[i128]) -> Dispute::revealPartialsCall {
        Dispute::revealPartialsCall { state: self.state.clone(), c: self.claim.clone(), partials: encode(partials) }
    }

    pub(crate) fn reveal_partials(&mut self, partials: &[i128]) -> Outcome {
        let call = self.reveal_partials_call(partials);
        self.play(SUBMITTER, &call)
    }

    pub(crate) fn select_partial(&mut self, part: u64, partials: &[i128]) -> Outcome {
        let call = Dispute::selectPartialCall {
            state: self.state.clone(),
            part: U256::from(part),
            partials: encode(partials),
        };
        self.play(self.challenger, &call)
    }

    pub(crate) fn prove_slice_call(&mut self, part: u64, partials: &[i128]) -> Dispute::proveSliceCall {
        let at = self.position();
        let (n, m) = (at.k1 - at.k0, partials.len() as u64);
        let (k0, k1) = (at.k0 + part * n / m, at.k0 + (part + 1) * n / m);
        Dispute::proveSliceCall {
            state: self.state.clone(),
            c: self.claim.clone(),
            task: self.parts(),
            part: U256::from(part),
            partials: encode(partials),
            instruction: self.instruction(at.leaf).0,
            witness: self.witness(at.leaf, Question::Slice { e: at.e, k0, k1 }),
        }
    }

    pub(crate) fn prove_post_call(&mut self, partials: &[i128], acc: i128) -> Dispute::provePostCall {
        let at = self.position();
        Dispute::provePostCall {
            state: self.state.clone(),
            c: self.claim.clone(),
            task: self.parts(),
            partials: encode(partials),
            instruction: self.instruction(at.leaf).0,
            witness: self.witness(at.leaf, Question::Post { e: at.e, acc }),
        }
    }

    /// The proof of an element from the present node, of the trace or of a tensor.
    pub(crate) fn prove_element_call(&mut self, leaf: u64, e: u64) -> Dispute::proveElementCall {
        let at = self.position();
        let o = match at.kind {
            Kind::TraceOpen => self.commit.opening(leaf, e, at.height.into()),
            _ => self.commit.opening_in_tensor(leaf, e, at.height.into()),
        };
        Dispute::proveElementCall {
            state: self.state.clone(),
            c: self.claim.clone(),
            task: self.parts(),
            o,
            instruction: self.instruction(leaf).0,
            witness: self.witness(leaf, Question::Element { e }),
        }
    }

    pub(crate) fn prove_header_call(&mut self, leaf: u64) -> Dispute::proveHeaderCall {
        let at = self.position();
        let mut o = self.commit.header_opening(leaf, at.height.into());
        if at.kind != Kind::TraceOpen {
            (o.tensorRoot, o.tracePath) = (B256::ZERO, vec![]);
        }
        let (instruction, siblings) = self.instruction(leaf);
        Dispute::proveHeaderCall {
            state: self.state.clone(),
            c: self.claim.clone(),
            task: self.parts(),
            o,
            instruction,
            siblings,
        }
    }

    pub(crate) fn prove_halt_call(&mut self, t: u64) -> Dispute::proveHaltCall {
        let at = self.position();
        let leaf = self.leaf_number(t, self.sample.program.halt().unwrap());
        Dispute::proveHaltCall {
            state: self.state.clone(),
            c: self.claim.clone(),
            o: self.commit.opening(leaf, 0, at.height.into()),
        }
    }

    pub(crate) fn timeout(&mut self, from: Address) -> Outcome {
        let call = Dispute::claimTimeoutCall { state: self.state.clone(), c: self.claim.clone() };
        self.play(from, &call)
    }

    pub(crate) fn resign(&mut self, from: Address) -> Outcome {
        let call = Dispute::resignCall { state: self.state.clone(), c: self.claim.clone() };
        self.play(from, &call)
    }

    pub(crate) fn settle(&mut self, state: &State) -> Outcome {
        self.world.send(STRANGER, 0, &Dispute::settleCall { state: state.clone() })
    }

    pub(crate) fn finalize(&mut self) -> Outcome {
        self.world.send(STRANGER, 0, &Dispute::finalizeCall { c: self.claim.clone() })
    }

    pub(crate) fn slot(&mut self) -> ClaimSlot {
        self.world.slot(self.id)
    }

    pub(crate) fn sizes(&mut self) -> Sizes {
        Sizes::unpack(self.world.view(&Dispute::taskOfCall { taskId: self.claim.taskId }))
    }
}

pub(crate) fn encode(partials: &[i128]) -> Bytes {
    opml_bisection::encode_partials(partials).into()
}
