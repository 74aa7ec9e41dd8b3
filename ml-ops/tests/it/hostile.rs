//! Bytes that are no model, or nearly one: typed errors, no panic, no memory beyond the limits.

use opml_ops::{ImportError, ImportOptions, import_onnx, onnx::Limits};
use proptest::prelude::*;

use crate::{
    fixtures::file,
    model::{Attribute::Int, Model, weights},
};

/// Limits that keep a test short.
fn options() -> ImportOptions {
    ImportOptions {
        calibration: vec![vec![0.5; 2 * 6 * 6]],
        limits: Limits { nodes: 100, elements: 1 << 16, total: 1 << 20, work: 1 << 20 },
        ..ImportOptions::default()
    }
}

/// A small model with many kinds of nodes.
fn sample() -> Vec<u8> {
    Model::new(13)
        .input("x", &[1, 2, 6, 6])
        .floats("w", &[3, 2, 3, 3], &weights(1, 3, 18))
        .floats("v", &[4, 12], &weights(2, 4, 12))
        .ints("shape", &[2], &[0, -1])
        .floats("scale", &[], &[0.5])
        .small("zero", 3, &[], &[4])
        .node("Conv", &["x", "w"], "a", &[crate::model::Attribute::Ints("pads", vec![1, 1, 1, 1])])
        .node("Relu", &["a"], "b", &[])
        .node(
            "MaxPool",
            &["b"],
            "c",
            &[
                crate::model::Attribute::Ints("kernel_shape", vec![3, 3]),
                crate::model::Attribute::Ints("strides", vec![3, 3]),
            ],
        )
        .node("Concat", &["c", "c"], "d", &[Int("axis", 1)])
        .node("AveragePool", &["c"], "e", &[crate::model::Attribute::Ints("kernel_shape", vec![1, 1])])
        .node("Reshape", &["e", "shape"], "f", &[])
        .node("QuantizeLinear", &["f", "scale", "zero"], "g", &[])
        .node("DequantizeLinear", &["g", "scale", "zero"], "h", &[])
        .node("Gemm", &["h", "v"], "i", &[Int("transB", 1)])
        .node("Softmax", &["i"], "y", &[])
        .output("y")
        .bytes()
}

#[test]
fn the_sample_is_sound() {
    import_onnx(&sample(), &options()).unwrap();
}

#[test]
fn every_truncation_is_refused() {
    let bytes = sample();
    for length in 0..bytes.len() {
        assert!(import_onnx(&bytes[..length], &options()).is_err(), "{length}");
    }
    let real = file("models/mlp-fashion.onnx");
    for length in (0..real.len()).step_by(1999) {
        assert!(import_onnx(&real[..length], &options()).is_err(), "{length}");
    }
}

#[test]
fn huge_lengths_take_no_memory() {
    for bytes in [
        vec![0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        vec![0x3a, 0x80, 0x80, 0x80, 0x80, 0x10],
        vec![0xff; 64],
        vec![],
    ] {
        assert!(import_onnx(&bytes, &options()).is_err());
    }
    let wide = Model::new(13).input("x", &[1 << 40, 1 << 40]).node("Relu", &["x"], "y", &[]).output("y");
    assert!(matches!(import_onnx(&wide.bytes(), &options()), Err(ImportError::Input { .. })));
    let deep = (0..200).fold(Model::new(13).input("x", &[4]), |model, i| {
        let (from, to) = (if i == 0 { "x".into() } else { format!("v{i}") }, format!("v{}", i + 1));
        model.node("Sigmoid", &[&from], &to, &[])
    });
    assert!(matches!(import_onnx(&deep.output("v200").bytes(), &options()), Err(ImportError::Limit { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = sample();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let _ = import_onnx(&bytes, &options());
    }

    #[test]
    fn flipped_bits_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), 0u32..8), 1..4)) {
        let mut bytes = sample();
        for (place, bit) in flips {
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
        }
        let _ = import_onnx(&bytes, &options());
    }

    #[test]
    fn moved_pieces_never_panic(from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), length in 0usize..40) {
        let mut bytes = sample();
        let from = from.index(bytes.len());
        let piece: Vec<u8> = bytes[from..(from + length).min(bytes.len())].to_vec();
        let to = to.index(bytes.len());
        bytes.splice(to..to, piece);
        let _ = import_onnx(&bytes, &options());
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = import_onnx(&bytes, &options());
        let _ = opml_ops::npy::read(&bytes);
    }
}
