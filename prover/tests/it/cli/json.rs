//! One JSON object on one line for every command.

use serde_json::Value;

use super::{Folder, fixture};

/// A value without its times; they are all that differs between runs.
fn timeless(mut value: Value) -> String {
    if let Some(seconds) = value.get_mut("seconds") {
        assert!(seconds.as_f64().is_some_and(|seconds| seconds > 0.0 && seconds < 60.0));
        *seconds = Value::from(0);
    }
    serde_json::to_string_pretty(&value).unwrap()
}

/// The keys with the kinds of their values; of a list, those of its first element.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
        Value::Array(list) => list.first().map(shape).into_iter().collect(),
        Value::Null => "nothing".into(),
        Value::Bool(_) => "yes or no".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "text".into(),
    }
}

#[test]
fn run_and_commit() {
    let folder = Folder::new();
    let run = folder.opml("run model.opml -i picture.png --json").json(0);
    insta::assert_snapshot!("run", timeless(run.clone()));
    assert_eq!(folder.opml("--json run model.opml -i picture.png --reference").json(0), run);
    let commit = folder.opml("commit model.opml -i picture.png --json").json(0);
    insta::assert_snapshot!("commit", timeless(commit.clone()));
    assert_eq!(commit["output_root"], run["output_root"]);
}

#[test]
fn import_and_inspect() {
    let folder = Folder::new();
    folder.put("model.onnx", &fixture("models/mlp-fashion.onnx"));
    folder.put("quantised.onnx", &fixture("models/mlp-fashion-qdq.onnx"));
    folder.put("samples.npy", &fixture("calibration/fashion.npy"));
    let line = "import model.onnx -o new.opml --calibration samples.npy --json";
    let import = folder.opml(line).json(0);
    assert_eq!(folder.read("new.opml"), *super::MLP_MODEL);
    insta::assert_snapshot!("import", timeless(shape(&import)));
    let inspect = folder.opml("inspect new.opml --json").json(0);
    assert_eq!(inspect["model_root"], import["model_root"]);
    assert_eq!(inspect["instructions"], 2);
    insta::assert_snapshot!("inspect", timeless(inspect));
    let quantised = folder.opml("import quantised.onnx -o q.opml --json").json(0);
    insta::assert_snapshot!("import-quantised", timeless(shape(&quantised)));
}

#[test]
fn prove_and_verify() {
    let folder = Folder::new();
    let prove = folder.opml("prove model.opml -i picture.png --step 0:53 -o p.json --json").json(0);
    insta::assert_snapshot!("prove", timeless(prove));
    let mut verify = folder.opml("verify p.json --json").json(0);
    assert!(verify["gas"].as_u64().is_some_and(|gas| (100_000..400_000).contains(&gas)), "{verify}");
    verify["gas"] = Value::from(0);
    insta::assert_snapshot!("verify", timeless(verify));
    let file: Value = serde_json::from_slice(&folder.read("p.json")).unwrap();
    insta::assert_snapshot!("proof-file", timeless(shape(&file)));
}

/// The walk with the gas and the bytes of every transaction.
#[test]
fn dispute() {
    let folder = Folder::new();
    let line = "dispute model.opml -i picture.png --fault from:0:7 --seed 1 --json";
    let report = folder.opml(line).json(0);
    for key in ["winner", "moves", "gas_total", "gas_last_step", "calldata_bytes", "seconds"] {
        assert!(report.get(key).is_some(), "{key}");
    }
    assert_eq!(timeless(folder.opml(line).json(0)), timeless(report.clone()));
    insta::assert_snapshot!("dispute", timeless(report));
    let honest = folder.opml("dispute model.opml -i picture.png --fault none --json").json(0);
    insta::assert_snapshot!("dispute-none", timeless(honest));
}

#[test]
fn demo_and_figures() {
    let folder = Folder::new();
    let demo = folder.opml("demo --json").json(0);
    assert_eq!((&demo["answer"], &demo["honest_claim_final"]), (&"ankle boot".into(), &true.into()));
    assert_ne!(demo["answer"], demo["lie"]);
    insta::assert_snapshot!("demo", timeless(shape(&demo)));
    let figures = folder.opml("figures --json").json(0);
    assert!(figures["rows"].as_array().unwrap().iter().all(|row| row["winner"] == "challenger"));
    insta::assert_snapshot!("figures", timeless(shape(&figures)));
}

#[test]
fn eval() {
    let folder = Folder::new();
    folder.put("model.onnx", &fixture("models/mlp-fashion.onnx"));
    folder.put("samples.npy", &fixture("calibration/fashion.npy"));
    folder.put("images.npy", &fixture("samples/fashion_images.npy"));
    folder.put("labels.npy", &fixture("samples/fashion_labels.npy"));
    let line = "eval model.onnx --calibration samples.npy --images images.npy --labels labels.npy";
    let ran = folder.opml(&format!("{line} --json"));
    let code = ran.code.unwrap();
    let eval = ran.json(code);
    let model = &eval["models"][0];
    assert_eq!(model["samples"], 256);
    assert!(model["agreement"].as_f64().unwrap() > 98.0, "{model}");
    assert_eq!(code == 1, model["loss"].as_f64().unwrap() > eval["tolerance"].as_f64().unwrap());
    insta::assert_snapshot!("eval", timeless(shape(&eval)));
    folder.refuses(&line.replace("--labels labels.npy", "--labels images.npy"), &["images.npy: 200,704 numbers"]);
    folder.refuses(&line.replace("--images images.npy", "--images labels.npy"), &["labels.npy: 256 numbers"]);
}
