//! Agents over runs of many iterations, kept as checkpoints, and over sums too long for one step: the same ends on the same contracts.
#![allow(clippy::unwrap_used, reason = "tests")]

use opml_vm::{
    DType, Opcode, Program, Reducer, Source, Tensor, Term,
    testing::{Build, fixed},
};

use super::{
    Role, Standing,
    crashes::{CHALLENGER, Plot, World, ether},
    local::wallet,
};
use crate::{
    lie::Fault,
    policy::STEP_GAS,
    runs::{MEMORY, Own, Runner},
};

const PLAYERS: [Role; 2] = [Role::Submitter, Role::Challenger];

/// Four numbers, each iteration three times what they were and the input more; it halts at iteration 7 of at most 10.
fn growing() -> (Program, Vec<Tensor>, u64) {
    let row = |source| (source, [fixed(4, 0, &[(1, 1)])]);
    let (before, axes) = row(Source::History { instruction: 0, base: -1, terms: vec![Term { slot: 0, coef: 1 }] });
    let numbers = Build::each(DType::I64, &[4])
        .constants(&[3])
        .load(before, 7, &axes)
        .op(Opcode::Mul, [19, 18, 0])
        .load(Source::Input(0), 0, &axes)
        .op(Opcode::Add, [20, 21, 0])
        .done();
    let halt = Build::each(DType::I8, &[1]).constants(&[7]).op(Opcode::Eq, [0, 18, 0]).done();
    let input = Tensor::from_values(DType::I32, &[1, -2, 30, 400]).unwrap();
    let header = opml_vm::InputHeader { dtype: DType::I32, elements: 4 };
    (Program::new(vec![numbers, halt], Vec::new(), vec![header], 0, Some(1)).unwrap(), vec![input], 10)
}

/// A sum of bytes, each in a leaf of its own: a step opens as many leaves as it has terms.
fn scattered(terms: u32) -> (Program, Vec<Tensor>, u64) {
    let wide = terms * 256;
    let sum = Build::new(DType::I32, Reducer::Sum, &[1], &[terms])
        .load(Source::Constant(0), 0, &[fixed(wide, 0, &[(9, 256)])])
        .done();
    let bytes: Vec<i64> = (0..i64::from(wide)).map(|n| n % 251).collect();
    let constants = vec![Tensor::from_values(DType::U8, &bytes).unwrap()];
    (Program::new(vec![sum], constants, Vec::new(), 0, None).unwrap(), Vec::new(), 1)
}

fn plot((program, inputs, max_t): (Program, Vec<Tensor>, u64), fault: &str, memory: u64, step_gas: u64) -> World {
    let fault: Fault = fault.parse().unwrap();
    World::of(Plot { program, inputs, max_t, fault: Some((fault, 3)), memory, step_gas })
}

#[test]
fn checkpoints_lead_to_the_same_end() {
    for fault in ["consistent", "from:0:0:2", "from:6:0:1", "from:3:0:0"] {
        let [whole, again] = [MEMORY, 0].map(|memory| {
            let world = plot(growing(), fault, memory, STEP_GAS);
            world.play(&PLAYERS, Role::Challenger, None)
        });
        assert_eq!((whole.balances, whole.sent), (again.balances, again.sent), "{fault}");
        assert_eq!(again.balances, [ether(90), ether(105), ether(5)], "{fault}");
        assert_eq!(again.sent.map(|(_, failed)| failed), [0, 0], "{fault}");
    }
}

#[test]
fn a_claim_that_ends_too_early_falls() {
    // The halt of iteration 3 is a lie, and the claim has four iterations where the honest run has eight.
    let world = plot(growing(), "from:3:1:0", 0, STEP_GAS);
    let lengths: Vec<u64> = world.book().claims.values().map(|claimed| claimed.claim.T).collect();
    assert_eq!(lengths, [4]);
    let ended = world.play(&PLAYERS, Role::Challenger, None);
    assert!(world.book().claims.values().all(|claimed| claimed.standing == Standing::False));
    assert_eq!(ended.balances, [ether(90), ether(105), ether(5)]);
}

#[test]
fn runs_are_kept_as_their_size_asks_for() {
    let (program, inputs, max_t) = growing();
    let engine = opml_ops::engine::Engine::compile(&program);
    // Ten iterations of four numbers of 8 bytes and one of 1.
    for (memory, max_t, is_whole) in [(330, max_t, true), (329, max_t, false), (0, 1, true)] {
        let runner = Runner { engine: &engine, inputs: &inputs, max_t, budget: 1 << 20, memory };
        let own = runner.honest().unwrap();
        assert_eq!(matches!(own, Own::Whole(_)), is_whole, "{memory} bytes");
        let all = Runner { memory: MEMORY, ..runner }.honest().unwrap();
        assert_eq!(
            (own.root(), own.length(), own.output(0).unwrap()),
            (all.root(), all.length(), all.output(0).unwrap())
        );
        assert_eq!(own.length(), max_t.min(8));
        assert_eq!(
            runner.of_length(1).unwrap().root(),
            Runner { memory: MEMORY, ..runner }.of_length(1).unwrap().root()
        );
    }
}

#[test]
fn an_agent_cuts_a_sum_that_costs_too_much_at_once() {
    let [cut, whole] = [STEP_GAS, u64::MAX].map(|step_gas| {
        let world = plot(scattered(60), "from:0:0", MEMORY, step_gas);
        let ended = world.play(&PLAYERS, Role::Challenger, None);
        assert_eq!(ended.balances, [ether(90), ether(105), ether(5)]);
        let challenger = wallet(CHALLENGER).account();
        (world.chain.dearest(challenger), ended.sent[1].0)
    });
    assert!(cut.0 <= STEP_GAS && whole.0 > STEP_GAS, "{cut:?} {whole:?}");
    assert!(cut.1 > whole.1, "a finer cut takes more moves: {cut:?} {whole:?}");
}
