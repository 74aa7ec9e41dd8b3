//! What the tests share: a finished run with everything that proves it.

use opml_vm::{
    Counts, Program, Tensor, Trace,
    interpreter::{Stop, run},
    program::ModelRoots,
    step::Job,
    testing::{Case, Limits, conformance_cases, random_program},
    witness::{Openings, Question},
};
use proptest::{prelude::ProptestConfig, test_runner::RngSeed};

/// Fixed seed, no files; `PROPTEST_CASES` sets the number of cases.
pub(crate) fn config() -> ProptestConfig {
    ProptestConfig { rng_seed: RngSeed::Fixed(20), failure_persistence: None, ..ProptestConfig::default() }
}

/// A program, its inputs and its honest trace.
pub(crate) struct Setup {
    pub(crate) program: Program,
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) trace: Trace,
    roots: ModelRoots,
}

impl Setup {
    pub(crate) fn new(program: Program, inputs: Vec<Tensor>, max_t: u64) -> Self {
        let run = run(&program, &inputs, Stop::Halt { max: max_t }, 1 << 20).expect("a small run");
        let trace = Trace::new(&program, run);
        let roots = program.roots();
        Self { program, inputs, trace, roots }
    }

    pub(crate) fn random(seed: u64) -> Self {
        let (program, inputs, max_t) = random_program(seed, &Limits::default());
        Self::new(program, inputs, max_t)
    }

    pub(crate) fn case(name: &str) -> (Self, Vec<i64>) {
        let Case { program, inputs, max_t, expected, .. } =
            conformance_cases().into_iter().find(|case| case.name == name).expect("a case of that name");
        (Self::new(program, inputs, max_t), expected.expect("an expected output"))
    }

    pub(crate) fn openings(&self) -> Openings<'_> {
        Openings::new(&self.program, &self.inputs, &self.trace)
    }

    /// The job of value `(t, i)` against the honest trace.
    pub(crate) fn job(&self, t: u64, instruction: u32) -> Job {
        let roots = self.roots;
        Job {
            program_root: roots.program,
            constants_root: roots.constants,
            input_root: opml_vm::program::input_root(&self.inputs),
            trace_root: self.trace.root(),
            counts: self.program.counts(),
            length: self.trace.length(),
            t,
            instruction,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.program.counts()
    }

    pub(crate) fn encoding(&self, instruction: u32) -> &[u8] {
        &self.program.encodings()[usize::try_from(instruction).unwrap()]
    }

    pub(crate) fn value(&self, t: u64, instruction: u32) -> &Tensor {
        self.trace.run().value(self.counts().instructions, t, instruction).expect("a value of the run")
    }

    pub(crate) fn output(&self) -> Vec<i64> {
        self.trace.run().output(&self.program).expect("an output").values()
    }

    /// Every place of the trace.
    pub(crate) fn places(&self) -> Vec<(u64, u32)> {
        (0..self.trace.length()).flat_map(|t| (0..self.counts().instructions).map(move |i| (t, i))).collect()
    }

    /// Proves an element of the honest trace.
    pub(crate) fn element(&self, t: u64, instruction: u32, e: u64) -> i64 {
        let witness = self.openings().witness(t, instruction, Question::Element { e }).expect("a witness");
        self.job(t, instruction).element(e, self.encoding(instruction), &witness).expect("an honest witness")
    }
}

/// Runs a conformance case in the interpreter and proves every element of its output.
pub(crate) fn holds(name: &str) {
    let (setup, expected) = Setup::case(name);
    assert_eq!(setup.output(), expected, "{name}");
    let (t, output) = (setup.trace.length() - 1, setup.program.output());
    for (e, &value) in (0..).zip(&expected) {
        assert_eq!(setup.element(t, output, e), value, "{name}, element {e}");
    }
}
