//! Steps verified from openings give what the interpreter computed; refused questions are refused by name.

use opml_vm::{
    Reducer, StepError,
    eval::{combine_all, empty, finish},
    step::{Job, Shape},
    testing::{Case, Rng, conformance_cases},
    witness::{Openings, Question},
};
use proptest::prelude::*;

use crate::setup::{Setup, config, holds};

/// Cuts `0..terms` at random places.
fn cuts(rng: &mut Rng, terms: u64) -> Vec<(u64, u64)> {
    let mut parts = Vec::new();
    let mut from = 0;
    while from < terms {
        let to = from + 1 + rng.below(terms - from);
        parts.push((from, to));
        from = to;
    }
    parts
}

/// Element, slices and post of one element against the honest value.
fn prove(setup: &Setup, openings: &Openings<'_>, (t, i, e): (u64, u32, u64), rng: &mut Rng) {
    let (job, encoding) = (setup.job(t, i), setup.encoding(i));
    let shape = shape(setup, openings, t, i);
    let value = setup.value(t, i).get(e).expect("an element");
    if let Some(witness) = openings.witness(t, i, Question::Element { e }) {
        assert_eq!(job.element(e, encoding, &witness), Ok(value));
    }
    let parts = cuts(rng, shape.terms);
    let partials: Vec<i128> = parts
        .iter()
        .map(|&(k0, k1)| {
            let witness = openings.witness(t, i, Question::Slice { e, k0, k1 }).expect("a witness");
            job.slice(e, k0, k1, encoding, &witness).expect("an honest slice")
        })
        .collect();
    let acc = combine_all(shape.reducer, &partials);
    let witness = openings.witness(t, i, Question::Post { e, acc: acc.unwrap_or(0) }).expect("a witness");
    let post = job.post(e, acc.unwrap_or(0), encoding, &witness);
    assert_eq!(post, acc.map(|_| value).ok_or(StepError::EmptyReduction));
}

fn shape(setup: &Setup, openings: &Openings<'_>, t: u64, i: u32) -> Shape {
    let (encoding, siblings) = openings.instruction(i).expect("an instruction");
    setup.job(t, i).shape(encoding, siblings.as_flattened()).expect("honest siblings")
}

fn prove_some(setup: &Setup, seed: u64, step: usize) {
    let (openings, mut rng) = (setup.openings(), Rng::new(seed));
    for (t, i) in setup.places() {
        let value = setup.value(t, i);
        let shape = shape(setup, &openings, t, i);
        assert_eq!((shape.dtype, shape.elements), (value.dtype(), value.elements()));
        for e in (0..value.elements()).step_by(step) {
            prove(setup, &openings, (t, i, e), &mut rng);
        }
    }
}

#[test]
fn every_element_of_the_conformance_cases() {
    for (seed, Case { program, inputs, max_t, .. }) in (0..).zip(conformance_cases()) {
        let large = program.constants().iter().any(|c| c.elements() > 100);
        prove_some(&Setup::new(program, inputs, max_t), seed, if large { 7 } else { 1 });
    }
}

/// A reduction of five terms and its `post`, as last instruction at the last iteration.
fn sample() -> (Setup, Job) {
    let (setup, _) = Setup::case("reduce/sum-just-inside");
    let job = setup.job(0, 0);
    (setup, job)
}

#[test]
fn rule_02_elements_and_slices_outside_are_refused() {
    let (setup, job) = sample();
    let (openings, encoding) = (setup.openings(), setup.encoding(0));
    let element = openings.witness(0, 0, Question::Element { e: 0 }).unwrap();
    assert_eq!(job.element(0, encoding, &element), Ok(0));
    assert_eq!(job.element(1, encoding, &element), Err(StepError::Element { e: 1, elements: 1 }));
    assert_eq!(job.element(u64::MAX, encoding, &element), Err(StepError::Element { e: u64::MAX, elements: 1 }));
    assert_eq!(job.post(1, 0, encoding, &element), Err(StepError::Element { e: 1, elements: 1 }));
    for (k0, k1) in [(0, 6), (5, 6), (2, 2), (3, 2), (0, 0), (0, u64::MAX), (u64::MAX, 1)] {
        let refused = StepError::Slice { k0, k1, terms: 5 };
        assert_eq!(job.slice(0, k0, k1, encoding, &element), Err(refused));
    }
    assert!(job.slice(0, 0, 5, encoding, &element).is_ok());
}

#[test]
fn rule_29_steps_outside_the_trace_are_refused() {
    let (setup, job) = sample();
    let (openings, encoding) = (setup.openings(), setup.encoding(0));
    let element = openings.witness(0, 0, Question::Element { e: 0 }).unwrap();
    let wide = (1 << 40) / u64::from(job.counts.instructions) + 1;
    let outside = [
        Job { t: 1, ..job },
        Job { instruction: 1, ..job },
        Job { length: 0, ..job },
        Job { length: wide, ..job },
        Job { length: u64::MAX, ..job },
    ];
    for job in outside {
        assert_eq!(job.element(0, encoding, &element), Err(StepError::OutsideTrace));
        assert_eq!(job.shape(encoding, &[]), Err(StepError::OutsideTrace));
    }
    assert_eq!(openings.witness(1, 0, Question::Element { e: 0 }), None);
    assert_eq!(openings.witness(0, 1, Question::Element { e: 0 }), None);
}

#[test]
fn rule_05_the_shape_is_that_of_the_header() {
    let (setup, _) = Setup::case("extents/shrinks-to-zero");
    let elements: Vec<u64> = (0..4).map(|t| shape(&setup, &setup.openings(), t, 0).elements).collect();
    assert_eq!(elements, [2, 1, 0, 0]);
    assert!(setup.places().iter().all(|&(t, i)| setup.value(t, i).elements() == elements[usize::try_from(t).unwrap()]));
}

#[test]
fn rule_14_a_malformed_instruction_is_the_empty_tensor() {
    let (setup, job) = sample();
    let encoding = [7; 20];
    let program_root = opml_vm::merkle::instruction_hash(&encoding);
    let job = Job { program_root, ..job };
    let shape = job.shape(&encoding, &[]).expect("any bytes have a shape");
    assert_eq!((shape.dtype.code(), shape.elements, shape.terms, shape.reducer), (4, 0, 0, Reducer::Sum));
    let nothing = [0; 3];
    assert_eq!(job.element(0, &encoding, &nothing), Err(StepError::Element { e: 0, elements: 0 }));
    assert_eq!(job.slice(0, 0, 1, &encoding, &nothing), Err(StepError::Element { e: 0, elements: 0 }));
    assert_eq!(job.post(0, 0, &encoding, &nothing), Err(StepError::Element { e: 0, elements: 0 }));
    assert_eq!(setup.counts().instructions, 1);
}

#[test]
fn rule_24_partials_are_exact_and_saturate_once() {
    let (setup, _) = Setup::case("reduce/sum-back-inside");
    let (openings, job) = (setup.openings(), setup.job(0, 0));
    let slice = |k0, k1| {
        let witness = openings.witness(0, 0, Question::Slice { e: 0, k0, k1 }).unwrap();
        job.slice(0, k0, k1, setup.encoding(0), &witness).unwrap()
    };
    assert_eq!(slice(0, 2), 2 * i128::from(i64::MAX));
    assert_eq!(slice(2, 3), i128::from(i64::MIN));
    assert_eq!(finish(Reducer::Sum, slice(0, 2) + slice(2, 3)), i64::MAX - 1);
}

#[test]
fn rule_21_ties_across_slices_go_to_the_first_term() {
    for (name, expected) in
        [("reduce/argmax-first-of-ties", 1), ("reduce/argmax-negative", 1), ("reduce/axes-argmax-tie", 2)]
    {
        let (setup, _) = Setup::case(name);
        let (openings, job) = (setup.openings(), setup.job(0, 0));
        let terms = shape(&setup, &openings, 0, 0).terms;
        for cut in 1..terms {
            let slice = |k0, k1| {
                let witness = openings.witness(0, 0, Question::Slice { e: 0, k0, k1 }).unwrap();
                job.slice(0, k0, k1, setup.encoding(0), &witness).unwrap()
            };
            let acc = combine_all(Reducer::Argmax, &[slice(0, cut), slice(cut, terms)]).unwrap();
            assert_eq!(finish(Reducer::Argmax, acc), expected, "{name} cut at {cut}");
        }
    }
    // term · 2^32 + 2^32 − 1 − k
    let (setup, _) = Setup::case("reduce/argmax-negative");
    let witness = setup.openings().witness(0, 0, Question::Slice { e: 0, k0: 1, k1: 3 }).unwrap();
    let partial = setup.job(0, 0).slice(0, 1, 3, setup.encoding(0), &witness);
    assert_eq!(partial, Ok(-2 * (1 << 32) + (1 << 32) - 1 - 1));
}

#[test]
fn rule_25_an_empty_reduction_has_an_element_but_no_partial() {
    for &reducer in Reducer::ALL {
        let (setup, expected) = Setup::case(&format!("reduce/{}-empty", reducer.name()));
        assert_eq!(expected, [empty(reducer); 2]);
        let (openings, job) = (setup.openings(), setup.job(0, 0));
        let witness = openings.witness(0, 0, Question::Element { e: 1 }).unwrap();
        assert_eq!(job.element(1, setup.encoding(0), &witness), Ok(empty(reducer)));
        assert_eq!(job.post(1, 0, setup.encoding(0), &witness), Err(StepError::EmptyReduction));
        let refused = StepError::Slice { k0: 0, k1: 1, terms: 0 };
        assert_eq!(job.slice(1, 0, 1, setup.encoding(0), &witness), Err(refused));
    }
}

#[test]
fn rule_01_only_strictly_earlier_values_are_read() {
    for name in ["self", "self-later", "forward", "mutual", "history-now-self", "history-now-forward", "next"] {
        holds(&format!("iterations/{name}"));
    }
}

#[test]
fn rule_16_positions_are_compared_with_the_elements() {
    holds("loads/view-larger-than-tensor");
    holds("loads/past-the-elements");
}

#[test]
fn rule_17_views_have_the_extents_of_the_iteration_read() {
    for name in ["view-of-previous", "view-of-two-back", "square-view-of-previous", "view-shrinks-value-grows"] {
        holds(&format!("iterations/{name}"));
    }
}

#[test]
fn rule_18_extents_and_indices_are_exact() {
    for name in
        ["lowest-a", "highest-a", "highest-a-lowest-b", "fast-up", "fast-down", "starts-negative", "grows-to-cap"]
    {
        holds(&format!("extents/{name}"));
    }
    for name in ["coefficient-extremes", "cancels", "no-wrap", "four-extremes"] {
        holds(&format!("loads/gather-{name}"));
    }
    for name in ["position-far", "position-wraps", "position-huge-view", "extreme-base", "extreme-base-high"] {
        holds(&format!("loads/{name}"));
    }
}

#[test]
fn rule_26_nibbles_are_low_first_and_end_at_the_odd_element() {
    for name in ["low-nibble-first", "one", "past-odd-end", "empty"] {
        holds(&format!("types/i4-{name}"));
    }
    holds("types/leaf-boundary-i4");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn random_programs_are_proved_element_by_element(seed: u64) {
        prove_some(&Setup::random(seed), seed, 5);
    }
}
