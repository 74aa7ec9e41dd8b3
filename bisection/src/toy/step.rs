//! The toy's rules, as a contract would check them.

use super::eval::{self, At};
use super::hash::ToyHash;
use super::program::{Instruction, MALFORMED, Program, instruction_hash};
use super::witness::{Opened, Reader};
use crate::hash::{Hash, Hashing};
use crate::rules::{Job, Rules, Shape, Step, StepRefused};
use crate::tree;

impl Hashing for Program {
    fn hash(&self, bytes: &[u8]) -> Hash {
        ToyHash.hash(bytes)
    }
}

impl Program {
    /// Verifies the instruction and leaves the reader at the operands.
    fn verified<'a>(&self, job: &Job, step: &'a Step) -> Result<(Option<Instruction>, Reader<'a>), StepRefused> {
        let mut reader = Reader(&step.witness);
        let siblings = reader.hashes()?;
        let hash = instruction_hash(&step.instruction);
        let n = self.count();
        let root = tree::climb(&ToyHash, n, (0, u64::from(job.i)), hash, tree::depth(n), &siblings);
        if root != Some(self.root()) {
            return Err(StepRefused("not the program's instruction".into()));
        }
        Ok((Instruction::decode(&step.instruction), reader))
    }

    fn ask<T>(
        &self,
        job: &Job,
        e: u64,
        step: &Step,
        answer: impl Fn(&At<'_, Opened>, u64) -> Result<T, StepRefused>,
    ) -> Result<T, StepRefused> {
        let (instruction, mut reader) = self.verified(job, step)?;
        let instruction = instruction.ok_or_else(|| StepRefused("malformed".into()))?;
        let shape = instruction.shape(job.t);
        if e >= shape.elements {
            return Err(StepRefused("no such element".into()));
        }
        let memory = Opened::read(&mut reader, job.length.saturating_mul(self.count()), &job.root)?;
        let leaf = job.t.saturating_mul(self.count()).saturating_add(u64::from(job.i));
        answer(&At { instruction: &instruction, leaf, t: job.t, memory: &memory }, shape.terms)
    }
}

impl Rules for Program {
    fn element_size(&self, dtype: u8) -> Option<u64> {
        eval::size(dtype)
    }

    fn decode(&self, dtype: u8, bytes: &[u8]) -> Option<i64> {
        eval::decode(dtype, bytes)
    }

    fn combine(&self, reducer: u8, partials: &[i128]) -> Option<i128> {
        eval::combine(reducer, partials)
    }

    fn shape(&self, job: &Job, step: &Step) -> Result<Shape, StepRefused> {
        let (instruction, reader) = self.verified(job, step)?;
        if !reader.0.is_empty() {
            return Err(StepRefused("bytes left over".into()));
        }
        Ok(instruction.map_or(MALFORMED, |i| i.shape(job.t)))
    }

    fn element(&self, job: &Job, e: u64, step: &Step) -> Result<i64, StepRefused> {
        self.ask(job, e, step, |at, _| at.element(e))
    }

    fn slice(&self, job: &Job, e: u64, k0: u64, k1: u64, step: &Step) -> Result<i128, StepRefused> {
        self.ask(job, e, step, |at, terms| {
            if k0 < k1 && k1 <= terms { at.partial(e, k0, k1) } else { Err(StepRefused("no such slice".into())) }
        })
    }

    fn post(&self, job: &Job, e: u64, acc: i128, step: &Step) -> Result<i64, StepRefused> {
        self.ask(job, e, step, |at, _| at.post(e, Some(acc)))
    }
}
