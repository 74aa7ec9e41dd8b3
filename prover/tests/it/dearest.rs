//! What the last step of a dispute of the perceptron costs at most.
//!
//! It is a proof of a slice that crosses borders of 256-byte leaves both in the picture and in the row of weights: four leaves are opened.
//! That happens around the terms 256, 512 and 768 of the rows 16·n − 2 to 16·n + 1. The rest is how many bytes of calldata are 0.

use opml_prover::{
    dispute::{STEP_GAS, Setup, play},
    fixtures::MLP,
    import,
    model::Guard,
    task::Task,
};
use opml_vm::{DType, Tensor};

/// For any picture; with partials in as few bytes as they need.
const MOST: u64 = 110_000;
/// The pictures whose proofs are the dearest of all samples.
const DEAREST: [usize; 4] = [69, 81, 126, 212];
/// Seeds whose wrong term is in the slice around 256, 512, 768.
const SEEDS: [u64; 3] = [11, 2, 1];

#[test]
fn the_last_step_of_a_perceptron_stays_below_110_000_gas() {
    let program = import::fixture(&MLP).unwrap().program;
    // and one without a 0
    let white = Tensor::from_values(DType::U8, &[255; 784]).unwrap();
    let pictures = DEAREST.map(|index| (format!("picture {index}"), MLP.picture(index).unwrap()));
    let cases = pictures.into_iter().chain([("white".to_owned(), white)]);
    let found: Vec<(String, u64, u64, u64)> = cases
        .map(|(name, picture)| {
            let task = Task {
                program: program.clone(),
                inputs: vec![picture],
                max_t: 1,
                budget: 1 << 20,
                guard: Guard::default(),
            };
            let rows = [14, 15, 16, 30, 31, 32, 46, 47, 48];
            let cells = rows.into_iter().flat_map(|row| SEEDS.map(|seed| (row, seed)));
            let dearest = cells.map(|(row, seed)| {
                let fault = Some(format!("at:0:{row}").parse().unwrap());
                let report =
                    play(&task, &Setup { arity: 16, seed, fault, max_terms: 64, step_gas: STEP_GAS, posted: false })
                        .unwrap();
                assert_eq!(report.end, "proveSlice", "{name}, row {row}, seed {seed}");
                (report.gas_last_step, row, report.fault.unwrap().term.unwrap())
            });
            let (gas, row, term) = dearest.max().unwrap();
            (name, row, term, gas)
        })
        .collect();
    insta::assert_debug_snapshot!(found);
    assert!(found.iter().all(|&(.., gas)| gas <= MOST), "{found:?}");
}
