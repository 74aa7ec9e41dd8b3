//! Bytes that are no model, or nearly one: typed errors, no panic, no memory beyond the limits.

use opml_ops::{
    ImportError, ImportOptions, float,
    graph::{Data, passes},
    import_onnx,
    onnx::{self, Limits, Options},
};
use proptest::prelude::*;

use crate::{
    fixtures::file,
    model::{
        Attribute::{Float, Graph, Int, Ints, Text},
        Model, weights,
    },
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
        .node("Conv", &["x", "w"], "a", &[Ints("pads", vec![1, 1, 1, 1])])
        .node("Relu", &["a"], "b", &[])
        .node("MaxPool", &["b"], "c", &[Ints("kernel_shape", vec![3, 3]), Ints("strides", vec![3, 3])])
        .node("Concat", &["c", "c"], "d", &[Int("axis", 1)])
        .node("AveragePool", &["c"], "e", &[Ints("kernel_shape", vec![1, 1])])
        .node("Reshape", &["e", "shape"], "f", &[])
        .node("QuantizeLinear", &["f", "scale", "zero"], "g", &[])
        .node("DequantizeLinear", &["g", "scale", "zero"], "h", &[])
        .node("Gemm", &["h", "v"], "i", &[Int("transB", 1)])
        .node("Softmax", &["i"], "y", &[])
        .output("y")
        .bytes()
}

/// A model of operators that are decomposed, unrolled or folded when they are read.
fn wide() -> Vec<u8> {
    let branch = |operator: &str| Model::new(18).node(operator, &["x"], "b", &[]).output("b");
    Model::new(18)
        .input("x", &[2, 3, 4])
        .input_of("n", 7, &[2])
        .floats("w", &[1, 8, 4], &weights(1, 8, 4))
        .floats("r", &[1, 8, 2], &weights(2, 8, 2))
        .floats("k", &[3, 1, 2], &weights(3, 3, 2))
        .floats("s", &[3], &[1.0, 1.0, 1.5])
        .floats("e", &[0], &[])
        .floats("half", &[], &[0.5])
        .ints("pads", &[6], &[0, 0, 1, 0, 0, 2])
        .ints("one", &[1], &[1])
        .ints("three", &[1], &[3])
        .ints("axes", &[1], &[-1])
        .ints("shape", &[3], &[2, -1, 1])
        .small("true", 9, &[], &[1])
        .node("LSTM", &["x", "w", "r"], "l,lh,lc", &[Int("hidden_size", 2), Float("clip", 3.0)])
        .node("ConvTranspose", &["x", "k"], "t", &[Int("group", 1), Ints("strides", vec![2]), Ints("pads", vec![1, 0])])
        .node("Pad", &["x", "pads"], "p", &[Text("mode", "reflect")])
        .node("Slice", &["p", "one", "three", "axes"], "q", &[])
        .node("Resize", &["x", "e", "s"], "z", &[Text("mode", "cubic")])
        .node("TopK", &["z", "three"], "v,i", &[])
        .node("GatherElements", &["x", "i"], "g", &[])
        .node("Split", &["g"], "g1,g2", &[Int("num_outputs", 2), Int("axis", 2)])
        .node("ReduceMean", &["x", "axes"], "m", &[])
        .node("Sub", &["x", "m"], "d", &[])
        .node("Mul", &["d", "d"], "dd", &[])
        .node("ReduceMean", &["dd", "axes"], "var", &[])
        .node("Sqrt", &["var"], "sd", &[])
        .node("Div", &["d", "sd"], "y", &[])
        .node("Sigmoid", &["y"], "sw", &[])
        .node("Mul", &["y", "sw"], "ys", &[])
        .node("Gather", &["x", "n"], "h", &[Int("axis", 1)])
        .node("OneHot", &["n", "three", "oo"], "o", &[])
        .node("If", &["true"], "f", &[Graph("then_branch", branch("Abs")), Graph("else_branch", branch("Neg"))])
        .node("Expand", &["m", "shape2"], "x2", &[])
        .node("Einsum", &["x", "f"], "u", &[Text("equation", "bij,bik->bjk")])
        .node("CumSum", &["u", "axis"], "c", &[Int("reverse", 1)])
        .node("DynamicQuantizeLinear", &["c"], "dq,ds,dz", &[])
        .node("MatMulInteger", &["dq", "dq", "dz", "dz"], "mi", &[])
        .node("Cast", &["mi"], "mf", &[Int("to", 1)])
        .floats("oo", &[2], &[0.0, 1.0])
        .ints("axis", &[], &[1])
        .ints("shape2", &[3], &[2, 3, 4])
        .output("l")
        .output("t")
        .output("q")
        .output("g2")
        .output("ys")
        .output("h")
        .output("o")
        .output("x2")
        .output("mf")
        .bytes()
}

/// Reads, simplifies and evaluates; the sizes are bounded by the limits.
fn evaluate(bytes: &[u8]) -> Result<Vec<usize>, ImportError> {
    let limits = Limits { nodes: 400, elements: 1 << 12, total: 1 << 16, work: 1 << 20 };
    let mut graph = onnx::read(bytes, &Options { limits, ..Options::default() })?.graph;
    let before = lengths(&graph);
    passes::simplify(&mut graph);
    assert_eq!(before, lengths(&graph), "simplification keeps the extents");
    Ok(before)
}

/// Numbers of elements that the outputs have when they are computed.
fn lengths(graph: &opml_ops::graph::Graph) -> Vec<usize> {
    if graph.work() > 1 << 20 {
        return vec![];
    }
    let inputs = graph.inputs.iter().map(|&id| Data::Float(vec![1.0; graph.value(id).elements()])).collect();
    let values = float::evaluate_graph(graph, inputs);
    graph.outputs.iter().map(|&id| values.get(id).len()).collect()
}

#[test]
fn the_samples_are_sound() {
    import_onnx(&sample(), &options()).unwrap();
    assert_eq!(evaluate(&wide()).unwrap(), [12, 14, 12, 6, 24, 16, 6, 24, 32]);
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

#[test]
fn constants_that_do_not_fit_are_refused() {
    let sides = [Ints("kernel_shape", vec![1, 1]), Ints("pads", vec![1, 1, 1, 1])];
    let start = || Model::new(13).input("x", &[1]).floats("c", &[1, 1, 0, 2], &[]).floats("k", &[1, 1, 1, 1], &[1.0]);
    for (operator, operands) in [("MaxPool", &["c"][..]), ("AveragePool", &["c"]), ("Conv", &["c", "k"])] {
        let model = start().node(operator, operands, "m", &sides).node("Add", &["x", "m"], "y", &[]).output("y");
        assert!(matches!(evaluate(&model.bytes()), Err(ImportError::Node { .. })), "{operator}");
    }
    let product = Model::new(13).input("x", &[1]).floats("a", &[2, 0], &[]).floats("b", &[0, 3], &[]);
    let product = product.node("MatMul", &["a", "b"], "m", &[]).node("Add", &["x", "m"], "y", &[]).output("y");
    assert!(evaluate(&product.bytes()).is_err());
    let scalar = Model::new(13).input("x", &[1, 1, 1]).floats("w", &[1, 1, 1], &[1.0]).floats("r", &[], &[1.0]);
    let scalar = scalar.node("RNN", &["x", "w", "r"], "y", &[Int("hidden_size", 1)]).output("y");
    assert!(evaluate(&scalar.bytes()).is_err());
    let blocks =
        Model::new(13).input("x", &[1, 64, 1, 1]).node("SpaceToDepth", &["x"], "y", &[Int("blocksize", 1 << 24)]);
    assert!(evaluate(&blocks.output("y").bytes()).is_err());
    let long = Model::new(13).input("x", &[2, 2]).ints("n", &[2], &[i64::MAX, 1]);
    assert!(evaluate(&long.node("ReverseSequence", &["x", "n"], "y", &[]).output("y").bytes()).is_err());
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
    fn changed_bytes_of_many_operators_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = wide();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let _ = evaluate(&bytes);
        let limits = Limits { nodes: 400, elements: 1 << 12, total: 1 << 16, work: 1 << 20 };
        let _ = onnx::check(&bytes, &Options { limits, ..Options::default() });
    }

    #[test]
    fn flipped_bits_of_many_operators_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0u32..8), 1..4),
    ) {
        let mut bytes = wide();
        for (place, bit) in flips {
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
        }
        let _ = evaluate(&bytes);
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = import_onnx(&bytes, &options());
        let _ = opml_ops::npy::read(&bytes);
    }
}
