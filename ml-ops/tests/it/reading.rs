//! What ONNX operators mean: graphs read and evaluated in floats, against results known from the operators' definitions.

use opml_ops::{
    ImportError, NodeFault, float,
    graph::Data,
    onnx::{self, Options, Tensor},
};

use crate::model::{
    Attribute::{self, Float, Graph, Int, Ints, Text},
    Model,
};

/// The elements of all outputs.
pub(crate) fn evaluate(model: &Model, inputs: &[Data]) -> Vec<Vec<f32>> {
    let read = onnx::read(&model.bytes(), &Options::default()).unwrap_or_else(|error| panic!("{error}"));
    let values = float::evaluate_graph(&read.graph, inputs.to_vec());
    read.graph.outputs.iter().map(|&id| values.get(id).to_vec()).collect()
}

fn floats(values: &[f32]) -> Data {
    Data::Float(values.to_vec())
}

/// `0, 1, 2, …`
fn count(n: usize) -> Vec<f32> {
    (0..n).map(|i| i as f32).collect()
}

/// One node on a float input `x`, with constants of i64 as further operands.
fn one(opset: i64, operator: &str, shape: &[i64], constants: &[&[i64]], attributes: &[Attribute]) -> Vec<f32> {
    let mut model = Model::new(opset).input("x", shape);
    let mut inputs = vec!["x".to_owned()];
    for (number, list) in constants.iter().enumerate() {
        let name = format!("c{number}");
        model = model.ints(&name, &[list.len() as i64], list);
        inputs.push(name);
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let model = model.node(operator, &inputs, "y", attributes).output("y");
    let n = shape.iter().product::<i64>() as usize;
    evaluate(&model, &[Data::Float(count(n))]).remove(0)
}

#[test]
fn slices_of_every_opset() {
    let expected = [10.0, 8.0, 6.0];
    assert_eq!(one(13, "Slice", &[12], &[&[10], &[5], &[0], &[-2]], &[]), expected);
    assert_eq!(one(13, "Slice", &[12], &[&[-2], &[-8], &[-1], &[-2]], &[]), expected);
    let all = [Ints("starts", vec![1, 0]), Ints("ends", vec![3, i64::MAX]), Ints("axes", vec![0, 1])];
    assert_eq!(one(9, "Slice", &[3, 2], &[], &all), [2.0, 3.0, 4.0, 5.0]);
    assert_eq!(one(13, "Slice", &[4], &[&[-1], &[i64::MIN], &[0], &[-1]], &[]), [3.0, 2.0, 1.0, 0.0]);
}

#[test]
fn pads_of_every_mode() {
    let pad = |mode: &'static str, pads: &[i64]| one(19, "Pad", &[4], &[pads], &[Text("mode", mode)]);
    assert_eq!(pad("constant", &[1, 2]), [0.0, 0.0, 1.0, 2.0, 3.0, 0.0, 0.0]);
    assert_eq!(pad("reflect", &[2, 3]), [2.0, 1.0, 0.0, 1.0, 2.0, 3.0, 2.0, 1.0, 0.0]);
    assert_eq!(pad("edge", &[2, 1]), [0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 3.0]);
    assert_eq!(pad("wrap", &[3, 2]), [1.0, 2.0, 3.0, 0.0, 1.0, 2.0, 3.0, 0.0, 1.0]);
    assert_eq!(pad("constant", &[-1, -1]), [1.0, 2.0]);
    let old = [Ints("pads", vec![1, 0]), Float("value", 9.0)];
    assert_eq!(one(7, "Pad", &[2], &[], &old), [9.0, 0.0, 1.0]);
}

#[test]
fn splits() {
    let parts = |opset, attributes: &[Attribute], sizes: Option<&[i64]>| {
        let mut model = Model::new(opset).input("x", &[5]);
        let mut inputs = vec!["x"];
        if let Some(sizes) = sizes {
            model = model.ints("s", &[sizes.len() as i64], sizes);
            inputs.push("s");
        }
        let model = model.node("Split", &inputs, "a,b", attributes).output("a").output("b");
        evaluate(&model, &[Data::Float(count(5))])
    };
    let uneven = vec![vec![0.0, 1.0, 2.0], vec![3.0, 4.0]];
    assert_eq!(parts(18, &[Int("num_outputs", 2)], None), uneven);
    assert_eq!(parts(13, &[], Some(&[3, 2])), uneven);
    assert_eq!(parts(7, &[Ints("split", vec![3, 2])], None), uneven);
}

#[test]
fn repetition_and_reordering() {
    assert_eq!(one(13, "Tile", &[1, 2], &[&[2, 2]], &[]), [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
    assert_eq!(one(13, "Expand", &[2, 1], &[&[2, 1, 2]], &[]), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    assert_eq!(one(13, "Gather", &[3, 2], &[&[-1, 0]], &[]), [4.0, 5.0, 0.0, 1.0]);
    let blocks = one(13, "DepthToSpace", &[1, 4, 1, 2], &[], &[Int("blocksize", 2)]);
    assert_eq!(blocks, [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
    assert_eq!(one(14, "Trilu", &[2, 3], &[], &[]), [0.0, 1.0, 2.0, 0.0, 4.0, 5.0]);
    let lengths = one(10, "ReverseSequence", &[4, 2], &[&[3, 2]], &[]);
    assert_eq!(lengths, [4.0, 3.0, 2.0, 1.0, 0.0, 5.0, 6.0, 7.0]);
}

#[test]
fn constant_and_computed_indices_choose_the_same() {
    let indices: [i64; 4] = [0, 1, 1, -2];
    for (operator, shape, attributes) in [
        ("Gather", [4i64, 1], [Int("axis", 0)]),
        ("GatherElements", [2, 2], [Int("axis", 1)]),
        ("GatherND", [2, 2], [Int("batch_dims", 0)]),
    ] {
        let constant = Model::new(13).input("x", &[2, 2]).ints("i", &shape, &indices);
        let computed = Model::new(13).input("x", &[2, 2]).input_of("i", 7, &shape);
        let node = |model: Model| model.node(operator, &["x", "i"], "y", &attributes).output("y");
        let x = floats(&[10.0, 20.0, 30.0, 40.0]);
        let known = evaluate(&node(constant), std::slice::from_ref(&x));
        let found = evaluate(&node(computed), &[x, Data::Int(indices.to_vec())]);
        assert_eq!(known, found, "{operator}");
    }
}

#[test]
fn reductions() {
    assert_eq!(one(13, "ReduceSum", &[2, 3], &[&[-1]], &[Int("keepdims", 0)]), [3.0, 12.0]);
    assert_eq!(one(13, "ReduceMean", &[2, 3], &[], &[Ints("axes", vec![0])]), [1.5, 2.5, 3.5]);
    assert_eq!(one(18, "ReduceMax", &[2, 3], &[&[0, 1]], &[]), [5.0]);
    assert_eq!(one(18, "ReduceL2", &[1, 5], &[&[1]], &[]), [30f32.sqrt()]);
    assert_eq!(one(18, "ReduceL1", &[3], &[], &[Int("noop_with_empty_axes", 1)]), [0.0, 1.0, 2.0]);
    let log_sum = one(18, "ReduceLogSumExp", &[2], &[&[0]], &[]);
    assert!((log_sum[0] - (1.0 + 1f32.exp()).ln()).abs() < 1e-6);
    assert_eq!(one(13, "ArgMin", &[2, 2], &[], &[Int("axis", 1), Int("keepdims", 0)]), [0.0, 0.0]);
    let sums = [Int("exclusive", 1), Int("reverse", 1)];
    let model =
        Model::new(14).input("x", &[4]).ints("a", &[], &[0]).node("CumSum", &["x", "a"], "y", &sums).output("y");
    assert_eq!(evaluate(&model, &[Data::Float(count(4))])[0], [6.0, 5.0, 3.0, 0.0]);
}

#[test]
fn the_largest_of_equals_is_the_first() {
    let model = |largest| {
        Model::new(11)
            .input("x", &[5])
            .ints("k", &[1], &[3])
            .node("TopK", &["x", "k"], "v,i", &[Int("largest", largest)])
            .output("v")
            .output("i")
    };
    let x = floats(&[2.0, 7.0, 2.0, 7.0, 1.0]);
    assert_eq!(evaluate(&model(1), std::slice::from_ref(&x)), [[7.0, 7.0, 2.0], [1.0, 3.0, 0.0]]);
    assert_eq!(evaluate(&model(0), &[x]), [[1.0, 2.0, 2.0], [4.0, 0.0, 2.0]]);
}

#[test]
fn resizing() {
    let scaled = |mode: &'static str, way: &'static str| {
        let model =
            Model::new(13).input("x", &[1, 1, 2, 2]).floats("r", &[0], &[]).floats("s", &[4], &[1.0, 1.0, 1.0, 2.0]);
        let way = Text("coordinate_transformation_mode", way);
        let model = model.node("Resize", &["x", "r", "s"], "y", &[Text("mode", mode), way]).output("y");
        evaluate(&model, &[floats(&[1.0, 2.0, 3.0, 4.0])]).remove(0)
    };
    assert_eq!(scaled("linear", "half_pixel"), [1.0, 1.25, 1.75, 2.0, 3.0, 3.25, 3.75, 4.0]);
    assert_eq!(scaled("nearest", "asymmetric"), [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0]);
    let corners = scaled("linear", "align_corners");
    let third = 1.0 / 3.0;
    for (found, expected) in
        corners.iter().zip([1.0, 1.0 + third, 2.0 - third, 2.0, 3.0, 3.0 + third, 4.0 - third, 4.0])
    {
        assert!((found - expected).abs() < 1e-6, "{corners:?}");
    }
}

/// The example of the operator's definition.
#[test]
fn transposed_convolution() {
    let model = |attributes: &[Attribute]| {
        let model = Model::new(11).input("x", &[1, 1, 3, 3]).floats("w", &[1, 1, 3, 3], &[1.0; 9]);
        evaluate(&model.node("ConvTranspose", &["x", "w"], "y", attributes).output("y"), &[Data::Float(count(9))])
            .remove(0)
    };
    let full = [
        0.0, 1.0, 3.0, 3.0, 2.0, 3.0, 8.0, 15.0, 12.0, 7.0, 9.0, 21.0, 36.0, 27.0, 15.0, 9.0, 20.0, 33.0, 24.0, 13.0,
        6.0, 13.0, 21.0, 15.0, 8.0,
    ];
    assert_eq!(model(&[]), full);
    assert_eq!(model(&[Ints("pads", vec![1, 1, 1, 1])]), [8.0, 15.0, 12.0, 21.0, 36.0, 27.0, 20.0, 33.0, 24.0]);
    assert_eq!(model(&[Ints("pads", vec![0, 0, 0, 3])])[..4], [0.0, 1.0, 3.0, 8.0]);
    let wide = model(&[Ints("strides", vec![1, 2]), Ints("output_shape", vec![5, 6])]);
    assert_eq!(wide.len(), 30);
    assert_eq!(wide[..6], [0.0, 1.0, 1.0, 3.0, 2.0, 2.0]);
}

#[test]
fn integers_stay_exact() {
    let large = (1i64 << 40) + 1;
    let model = Model::new(13)
        .input_of("a", 7, &[2])
        .ints("b", &[2], &[large, 3])
        .node("Add", &["a", "b"], "s", &[])
        .node("Div", &["s", "b"], "y", &[])
        .output("s")
        .output("y");
    let read = onnx::read(&model.bytes(), &Options::default()).unwrap();
    let values = float::evaluate_graph(&read.graph, vec![Data::Int(vec![large, -11])]);
    assert_eq!(values.integers(read.graph.outputs[0]), Some(&[2 * large, -8][..]));
    // Division rounds towards 0.
    assert_eq!(values.integers(read.graph.outputs[1]), Some(&[2, -2][..]));
    // What a type holds: u8 is stored as it is, and saturates.
    let sum = Model::new(13).input_of("a", 2, &[2]).node("Add", &["a", "a"], "y", &[]).output("y");
    assert_eq!(evaluate(&sum, &[Data::Int(vec![100, 200])])[0], [200.0, 255.0]);
}

#[test]
fn truth_values() {
    let model = Model::new(13)
        .input("x", &[4])
        .floats("one", &[], &[1.0])
        .node("Greater", &["x", "one"], "g", &[])
        .node("Not", &["g"], "n", &[])
        .node("Where", &["n", "one", "x"], "w", &[])
        .node("Cast", &["g"], "c", &[Int("to", 1)])
        .node("Mul", &["c", "x"], "m", &[])
        .output("w")
        .output("m");
    let results = evaluate(&model, &[Data::Float(count(4))]);
    assert_eq!(results, [[1.0, 1.0, 2.0, 3.0], [0.0, 0.0, 2.0, 3.0]]);
    // No integer is NaN, so the choice is the other operand.
    let never = Model::new(13)
        .input("x", &[2])
        .floats("zero", &[], &[0.0])
        .node("IsNaN", &["x"], "n", &[])
        .node("Where", &["n", "zero", "x"], "w", &[])
        .node("Relu", &["w"], "y", &[])
        .output("y");
    assert_eq!(onnx::read(&never.bytes(), &Options::default()).unwrap().graph.nodes.len(), 1);
}

#[test]
fn a_constant_condition_chooses_a_branch() {
    let branch = |operator: &str| Model::new(13).node(operator, &["x"], "b", &[]).output("b");
    for (condition, expected) in [(1, [1.0, 2.0]), (0, [-1.0, 2.0])] {
        let branches = [Graph("then_branch", branch("Abs")), Graph("else_branch", branch("Identity"))];
        let model = Model::new(13)
            .input("x", &[2])
            .small("c", 9, &[], &[condition])
            .node("If", &["c"], "y", &branches)
            .node("If", &["c"], "z", &branches)
            .output("y")
            .output("z");
        assert_eq!(evaluate(&model, &[floats(&[-1.0, 2.0])]), [expected, expected]);
    }
}

/// The examples of the operators' definitions.
#[test]
fn quantised_arithmetic() {
    let dynamic = Model::new(11).input("x", &[6]).node("DynamicQuantizeLinear", &["x"], "y,s,z", &[]);
    let results = evaluate(&dynamic.output("y").output("s").output("z"), &[floats(&[0.0, 2.0, -3.0, -2.5, 1.34, 0.5])]);
    assert_eq!(results[0], [153.0, 255.0, 0.0, 26.0, 221.0, 179.0]);
    assert!((results[1][0] - 5.0 / 255.0).abs() < 1e-8);
    assert_eq!(results[2], [153.0]);

    let product = Model::new(10)
        .input_of("a", 2, &[4, 3])
        .small("b", 2, &[3, 2], &[1, 4, 2, 5, 3, 6])
        .small("z", 2, &[1], &[12])
        .node("MatMulInteger", &["a", "b", "z"], "y", &[])
        .output("y");
    let a = Data::Int(vec![11, 7, 3, 10, 6, 2, 9, 5, 1, 8, 4, 0]);
    assert_eq!(evaluate(&product, &[a])[0], [-38.0, -83.0, -44.0, -98.0, -50.0, -113.0, -56.0, -128.0]);
}

#[test]
fn sums_over_indices() {
    let einsum = |equation: &'static str, a: &[i64], b: &[i64]| {
        let model =
            Model::new(12).input("a", a).input("b", b).node("Einsum", &["a", "b"], "y", &[Text("equation", equation)]);
        let n = |shape: &[i64]| Data::Float(count(shape.iter().product::<i64>() as usize));
        evaluate(&model.output("y"), &[n(a), n(b)]).remove(0)
    };
    assert_eq!(einsum("ij,jk->ik", &[2, 2], &[2, 2]), [2.0, 3.0, 6.0, 11.0]);
    assert_eq!(einsum("ij,jk->ki", &[2, 2], &[2, 2]), [2.0, 6.0, 3.0, 11.0]);
    assert_eq!(einsum("bij, bjk -> bik", &[2, 1, 2], &[2, 2, 1]), [1.0, 13.0]);
    // Without a result, indices that stand twice are summed over.
    assert_eq!(einsum("bij,bjk", &[2, 1, 2], &[2, 2, 1]), [14.0]);
    assert_eq!(einsum("i,j->", &[2], &[3]), [3.0]);
    assert_eq!(einsum("...i,...i->...", &[2, 2], &[2, 2]), [1.0, 13.0]);
}

#[test]
fn normalisations() {
    let group = Model::new(18)
        .input("x", &[1, 2, 2])
        .floats("s", &[2], &[2.0, 2.0])
        .floats("b", &[2], &[1.0, 0.0])
        .node("GroupNormalization", &["x", "s", "b"], "y", &[Int("num_groups", 2), Float("epsilon", 0.0)])
        .output("y");
    assert_eq!(evaluate(&group, &[floats(&[1.0, 3.0, 5.0, 9.0])])[0], [-1.0, 3.0, -2.0, 2.0]);
    let rms = Model::new(23)
        .input("x", &[1, 2])
        .floats("s", &[2], &[1.0, 10.0])
        .node("RMSNormalization", &["x", "s"], "y", &[Float("epsilon", 0.0)])
        .output("y");
    let found = evaluate(&rms, &[floats(&[1.0, 7.0])]).remove(0);
    assert!((found[0] - 0.2).abs() < 1e-6 && (found[1] - 14.0).abs() < 1e-5, "{found:?}");
}

#[test]
fn a_fault_names_the_inputs_that_would_have_to_be_constants() {
    let model = Model::new(13)
        .input("x", &[4])
        .input_of("n", 7, &[1])
        .node("Abs", &["n"], "m", &[])
        .node("Reshape", &["x", "m"], "y", &[])
        .output("y");
    let Err(ImportError::Node { fault, .. }) = onnx::read(&model.bytes(), &Options::default()) else { panic!() };
    assert_eq!(fault, NodeFault::NotConstant { index: 1, what: "shape", depends: vec!["n".into()] });
    let given =
        |data| Options { constants: [("n".into(), Tensor { shape: vec![1], data })].into(), ..Options::default() };
    let read = onnx::read(&model.bytes(), &given(Data::Int(vec![-4]))).unwrap();
    assert_eq!((read.graph.inputs.len(), read.graph.shape(read.graph.outputs[0])), (1, &[4][..]));
    assert!(matches!(onnx::read(&model.bytes(), &given(Data::Float(vec![0.5]))), Err(ImportError::Input { .. })));
    let other = Options {
        constants: [("m".into(), Tensor { shape: vec![], data: Data::Int(vec![1]) })].into(),
        ..Options::default()
    };
    assert!(matches!(onnx::read(&model.bytes(), &other), Err(ImportError::Input { .. })));
}

#[test]
fn a_check_finds_everything_at_once() {
    let model = Model::new(13)
        .input("x", &[4])
        .node("Unique", &["x"], "u", &[])
        .node("Relu", &["u"], "r", &[])
        .node("NonZero", &["r"], "z", &[])
        .node("Transpose", &["x"], "t", &[Ints("perm", vec![0, 2])])
        .node("Abs", &["missing"], "a", &[])
        .output("z")
        .output("t");
    let found = onnx::check(&model.bytes(), &Options::default()).unwrap();
    let nodes: Vec<(&str, &str)> = found.iter().map(|u| (u.node.as_str(), u.operator.as_str())).collect();
    assert_eq!(nodes, [("node u", "Unique"), ("node z", "NonZero"), ("node t", "Transpose"), ("node a", "Abs")]);
    assert!(matches!(found[0].fault, NodeFault::Operator(_)));
    assert!(matches!(found[2].fault, NodeFault::Value { name: "perm", .. }));
    assert_eq!(found[3].fault, NodeFault::Undefined("missing".into()));
    let sound = Model::new(13).input("x", &[4]).node("Relu", &["x"], "y", &[]).output("y");
    assert_eq!(onnx::check(&sound.bytes(), &Options::default()).unwrap(), []);
    assert!(onnx::check(&[1, 2, 3], &Options::default()).is_err());
}
