//! Files with `QuantizeLinear` and `DequantizeLinear`: the program computes with the file's integers.

use opml_ops::{
    ImportOptions,
    engine::Engine,
    import::{InputEncoding, PIXELS, Precision},
    import_onnx,
};
use opml_vm::{DType, interpreter::Stop};

use crate::model::{Attribute::Int, Model, difference, numbers, weights};

/// A quantised product with bias between quantised values, as ONNX Runtime's static quantiser writes it.
fn product(kind: i64, zero: i64) -> Model {
    let scaled: Vec<i64> = weights(4, 6, 9).iter().map(|&w| w as i64).collect();
    Model::new(13)
        .input("x", &[1, 9])
        .floats("x.scale", &[], &[1.0 / 255.0])
        .small("x.zero", kind, &[], &[if kind == 2 { 0 } else { -128 }])
        .small("w", 3, &[6, 9], &scaled)
        .floats("w.scale", &[6], &[0.01, 0.02, 0.03, 0.001, 0.005, 0.007])
        .small("w.zero", 3, &[6], &[0; 6])
        .floats("y.scale", &[], &[0.05])
        .small("y.zero", kind, &[], &[zero])
        .node("QuantizeLinear", &["x", "x.scale", "x.zero"], "x.q", &[])
        .node("DequantizeLinear", &["x.q", "x.scale", "x.zero"], "x.d", &[])
        .node("DequantizeLinear", &["w", "w.scale", "w.zero"], "w.d", &[Int("axis", 0)])
        .node("Gemm", &["x.d", "w.d"], "z", &[Int("transB", 1)])
        .node("Relu", &["z"], "r", &[])
        .node("QuantizeLinear", &["r", "y.scale", "y.zero"], "y.q", &[])
        .node("DequantizeLinear", &["y.q", "y.scale", "y.zero"], "y", &[])
        .output("y")
}

#[test]
fn scales_come_from_the_file_and_need_no_calibration() {
    for (kind, zero, dtype) in [(2, 10, DType::U8), (3, -100, DType::I8)] {
        let imported = import_onnx(&product(kind, zero).bytes(), &ImportOptions::default()).unwrap();
        // Pixels of scale 1/255 are the input's stored numbers, whatever the zero point: one instruction in all.
        assert_eq!(imported.program.instructions().len(), 1);
        assert_eq!(imported.output.encoding.dtype, dtype);
        assert_eq!(imported.output.encoding.zero_point, zero);
        assert!(difference(&imported, 50) < 1e-6, "every stored number is the float network's");
    }
}

#[test]
fn another_input_scale_is_a_table() {
    let options =
        ImportOptions { default_encoding: InputEncoding { scale: 1.0 / 200.0, ..PIXELS }, ..ImportOptions::default() };
    let imported = import_onnx(&product(3, 4).bytes(), &options).unwrap();
    assert_eq!(imported.program.instructions().len(), 2);
    assert!(difference(&imported, 50) < 1e-6);
}

#[test]
fn integer_inputs_take_the_encoding_of_their_dequantisation() {
    let model = Model::new(13)
        .input_of("x", 3, &[1, 9])
        .floats("scale", &[], &[0.5])
        .small("zero", 3, &[], &[-5])
        .node("DequantizeLinear", &["x", "scale", "zero"], "r", &[])
        .node("Softmax", &["r"], "y", &[])
        .output("y");
    let imported = import_onnx(&model.bytes(), &ImportOptions::default()).unwrap();
    assert_eq!((imported.inputs[0].encoding.dtype, imported.inputs[0].encoding.zero_point), (DType::I8, -5));
    assert!(difference(&imported, 20) < 1e-5);
}

/// Ties go to the even quotient before the zero point is added, also where bounds come first.
#[test]
fn ties_are_even_before_an_odd_zero_point() {
    let model = Model::new(21)
        .input("x", &[8])
        .floats("scale", &[], &[2.0])
        .small("zero", 4, &[], &[32767])
        .node("QuantizeLinear", &["x", "scale", "zero"], "y", &[])
        .output("y");
    let options = ImportOptions {
        default_encoding: InputEncoding { dtype: DType::I32, scale: 0.5, zero_point: 0 },
        ..ImportOptions::default()
    };
    let imported = import_onnx(&model.bytes(), &options).unwrap();
    let x = opml_vm::Tensor::saturating(DType::I32, &[-6, 6, 2, -2, 10, -10, 1 << 20, -(1 << 20)]);
    let run = Engine::compile(&imported.program).run(&[x], Stop::Exactly(1), 1 << 20).unwrap();
    let stored = run.output(&imported.program).unwrap().values();
    assert_eq!(stored, [32765, 32769, 32767, 32767, 32769, 32765, 65535, 0]);
}

#[test]
fn arithmetic_on_stored_integers_is_refused() {
    let model = Model::new(13)
        .input("x", &[1, 9])
        .floats("scale", &[], &[0.5])
        .small("zero", 3, &[], &[0])
        .node("QuantizeLinear", &["x", "scale", "zero"], "q", &[])
        .node("Add", &["q", "q"], "y", &[])
        .output("y");
    let error = import_onnx(&model.bytes(), &ImportOptions::default()).unwrap_err().to_string();
    assert!(error.contains("DequantizeLinear"), "{error}");
}

/// ONNX Runtime's operators on stored integers give what dequantising, computing and quantising gives.
#[test]
fn operators_on_stored_integers() {
    let constants = |model: Model| {
        model.floats("s", &[], &[0.5]).small("z", 2, &[], &[10]).floats("t", &[], &[0.25]).small("u", 2, &[], &[100])
    };
    for (quantised, plain) in [("QLinearAdd", "Add"), ("QLinearMul", "Mul")] {
        let start = || constants(Model::new(13).input_of("a", 2, &[2, 3]).input_of("b", 2, &[2, 3]));
        let own = start().node_of("com.microsoft", quantised, &["a", "s", "z", "b", "s", "z", "t", "u"], "y", &[]);
        let by_parts = start()
            .node("DequantizeLinear", &["a", "s", "z"], "af", &[])
            .node("DequantizeLinear", &["b", "s", "z"], "bf", &[])
            .node(plain, &["af", "bf"], "r", &[])
            .node("QuantizeLinear", &["r", "t", "u"], "y", &[]);
        let inputs = [vec![0.0, 1.5, -3.0, 20.0, 60.0, 122.5], vec![2.0, -5.0, 7.5, 0.5, 30.0, 122.5]];
        let result = |model: Model| {
            let read = opml_ops::onnx::read(&model.output("y").bytes(), &Default::default()).unwrap();
            assert_eq!(read.encodings, [read.encodings[0]; 2]);
            let data = inputs.iter().cloned().map(opml_ops::graph::Data::Float).collect();
            let values = opml_ops::float::evaluate_graph(&read.graph, data);
            (values.get(read.graph.outputs[0]).to_vec(), read.coded)
        };
        assert_eq!(result(own), result(by_parts), "{quantised}");
    }
}

/// Two products of one tensor that is quantised while the network runs: with scales of rows both read the same bytes.
#[test]
fn products_of_dynamically_quantised_numbers() {
    let scales = [0.01, 0.02, 0.005, 0.01, 0.03];
    let mut model = Model::new(13).input("x", &[3, 16]).node("DynamicQuantizeLinear", &["x"], "q,s,z", &[]);
    for (name, seed) in [("a", 3), ("b", 4)] {
        let weights: Vec<i64> = weights(seed, 16, 5).iter().map(|&v| v as i64).collect();
        let label = |part: &str| format!("{name} {part}");
        let [w, zero, unit, sums, real, factor, scaled, bias] =
            ["w", "zero", "unit", "sums", "real", "factor", "scaled", "bias"].map(label);
        model = model
            .small(&w, 3, &[16, 5], &weights)
            .small(&zero, 3, &[], &[0])
            .floats(&unit, &[5], &scales)
            .floats(&bias, &[5], &[1.0, -2.0, 0.0, 0.5, 3.0])
            .node("MatMulInteger", &["q", &w, "z", &zero], &sums, &[])
            .node("Cast", &[&sums], &real, &[Int("to", 1)])
            .node("Mul", &["s", &unit], &factor, &[])
            .node("Mul", &[&real, &factor], &scaled, &[])
            .node("Add", &[&scaled, &bias], name, &[]);
    }
    let model = model.node("Add", &["a", "b"], "y", &[]).output("y");
    let encoding = InputEncoding { dtype: DType::I16, scale: 1.0 / 64.0, zero_point: 0 };
    let calibration = (0..4).map(|seed| encoding.decode(&numbers(seed, 48, 256))).collect();
    let options = ImportOptions {
        calibration,
        default_encoding: encoding,
        precision: Precision::Dynamic,
        ..ImportOptions::default()
    };
    let imported = import_onnx(&model.bytes(), &options).unwrap();
    let names: Vec<&str> = imported.graph.nodes.iter().map(|node| node.operator.name()).collect();
    assert_eq!(names, ["Dense", "Dense", "Add"]);
    // Greatest numbers, bytes, two products, of which the second goes on with the sum.
    assert_eq!(imported.program.instructions().len(), 4);
    // Numbers up to 4, 16 weights up to 3.8 in magnitude: half a 127th of a row each.
    let found = difference(&imported, 6);
    assert!(found <= 0.5, "{found}");
}
