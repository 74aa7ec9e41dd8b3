//! The conformance cases, run by the interpreter.

use std::collections::BTreeSet;

use opml_vm::{
    interpreter::{Stop, run},
    model_file,
    testing::{Case, build_cases, conformance_cases},
};

#[test]
fn cases_are_well_formed_and_named_once() {
    let cases = build_cases().expect("every case is a program");
    assert_eq!(cases, conformance_cases());
    assert!(cases.len() > 150, "{}", cases.len());
    let mut names = BTreeSet::new();
    for case in &cases {
        assert!(names.insert(&case.name), "{} occurs twice", case.name);
    }
    assert!(cases.iter().all(|case| case.expected.is_some()));
}

#[test]
fn the_interpreter_gives_the_expected_outputs() {
    let mut wrong = Vec::new();
    for Case { name, program, inputs, max_t, expected } in conformance_cases() {
        let run = run(&program, &inputs, Stop::Halt { max: max_t }, 1 << 20).expect("a run");
        let output = run.output(&program).expect("an output").values();
        if Some(&output) != expected.as_ref() {
            wrong.push(format!("{name}: {output:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn cases_survive_the_model_file() {
    for case in conformance_cases() {
        assert_eq!(model_file::read(&model_file::write(&case.program)), Ok(case.program), "{}", case.name);
    }
}
