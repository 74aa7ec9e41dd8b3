//! The named cases, and every operation over runs of terms: reference interpreter, Rust verifier and contract.

use opml_contracts::abi::StepVerifier;
use opml_vm::{
    DType, Opcode, Program, Reducer, Source, Tensor,
    codec::{decode, encode},
    merkle::{Tree, instruction_hash},
    step::Job,
    testing::{Build, EDGES, Rng, conformance_cases, fixed, random_encoding},
    witness::Question,
};

use crate::support::{Chain, Ran};

/// Elements of one value that are stepped through, spread over all of it.
const SAMPLE: u64 = 24;

#[test]
fn named_cases_step_alike_everywhere() {
    let mut chain = Chain::new();
    let mut rng = Rng::new(1);
    for case in conformance_cases() {
        let ran = Ran::until_halt(case.program, case.inputs, case.max_t);
        let openings = ran.openings();
        for t in 0..ran.job.length {
            for (i, instruction) in (0..).zip(ran.program.instructions()) {
                let elements = instruction.elements(t);
                for e in (0..elements).step_by(usize::try_from(elements.div_ceil(SAMPLE).max(1)).unwrap()) {
                    ran.check_all(&mut chain, &openings, t, i, e, &[rng.bits(), rng.bits()]);
                }
            }
        }
    }
}

/// An operation over runs of `n` terms in which the operands of `moving` are arrays and the others scalars.
fn over_runs(opcode: Opcode, moving: u8, reducer: Reducer, dtype: DType) -> Ran {
    let n = u32::try_from(EDGES.len()).unwrap();
    let row = |shift: usize| {
        let values: Vec<i64> = (0..EDGES.len()).map(|j| EDGES[(j * (shift + 1) + shift) % EDGES.len()]).collect();
        Tensor::saturating(dtype, &values)
    };
    let mut build = Build::new(DType::I64, reducer, &[], &[n, n]);
    let first = build.slot();
    for operand in 0..opcode.arity() {
        let number = u8::try_from(operand).unwrap();
        let coordinate = if moving >> number & 1 == 1 { 10 } else { 9 };
        build = build.load(Source::Constant(number.into()), 0, &[fixed(n, 0, &[(coordinate, 1)])]);
    }
    let mut operands = [0; 3];
    for (slot, operand) in operands.iter_mut().take(opcode.arity()).enumerate() {
        *operand = first + u8::try_from(slot).unwrap();
    }
    let instruction = build.op(opcode, operands).done();
    let constants = (0..opcode.arity()).map(row).collect();
    Ran::new(Program::new(vec![instruction], constants, vec![], 0, None).unwrap(), vec![], 1)
}

#[test]
fn every_operation_over_runs() {
    let mut chain = Chain::new();
    let mut rng = Rng::new(2);
    for &opcode in Opcode::ALL.iter().filter(|&&opcode| opcode != Opcode::Load) {
        for moving in 0..1 << opcode.arity() {
            for dtype in [DType::I64, DType::I32, DType::I8] {
                for &reducer in Reducer::ALL {
                    let ran = over_runs(opcode, moving, reducer, dtype);
                    let cuts: Vec<u64> = (0..6).map(|_| rng.bits()).collect();
                    ran.check_all(&mut chain, &ran.openings(), 0, 0, 0, &cuts);
                }
            }
        }
    }
}

#[test]
fn every_operation_on_edge_operands() {
    let mut chain = Chain::new();
    for &opcode in Opcode::ALL.iter().filter(|&&opcode| opcode != Opcode::Load) {
        let ran = over_runs(opcode, 0b111, Reducer::Sum, DType::I64);
        let (ran, openings) = (&ran, ran.openings());
        // the same operands in every row: one row is enough
        for k in 0..u64::try_from(EDGES.len()).unwrap() {
            ran.check(&mut chain, &openings, 0, 0, Question::Slice { e: 0, k0: k, k1: k + 1 });
        }
        // all pairs: the first operand moves, the second is the row's
        let ran = over_runs(opcode, 0b101, Reducer::Sum, DType::I64);
        let openings = ran.openings();
        let terms = ran.program.instructions()[0].terms(0);
        for k in 0..terms {
            ran.check(&mut chain, &openings, 0, 0, Question::Slice { e: 0, k0: k, k1: k + 1 });
        }
    }
}

/// Strided, reversed, partly outside and non-adjacent views of every dtype.
#[test]
fn views_over_runs() {
    let mut chain = Chain::new();
    let mut rng = Rng::new(3);
    for &dtype in DType::ALL {
        for seed in 0..40 {
            let elements = rng.between(1, 700);
            let n = rng.between(2, 90);
            let values: Vec<i64> = (0..elements).map(|_| rng.value()).collect();
            let axes = [
                fixed(rng.between(0, 5), rng.small(2), &[(9, i32::try_from(rng.small(2)).unwrap_or(1))].map(used)),
                fixed(rng.between(0, 300), rng.small(90), &[used((10, i32::try_from(rng.small(7)).unwrap()))]),
            ];
            let axes = if rng.chance(50) { &axes[1..] } else { &axes[..] };
            let reducer = rng.pick(Reducer::ALL, Reducer::Sum);
            let build = Build::new(DType::I64, reducer, &[], &[3, n])
                .load(Source::Constant(0), rng.value(), axes)
                .load(Source::Constant(1), rng.value(), axes);
            let build =
                if seed % 2 == 0 { build.op(Opcode::Mul, [18, 19, 0]) } else { build.op(Opcode::Sub, [18, 10, 0]) };
            let constants = vec![Tensor::saturating(dtype, &values), Tensor::saturating(DType::I8, &values)];
            let ran = Ran::new(Program::new(vec![build.done()], constants, vec![], 0, None).unwrap(), vec![], 1);
            ran.check_all(&mut chain, &ran.openings(), 0, 0, 0, &[rng.bits(), rng.bits(), rng.bits()]);
        }
    }
}

/// Adjacent elements of every dtype from every offset in a word, through every reader: sum, product, operation, index.
#[test]
fn adjacent_elements_over_runs() {
    let mut chain = Chain::new();
    let mut rng = Rng::new(4);
    for &dtype in DType::ALL {
        let values: Vec<i64> = (0..600).map(|_| rng.value()).collect();
        let table = Tensor::saturating(DType::I16, &values);
        for offset in 0..9 {
            let row = [fixed(600, offset, &[(9, 1)])];
            let read =
                |number| Build::new(DType::I64, Reducer::Sum, &[], &[300]).load(Source::Constant(number), 0, &row);
            let instructions = vec![
                read(0).done(),
                read(0).load(Source::Constant(0), 0, &row).op(Opcode::Mul, [18, 19, 0]).done(),
                read(0).load(Source::Constant(1), 0, &row).op(Opcode::Mul, [19, 18, 0]).done(),
                read(0).op(Opcode::Mul, [18, 9, 0]).done(),
                read(0).op(Opcode::Xor, [18, 9, 0]).done(),
                read(0).load(Source::Constant(1), 5, &[fixed(128, 0, &[(18, 1)])]).done(),
            ];
            let constants = vec![Tensor::saturating(dtype, &values), table.clone()];
            let ran = Ran::new(Program::new(instructions, constants, vec![], 0, None).unwrap(), vec![], 1);
            let openings = ran.openings();
            for i in 0..6 {
                ran.check_all(&mut chain, &openings, 0, i, 0, &[rng.bits(), rng.bits(), rng.bits()]);
            }
        }
    }
}

/// A term with a coefficient other than 0.
fn used((slot, coef): (u8, i32)) -> (u8, i32) {
    (slot, if coef == 0 { 1 } else { coef })
}

/// A job in whose program the bytes are one instruction, the others are never opened.
fn alone(chain: &mut Chain, seed: u64, encoding: &[u8], counts: opml_vm::Counts) {
    let number = u32::try_from(seed).unwrap() % counts.instructions;
    let leaves =
        (0..counts.instructions).map(|i| instruction_hash(if i == number { encoding } else { &[0xff] })).collect();
    let tree = Tree::new(leaves);
    let siblings = tree.prove(&[number.into()]).concat();
    let zero = [0; 32];
    let job = Job {
        program_root: tree.root(),
        constants_root: zero,
        input_root: zero,
        trace_root: zero,
        counts,
        length: 9,
        t: seed % 9,
        instruction: number,
    };
    let mirror = job.shape(encoding, &siblings).unwrap();
    let shape = chain.shape(&job, encoding, &siblings).unwrap();
    assert_eq!(shape, (mirror.dtype.code(), mirror.elements, mirror.terms), "{encoding:02x?} of {counts:?}");
    if decode(encoding, &counts).is_err() {
        assert_eq!(shape, (4, 0, 0));
        let witness = [&siblings[..], &[0; 3]].concat();
        let refused = chain.ask(&job, Question::Element { e: 0 }, encoding, &witness).unwrap_err();
        assert!(refused.is::<StepVerifier::ElementOutOfRange>(), "{refused}");
    }
}

#[test]
fn any_bytes_have_one_shape() {
    let mut chain = Chain::new();
    for seed in 0..4_000 {
        let (encoding, counts) = random_encoding(seed);
        alone(&mut chain, seed, &encoding, counts);
    }
}

/// Extents around the limits of the domains.
#[test]
fn domains_at_their_limits() {
    let mut chain = Chain::new();
    let counts = opml_vm::Counts { instructions: 1, constants: 0, inputs: 0 };
    for reducer in Reducer::ALL {
        for extents in [
            [1 << 16, 1 << 16, 1 << 16, 1 << 16],
            [1 << 16, 1 << 16, (1 << 16) - 1, 1 << 16],
            [1 << 20, 1 << 20, 1 << 20, 1 << 20],
            [1 << 20, (1 << 20) + 1, 1, 1],
            [1, 1, (1 << 20) + 1, 1 << 20],
            [1 << 30, 1 << 10, (1 << 31) - 1, 0],
            [(1 << 31) - 1, 1 << 10, (1 << 31) - 1, 2],
            [(1 << 31) - 1, 1 << 9, (1 << 31) - 1, 3],
        ] {
            let build = Build::new(DType::I8, *reducer, &[7, 7], &[7, 7]).op(Opcode::Abs, [1, 0, 0]);
            let mut encoding = encode(&build.done(), &counts).unwrap();
            for (place, extent) in extents.iter().enumerate() {
                encoding[8 + 4 * place..12 + 4 * place].copy_from_slice(&u32::to_be_bytes(*extent));
            }
            alone(&mut chain, 0, &encoding, counts);
        }
    }
}

#[test]
fn every_byte_of_an_encoding_counts() {
    let mut chain = Chain::new();
    let ran = crate::programs::attention();
    for encoding in ran.program.encodings() {
        for place in 0..encoding.len() {
            for change in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                let mut bytes = encoding.clone();
                bytes[place] ^= change;
                alone(&mut chain, u64::from(change), &bytes, ran.program.counts());
            }
        }
        for length in 0..=encoding.len() {
            alone(&mut chain, 0, &encoding[..length], ran.program.counts());
        }
        alone(&mut chain, 0, &[encoding, &[0][..]].concat(), ran.program.counts());
    }
}
