//! Every pattern against the interpreter, on every tier: edge values, odd sizes, numbers that its loop does not suit.

use opml_vm::{
    DType, Extent, InputHeader, Instruction, Opcode, Program, Reducer, Source, Tensor,
    interpreter::{self, Stop},
    isa::{SLOT_ACC, SLOT_K, SLOT_O, SLOT_T},
    testing::{Build, EDGES, Rng, axis},
};

use super::{super::Lanes, Whole};
use crate::{
    engine::{Frame, moving, pack, pool::Pool, ranges::Ranges},
    tier::Tier,
};

/// Runs an instruction of inputs and constants by its loop on every tier; gives in how many iterations of how many it suited
/// the numbers. Its steps are compared as well.
fn check(instruction: &Instruction, constants: &[Tensor], inputs: &[Tensor], length: u64, name: &str) -> (u64, u64) {
    let headers = inputs.iter().map(|input| InputHeader { dtype: input.dtype(), elements: input.elements() });
    let program = Program::new(vec![instruction.clone()], constants.to_vec(), headers.collect(), 0, None).unwrap();
    let run = interpreter::run(&program, inputs, Stop::Exactly(length), 1 << 32).unwrap();
    let ranges = Ranges::new(&program);
    let (mut suited, mut all) = (0, 0);
    for (tier, t) in Tier::supported().flat_map(|tier| (0..length).map(move |t| (tier, t))) {
        let frame = Frame { program: &program, inputs, values: &[], own: None, t, number: 0 };
        let header = |source: &Source| moving::header(instruction, frame, &ranges, source);
        let mut lanes = Lanes::new(instruction, t, &header, tier).unwrap();
        assert_eq!(lanes.whole.as_ref().map(kind), Some(name), "{instruction:?}");
        let expected = &run.values[usize::try_from(t).unwrap()];
        let mut bytes = vec![0x55; usize::try_from(expected.elements()).unwrap() * pack::width(instruction.dtype)];
        if lanes.whole(frame, &mut bytes) {
            suited += 1;
            let found = pack::tensor(instruction.dtype, i64::try_from(expected.elements()).unwrap(), bytes);
            assert_eq!(&found, expected, "{} {t} {instruction:?}", tier.name());
        }
        all += 1;
        lanes.whole = None;
        assert_eq!(&lanes.run(frame, &Pool::default()), expected, "steps, {} {t} {instruction:?}", tier.name());
    }
    (suited, all)
}

const fn kind(whole: &Whole) -> &'static str {
    match whole {
        Whole::Reduce(_) => "reduce",
        Whole::Quantise(_) => "quantise",
        Whole::Scale(_) => "scale",
        Whole::Rotary(_) => "rotary",
        Whole::Gate(_) => "gate",
        Whole::Power(_) => "power",
    }
}

fn always((suited, all): (u64, u64)) {
    assert_eq!(suited, all, "the loop suits the numbers");
}

/// Numbers of up to so many bits, with edge values among them.
fn numbers(rng: &mut Rng, dtype: DType, count: u32, bits: u32) -> Tensor {
    let most = (1i64 << bits) - 1;
    let value = |rng: &mut Rng| match rng.below(8) {
        0 => EDGES[rng.index(EDGES.len())],
        1 => rng.small(3),
        _ => rng.value(),
    };
    let values: Vec<i64> = (0..count)
        .map(|_| {
            let value = value(rng);
            if (-most..=most).contains(&value) { value } else { value % (most + 1) }
        })
        .collect();
    Tensor::saturating(dtype, &values)
}

fn fixed(extent: u32, base: i64, terms: &[(u8, i32)]) -> opml_vm::Axis {
    axis(Extent::Fixed(extent), base, terms)
}

/// `extents` in row-major order over slots.
fn dense(extents: &[u32], slots: &[u8]) -> Vec<opml_vm::Axis> {
    extents.iter().zip(slots).map(|(&extent, &slot)| fixed(extent, 0, &[(slot, 1)])).collect()
}

const O: [u8; 3] = [SLOT_O, SLOT_O + 1, SLOT_O + 2];
const SIZES: [(u32, u32); 8] = [(1, 1), (3, 32), (18, 32), (5, 17), (70, 3), (2, 33), (65, 64), (1, 577)];

#[test]
fn reductions() {
    let mut rng = Rng::new(1);
    for (rows, width) in SIZES.into_iter().chain([(2, 70_000)]) {
        for (dtype, bits) in [(DType::I32, 31), (DType::I32, 7), (DType::I16, 15)] {
            let input = [numbers(&mut rng, dtype, rows * width, bits)];
            let load = |reducer: Reducer, dtype: DType, constants: &[i64]| {
                let build = Build::new(dtype, reducer, &[rows], &[width]).constants(constants);
                build.load(Source::Input(0), 0, &dense(&[rows, width], &[SLOT_O, SLOT_K]))
            };
            for out in [DType::I8, DType::I32, DType::I64] {
                always(check(&load(Reducer::Max, out, &[]).done(), &[], &input, 1, "reduce"));
                always(check(&load(Reducer::Sum, out, &[]).done(), &[], &input, 1, "reduce"));
            }
            if dtype == DType::I32 {
                let most = load(Reducer::Max, DType::I32, &[]).op(Opcode::Abs, [18, 0, 0]);
                always(check(&most.done(), &[], &input, 1, "reduce"));
                for shift in [1, 2, 31, 62] {
                    let squares = load(Reducer::Sum, DType::I64, &[shift]).op(Opcode::Mulshr, [19, 19, 18]);
                    always(check(&squares.done(), &[], &input, 1, "reduce"));
                }
            }
            if rows < 50 {
                let followed = load(Reducer::Sum, DType::I32, &[1000, 8, 1, 1 << 41]);
                let followed = followed.post(Opcode::Add, [SLOT_ACC, 18, 0]).post(Opcode::Shl, [22, 19, 0]);
                let followed = followed.post(Opcode::Isqrt, [23, 0, 0]).post(Opcode::Max, [24, 20, 0]);
                let followed = followed.post(Opcode::Div, [21, 25, 0]);
                always(check(&followed.done(), &[], &input, 1, "reduce"));
            }
        }
    }
}

#[test]
fn the_greatest_sums_of_squares_saturate() {
    let input = [Tensor::saturating(DType::I32, &[i64::MIN; 100])];
    for shift in [1, 2, 3, 20] {
        let build = Build::new(DType::I64, Reducer::Sum, &[1], &[100]).constants(&[shift]);
        let build = build.load(Source::Input(0), 0, &dense(&[1, 100], &[SLOT_O, SLOT_K]));
        always(check(&build.op(Opcode::Mulshr, [19, 19, 18]).done(), &[], &input, 1, "reduce"));
    }
}

#[test]
fn quantised_rows() {
    let mut rng = Rng::new(2);
    for (rows, width) in SIZES.into_iter().filter(|&(_, width)| width > 1) {
        for (dividend, shift) in [(127 << 30, 30), (-(127 << 30), 30), (1 << 20, 1), (i64::MAX, 62), (i64::MIN, 5)] {
            for bits in [31, 12, 3] {
                let x = numbers(&mut rng, DType::I32, rows * width, bits);
                let of = [31, 7, 2][rng.index(3)];
                let divisors = numbers(&mut rng, DType::I32, rows, of);
                let build = Build::each(DType::I8, &[rows, width]).constants(&[dividend, shift]);
                let build = build.load(Source::Input(1), 0, &dense(&[rows], &O)).op(Opcode::Div, [18, 20, 0]);
                let build = build.load(Source::Input(0), 0, &dense(&[rows, width], &O));
                let build = build.op(Opcode::Mulshr, [22, 21, 19]);
                always(check(&build.done(), &[], &[x, divisors], 1, "quantise"));
            }
        }
    }
}

#[test]
fn scaled_numbers() {
    let mut rng = Rng::new(3);
    let mut seen = (0, 0);
    for (count, bits) in [1, 16, 33, 192, 577].into_iter().flat_map(|count| [31, 22, 4].map(|bits| (count, bits))) {
        let x = numbers(&mut rng, DType::I32, count, bits);
        let weights = numbers(&mut rng, DType::I16, count, 15);
        for out in [DType::I8, DType::I16, DType::I32] {
            for shift in [1, 4, 20, 62] {
                let build = Build::each(out, &[count]).constants(&[shift]);
                let build = build.load(Source::Input(0), 0, &dense(&[count], &O)).op(Opcode::Rshr, [19, 18, 0]);
                check(&build.done(), &[], std::slice::from_ref(&x), 1, "scale");
            }
            for factor in [0, 1, -77, 30_000, 1 << 22, i64::from(i32::MAX), 1 << 40, i64::MIN] {
                let factor = Tensor::saturating(DType::I64, &[factor]);
                let build = Build::each(out, &[count]).constants(&[14, 15, -1000, (1 << 27) - 1]);
                let build = build.load(Source::Input(0), 0, &dense(&[count], &O)).load(Source::Input(1), 0, &[]);
                let build = build.load(Source::Constant(0), 0, &dense(&[count], &O));
                let build = build.op(Opcode::Mulshr, [22, 23, 18]).op(Opcode::Mulshr, [25, 24, 19]);
                let build = build.op(Opcode::Clamp, [26, 20, 21]);
                let inputs = [x.clone(), factor];
                let one = check(&build.done(), std::slice::from_ref(&weights), &inputs, 1, "scale");
                seen = (seen.0 + one.0, seen.1 + one.1);
            }
        }
    }
    assert!(0 < seen.0 && seen.0 < seen.1, "numbers of both kinds: {seen:?}");
}

#[test]
fn turned_pairs() {
    let mut rng = Rng::new(4);
    for (groups, pairs, past) in [(9u32, 32u32, 0u32), (3, 32, 576), (1, 5, 3), (2, 17, 0)] {
        let width = 2 * pairs;
        let all = past + groups * width + 9;
        let step = i32::try_from(width).unwrap();
        let x = numbers(&mut rng, DType::I32, all, 31);
        let tables = [numbers(&mut rng, DType::I16, 4 * pairs, 15), numbers(&mut rng, DType::I16, 4 * width, 15)];
        for (shift, swapped) in [(20, false), (1, true), (40, false)] {
            let at =
                |base: u32, half: i32| [fixed(all, (past + base).into(), &[(O[0], step), (O[2], 2), (O[1], half)])];
            let build = Build::each(DType::I16, &[groups, 2, pairs]).constants(&[shift]);
            let build = build.load(Source::Input(0), 0, &at(0, 1)).load(Source::Input(0), 0, &at(1, -1));
            let build =
                build.load(Source::Constant(0), 0, &[fixed(4, 0, &[(SLOT_T, 1)]), fixed(pairs, 0, &[(O[2], 1)])]);
            let halves = fixed(width, 0, &[(O[2], 1), (O[1], step / 2)]);
            let build = build.load(Source::Constant(1), 0, &[fixed(4, 0, &[(SLOT_T, 1)]), halves]);
            let build = if swapped {
                build.op(Opcode::Mul, [22, 20, 0]).op(Opcode::Mul, [19, 21, 0]).op(Opcode::Add, [23, 24, 0])
            } else {
                build.op(Opcode::Mul, [19, 21, 0]).op(Opcode::Mul, [20, 22, 0]).op(Opcode::Add, [23, 24, 0])
            };
            // The table ends at the fourth iteration.
            let found =
                check(&build.op(Opcode::Rshr, [25, 18, 0]).done(), &tables, std::slice::from_ref(&x), 6, "rotary");
            assert_eq!(found.0 * 6, found.1 * 4);
        }
    }
}

/// A table, and one that ends one entry too early: the pad follows.
fn gate(count: u32, shifts: [i64; 2], table: u32) -> Instruction {
    // Slots 18 to 24 are the constants.
    let constants = [-(1 << 20), 1 << 20, 10, 1023, shifts[0], shifts[1], (1 << 26) - 1];
    let build = Build::each(DType::I32, &[count]).constants(&constants);
    let part = |base: u32| [fixed(2 * count, base.into(), &[(SLOT_O, 1)])];
    let build = build.load(Source::Input(0), 0, &part(0)).load(Source::Input(0), 0, &part(count));
    let build = build.op(Opcode::Clamp, [25, 18, 19]).op(Opcode::Add, [27, 19, 0]);
    let build = build.op(Opcode::Shr, [28, 20, 0]).op(Opcode::And, [28, 21, 0]);
    let entry = |base: i64| [fixed(table, base, &[(29, 1)])];
    let build = build.load(Source::Constant(0), 7, &entry(0)).load(Source::Constant(0), 7, &entry(1));
    let build = build.op(Opcode::Sub, [32, 31, 0]).op(Opcode::Mulshr, [33, 30, 20]).op(Opcode::Add, [31, 34, 0]);
    let build = build.op(Opcode::Mulshr, [25, 35, 22]).op(Opcode::Mulshr, [36, 26, 23]);
    build.op(Opcode::Clamp, [37, 18, 24]).done()
}

#[test]
fn gated_numbers() {
    let mut rng = Rng::new(5);
    let mut seen = (0, 0);
    for (count, bits) in [1, 31, 128, 129, 600].into_iter().flat_map(|count| [31, 21, 12].map(|bits| (count, bits))) {
        let x = [numbers(&mut rng, DType::I32, 2 * count, bits)];
        for (shifts, table, size) in
            [([20, 16], 2049, 20), ([30, 1], 2049, 31), ([20, 16], 2040, 19), ([5, 62], 2049, 9)]
        {
            let table = [numbers(&mut rng, DType::I32, table, size)];
            let entries = u32::try_from(table[0].elements()).unwrap();
            let one = check(&gate(count, shifts, entries), &table, &x, 1, "gate");
            seen = (seen.0 + one.0, seen.1 + one.1);
        }
    }
    assert!(0 < seen.0 && seen.0 < seen.1, "tables of both kinds: {seen:?}");
}

fn power(rows: u32, width: u32, (fraction, between, one): (i64, i64, i64)) -> Instruction {
    // Slots 18 to 22 are the constants.
    let constants = [fraction, between, one, (1 << fraction) - 1, (1 << between) - 1];
    let build = Build::each(DType::I16, &[rows, width]).constants(&constants);
    let build = build.load(Source::Input(0), 0, &dense(&[rows, width], &O));
    let build = build.load(Source::Input(1), 0, &dense(&[rows], &O)).op(Opcode::Sub, [23, 24, 0]);
    let build = build.op(Opcode::Shr, [25, 18, 0]).op(Opcode::And, [25, 21, 0]);
    let build = build.op(Opcode::Shr, [27, 19, 0]).op(Opcode::And, [27, 22, 0]);
    let entry = |base: i64| [fixed((1 << (fraction - between)) + 1, base, &[(28, 1)])];
    let build = build.load(Source::Constant(0), 0, &entry(0)).load(Source::Constant(0), 0, &entry(1));
    let build = build.op(Opcode::Sub, [31, 30, 0]).op(Opcode::Mul, [32, 29, 0]).op(Opcode::Shl, [30, 19, 0]);
    build.op(Opcode::Add, [34, 33, 0]).op(Opcode::Sub, [20, 26, 0]).op(Opcode::Rshr, [35, 36, 0]).done()
}

#[test]
fn powers_of_rows() {
    let mut rng = Rng::new(6);
    let mut seen = (0, 0);
    for (rows, width) in SIZES.into_iter().filter(|&(_, width)| width > 1) {
        for (bits, sizes) in
            [(31, (20, 12, 26)), (23, (20, 12, 26)), (24, (20, 12, 14)), (9, (6, 2, 9)), (31, (30, 20, 39))]
        {
            let x = numbers(&mut rng, DType::I32, rows * width, bits);
            let values = x.values();
            let rows_of = values.chunks(usize::try_from(width).unwrap());
            let greatest: Vec<i64> = rows_of.map(|row| *row.iter().max().unwrap()).collect();
            let greatest = Tensor::saturating(DType::I32, &greatest);
            let entries = (1 << (sizes.0 - sizes.1)) + 1;
            let rising: Vec<i64> = (0..entries).map(|n| (1 << 29) + (n << 29) / entries).collect();
            let size = [31, 30, 15][rng.index(3)];
            let any = numbers(&mut rng, DType::I32, u32::try_from(entries).unwrap(), size);
            for table in [Tensor::saturating(DType::I32, &rising), any] {
                let others = numbers(&mut rng, DType::I32, rows, bits);
                for less in [&greatest, &others] {
                    let inputs = [x.clone(), less.clone()];
                    let one = check(&power(rows, width, sizes), std::slice::from_ref(&table), &inputs, 1, "power");
                    seen = (seen.0 + one.0, seen.1 + one.1);
                }
            }
        }
    }
    assert!(0 < seen.0 && seen.0 < seen.1, "tables of both kinds: {seen:?}");
}
