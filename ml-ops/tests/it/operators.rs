//! Every operator against the float network. Weights and inputs are small integers, so most comparisons are exact.

use opml_ops::{ImportError, NodeFault, engine::Engine, import::InputEncoding};

use crate::model::{Attribute, Attribute::Int, Attribute::Ints, Model, UNITS, check, import, weights};

fn ints(name: &'static str, list: &[i64]) -> Attribute {
    Ints(name, list.to_vec())
}

fn count(shape: &[i64]) -> usize {
    shape.iter().product::<i64>() as usize
}

/// One node with constant operands.
fn single(
    opset: i64,
    operator: &str,
    shape: &[i64],
    constants: &[(&[i64], Vec<f32>)],
    attributes: &[Attribute],
) -> Model {
    let names: Vec<String> = (0..constants.len()).map(|i| format!("c{i}")).collect();
    let mut model = Model::new(opset).input("x", shape);
    let mut inputs = vec!["x"];
    for (name, (shape, values)) in names.iter().zip(constants) {
        model = model.floats(name, shape, values);
        inputs.push(name);
    }
    model.node(operator, &inputs, "y", attributes).output("y")
}

#[test]
fn gemm_in_all_forms() {
    let bias: Vec<f32> = (0..5).map(|v| v as f32 * 100.0 - 200.0).collect();
    let w = weights(1, 5, 12);
    let model = single(13, "Gemm", &[1, 12], &[(&[5, 12], w.clone()), (&[5], bias.clone())], &[Int("transB", 1)]);
    let imported = check(&model, 12, 0.0);
    assert_eq!(imported.program.instructions().len(), 1);

    let mut transposed = vec![0.0; 60];
    for (i, v) in w.iter().enumerate() {
        transposed[i % 12 * 5 + i / 12] = *v;
    }
    let two = [Attribute::Float("alpha", 2.0), Attribute::Float("beta", -1.0)];
    let model = single(9, "Gemm", &[3, 12], &[(&[12, 5], transposed.clone()), (&[1, 5], bias.clone())], &two);
    assert_eq!(check(&model, 36, 0.0).program.instructions().len(), 1);
    let model = single(11, "Gemm", &[12, 3], &[(&[12, 5], transposed), (&[], vec![3.0])], &[Int("transA", 1)]);
    check(&model, 36, 0.0);
}

#[test]
fn matrix_products_of_two_values() {
    for (a, b) in [
        (vec![3, 4], vec![4, 5]),
        (vec![2, 3, 4], vec![2, 4, 5]),
        (vec![2, 1, 3, 4], vec![3, 4, 2]),
        (vec![4], vec![4, 3]),
    ] {
        let model = Model::new(13).input("a", &a).input("b", &b).node("MatMul", &["a", "b"], "y", &[]).output("y");
        let imported = check(&model, count(&a) + count(&b), 0.0);
        assert_eq!(imported.program.instructions().len(), 1, "{a:?} {b:?}");
        assert_eq!(Engine::compile(&imported.program).forms(), ["gemm"], "{a:?} {b:?}");
    }
}

#[test]
fn products_with_constants() {
    let w = weights(5, 6, 4);
    let model = single(13, "MatMul", &[2, 3, 6], &[(&[6, 4], w.clone())], &[]);
    check(&model, 36, 200.0);
    let model =
        Model::new(13).input("x", &[4, 3]).floats("w", &[6, 4], &w).node("MatMul", &["w", "x"], "y", &[]).output("y");
    check(&model, 12, 100.0);
}

#[test]
fn convolutions() {
    // (x, weights, attributes)
    let cases: Vec<(Vec<i64>, Vec<i64>, Vec<Attribute>)> = vec![
        (vec![1, 1, 6, 6], vec![2, 1, 3, 3], vec![]),
        (vec![1, 3, 7, 5], vec![4, 3, 3, 3], vec![ints("pads", &[1, 1, 1, 1])]),
        (vec![1, 3, 9, 8], vec![4, 3, 3, 2], vec![ints("strides", &[2, 3]), ints("pads", &[0, 2, 1, 0])]),
        (vec![1, 2, 9, 9], vec![2, 2, 3, 3], vec![ints("dilations", &[2, 3]), ints("pads", &[2, 2, 2, 2])]),
        (vec![1, 4, 6, 6], vec![6, 2, 3, 3], vec![Int("group", 2), ints("pads", &[1, 1, 1, 1])]),
        (vec![1, 5, 6, 6], vec![5, 1, 3, 3], vec![Int("group", 5)]),
        (vec![1, 3, 5, 5], vec![6, 1, 3, 3], vec![Int("group", 3), ints("pads", &[1, 0, 1, 2])]),
        (vec![2, 3, 5, 5], vec![4, 3, 1, 1], vec![]),
        (vec![1, 3, 12], vec![4, 3, 5], vec![ints("pads", &[2, 2]), ints("strides", &[2])]),
        (vec![1, 2, 4, 4, 4], vec![3, 2, 2, 2, 2], vec![]),
        (vec![1, 2, 7, 7], vec![3, 2, 3, 3], vec![Attribute::Text("auto_pad", "SAME_UPPER"), ints("strides", &[2, 2])]),
        (vec![1, 2, 6, 6], vec![3, 2, 4, 4], vec![Attribute::Text("auto_pad", "SAME_LOWER")]),
        (vec![1, 2, 6, 6], vec![3, 2, 6, 6], vec![Attribute::Text("auto_pad", "VALID")]),
        (vec![1, 2, 1, 6], vec![3, 2, 3, 3], vec![ints("pads", &[1, 1, 1, 1])]),
    ];
    for (x, w, attributes) in cases {
        let m = w[0] as usize;
        let bias: Vec<f32> = (0..m).map(|v| v as f32 * 31.0 - 40.0).collect();
        let values = weights(3, m, count(&w) / m);
        let model = single(13, "Conv", &x, &[(&w, values.clone()), (&[w[0]], bias)], &attributes);
        let imported = check(&model, count(&x), 0.0);
        // The output goes back to ONNX's layout with one copy.
        assert!(imported.program.instructions().len() <= 2, "{x:?} {w:?}");
        // Channels of their own that are not innermost have no kernel of their own.
        let form = if w[1] == 1 && w[0] == x[1] { "lanes" } else { "gemm" };
        assert_eq!(Engine::compile(&imported.program).forms()[0], form, "{x:?} {w:?}");

        // Behind a first convolution the operand lies channels-last. Relu makes the middle unsigned.
        let c = x[1];
        let eye: Vec<f32> = (0..c * c).map(|i| if i % (c + 1) == 0 { 127.0 } else { 0.0 }).collect();
        let ones: Vec<i64> = [c, c].into_iter().chain(x[2..].iter().map(|_| 1)).collect();
        let model = Model::new(13)
            .input("x", &x)
            .floats("eye", &ones, &eye)
            .floats("w", &w, &values)
            .node("Conv", &["x", "eye"], "first", &[])
            .node("Relu", &["first"], "middle", &[])
            .node("Conv", &["middle", "w"], "y", &attributes)
            .output("y");
        let imported = import(&model, UNITS, count(&x)).unwrap();
        let output = imported.report.tensors.last().unwrap();
        assert!(output.rms_error < 0.02 * output.high.max(-output.low), "{x:?} {w:?} {output:?}");
    }
}

#[test]
fn pooling() {
    let window = [ints("kernel_shape", &[2, 3]), ints("strides", &[2, 1])];
    let padded = [ints("kernel_shape", &[3, 3]), ints("strides", &[2, 2]), ints("pads", &[1, 1, 1, 1])];
    let ceil = [ints("kernel_shape", &[3, 3]), ints("strides", &[2, 2]), Int("ceil_mode", 1)];
    for attributes in [&window[..], &padded[..], &ceil[..]] {
        check(&single(12, "MaxPool", &[1, 3, 7, 8], &[], attributes), 168, 0.0);
        for include in [0, 1] {
            let mut attributes = attributes.to_vec();
            attributes.push(Int("count_include_pad", include));
            check(&single(19, "AveragePool", &[1, 3, 7, 8], &[], &attributes), 168, 2e-5);
        }
    }
    check(&single(13, "MaxPool", &[1, 3, 9], &[], &[ints("kernel_shape", &[4])]), 27, 0.0);
    check(&single(13, "GlobalMaxPool", &[1, 3, 5, 6], &[], &[]), 90, 0.0);
    check(&single(13, "GlobalAveragePool", &[1, 3, 5, 6], &[], &[]), 90, 2e-5);
}

#[test]
fn bounds_join_the_node_before() {
    let w = weights(1, 5, 12);
    let model = |clip: &str, opset: i64, attributes: &[Attribute], extra: &[&str]| {
        let mut inputs = vec!["z"];
        inputs.extend(extra);
        Model::new(opset)
            .input("x", &[1, 12])
            .floats("w", &[12, 5], &w)
            .floats("low", &[], &[-50.0])
            .floats("high", &[], &[70.0])
            .node("Gemm", &["x", "w"], "z", &[])
            .node(clip, &inputs, "y", attributes)
            .output("y")
    };
    for model in [
        model("Relu", 13, &[], &[]),
        model("Clip", 7, &[Attribute::Float("min", -50.0), Attribute::Float("max", 70.0)], &[]),
        model("Clip", 13, &[], &["low", "high"]),
        model("Clip", 13, &[], &["", "high"]),
    ] {
        let imported = check(&model, 12, 250.0);
        assert_eq!(imported.program.instructions().len(), 1);
        assert_eq!(
            imported.program.instructions()[0].post.last().map(|op| format!("{op:?}").contains("Clamp")),
            Some(true)
        );
    }
}

#[test]
fn bounds_alone() {
    check(&single(13, "Relu", &[1, 30], &[], &[]), 30, 1.0);
    check(&single(7, "Clip", &[1, 30], &[], &[Attribute::Float("min", 3.0), Attribute::Float("max", 99.0)]), 30, 1.0);
    check(&single(13, "LeakyRelu", &[2, 30], &[], &[Attribute::Float("alpha", 0.125)]), 60, 1.0);
}

#[test]
fn sums_and_products() {
    for operator in ["Add", "Sub", "Mul"] {
        for (a, b) in [
            (vec![2, 3, 4], vec![2, 3, 4]),
            (vec![2, 3, 4], vec![4]),
            (vec![3, 1], vec![2, 1, 5]),
            (vec![1, 2], vec![2, 1]),
        ] {
            let model = Model::new(13).input("a", &a).input("b", &b).node(operator, &["a", "b"], "y", &[]).output("y");
            let imported = check(&model, count(&a) + count(&b), 1e-4);
            assert!(imported.program.instructions().len() <= 2, "{operator} {a:?} {b:?}");
        }
        // With a constant that follows the channels, on either side.
        let c: Vec<f32> = vec![3.0, -2.0, 0.5];
        let model = single(13, operator, &[1, 3, 4, 4], &[(&[3, 1, 1], c.clone())], &[]);
        assert_eq!(check(&model, 48, 1e-3).program.instructions().len(), 1);
        let model = Model::new(13)
            .input("x", &[1, 3, 2])
            .floats("c", &[3, 1], &c)
            .node(operator, &["c", "x"], "y", &[])
            .output("y");
        check(&model, 6, 1e-3);
        // A constant that widens the value.
        let model = single(13, operator, &[1, 4], &[(&[3, 1], c)], &[]);
        check(&model, 4, 0.02);
    }
}

#[test]
fn normalisation_folds_into_the_convolution() {
    let w = weights(3, 4, 18);
    let statistics = |v: &[f32]| v.to_vec();
    let conv = Model::new(15)
        .input("x", &[1, 2, 6, 6])
        .floats("w", &[4, 2, 3, 3], &w)
        .floats("scale", &[4], &statistics(&[1.0, 2.0, -1.0, 0.5]))
        .floats("bias", &[4], &statistics(&[0.0, 10.0, -10.0, 3.0]))
        .floats("mean", &[4], &statistics(&[5.0, -5.0, 100.0, 0.0]))
        .floats("var", &[4], &statistics(&[4.0, 1.0, 0.25, 9.0]));
    let normalised = |model: Model, x: &str| {
        model.node("BatchNormalization", &[x, "scale", "bias", "mean", "var"], "y", &[]).output("y")
    };
    let model = normalised(conv.clone().node("Conv", &["x", "w"], "z", &[]), "z");
    let imported = check(&model, 72, 600.0);
    assert_eq!(imported.graph.nodes.len(), 1);

    let alone = Model::new(9)
        .input("x", &[1, 3, 4])
        .floats("scale", &[3], &[1.0, 2.0, -1.0])
        .floats("bias", &[3], &[0.0, 10.0, -10.0])
        .floats("mean", &[3], &[5.0, -5.0, 100.0])
        .floats("var", &[3], &[4.0, 1.0, 0.25]);
    let imported = check(&normalised(alone, "x"), 12, 0.01);
    assert_eq!(imported.program.instructions().len(), 1);
}

#[test]
fn moves_cost_no_instruction_but_the_last() {
    let nodes: [(&str, &[i64], &[Attribute]); 3] =
        [("Transpose", &[2, 3, 4], &[]), ("Flatten", &[2, 3, 4], &[Int("axis", 2)]), ("Identity", &[2, 3, 4], &[])];
    for (operator, shape, attributes) in nodes {
        let imported = check(&single(13, operator, shape, &[], attributes), count(shape), 0.0);
        assert_eq!(imported.program.instructions().len(), 1, "{operator}");
    }
    let w = weights(1, 12, 5);
    let chain = Model::new(13)
        .input("x", &[2, 3, 4])
        .ints("shape", &[2], &[0, -1])
        .ints("axes", &[1], &[1])
        .floats("w", &[12, 5], &w)
        .node("Transpose", &["x"], "a", &[ints("perm", &[0, 2, 1])])
        .node("Unsqueeze", &["a", "axes"], "b", &[])
        .node("Squeeze", &["b", "axes"], "c", &[])
        .node("Dropout", &["c"], "d", &[])
        .node("Reshape", &["d", "shape"], "e", &[])
        .node("MatMul", &["e", "w"], "y", &[])
        .output("y");
    assert_eq!(check(&chain, 24, 1000.0).program.instructions().len(), 1);
    // The arithmetic of shapes that exporters write.
    let shapes = Model::new(13)
        .input("x", &[2, 3, 4])
        .ints("zero", &[], &[0])
        .ints("axes", &[1], &[0])
        .ints("rest", &[1], &[-1])
        .node("Shape", &["x"], "s", &[])
        .node("Gather", &["s", "zero"], "n", &[])
        .node("Unsqueeze", &["n", "axes"], "n1", &[])
        .node("Concat", &["n1", "rest"], "target", &[Int("axis", 0)])
        .node("Reshape", &["x", "target"], "y", &[])
        .output("y");
    assert_eq!(check(&shapes, 24, 0.0).output.shape, [2, 12]);
}

#[test]
fn concatenation() {
    for axis in 0..4 {
        let mut other = vec![2, 3, 2, 5];
        other[axis] = 1;
        let model = Model::new(13)
            .input("a", &[2, 3, 2, 5])
            .input("b", &other)
            .node("Concat", &["a", "b", "a"], "y", &[Int("axis", axis as i64 - 4)])
            .output("y");
        let imported = check(&model, 60 + count(&other), 0.0);
        assert_eq!(imported.program.instructions().len(), 1);
    }
    let names: Vec<String> = (0..20).map(|i| format!("x{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let model = names.iter().fold(Model::new(13), |model, name| model.input(name, &[1, 2]));
    let model = model.node("Concat", &names, "y", &[Int("axis", 1)]).output("y");
    assert_eq!(check(&model, 40, 0.0).program.instructions().len(), 3);
}

#[test]
fn curves() {
    let curve = |operator: &str, opset: i64, attributes: &[Attribute]| {
        let mut w = weights(8, 4, 6);
        w.iter_mut().for_each(|w| *w /= 20_000.0);
        Model::new(opset)
            .input("x", &[2, 6])
            .floats("w", &[6, 4], &w)
            .node("MatMul", &["x", "w"], "z", &[])
            .node(operator, &["z"], "y", attributes)
            .output("y")
    };
    for operator in ["Sigmoid", "Tanh"] {
        check(&curve(operator, 13, &[]), 12, 0.012);
        // Of a stored byte: a table.
        let imported = check(&single(13, operator, &[1, 20], &[], &[]), 20, 1e-6);
        assert_eq!(imported.program.instructions().len(), 1);
    }
    for (opset, axis) in [(13, -1), (13, 0), (11, 1), (11, 0)] {
        check(&curve("Softmax", opset, &[Int("axis", axis)]), 12, 0.01);
    }
}

#[test]
fn arg_max() {
    for last in [0, 1] {
        for axis in [0, 1, -1] {
            let attributes = [Int("axis", axis), Int("select_last_index", last), Int("keepdims", last)];
            check(&single(13, "ArgMax", &[5, 60, 3], &[], &attributes), 900, 0.0);
        }
    }
}

fn fault(model: &Model) -> NodeFault {
    match import(model, UNITS, 4) {
        Err(ImportError::Node { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn faults_name_the_node_and_what_is_supported() {
    let error = import(&single(13, "Unique", &[1, 4], &[], &[]), UNITS, 4).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("node y") && text.contains("Unique") && text.contains("--check"), "{text}");
    let ImportError::Node { fault: NodeFault::Operator(supported), .. } = error else { panic!("{error:?}") };
    assert!(supported.split(", ").any(|name| name == "MatMul"), "{supported}");
    let opset = import(&single(6, "Relu", &[1, 4], &[], &[]), UNITS, 4).unwrap_err();
    assert_eq!(opset, ImportError::Opset { domain: String::new(), version: 6 });

    assert_eq!(fault(&single(13, "MatMul", &[1, 4], &[], &[])), NodeFault::MissingInput(1));
    assert!(matches!(fault(&single(13, "MatMul", &[1, 4], &[(&[3, 1], vec![0.0; 3])], &[])), NodeFault::Shape(_)));
    assert!(matches!(
        fault(&single(13, "Transpose", &[1, 4], &[], &[ints("perm", &[0, 2])])),
        NodeFault::Value { name: "perm", .. }
    ));
    let undefined = Model::new(13).input("x", &[4]).node("Add", &["x", "nothing"], "y", &[]).output("y");
    assert_eq!(fault(&undefined), NodeFault::Undefined("nothing".into()));
    let twice = Model::new(13).input("x", &[4]).node("Relu", &["x"], "x", &[]).output("x");
    assert_eq!(fault(&twice), NodeFault::Redefined("x".into()));
    let computed =
        Model::new(13).input("x", &[1, 2, 4]).input("w", &[1, 2, 1]).node("Conv", &["x", "w"], "y", &[]).output("y");
    assert_eq!(fault(&computed), NodeFault::NotConstant { index: 1, what: "weights", depends: vec!["w".into()] });

    let outputs = Model::new(13).input("x", &[4]).node("Relu", &["x"], "y", &[]).output("y").output("x");
    assert_eq!(import(&outputs, UNITS, 4).unwrap_err(), ImportError::ManyOutputs("y, x".into()));
    let none = Model::new(13).input("x", &[4]).node("Relu", &["x"], "y", &[]);
    assert_eq!(import(&none, UNITS, 4).unwrap_err(), ImportError::NoOutput);
    let missing = Model::new(13).input("x", &[4]).node("Relu", &["x"], "y", &[]).output("z");
    assert_eq!(import(&missing, UNITS, 4).unwrap_err(), ImportError::Output("z".into()));
    assert!(matches!(import(&missing, UNITS, 5), Err(ImportError::Output(_))));
    let small = Model::new(13).input("x", &[4]).node("Relu", &["x"], "y", &[]).output("y");
    assert!(matches!(import(&small, UNITS, 5), Err(ImportError::Calibration(_))));
}

#[test]
fn calibration_beyond_the_encoding_is_refused() {
    let model = single(13, "Relu", &[1, 2], &[], &[]);
    let options = opml_ops::ImportOptions { calibration: vec![vec![0.5, 1.5]], ..Default::default() };
    let error = opml_ops::import_onnx(&model.bytes(), &options).unwrap_err().to_string();
    assert!(error.contains("1.5") && error.contains("encoding"), "{error}");
}

#[test]
fn folding_constants_has_a_bound() {
    let window = [ints("kernel_shape", &[1 << 24, 1 << 24]), ints("pads", &[1 << 23, 1 << 23, 1 << 23, 1 << 23])];
    let model = Model::new(13).input("x", &[1]).floats("c", &[1, 1, 2, 2], &[0.0; 4]);
    let model = model.node("MaxPool", &["c"], "m", &window).node("Add", &["x", "m"], "y", &[]).output("y");
    assert!(matches!(fault(&model), NodeFault::Folding { .. }));
}

#[test]
fn options_name_existing_inputs_and_usable_encodings() {
    let model = single(13, "Relu", &[1, 2], &[], &[]);
    let refused = |options: opml_ops::ImportOptions| match opml_ops::import_onnx(&model.bytes(), &options) {
        Err(ImportError::Input { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    let with = |name: &str, encoding| opml_ops::ImportOptions {
        encodings: [(name.to_owned(), encoding)].into(),
        ..Default::default()
    };
    assert_eq!(refused(with("z", UNITS)), "z");
    assert_eq!(refused(with("x", InputEncoding { scale: 0.0, ..UNITS })), "x");
    assert_eq!(refused(with("x", InputEncoding { zero_point: 256, ..UNITS })), "x");
    let shapes = [("z".to_owned(), vec![1])].into();
    assert_eq!(refused(opml_ops::ImportOptions { shapes, ..Default::default() }), "z");
}
