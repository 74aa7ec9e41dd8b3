//! One encoding per instruction; whatever is not one is refused.

use opml_vm::{
    Counts, DecodeError,
    codec::{decode, encode},
    step::{MALFORMED, shape_of},
    testing::{Build, conformance_cases, fixed, random_encoding},
};
use opml_vm::{DType, Opcode, Reducer, Source, Term};
use proptest::prelude::*;

use crate::setup::{Setup, config};

const COUNTS: Counts = Counts { instructions: 2, constants: 1, inputs: 1 };

/// Everything that decodes must encode to the very same bytes.
fn canonical(bytes: &[u8], counts: &Counts) {
    match decode(bytes, counts) {
        Ok(instruction) => assert_eq!(encode(&instruction, counts).as_deref(), Ok(bytes)),
        Err(_) => assert_eq!(shape_of(bytes, counts, 7), MALFORMED),
    }
}

/// An instruction with every kind of field.
fn sample() -> Vec<u8> {
    let history = Source::History { instruction: 1, base: -1, terms: vec![Term { slot: 0, coef: 1 }] };
    let build = Build::new(DType::I8, Reducer::Max, &[3], &[2])
        .dynamic(1, 1, 4)
        .output(0)
        .constants(&[9])
        .load(history, -3, &[fixed(4, 0, &[(1, 1), (9, -2)])])
        .op(Opcode::Clamp, [19, 18, 0])
        .post(Opcode::Abs, [17, 0, 0]);
    encode(&build.done(), &COUNTS).expect("well-formed")
}

#[test]
fn conformance_programs_round_trip() {
    for case in conformance_cases() {
        let counts = case.program.counts();
        for (instruction, encoding) in case.program.instructions().iter().zip(case.program.encodings()) {
            assert_eq!(decode(encoding, &counts).as_ref(), Ok(instruction), "{}", case.name);
            assert_eq!(encode(instruction, &counts).as_ref(), Ok(encoding), "{}", case.name);
        }
    }
}

#[test]
fn rule_14_every_change_of_one_byte_is_canonical_or_malformed() {
    let bytes = sample();
    for at in 0..bytes.len() {
        for value in 0..=255 {
            let mut changed = bytes.clone();
            changed[at] = value;
            canonical(&changed, &COUNTS);
        }
    }
}

#[test]
fn rule_14_every_other_length_is_refused() {
    let bytes = sample();
    for cut in 0..bytes.len() {
        assert!(matches!(decode(&bytes[..cut], &COUNTS), Err(DecodeError::Length { .. })), "{cut}");
    }
    for more in [1, 4, 16] {
        let long: Vec<u8> = bytes.iter().copied().chain(vec![0; more]).collect();
        let error = DecodeError::Length { actual: bytes.len() + more, needed: bytes.len() };
        assert_eq!(decode(&long, &COUNTS), Err(error));
    }
    assert!(decode(&[0; 5_000], &COUNTS).is_err());
}

#[test]
fn rule_14_what_is_not_minimal_is_refused() {
    let bytes = sample();
    // 8 header, 3 extents, 1 dynamic, 1 constant; then the load: head at 44, iteration word at 60, axis at 92.
    let head = 8 + 3 * 4 + 16 + 8;
    let (iteration, axis) = (head + 16, head + 48);
    let with = |changes: &[(usize, u8)]| {
        let mut changed = bytes.clone();
        for &(at, value) in changes {
            changed[at] = value;
        }
        decode(&changed, &COUNTS)
    };
    assert!(with(&[]).is_ok());
    assert_eq!(with(&[(head + 3, 1)]), Err(DecodeError::NotZero("byte 3 of a load")));
    assert_eq!(with(&[(iteration + 11, 1)]), Err(DecodeError::NotZero("extent of an iteration word")));
    assert!(with(&[(iteration + 8, 128)]).is_err(), "a dynamic extent in the iteration word");
    let terms = axis + 12;
    assert_eq!(
        with(&[(terms + 10, 1)]),
        Err(DecodeError::NotZero("slot of an index term without coefficient")),
        "a slot without coefficient"
    );
    assert_eq!(
        with(&[(terms + 19, 1)]),
        Err(DecodeError::NotZero("index term before a used one")),
        "a used term after an empty one"
    );
    assert_eq!(with(&[(terms + 14, 1)]).map(|_| ()), Ok(()), "a third term");
    assert_eq!(with(&[(terms + 14, 1), (terms + 10, 19)]), Err(DecodeError::Operand { slot: 19, operand: 19 }));
    let clamp = axis + 32;
    assert!(matches!(with(&[(clamp + 3, 20)]), Err(DecodeError::Operand { slot: 20, operand: 20 })));
    let abs = clamp + 4;
    assert_eq!(with(&[(abs + 2, 1)]), Err(DecodeError::NotZero("operand past the arity")));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn random_programs_round_trip(seed: u64) {
        let setup = Setup::random(seed);
        for (instruction, encoding) in setup.program.instructions().iter().zip(setup.program.encodings()) {
            assert_eq!(decode(encoding, &setup.counts()).as_ref(), Ok(instruction));
            assert_eq!(encode(instruction, &setup.counts()).as_ref(), Ok(encoding));
        }
    }

    #[test]
    fn rule_14_bytes_near_encodings_are_canonical_or_malformed(seed: u64) {
        for seed in (0..16).map(|n| seed.wrapping_add(n)) {
            let (bytes, counts) = random_encoding(seed);
            canonical(&bytes, &counts);
        }
    }

    #[test]
    fn rule_14_random_bytes_are_canonical_or_malformed(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        canonical(&bytes, &COUNTS);
        // A plausible header lets the rest be reached.
        let mut plausible = bytes;
        for (byte, limit) in plausible.iter_mut().zip([5, 4, 3, 3, 4, 6, 4, 3]) {
            *byte %= limit;
        }
        canonical(&plausible, &COUNTS);
    }
}
