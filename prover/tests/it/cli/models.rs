//! Model and ONNX files that are damaged, hostile or something else.

use std::panic::catch_unwind;

use opml_ops::{ImportOptions, import_onnx, onnx::Limits};
use opml_vm::{DType, InputHeader, Opcode, Program, bounds::Bounds, disasm, model_file, testing::Build};
use proptest::{prelude::*, test_runner::RngSeed};

use super::{Folder, LENET_MODEL, MLP_MODEL, fixture};

/// The same cases on every run.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() }
}

/// A change of a file.
#[derive(Debug, Clone)]
enum Damage {
    Cut(usize),
    Flip(usize, u8),
    Put(usize, Vec<u8>),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
}

/// Damage within the first bytes, where headers and instructions are.
fn damage(within: usize) -> impl Strategy<Value = Vec<Damage>> {
    let some = || prop_oneof![Just(vec![0xff; 4]), Just(vec![0; 4]), proptest::collection::vec(any::<u8>(), 1..9)];
    let one = prop_oneof![
        1 => (0..within).prop_map(Damage::Cut),
        4 => (0..within, 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, 1 << bit)),
        3 => (0..within, some()).prop_map(|(at, bytes)| Damage::Put(at, bytes)),
        1 => (0..within, some()).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => (0..within, 1..20usize).prop_map(|(at, count)| Damage::Remove(at, count)),
    ];
    proptest::collection::vec(one, 1..4)
}

fn damaged(bytes: &[u8], changes: &[Damage]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes {
        match change {
            Damage::Cut(at) => bytes.truncate(*at),
            Damage::Flip(at, bit) => bytes.iter_mut().skip(*at).take(1).for_each(|byte| *byte ^= bit),
            Damage::Put(at, new) => bytes.iter_mut().skip(*at).zip(new).for_each(|(byte, new)| *byte = *new),
            Damage::Insert(at, new) => drop(bytes.splice((*at).min(bytes.len())..(*at).min(bytes.len()), new.clone())),
            Damage::Remove(at, count) => {
                let at = (*at).min(bytes.len());
                drop(bytes.drain(at..(at + count).min(bytes.len())));
            }
        }
    }
    bytes
}

/// What the command does with a model before it runs it.
fn look_at(program: &Program) {
    let _ = program.validate();
    for max_t in [1, 1 << 20, u64::MAX] {
        let _ = Bounds::new(program, max_t);
    }
    let _ = disasm::program(program);
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn damaged_models_are_refused_or_canonical(changes in damage(1_700)) {
        let bytes = damaged(&LENET_MODEL, &changes);
        if let Ok(program) = model_file::read(&bytes) {
            prop_assert_eq!(model_file::write(&program), bytes);
            look_at(&program);
        }
    }

    #[test]
    fn random_bytes_behind_the_magic_are_no_model(tail in proptest::collection::vec(any::<u8>(), 0..300)) {
        let bytes = [&model_file::MAGIC[..], &tail].concat();
        prop_assert!(model_file::read(&bytes).is_err());
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn damaged_onnx_files_do_not_panic(changes in damage(1_000), behind in any::<bool>()) {
        let onnx = fixture("models/mlp-fashion.onnx");
        let mut bytes = onnx.clone();
        if behind {
            bytes.reverse();
        }
        let mut bytes = damaged(&bytes, &changes);
        if behind {
            bytes.reverse();
        }
        let limits = Limits { elements: 1 << 20, total: 1 << 22, work: 1 << 22, ..Limits::default() };
        let options = ImportOptions { calibration: vec![vec![0.5; 784]], compared: 1, limits, ..Default::default() };
        prop_assert!(catch_unwind(|| import_onnx(&bytes, &options).is_ok()).is_ok());
    }
}

/// Counts that ask for more than there is do not take memory for it.
fn huge(field: usize) -> Vec<u8> {
    let mut bytes = MLP_MODEL.clone();
    bytes[5 + 4 * field..][..4].copy_from_slice(&u32::MAX.to_be_bytes());
    bytes
}

#[test]
fn the_binary_refuses_damaged_models() {
    let folder = Folder::new();
    let cut = |length: usize| MLP_MODEL[..length].to_vec();
    let mut flipped = MLP_MODEL.clone();
    flipped[38] ^= 0x40;
    let trailing = [&MLP_MODEL[..], b"more"].concat();
    for (bytes, words) in [
        (Vec::new(), "ends at byte 0"),
        (b"opML\x02 of the future".to_vec(), "not an opML model file of version 1"),
        (b"hello, this is a letter".to_vec(), "not an opML model file"),
        (fixture("samples/fashion_0.png"), "not an opML model file"),
        (cut(4), "ends at byte 4"),
        (cut(20), "inside the output instruction"),
        (cut(100), "inside instruction 0"),
        (cut(30_000), "inside constant 0"),
        (flipped, "instruction 0: "),
        (trailing, "4 bytes follow the end of the model"),
        (huge(0), "instructions is 4294967295"),
        (huge(1), "bad.opml: "),
        (huge(2), "bad.opml: "),
        (huge(3), "bad.opml: "),
    ] {
        folder.put("bad.opml", &bytes);
        for line in ["inspect bad.opml", "run bad.opml -i picture.png --json", "dispute bad.opml -i picture.png"] {
            folder.refuses(line, &["bad.opml: ", words, "`opml import` writes model files"]);
        }
    }
}

#[test]
fn the_binary_refuses_damaged_onnx_files() {
    let folder = Folder::new();
    let onnx = fixture("models/mlp-fashion.onnx");
    folder.put("samples.npy", &fixture("calibration/fashion.npy"));
    for bytes in [Vec::new(), b"not protobuf at all".to_vec(), onnx[..onnx.len() / 2].to_vec(), vec![0xff; 1_000]] {
        folder.put("bad.onnx", &bytes);
        folder.refuses("import bad.onnx -o new.opml --calibration samples.npy", &["bad.onnx: "]);
        folder.refuses("eval bad.onnx --images samples.npy --labels samples.npy", &["bad.onnx: "]);
    }
    folder.put("model.onnx", &onnx);
    folder.refuses("import model.onnx -o new.opml", &["model.onnx: calibration: "]);
    folder.refuses("import model.onnx -o new.opml --calibration picture.png", &["picture.png: not an .npy file"]);
    folder.refuses("import model.onnx -o new.opml --calibration model.onnx", &["model.onnx: not an .npy file"]);
}

/// A few bytes that ask for 2^40 elements take no memory.
#[test]
fn models_of_enormous_runs_are_refused() {
    let folder = Folder::new();
    let count = Build::each(DType::I64, &[1 << 20, 1 << 20]).constants(&[1]).op(Opcode::Add, [0, 18, 0]).done();
    let inputs = vec![InputHeader { dtype: DType::U8, elements: 784 }];
    let program = Program::new(vec![count], Vec::new(), inputs, 0, None).unwrap();
    folder.put("bomb.opml", &model_file::write(&program));
    for line in [
        "run bomb.opml -i picture.png",
        "run bomb.opml -i picture.png --reference",
        "commit bomb.opml -i picture.png",
        "prove bomb.opml -i picture.png --step 0:0 -o p.json",
        "dispute bomb.opml -i picture.png",
    ] {
        folder.refuses(line, &["bomb.opml: number of operations is", "--max-operations raises the limit"]);
    }
    assert!(folder.opml("inspect bomb.opml").exits(0).contains("1,099,511,627,776 elements"));
}

/// Names in a file reach the terminal without their control characters.
#[test]
fn names_cannot_steer_the_terminal() {
    let folder = Folder::new();
    let mut onnx = fixture("models/mlp-fashion.onnx");
    let at = onnx.windows(4).position(|word| word == b"Relu").unwrap();
    onnx[at..at + 4].copy_from_slice(b"\x1b[2\n");
    folder.put("bad.onnx", &onnx);
    folder.put("samples.npy", &fixture("calibration/fashion.npy"));
    folder.refuses("import bad.onnx -o new.opml --calibration samples.npy", &["bad.onnx: ", "\\u{1b}[2\\n"]);
}
