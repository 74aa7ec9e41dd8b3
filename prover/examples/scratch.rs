#![allow(warnings)]
use opml_prover::{dispute::*, lie::*, task::Task};
use opml_vm::*;
fn term(slot: u8, coef: i32) -> Term {
    Term { slot, coef }
}
fn axis(extent: u32, terms: Vec<Term>) -> Axis {
    Axis { extent: Extent::Fixed(extent), base: 0, terms }
}
fn gemv(src: Source, w: u32, b: u32, m: u32, n: u32, dtype: DType, shift: i64) -> Instruction {
    Instruction {
        dtype,
        reducer: Reducer::Sum,
        output: vec![Extent::Fixed(n)],
        reduction: vec![Extent::Fixed(m)],
        dynamics: vec![],
        constants: vec![shift, 0],
        map: vec![
            Op::Load(Load { source: src, pad: 0, axes: vec![axis(m, vec![term(9, 1)])] }),
            Op::Load(Load {
                source: Source::Constant(w),
                pad: 0,
                axes: vec![axis(n, vec![term(1, 1)]), axis(m, vec![term(9, 1)])],
            }),
            Op::Scalar { opcode: Opcode::Mul, operands: [20, 21, 0] },
        ],
        post: vec![
            Op::Load(Load { source: Source::Constant(b), pad: 0, axes: vec![axis(n, vec![term(1, 1)])] }),
            Op::Scalar { opcode: Opcode::Add, operands: [17, 20, 0] },
            Op::Load(Load { source: Source::Constant(b), pad: 0, axes: vec![axis(n, vec![term(1, 1)])] }),
            Op::Scalar { opcode: Opcode::Mulshr, operands: [21, 22, 18] },
            Op::Scalar { opcode: Opcode::Max, operands: [23, 19, 0] },
        ],
    }
}
fn main() {
    let mut r = opml_prover::random::Random::new(5);
    let mut rnd = |d: DType, n: usize, lo: i64, hi: i64| {
        Tensor::from_values(
            d,
            &(0..n).map(|_| lo + (r.below((hi - lo + 1) as u64).unwrap() as i64)).collect::<Vec<_>>(),
        )
        .unwrap()
    };
    let consts = vec![
        rnd(DType::I8, 784 * 56, -100, 100),
        rnd(DType::I32, 56, 1000, 90000),
        rnd(DType::I8, 560, -100, 100),
        rnd(DType::I32, 10, 1000, 90000),
    ];
    let x = rnd(DType::U8, 784, 0, 255);
    let p = Program::new(
        vec![
            gemv(Source::Input(0), 0, 1, 784, 56, DType::U8, 30),
            gemv(Source::Value(0), 2, 3, 56, 10, DType::I32, 10),
        ],
        consts,
        vec![InputHeader { dtype: DType::U8, elements: 784 }],
        1,
        None,
    )
    .unwrap();
    p.validate().unwrap();
    for e in p.encodings() {
        println!("enc {}", e.len());
    }
    let task = Task { program: p, inputs: vec![x], max_t: 1, budget: 1 << 30 };
    more(&task);
    for (fault, posted, arity, terms) in [
        ("at:0:7", false, 16, 64),
        ("from:0:7", false, 16, 64),
        ("at:1:3", false, 16, 64),
        ("at:0:7", true, 16, 64),
        ("at:0:7", false, 2, 64),
        ("at:0:7", false, 64, 64),
        ("at:0:7", false, 32, 64),
        ("at:0:7", false, 4, 4),
    ] {
        let s = Setup { arity, seed: 1, fault: Some(fault.parse().unwrap()), max_terms: terms, posted };
        match play(&task, &s) {
            Ok(r) => {
                println!(
                    "{fault} posted {posted} arity {arity}: {} moves {} gas {} last {} bytes {} {:.3}s S {} C {} {:?}",
                    r.winner,
                    r.moves,
                    r.gas_total,
                    r.gas_last_step,
                    r.calldata_bytes,
                    r.seconds,
                    r.submitter_change,
                    r.challenger_change,
                    r.fault
                );
                for t in &r.transactions {
                    println!("   {:10} {:16} {:6} {:6} {}", t.who, t.call, t.gas, t.calldata_bytes, t.what);
                }
            }
            Err(e) => println!("ERR {e}"),
        }
    }
}
pub fn more(task: &Task) {
    use opml_bisection::{Question, Trace as _, TraceNodes};
    let honest = task.trace().unwrap();
    let v = opml_prover::machine::VmTrace::new(&task.program, &task.inputs, &honest);
    let mut sc = opml_prover::chain::StepChain::new().unwrap();
    for terms in [Some((735, 736)), Some((735, 751)), Some((735, 784)), Some((400, 464)), Some((0, 256)), None] {
        let q = match terms {
            Some((k0, k1)) => Question::Slice { e: 7, k0, k1 },
            None => Question::Element { e: 7 },
        };
        let step = v.step(0, &q, &TraceNodes(&v)).unwrap();
        let roots = task.program.roots();
        let pr = opml_prover::proof::Proof {
            version: 1,
            program_root: roots.program.into(),
            constants_root: roots.constants.into(),
            input_root: opml_vm::program::input_root(&task.inputs).into(),
            trace_root: honest.root().into(),
            instructions: 2,
            constants: 4,
            inputs: 1,
            length: 1,
            t: 0,
            instruction: 0,
            element: 7,
            terms,
            claimed: 0,
            encoding: step.instruction.clone().into(),
            witness: step.witness.clone().into(),
        };
        let cd = 4 + 32 * 12 + step.instruction.len() + step.witness.len();
        let nz: usize = step.witness.iter().chain(&step.instruction).filter(|b| **b != 0).count();
        let (val, gas) = sc.ask(&pr).unwrap();
        println!(
            "terms {terms:?}: value {val} gas {gas} enc {} wit {} nz {nz}",
            step.instruction.len(),
            step.witness.len()
        );
    }
}
