//! Activations and normalisations that exporters write as several nodes become one, if nobody else uses what is between.

use opml_ops::{
    float,
    graph::{Data, Function, Operator, passes},
    onnx::{self, Options},
};

use crate::model::{
    Attribute::{self, Int, Ints},
    Model,
};

const SHAPE: [i64; 3] = [2, 3, 4];

/// `x` under another name with two users, as in a network.
fn start() -> Model {
    Model::new(13).input("i", &SHAPE).node("Abs", &["i"], "a", &[]).node("Sub", &["i", "a"], "x", &[])
}

/// The operators after simplification; the results must stay the same.
fn simplified(model: &Model) -> Vec<Operator> {
    let graph = onnx::read(&model.bytes(), &Options::default()).unwrap_or_else(|error| panic!("{error}")).graph;
    let mut simple = graph.clone();
    passes::simplify(&mut simple);
    let input: Vec<f32> = crate::model::numbers(3, 24, 600).into_iter().map(|v| v as f32 / 100.0 - 3.0).collect();
    let result = |graph: &opml_ops::graph::Graph| {
        let values = float::evaluate_graph(graph, vec![Data::Float(input.clone())]);
        graph.outputs.iter().flat_map(|&id| values.get(id).to_vec()).collect::<Vec<f32>>()
    };
    for (before, after) in result(&graph).iter().zip(result(&simple)) {
        assert!((before - after).abs() < 1e-4, "{before} {after}");
    }
    simple.nodes.into_iter().map(|node| node.operator).collect()
}

fn maps(model: &Model) -> Vec<Function> {
    let of = |operator: Operator| match operator {
        Operator::Map(function) if function != Function::Abs => Some(function),
        _ => None,
    };
    simplified(model).into_iter().filter_map(of).collect()
}

/// Nodes `result = operator(operands)`.
fn with(model: Model, nodes: &[(&str, &str, &[&str])]) -> Model {
    nodes.iter().fold(model, |model, (result, operator, operands)| model.node(operator, operands, result, &[]))
}

#[test]
fn gelu_by_erf_in_two_orders() {
    let constants =
        || start().floats("r", &[], &[std::f32::consts::SQRT_2]).floats("h", &[], &[0.5]).floats("o", &[], &[1.0]);
    let head: [(&str, &str, &[&str]); 3] = [("d", "Div", &["x", "r"]), ("e", "Erf", &["d"]), ("p", "Add", &["e", "o"])];
    let inner = with(with(constants(), &head), &[("q", "Mul", &["h", "p"]), ("y", "Mul", &["x", "q"])]).output("y");
    assert_eq!(maps(&inner), [Function::Gelu]);
    let outer = with(with(constants(), &head), &[("q", "Mul", &["x", "p"]), ("y", "Mul", &["q", "h"])]).output("y");
    assert_eq!(maps(&outer), [Function::Gelu]);
    // Somebody else reads the error function.
    assert_eq!(maps(&outer.output("e")), [Function::Erf]);
}

#[test]
fn gelu_by_tanh() {
    let model = start().floats("k", &[1, 1, 1], &[0.044715]).floats("s", &[], &[0.797_884_6]).floats("h", &[], &[0.5]);
    let nodes: [(&str, &str, &[&str]); 9] = [
        ("a1", "Mul", &["k", "x"]),
        ("a2", "Mul", &["x", "a1"]),
        ("a3", "Mul", &["x", "a2"]),
        ("a4", "Add", &["x", "a3"]),
        ("a5", "Mul", &["s", "a4"]),
        ("a6", "Tanh", &["a5"]),
        ("a7", "Mul", &["h", "a6"]),
        ("a8", "Add", &["h", "a7"]),
        ("y", "Mul", &["x", "a8"]),
    ];
    assert_eq!(maps(&with(model, &nodes).output("y")), [Function::GeluTanh]);
}

#[test]
fn swish_and_hard_swish() {
    let swish = with(start(), &[("s", "Sigmoid", &["x"]), ("y", "Mul", &["s", "x"])]).output("y");
    assert_eq!(maps(&swish), [Function::Swish(1.0)]);
    let constants = || start().floats("three", &[1], &[3.0]).floats("six", &[1], &[6.0]).floats("zero", &[], &[0.0]);
    let nodes: [(&str, &str, &[&str]); 3] =
        [("a", "Add", &["x", "three"]), ("m", "Mul", &["x", "c"]), ("y", "Div", &["m", "six"])];
    let model = constants().floats("top", &[], &[6.0]).node("Add", &["x", "three"], "b", &[]);
    let model = model.node("Clip", &["b", "zero", "top"], "c", &[]);
    assert_eq!(maps(&with(model, &nodes[1..]).output("y")), [Function::HardSwish]);
    let gate = start().node("HardSigmoid", &["x"], "g", &[Attribute::Float("alpha", 1.0 / 6.0)]);
    assert_eq!(maps(&with(gate, &[("y", "Mul", &["x", "g"])]).output("y")), [Function::HardSwish]);
    // Another slope is another function.
    let other = start().node("HardSigmoid", &["x"], "g", &[]);
    assert_eq!(maps(&with(other, &[("y", "Mul", &["x", "g"])]).output("y")), []);
}

fn mean(model: Model, x: &str, result: &str) -> Model {
    model.node("ReduceMean", &[x], result, &[Ints("axes", vec![-1])])
}

fn norms(model: &Model) -> Vec<Operator> {
    simplified(model).into_iter().filter(|operator| matches!(operator, Operator::Normalise { .. })).collect()
}

fn layer_norm(centre: bool) -> Operator {
    Operator::Normalise { axes: vec![2], epsilon: 1e-5, centre }
}

#[test]
fn layer_normalisation_by_parts() {
    let constants = |model: Model| model.floats("two", &[], &[2.0]).floats("eps", &[], &[1e-5]);
    let model = mean(constants(start()), "x", "m").node("Sub", &["x", "m"], "d", &[]);
    let model = mean(model.node("Pow", &["d", "two"], "q", &[]), "q", "v");
    let model = with(model, &[("ve", "Add", &["v", "eps"]), ("s", "Sqrt", &["ve"])]);
    let divided = model.clone().node("Div", &["d", "s"], "y", &[]).output("y");
    assert_eq!(norms(&divided), [layer_norm(true)]);
    let inverse = model.clone().node("Reciprocal", &["s"], "r", &[]).node("Mul", &["d", "r"], "y", &[]).output("y");
    assert_eq!(norms(&inverse), [layer_norm(true)]);
    assert_eq!(norms(&divided.output("v")), [], "the variance is an output");

    let square = mean(constants(start()).node("Mul", &["x", "x"], "q", &[]), "q", "v");
    let root = with(square, &[("ve", "Add", &["v", "eps"]), ("s", "Sqrt", &["ve"]), ("y", "Div", &["x", "s"])]);
    assert_eq!(norms(&root.output("y")), [layer_norm(false)]);
}

/// Sums without their axis, the mean of squares less the square of the mean, the gain before the product.
#[test]
fn layer_normalisation_by_moments() {
    let sum =
        |model: Model, x: &str, result: &str| model.node("ReduceSum", &[x, "axes"], result, &[Int("keepdims", 0)]);
    let model = start()
        .ints("axes", &[1], &[2])
        .ints("shape", &[3], &[2, 3, 1])
        .floats("quarter", &[], &[0.25])
        .floats("eps", &[], &[1e-5])
        .floats("zero", &[], &[0.0])
        .floats("gain", &[4], &[1.0, 2.0, 3.0, -1.0]);
    let model = sum(sum(model, "x", "s1").node("Mul", &["x", "x"], "q", &[]), "q", "s2");
    let nodes: [(&str, &str, &[&str]); 13] = [
        ("m1", "Mul", &["s1", "quarter"]),
        ("m2", "Mul", &["s2", "quarter"]),
        ("mm", "Mul", &["m1", "m1"]),
        ("v", "Sub", &["m2", "mm"]),
        ("vp", "Max", &["v", "zero"]),
        ("vr", "Reshape", &["vp", "shape"]),
        ("ve", "Add", &["vr", "eps"]),
        ("sd", "Sqrt", &["ve"]),
        ("r", "Reciprocal", &["sd"]),
        ("g", "Mul", &["r", "gain"]),
        ("mr", "Reshape", &["m1", "shape"]),
        ("d", "Sub", &["x", "mr"]),
        ("y", "Mul", &["d", "g"]),
    ];
    assert_eq!(norms(&with(model, &nodes).output("y")), [layer_norm(true)]);
}

#[test]
fn softmax_by_parts() {
    let model = start().node("ReduceMax", &["x"], "m", &[Ints("axes", vec![1])]).ints("axes", &[1], &[1]);
    let model = with(model, &[("d", "Sub", &["x", "m"]), ("e", "Exp", &["d"]), ("s", "ReduceSum", &["e", "axes"])]);
    let operators = simplified(&model.node("Div", &["e", "s"], "y", &[]).output("y"));
    assert_eq!(operators.last(), Some(&Operator::Softmax { axis: 1 }));
}

#[test]
fn a_mask_becomes_a_choice() {
    let model = start().input_of("k", 9, &[1, 1, 4]).floats("zero", &[], &[0.0]).floats("low", &[], &[-3.4e38]);
    let model = model.node("Where", &["k", "zero", "low"], "w", &[]).node("Add", &["x", "w"], "s", &[]);
    let graph =
        onnx::read(&model.node("Softmax", &["s"], "y", &[]).output("y").bytes(), &Options::default()).unwrap().graph;
    let mut simple = graph.clone();
    passes::simplify(&mut simple);
    let operators: Vec<&str> = simple.nodes.iter().map(|node| node.operator.name()).collect();
    assert_eq!(operators, ["Map", "Sub", "Select", "Softmax"]);
    let inputs = || vec![Data::Float(vec![-1.0; 24]), Data::Int(vec![1, 0, 1, 1])];
    let (before, after) = (float::evaluate_graph(&graph, inputs()), float::evaluate_graph(&simple, inputs()));
    assert_eq!(before.get(graph.outputs[0]), after.get(simple.outputs[0]));
}

/// `log Σ exp(x)`, with its axis or without, is taken relative to the largest `x`; a difference already is.
#[test]
fn logarithms_of_sums_of_exponentials() {
    let head = |keep: i64| {
        let model = start().ints("axes", &[1], &[1]).node("Exp", &["x"], "e", &[]);
        model.node("ReduceSum", &["e", "axes"], "s", &[Int("keepdims", keep)]).node("Log", &["s"], "y", &[])
    };
    let kept = ["Map", "Sub", "Reduce", "Sub", "Map", "Reduce", "Map", "Add"];
    let dropped = ["Map", "Sub", "Reduce", "Sub", "Map", "Reduce", "Reshape", "Reshape", "Map", "Add"];
    for (keep, expected) in [(1, &kept[..]), (0, &dropped[..])] {
        let names: Vec<&str> = simplified(&head(keep).output("y")).iter().map(Operator::name).collect();
        assert_eq!(names, expected);
    }
    let relative = start().ints("axes", &[1], &[1]).node("ReduceMax", &["x"], "m", &[Ints("axes", vec![1])]);
    let relative = with(relative, &[("d", "Sub", &["x", "m"]), ("e", "Exp", &["d"])]);
    let relative = relative.node("ReduceSum", &["e", "axes"], "s", &[]).node("Log", &["s"], "y", &[]);
    assert_eq!(simplified(&relative.output("y")).len(), 7);
}

/// Convolutions of one tensor that stand one after another: kernel, attributes, bounds of the result.
fn branches(shape: &[i64], parts: &[(&[i64], Vec<Attribute>, bool)], seen: bool) -> Vec<&'static str> {
    let mut model = Model::new(13).input("x", shape);
    let mut names = Vec::new();
    for (number, (weights, attributes, bounded)) in parts.iter().enumerate() {
        let name = |what: &str| format!("{what}{number}");
        let count = usize::try_from(weights.iter().product::<i64>()).unwrap();
        let floats = crate::model::numbers(number as u64 + 5, count, 200).into_iter().map(|v| v as f32 / 100.0 - 1.0);
        let bias: Vec<f32> = (0..weights[0]).map(|v| v as f32 - 0.5).collect();
        model = model.floats(&name("w"), weights, &floats.collect::<Vec<_>>());
        let (w, b) = (name("w"), name("b"));
        // Every other one has a bias.
        let operands = if number % 2 == 0 { &["x", &w][..] } else { &["x", &w, &b] };
        model = model.floats(&b, &weights[..1], &bias).node("Conv", operands, &name("c"), attributes);
        model = if *bounded { model.node("Relu", &[&name("c")], &name("y"), &[]) } else { model };
        names.push(name(if *bounded { "y" } else { "c" }));
    }
    let operands: Vec<&str> = names.iter().map(String::as_str).collect();
    model = model.node("Concat", &operands, "z", &[Int("axis", 1)]).output("z");
    model = if seen { model.output(operands[0]) } else { model };
    let graph = onnx::read(&model.bytes(), &Options::default()).unwrap_or_else(|error| panic!("{error}")).graph;
    let mut simple = graph.clone();
    passes::simplify(&mut simple);
    let count = usize::try_from(shape.iter().product::<i64>()).unwrap();
    let x: Vec<f32> = crate::model::numbers(3, count, 200).into_iter().map(|v| v as f32 / 100.0 - 1.0).collect();
    let result = |graph: &opml_ops::graph::Graph| {
        let values = float::evaluate_graph(graph, vec![Data::Float(x.clone())]);
        graph.outputs.iter().flat_map(|&id| values.get(id).to_vec()).collect::<Vec<f32>>()
    };
    let (before, after) = (result(&graph), result(&simple));
    assert_eq!(before.len(), after.len());
    assert!(before.iter().zip(&after).all(|(a, b)| (a - b).abs() < 1e-4), "{before:?} {after:?}");
    simple.nodes.iter().map(|node| node.operator.name()).collect()
}

#[test]
fn convolutions_side_by_side_become_one() {
    let pads = |pads: &[i64]| Ints("pads", pads.to_vec());
    let steps = |steps: &[i64]| Ints("strides", steps.to_vec());
    let apart = |steps: &[i64]| Ints("dilations", steps.to_vec());
    let x = [2, 3, 7, 6];
    let fire = || vec![(&[4, 3, 1, 1][..], vec![], true), (&[5, 3, 3, 3], vec![pads(&[1, 1, 1, 1])], true)];
    assert_eq!(branches(&x, &fire(), false), ["Conv"]);
    let mut stepped = fire();
    stepped.iter_mut().for_each(|(_, attributes, _)| attributes.push(steps(&[2, 3])));
    assert_eq!(branches(&x, &stepped, false), ["Conv"]);
    let wide = [
        (&[2, 3, 3, 2][..], vec![pads(&[2, 0, 2, 2]), apart(&[2, 2])], false),
        (&[3, 3, 2, 3], vec![pads(&[0, 2, 2, 2]), apart(&[2, 2])], false),
        (&[1, 3, 3, 3], vec![pads(&[2, 2, 2, 2]), apart(&[2, 2])], false),
    ];
    assert_eq!(branches(&x, &wide, false), ["Conv"]);
    assert_eq!(
        branches(&[1, 2, 9], &[(&[3, 2, 1], vec![], false), (&[3, 2, 3], vec![pads(&[1, 1])], false)], false),
        ["Conv"]
    );
}

#[test]
fn convolutions_that_stay() {
    let pads = |pads: &[i64]| Ints("pads", pads.to_vec());
    let stay = |x: &[i64], parts: &[(&[i64], Vec<Attribute>, bool)], seen| {
        assert_eq!(branches(x, parts, seen), ["Conv", "Conv", "Concat"]);
    };
    let x = [1, 4, 5, 5];
    let three = || (&[5, 4, 3, 3][..], vec![pads(&[1, 1, 1, 1])], true);
    // One is seen from outside, has other bounds, groups, or distances that do not go together.
    stay(&x, &[(&[4, 4, 1, 1], vec![], true), three()], true);
    stay(&x, &[(&[4, 4, 1, 1], vec![], false), three()], false);
    stay(&x, &[(&[4, 2, 1, 1], vec![Int("group", 2)], true), three()], false);
    let far = (&[4, 4, 2, 2][..], vec![pads(&[1, 1, 1, 1]), Ints("dilations", vec![2, 2])], true);
    stay(&x, &[far, (&[2, 4, 1, 1], vec![], true)], false);
    // Too many zeros.
    stay(&x, &[(&[40, 4, 1, 1], vec![], true), three()], false);
}
