//! Recurrent layers against the equations of their definitions, step by step.

use opml_ops::graph::Data;

use crate::{
    model::{Attribute, Attribute::*, Model},
    reading::evaluate,
};

const STEPS: usize = 3;
const INPUT: usize = 2;
const HIDDEN: usize = 2;

/// Small numbers from a fixed sequence.
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    crate::model::numbers(seed, count, 200).into_iter().map(|v| (v as f32 - 100.0) / 100.0).collect()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Weights of one direction: `w [gates · H, I]`, `r [gates · H, H]`, `b [2 · gates · H]`.
struct Weights {
    w: Vec<f32>,
    r: Vec<f32>,
    b: Vec<f32>,
}

impl Weights {
    fn new(gates: usize) -> Self {
        let rows = gates * HIDDEN;
        Self { w: numbers(1, rows * INPUT), r: numbers(2, rows * HIDDEN), b: numbers(3, 2 * rows) }
    }

    /// Row `row` of `W x + Wb`.
    fn input_sum(&self, row: usize, x: &[f32]) -> f64 {
        let sum: f64 = (0..INPUT).map(|i| f64::from(self.w[row * INPUT + i]) * f64::from(x[i])).sum();
        sum + f64::from(self.b[row])
    }

    /// Row `row` of `R h + Rb`.
    fn state_sum(&self, row: usize, h: &[f64]) -> f64 {
        let sum: f64 = (0..HIDDEN).map(|i| f64::from(self.r[row * HIDDEN + i]) * h[i]).sum();
        sum + f64::from(self.b[self.b.len() / 2 + row])
    }
}

fn lstm(weights: &Weights, peepholes: &[f32], x: &[&[f32]], h: &mut [f64], c: &mut [f64]) -> Vec<Vec<f64>> {
    let mut outputs = Vec::new();
    for x in x {
        let gate =
            |g: usize, j: usize, h: &[f64]| weights.input_sum(g * HIDDEN + j, x) + weights.state_sum(g * HIDDEN + j, h);
        let peep = |g: usize, j: usize| peepholes.get(g * HIDDEN + j).copied().map_or(0.0, f64::from);
        let old = h.to_vec();
        for j in 0..HIDDEN {
            let i = sigmoid(gate(0, j, &old) + peep(0, j) * c[j]);
            let f = sigmoid(gate(2, j, &old) + peep(2, j) * c[j]);
            c[j] = f * c[j] + i * gate(3, j, &old).tanh();
            h[j] = sigmoid(gate(1, j, &old) + peep(1, j) * c[j]) * c[j].tanh();
        }
        outputs.push(h.to_vec());
    }
    outputs
}

fn gru(weights: &Weights, after: bool, x: &[&[f32]], h: &mut [f64]) -> Vec<Vec<f64>> {
    let mut outputs = Vec::new();
    for x in x {
        let gate = |g: usize, j: usize, h: &[f64]| {
            sigmoid(weights.input_sum(g * HIDDEN + j, x) + weights.state_sum(g * HIDDEN + j, h))
        };
        let old = h.to_vec();
        let reset: Vec<f64> = (0..HIDDEN).map(|j| gate(1, j, &old)).collect();
        let kept: Vec<f64> = (0..HIDDEN).map(|j| reset[j] * old[j]).collect();
        for j in 0..HIDDEN {
            let row = 2 * HIDDEN + j;
            let state = if after { reset[j] * weights.state_sum(row, &old) } else { weights.state_sum(row, &kept) };
            let z = gate(0, j, &old);
            h[j] = (1.0 - z) * (weights.input_sum(row, x) + state).tanh() + z * old[j];
        }
        outputs.push(h.to_vec());
    }
    outputs
}

fn model(operator: &str, gates: i64, weights: &Weights, directions: i64, attributes: &[Attribute]) -> Model {
    let (h, i) = (HIDDEN as i64, INPUT as i64);
    let repeat = |list: &[f32]| list.repeat(directions as usize);
    let own = [Int("hidden_size", h), Text("direction", if directions == 2 { "bidirectional" } else { "forward" })];
    let attributes: Vec<Attribute> = own.into_iter().chain(attributes.iter().cloned()).collect();
    let model = Model::new(14)
        .input("x", &[STEPS as i64, 1, i])
        .input("h", &[directions, 1, h])
        .input("c", &[directions, 1, h])
        .floats("w", &[directions, gates * h, i], &repeat(&weights.w))
        .floats("r", &[directions, gates * h, h], &repeat(&weights.r))
        .floats("b", &[directions, 2 * gates * h], &repeat(&weights.b))
        .floats("p", &[directions, 3 * h], &repeat(&numbers(9, 6)));
    match operator {
        "LSTM" => model.node("LSTM", &["x", "w", "r", "b", "", "h", "c", "p"], "y,yh,yc", &attributes),
        _ => model.node(operator, &["x", "w", "r", "b", "", "h"], "y,yh", &attributes),
    }
}

fn close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(expected).all(|(f, e)| (f64::from(*f) - e).abs() < 1e-6), "{found:?} {expected:?}");
}

#[test]
fn lstm_with_peepholes_in_both_directions() {
    let weights = Weights::new(4);
    let (x, h, c) = (numbers(4, STEPS * INPUT), numbers(5, 4), numbers(6, 4));
    let results = evaluate(
        &model("LSTM", 4, &weights, 2, &[]).output("y").output("yh").output("yc"),
        &[Data::Float(x.clone()), Data::Float(h.clone()), Data::Float(c.clone())],
    );
    let rows: Vec<&[f32]> = x.chunks(INPUT).collect();
    let reversed: Vec<&[f32]> = rows.iter().rev().copied().collect();
    let wide = |list: &[f32]| list.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
    let peepholes = numbers(9, 6);
    let (mut h0, mut c0, mut h1, mut c1) = (wide(&h[..2]), wide(&c[..2]), wide(&h[2..]), wide(&c[2..]));
    let forward = lstm(&weights, &peepholes, &rows, &mut h0, &mut c0);
    let mut backward = lstm(&weights, &peepholes, &reversed, &mut h1, &mut c1);
    backward.reverse();
    let all: Vec<f64> = forward.iter().zip(&backward).flat_map(|(f, b)| [f.clone(), b.clone()].concat()).collect();
    close(&results[0], &all);
    close(&results[1], &[h0, h1].concat());
    close(&results[2], &[c0, c1].concat());
}

#[test]
fn gru_resets_before_or_after_the_product() {
    let weights = Weights::new(3);
    let (x, h) = (numbers(7, STEPS * INPUT), numbers(8, 2));
    for after in [false, true] {
        let attributes = [Int("linear_before_reset", i64::from(after))];
        let results = evaluate(
            &model("GRU", 3, &weights, 1, &attributes).output("y").output("yh"),
            &[Data::Float(x.clone()), Data::Float(h.clone())],
        );
        let mut state: Vec<f64> = h.iter().map(|&v| f64::from(v)).collect();
        let outputs = gru(&weights, after, &x.chunks(INPUT).collect::<Vec<_>>(), &mut state);
        close(&results[0], &outputs.concat());
        close(&results[1], &state);
    }
}
