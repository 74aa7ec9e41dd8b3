//! The roots of the fixtures' models and of their first runs, in `fixtures/golden.json`. Whoever claims a result with one of
//! these models gets exactly them. `UPDATE_GOLDEN=1 cargo test -p opml-prover --test it golden` writes the file anew.

use std::{collections::BTreeMap, fs};

use opml_ops::{
    ImportOptions,
    engine::Engine,
    import::PIXELS,
    import_onnx,
    npy::{self, Array},
};
use opml_prover::{hex, import};
use opml_vm::{DType, Tensor, Trace, interpreter::Stop, merkle, model_file};
use serde::{Deserialize, Serialize};

use super::{Folder, fixture, root};

const MODELS: [&str; 6] =
    ["mlp-fashion", "mlp-fashion-qdq", "mlp-digits", "lenet-fashion", "lenet-fashion-qdq", "lenet-digits"];

/// Roots of a model, and of its run on picture 0 of its samples.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Roots {
    model_root: String,
    output_root: String,
    trace_root: String,
}

fn array(name: &str) -> Array {
    npy::read(&fixture(name)).unwrap()
}

fn data(model: &str) -> &'static str {
    if model.contains("digits") { "digits" } else { "fashion" }
}

/// The roots, and the model file.
fn roots(model: &str) -> (Roots, Vec<u8>) {
    let calibration = array(&format!("calibration/{}.npy", data(model)));
    let calibration = import::samples(&calibration, &PIXELS).unwrap();
    let options = ImportOptions { calibration, ..ImportOptions::default() };
    let program = import_onnx(&fixture(&format!("models/{model}.onnx")), &options).unwrap().program;
    let samples = array(&format!("samples/{}_images.npy", data(model)));
    let picture = Tensor::from_values(DType::U8, &samples.integers().unwrap()[..784]).unwrap();
    let run = Engine::compile(&program).run(&[picture], Stop::Exactly(1), 1 << 20).unwrap();
    let roots = Roots {
        model_root: hex::of(&program.roots().model),
        output_root: hex::of(&merkle::tensor_root(run.output(&program).unwrap().bytes())),
        trace_root: hex::of(&Trace::new(&program, run).root()),
    };
    (roots, model_file::write(&program))
}

#[test]
fn roots_of_all_fixtures() {
    let path = root().join("fixtures/golden.json");
    let found: BTreeMap<String, Roots> = MODELS.iter().map(|&model| (model.to_owned(), roots(model).0)).collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    let expected: BTreeMap<String, Roots> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(found, expected, "if roots shall change: UPDATE_GOLDEN=1 cargo test -p opml-prover --test it golden");
}

#[test]
fn the_binary_gives_the_same_roots() {
    let expected: BTreeMap<String, Roots> = serde_json::from_slice(&fixture("golden.json")).unwrap();
    let folder = Folder::new();
    for model in ["mlp-fashion", "lenet-fashion", "mlp-digits"] {
        folder.put("model.onnx", &fixture(&format!("models/{model}.onnx")));
        folder.put("samples.npy", &fixture(&format!("calibration/{}.npy", data(model))));
        folder.put("picture.png", &fixture(&format!("samples/{}_0.png", data(model))));
        let import = folder.opml("import model.onnx -o new.opml --calibration samples.npy --json").json(0);
        let commit = folder.opml("commit new.opml -i picture.png --json").json(0);
        let run = folder.opml("run new.opml -i picture.png --reference --json").json(0);
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        assert_eq!(import["model_root"], commit["model_root"], "{model}");
        assert_eq!(run["output_root"], commit["output_root"], "{model}");
        let found = Roots {
            model_root: text(&import["model_root"]),
            output_root: text(&run["output_root"]),
            trace_root: text(&commit["trace_root"]),
        };
        assert_eq!(&found, &expected[model], "{model}");
    }
}
