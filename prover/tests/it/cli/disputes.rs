//! Disputes over many lies: the honest side wins.

use opml_contracts::{
    HostError,
    abi::{Dispute, StepVerifier},
};
use opml_prover::{
    dispute::{Report, STEP_GAS, Setup, play},
    fixtures::{Fixture, LENET, MLP},
    import,
    model::Guard,
    task::Task,
    words,
};

use opml_vm::{
    DType, Program, Reducer, Source, Tensor,
    testing::{Build, fixed},
};

use super::{Folder, LENET_MODEL};

fn task(fixture: &Fixture) -> Task {
    let program = import::fixture(fixture).unwrap().program;
    Task { program, inputs: vec![fixture.picture(0).unwrap()], max_t: 1, budget: 1 << 20, guard: Guard::default() }
}

fn played(task: &Task, fault: &str, arity: u64, seed: u64, posted: bool) -> Report {
    let fault = (fault != "none").then(|| fault.parse().unwrap());
    play(task, &Setup { arity, seed, fault, max_terms: 64, step_gas: STEP_GAS, posted }).unwrap()
}

/// What two runs of the same dispute have in common.
fn timeless(report: Report) -> String {
    format!("{:?}", Report { seconds: 0.0, ..report })
}

#[test]
fn the_honest_side_wins_at_every_arity() {
    let task = task(&MLP);
    for arity in [2, 4, 8, 16, 32, 64] {
        for posted in [false, true] {
            for fault in ["random", "consistent", "at:0:0", "from:0:55", "at:1:9"] {
                for seed in [1, 2] {
                    let report = played(&task, fault, arity, seed, posted);
                    let case = format!("{fault} {arity} {seed} {posted}");
                    assert_eq!(report.winner, "challenger", "{case}");
                    assert_eq!(posted, report.moves == 2, "{case}");
                    assert_eq!(report.submitter_change, "-1000000000000000000", "{case}");
                }
            }
            let report = played(&task, "none", arity, 1, posted);
            assert_eq!((report.winner, report.end), ("submitter", "claimTimeout"), "{arity} {posted}");
            assert!(report.submitter_change.starts_with('+') && report.challenger_change.starts_with('-'));
        }
    }
}

#[test]
fn lies_in_every_layer_of_a_convolutional_network_fall() {
    let task = task(&LENET);
    for instruction in 0..7 {
        for fault in [format!("at:{instruction}:5"), format!("from:0:{instruction}:0")] {
            for posted in [false, true] {
                assert_eq!(played(&task, &fault, 16, 1, posted).winner, "challenger", "{fault} {posted}");
            }
        }
    }
}

#[test]
fn a_seed_replays_a_dispute() {
    let task = task(&MLP);
    let runs = [1, 1, 2].map(|seed| timeless(played(&task, "random", 16, seed, false)));
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[test]
fn the_binary_plays_them_all() {
    let folder = Folder::new();
    folder.put("lenet.opml", &LENET_MODEL);
    for model in ["model.opml", "lenet.opml"] {
        for fault in ["random", "consistent", "at:0:7", "from:0:1:3"] {
            for how in ["", "--posted", "--arity 2 --seed 5", "--max-terms 1", "--max-terms 1000"] {
                let line = format!("dispute {model} -i picture.png --fault {fault} {how} --json");
                let report = folder.opml(&line).json(0);
                assert_eq!(report["winner"], "challenger", "{line}");
            }
        }
        let honest = folder.opml(&format!("dispute {model} -i picture.png --fault none")).exits(0);
        assert!(honest.starts_with("The claim is true; the challenge is false."), "{honest}");
        assert!(honest.contains("The submitter wins by claimTimeout."), "{honest}");
        let posted = folder.opml(&format!("dispute {model} -i picture.png --fault none --posted --json")).json(0);
        assert_eq!(posted["winner"], "submitter");
    }
}

fn reverted(data: Vec<u8>) -> String {
    words::of_refusal(&HostError::Revert { gas_used: 30_000, data: data.into() })
}

#[test]
fn refusals_of_the_contracts_have_names() {
    use alloy_sol_types::SolError as _;
    use opml_contracts::abi::{Dispute::NoContradiction, StepVerifier::MissingLeaf};

    assert_eq!(reverted(NoContradiction {}.abi_encode()), "NoContradiction()");
    let missing = MissingLeaf { index: alloy_primitives::U256::from(3), position: alloy_primitives::U256::from(70) };
    assert_eq!(reverted(missing.abi_encode()), "MissingLeaf(3, 70)");
    assert_eq!(reverted(vec![1, 2, 3]), "reverted after 30000 gas: 0x010203");
    assert_eq!(reverted(Vec::new()), "reverted after 30000 gas: 0x");
    assert!(Dispute::DisputeErrors::SELECTORS.len() > 30 && StepVerifier::StepVerifierErrors::SELECTORS.len() > 7);
}

/// One element that sums `terms` bytes, each from a 256-byte leaf of its own.
fn scattered(terms: u32) -> Task {
    let wide = terms * 256;
    let sum = Build::new(DType::I32, Reducer::Sum, &[1], &[terms])
        .load(Source::Constant(0), 0, &[fixed(wide, 0, &[(9, 256)])])
        .done();
    let bytes: Vec<i64> = (0..i64::from(wide)).map(|n| n % 251).collect();
    let constants = vec![Tensor::from_values(DType::U8, &bytes).unwrap()];
    let program = Program::new(vec![sum], constants, Vec::new(), 0, None).unwrap();
    Task { program, inputs: Vec::new(), max_t: 1, budget: 1 << 20, guard: Guard::default() }
}

#[test]
fn a_step_that_opens_too_much_is_cut() {
    // 300 leaves are more than a witness holds: the proof at once is given up, the walk goes on.
    let report = played(&scattered(300), "at:0:0", 16, 1, true);
    let calls: Vec<&str> = report.transactions.iter().map(|t| t.call).collect();
    let walk = ["challenge", "select", "revealHeader", "selectElement", "revealPartials", "proveSlice"];
    assert_eq!((report.winner, calls.as_slice()), ("challenger", walk.as_slice()));
    // The same where the policy alone asks for it.
    let fault = Some("at:0:0".parse().unwrap());
    let setup = Setup { arity: 16, seed: 1, fault, max_terms: 1 << 20, step_gas: u64::MAX, posted: false };
    assert_eq!(play(&scattered(300), &setup).unwrap().winner, "challenger");
}
