//! The fixture models, end to end: committed roots, decisions, engine against interpreter.

use std::path::PathBuf;

use opml_ops::{
    ImportOptions, Imported,
    accuracy::{self, decision_of},
    commit::Hasher,
    engine::Engine,
    import::PIXELS,
    import_onnx, npy,
    tier::Tier,
};
use opml_vm::{
    Hash, Tensor,
    interpreter::{self, Stop},
    model_file,
};

/// Model, data set, instructions, model root.
const MODELS: [(&str, &str, usize, &str); 6] = [
    ("mlp-digits", "digits", 2, "78d91c9a845652f37ed8f31b17e51fbb8aa2c2453aebddc839df4d3ca5f8038b"),
    ("mlp-fashion", "fashion", 2, "8b801106dacddab39cc6ec77e3549883a9a9801d55590d6a1ebec9e8667e91cb"),
    ("mlp-fashion-qdq", "fashion", 2, "24c4c45158eb8b4618fdfc4a473405326bcb1bdacdd4f931808e208fba5112d1"),
    ("lenet-digits", "digits", 7, "03ba671479aa96e171be29108130aa1957f18c843842525bcfb8d72364553518"),
    ("lenet-fashion", "fashion", 7, "2730a4aa03ac382058debc86a08db2f8e079eaf4d055e98f519a7e69508bdc54"),
    ("lenet-fashion-qdq", "fashion", 7, "f2e2532a9d21cc898848ab6e1e15545351d91b1d4121b22a830dcb09d7e896f3"),
];

pub(crate) fn file(name: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "fixtures", name].iter().collect();
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Rows of pixels.
fn images(name: &str) -> Vec<Vec<i64>> {
    let array = npy::read(&file(name)).unwrap();
    array.integers().unwrap().chunks(array.row()).map(<[i64]>::to_vec).collect()
}

fn import(model: &str, data: &str) -> Imported {
    let calibration = images(&format!("calibration/{data}.npy")).iter().map(|image| PIXELS.decode(image)).collect();
    let options = ImportOptions { calibration, ..ImportOptions::default() };
    import_onnx(&file(&format!("models/{model}.onnx")), &options).unwrap()
}

#[test]
fn roots_are_the_committed_ones() {
    let roots: Vec<(&str, usize, String)> = MODELS
        .iter()
        .map(|(model, data, ..)| {
            let program = import(model, data).program;
            let root = program.roots().model.iter().map(|byte| format!("{byte:02x}")).collect();
            (*model, program.instructions().len(), root)
        })
        .collect();
    let expected: Vec<(&str, usize, String)> =
        MODELS.iter().map(|(model, _, count, root)| (*model, *count, (*root).to_owned())).collect();
    assert_eq!(roots, expected, "the import of a file is the same on every machine; a change of it is a new model");
}

/// `golden.json` has the roots that whoever claims a result of these models gets: on every machine, in every tier.
#[test]
fn golden_roots_on_every_tier() {
    let golden: serde_json::Value = serde_json::from_slice(&file("golden.json")).unwrap();
    assert_eq!(golden.as_object().unwrap().len(), MODELS.len());
    let hex = |hash: Hash| hash.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    for (model, data, ..) in MODELS {
        let program = import(model, data).program;
        let picture = Tensor::from_values(PIXELS.dtype, &images(&format!("samples/{data}_images.npy"))[0]).unwrap();
        for tier in Tier::supported() {
            let hasher = Hasher::new(tier);
            let engine = Engine::compile_for(&program, tier);
            let run = engine.run(std::slice::from_ref(&picture), Stop::Exactly(1), 1 << 20).unwrap();
            let roots = [
                ("model_root", hasher.model_roots(&program).model),
                ("output_root", hasher.tensor_root(run.output(&program).unwrap().bytes())),
                ("trace_root", hasher.trace(&program, run).root()),
            ];
            for (name, root) in roots {
                assert_eq!(golden[model][name], hex(root), "{name} of {model} on {}", tier.name());
            }
        }
    }
}

#[test]
fn instructions_are_small() {
    for (model, data, ..) in MODELS {
        let program = import(model, data).program;
        let sizes: Vec<usize> = program.encodings().iter().map(Vec::len).collect();
        assert!(sizes.iter().all(|&size| size <= 280), "{model}: {sizes:?}");
        let header = program.inputs()[0];
        assert_eq!((header.dtype, header.elements), (PIXELS.dtype, 784), "{model} reads pixels");
        let read = model_file::read(&model_file::write(&program)).unwrap();
        assert_eq!(read, program, "{model} survives its file");
    }
}

#[test]
fn decisions_are_those_of_onnx_runtime() {
    let expected: serde_json::Value = serde_json::from_slice(&file("expected.json")).unwrap();
    for (model, data, ..) in MODELS {
        let imported = import(model, data);
        let expected: Vec<usize> = expected["models"][model]["argmax"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_u64().unwrap() as usize)
            .collect();
        let images = images(&format!("samples/{data}_images.npy"));
        let stored: Vec<&[i64]> = images.iter().map(Vec::as_slice).collect();
        let integer = accuracy::decisions(&imported.program, &stored, 1, 1 << 30).unwrap();
        let agreeing = accuracy::score(&integer, &expected).correct;
        // A QDQ file states all integers but the rounding of ties.
        let least = if model.ends_with("qdq") { 256 } else { 254 };
        assert!(agreeing >= least, "{model}: {agreeing} of 256");

        let real: Vec<Vec<f32>> = images.iter().map(|image| PIXELS.decode(image)).collect();
        let float = accuracy::float_decisions(&imported.graph, &real);
        assert_eq!(float, expected, "{model}: the float network is ONNX Runtime's");
        assert!(imported.report.agreeing + 1 >= imported.report.samples, "{model}");
    }
}

#[test]
fn logits_are_close_to_onnx_runtime() {
    let expected: serde_json::Value = serde_json::from_slice(&file("expected.json")).unwrap();
    for (model, data, ..) in MODELS {
        let imported = import(model, data);
        let engine = Engine::compile(&imported.program);
        let samples = images(&format!("samples/{data}_images.npy"));
        let logits = expected["models"][model]["logits"].as_array().unwrap();
        for (image, logits) in samples.iter().zip(logits) {
            let input = Tensor::from_values(PIXELS.dtype, image).unwrap();
            let run = engine.run(&[input], Stop::Exactly(1), 1 << 30).unwrap();
            let output = run.output(&imported.program).unwrap().values();
            for (stored, logit) in output.iter().zip(logits.as_array().unwrap()) {
                let difference = (imported.output.encoding.real(*stored) - logit.as_f64().unwrap()).abs();
                // A QDQ logit is exact, but for a tie that rounds the other way.
                let allowed = if model.ends_with("qdq") { 1.01 * imported.output.encoding.scale } else { 0.6 };
                assert!(difference <= allowed, "{model}: {difference}");
            }
        }
    }
}

#[test]
fn engine_equals_interpreter() {
    for (model, data, ..) in MODELS {
        let imported = import(model, data);
        let engine = Engine::compile(&imported.program);
        assert!(!engine.forms().contains(&"slow"), "{model}: {:?}", engine.forms());
        for image in images(&format!("samples/{data}_images.npy")).iter().take(4) {
            let inputs = [Tensor::from_values(PIXELS.dtype, image).unwrap()];
            let run = engine.run(&inputs, Stop::Exactly(1), 1 << 30).unwrap();
            let reference = interpreter::run(&imported.program, &inputs, Stop::Exactly(1), 1 << 30).unwrap();
            assert_eq!(run, reference, "{model}");
            assert!(decision_of(run.output(&imported.program).unwrap()) < 10);
        }
    }
}
