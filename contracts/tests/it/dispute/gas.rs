//! What each call costs, to the unit, against the EVM's own count. Where a call asks the step verifier, the verifier's part is taken off: it
//! has snapshots of its own.

use alloy_primitives::U256;
use alloy_sol_types::SolCall;
use opml_contracts::{
    Receipt,
    abi::{
        Dispute::{self, Claim},
        StepVerifier::{Job, elementCall, postCall, shapeCall, sliceCall},
    },
    costs,
    dispute::{Kind, Position},
};

use super::{
    money::{Puppet, act, puppet},
    programs::{SMALL, SUMS, WIDE, changed, looping, mlp},
    world::{ARITIES, BOND_C, BOND_S, CHALLENGER, Game, RIVAL, STRANGER, World, last_state, tier},
};

/// Gas of whole transactions.
const WHOLE: [(&str, u64); 21] = [
    ("registerModel", 72_980),
    ("openTask, 784 bytes", 78_531),
    ("requestTask", 51_664),
    ("claim, 40 bytes", 54_040),
    ("finalize", 54_596),
    ("challenge, first", 53_833),
    ("challenge, second", 53_860),
    ("openTrace, 3 leaves", 64_647),
    ("openTrace, 18 leaves and a halt", 76_823),
    ("select, first", 45_793),
    ("select", 41_444),
    ("reveal, 2 nodes", 39_726),
    ("revealHeader, 12 nodes", 50_050),
    ("revealHeader, a leaf", 42_945),
    ("revealLeaf", 42_518),
    ("revealPartials, 16", 42_306),
    ("selectPartial, 16", 41_791),
    ("proveHalt", 54_546),
    ("claimTimeout", 37_226),
    ("settle", 84_144),
    ("withdraw", 29_995),
];

/// Execution gas of the moves that ask the step verifier, without the verifier's own.
const OWN: [(&str, u64); 5] = [
    ("selectElement", 24_093),
    ("proveHeader", 28_244),
    ("proveElement", 29_531),
    ("proveSlice", 27_301),
    ("provePost", 27_259),
];

/// Costs as they are found, by name.
#[derive(Default)]
pub(crate) struct Notes(Vec<(&'static str, u64)>);

impl Notes {
    pub(crate) fn note(&mut self, name: &'static str, receipt: &Receipt) {
        self.0.push((name, receipt.gas_used));
    }

    #[track_caller]
    pub(crate) fn are(&self, expected: &[(&str, u64)]) {
        let found: Vec<String> = self.0.iter().map(|(name, gas)| format!("    (\"{name}\", {gas}),")).collect();
        assert_eq!(self.0, expected, "\n{}", found.join("\n"));
    }
}

fn lying_mlp() -> Game {
    let sample = mlp();
    let run = sample.run(1, &mut |_, i, value| {
        if i == 0 {
            *value = changed(value, 5, -1);
        }
    });
    Game::claimed(&sample, 0, run)
}

#[test]
fn every_call_costs_what_it_did() {
    let mut notes = Notes::default();
    let sample = mlp();
    let mut world = World::new();
    let roots = sample.program.roots();
    let register = Dispute::registerModelCall {
        programRoot: roots.program.into(),
        constsRoot: roots.constants.into(),
        N: 3,
        nConsts: 2,
        out: 1,
        halt: u32::MAX,
        inputHeaders: super::world::input_headers(&sample),
    };
    notes.note("registerModel", &world.send(STRANGER, 0, &register).unwrap());
    let open = Dispute::openTaskCall {
        modelRoot: roots.model.into(),
        maxT: 1,
        tier: 0,
        inputHeaders: super::world::input_headers(&sample),
        inputs: vec![sample.inputs[0].bytes().to_vec().into()],
    };
    notes.note("openTask, 784 bytes", &world.send(STRANGER, 0, &open).unwrap());
    let request = Dispute::requestTaskCall {
        modelRoot: roots.model.into(),
        inputRoot: opml_vm::program::input_root(&sample.inputs).into(),
        maxT: 1,
        tier: 0,
    };
    notes.note("requestTask", &world.send(STRANGER, 0, &request).unwrap());

    let mut game = lying_mlp();
    let claim = Dispute::claimCall { taskId: game.claim.taskId, T: 1, nonce: 1, output: game.output.clone() };
    notes.note("claim, 40 bytes", &game.world.send(RIVAL, BOND_S, &claim).unwrap());
    let other = Claim { submitter: RIVAL, nonce: 1, ..game.claim.clone() };
    game.world.pass(3_600);
    notes.note("finalize", &game.world.send(STRANGER, 0, &Dispute::finalizeCall { c: other }).unwrap());

    let mut game = lying_mlp();
    notes.note("challenge, first", &game.challenge(CHALLENGER, 0).unwrap());
    let first = game.state.clone();
    notes.note("challenge, second", &game.challenge(RIVAL, 0).unwrap());
    (game.state, game.challenger) = (first, CHALLENGER);
    notes.note("openTrace, 3 leaves", &game.open_trace().unwrap());

    let sample = looping();
    let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
    game.challenge(CHALLENGER, 0).unwrap();
    notes.note("openTrace, 18 leaves and a halt", &game.open_trace().unwrap());
    let leaf = game.leaf_number(1, WIDE);
    notes.note("select, first", &game.select(leaf / 2).unwrap());
    game.reveal().unwrap();
    notes.note("select", &game.select(leaf % 2).unwrap());
    let mut game = Game::honest(&sample, 0);
    game.select(leaf / 2).unwrap();
    notes.note("reveal, 2 nodes", &game.reveal().unwrap());
    game.select(leaf % 2).unwrap();
    notes.note("revealHeader, 12 nodes", &game.reveal().unwrap());
    let mut small = Game::honest(&sample, 0);
    let other = small.leaf_number(1, SMALL);
    small.select(other / 2).unwrap();
    small.reveal().unwrap();
    small.select(other % 2).unwrap();
    notes.note("revealHeader, a leaf", &small.reveal().unwrap());
    game.select(0).unwrap();
    game.reveal().unwrap();
    game.select(0).unwrap();
    notes.note("revealLeaf", &game.reveal().unwrap());
    let mut game = super::money::lying();
    let leaf = game.leaf_number(1, SUMS);
    game.walk_to_leaf(leaf, 7);
    game.select_element(7).unwrap();
    let partials = game.partials();
    notes.note("revealPartials, 16", &game.reveal_partials(&partials).unwrap());
    notes.note("selectPartial, 16", &game.select_partial(3, &partials).unwrap());
    let mut late = sample.clone();
    late.length = 5;
    let mut game = Game::honest(&late, 0);
    let call = game.prove_halt_call(2);
    notes.note("proveHalt", &game.play(CHALLENGER, &call).unwrap());
    let mut game = super::money::lying();
    game.select(0).unwrap();
    game.world.pass(10_000);
    notes.note("claimTimeout", &game.timeout(STRANGER).unwrap());
    let state = game.state.clone();
    notes.note("settle", &game.settle(&state).unwrap());
    notes.note("withdraw", &game.world.send(CHALLENGER, 0, &Dispute::withdrawCall {}).unwrap());
    notes.are(&WHOLE);
}

impl Game {
    /// Execution gas of a question to the step verifier.
    fn verifier_gas<C: SolCall>(&mut self, call: &C) -> u64 {
        let verifier = self.world.verifier;
        self.world.host.static_call(STRANGER, verifier, call.abi_encode().into()).unwrap().exec_gas
    }

    fn job(&mut self, leaf: u64) -> Job {
        let roots = self.sample.program.roots();
        let counts = self.sample.program.counts();
        let n = u64::from(counts.instructions);
        let packed = u128::from(n) << 64 | u128::from(counts.constants) << 32 | u128::from(counts.inputs);
        Job {
            programRoot: roots.program.into(),
            constsRoot: roots.constants.into(),
            inputRoot: self.task.inputRoot,
            traceRoot: self.commit.tree.root().into(),
            counts: U256::from(packed),
            T: self.claim.T,
            t: leaf / n,
            i: (leaf % n) as u32,
        }
    }
}

#[test]
fn the_moves_that_ask_the_verifier_add_little_to_it() {
    let mut notes = Notes::default();
    let mut own = |name, receipt: &Receipt, verifier: u64| notes.0.push((name, receipt.exec_gas - verifier));
    let ready = || {
        let mut game = lying_mlp();
        game.challenge(CHALLENGER, 0).unwrap();
        game.open_trace().unwrap();
        game.walk_to_leaf(0, 5);
        game
    };
    let mut game = ready();
    let call = game.select_element_call(5);
    let job = game.job(0);
    let shape = shapeCall {
        programRoot: job.programRoot,
        counts: job.counts,
        t: 0,
        i: 0,
        instruction: call.instruction.clone(),
        witness: call.siblings.clone(),
    };
    let verifier = game.verifier_gas(&shape);
    own("selectElement", &game.play(CHALLENGER, &call).unwrap(), verifier);

    let sample = looping();
    let run = sample.run(3, &mut |_, _, _| ());
    let mut commit = super::commit::Commit::of(&run);
    commit.values[10].dtype = 1;
    let mut header = Game::claimed_as(&sample, 0, run, super::commit::Commit::new(commit.values)).opened();
    let call = header.prove_header_call(10);
    let shape = shapeCall {
        i: 4,
        t: 1,
        programRoot: header.job(10).programRoot,
        counts: header.job(10).counts,
        instruction: call.instruction.clone(),
        witness: call.siblings.clone(),
    };
    let verifier = header.verifier_gas(&shape);
    own("proveHeader", &header.play(CHALLENGER, &call).unwrap(), verifier);

    let mut element = ready();
    let call = element.prove_element_call(0, 5);
    let question =
        elementCall { job: job.clone(), e: 5, instruction: call.instruction.clone(), witness: call.witness.clone() };
    let verifier = element.verifier_gas(&question);
    own("proveElement", &element.play(CHALLENGER, &call).unwrap(), verifier);

    let right = game.partials();
    let mut partials = right.clone();
    partials[3] += 1_000;
    game.reveal_partials(&partials).unwrap();
    let call = game.prove_slice_call(3, &partials);
    let question = sliceCall {
        job: job.clone(),
        e: 5,
        k0: 3 * 49,
        k1: 4 * 49,
        instruction: call.instruction.clone(),
        witness: call.witness.clone(),
    };
    let verifier = game.verifier_gas(&question);
    own("proveSlice", &game.play(CHALLENGER, &call).unwrap(), verifier);

    let mut post = ready();
    post.select_element(5).unwrap();
    post.reveal_partials(&right).unwrap();
    let acc = right.iter().sum();
    let call = post.prove_post_call(&right, acc);
    let question = postCall { job, e: 5, acc, instruction: call.instruction.clone(), witness: call.witness.clone() };
    let verifier = post.verifier_gas(&question);
    own("provePost", &post.play(CHALLENGER, &call).unwrap(), verifier);
    notes.are(&OWN);
}

#[test]
fn a_dispute_of_a_perceptron_stays_below_450_000_gas() {
    let mut game = lying_mlp();
    let mut total = 0;
    let mut note = |name: &str, most: u64, receipt: Receipt| {
        println!("{name}: {} gas, {} bytes", receipt.gas_used, receipt.calldata_bytes);
        assert!(receipt.gas_used <= most, "{name}: {} gas", receipt.gas_used);
        total += receipt.gas_used;
    };
    note("challenge", 55_000, game.challenge(CHALLENGER, 0).unwrap());
    note("openTrace", 66_000, game.open_trace().unwrap());
    note("select", 45_000, game.select(0).unwrap());
    note("revealHeader", 48_000, game.reveal().unwrap());
    note("selectElement", 67_000, game.select_element(5).unwrap());
    let mut partials = game.partials();
    partials[3] += 1_000;
    note("revealPartials", 49_000, game.reveal_partials(&partials).unwrap());
    let call = game.prove_slice_call(3, &partials);
    note("proveSlice", 130_000, game.play(CHALLENGER, &call).unwrap());
    assert!(total <= 450_000, "{total} gas");
}

#[test]
fn no_weight_is_bought_below_its_price() {
    // the cheapest way to one more of each weighted move: inside a transaction of a contract that has already paid for the claim's slot
    let gas = |what: &str, count: u16| {
        let mut sample = looping();
        sample.length = 5;
        let mut game = Game::honest(&sample, 0);
        let sender = puppet(&mut game.world);
        let mut states = vec![];
        for nonce in 0..2 {
            let call = Dispute::challengeCall { claimId: game.id, nonce };
            let receipt = act(&mut game, sender, BOND_C, 5_000_000, &call).unwrap();
            states.push(last_state(&receipt).unwrap());
        }
        let calls: Vec<(u64, Vec<u8>)> = (0..count)
            .map(|n| {
                if what == "open" {
                    return (BOND_C, Dispute::challengeCall { claimId: game.id, nonce: 2 + n }.abi_encode());
                }
                game.state = states[usize::from(n)].clone();
                let prove = what == "prove" && n == 1;
                (0, if prove { game.prove_halt_call(2).abi_encode() } else { game.select_call(0).abi_encode() })
            })
            .collect();
        let act = Puppet::actAllCall {
            to: game.world.dispute,
            values: calls.iter().map(|(value, _)| U256::from(*value)).collect(),
            data: calls.iter().map(|(_, data)| data.clone().into()).collect(),
        };
        let receipt = game.world.host.send(STRANGER, sender, U256::ZERO, &act).unwrap().1;
        assert_eq!(Position::unpack(&states[0]).unwrap().kind, Kind::TraceOpen);
        receipt.gas_used
    };
    // the sender's own loop and call
    let overhead = 2_000;
    let tier = tier(4);
    for (what, weight) in [("open", tier.weightOpen), ("select", tier.weightSelect), ("prove", tier.weightProve)] {
        let marginal = gas(what, 2) - gas(what, 1) - overhead;
        assert!(marginal >= 1_000 * u64::from(weight), "{what}: {marginal} gas for {weight}");
    }
}

#[test]
fn the_gas_that_bonds_are_sized_by() {
    // what the constructor reckons with (`Tiers`): no call of the game costs more, at any arity
    let whole = |name: &str| WHOLE.iter().find(|(other, _)| *other == name).unwrap().1;
    assert!(whole("challenge, first") <= costs::CHALLENGE && whole("challenge, second") <= costs::CHALLENGE);
    assert!(whole("openTrace, 18 leaves and a halt") <= costs::OPEN && whole("claimTimeout") <= costs::TIMEOUT);
    let mut worst = 0.0_f64;
    for (number, b) in ARITIES.into_iter().enumerate() {
        let most = costs::of_move(b);
        let mut game = Game::honest(&looping(), number as u8);
        let leaf = game.leaf_number(1, SUMS);
        let mut note = |receipt: Receipt| {
            assert!(receipt.gas_used <= most, "arity {}: {} gas of {most}", 1 << b, receipt.gas_used);
            worst = worst.max(receipt.gas_used as f64 / most as f64);
        };
        loop {
            let at = game.position();
            match at.kind {
                Kind::TraceOpen | Kind::TensorOpen => {
                    let below = at.height - at.arity_log2.min(at.height);
                    let first = at.index << (at.height - below);
                    let child = if at.kind == Kind::TraceOpen { (leaf >> below) - first } else { 0 };
                    note(game.select(child).unwrap());
                }
                // the instruction comes along, which is the model's to size
                Kind::Leaf => drop(game.select_element(7).unwrap()),
                Kind::Element | Kind::Slice => {
                    let partials = game.partials();
                    note(game.reveal_partials(&partials).unwrap());
                    let at = game.position();
                    if at.k1 - at.k0 < 2 << b {
                        break;
                    }
                    note(game.select_partial(1, &partials).unwrap());
                }
                _ => note(game.reveal().unwrap()),
            }
        }
        let mut game = Game::honest(&looping(), number as u8);
        game.walk_to_header(game.leaf_number(1, WIDE));
    }
    println!("the dearest move costs {worst:.2} of what bonds are sized by");
}
