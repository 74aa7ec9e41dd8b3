//! Toy instructions and programs.

use super::hash::ToyHash;
use crate::hash::{Hash, Hashing};
use crate::rules::Shape;
use crate::tree;

/// An instruction: what it reads follows from `seed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Chooses operands and coefficients.
    pub seed: u64,
    /// Element type, 0 … 4: u8, i8, i16, i32, i64.
    pub dtype: u8,
    /// Reduction, 0 … 3: sum, max, min, argmax.
    pub reducer: u8,
    /// Elements at iteration 0.
    pub elements: u32,
    /// Further elements at each later iteration.
    pub growth: u32,
    /// Terms of the reduction.
    pub terms: u32,
    /// If not 0, every element is 1 from iteration `until − 1` on and 0 before.
    pub until: u32,
}

impl Instruction {
    /// Its 26 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.seed.to_be_bytes().to_vec();
        bytes.extend([self.dtype, self.reducer]);
        for word in [self.elements, self.growth, self.terms, self.until] {
            bytes.extend(word.to_be_bytes());
        }
        bytes
    }

    /// The instruction with this encoding; none if there is none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (seed, rest) = bytes.split_first_chunk::<8>()?;
        let ([dtype, reducer], mut rest) = rest.split_first_chunk::<2>()?;
        let mut words = [0; 4];
        for word in &mut words {
            let (head, tail) = rest.split_first_chunk::<4>()?;
            *word = u32::from_be_bytes(*head);
            rest = tail;
        }
        let [elements, growth, terms, until] = words;
        let well_formed = rest.is_empty() && *dtype <= 4 && *reducer <= 3;
        let seed = u64::from_be_bytes(*seed);
        well_formed.then_some(Self { seed, dtype: *dtype, reducer: *reducer, elements, growth, terms, until })
    }

    /// Its shape at iteration `t`.
    #[must_use]
    pub fn shape(&self, t: u64) -> Shape {
        let elements = u64::from(self.elements).saturating_add(t.saturating_mul(u64::from(self.growth)));
        Shape { dtype: self.dtype, elements, terms: u64::from(self.terms), reducer: self.reducer }
    }
}

/// Shape of bytes that are no instruction.
pub(super) const MALFORMED: Shape = Shape { dtype: 4, elements: 0, terms: 0, reducer: 0 };

/// A program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its instructions' encodings, at least one.
    pub instructions: Vec<Vec<u8>>,
    /// Number of the output instruction.
    pub output_at: u32,
    /// Number of the halt instruction.
    pub halt_at: Option<u32>,
}

impl Program {
    /// A program of well-formed instructions.
    #[must_use]
    pub fn new(instructions: &[Instruction], output_at: u32, halt_at: Option<u32>) -> Self {
        let instructions = instructions.iter().map(Instruction::encode).collect();
        Self { instructions, output_at, halt_at }
    }

    /// Number of instructions.
    #[must_use]
    pub fn count(&self) -> u64 {
        u64::try_from(self.instructions.len()).unwrap_or(u64::MAX)
    }

    /// Hashes of the instructions.
    pub(super) fn hashes(&self) -> Vec<Hash> {
        self.instructions.iter().map(|bytes| instruction_hash(bytes)).collect()
    }

    /// Root of the program tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        tree::root(&ToyHash, &self.hashes())
    }

    /// Instruction of a trace leaf, decoded; none if malformed.
    pub(super) fn at(&self, leaf: u64) -> (&[u8], Option<Instruction>) {
        let i = usize::try_from(leaf % self.count().max(1)).unwrap_or(usize::MAX);
        let bytes = self.instructions.get(i).map_or(&[][..], Vec::as_slice);
        (bytes, Instruction::decode(bytes))
    }
}

/// Hash of an instruction: its encoding prefixed with 0x01.
pub(super) fn instruction_hash(bytes: &[u8]) -> Hash {
    let mut preimage = vec![1];
    preimage.extend_from_slice(bytes);
    ToyHash.hash(&preimage)
}
