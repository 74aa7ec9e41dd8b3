//! The model file: one file per program, and a typed refusal for everything else.

use opml_vm::{
    DType, InputHeader, ModelError, Opcode, Program, Source, Tensor, TensorError,
    model_file::{MAGIC, read, write},
    testing::{Build, Rng, fixed},
};
use proptest::prelude::*;

use crate::setup::{Setup, config};

/// A model with everything in it: 5 + 20 header bytes, one input, two instructions, two constants.
fn sample() -> Program {
    let first = Build::each(DType::I16, &[3]).load(Source::Constant(1), 0, &[fixed(3, 0, &[(1, 1)])]);
    let second = Build::each(DType::U8, &[3]).load(Source::Input(0), 0, &[]).op(Opcode::Abs, [18, 0, 0]);
    let constants = vec![Tensor::saturating(DType::I64, &[-1]), Tensor::saturating(DType::I4, &[1, -2, 3])];
    let inputs = vec![InputHeader { dtype: DType::I8, elements: 4 }];
    Program::new(vec![first.done(), second.done()], constants, inputs, 1, Some(0)).expect("well-formed")
}

/// A file of the given counts and body.
fn file(counts: [u32; 5], body: &[u8]) -> Vec<u8> {
    let counts: Vec<u8> = counts.iter().flat_map(|count| count.to_be_bytes()).collect();
    [&MAGIC[..], &counts, body].concat()
}

/// One plain instruction, length first.
fn instruction() -> Vec<u8> {
    let encoding = [4, 0, 0, 0, 0, 1, 0, 0, 7, 0, 0, 0];
    [&12u32.to_be_bytes()[..], &encoding].concat()
}

const NO_HALT: u32 = u32::MAX;

#[test]
fn the_layout_is_the_specified_one() {
    let program = sample();
    let mut expected = Vec::from(*b"opML\x01");
    for count in [2u32, 2, 1, 1, 0] {
        expected.extend(count.to_be_bytes());
    }
    expected.extend([1, 0, 0, 0, 0, 0, 0, 0, 4]);
    for encoding in program.encodings() {
        expected.extend(u32::try_from(encoding.len()).unwrap().to_be_bytes());
        expected.extend(encoding);
    }
    expected.extend([4, 0, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255, 255, 255, 255, 255]);
    expected.extend([5, 0, 0, 0, 0, 0, 0, 0, 3, 0xe1, 0x03]);
    assert_eq!(write(&program), expected);
    assert_eq!(read(&expected), Ok(program));
}

#[test]
fn every_truncation_is_refused() {
    let bytes = write(&sample());
    for cut in 0..bytes.len() {
        let error = read(&bytes[..cut]);
        assert!(matches!(error, Err(ModelError::Truncated { at, .. }) if at == cut), "{cut}: {error:?}");
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let mut bytes = write(&sample());
    bytes.extend([0, 0]);
    assert_eq!(read(&bytes), Err(ModelError::Trailing(2)));
}

#[test]
fn magic_and_version() {
    let mut bytes = write(&sample());
    for (at, value) in [(0, b'O'), (4, 0), (4, 2)] {
        let old = bytes[at];
        bytes[at] = value;
        assert!(matches!(read(&bytes), Err(ModelError::Magic(_))));
        bytes[at] = old;
    }
    assert!(matches!(read(b"opML\x02"), Err(ModelError::Magic([.., 2]))));
    assert!(matches!(read(b""), Err(ModelError::Truncated { at: 0, .. })));
}

#[test]
fn every_flipped_bit_gives_another_model_or_an_error() {
    let program = sample();
    let bytes = write(&program);
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            if let Ok(other) = read(&changed) {
                assert_ne!(other, program, "byte {at}, bit {bit}");
                assert_eq!(write(&other), changed, "byte {at}, bit {bit}");
                assert_ne!(other.roots().model, program.roots().model, "byte {at}, bit {bit}");
            }
        }
    }
}

#[test]
fn rule_29_counts_and_numbers_are_in_range() {
    let count = |counts| match read(&file(counts, &instruction())) {
        Err(ModelError::Count { field, value, .. }) => Some((field, value)),
        Ok(_) => None,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(count([1, 0, 0, 0, NO_HALT]), None);
    assert_eq!(count([1, 0, 0, 0, 0]), None);
    assert_eq!(count([0, 0, 0, 0, NO_HALT]), Some(("instructions", 0)));
    assert_eq!(count([(1 << 24) + 1, 0, 0, 0, NO_HALT]), Some(("instructions", (1 << 24) + 1)));
    assert_eq!(count([u32::MAX, 0, 0, 0, NO_HALT]), Some(("instructions", u64::from(u32::MAX))));
    assert_eq!(count([1, 0, 0, 1, NO_HALT]), Some(("output instruction", 1)));
    assert_eq!(count([1, 0, 0, 0, 1]), Some(("halt instruction", 1)));
    assert_eq!(count([1, 0, 0, 0, NO_HALT - 1]), Some(("halt instruction", u64::from(NO_HALT) - 1)));
}

#[test]
fn counts_past_the_file_end_soon_and_reserve_nothing() {
    for counts in [
        [1, u32::MAX, 0, 0, NO_HALT],
        [1, 0, u32::MAX, 0, NO_HALT],
        [1 << 24, 0, 0, 0, NO_HALT],
        [1 << 24, u32::MAX, u32::MAX, 0, NO_HALT],
    ] {
        assert!(matches!(read(&file(counts, &instruction())), Err(ModelError::Truncated { at: 41, .. })));
    }
    // An instruction, and a constant, that claim more bytes than there are.
    let long = file([1, 0, 0, 0, NO_HALT], &[0xff; 4]);
    assert_eq!(read(&long), Err(ModelError::Truncated { at: 29, place: "instruction 0".into() }));
    for (code, elements, refused) in
        [(4u8, 1u64 << 40, false), (0, 1 << 40, false), (4, (1 << 40) + 1, true), (5, u64::MAX, true)]
    {
        let body = [&instruction()[..], &[code], &elements.to_be_bytes()].concat();
        let expected = if refused {
            ModelError::Constant { index: 0, error: TensorError::Elements(elements) }
        } else {
            ModelError::Truncated { at: 50, place: "constant 0".into() }
        };
        assert_eq!(read(&file([1, 1, 0, 0, NO_HALT], &body)), Err(expected));
    }
}

#[test]
fn types_and_sizes_of_tensors() {
    let input = |code: u8, elements: u64| {
        let body = [&[code][..], &elements.to_be_bytes(), &instruction()].concat();
        read(&file([1, 0, 1, 0, NO_HALT], &body))
    };
    assert!(input(4, 1 << 40).is_ok());
    assert!(matches!(input(4, (1 << 40) + 1), Err(ModelError::Count { field: "input elements", .. })));
    for code in [5, 6, 255] {
        assert_eq!(input(code, 1), Err(ModelError::DType { place: "input 0".into(), code }));
    }
    let constant = |code: u8, elements: u64, bytes: &[u8]| {
        let body = [&instruction()[..], &[code], &elements.to_be_bytes(), bytes].concat();
        read(&file([1, 1, 0, 0, NO_HALT], &body))
    };
    assert!(constant(5, 3, &[0x21, 0x03]).is_ok());
    let nibble = ModelError::Constant { index: 0, error: TensorError::Nibble };
    assert_eq!(constant(5, 3, &[0x21, 0x13]), Err(nibble));
    assert!(constant(5, 4, &[0x21, 0x13]).is_ok());
    assert!(constant(5, 0, &[]).is_ok());
    assert_eq!(constant(6, 0, &[]), Err(ModelError::DType { place: "constant 0".into(), code: 6 }));
}

#[test]
fn rule_14_malformed_instructions_are_refused_here() {
    let mut body = instruction();
    body[4] = 5;
    let error = read(&file([1, 0, 0, 0, NO_HALT], &body));
    assert!(matches!(error, Err(ModelError::Instruction { index: 0, .. })));
    let empty = read(&file([1, 0, 0, 0, NO_HALT], &[0; 4]));
    assert!(matches!(empty, Err(ModelError::Instruction { index: 0, .. })));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn random_models_round_trip_and_damage_is_noticed(seed: u64) {
        let program = Setup::random(seed).program;
        let bytes = write(&program);
        assert_eq!(read(&bytes).as_ref(), Ok(&program));
        let mut rng = Rng::new(seed);
        for _ in 0..8 {
            let mut changed = bytes.clone();
            let at = rng.index(changed.len());
            changed[at] = changed[at].wrapping_add(u8::try_from(1 + rng.below(255)).unwrap());
            match read(&changed) {
                Ok(other) => prop_assert_eq!(write(&other), changed),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }

    #[test]
    fn random_files_are_refused_without_panic(body in proptest::collection::vec(any::<u8>(), 0..200), counts: [u8; 5]) {
        let counts = counts.map(|count| u32::from(count % 3));
        if let Ok(program) = read(&file(counts, &body)) {
            prop_assert_eq!(write(&program), file(counts, &body));
        }
        prop_assert!(read(&body).is_err());
    }
}
