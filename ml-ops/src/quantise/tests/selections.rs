//! Products of weights with one-hot rows.

use super::*;
use crate::graph::Pairwise;

#[test]
fn columns_of_weights() {
    let (terms, columns) = (7usize, 5usize);
    let ids: Vec<i64> = vec![0, 6, 3, -1, 7, -300, 300, 2];
    let weights: Vec<f32> = numbers(1, columns * terms, -999, 999).iter().map(|&v| v as f32 / 500.0).collect();
    let bias: Vec<f32> = numbers(2, columns, -99, 99).iter().map(|&v| v as f32 / 50.0).collect();
    let mut graph = Graph::default();
    let x = graph.add_value("x", vec![2, 4, 1]);
    graph.inputs.push(x);
    let data = Data::Int((0..terms as i64).collect());
    let counted = graph.add_constant("n", vec![terms], Constant { data, quantised: None });
    let w = graph.add_floats("w", vec![columns, terms], weights.clone());
    let b = graph.add_floats("b", vec![columns], bias.clone());
    let hot = graph.add_value("hot", vec![2, 4, terms]);
    let y = graph.add_value("y", vec![2, 4, columns]);
    graph.value_mut(hot).encoding = Some(BOOL);
    graph.value_mut(y).encoding = Some(half(4.0));
    let node = |operator, inputs, output| Node { operator, inputs, output, clamp: None };
    graph.nodes.push(node(Operator::Zip(Pairwise::Equal), vec![x, counted], hot));
    graph.nodes.push(Node { clamp: Some((-1.0, 2.5)), ..node(Operator::Dense, vec![hot, w, b], y) });
    graph.outputs.push(y);
    let settings = case(Operator::Dense, &[], &[]).settings;
    let levels = plan::uniform(&graph, settings.precision);
    let ranges = vec![Range::default(); graph.values.len()];
    let quantised = with_ranges(&graph, &[Encoding::integer(DType::I16)], ranges, &settings, &levels).unwrap();
    assert_eq!(quantised.program.instructions().len(), 1);
    let inputs = [Tensor::from_values(DType::I16, &ids).unwrap()];
    let run = interpreter::run(&quantised.program, &inputs, Stop::Exactly(1), 1 << 30).unwrap();
    assert_eq!(Engine::compile(&quantised.program).run(&inputs, Stop::Exactly(1), 1 << 30).unwrap(), run);
    let expected = ids.iter().flat_map(|&id| {
        let weight = |column: usize| {
            usize::try_from(id).ok().filter(|&id| id < terms).map_or(0.0, |id| weights[column * terms + id])
        };
        (0..columns).map(|column| f64::from(weight(column)) + f64::from(bias[column])).collect::<Vec<_>>()
    });
    let expected: Vec<i64> = expected.map(|real| half(4.0).stored(real.clamp(-1.0, 2.5))).collect();
    assert_eq!(run.output(&quantised.program).unwrap().values(), expected);
}
