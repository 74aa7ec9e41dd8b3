//! The fixture models, end to end.

use std::path::PathBuf;

use opml_ops::{ImportOptions, Imported, import_onnx, npy};
use opml_vm::{Tensor, interpreter::{self, Stop}};

fn file(name: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "fixtures", name].iter().collect();
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Rows of pixels.
fn images(name: &str) -> Vec<Vec<i64>> {
    let array = npy::read(&file(name)).unwrap();
    array.integers().unwrap().chunks(array.row()).map(<[i64]>::to_vec).collect()
}

fn import(model: &str, data: &str) -> Imported {
    let calibration = images(&format!("calibration/{data}.npy"))
        .iter()
        .map(|image| image.iter().map(|&p| p as f32 / 255.0).collect())
        .collect();
    let options = ImportOptions { calibration, ..ImportOptions::default() };
    import_onnx(&file(&format!("models/{model}.onnx")), &options).unwrap()
}

fn argmax(tensor: &Tensor) -> usize {
    let values = tensor.values();
    let largest = *values.iter().max().unwrap();
    values.iter().position(|&v| v == largest).unwrap()
}

fn agreement(model: &str, data: &str) -> usize {
    let imported = import(model, data);
    for (e, i) in imported.program.encodings().iter().zip(imported.program.instructions()) {
        eprintln!("{} bytes {:?} {:?} map {} post {}", e.len(), i.output, i.reduction, i.map.len(), i.post.len());
    }
    let expected: serde_json::Value = serde_json::from_slice(&file("expected.json")).unwrap();
    let expected = expected["models"][model]["argmax"].as_array().unwrap();
    let images = images(&format!("samples/{data}_images.npy"));
    let header = imported.program.inputs()[0];
    images.iter().zip(expected).take(64).filter(|(image, expected)| {
        let input = Tensor::from_values(header.dtype, image).unwrap();
        let run = interpreter::run(&imported.program, &[input], Stop::Exactly(1), 1 << 30).unwrap();
        argmax(run.output(&imported.program).unwrap()) as u64 == expected.as_u64().unwrap()
    }).count()
}

#[test]
fn mlp() {
    for (model, data) in [("mlp-fashion", "fashion"), ("mlp-digits", "digits"), ("mlp-fashion-qdq", "fashion"), ("lenet-digits", "digits"), ("lenet-fashion", "fashion"), ("lenet-fashion-qdq", "fashion")] {
        let n = agreement(model, data);
        eprintln!("{model} {n}");
        assert!(n >= 63);
    }
}
