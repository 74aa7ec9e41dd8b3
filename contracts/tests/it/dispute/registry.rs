//! Tiers, models, tasks and claims.

use alloy_primitives::{Address, B256, Bytes, U256, aliases::U96, keccak256};
use alloy_sol_types::SolCall;
use opml_contracts::{
    abi::Dispute::{self, Claim, Task, Tier},
    costs,
    dispute::{NO_HALT, Stage, Status, TOMBSTONE, claim_id, dispute_id, task_id, unpack_tier},
    host::MAX_CODE,
};

use super::{
    commit::Commit,
    programs::{looping, mlp, pairs},
    world::{
        ARITIES, BOND_C, BOND_S, CHAIN_ID, CHALLENGER, Game, RIVAL, STRANGER, SUBMITTER, World, deploy, input_headers,
        refused, tier,
    },
};

#[test]
fn the_code_fits_the_limit() {
    let mut world = World::new();
    let dispute = world.dispute;
    assert!(world.host.code_size(dispute) <= MAX_CODE);
}

#[test]
fn tiers_are_as_deployed_and_there_are_no_others() {
    let mut world = World::new();
    for (number, &arity) in ARITIES.iter().enumerate() {
        let answer = world.view(&Dispute::tierCall { number: U256::from(number) });
        assert_eq!(unpack_tier(&answer), tier(arity));
    }
    let model = world.register(&mlp());
    for number in [4, 255] {
        let call = Dispute::requestTaskCall { modelRoot: model, inputRoot: B256::ZERO, maxT: 1, tier: number };
        refused::<Dispute::UnknownTier>(world.send(STRANGER, 0, &call));
    }
}

#[test]
fn each_tier_has_its_own_times_and_bonds() {
    let mut world = World::new();
    let verifier = world.verifier;
    let own = |n: u8| Tier { window: 3_600 + u32::from(n), bondS: U96::from(BOND_S + u64::from(n)), ..tier(4) };
    let dispute = deploy(&mut world.host, verifier, (0..4).map(own).collect()).unwrap();
    for number in 0..4 {
        let answer = world.host.view(dispute, &Dispute::tierCall { number: U256::from(number) }).unwrap();
        assert_eq!(unpack_tier(&answer), own(number));
    }
}

#[test]
fn bad_tiers_are_not_deployed() {
    let mut world = World::new();
    let good = tier(4);
    let bad: &[&dyn Fn(&mut Tier)] = &[
        &|t| t.arityLog2 = 0,
        &|t| t.arityLog2 = 7,
        &|t| t.delay = 0,
        &|t| t.traceTime = 0,
        &|t| t.minBlocks = 0,
        &|t| t.minBlocks = 61,
        &|t| t.rootWindow = 0,
        &|t| t.rootWindow = t.window,
        &|t| t.window = t.traceTime + 2 * t.delay - 1,
        &|t| t.budget = t.delay - 1,
        &|t| t.budget = t.traceTime / 2 - 1,
        &|t| t.delay = 97, // 62 turns of 97 seconds outlast the window and both budgets
        &|t| t.burnS = 2_499,
        &|t| t.burnS = 9_001,
        &|t| t.burnC = 1_249,
        &|t| t.burnC = 5_001,
        &|t| t.bondS = U96::ZERO,
        &|t| t.bondC = U96::ZERO,
        &|t| t.weightOpen = 0,
        &|t| t.weightOpen = 31,
        &|t| t.weightSelect = 13,
        &|t| t.weightProve = 26,
    ];
    for (number, change) in bad.iter().enumerate() {
        let mut t = good.clone();
        change(&mut t);
        let error = deploy(&mut world.host, world.verifier, vec![good.clone(), t]).unwrap_err();
        assert!(error.is::<Dispute::BadTier>(), "{number}: {error}");
    }
    for tiers in [vec![], vec![good.clone(); 5]] {
        assert!(deploy(&mut world.host, world.verifier, tiers).unwrap_err().is::<Dispute::BadTier>());
    }
    assert!(deploy(&mut world.host, STRANGER, vec![good.clone()]).is_err());
    deploy(&mut world.host, world.verifier, vec![good]).unwrap();
}

#[test]
fn tiers_at_the_edges_are_deployed() {
    let mut world = World::new();
    let edges: &[&dyn Fn(&mut Tier)] = &[
        &|t| t.minBlocks = 60,
        &|t| t.rootWindow = t.window - 1,
        &|t| (t.delay, t.window, t.rootWindow) = (40, t.traceTime + 80, 60),
        &|t| (t.budget, t.traceTime) = (t.delay, t.delay),
        &|t| t.budget = t.traceTime / 2,
        &|t| (t.delay, t.window) = (90, 62 * 90 - 2 * t.budget),
        &|t| t.burnS = 2_500,
        &|t| t.burnS = 9_000,
        &|t| t.burnC = 1_250,
        &|t| t.burnC = 5_000,
        &|t| (t.weightOpen, t.weightSelect, t.weightProve) = (1, 0, 0),
    ];
    for (number, change) in edges.iter().enumerate() {
        let mut t = tier(4);
        change(&mut t);
        t.bondC = U96::from(BOND_C / 8);
        assert!(deploy(&mut world.host, world.verifier, vec![t]).is_ok(), "{number}");
    }
}

#[test]
fn a_pot_that_just_pays_a_challenger_twice_is_enough() {
    let mut world = World::new();
    let verifier = world.verifier;
    // arity 16: ten levels of the trace, nine of a tensor, ten of a reduction
    let moves = 29 * costs::of_move(4);
    let (submitter, challenger) = (costs::OPEN + moves + costs::TIMEOUT, costs::CHALLENGE + moves + costs::PROVE);
    // (1 − β)·B_s · 3·G_S = (1 − β_c)·B_c · 4·G_C
    let (burn_s, burn_c) = (u64::from(tier(4).burnS), u64::from(tier(4).burnC));
    let bond_s = (10_000 - burn_c) * 4 * challenger;
    let bond_c = (10_000 - burn_s) * 3 * submitter;
    for (less, good) in [(0, true), (1, false)] {
        let tier = Tier { bondS: U96::from(bond_s - less), bondC: U96::from(bond_c), ..tier(4) };
        assert_eq!(deploy(&mut world.host, verifier, vec![tier]).is_ok(), good, "{less} wei less");
    }
}

#[test]
fn the_bonds_of_a_tier_are_sized_for_one_price_of_gas() {
    // pot · 3·G_S ≥ repaid · 4·G_C, with G_S and G_C of arity 16 as `Tiers` has them
    let mut world = World::new();
    let steps = 29 * (50_000 + (1_400 << 4));
    let (submitter, challenger) = (120_000 + steps + 40_000, 60_000 + steps + 1_000_000);
    let pot = u128::from(BOND_S) * 5_000;
    let most = pot * 3 * submitter / (7_500 * 4 * challenger);
    let mut t = tier(4);
    t.bondC = U96::from(most);
    deploy(&mut world.host, world.verifier, vec![t.clone()]).unwrap();
    t.bondC = U96::from(most + 1);
    assert!(deploy(&mut world.host, world.verifier, vec![t]).unwrap_err().is::<Dispute::BadTier>());
}

#[test]
fn a_model_has_as_many_instructions_as_its_limit_and_no_more() {
    let mut world = World::new();
    let most = 1 << 24;
    let call = Dispute::registerModelCall { N: most, ..World::register_call(&looping()) };
    world.send(STRANGER, 0, &call).unwrap();
    refused::<Dispute::BadModel>(world.send(STRANGER, 0, &Dispute::registerModelCall { N: most + 1, ..call }));
}

#[test]
fn an_input_has_the_widest_type_and_the_largest_size_at_most() {
    let mut world = World::new();
    for (dtype, elements, good) in [(4, 1 << 40, true), (5, 1, false), (4, (1 << 40) + 1, false)] {
        let header = [&[dtype][..], &u64::to_be_bytes(elements)].concat();
        let call = Dispute::registerModelCall { inputHeaders: header.into(), ..World::register_call(&looping()) };
        assert_eq!(world.send(STRANGER, 0, &call).is_ok(), good, "{dtype} {elements}");
    }
}

#[test]
fn what_stands_behind_the_input_headers_is_not_read() {
    // one header of nine bytes, and what fills up its word is no header of anything
    let mut world = World::new();
    let sample = looping();
    let mut data = World::register_call(&sample).abi_encode();
    let filling = data.len() - 23..;
    data[filling].fill(0xff);
    let dispute = world.dispute;
    world.host.call(STRANGER, dispute, U256::ZERO, data.into()).unwrap();
    let known = world.view(&Dispute::modelOfCall { modelRoot: sample.program.roots().model.into() });
    assert!(!known.header.is_zero());
}

#[test]
fn registering_a_model_twice_changes_nothing() {
    let mut world = World::new();
    let sample = looping();
    let root = world.register(&sample);
    let first = world.view(&Dispute::modelOfCall { modelRoot: root });
    assert_eq!(world.register(&sample), root);
    assert_eq!(world.view(&Dispute::modelOfCall { modelRoot: root }), first);
}

fn registration() -> Dispute::registerModelCall {
    let mut inputs = vec![3];
    inputs.extend(5_u64.to_be_bytes());
    Dispute::registerModelCall {
        programRoot: B256::repeat_byte(1),
        constsRoot: B256::repeat_byte(2),
        N: 6,
        nConsts: 2,
        out: 5,
        halt: NO_HALT,
        inputHeaders: inputs.into(),
    }
}

#[test]
fn rule_29_models_name_instructions_that_exist() {
    let mut world = World::new();
    let good = registration();
    world.send(STRANGER, 0, &good).unwrap();
    world.send(STRANGER, 0, &Dispute::registerModelCall { halt: 5, ..good.clone() }).unwrap();
    for (n, out, halt) in [(0, 0, NO_HALT), (6, 6, NO_HALT), (6, NO_HALT, NO_HALT), (6, 0, 6), (0, 0, 0)] {
        let call = Dispute::registerModelCall { N: n, out, halt, ..good.clone() };
        refused::<Dispute::BadModel>(world.send(STRANGER, 0, &call));
    }
    for headers in
        [vec![3; 8], vec![3; 10], [&[5][..], &[0; 8]].concat(), [&[0][..], &((1_u64 << 40) + 1).to_be_bytes()].concat()]
    {
        let call = Dispute::registerModelCall { inputHeaders: headers.into(), ..good.clone() };
        refused::<Dispute::BadModel>(world.send(STRANGER, 0, &call));
    }
    let none = Dispute::registerModelCall { inputHeaders: Bytes::new(), ..good };
    world.send(STRANGER, 0, &none).unwrap();
}

#[test]
fn a_model_is_named_as_the_specification_says() {
    let mut world = World::new();
    for sample in [looping(), mlp()] {
        let root = world.register(&sample);
        assert_eq!(root, B256::from(sample.program.roots().model));
        let model = world.view(&Dispute::modelOfCall { modelRoot: root });
        assert_eq!(model.inputsHash, B256::from(sample.program.roots().inputs_hash));
    }
}

#[test]
fn tasks_are_within_the_limits() {
    let mut world = World::new();
    let model = world.register(&looping());
    let ask = |world: &mut World, model, max_t| {
        world.send(
            STRANGER,
            0,
            &Dispute::requestTaskCall { modelRoot: model, inputRoot: B256::ZERO, maxT: max_t, tier: 0 },
        )
    };
    refused::<Dispute::BadLength>(ask(&mut world, model, 0));
    refused::<Dispute::UnknownModel>(ask(&mut world, B256::repeat_byte(9), 1));
    let most = (1_u64 << 40) / 6;
    ask(&mut world, model, most).unwrap();
    for max_t in [most + 1, 1 << 40, (1 << 40) + 1, u64::MAX] {
        refused::<Dispute::BadLength>(ask(&mut world, model, max_t));
    }
    // a trace of as many values as there can be
    let single = world.register(&pairs());
    ask(&mut world, single, 1 << 40).unwrap();
    refused::<Dispute::BadLength>(ask(&mut world, single, (1 << 40) + 1));
}

#[test]
fn rule_13_input_roots_come_from_posted_bytes_or_the_requester() {
    let mut world = World::new();
    let sample = mlp();
    let posted = world.open_task(&sample, 0);
    assert_ne!(world.view(&Dispute::taskOfCall { taskId: task_id(&posted) }), U256::ZERO);
    // bytes that are not the model's inputs
    let open = |inputs: Vec<Bytes>, headers: Bytes| Dispute::openTaskCall {
        modelRoot: posted.modelRoot,
        maxT: 1,
        tier: 0,
        inputHeaders: headers,
        inputs,
    };
    let headers = input_headers(&sample);
    let bytes = Bytes::from(sample.inputs[0].bytes().to_vec());
    for inputs in
        [vec![], vec![bytes.clone(), bytes.clone()], vec![bytes.slice(1..)], vec![[&bytes[..], &[0]].concat().into()]]
    {
        refused::<Dispute::BadInputs>(world.send(STRANGER, 0, &open(inputs, headers.clone())));
    }
    // the right number of bytes under another type is another tensor
    let mut unsigned = headers.to_vec();
    unsigned[0] = 0;
    refused::<Dispute::BadInputs>(world.send(STRANGER, 0, &open(vec![bytes], unsigned.into())));
    // a root whose preimage nobody knows can be asked for only in the asker's own name
    let root = B256::repeat_byte(0xee);
    let call = Dispute::requestTaskCall { modelRoot: posted.modelRoot, inputRoot: root, maxT: 1, tier: 0 };
    world.send(SUBMITTER, 0, &call).unwrap();
    let task = |requester| Task { inputRoot: root, requester, ..posted.clone() };
    for requester in [Address::ZERO, STRANGER] {
        let call = Dispute::claimCall { taskId: task_id(&task(requester)), T: 1, nonce: 0, output: Bytes::new() };
        refused::<Dispute::UnknownTask>(world.send(SUBMITTER, BOND_S, &call));
    }
    let call = Dispute::claimCall { taskId: task_id(&task(SUBMITTER)), T: 1, nonce: 0, output: Bytes::new() };
    world.send(SUBMITTER, BOND_S, &call).unwrap();
}

#[test]
fn input_roots_are_those_of_the_reference() {
    let mut world = World::new();
    for sample in [looping(), mlp()] {
        let task = world.open_task(&sample, 1);
        assert_ne!(world.view(&Dispute::taskOfCall { taskId: task_id(&task) }), U256::ZERO);
        assert_eq!(world.view(&Dispute::taskIdOfCall { task: task.clone() }), task_id(&task));
    }
}

#[test]
fn rule_10_lengths_are_the_tasks_business() {
    let mut world = World::new();
    let looped = task_id(&world.open_task(&looping(), 0));
    let mut sample = mlp();
    sample.max_t = 2;
    let plain = task_id(&world.open_task(&sample, 0));
    let claim = |task, length| Dispute::claimCall { taskId: task, T: length, nonce: 0, output: Bytes::new() };
    for (task, length) in [(looped, 0), (looped, 6), (looped, u64::MAX), (plain, 0), (plain, 1), (plain, 3)] {
        refused::<Dispute::BadLength>(world.send(SUBMITTER, BOND_S, &claim(task, length)));
    }
    for (task, length) in [(looped, 1), (looped, 5), (plain, 2)] {
        world.send(SUBMITTER, BOND_S, &claim(task, length)).unwrap();
    }
}

#[test]
fn claims_and_challenges_cost_exactly_their_bonds_and_their_names_are_used_once() {
    let sample = looping();
    let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
    let again = Dispute::claimCall { taskId: game.claim.taskId, T: 3, nonce: 0, output: game.output.clone() };
    refused::<Dispute::IdUsed>(game.world.send(SUBMITTER, BOND_S, &again));
    for value in [0, BOND_S - 1, BOND_S + 1] {
        let call = Dispute::claimCall { nonce: 1, ..again.clone() };
        refused::<Dispute::BadValue>(game.world.send(SUBMITTER, value, &call));
    }
    for value in [0, BOND_C - 1, BOND_C + 1] {
        let call = Dispute::challengeCall { claimId: game.id, nonce: 0 };
        refused::<Dispute::BadValue>(game.world.send(CHALLENGER, value, &call));
    }
    refused::<Dispute::ClaimNotPending>(game.world.challenge(CHALLENGER, B256::ZERO, 0).map(|(_, receipt)| receipt));
    game.challenge(CHALLENGER, 0).unwrap();
    refused::<Dispute::IdUsed>(game.challenge(CHALLENGER, 0));
    game.resign(CHALLENGER).unwrap();
    refused::<Dispute::IdUsed>(game.challenge(CHALLENGER, 0));
    let id = dispute_id(game.id, CHALLENGER, 0);
    assert_eq!(game.world.view(&Dispute::disputeOfCall { disputeId: id }), TOMBSTONE);
    game.challenge(CHALLENGER, 1).unwrap();
    game.challenge(RIVAL, 0).unwrap();
}

#[test]
fn claims_are_named_by_value_and_run_in_parallel() {
    let sample = looping();
    let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
    let other = Claim { submitter: RIVAL, ..game.claim.clone() };
    let call = Dispute::claimCall { taskId: other.taskId, T: 3, nonce: 0, output: game.output.clone() };
    game.world.send(RIVAL, BOND_S, &call).unwrap();
    let id = claim_id(CHAIN_ID, game.world.dispute, &other);
    assert_ne!(id, game.id);
    assert_eq!(game.world.view(&Dispute::claimIdOfCall { c: other }), id);
    assert_eq!(game.world.slot(id).status, Status::Pending);
    game.challenge(CHALLENGER, 0).unwrap();
    assert_eq!((game.world.slot(id).open, game.slot().open), (0, 1));
    assert_eq!(game.sizes().max_t, 5);
}

#[test]
fn an_eager_claim_opens_its_trace_at_once() {
    let sample = looping();
    let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
    let open = game.open_trace_call();
    let call = Dispute::claimEagerCall {
        taskId: game.claim.taskId,
        T: 3,
        nonce: 9,
        output: game.output.clone(),
        opening: open.opening.clone(),
    };
    game.world.send(SUBMITTER, BOND_S, &call).unwrap();
    let id = claim_id(CHAIN_ID, game.world.dispute, &Claim { nonce: 9, ..game.claim.clone() });
    assert_eq!(game.world.slot(id).stage, Stage::Opened);
    assert_eq!(game.world.view(&Dispute::traceRootOfCall { claimId: id }), B256::from(game.commit.tree.root()));
    // a challenger still has the time to compute the trace
    let (state, _) = game.world.challenge(CHALLENGER, id, 0).unwrap();
    game.state = state;
    (game.id, game.claim.nonce) = (id, 9);
    assert!(game.position().turn_start > game.world.host.now());
    game.select(0).unwrap();
    refused::<Dispute::TraceIsOpen>(game.open_trace());
    // an opening that does not hold together makes no claim
    let mut bad = Dispute::claimEagerCall { nonce: 10, ..call };
    bad.opening.children[0] = B256::ZERO;
    bad.opening.path.push(B256::ZERO);
    refused::<Dispute::BadHash>(game.world.send(SUBMITTER, BOND_S, &bad));
}

#[test]
fn a_trace_opens_to_the_claimed_output_and_nothing_else() {
    let sample = looping();
    let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
    game.challenge(CHALLENGER, 0).unwrap();
    let good = game.open_trace_call();
    let send = |game: &mut Game, call: &Dispute::openTraceCall| game.world.send(SUBMITTER, 0, call);
    let mut bad = good.clone();
    bad.output = Bytes::from(vec![1, 2, 3]);
    refused::<Dispute::WrongOutput>(send(&mut game, &bad));
    bad = good.clone();
    bad.opening.dtype = 1;
    refused::<Dispute::BadHash>(send(&mut game, &bad));
    for dtype in [2, 5, 255] {
        bad.opening.dtype = dtype;
        refused::<Dispute::BadHeader>(send(&mut game, &bad));
    }
    bad = good.clone();
    bad.opening.children.pop();
    refused::<Dispute::BadChild>(send(&mut game, &bad));
    bad.opening.children.extend([B256::ZERO; 2]);
    refused::<Dispute::BadChild>(send(&mut game, &bad));
    bad = good.clone();
    bad.opening.path.push(B256::ZERO);
    refused::<Dispute::BadHash>(send(&mut game, &bad));
    bad.opening.path.clear();
    refused::<Dispute::BadHash>(send(&mut game, &bad));
    bad = good.clone();
    bad.opening.halt.clear();
    refused::<Dispute::NoHalt>(send(&mut game, &bad));
    bad = good.clone();
    bad.opening.halt.push(good.opening.halt[0].clone());
    refused::<Dispute::NoHalt>(send(&mut game, &bad));
    bad = good.clone();
    bad.opening.halt[0].data[0] = B256::ZERO;
    refused::<Dispute::NoHalt>(send(&mut game, &bad));
    bad.opening.halt[0].data[0] = B256::repeat_byte(1);
    refused::<Dispute::BadHash>(send(&mut game, &bad));
    let mut other = good.clone();
    other.c.submitter = RIVAL;
    refused::<Dispute::ClaimNotPending>(send(&mut game, &other));
    send(&mut game, &good).unwrap();
}

#[test]
fn an_output_of_several_leaves_is_opened() {
    let mut sample = looping();
    let program = &sample.program;
    sample.program = opml_vm::Program::new(
        program.instructions().to_vec(),
        vec![],
        program.inputs().to_vec(),
        super::programs::WIDE,
        program.halt(),
    )
    .unwrap();
    let game = Game::honest(&sample, 1);
    assert_eq!(keccak256(&game.output), game.claim.outputHash);
    assert_eq!(game.output.len(), 6_000);
    assert_eq!(Commit::of(&game.run), game.commit);
}
