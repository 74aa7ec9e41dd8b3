//! The generator of random programs: bounded, deterministic, and using every feature.

use std::convert::Infallible;

use opml_vm::{
    DType, Instruction, Op, Opcode, Reducer, Source,
    codec::decode,
    eval::{At, Evaluator, Memory, Place},
    interpreter::{RunMemory, Stop, run},
    testing::{Limits, random_encoding, random_program},
};

fn instructions(seeds: u64) -> Vec<Instruction> {
    (0..seeds).flat_map(|seed| random_program(seed, &Limits::default()).0.instructions().to_vec()).collect()
}

#[test]
fn a_seed_gives_one_program() {
    for seed in 0..50 {
        assert_eq!(random_program(seed, &Limits::default()), random_program(seed, &Limits::default()));
    }
}

#[test]
fn programs_stay_inside_their_limits() {
    let limits = Limits { instructions: 3, max_t: 2, elements: 10, work: 40 };
    for seed in 0..300 {
        let (program, inputs, max_t) = random_program(seed, &limits);
        assert!(program.counts().instructions <= 3 && max_t <= 2);
        assert!(inputs.iter().all(|t| t.elements() <= 10));
        let run = run(&program, &inputs, Stop::Halt { max: max_t }, 40 + 6).expect("small enough");
        assert!(run.values.iter().all(|t| t.elements() <= 10));
    }
    let (program, ..) = random_program(1, &Limits { instructions: 0, max_t: 0, elements: 0, work: 0 });
    assert_eq!(program.instructions().len(), 1);
}

#[test]
fn every_feature_occurs() {
    let all = instructions(1_000);
    let count = |test: &dyn Fn(&Instruction) -> bool| all.iter().filter(|i| test(i)).count();
    let loads = |test: fn(&Source) -> bool| count(&|i: &Instruction| i.loads().any(|l| test(&l.source)));
    for &dtype in DType::ALL.iter().filter(|d| d.is_writable()) {
        assert!(count(&|i| i.dtype == dtype) > 100);
    }
    for &reducer in Reducer::ALL {
        assert!(count(&|i| i.reducer == reducer && i.terms(0) > 1) > 100);
    }
    for &opcode in Opcode::ALL.iter().filter(|&&o| o != Opcode::Load) {
        let uses = |op: &Op| matches!(op, Op::Scalar { opcode: o, .. } if *o == opcode);
        assert!(count(&|i| i.map.iter().chain(&i.post).any(uses)) > 100, "{}", opcode.name());
    }
    assert!(loads(|s| matches!(s, Source::Constant(_))) > 300);
    assert!(loads(|s| matches!(s, Source::Input(_))) > 200);
    assert!(loads(|s| matches!(s, Source::Value(_))) > 300);
    assert!(loads(|s| matches!(s, Source::History { .. })) > 300);
    assert!(count(&|i| i.post.iter().any(|op| matches!(op, Op::Load(_)))) > 300);
    assert!(count(&|i| i.post.is_empty()) > 300);
    assert!(count(&|i| i.reduction.is_empty()) > 300);
    assert!(count(&|i| i.reduction.len() > 1) > 300);
    assert!(count(&|i| i.terms(0) == 0) > 50);
    assert!(count(&|i| i.elements(0) == 0) > 50);
    assert!(count(&|i| i.elements(0) != i.elements(1)) > 100);
    assert!(count(&|i| i.elements(0) > 256) > 20);
}

#[test]
fn random_encodings_are_both_well_formed_and_not() {
    let decoded = (0..2_000)
        .filter(|&seed| {
            let (bytes, counts) = random_encoding(seed);
            decode(&bytes, &counts).is_ok()
        })
        .count();
    assert!((300..1_500).contains(&decoded), "{decoded} of 2000 decode");
}

#[test]
fn loads_often_hit() {
    // A generator whose loads always read their pad would test nothing.
    let differing = (0..300)
        .filter(|&seed| {
            let (program, inputs, max_t) = random_program(seed, &Limits::default());
            let run = run(&program, &inputs, Stop::Halt { max: max_t }, 1 << 20).expect("small enough");
            run.values.iter().any(|t| {
                let values = t.values();
                values.len() > 2 && values.iter().collect::<std::collections::BTreeSet<_>>().len() > 2
            })
        })
        .count();
    assert!(differing > 100, "{differing} of 300 programs have a value with three different elements");
}

/// Counts reads that find an element, by kind of source.
struct Hits<'a> {
    memory: RunMemory<'a>,
    at: At,
    hits: &'a mut [u32; 5],
}

impl Memory for Hits<'_> {
    type Error = Infallible;

    fn header(&mut self, place: Place, position: u64) -> Result<(u8, u64), Infallible> {
        self.memory.header(place, position)
    }

    fn element(&mut self, place: Place, position: u64) -> Result<i64, Infallible> {
        let kind = match place {
            Place::Constant(_) => 0,
            Place::Input(_) => 1,
            Place::Value { t, .. } if t < self.at.t => 2,
            Place::Value { .. } => 3,
        };
        self.hits[kind] += 1;
        if position > 255 {
            self.hits[4] += 1;
        }
        self.memory.element(place, position)
    }
}

#[test]
fn loads_of_every_kind_find_elements() {
    let mut hits = [0; 5];
    for seed in 0..300 {
        let (program, inputs, max_t) = random_program(seed, &Limits::default());
        let run = run(&program, &inputs, Stop::Halt { max: max_t }, 1 << 20).expect("small enough");
        let instructions = program.counts().instructions;
        for t in 0..run.length {
            for (instruction, i) in (0..).zip(program.instructions()) {
                let at = At { instructions, t, instruction };
                let mut memory = Hits { memory: RunMemory::new(&program, &inputs, &run.values), at, hits: &mut hits };
                for e in (0..i.elements(t)).step_by(5) {
                    let Ok(_) = Evaluator::new(i, at).element(e, &mut memory);
                }
            }
        }
    }
    assert!(hits.iter().all(|&count| count > 200), "constants, inputs, past, present, far: {hits:?}");
}
