//! Batches and runs for the output alone against single runs that keep everything.

use opml_ops::{
    engine::Engine,
    lower::{self, Builder, Requant, Scale},
    tier::Tier,
};
use opml_vm::{
    DType, Program, Tensor,
    interpreter::{Run, Stop},
    testing::{Limits, conformance_cases, random_program},
};

/// Inputs with their elements shifted around.
fn variants(inputs: &[Tensor], count: usize) -> Vec<Vec<Tensor>> {
    let rotate = |tensor: &Tensor, by: usize| {
        let mut values = tensor.values();
        let length = values.len().max(1);
        values.rotate_left(by % length);
        Tensor::from_values(tensor.dtype(), &values).unwrap()
    };
    (0..count).map(|by| inputs.iter().map(|tensor| rotate(tensor, by)).collect()).collect()
}

fn compare(program: &Program, inputs: &[Tensor], stop: Stop, name: &str) {
    let budget = 1 << 32;
    for tier in Tier::supported() {
        let engine = Engine::compile_for(program, tier);
        for count in [0, 1, 3, 37] {
            let batch = variants(inputs, count);
            let single: Vec<Run> = batch.iter().map(|inputs| engine.run(inputs, stop, budget).unwrap()).collect();
            assert_eq!(engine.run_batch(&batch, stop, budget).unwrap(), single, "{name}, {count} at once");
            // Twice: the second time in memory that is used again.
            for _ in 0..2 {
                let outputs = engine.run_outputs(&batch, stop, budget).unwrap();
                assert_eq!(outputs.len(), count);
                for (output, run) in outputs.iter().zip(&single) {
                    assert_eq!(output.length, run.length, "{name}");
                    assert_eq!(Some(&output.tensor), run.output(program), "{name}");
                }
            }
        }
    }
}

#[test]
fn conformance() {
    for case in conformance_cases() {
        compare(&case.program, &case.inputs, Stop::Halt { max: case.max_t }, &case.name);
    }
}

/// One weight vector, so that the computed operand lies in the columns and each run has columns of its own.
#[test]
fn computed_columns() {
    for (rows, terms, outputs) in [(16, 40, 1), (33, 7, 1), (9, 64, 3)] {
        let mut builder = Builder::new();
        let x = builder.input(DType::I16, &[rows, terms]);
        let weights: Vec<i64> = (0..terms * outputs).map(|n| n * 37 % 251 - 125).collect();
        let requant = Requant {
            dtype: DType::I32,
            scale: Scale { multipliers: vec![3], shift: 2 },
            zero_point: 0,
            low: DType::I32.min(),
            high: DType::I32.max(),
        };
        lower::dense(&mut builder, &x, (DType::I8, &weights), &[7], None, &requant).unwrap();
        let program = builder.finish().unwrap();
        let values: Vec<i64> = (0..rows * terms).map(|n| n * 7919 % 65_521 - 32_760).collect();
        let input = Tensor::from_values(DType::I16, &values).unwrap();
        compare(&program, &[input], Stop::Exactly(1), &format!("{rows} rows of {terms}"));
    }
}

#[test]
fn random_programs() {
    for seed in 50_000..50_150 {
        let (program, inputs, max_t) = random_program(seed, &Limits::default());
        compare(&program, &inputs, Stop::Halt { max: max_t }, &format!("seed {seed}"));
        compare(&program, &inputs, Stop::Exactly(max_t), &format!("seed {seed}"));
    }
}

#[test]
fn memory_is_used_again_across_runs_and_threads() {
    let limits = Limits { instructions: 8, max_t: 3, elements: 40_000, work: 400_000 };
    for seed in 60_000..60_020 {
        let (program, inputs, max_t) = random_program(seed, &limits);
        let engine = Engine::compile(&program);
        let expected = engine.run(&inputs, Stop::Exactly(max_t), 1 << 32).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..3 {
                        let output = engine.run_output(&inputs, Stop::Exactly(max_t), 1 << 32).unwrap();
                        assert_eq!(Some(&output.tensor), expected.output(&program), "seed {seed}");
                    }
                });
            }
        });
    }
}

#[test]
fn the_first_input_that_does_not_fit_is_the_error() {
    let (program, inputs, max_t) = random_program(3, &Limits::default());
    let engine = Engine::compile(&program);
    let stop = Stop::Exactly(max_t);
    let too_many = [inputs.as_slice(), &[Tensor::empty()]].concat();
    let expected = engine.run(&too_many, stop, 1 << 32).unwrap_err();
    let batch = [inputs.as_slice(), &too_many];
    assert_eq!(engine.run_batch(&batch, stop, 1 << 32).unwrap_err(), expected);
    assert_eq!(engine.run_outputs(&batch, stop, 1 << 32).unwrap_err(), expected);
    assert_eq!(engine.run_output(&too_many, stop, 1 << 32).unwrap_err(), expected);
    let short = engine.run(&inputs, stop, 0).unwrap_err();
    assert_eq!(engine.run_output(&inputs, stop, 0).unwrap_err(), short);
}
