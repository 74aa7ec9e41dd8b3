//! One question to the interpreter, to the Rust verifier and to the contract.

use opml_contracts::HostError;
use opml_prover::chain::StepChain;
use opml_vm::{
    Program, StepError, Tensor, Trace,
    eval::{At, Evaluator, finish},
    interpreter::{self, RunMemory, Stop},
    program::input_root,
    step::Job,
    testing::conformance_cases,
    witness::{Openings, Question},
};

/// The contract beside the Rust verifier.
pub(crate) struct Bench(StepChain);

impl Bench {
    pub(crate) fn new() -> Self {
        Self(StepChain::new().unwrap())
    }

    /// The contract's answer and the gas of a transaction that asks for it.
    pub(crate) fn ask(
        &mut self,
        job: &Job,
        question: Question,
        encoding: &[u8],
        witness: &[u8],
    ) -> Result<(i128, u64), HostError> {
        self.0.question(job, question, encoding, witness)
    }

    /// Type, elements and terms by the contract.
    pub(crate) fn shape(&mut self, job: &Job, encoding: &[u8], siblings: &[u8]) -> Result<(u8, u64, u64), HostError> {
        self.0.shape(job, encoding, siblings)
    }

    /// The common answer of both verifiers; the refusals of both.
    #[track_caller]
    pub(crate) fn both(
        &mut self,
        job: &Job,
        question: Question,
        encoding: &[u8],
        witness: &[u8],
    ) -> Result<i128, (StepError, HostError)> {
        let rust = match question {
            Question::Element { e } => job.element(e, encoding, witness).map(i128::from),
            Question::Slice { e, k0, k1 } => job.slice(e, k0, k1, encoding, witness),
            Question::Post { e, acc } => job.post(e, acc, encoding, witness).map(i128::from),
        };
        match (rust, self.ask(job, question, encoding, witness)) {
            (Ok(rust), Ok((contract, _))) => {
                assert_eq!(rust, contract, "{question:?}");
                Ok(rust)
            }
            (Err(rust), Err(contract)) => Err((rust, contract)),
            (rust, contract) => panic!("{question:?}: Rust says {rust:?}, the contract {contract:?}"),
        }
    }
}

/// A program that has run.
pub(crate) struct Ran {
    pub(crate) program: Program,
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) trace: Trace,
    job: Job,
}

impl Ran {
    pub(crate) fn new(program: Program, inputs: Vec<Tensor>, max_t: u64) -> Self {
        let run = interpreter::run(&program, &inputs, Stop::Halt { max: max_t }, 1 << 20).unwrap();
        Self::of(program, inputs, run)
    }

    /// Any run, right or not.
    pub(crate) fn of(program: Program, inputs: Vec<Tensor>, run: interpreter::Run) -> Self {
        let trace = Trace::new(&program, run);
        let roots = program.roots();
        let job = Job {
            program_root: roots.program,
            constants_root: roots.constants,
            input_root: input_root(&inputs),
            trace_root: trace.root(),
            counts: program.counts(),
            length: trace.length(),
            t: 0,
            instruction: 0,
        };
        Self { program, inputs, trace, job }
    }

    /// A named conformance case, and its output.
    #[track_caller]
    pub(crate) fn case(name: &str) -> (Self, Vec<i64>) {
        let case = conformance_cases().into_iter().find(|case| case.name == name).expect(name);
        (Self::new(case.program, case.inputs, case.max_t), case.expected.expect(name))
    }

    pub(crate) fn openings(&self) -> Openings<'_> {
        Openings::new(&self.program, &self.inputs, &self.trace)
    }

    pub(crate) fn job(&self, t: u64, instruction: u32) -> Job {
        Job { t, instruction, ..self.job }
    }

    pub(crate) fn encoding(&self, i: u32) -> &[u8] {
        &self.program.encodings()[usize::try_from(i).unwrap()]
    }

    /// The common answer of the interpreter and both verifiers to an honest question.
    #[track_caller]
    pub(crate) fn check(&self, bench: &mut Bench, (t, i): (u64, u32), question: Question) -> i128 {
        self.check_with(bench, &self.openings(), (t, i), question)
    }

    #[track_caller]
    fn check_with(&self, bench: &mut Bench, openings: &Openings<'_>, (t, i): (u64, u32), question: Question) -> i128 {
        let instruction = &self.program.instructions()[usize::try_from(i).unwrap()];
        let at = At { instructions: self.program.counts().instructions, t, instruction: i };
        let mut memory = RunMemory::new(&self.program, &self.inputs, &self.trace.run().values);
        let mut evaluator = Evaluator::new(instruction, at);
        let expected = match question {
            Question::Element { e } => evaluator.element(e, &mut memory).unwrap().into(),
            Question::Slice { e, k0, k1 } => evaluator.slice(e, k0, k1, &mut memory).unwrap().unwrap(),
            Question::Post { e, acc } => {
                evaluator.post(e, finish(instruction.reducer, acc), &mut memory).unwrap().into()
            }
        };
        let witness = openings.witness(t, i, question).unwrap();
        let answer = bench.both(&self.job(t, i), question, self.encoding(i), &witness);
        assert_eq!(answer.unwrap(), expected, "value ({t}, {i}), {question:?}");
        expected
    }

    /// The output, as the interpreter computed it and both verifiers recompute every element of it.
    #[track_caller]
    pub(crate) fn output(&self, bench: &mut Bench) -> Vec<i64> {
        let (t, i) = (self.trace.length() - 1, self.program.output());
        let output = self.trace.run().output(&self.program).unwrap();
        let openings = self.openings();
        for (e, value) in (0..).zip(output.values()) {
            let answer = self.check_with(bench, &openings, (t, i), Question::Element { e });
            assert_eq!(answer, i128::from(value), "element {e}");
        }
        output.values()
    }
}

/// A conformance case gives what it must, in the interpreter and both verifiers.
#[track_caller]
pub(crate) fn holds(bench: &mut Bench, name: &str) {
    let (ran, expected) = Ran::case(name);
    assert_eq!(ran.output(bench), expected, "{name}");
}
