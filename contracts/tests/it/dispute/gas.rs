//! What each move costs, to the unit.

use super::{
    programs::{changed, mlp},
    world::Game,
};

#[test]
fn an_mlp_dispute() {
    let sample = mlp();
    let run = sample.run(1, &mut |_, i, value| {
        if i == 0 {
            *value = changed(value, 5, -1);
        }
    });
    let mut game = Game::claimed(&sample, 0, run);
    let mut total = 0;
    let mut note = |name: &str, receipt: opml_contracts::Receipt| {
        println!("{name} {} exec {} bytes {}", receipt.gas_used, receipt.exec_gas, receipt.calldata_bytes);
        total += receipt.gas_used;
    };
    note("challenge", game.challenge(game.challenger, 0).unwrap());
    note("openTrace", game.open_trace().unwrap());
    note("select", game.select(0).unwrap());
    note("revealHeader", game.reveal().unwrap());
    note("selectElement", game.select_element(5).unwrap());
    let mut partials = game.partials();
    partials[3] += 1_000;
    note("revealPartials", game.reveal_partials(&partials).unwrap());
    let call = game.prove_slice_call(3, &partials);
    note("proveSlice", game.play(game.challenger, &call).unwrap());
    println!("total {total}");
    let state = game.state.clone();
    println!("settle {}", game.settle(&state).unwrap().gas_used);
}
#[test]
fn probe() {
    use opml_contracts::abi::StepVerifier;
    let sample = mlp();
    let run = sample.run(1, &mut |_, _, _| ());
    let mut game = Game::claimed(&sample, 0, run);
    let (instruction, witness) = game.instruction(0);
    let call = StepVerifier::shapeCall {
        programRoot: sample.program.roots().program.into(),
        counts: alloy_primitives::U256::from(3u128 << 64 | 2 << 32 | 1),
        t: 0,
        i: 0,
        instruction,
        witness,
    };
    use alloy_sol_types::SolCall;
    let v = game.world.verifier;
    let r = game.world.host.static_call(super::world::STRANGER, v, call.abi_encode().into()).unwrap();
    println!("shape exec {} gas {}", r.exec_gas, r.gas_used);
}
