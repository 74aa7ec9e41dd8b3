//! Claims: inputs, lengths, outputs, halts, and the one root.

use alloy_primitives::{Address, B256, Bytes, U256};
use opml_bisection::{
    Arena, BadClaim, Claim, Game, Moment, Move, MoveKind, OpenTrace, Party, Refused, Trace, TraceNodes, TraceStage,
    element_under_trace, open_trace,
    players::{Corrupted, Idea},
    suite::World,
    tree,
};
use opml_contracts::{abi::Dispute, dispute};
use opml_prover::chain::{CHALLENGER, Chain, OPERATOR, SUBMITTER, TaskOnChain};
use opml_vm::{DType, Program, Tensor, program::input_root};

use super::{
    table::{Table, claim_of, claiming, reverts},
    worlds::{OUTPUT, five, halting, honest, plain},
};
use crate::world::VmWorld;

#[test]
fn rule_06_the_output_is_the_claimed_bytes_exactly() {
    let world = five();
    let run = honest(&world);
    // At arity 64 all leaves are children of the root, and their paths are empty.
    let right = claim_of(&world, 6, 1, &run);
    let open = Table::of(&world, right, &run).due();
    let Move::OpenTrace(open) = open else { panic!() };
    let mut other = open.output.clone();
    other[0] ^= 1;
    let longer = [&open.output[..], &[0]].concat();
    let element_more = [&open.output[..], &[0, 0]].concat();
    for output in [other, longer, element_more, open.output[2..].to_vec(), vec![]] {
        // The right trace, another output.
        let mut table = Table::of(&world, claiming(&world, right, &output), &run);
        table.refuse::<Dispute::WrongOutput>(&table.due(), &Refused::Output);
        // With the claimed bytes, which are not in the trace.
        let mut claimed = open.clone();
        claimed.output.clone_from(&output);
        let refused = table.pure.play(Party::Submitter, &Move::OpenTrace(claimed));
        assert!(matches!(refused, Err(Refused::Output | Refused::Opening)), "{refused:?}");
        let call = Dispute::openTraceCall {
            c: table.contract.on_chain().claim.clone(),
            output: output.clone().into(),
            opening: Dispute::TraceOpening {
                dtype: open.output_leaf.dtype,
                children: open.children.iter().map(B256::from).collect(),
                path: vec![],
                halt: vec![],
            },
        };
        let sent = table.send(SUBMITTER, U256::ZERO, &call);
        if output.len() % 2 == 0 {
            reverts::<Dispute::BadHash, _>(sent)
        } else {
            reverts::<Dispute::BadHeader, _>(sent)
        }
        table.stalls();
    }
    // Another leaf than that of the output.
    let mut table = Table::of(&world, right, &run);
    let mut moved = open;
    moved.output_leaf.leaf = OUTPUT - 1;
    let refused = table.pure.play(Party::Submitter, &Move::OpenTrace(moved));
    assert_eq!(refused, Err(Refused::Output), "the contract computes the leaf itself");
    table.answer();
}

#[test]
fn rule_07_a_claim_has_one_trace_root() {
    let world = five();
    let run = honest(&world);
    let lie = Corrupted::new(&run, world.rules()).flip(4, 0, 1).unwrap();
    let mut table = Table::opened(&world, 4, 1, &lie);
    let root = table.pure.game().root().unwrap();
    let traces: [&dyn Trace; 2] = [&run, &lie];
    for theirs in traces {
        let again = Move::OpenTrace(Box::new(open_trace(&table.claim, theirs, world.rules()).unwrap()));
        let why = Refused::NotYours(Party::Submitter);
        table.refuse_as::<Dispute::TraceIsOpen>(Party::Submitter, &again, &why);
    }
    // Nor when it is the submitter's turn.
    table.play(&table.idea(Idea::Select(0)));
    let again = Move::OpenTrace(Box::new(open_trace(&table.claim, &run, world.rules()).unwrap()));
    table.refuse::<Dispute::TraceIsOpen>(&again, &Refused::NotHere(MoveKind::OpenTrace));
    assert_eq!(table.pure.game().root(), Some(root));
    // A pure game is one dispute; that two of them see one root is the claim's business on the chain.
    let claim_id = table.contract.on_chain().id;
    let bond = U256::from(table.contract.chain().tier().bondC);
    let (_, receipt) =
        table.send(SUBMITTER, bond, &Dispute::challengeCall { claimId: claim_id, nonce: 9_999 }).unwrap();
    let state = receipt.logs.iter().find_map(dispute::state_after).unwrap().1;
    let select = |theirs: &dyn Trace| Dispute::selectCall {
        state: state.clone(),
        child: U256::from(4),
        hash: theirs.node(0, 4).unwrap().into(),
        siblings: vec![theirs.node(2, 0).unwrap().into()],
    };
    reverts::<Dispute::BadHash, _>(table.send(SUBMITTER, U256::ZERO, &select(&run)));
    table.send(SUBMITTER, U256::ZERO, &select(&lie)).unwrap();
}

#[test]
fn rule_08_a_run_that_ends_early_shows_its_halt() {
    let world = halting();
    assert_eq!(world.claim().length, 3);
    for length in [1, 2] {
        // All values right, but the run goes on.
        let run = world.run(length).unwrap();
        let claim = claim_of(&world, 6, length, &run);
        let mut table = Table::of(&world, claim, &run);
        let due = table.due();
        table.refuse::<Dispute::NoHalt>(&due, &Refused::NotHalted);
        let Move::OpenTrace(open) = due else { panic!() };
        let with = |change: &dyn Fn(&mut OpenTrace)| {
            let mut open = open.clone();
            change(&mut open);
            Move::OpenTrace(open)
        };
        table.refuse::<Dispute::NoHalt>(&with(&|open| open.halt = None), &Refused::NotHalted);
        // Element 1 is never 0, but it is not the one that counts; nor is another value.
        table.refuse::<Dispute::NoHalt>(&with(&|open| open.halt.as_mut().unwrap().e = 1), &Refused::NotHalted);
        let depth = tree::depth(claim.leaves());
        let counter = (claim.output_leaf(), 0);
        let other = element_under_trace(&claim, &run, &TraceNodes(&run), counter, depth, world.rules()).unwrap();
        table.refuse::<Dispute::BadHash>(&with(&|open| open.halt = Some(other.clone())), &Refused::NotHalted);
        table.stalls();
    }
    // The right length shows it: a halt of 2 is one as well as 1.
    Table::honest(&world, 6, &honest(&world)).in_time();
}

#[test]
fn rule_09_a_run_that_goes_on_after_its_halt_is_false() {
    let world = halting();
    for length in [4, 5, 6] {
        let run = world.run(length).unwrap();
        let mut table = Table::opened(&world, 2, length, &run);
        for t in [0, 1] {
            table.refuse::<Dispute::NoContradiction>(&table.idea(Idea::Halt(t)), &Refused::NoFault);
        }
        // A halt in the last iteration is the end that was claimed.
        table.refuse::<Dispute::BadElement>(&table.idea(Idea::Halt(length - 1)), &Refused::Halt);
        let Move::ProveHalt { t, mut opening } = table.idea(Idea::Halt(0)) else { panic!() };
        opening.e = 1;
        table.refuse::<Dispute::BadElement>(&Move::ProveHalt { t, opening }, &Refused::Number);
        let Move::ProveElement { opening, .. } = table.idea(Idea::Element(2, 1)) else { panic!() };
        table.refuse::<Dispute::BadElement>(&Move::ProveHalt { t: 1, opening }, &Refused::Number);
        table.proves(&table.idea(Idea::Halt(2)));
    }
    // The right run halts at its end.
    let run = honest(&world);
    let mut table = Table::honest(&world, 2, &run);
    table.refuse::<Dispute::BadElement>(&table.idea(Idea::Halt(2)), &Refused::Halt);
    table.refuse::<Dispute::NoContradiction>(&table.idea(Idea::Halt(1)), &Refused::NoFault);
}

#[test]
fn rule_10_lengths_are_the_tasks_business() {
    let now = Moment { time: 1_000_000, block: 500 };
    let stage = TraceStage { first: now, challenged: now };
    for (world, wrong, right) in
        [(halting(), &[0, 7, u64::MAX][..], &[1, 3, 6][..]), (plain(), &[0, 1, 3], &[2]), (five(), &[0, 2], &[1])]
    {
        let timing = world.timing();
        let mut chain = Chain::new(4).unwrap();
        let max_t = world.claim().max_length;
        let task = chain.open_task(world.program(), world.inputs(), max_t).unwrap();
        for length in [wrong, right].concat() {
            let claim = Claim { length, ..world.claim() };
            let game = Game::new(claim, timing, stage);
            let claimed = chain.claim(&task, length, &[1], None);
            if right.contains(&length) {
                assert!(game.is_ok() && claimed.is_ok(), "{length}");
            } else {
                assert!(matches!(game, Err(BadClaim::Length(_) | BadClaim::NoHalt)), "{length}");
                reverts::<Dispute::BadLength, _>(claimed);
            }
        }
    }
    // maxT·N ≤ 2^40, and maxT is fixed with the task.
    let world = halting();
    let mut chain = Chain::new(4).unwrap();
    for (max_length, good) in [(1 << 39, true), ((1 << 39) + 1, false), (u64::MAX, false), (0, false)] {
        let claim = Claim { max_length, length: 1, ..world.claim() };
        assert_eq!(Game::new(claim, world.timing(), stage).is_ok(), good, "{max_length}");
        let task = chain.open_task(world.program(), world.inputs(), max_length);
        if good { assert!(task.is_ok()) } else { reverts::<Dispute::BadLength, _>(task) }
    }
}

#[test]
fn rule_13_input_roots_come_from_posted_bytes_or_the_requester() {
    // A pure game has no inputs: its rules are made for an input root, which is the contract's business.
    let world = five();
    let mut chain = Chain::new(4).unwrap();
    let on_chain = chain.open_task(world.program(), world.inputs(), 1).unwrap();
    assert_eq!(on_chain.task.inputRoot, B256::from(input_root(world.inputs())));
    // The name of the task that the contract opened is the one with the root as Rust computes it.
    chain.claim(&on_chain, 1, &[1], None).unwrap();
    let claim = |chain: &mut Chain, root: [u8; 32], requester| {
        let task = Dispute::Task { inputRoot: root.into(), requester, ..on_chain.task.clone() };
        chain.claim(&TaskOnChain { task, ..on_chain.clone() }, 1, &[1], None)
    };
    let other = [Tensor::saturating(DType::I8, &[5, 3, 90, 17, 3])];
    let model_root = on_chain.task.modelRoot;
    for root in [input_root(&other), [0xee; 32], [0; 32]] {
        reverts::<Dispute::UnknownTask, _>(claim(&mut chain, root, Address::ZERO));
        // Anybody may ask in its own name; the claim says whose task it is.
        let call = Dispute::requestTaskCall { modelRoot: model_root, inputRoot: root.into(), maxT: 1, tier: 0 };
        chain.send("requestTask", SUBMITTER, U256::ZERO, &call).unwrap();
        for requester in [Address::ZERO, OPERATOR, CHALLENGER] {
            reverts::<Dispute::UnknownTask, _>(claim(&mut chain, root, requester));
        }
        claim(&mut chain, root, SUBMITTER).unwrap();
    }
    let posted = chain.open_task(world.program(), &other, 1).unwrap();
    assert_eq!(posted.task.inputRoot, B256::from(input_root(&other)));
    claim(&mut chain, input_root(&other), Address::ZERO).unwrap();
    refuses_other_inputs(&world, &mut chain, model_root);
}

/// Bytes that are no inputs of the model are refused by the machine and by the contract.
fn refuses_other_inputs(world: &VmWorld, chain: &mut Chain, model_root: B256) {
    let program: &Program = world.program();
    let tensor = |dtype, n| Tensor::saturating(dtype, &vec![1; n]);
    for inputs in [
        vec![],
        vec![tensor(DType::I8, 4)],
        vec![tensor(DType::I8, 6)],
        vec![tensor(DType::I8, 5), tensor(DType::I8, 5)],
        vec![tensor(DType::I16, 5)],
    ] {
        assert!(program.check_inputs(&inputs).is_err());
        reverts::<Dispute::BadInputs, _>(chain.open_task(program, &inputs, 1));
    }
    let call = Dispute::openTaskCall {
        modelRoot: model_root,
        maxT: 1,
        tier: 0,
        inputHeaders: vec![0, 0, 0, 0, 0, 0, 0, 0, 5].into(),
        inputs: vec![Bytes::from(vec![1; 5])],
    };
    reverts::<Dispute::BadInputs, _>(chain.send("openTask", OPERATOR, U256::ZERO, &call));
}
