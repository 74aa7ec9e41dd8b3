//! Lying traces: the first difference from the honest run can always be proved, against the liar's own tree.

use opml_vm::{
    DType, Tensor, Trace,
    interpreter::{Run, Stop, run_tampered},
    step::Job,
    testing::Rng,
    witness::Question,
};
use proptest::prelude::*;

use crate::setup::{Setup, config};

/// Another value of the type.
fn other(dtype: DType, value: i64, rng: &mut Rng) -> i64 {
    let drawn = dtype.saturate(rng.value());
    if drawn != value {
        return drawn;
    }
    if value == dtype.max() { value - 1 } else { value + 1 }
}

fn with_element(tensor: &Tensor, e: u64, value: i64) -> Tensor {
    let mut values = tensor.values();
    values[usize::try_from(e).unwrap()] = value;
    Tensor::from_values(tensor.dtype(), &values).expect("in range")
}

/// A value with an element, if there is one.
fn cell(setup: &Setup, rng: &mut Rng) -> Option<(u64, u32, u64)> {
    let places: Vec<(u64, u32)> =
        setup.places().into_iter().filter(|&(t, i)| setup.value(t, i).elements() > 0).collect();
    let &(t, i) = places.get(rng.index(places.len()))?;
    Some((t, i, rng.below(setup.value(t, i).elements())))
}

/// Proves the honest value of a cell against the liar's trace root.
fn proved(setup: &Setup, lie: &Trace, (t, i, e): (u64, u32, u64)) -> i64 {
    let nodes = |level, index| lie.tree().node(level, index);
    let openings = setup.openings();
    let witness = openings.witness_under(t, i, Question::Element { e }, &nodes);
    let job = Job { trace_root: lie.root(), ..setup.job(t, i) };
    job.element(e, setup.encoding(i), &witness.expect("a small reduction")).expect("operands agree")
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn one_changed_element_is_proved(seed: u64) {
        let (setup, mut rng) = (Setup::random(seed), Rng::new(seed));
        let Some((t, i, e)) = cell(&setup, &mut rng) else { return Ok(()) };
        let honest = setup.value(t, i).get(e).unwrap();
        let claimed = other(setup.value(t, i).dtype(), honest, &mut rng);
        let mut run = setup.trace.run().clone();
        let leaf = usize::try_from(setup.trace.leaf(t, i).unwrap()).unwrap();
        run.values[leaf] = with_element(&run.values[leaf], e, claimed);
        let lie = Trace::new(&setup.program, run);
        prop_assert_ne!(lie.root(), setup.trace.root());
        prop_assert_eq!(proved(&setup, &lie, (t, i, e)), honest);
    }

    #[test]
    fn the_first_difference_of_a_consistent_liar_is_proved(seed: u64) {
        let (setup, mut rng) = (Setup::random(seed), Rng::new(seed));
        let Some((t, i, e)) = cell(&setup, &mut rng) else { return Ok(()) };
        let honest = setup.value(t, i).get(e).unwrap();
        let claimed = other(setup.value(t, i).dtype(), honest, &mut rng);
        let mut hook = |at: u64, number: u32, value: &mut Tensor| {
            if (at, number) == (t, i) {
                *value = with_element(value, e, claimed);
            }
        };
        let stop = Stop::Exactly(setup.trace.length());
        let run: Run = run_tampered(&setup.program, &setup.inputs, stop, 1 << 20, &mut hook).expect("as long as the honest run");
        let lie = Trace::new(&setup.program, run);
        let first = setup.places().into_iter().find(|&(t, i)| lie.value(lie.leaf(t, i).unwrap()) != Some(setup.value(t, i)));
        prop_assert_eq!(first, Some((t, i)));
        prop_assert_eq!(proved(&setup, &lie, (t, i, e)), honest);
    }

    #[test]
    fn rule_05_shapes_are_the_honest_headers(seed: u64) {
        let (setup, mut rng) = (Setup::random(seed), Rng::new(seed));
        let places = setup.places();
        let (t, i) = places[rng.index(places.len())];
        let (encoding, siblings) = setup.openings().instruction(i).map(|(e, s)| (e.to_vec(), s)).unwrap();
        let shape = setup.job(t, i).shape(&encoding, siblings.as_flattened()).unwrap();
        let honest = setup.value(t, i);
        prop_assert_eq!((shape.dtype, shape.elements), (honest.dtype(), honest.elements()));
    }
}

#[test]
fn rule_01_a_self_reading_program_has_exactly_one_trace() {
    // Whatever the liar writes as the value that reads itself, the step gives the pad.
    for name in ["iterations/self", "iterations/mutual", "iterations/history-now-self"] {
        let (setup, _) = Setup::case(name);
        for claimed in [-8, -6, 0, i64::MAX] {
            let mut run = setup.trace.run().clone();
            for value in &mut run.values {
                *value = Tensor::from_values(value.dtype(), &[claimed]).unwrap();
            }
            let lie = Trace::new(&setup.program, run);
            assert_eq!(proved(&setup, &lie, (0, 0, 0)), -7, "{name}");
        }
    }
}
