//! Every limit of SPEC §3.3, at the limit and one past it.

use opml_vm::{
    Counts, DType, DecodeError, Extent, Instruction, Opcode, Reducer, Source, Term,
    codec::{decode, encode},
    isa::{MAX_CONSTANTS, MAX_DYNAMICS, MAX_ENCODED, MAX_LOADS, MAX_OPS, MAX_RANK},
    testing::{Build, fixed, moving},
};

const COUNTS: Counts = Counts { instructions: 3, constants: 2, inputs: 1 };

fn plain(output: &[u32], reduction: &[u32]) -> Build {
    Build::new(DType::I64, Reducer::Sum, output, reduction).op(Opcode::Abs, [0, 0, 0])
}

fn ok(build: Build) -> bool {
    well_formed(&build.done())
}

/// Well-formed, and by `decode` as well as `encode`.
fn well_formed(instruction: &Instruction) -> bool {
    encode(instruction, &COUNTS).is_ok_and(|bytes| decode(&bytes, &COUNTS).as_ref() == Ok(instruction))
}

fn load(source: Source) -> Build {
    Build::each(DType::I64, &[1]).load(source, 0, &[])
}

#[test]
fn ranks_and_counts() {
    for (rank, legal) in [(MAX_RANK, true), (MAX_RANK + 1, false)] {
        let extents = vec![1; rank];
        assert_eq!(ok(plain(&extents, &[])), legal);
        assert_eq!(ok(plain(&[], &extents)), legal);
        let axes = vec![fixed(1, 0, &[]); rank];
        assert_eq!(ok(Build::each(DType::I8, &[]).load(Source::Input(0), 0, &axes)), legal);
    }
    for (count, legal) in [(MAX_CONSTANTS, true), (MAX_CONSTANTS + 1, false)] {
        assert_eq!(ok(plain(&[], &[]).constants(&vec![5; count])), legal);
    }
    for (count, legal) in [(MAX_DYNAMICS, true), (MAX_DYNAMICS + 1, false)] {
        assert_eq!(ok((0..count).fold(plain(&[], &[]), |build, _| build.dynamic(0, 0, 0))), legal);
    }
    for (count, legal) in [(1, true), (MAX_OPS, true), (MAX_OPS + 1, false)] {
        let more = |build: Build| (1..count).fold(build, |build, _| build.op(Opcode::Abs, [0, 0, 0]));
        assert_eq!(ok(more(plain(&[], &[]))), legal);
        let post = (0..count).fold(plain(&[], &[]), |build, _| build.post(Opcode::Abs, [0, 0, 0]));
        assert_eq!(ok(post), legal);
    }
    assert!(!ok(Build::each(DType::I64, &[])), "no map operation");
    for (count, legal) in [(MAX_LOADS, true), (MAX_LOADS + 1, false)] {
        let read = |build: Build, _| build.load(Source::Constant(0), 0, &[]);
        assert_eq!(ok((0..count).fold(Build::each(DType::I64, &[]), read)), legal);
        let read = |build: Build, _| build.post_load(Source::Constant(0), 0, &[]);
        assert_eq!(ok((0..count).fold(plain(&[], &[]), read)), legal);
    }
    let (map, post) = (|b: Build| b.load(Source::Input(0), 0, &[]), |b: Build| b.post_load(Source::Input(0), 0, &[]));
    let both = (0..MAX_LOADS).fold(Build::each(DType::I64, &[]), |build, _| post(map(build)));
    assert!(ok(both), "sixteen loads in each");
}

#[test]
fn rule_15_the_encoding_is_at_most_4096_bytes() {
    // 14 loads of 16 bytes and 121 axes of 32: 8 + 224 + 3872 − 8 … filled up with constants and operations.
    let axes = |n: usize| vec![fixed(1, 0, &[]); n];
    let base = |last: usize| {
        let full = (0..14).fold(Build::each(DType::I64, &[]), |build, _| build.load(Source::Input(0), 0, &axes(8)));
        full.load(Source::Input(0), 0, &axes(last))
    };
    let size = |build: &Build| 8 + build.clone().done().map.len() * 16 + (14 * 8) * 32;
    // 8 + 15·16 + 112·32 = 3832; eight more axes reach 4088, two operations 4096.
    assert_eq!(size(&base(0)), 3_832);
    let two = base(8).op(Opcode::Abs, [0, 0, 0]).op(Opcode::Abs, [0, 0, 0]);
    assert_eq!(encode(&two.clone().done(), &COUNTS).map(|bytes| bytes.len()), Ok(MAX_ENCODED));
    let error = DecodeError::Limit { field: "encoded length", value: 4_100, limit: 4_096 };
    assert_eq!(encode(&two.op(Opcode::Abs, [0, 0, 0]).done(), &COUNTS), Err(error));
}

#[test]
fn domains() {
    // 2^20 · 2^20 = 2^40.
    for (output, legal) in [(vec![1 << 20, 1 << 20], true), (vec![1 << 20, (1 << 20) + 1], false)] {
        assert_eq!(ok(plain(&output, &[])), legal);
        assert_eq!(ok(plain(&[], &output)), legal);
        assert_eq!(ok(plain(&[5], &output)), legal, "the two products have a limit each");
    }
    let most = (1u32 << 31) - 1;
    assert!(ok(plain(&[most, 512], &[])));
    assert!(!ok(plain(&[most, 513], &[])));
    assert!(!ok(plain(&[most; 8], &[])));
    assert!(ok(plain(&[most, most, most, most, most, most, most, 0], &[])), "a zero makes the product zero");
    assert!(ok(plain(&[], &[0, most, most, most])));
    assert!(!ok(plain(&[1 << 31], &[])), "bit 31 marks a dynamic extent");
    assert!(ok(plain(&[], &[]).dynamic(0, 0, most).output(0)));
    assert!(!ok(plain(&[], &[]).dynamic(0, 0, 1 << 31)), "an unused cap past the limit");
    assert!(!ok(plain(&[], &[]).dynamic(1, 0, most).output(0).output(0)), "the bound is the cap, not the value");
    assert!(ok(plain(&[], &[]).dynamic(1, 0, 1 << 20).output(0).output(0)));
}

#[test]
fn rule_21_argmax_has_less_than_2_pow_32_terms() {
    let argmax = |reduction: &[u32]| Build::new(DType::I64, Reducer::Argmax, &[], reduction).op(Opcode::Abs, [0, 0, 0]);
    assert!(ok(argmax(&[65_537, 65_535])), "2^32 − 1");
    assert!(!ok(argmax(&[65_536, 65_536])), "2^32");
    assert!(ok(argmax(&[65_536, 65_536, 0])));
    assert!(ok(argmax(&[]).dynamic(0, 0, 65_535).reduction(0).reduction(0)));
    assert!(!ok(argmax(&[]).dynamic(0, 0, 65_536).reduction(0).reduction(0)));
}

#[test]
fn rule_26_i4_is_not_written() {
    assert!(!ok(Build::each(DType::I4, &[1]).op(Opcode::Abs, [0, 0, 0])));
    let mut bytes = encode(&plain(&[1], &[]).done(), &COUNTS).unwrap();
    for (code, legal) in [(0, true), (4, true), (5, false), (6, false), (255, false)] {
        bytes[0] = code;
        assert_eq!(decode(&bytes, &COUNTS).is_ok(), legal, "dtype {code}");
    }
}

#[test]
fn codes() {
    let bytes = encode(&plain(&[1], &[]).done(), &COUNTS).unwrap();
    let decodes = |at: usize, value: u8| {
        let mut changed = bytes.clone();
        changed[at] = value;
        decode(&changed, &COUNTS).is_ok()
    };
    assert_eq!([3, 4, 255].map(|code| decodes(1, code)), [true, false, false], "reducer");
    let opcode = bytes.len() - 4;
    assert_eq!([7, 17, 18, 22, 255].map(|code| decodes(opcode, code)), [true, true, true, false, false]);
    let load = encode(&load(Source::Value(0)).done(), &COUNTS).unwrap();
    let kind = |kind: u8| {
        let mut changed = load.clone();
        changed[load.len() - 15] = kind;
        decode(&changed, &COUNTS).is_ok()
    };
    assert_eq!([0, 1, 2, 3, 4].map(kind), [true, true, true, false, false], "kind 3 needs an iteration word");
}

#[test]
fn sources() {
    for (number, constant, input, value) in
        [(0, true, true, true), (1, true, false, true), (2, false, false, true), (3, false, false, false)]
    {
        assert_eq!(ok(load(Source::Constant(number))), constant);
        assert_eq!(ok(load(Source::Input(number))), input);
        assert_eq!(ok(load(Source::Value(number))), value);
        assert_eq!(ok(load(Source::History { instruction: number, base: 0, terms: Vec::new() })), value);
    }
    assert!(!ok(load(Source::Value(u32::MAX))));
    let none = Counts { instructions: 1, constants: 0, inputs: 0 };
    assert!(encode(&load(Source::Constant(0)).done(), &none).is_err());
}

#[test]
fn slots() {
    // No constants: the first operation is slot 18.
    for (operand, legal) in [(17, true), (18, false), (19, false), (255, false)] {
        assert_eq!(ok(Build::each(DType::I64, &[]).op(Opcode::Abs, [operand, 0, 0])), legal);
        let first = Build::each(DType::I64, &[]).op(Opcode::Abs, [0, 0, 0]);
        assert_eq!(ok(first.clone().post(Opcode::Abs, [operand, 0, 0])), legal, "post numbers its own");
        assert_eq!(ok(first.op(Opcode::Add, [0, operand, 0])), legal || operand == 18);
        let axis = [fixed(1, 0, &[(operand, 1)])];
        assert_eq!(ok(Build::each(DType::I64, &[]).load(Source::Input(0), 0, &axis)), legal);
        let terms = vec![Term { slot: operand, coef: 1 }];
        assert_eq!(ok(load(Source::History { instruction: 0, base: 0, terms })), legal);
    }
    assert!(!ok(Build::each(DType::I64, &[]).op(Opcode::Abs, [0, 1, 0])), "an operand past the arity");
    assert!(!ok(Build::each(DType::I64, &[]).op(Opcode::Load, [0, 0, 0])), "a load in scalar form");
}

#[test]
fn index_terms() {
    let axis = |terms: &[(u8, i32)]| Build::each(DType::I64, &[]).load(Source::Input(0), 0, &[fixed(1, 0, terms)]);
    assert!(ok(axis(&[(0, 1), (0, i32::MIN), (1, i32::MAX), (17, -1)])));
    assert!(!ok(axis(&[(0, 1); 5])));
    assert!(!ok(axis(&[(0, 1), (0, 0)])), "no coefficient");
}

#[test]
fn dynamic_extents_are_named_by_number() {
    let with = |number: u32| plain(&[], &[]).dynamic(0, 0, 1).output(number);
    assert_eq!([0, 1, u32::MAX >> 1, u32::MAX].map(|number| ok(with(number))), [true, false, false, false]);
    let view =
        |number| Build::each(DType::I64, &[]).dynamic(0, 0, 1).load(Source::Input(0), 0, &[moving(number, 0, &[])]);
    assert_eq!([0, 1].map(|number| ok(view(number))), [true, false]);
    let mut iteration = load(Source::History { instruction: 0, base: 0, terms: Vec::new() }).done();
    iteration.output = vec![Extent::Dynamic(0)];
    assert!(!well_formed(&iteration));
}
