//! The end, and what could be done twice.

use alloy_primitives::U256;
use opml_bisection::{
    Move, Party, Refused,
    players::{Corrupted, Idea},
    suite::World,
};
use opml_contracts::{
    abi::Dispute,
    dispute::{self, state_after},
};
use opml_prover::chain::{CHALLENGER, SUBMITTER};

use crate::rules::{
    table::{Table, reverts},
    worlds::{SUM, five, honest},
};

#[test]
fn fault_anything_happens_after_the_end() {
    let world = five();
    let run = honest(&world);
    let lie = Corrupted::new(&run, world.rules()).flip(SUM, 0, 1).unwrap();
    for proved in [true, false] {
        let mut table = Table::opened(&world, 4, 1, &lie);
        let moves = [table.idea(Idea::Select(0)), table.idea(Idea::Header(SUM)), table.idea(Idea::Element(SUM, 0))];
        if proved {
            table.proves(&moves[2]);
            for mv in &moves {
                table.refuse_as::<Dispute::ClaimNotPending>(Party::Challenger, mv, &Refused::Over);
            }
        } else {
            table.stalls();
            for mv in &moves {
                table.refuse_as::<Dispute::WrongState>(Party::Challenger, mv, &Refused::Over);
            }
        }
        let again = Move::Reveal { children: vec![] };
        assert!(opml_bisection::Arena::play(&mut table.pure, Party::Submitter, &again).is_err());
        assert!(opml_bisection::Arena::timeout(&mut table.contract).is_err());
        assert_eq!(opml_bisection::Arena::timeout(&mut table.pure), Err(Refused::Over));
    }
}

#[test]
fn fault_something_is_set_up_twice() {
    let world = five();
    let run = honest(&world);
    let mut table = Table::honest(&world, 4, &run);
    let on_chain = table.contract.on_chain().clone();
    let tier = table.contract.chain().tier().clone();
    // The same claim, the same dispute, and the trace once more.
    let claim = Dispute::claimCall {
        taskId: on_chain.claim.taskId,
        T: 1,
        nonce: on_chain.claim.nonce,
        output: on_chain.output.clone().into(),
    };
    reverts::<Dispute::IdUsed, _>(table.send(SUBMITTER, U256::from(tier.bondS), &claim));
    let challenge = Dispute::challengeCall { claimId: on_chain.id, nonce: 300 };
    let (_, receipt) = table.send(CHALLENGER, U256::from(tier.bondC), &challenge).unwrap();
    reverts::<Dispute::IdUsed, _>(table.send(CHALLENGER, U256::from(tier.bondC), &challenge));
    // Nor once it is over.
    let state = receipt.logs.iter().find_map(state_after).unwrap().1;
    let resign = Dispute::resignCall { state, c: on_chain.claim.clone() };
    table.send(CHALLENGER, U256::ZERO, &resign).unwrap();
    reverts::<Dispute::WrongState, _>(table.send(CHALLENGER, U256::ZERO, &resign));
    reverts::<Dispute::IdUsed, _>(table.send(CHALLENGER, U256::from(tier.bondC), &challenge));
    // The model and the task again change nothing of what is there.
    let root = table.contract.chain().register(world.program()).unwrap();
    assert_eq!(root.0, world.program().roots().model);
    let task = table.contract.chain().open_task(world.program(), world.inputs(), 1).unwrap();
    assert_eq!(dispute::task_id(&task.task), on_chain.claim.taskId);
    table.play(&table.idea(Idea::Select(SUM)));
    table.answer();
}

#[test]
fn fault_disputes_are_settled_out_of_order() {
    let world = five();
    let run = honest(&world);
    let lie = Corrupted::new(&run, world.rules()).flip(SUM, 0, 1).unwrap();
    let mut outcomes = Vec::new();
    for first in [0, 1] {
        let mut table = Table::opened(&world, 4, 1, &lie);
        let id = table.contract.on_chain().id;
        let bond = U256::from(table.contract.chain().tier().bondC);
        let (_, receipt) = table.send(SUBMITTER, bond, &Dispute::challengeCall { claimId: id, nonce: 300 }).unwrap();
        let rival = receipt.logs.iter().find_map(state_after).unwrap().1;
        table.proves(&table.idea(Idea::Element(SUM, 0)));
        let own = table.contract.logs().iter().filter_map(state_after).last().unwrap().1;
        let mut order = [own, rival];
        order.rotate_left(first);
        for state in order {
            let settle = Dispute::settleCall { state };
            table.send(SUBMITTER, U256::ZERO, &settle).unwrap();
            reverts::<Dispute::WrongState, _>(table.send(SUBMITTER, U256::ZERO, &settle));
        }
        let chain = table.contract.chain();
        outcomes.push([SUBMITTER, CHALLENGER].map(|player| chain.credit(player).unwrap()));
    }
    assert_eq!(outcomes[0], outcomes[1], "whoever settles first gets no more");
}
