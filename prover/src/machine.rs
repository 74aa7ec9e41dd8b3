//! The machine behind the game: the rules by [`opml_vm::step`], and a player's knowledge by its own trace.

use opml_bisection::{
    Answer, Hash, Hashing, Header, Job as GameJob, Nodes, Question, Rules, Shape, Step, StepRefused,
    Trace as GameTrace, Unavailable,
};
use opml_ops::commit::Hasher;
use opml_vm::{
    DType, Program, Reducer, StepError, Tensor,
    eval::{self, At, Evaluator},
    interpreter::RunMemory,
    merkle,
    program::ModelRoots,
    step::{self, Job},
    witness::{self, TaskOpenings},
};

use crate::knowledge::Knowledge;

/// What a step is judged against, besides the submitter's trace root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VmRules {
    roots: ModelRoots,
    input_root: Hash,
    counts: opml_vm::Counts,
}

impl VmRules {
    /// The rules of one model on one input.
    #[must_use]
    pub fn new(program: &Program, inputs: &[Tensor]) -> Self {
        let hasher = Hasher::current();
        Self { roots: hasher.model_roots(program), input_root: hasher.input_root(inputs), counts: program.counts() }
    }

    /// As [`VmRules::new`] of a model whose roots are known: hashing a large model takes its time.
    #[must_use]
    pub fn of(roots: ModelRoots, program: &Program, inputs: &[Tensor]) -> Self {
        Self { roots, input_root: Hasher::current().input_root(inputs), counts: program.counts() }
    }

    fn job(&self, job: &GameJob) -> Job {
        Job {
            program_root: self.roots.program,
            constants_root: self.roots.constants,
            input_root: self.input_root,
            trace_root: job.root,
            counts: self.counts,
            length: job.length,
            t: job.t,
            instruction: job.i,
        }
    }
}

fn refused(error: StepError) -> StepRefused {
    StepRefused(error.to_string())
}

/// The hash of all commitments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keccak;

impl Hashing for Keccak {
    fn hash(&self, bytes: &[u8]) -> Hash {
        merkle::keccak(&[bytes])
    }
}

impl Hashing for VmRules {
    fn hash(&self, bytes: &[u8]) -> Hash {
        Keccak.hash(bytes)
    }
}

impl Rules for VmRules {
    fn element_size(&self, dtype: u8) -> Option<u64> {
        DType::from_code(dtype).filter(|dtype| dtype.is_writable()).map(|dtype| dtype.bits() / 8)
    }

    fn decode(&self, dtype: u8, bytes: &[u8]) -> Option<i64> {
        opml_vm::tensor::element_at(DType::from_code(dtype)?, bytes, 0)
    }

    fn combine(&self, reducer: u8, partials: &[i128]) -> Option<i128> {
        eval::combine_all(Reducer::from_code(reducer)?, partials)
    }

    fn shape(&self, job: &GameJob, step: &Step) -> Result<Shape, StepRefused> {
        let shape = self.job(job).shape(&step.instruction, &step.witness).map_err(refused)?;
        Ok(game_shape(shape))
    }

    fn element(&self, job: &GameJob, e: u64, step: &Step) -> Result<i64, StepRefused> {
        self.job(job).element(e, &step.instruction, &step.witness).map_err(refused)
    }

    fn slice(&self, job: &GameJob, e: u64, k0: u64, k1: u64, step: &Step) -> Result<i128, StepRefused> {
        self.job(job).slice(e, k0, k1, &step.instruction, &step.witness).map_err(refused)
    }

    fn post(&self, job: &GameJob, e: u64, acc: i128, step: &Step) -> Result<i64, StepRefused> {
        self.job(job).post(e, acc, &step.instruction, &step.witness).map_err(refused)
    }
}

fn game_shape(shape: step::Shape) -> Shape {
    Shape { dtype: shape.dtype.code(), elements: shape.elements, terms: shape.terms, reducer: shape.reducer.code() }
}

/// A player's own trace of a run, with all that its moves open.
pub struct VmTrace<'a> {
    program: &'a Program,
    inputs: &'a [Tensor],
    knowledge: Knowledge<'a>,
    openings: TaskOpenings<'a>,
}

impl<'a> VmTrace<'a> {
    /// Prepares the openings of a run.
    #[must_use]
    pub fn new(program: &'a Program, inputs: &'a [Tensor], knowledge: impl Into<Knowledge<'a>>) -> Self {
        let openings = Hasher::current().task_openings(program, inputs);
        Self { program, inputs, knowledge: knowledge.into(), openings }
    }

    /// What it knows of the run.
    #[must_use]
    pub const fn knowledge(&self) -> Knowledge<'a> {
        self.knowledge
    }

    /// Looks at the value at a leaf.
    fn value<R>(&self, leaf: u64, look: impl FnOnce(&Tensor) -> R) -> Answer<R> {
        let (t, _) = self.step_of(leaf)?;
        let found = self
            .knowledge
            .at(t, |known| usize::try_from(leaf).ok().and_then(|leaf| known.values.get(leaf)).map(look))?;
        found.ok_or_else(|| outside(leaf))
    }

    /// Iteration and instruction of a leaf.
    fn step_of(&self, leaf: u64) -> Answer<(u64, u32)> {
        let instructions = u64::from(self.knowledge.instructions());
        let t = leaf.checked_div(instructions);
        let instruction = leaf.checked_rem(instructions).and_then(|number| u32::try_from(number).ok());
        t.zip(instruction).ok_or_else(|| Unavailable("the program has no instructions".to_owned()))
    }

    fn opened(&self, number: u32) -> Answer<(&[u8], Vec<Hash>)> {
        self.openings.instruction(number).ok_or_else(|| Unavailable(format!("no instruction {number}")))
    }
}

fn outside(leaf: u64) -> Unavailable {
    Unavailable(format!("value {leaf} is outside the trace"))
}

impl GameTrace for VmTrace<'_> {
    fn node(&self, height: u32, index: u64) -> Answer<Hash> {
        Ok(self.knowledge.tree().node(height, index))
    }

    fn header(&self, leaf: u64) -> Answer<Header> {
        let (dtype, elements) = self.knowledge.header(leaf).ok_or_else(|| outside(leaf))?;
        Ok(Header { dtype: dtype.code(), elements })
    }

    fn tensor_node(&self, leaf: u64, height: u32, index: u64) -> Answer<Hash> {
        self.value(leaf, |value| Hasher::current().tensor_node(value.bytes(), height, index))
    }

    fn tensor_leaf(&self, leaf: u64, index: u64) -> Answer<Vec<u8>> {
        self.value(leaf, |value| witness::padded_leaf(value.bytes(), index).to_vec())
    }

    fn element(&self, leaf: u64, e: u64) -> Answer<i64> {
        let missing = || Unavailable(format!("element {e} of value {leaf} is past its end"));
        self.value(leaf, |value| value.get(e))?.ok_or_else(missing)
    }

    fn bytes(&self, leaf: u64) -> Answer<Vec<u8>> {
        self.value(leaf, |value| value.bytes().to_vec())
    }

    fn shape(&self, leaf: u64) -> Answer<Shape> {
        let (t, number) = self.step_of(leaf)?;
        let (encoding, _) = self.opened(number)?;
        Ok(game_shape(step::shape_of(encoding, &self.program.counts(), t)))
    }

    fn partial(&self, leaf: u64, e: u64, k0: u64, k1: u64) -> Answer<i128> {
        let (t, number) = self.step_of(leaf)?;
        let instruction = usize::try_from(number).ok().and_then(|number| self.program.instructions().get(number));
        let instruction = instruction.ok_or_else(|| Unavailable(format!("no instruction {number}")))?;
        let at = At { instructions: self.program.counts().instructions, t, instruction: number };
        let partial = self.knowledge.at(t, |known| {
            let mut memory = RunMemory::new(self.program, self.inputs, known.values);
            match Evaluator::new(instruction, at).slice(e, k0, k1, &mut memory) {
                Ok(partial) => partial,
                Err(never) => match never {},
            }
        })?;
        partial.ok_or_else(|| Unavailable(format!("the slice {k0}..{k1} is empty")))
    }

    fn instruction(&self, leaf: u64) -> Answer<Step> {
        let (_, number) = self.step_of(leaf)?;
        let (encoding, siblings) = self.opened(number)?;
        Ok(Step { instruction: encoding.to_vec(), witness: siblings.concat() })
    }

    fn step(&self, leaf: u64, question: &Question, tree: &dyn Nodes) -> Answer<Step> {
        let (t, number) = self.step_of(leaf)?;
        let (encoding, _) = self.opened(number)?;
        let question = match *question {
            Question::Element { e } => witness::Question::Element { e },
            Question::Slice { e, k0, k1 } => witness::Question::Slice { e, k0, k1 },
            Question::Post { e, acc } => witness::Question::Post { e, acc },
        };
        // A node that the submitter never showed lies outside every path that an honest proof opens.
        let nodes = |height, index| tree.node(height, index).unwrap_or(merkle::ZERO);
        let at = (t, number);
        let witness = self.knowledge.at(t, |known| self.openings.witness_under(&known, at, question, &nodes))?;
        let witness = witness.ok_or_else(|| Unavailable(format!("step {leaf} opens too much for one witness")))?;
        Ok(Step { instruction: encoding.to_vec(), witness })
    }
}
