//! A program with its run on interpreter and engine, its trace and a chain, and the comparison of one question over interpreter,
//! Rust verifier and contract.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolCall;
use opml_contracts::{Host, HostError, Receipt, abi::StepVerifier, abi::StepVerifier::Job as SolJob};
use opml_ops::engine::Engine;
use opml_vm::{
    Counts, Instruction, Program, Reducer, Tensor, Trace,
    eval::{At, Evaluator},
    interpreter::{RunMemory, Stop, run},
    program::input_root,
    step::Job,
    witness::{Openings, Question},
};

/// A chain with the step verifier.
pub(crate) struct Chain {
    host: Host,
    verifier: Address,
}

impl Chain {
    pub(crate) fn new() -> Self {
        let mut host = Host::new();
        let verifier = host.deploy(Address::repeat_byte(1), &StepVerifier::BYTECODE, &[]).unwrap();
        Self { host, verifier }
    }

    /// Asks one question; gives the answer widened to i128.
    pub(crate) fn ask(
        &mut self,
        job: &Job,
        question: Question,
        encoding: &[u8],
        witness: &[u8],
    ) -> Result<(i128, Receipt), HostError> {
        let (job, instruction, witness) = (sol_job(job), encoding.to_vec().into(), witness.to_vec().into());
        match question {
            Question::Element { e } => self
                .call(&StepVerifier::elementCall { job, e, instruction, witness })
                .map(|(value, receipt)| (i128::from(value), receipt)),
            Question::Slice { e, k0, k1 } => {
                self.call(&StepVerifier::sliceCall { job, e, k0, k1, instruction, witness })
            }
            Question::Post { e, acc } => self
                .call(&StepVerifier::postCall { job, e, acc, instruction, witness })
                .map(|(value, receipt)| (i128::from(value), receipt)),
        }
    }

    /// (dtype, elements, terms) of an instruction.
    pub(crate) fn shape(&mut self, job: &Job, encoding: &[u8], siblings: &[u8]) -> Result<(u8, u64, u64), HostError> {
        let call = StepVerifier::shapeCall {
            programRoot: B256::from(job.program_root),
            counts: sol_counts(&job.counts),
            t: job.t,
            i: job.instruction,
            instruction: encoding.to_vec().into(),
            witness: siblings.to_vec().into(),
        };
        self.call(&call).map(|(shape, _)| (shape.dtype, shape.elements, shape.terms))
    }

    fn call<C: SolCall>(&mut self, call: &C) -> Result<(C::Return, Receipt), HostError> {
        let receipt = self.host.static_call(Address::ZERO, self.verifier, call.abi_encode().into())?;
        Ok((C::abi_decode_returns(&receipt.output).unwrap(), receipt))
    }
}

fn sol_counts(counts: &Counts) -> U256 {
    (U256::from(counts.instructions) << 64) | (U256::from(counts.constants) << 32) | U256::from(counts.inputs)
}

fn sol_job(job: &Job) -> SolJob {
    SolJob {
        programRoot: job.program_root.into(),
        constsRoot: job.constants_root.into(),
        inputRoot: job.input_root.into(),
        traceRoot: job.trace_root.into(),
        counts: sol_counts(&job.counts),
        T: job.length,
        t: job.t,
        i: job.instruction,
    }
}

/// A program that has run.
pub(crate) struct Ran {
    pub(crate) program: Program,
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) trace: Trace,
    pub(crate) job: Job,
}

impl Ran {
    /// A run of exactly this length.
    pub(crate) fn new(program: Program, inputs: Vec<Tensor>, length: u64) -> Self {
        Self::stopped(program, inputs, Stop::Exactly(length))
    }

    /// A run to its halt, or to `max` iterations.
    pub(crate) fn until_halt(program: Program, inputs: Vec<Tensor>, max: u64) -> Self {
        Self::stopped(program, inputs, Stop::Halt { max })
    }

    fn stopped(program: Program, inputs: Vec<Tensor>, stop: Stop) -> Self {
        let done = run(&program, &inputs, stop, 1 << 24).unwrap();
        let fast = Engine::compile(&program).run(&inputs, stop, 1 << 24).unwrap();
        assert!(fast == done, "the engine and the reference interpreter differ");
        let length = done.length;
        let trace = Trace::new(&program, done);
        let roots = program.roots();
        let job = Job {
            program_root: roots.program,
            constants_root: roots.constants,
            input_root: input_root(&inputs),
            trace_root: trace.root(),
            counts: program.counts(),
            length,
            t: 0,
            instruction: 0,
        };
        Self { program, inputs, trace, job }
    }

    pub(crate) fn openings(&self) -> Openings<'_> {
        Openings::new(&self.program, &self.inputs, &self.trace)
    }

    pub(crate) fn instruction(&self, i: u32) -> &Instruction {
        &self.program.instructions()[usize::try_from(i).unwrap()]
    }

    pub(crate) fn encoding(&self, i: u32) -> &[u8] {
        &self.program.encodings()[usize::try_from(i).unwrap()]
    }

    pub(crate) fn job(&self, t: u64, i: u32) -> Job {
        Job { t, instruction: i, ..self.job }
    }

    /// What the reference interpreter answers.
    pub(crate) fn reference(&self, t: u64, i: u32, question: Question) -> i128 {
        let instruction = self.instruction(i);
        let at = At { instructions: self.program.counts().instructions, t, instruction: i };
        let mut memory = RunMemory::new(&self.program, &self.inputs, &self.trace.run().values);
        let mut evaluator = Evaluator::new(instruction, at);
        match question {
            Question::Element { e } => evaluator.element(e, &mut memory).unwrap().into(),
            Question::Slice { e, k0, k1 } => evaluator.slice(e, k0, k1, &mut memory).unwrap().unwrap(),
            Question::Post { e, acc } => {
                let acc = opml_vm::eval::finish(instruction.reducer, acc);
                evaluator.post(e, acc, &mut memory).unwrap().into()
            }
        }
    }

    /// Asks the reference, the Rust verifier and the contract, and compares; gives the contract's receipt.
    pub(crate) fn check(
        &self,
        chain: &mut Chain,
        openings: &Openings<'_>,
        t: u64,
        i: u32,
        question: Question,
    ) -> Receipt {
        let job = self.job(t, i);
        let expected = self.reference(t, i, question);
        let encoding = self.encoding(i);
        let witness = openings.witness(t, i, question).expect("too many openings");
        let mirror: i128 = match question {
            Question::Element { e } => job.element(e, encoding, &witness).unwrap().into(),
            Question::Slice { e, k0, k1 } => job.slice(e, k0, k1, encoding, &witness).unwrap(),
            Question::Post { e, acc } => job.post(e, acc, encoding, &witness).unwrap().into(),
        };
        assert_eq!(mirror, expected, "Rust verifier, value ({t}, {i}), {question:?}");
        let (answer, receipt) = match chain.ask(&job, question, encoding, &witness) {
            Ok(done) => done,
            Err(error) => panic!("contract, value ({t}, {i}), {question:?}: {error}"),
        };
        assert_eq!(answer, expected, "contract, value ({t}, {i}), {question:?}");
        receipt
    }

    /// Checks the whole element and, if it has terms, its slices cut at `cuts`, and `post` of their combination.
    pub(crate) fn check_all(&self, chain: &mut Chain, openings: &Openings<'_>, t: u64, i: u32, e: u64, cuts: &[u64]) {
        self.check(chain, openings, t, i, Question::Element { e });
        let instruction = self.instruction(i);
        let terms = instruction.terms(t);
        if terms == 0 {
            return;
        }
        let mut bounds: Vec<u64> = cuts.iter().map(|cut| cut % terms).chain([0, terms]).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let total = bounds.windows(2).map(|cut| {
            let question = Question::Slice { e, k0: cut[0], k1: cut[1] };
            self.check(chain, openings, t, i, question);
            self.reference(t, i, question)
        });
        let total = total.reduce(|a, b| combine(instruction.reducer, a, b)).unwrap();
        self.check(chain, openings, t, i, Question::Post { e, acc: total });
    }
}

fn combine(reducer: Reducer, a: i128, b: i128) -> i128 {
    opml_vm::eval::combine(reducer, a, b)
}
