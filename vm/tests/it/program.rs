//! Programs, roots, runs and traces against SPEC §4 and §5, recomputed here from the text.

use opml_vm::{
    DType, Hash, InputHeader, Instruction, ModelError, Opcode, Program, Source, Tensor, TensorError, Trace,
    interpreter::{Run, Stop, check_length, halts, leaf_index, run},
    merkle::{keccak, tensor_root},
    program::input_root,
    tensor::element_at,
    testing::{Build, Case, conformance_cases, fixed},
};
use proptest::prelude::*;

use crate::setup::{Setup, config};

/// The tree of SPEC §2, by padding with zero hashes: two zero nodes have a zero parent.
fn tree(mut level: Vec<Hash>) -> Hash {
    level.resize(level.len().next_power_of_two(), [0; 32]);
    while level.len() > 1 {
        let parent = |pair: &[Hash]| if pair == [[0; 32]; 2] { [0; 32] } else { keccak(&[pair.as_flattened()]) };
        level = level.chunks(2).map(parent).collect();
    }
    level[0]
}

fn header(tensor: &Tensor) -> Hash {
    let mut bytes = tensor.bytes().to_vec();
    bytes.resize(bytes.len().next_multiple_of(256), 0);
    let root = tree(bytes.chunks(256).map(|leaf| keccak(&[leaf])).collect());
    assert_eq!(root, tensor_root(tensor.bytes()));
    keccak(&[&[tensor.dtype().code()], &tensor.elements().to_be_bytes(), &root])
}

fn one() -> Instruction {
    Build::each(DType::I64, &[1]).op(Opcode::Abs, [0, 0, 0]).done()
}

#[test]
fn roots_are_those_of_the_text() {
    for Case { name, program, inputs, max_t, .. } in conformance_cases() {
        let roots = program.roots();
        let instructions = program.encodings().iter().map(|e| keccak(&[&[1], e])).collect();
        let constants = program.constants().iter().map(header).collect();
        let listed: Vec<u8> = program
            .inputs()
            .iter()
            .flat_map(|input| [vec![input.dtype.code()], input.elements.to_be_bytes().to_vec()].concat())
            .collect();
        assert_eq!(roots.program, tree(instructions), "{name}");
        assert_eq!(roots.constants, tree(constants), "{name}");
        assert_eq!(roots.inputs_hash, keccak(&[&listed]), "{name}");
        assert_eq!(input_root(&inputs), tree(inputs.iter().map(header).collect()), "{name}");
        let counts = program.counts();
        let halt = program.halt().unwrap_or(u32::MAX);
        let numbers: Vec<u8> = [counts.instructions, counts.constants, counts.inputs, program.output(), halt]
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect();
        let model = keccak(&[&[1], &roots.program, &roots.constants, &numbers, &roots.inputs_hash]);
        assert_eq!(roots.model, model, "{name}");
        let setup = Setup::new(program, inputs, max_t);
        assert_eq!(setup.trace.root(), tree(setup.trace.run().values.iter().map(header).collect()), "{name}");
    }
}

#[test]
fn trace_leaves_are_numbered_by_iteration_then_instruction() {
    let (setup, _) = Setup::case("iterations/previous-of-later-instruction");
    let (trace, n) = (&setup.trace, setup.counts().instructions);
    assert_eq!((trace.leaves(), trace.length(), trace.instructions()), (12, 4, 3));
    for (leaf, (t, i)) in (0..).zip(setup.places()) {
        assert_eq!(trace.leaf(t, i), Some(leaf));
        assert_eq!(trace.value(leaf), trace.run().value(n, t, i));
        assert_eq!(trace.tensor_root(leaf), trace.value(leaf).map(|value| tensor_root(value.bytes())));
    }
    assert_eq!(trace.value(12), None);
    assert_eq!((trace.run().value(n, 4, 0), trace.run().value(n, 0, 3)), (None, None));
    assert_eq!(leaf_index(3, u64::MAX, 0), None);
}

#[test]
fn rule_29_programs_need_an_instruction_and_numbers_in_range() {
    let program = |n: usize, out, halt| Program::new(vec![one(); n], Vec::new(), Vec::new(), out, halt).map(|_| ());
    let refused = |field, value| Err(ModelError::Count { field, value, why: "below the instruction count" });
    assert_eq!(program(2, 1, Some(1)), Ok(()));
    assert_eq!(program(2, 2, None), refused("output instruction", 2));
    assert_eq!(program(2, 0, Some(2)), refused("halt instruction", 2));
    assert!(matches!(program(0, 0, None), Err(ModelError::Count { field: "instructions", value: 0, .. })));
}

#[test]
fn inputs_are_writable_and_match_their_headers() {
    let program =
        |dtype, elements| Program::new(vec![one()], Vec::new(), vec![InputHeader { dtype, elements }], 0, None);
    assert!(matches!(program(DType::I4, 1), Err(ModelError::DType { code: 5, .. })));
    assert!(matches!(program(DType::U8, (1 << 40) + 1), Err(ModelError::Count { field: "input elements", .. })));
    let program = program(DType::U8, 2).unwrap();
    let tensor = |dtype, values: &[i64]| Tensor::saturating(dtype, values);
    assert_eq!(program.check_inputs(&[tensor(DType::U8, &[1, 2])]), Ok(()));
    for wrong in [
        vec![],
        vec![tensor(DType::U8, &[1])],
        vec![tensor(DType::I8, &[1, 2])],
        vec![tensor(DType::U8, &[1, 2]), tensor(DType::U8, &[])],
    ] {
        assert!(matches!(program.check_inputs(&wrong), Err(ModelError::Input { .. })));
        assert!(run(&program, &wrong, Stop::Exactly(1), 9).is_err());
    }
}

#[test]
fn rule_10_lengths_are_at_least_one_and_bounded() {
    let program = Program::new(vec![one(), one()], Vec::new(), Vec::new(), 0, None).unwrap();
    for (length, legal) in [(0, false), (1, true), (1 << 39, true), ((1 << 39) + 1, false), (u64::MAX, false)] {
        assert_eq!(check_length(&program, length).is_ok(), legal);
    }
    assert!(run(&program, &[], Stop::Halt { max: 0 }, 9).is_err());
}

#[test]
fn budgets_end_a_run_before_it_works() {
    let refused = |value, limit| Err(ModelError::TooLarge { what: "number of elements", value, limit });
    let build = |extent| {
        Program::new(
            vec![Build::each(DType::I64, &[extent]).op(Opcode::Abs, [0, 0, 0]).done()],
            Vec::new(),
            Vec::new(),
            0,
            None,
        )
        .unwrap()
    };
    let length = |extent, t, budget| run(&build(extent), &[], Stop::Exactly(t), budget).map(|run| run.length);
    assert_eq!(length(3, 2, 6), Ok(2));
    assert_eq!(length(3, 2, 5), refused(6, 5));
    assert_eq!(length(1 << 30, 1, 1_000), refused(1 << 30, 1_000));
    // Empty values cost too: otherwise a run of 2^40 of them would fill the memory.
    assert_eq!(length(0, 1 << 40, 1_000), refused(1_001, 1_000));
    assert_eq!(length(0, 7, 7), Ok(7));
}

#[test]
fn runs_of_a_given_length_do_not_halt() {
    let (setup, _) = Setup::case("iterations/halt-at-two");
    assert_eq!(setup.trace.length(), 3);
    let values = &setup.trace.run().values;
    assert_eq!([0, 1, 2, 3].map(|t| halts(&setup.program, values, t)), [false, false, true, false]);
    for length in [1, 3, 5] {
        let run = run(&setup.program, &setup.inputs, Stop::Exactly(length), 100).unwrap();
        assert_eq!((run.length, run.values.len()), (length, usize::try_from(2 * length).unwrap()));
    }
    let empty = Run { length: 0, values: Vec::new() };
    assert_eq!(empty.output(&setup.program), None);
    assert_eq!(Trace::of_values(2, empty).root(), [0; 32]);
}

#[test]
fn validation_names_the_load() {
    let load = |source, extent| {
        Build::each(DType::I64, &[2]).load(Source::Constant(0), 0, &[]).load(source, 0, &[fixed(extent, 0, &[])]).done()
    };
    let program = |second| {
        let constants = vec![Tensor::saturating(DType::U8, &[1, 2, 3])];
        Program::new(
            vec![one(), second, one()],
            constants,
            vec![InputHeader { dtype: DType::U8, elements: 5 }],
            0,
            None,
        )
    };
    let validate = |source, extent| program(load(source, extent)).unwrap().validate();
    let history = |instruction| Source::History { instruction, base: 0, terms: Vec::new() };
    let view = |view, source_elements| Err(ModelError::View { index: 1, load: 1, view, source_elements });
    assert_eq!(validate(Source::Constant(0), 3), Ok(()));
    assert_eq!(validate(Source::Constant(0), 4), view(4, 3));
    assert_eq!(validate(Source::Input(0), 5), Ok(()));
    assert_eq!(validate(Source::Input(0), 6), view(6, 5));
    assert_eq!(validate(Source::Value(0), 1), Ok(()));
    assert_eq!(validate(Source::Value(0), 2), view(2, 1));
    assert_eq!(validate(history(1), 2), Ok(()));
    assert_eq!(validate(history(2), 2), view(2, 1));
    for number in [1, 2] {
        assert_eq!(validate(Source::Value(number), 1), Err(ModelError::NotEarlier { index: 1, source_index: number }));
    }
}

#[test]
fn tensors_have_exactly_their_bytes() {
    for &dtype in DType::ALL {
        let values = [dtype.min(), -1, 0, 1, dtype.max()].map(|value| dtype.saturate(value));
        let tensor = Tensor::from_values(dtype, &values).unwrap();
        assert_eq!(tensor.values(), values);
        assert_eq!(Some(u64::try_from(tensor.bytes().len()).unwrap()), dtype.bytes(5));
        assert_eq!(Tensor::new(dtype, 5, tensor.bytes().to_vec()), Ok(tensor.clone()));
        assert_eq!(tensor.get(5), None);
        assert_eq!(element_at(dtype, tensor.bytes(), u64::MAX), None);
        let longer = [tensor.bytes(), &[0]].concat();
        assert!(matches!(Tensor::new(dtype, 5, longer), Err(TensorError::Length { .. })));
        assert!(matches!(Tensor::new(dtype, 5, Vec::new()), Err(TensorError::Length { .. })));
        assert_eq!(Tensor::new(dtype, u64::MAX, Vec::new()), Err(TensorError::Elements(u64::MAX)));
        if dtype != DType::I64 {
            for value in [dtype.min() - 1, dtype.max() + 1] {
                let error = TensorError::Range { dtype: dtype.name(), index: 1, value };
                assert_eq!(Tensor::from_values(dtype, &[0, value]), Err(error));
            }
        }
    }
    assert_eq!(Tensor::from_values(DType::I16, &[-2, 258]).unwrap().bytes(), [254, 255, 2, 1]);
    assert_eq!(Tensor::from_values(DType::I4, &[1, -1, -8]).unwrap().bytes(), [0xf1, 0x08]);
    assert_eq!(DType::I64.bytes(u64::MAX), None);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn runs_are_deterministic_and_as_long_as_the_task_says(seed: u64) {
        let setup = Setup::random(seed);
        let again = Setup::random(seed);
        prop_assert_eq!(setup.trace.root(), again.trace.root());
        let (length, values) = (setup.trace.length(), &setup.trace.run().values);
        for t in 0..length - 1 {
            prop_assert!(!halts(&setup.program, values, t));
        }
        let exact = run(&setup.program, &setup.inputs, Stop::Exactly(length), 1 << 20).unwrap();
        prop_assert_eq!(&exact, setup.trace.run());
        // A shorter run is a prefix.
        let first = run(&setup.program, &setup.inputs, Stop::Exactly(1), 1 << 20).unwrap();
        prop_assert_eq!(&first.values[..], &values[..first.values.len()]);
    }
}
