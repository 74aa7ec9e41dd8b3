//! A second interpreter, written from the text of SPEC §3.4 and §3.5 without the crate's evaluator, against the first.
//!
//! It walks coordinates by counting instead of dividing, keeps whole slot arrays, and takes positions in i128.

use opml_vm::{
    Axis, DType, Dynamic, Extent, Instruction, Load, Op, Program, Source, Tensor, Term,
    interpreter::{Stop, run},
    testing::{Case, conformance_cases, model},
};
use proptest::prelude::*;

use crate::setup::{Setup, config};

struct Machine<'a> {
    program: &'a Program,
    inputs: &'a [Tensor],
    /// Rows by iteration.
    rows: Vec<Vec<Vec<i64>>>,
}

fn dynamic(d: &Dynamic, tau: i128) -> i128 {
    (i128::from(d.a) + i128::from(d.b) * tau).max(0).min(i128::from(d.cap))
}

fn extent(i: &Instruction, e: Extent, tau: i128) -> i128 {
    match e {
        Extent::Fixed(n) => n.into(),
        Extent::Dynamic(d) => dynamic(&i.dynamics[usize::try_from(d).unwrap()], tau),
    }
}

fn extents(i: &Instruction, list: &[Extent], tau: i128) -> Vec<i128> {
    list.iter().map(|&e| extent(i, e, tau)).collect()
}

/// All points of a domain, last axis fastest.
fn points(extents: &[i128]) -> Vec<Vec<i64>> {
    if extents.contains(&0) {
        return Vec::new();
    }
    extents.iter().fold(vec![Vec::new()], |points, &extent| {
        let extend = |point: Vec<i64>| {
            (0..i64::try_from(extent).unwrap()).map(move |x| point.iter().copied().chain([x]).collect::<Vec<i64>>())
        };
        points.into_iter().flat_map(extend).collect()
    })
}

fn affine(slots: &[i64], base: i64, terms: &[Term]) -> i128 {
    i128::from(base) + terms.iter().map(|t| i128::from(t.coef) * i128::from(slots[usize::from(t.slot)])).sum::<i128>()
}

impl Machine<'_> {
    fn load(&self, i: &Instruction, load: &Load, slots: &[i64], number: usize) -> Option<i64> {
        let t = i128::try_from(self.rows.len() - 1).unwrap();
        let mut tau = t;
        let index = |n: u32| usize::try_from(n).unwrap();
        let values = match &load.source {
            Source::Constant(n) => self.program.constants()[index(*n)].values(),
            Source::Input(n) => self.inputs[index(*n)].values(),
            Source::Value(n) => {
                if index(*n) >= number {
                    return None;
                }
                self.rows.last().unwrap()[index(*n)].clone()
            }
            Source::History { instruction, base, terms } => {
                tau = affine(slots, *base, terms);
                if tau < 0 || tau > t || (tau == t && index(*instruction) >= number) {
                    return None;
                }
                self.rows[usize::try_from(tau).unwrap()][index(*instruction)].clone()
            }
        };
        let mut position: Option<i128> = Some(0);
        for Axis { extent: e, base, terms } in &load.axes {
            let (x, size) = (affine(slots, *base, terms), extent(i, *e, tau));
            if x < 0 || x >= size {
                return None;
            }
            // Past i128 is past the end too: later extents are at least 1.
            position = position.and_then(|p| p.checked_mul(size)?.checked_add(x));
        }
        values.get(usize::try_from(position?).ok()?).copied()
    }

    fn execute(&self, i: &Instruction, ops: &[Op], slots: &[i64], number: usize) -> i64 {
        let mut slots = slots.to_vec();
        for op in ops {
            let result = match op {
                Op::Scalar { opcode, operands } => {
                    let [a, b, c] = operands.map(|slot| slots[usize::from(slot)]);
                    model::scalar(*opcode, a, b, c)
                }
                Op::Load(load) => self.load(i, load, &slots, number).unwrap_or(load.pad),
            };
            slots.push(result);
        }
        *slots.last().unwrap()
    }

    fn value(&self, number: usize, i: &Instruction) -> Vec<i64> {
        let t = i64::try_from(self.rows.len() - 1).unwrap();
        let terms = points(&extents(i, &i.reduction, t.into()));
        let element = |o: Vec<i64>| {
            let slots = |k: &[i64], acc: i64| {
                let mut slots = vec![0; 18];
                slots[0] = t;
                slots[1..=o.len()].copy_from_slice(&o);
                slots[9..9 + k.len()].copy_from_slice(k);
                slots[17] = acc;
                slots.extend(&i.constants);
                slots
            };
            let list: Vec<i64> = terms.iter().map(|k| self.execute(i, &i.map, &slots(k, 0), number)).collect();
            let acc = model::reduce(i.reducer, &list);
            let result = if i.post.is_empty() { acc } else { self.execute(i, &i.post, &slots(&[], acc), number) };
            result.clamp(i.dtype.min(), i.dtype.max())
        };
        points(&extents(i, &i.output, t.into())).into_iter().map(element).collect()
    }
}

/// All values of a run, by iteration and instruction.
fn independent(program: &Program, inputs: &[Tensor], length: u64) -> Vec<(DType, Vec<i64>)> {
    let mut machine = Machine { program, inputs, rows: Vec::new() };
    for _ in 0..length {
        machine.rows.push(Vec::new());
        for (number, i) in program.instructions().iter().enumerate() {
            let value = machine.value(number, i);
            machine.rows.last_mut().unwrap().push(value);
        }
    }
    let types = program.instructions().iter().map(|i| i.dtype).cycle();
    types.zip(machine.rows.into_iter().flatten()).collect()
}

fn agree(program: &Program, inputs: &[Tensor], length: u64) -> bool {
    let run = run(program, inputs, Stop::Exactly(length), 1 << 20).expect("a small run");
    let values: Vec<(DType, Vec<i64>)> = run.values.iter().map(|value| (value.dtype(), value.values())).collect();
    values == independent(program, inputs, length)
}

#[test]
fn two_interpreters_agree_on_the_conformance_cases() {
    for Case { name, program, inputs, max_t, .. } in conformance_cases() {
        assert!(agree(&program, &inputs, max_t), "{name}");
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn two_interpreters_agree_on_random_programs(seed: u64) {
        let setup = Setup::random(seed);
        prop_assert!(agree(&setup.program, &setup.inputs, setup.trace.length()), "seed {seed}");
    }
}
