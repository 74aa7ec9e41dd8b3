//! Which values an iteration needs when only some are looked at, and which of them do not depend on others.
//!
//! A select reads one of its branches. So an instruction of few elements whose loads stand in branches is *guarded*: it is
//! evaluated with what is there, and its value holds if nothing else was chosen. The token of a position in the prompt does
//! not wait for the one before it, and nobody asks for the logits there.

use opml_vm::{
    Instruction, Op, Opcode, Program, Source, Tensor,
    eval::{At, Evaluator, Memory, Place},
    isa::{SLOT_ACC, SLOT_CONST},
};

use super::Frame;
use crate::num;

/// Most elements of a guarded instruction: they are evaluated one by one.
const FEW: u64 = 16;

/// An operand that an instruction cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operand {
    /// Of the same iteration.
    Now(u32),
    /// Of any iteration.
    Past(u32),
}

/// The operands of all instructions.
#[derive(Debug, Clone)]
pub(super) struct Needs {
    operands: Vec<Vec<Operand>>,
    /// Instructions whose values of the same iteration are read if a select chooses them.
    branches: Vec<Vec<u32>>,
    guarded: Vec<bool>,
    /// Guarded instructions that read earlier values of later instructions.
    feedback: Vec<u32>,
    /// Instructions that cannot do without such values.
    bound: Vec<u32>,
}

impl Needs {
    pub(super) fn new(program: &Program) -> Self {
        let mut needs = Self {
            operands: Vec::new(),
            branches: Vec::new(),
            guarded: Vec::new(),
            feedback: Vec::new(),
            bound: Vec::new(),
        };
        for (number, instruction) in (0..).zip(program.instructions()) {
            let most = instruction.output.iter().fold(1, |n: u64, &extent| n.saturating_mul(instruction.bound(extent)));
            let all: Vec<Operand> = instruction.loads().filter_map(|load| operand(&load.source)).collect();
            let firm = if most <= FEW && instruction.reduction.is_empty() { firm(instruction) } else { all.clone() };
            let guarded = firm.len() < all.len();
            let later = |operand: &Operand| matches!(operand, Operand::Past(n) if *n >= number);
            if firm.iter().any(later) {
                needs.bound.push(number);
            } else if all.iter().any(later) {
                needs.feedback.push(number);
            }
            let branch = |operand: &Operand| match operand {
                Operand::Now(n) if !firm.contains(operand) && *n < number => Some(*n),
                _ => None,
            };
            needs.branches.push(all.iter().filter_map(branch).collect());
            needs.operands.push(firm);
            needs.guarded.push(guarded);
        }
        needs
    }

    /// Whether an instruction is evaluated with what is there.
    pub(super) fn is_guarded(&self, number: u32) -> bool {
        self.guarded.get(num::size(number.into())).copied().unwrap_or(false)
    }

    /// The first instruction from `first` on that cannot be computed in one stretch with those before it: it is evaluated
    /// with what is there, or reads what one of them writes in other iterations.
    pub(super) fn stretch(&self, first: u32, needed: &[bool]) -> u32 {
        let mut number = first;
        for (operands, &needed) in self.operands.iter().zip(needed).skip(num::size(first.into())) {
            let apart = |operand: &Operand| matches!(operand, Operand::Past(n) if (first..number).contains(n));
            if needed && (self.is_guarded(number) || operands.iter().any(apart)) {
                break;
            }
            number += 1;
        }
        number
    }

    /// All instructions.
    pub(super) fn all(&self) -> Vec<bool> {
        vec![true; self.operands.len()]
    }

    /// What some instructions need, with them. `chosen` tells which of its branches an instruction is going to read.
    pub(super) fn of(&self, roots: &[u32], chosen: &dyn Fn(u32, &[u32]) -> Vec<u32>) -> Vec<bool> {
        let mut needed = vec![false; self.operands.len()];
        let mut open: Vec<u32> = roots.to_vec();
        while let Some(number) = open.pop() {
            let Some(place) = needed.get_mut(num::size(number.into())).filter(|place| !**place) else { continue };
            *place = true;
            let operands = self.operands.get(num::size(number.into()));
            open.extend(operands.into_iter().flatten().map(|operand| match operand {
                Operand::Now(n) | Operand::Past(n) => *n,
            }));
            if let Some(branches) = self.branches.get(num::size(number.into())).filter(|list| !list.is_empty()) {
                open.extend(chosen(number, branches));
            }
        }
        needed
    }

    /// Instructions whose values of other iterations are needed by some of these.
    pub(super) fn lasting(&self, needed: &[bool]) -> Vec<u32> {
        let used = self.operands.iter().zip(needed).filter(|(_, needed)| **needed).flat_map(|(operands, _)| operands);
        let past = used.filter_map(|operand| match operand {
            Operand::Past(n) => Some(*n),
            Operand::Now(_) => None,
        });
        past.collect()
    }

    /// Guarded instructions among these that decide how many iterations can be computed side by side; `None` if only one can.
    pub(super) fn feedback(&self, needed: &[bool]) -> Option<Vec<u32>> {
        let is_needed = |n: &&u32| needed.get(num::size(u64::from(**n))).copied().unwrap_or(false);
        let bound = self.bound.iter().any(|n| is_needed(&n));
        (!bound).then(|| self.feedback.iter().filter(is_needed).copied().collect())
    }
}

fn operand(source: &Source) -> Option<Operand> {
    match source {
        Source::Value(n) => Some(Operand::Now(*n)),
        Source::History { instruction, .. } => Some(Operand::Past(*instruction)),
        Source::Constant(_) | Source::Input(_) => None,
    }
}

/// The operands that are read whatever selects choose.
fn firm(instruction: &Instruction) -> Vec<Operand> {
    let mut operands = Vec::new();
    for ops in [&instruction.map, &instruction.post] {
        let first = usize::from(SLOT_CONST) + instruction.constants.len();
        let mut read = vec![false; ops.len()];
        if let Some(last) = read.last_mut() {
            *last = true;
        }
        for (at, op) in ops.iter().enumerate().rev() {
            if !read[at] {
                continue;
            }
            let slots: Vec<u8> = match op {
                Op::Scalar { opcode: Opcode::Select, operands: [a, _, _] } => vec![*a],
                Op::Scalar { operands, .. } => operands.to_vec(),
                Op::Load(load) => {
                    operands.extend(operand(&load.source));
                    load.registers().collect()
                }
            };
            let results = slots.into_iter().filter(|&slot| slot != SLOT_ACC);
            for place in results.filter_map(|slot| usize::from(slot).checked_sub(first)) {
                if let Some(read) = read.get_mut(place) {
                    *read = true;
                }
            }
        }
    }
    operands
}

/// The value of a guarded instruction from what is there; `None` if it depends on more.
pub(super) fn known(instruction: &Instruction, frame: Frame<'_>, present: &[bool]) -> Option<Tensor> {
    known_with(instruction, Partial { frame, present, assumed: None })
}

/// Which of the branches of a guarded instruction it reads, as far as what is there tells: one that is enough, else all. It is
/// a guess, since it may follow from the branch's value what else is read.
pub(super) fn chosen(instruction: &Instruction, frame: Frame<'_>, present: &[bool], branches: &[u32]) -> Vec<u32> {
    if known(instruction, frame, present).is_some() {
        return Vec::new();
    }
    let is_enough = |number: &&u32| {
        let Some(branch) = frame.program.instructions().get(num::size(u64::from(**number))) else { return false };
        let elements = branch.elements(frame.t);
        if elements > FEW {
            return false;
        }
        let zeros = vec![0; num::size(elements)];
        let assumed = Tensor::saturating(branch.dtype, &zeros);
        known_with(instruction, Partial { frame, present, assumed: Some((**number, &assumed)) }).is_some()
    };
    branches.iter().find(is_enough).map_or_else(|| branches.to_vec(), |&number| vec![number])
}

fn known_with(instruction: &Instruction, mut memory: Partial<'_>) -> Option<Tensor> {
    let frame = memory.frame;
    let at = At { instructions: frame.program.counts().instructions, t: frame.t, instruction: frame.number };
    let mut evaluator = Evaluator::new(instruction, at);
    let elements = (0..instruction.elements(frame.t)).map(|e| evaluator.known_element(e, &mut memory));
    Some(Tensor::saturating(instruction.dtype, &elements.collect::<Option<Vec<i64>>>()?))
}

/// The tensors that are there.
struct Partial<'a> {
    frame: Frame<'a>,
    present: &'a [bool],
    /// A value of this iteration that is thought to be there.
    assumed: Option<(u32, &'a Tensor)>,
}

/// A tensor is not there.
struct Missing;

impl Partial<'_> {
    fn tensor(&self, place: Place) -> Result<&Tensor, Missing> {
        let found = match place {
            Place::Constant(n) => self.frame.tensor(super::Place::Constant(n)),
            Place::Input(n) => self.frame.tensor(super::Place::Input(n)),
            Place::Value { t, instruction } => {
                if let Some((number, assumed)) = self.assumed
                    && (t, instruction) == (self.frame.t, number)
                {
                    return Ok(assumed);
                }
                let leaf = opml_vm::interpreter::leaf_index(self.frame.program.counts().instructions, t, instruction);
                let there = leaf.and_then(|leaf| self.present.get(num::size(leaf))).copied().unwrap_or(false);
                self.frame.value(t, instruction).filter(|_| there)
            }
        };
        found.ok_or(Missing)
    }
}

impl Memory for Partial<'_> {
    type Error = Missing;

    fn header(&mut self, place: Place, _position: u64) -> Result<(u8, u64), Missing> {
        self.tensor(place).map(|tensor| (tensor.dtype().code(), tensor.elements()))
    }

    fn element(&mut self, place: Place, position: u64) -> Result<i64, Missing> {
        self.tensor(place)?.get(position).ok_or(Missing)
    }
}
