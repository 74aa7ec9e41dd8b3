//! What a submitter is told that a dispute can cost, against disputes that are played.

use opml_contracts::costs;
use opml_prover::{
    chain::tier,
    dispute::{Setup, play},
    fixtures::MLP,
    import,
    model::Guard,
    outlook::Outlook,
    task::Task,
};
use opml_vm::interpreter::Stop;

#[test]
fn no_dispute_asks_more_of_a_submitter_than_it_was_told() {
    let program = import::fixture(&MLP).unwrap().program;
    let task =
        Task { program, inputs: vec![MLP.picture(0).unwrap()], max_t: 1, budget: 1 << 20, guard: Guard::default() };
    let run =
        opml_ops::engine::Engine::compile(&task.program).run(&task.inputs, Stop::Halt { max: 1 }, 1 << 20).unwrap();
    let output = run.output(&task.program).unwrap().bytes().len();
    let mut worst = 0;
    for arity_log2 in 1..=6_u8 {
        let claim = opml_bisection::Claim {
            instructions: task.program.counts().instructions,
            output_at: task.program.output(),
            halt_at: None,
            max_length: 1,
            length: 1,
            output: [0; 32],
            arity_log2: arity_log2.into(),
        };
        let told = Outlook::of(&task.program, &claim, &tier(arity_log2), output, 3);
        assert_eq!(told.wei, (3 * told.gas).to_string());
        for (fault, seed) in [("at:0:15", 1), ("at:0:31", 2), ("at:1:9", 1), ("random", 5), ("none", 1)] {
            let fault = (fault != "none").then(|| fault.parse().unwrap());
            // The challenger goes down to a single term.
            let setup = Setup { arity: 1 << arity_log2, seed, fault, max_terms: 1, step_gas: u64::MAX, posted: false };
            let report = play(&task, &setup).unwrap();
            let own: Vec<_> = report.transactions.iter().filter(|sent| sent.who == "submitter").collect();
            assert!(own.len() <= usize::try_from(told.moves).unwrap(), "{own:?}");
            for sent in &own {
                let most = match sent.call {
                    "openTrace" => costs::OPEN,
                    "claimTimeout" => costs::TIMEOUT,
                    _ => costs::of_move(arity_log2),
                };
                assert!(sent.gas <= most, "arity {}: {} gas, {most} told: {sent:?}", 1 << arity_log2, sent.gas);
            }
            let gas: u64 = own.iter().map(|sent| sent.gas).sum();
            assert!(gas <= told.gas, "arity {}: {gas} of {}", 1 << arity_log2, told.gas);
            worst = worst.max(100 * gas / told.gas);
        }
    }
    // It is not told of sums that no dispute comes near.
    assert!(worst >= 40, "{worst} %");
}
