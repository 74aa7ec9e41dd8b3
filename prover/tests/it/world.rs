//! The real machine as a world of the dispute suite: every dispute is played in the pure game and in the contract.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use opml_bisection::{
    Answer, Claim, Hash, Hashing, Job, Moment, PureArena, Rules, Shape, Step, StepRefused, Timing, Unavailable,
    suite::{Lie, Twin, World},
};
use opml_prover::{
    chain::{self, Chain, ContractArena},
    machine::{VmRules, VmTrace},
};
use opml_vm::{
    Program, Tensor, Trace,
    interpreter::{self, Stop},
};

/// The machine's rules, which remember what they have hashed: the contract wants the bytes of an output, a claim has only
/// their hash.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    rules: VmRules,
    preimages: Rc<RefCell<BTreeMap<Hash, Vec<u8>>>>,
}

impl Hashing for Recorded {
    fn hash(&self, bytes: &[u8]) -> Hash {
        let hash = self.rules.hash(bytes);
        self.preimages.borrow_mut().insert(hash, bytes.to_vec());
        hash
    }

    fn node(&self, left: &Hash, right: &Hash) -> Hash {
        self.rules.node(left, right)
    }
}

impl Rules for Recorded {
    fn element_size(&self, dtype: u8) -> Option<u64> {
        self.rules.element_size(dtype)
    }

    fn decode(&self, dtype: u8, bytes: &[u8]) -> Option<i64> {
        self.rules.decode(dtype, bytes)
    }

    fn combine(&self, reducer: u8, partials: &[i128]) -> Option<i128> {
        self.rules.combine(reducer, partials)
    }

    fn shape(&self, job: &Job, step: &Step) -> Result<Shape, StepRefused> {
        self.rules.shape(job, step)
    }

    fn element(&self, job: &Job, e: u64, step: &Step) -> Result<i64, StepRefused> {
        self.rules.element(job, e, step)
    }

    fn slice(&self, job: &Job, e: u64, k0: u64, k1: u64, step: &Step) -> Result<i128, StepRefused> {
        self.rules.slice(job, e, k0, k1, step)
    }

    fn post(&self, job: &Job, e: u64, acc: i128, step: &Step) -> Result<i64, StepRefused> {
        self.rules.post(job, e, acc, step)
    }
}

/// A program on an input.
pub(crate) struct VmWorld {
    program: &'static Program,
    inputs: &'static [Tensor],
    max_t: u64,
    rules: Recorded,
}

impl VmWorld {
    pub(crate) fn new(program: Program, inputs: Vec<Tensor>, max_t: u64) -> Self {
        let rules = Recorded { rules: VmRules::new(&program, &inputs), preimages: Rc::default() };
        // A test's worlds live as long as the test.
        Self { program: Box::leak(Box::new(program)), inputs: inputs.leak(), max_t, rules }
    }

    pub(crate) fn trace(&self, run: interpreter::Run) -> VmTrace<'static> {
        VmTrace::new(self.program, self.inputs, &*Box::leak(Box::new(Trace::new(self.program, run))))
    }

    pub(crate) fn program(&self) -> &'static Program {
        self.program
    }

    pub(crate) fn inputs(&self) -> &'static [Tensor] {
        self.inputs
    }

    /// The same dispute in the pure game and on a chain, both at its first moment.
    pub(crate) fn pair(&self, claim: &Claim) -> Answer<(PureArena<Recorded>, ContractArena)> {
        let mut chain = Chain::new(u8::try_from(claim.arity_log2).unwrap()).map_err(unavailable)?;
        let task = chain.open_task(self.program, self.inputs, claim.max_length).map_err(unavailable)?;
        let output = self.rules.preimages.borrow().get(&claim.output).cloned();
        let output = output.ok_or_else(|| unavailable("the output's bytes are unknown"))?;
        let (on_chain, _) = chain.claim(&task, claim.length, &output, None).map_err(unavailable)?;
        chain.hold_block(true);
        let (time, block) = chain.now();
        let contract = ContractArena::challenge(chain, on_chain, *claim, None).map_err(unavailable)?;
        let pure = PureArena::new(*claim, self.timing(), Moment { time, block }, self.rules.clone());
        Ok((pure.map_err(unavailable)?, contract))
    }
}

fn unavailable(error: impl ToString) -> Unavailable {
    Unavailable(error.to_string())
}

impl World for VmWorld {
    type Run = VmTrace<'static>;
    type Rules = Recorded;
    type Arena = Twin<PureArena<Recorded>, ContractArena>;

    fn rules(&self) -> &Recorded {
        &self.rules
    }

    fn claim(&self) -> Claim {
        let run = interpreter::run(self.program, self.inputs, Stop::Halt { max: self.max_t }, u64::MAX);
        Claim {
            instructions: self.program.counts().instructions,
            output_at: self.program.output(),
            halt_at: self.program.halt(),
            max_length: self.max_t,
            length: run.unwrap().length,
            output: [0; 32],
            arity_log2: 1,
        }
    }

    fn timing(&self) -> Timing {
        let tier = chain::tier(1);
        Timing {
            budget: tier.budget.into(),
            delay: tier.delay.into(),
            trace: tier.traceTime.into(),
            min_blocks: tier.minBlocks.into(),
        }
    }

    fn run(&self, length: u64) -> Answer<VmTrace<'static>> {
        let run = interpreter::run(self.program, self.inputs, Stop::Exactly(length), u64::MAX);
        Ok(self.trace(run.map_err(unavailable)?))
    }

    fn tampered(&self, length: u64, lie: &Lie) -> Answer<Option<VmTrace<'static>>> {
        let instructions = self.program.counts().instructions;
        let mut hook = |t: u64, instruction: u32, value: &mut Tensor| {
            if interpreter::leaf_index(instructions, t, instruction) == Some(lie.leaf) {
                let mut values = value.values();
                values[usize::try_from(lie.e).unwrap()] = lie.value;
                *value = Tensor::saturating(value.dtype(), &values);
            }
        };
        let stop = Stop::Exactly(length);
        let run = interpreter::run_tampered(self.program, self.inputs, stop, u64::MAX, &mut hook);
        Ok(Some(self.trace(run.map_err(unavailable)?)))
    }

    fn arena(&self, claim: &Claim) -> Answer<Self::Arena> {
        let (pure, contract) = self.pair(claim)?;
        Ok(Twin::new(pure, contract))
    }
}
