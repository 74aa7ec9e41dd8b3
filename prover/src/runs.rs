//! Players' own runs: with all values where they are few, with checkpoints where a run has many iterations and much in them.

use opml_ops::{
    checkpoint::{CheckpointTrace, Tamper},
    commit::Hasher,
    engine::Engine,
};
use opml_vm::{Hash, ModelError, Tensor, Trace, bounds::Bounds, interpreter::Stop, witness::Known};

use crate::{
    error::ProverError,
    knowledge::Knowledge,
    lie::{Fault, Lie, Told},
    random::Random,
};

/// Bytes of values that a trace may keep in memory, unless said otherwise.
pub const MEMORY: u64 = 1 << 26;

/// A run with its commitment.
#[derive(Debug)]
pub enum Own {
    /// With all values.
    Whole(Box<Trace>),
    /// Values are computed again where they are asked for.
    Checkpoints(Box<CheckpointTrace>),
}

/// A program on its inputs, and what a run of it may take.
#[derive(Debug, Clone, Copy)]
pub struct Runner<'r> {
    /// The program.
    pub engine: &'r Engine,
    /// The inputs.
    pub inputs: &'r [Tensor],
    /// Most iterations.
    pub max_t: u64,
    /// Most elements.
    pub budget: u64,
    /// Most bytes of values in memory: a run that may have more, of more than one iteration, is kept as checkpoints.
    pub memory: u64,
}

impl Own {
    /// What a player knows by it.
    #[must_use]
    pub fn knowledge(&self) -> Knowledge<'_> {
        match self {
            Self::Whole(trace) => trace.as_ref().into(),
            Self::Checkpoints(trace) => trace.as_ref().into(),
        }
    }

    /// Iterations.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.knowledge().length()
    }

    /// The trace root.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.knowledge().tree().root()
    }

    /// The bytes of its output.
    ///
    /// # Errors
    /// There is none.
    pub fn output(&self, instruction: u32) -> Result<Vec<u8>, ProverError> {
        let (own, last) = (self.knowledge(), self.length().saturating_sub(1));
        let leaf = own.leaf(last, instruction).and_then(|leaf| usize::try_from(leaf).ok());
        let bytes = |known: Known<'_>| Some(known.values.get(leaf?)?.bytes().to_vec());
        own.at(last, bytes)?.ok_or_else(|| ProverError::Stuck("the run has no output".to_owned()))
    }
}

impl Runner<'_> {
    /// Whether all values of a run may be more than is kept.
    fn is_large(&self) -> bool {
        let bytes = || Bounds::new(self.engine.program(), self.max_t).trace_bytes;
        self.max_t > 1 && bytes() > u128::from(self.memory)
    }

    /// The right run.
    ///
    /// # Errors
    /// It is larger than the budget.
    pub fn honest(&self) -> Result<Own, ProverError> {
        self.run(Stop::Halt { max: self.max_t })
    }

    /// The right run, of so many iterations.
    ///
    /// # Errors
    /// As [`Runner::honest`].
    pub fn of_length(&self, length: u64) -> Result<Own, ProverError> {
        let own = self.honest()?;
        if own.length() == length { Ok(own) } else { self.run(Stop::Exactly(length)) }
    }

    fn run(&self, stop: Stop) -> Result<Own, ProverError> {
        if self.is_large() {
            return self.checkpoints(stop, None).map_err(ProverError::Budget);
        }
        let trace = Hasher::current().run(self.engine, self.inputs, stop, self.budget);
        Ok(Own::Whole(Box::new(trace.map_err(ProverError::Budget)?)))
    }

    fn checkpoints(&self, stop: Stop, tamper: Option<Tamper>) -> Result<Own, ModelError> {
        let trace = CheckpointTrace::new(self.engine, self.inputs, (stop, self.budget), tamper)?;
        Ok(Own::Checkpoints(Box::new(trace)))
    }

    /// A run with a lie in it, and the lie.
    ///
    /// # Errors
    /// The run is larger than the budget, or has no such place.
    pub fn lying(&self, honest: &Own, (fault, seed): (Fault, u64)) -> Result<(Own, Told), ProverError> {
        let (program, random) = (self.engine.program(), &mut Random::new(seed));
        match honest {
            Own::Whole(trace) => {
                let Lie { told, run } = Lie::plant(program, self.inputs, trace.run(), fault, random)?;
                Ok((Own::Whole(Box::new(Hasher::current().trace(program, run))), told))
            }
            Own::Checkpoints(trace) => {
                let told = Told::plan(program, self.inputs, honest.knowledge(), fault, random)?;
                let stop = told.stop(program, (trace.length(), self.max_t));
                Ok((self.checkpoints(stop, Some(told.tamper())).map_err(ProverError::Budget)?, told))
            }
        }
    }
}
