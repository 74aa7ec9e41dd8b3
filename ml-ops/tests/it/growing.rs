//! Instructions whose extents grow with the iteration, at every size up to their caps.

use std::ops::ControlFlow;

use opml_ops::{
    engine::{Engine, Iteration, Watched},
    lower::{Builder, Draft, Index, Reg, Size, Stored},
    tier::Tier,
};
use opml_vm::{
    DType, Program, Reducer, Tensor,
    interpreter::{self, Stop},
    testing::Rng,
};

/// Heads, their elements, the largest number of positions, and whether position `j` is that of iteration `t − j`.
#[derive(Debug, Clone, Copy)]
struct Shape {
    groups: i64,
    each: i64,
    width: i64,
    most: i64,
    window: bool,
}

/// 16-bit numbers that follow the iteration.
fn words(builder: &mut Builder, input: &Stored, count: i64, factor: i64) -> Stored {
    let mut draft = Draft::new(DType::I16, Reducer::Sum);
    let place = draft.output(count);
    let value = draft.load(input.clone(), 0, vec![(input.elements, place.into())]);
    let t = draft.iteration();
    let turn = draft.mul(t, factor);
    let sum = draft.add(value, turn);
    let mixed = draft.mul(sum, 7919);
    let low = draft.and(mixed, 0xffff);
    draft.sub(low, 0x8000);
    builder.push(draft).unwrap()
}

struct Attention {
    shape: Shape,
}

impl Attention {
    fn positions(&self, draft: &mut Draft) -> Size {
        draft.growing(1, 1, self.shape.most)
    }

    fn past(&self, draft: &mut Draft, stored: &Stored, position: Reg, at: Index) -> Reg {
        let iteration =
            if self.shape.window { Index::from(draft.iteration()).plus(position, -1) } else { position.into() };
        draft.load_sized(stored.clone(), Some(iteration), 0, vec![(Size::from(stored.elements), at)])
    }

    /// A number of `[groups, each, positions]`, its head, its position.
    fn score(&self, draft: &mut Draft, scores: &Stored, is_reduced: bool) -> (Reg, [Reg; 2], Reg) {
        let (group, each) = (draft.output(self.shape.groups), draft.output(self.shape.each));
        let positions = self.positions(draft);
        let position = if is_reduced { draft.reduce(positions) } else { draft.output(positions) };
        let axes = vec![
            (Size::from(self.shape.groups), Index::from(group)),
            (Size::from(self.shape.each), each.into()),
            (positions, position.into()),
        ];
        (draft.load_sized(scores.clone(), None, 0, axes), [group, each], position)
    }

    fn head(&self, draft: &mut Draft, stored: &Stored, [group, each]: [Reg; 2]) -> Reg {
        draft.load(stored.clone(), 0, vec![(self.shape.groups, group.into()), (self.shape.each, each.into())])
    }

    fn scores(&self, builder: &mut Builder, queries: &Stored, keys: &Stored) -> Stored {
        let Shape { groups, each: queries_each, width, .. } = self.shape;
        let mut draft = Draft::new(DType::I32, Reducer::Sum);
        let (group, each) = (draft.output(groups), draft.output(queries_each));
        let positions = self.positions(&mut draft);
        let position = draft.output(positions);
        let place = draft.reduce(width);
        let at = (group * (queries_each * width)).plus(each, width) + place;
        let query = draft.load(queries.clone(), 0, vec![(queries.elements, at)]);
        let key = self.past(&mut draft, keys, position, group * width + place);
        draft.mul(query, key);
        let acc = draft.reduced();
        draft.rshr(acc, 7);
        builder.push(draft).unwrap()
    }

    fn mix(&self, builder: &mut Builder, powers: &Stored, totals: &Stored, values: &Stored) -> Stored {
        let Shape { groups, each: queries_each, width, .. } = self.shape;
        let mut draft = Draft::new(DType::I32, Reducer::Sum);
        let (group, each) = (draft.output(groups), draft.output(queries_each));
        let place = draft.output(width);
        let positions = self.positions(&mut draft);
        let position = draft.reduce(positions);
        let axes = vec![
            (Size::from(groups), Index::from(group)),
            (Size::from(queries_each), each.into()),
            (positions, position.into()),
        ];
        let power = draft.load_sized(powers.clone(), None, 0, axes);
        let value = self.past(&mut draft, values, position, group * width + place);
        draft.mul(power, value);
        let acc = draft.reduced();
        let total = self.head(&mut draft, totals, [group, each]);
        draft.mulshr(acc, total, 20);
        builder.push(draft).unwrap()
    }

    /// Reductions and elements over positions, one of which reads the coordinate.
    fn parts(&self, builder: &mut Builder, scores: &Stored) -> [Stored; 2] {
        let mut draft = Draft::new(DType::I32, Reducer::Max);
        self.score(&mut draft, scores, true);
        let largest = builder.push(draft).unwrap();
        let mut draft = Draft::new(DType::I16, Reducer::Sum);
        let (score, head, position) = self.score(&mut draft, scores, false);
        let largest = self.head(&mut draft, &largest, head);
        let below = draft.sub(largest, score);
        let far = draft.rshr(below, 4);
        draft.sub(far, position);
        let powers = builder.push(draft).unwrap();
        let mut draft = Draft::new(DType::I32, Reducer::Sum);
        self.score(&mut draft, &powers, true);
        let acc = draft.reduced();
        let sum = draft.max(acc, 1);
        draft.div(1 << 30, sum);
        let totals = builder.push(draft).unwrap();
        let mut draft = Draft::new(DType::I32, Reducer::Argmax);
        self.score(&mut draft, scores, true);
        builder.push(draft).unwrap();
        self.turned(builder, scores, 0);
        self.turned(builder, scores, 1);
        [powers, totals]
    }

    /// `[positions, groups · each]` of differences from the neighbour so many places on, which is outside of the tensor at
    /// the end.
    fn turned(&self, builder: &mut Builder, scores: &Stored, by: i64) -> Stored {
        let mut draft = Draft::new(DType::I32, Reducer::Sum);
        let positions = self.positions(&mut draft);
        let (position, head) = (draft.output(positions), draft.output(self.shape.groups * self.shape.each));
        let load = |draft: &mut Draft, by: i64| {
            let axes = vec![
                (Size::from(self.shape.groups * self.shape.each), Index::from(head)),
                (positions, Index::from(position) + by),
            ];
            draft.load_sized(scores.clone(), None, 77, axes)
        };
        let (own, next) = (load(&mut draft, 0), load(&mut draft, by));
        let twice = draft.mul(own, 2);
        draft.sub(twice, next);
        builder.push(draft).unwrap()
    }

    fn program(&self) -> Program {
        let Shape { groups, each, width, .. } = self.shape;
        let mut builder = Builder::new();
        let input = builder.input(DType::I16, &[groups * each * width]).stored;
        let queries = words(&mut builder, &input, groups * each * width, 3);
        let keys = words(&mut builder, &input, groups * width, 5);
        let scores = self.scores(&mut builder, &queries, &keys);
        let [powers, totals] = self.parts(&mut builder, &scores);
        self.mix(&mut builder, &powers, &totals, &keys);
        builder.finish().unwrap()
    }
}

/// The values of a stream from an iteration on, which computes iterations side by side.
fn streamed(engine: &Engine, inputs: &[Tensor], (from, length): (u64, u64)) -> Vec<Tensor> {
    let all: Vec<u32> = (0..engine.program().counts().instructions).collect();
    let watched = Watched { instructions: &all, from };
    let mut values = Vec::new();
    let mut each = |iteration: Iteration<'_>| {
        values.extend(iteration.values.into_iter().cloned());
        ControlFlow::Continue(())
    };
    engine.stream(inputs, (Stop::Exactly(length), 1 << 32), watched, &mut |_, _| (), &mut each).unwrap();
    values
}

fn check(shape: Shape, length: u64, seed: u64) {
    let program = Attention { shape }.program();
    let mut rng = Rng::new(seed);
    let count = shape.groups * shape.each * shape.width;
    let numbers: Vec<i64> = (0..count).map(|_| rng.value() % 40_000).collect();
    let inputs = [Tensor::saturating(DType::I16, &numbers)];
    let expected = interpreter::run(&program, &inputs, Stop::Exactly(length), 1 << 32).unwrap();
    for tier in Tier::supported() {
        let engine = Engine::compile_for(&program, tier);
        let found = engine.run(&inputs, Stop::Exactly(length), 1 << 32).unwrap();
        assert_eq!(found.length, length);
        let count = program.instructions().len();
        let late = length / 2 + 1;
        let stream = |from| (from, streamed(&engine, &inputs, (from, length)));
        for (from, values) in [(0, found.values), stream(0), stream(late)] {
            let expected = &expected.values[count * usize::try_from(from).unwrap()..];
            let first = expected.iter().zip(&values).position(|(a, b)| a != b);
            let place = first.map(|at| (at / count, at % count));
            assert!(place.is_none() && expected == values, "from {from} {tier:?} {shape:?}: (t, i) = {place:?}");
        }
    }
}

#[test]
fn attention_grows_past_several_plans() {
    for window in [false, true] {
        check(Shape { groups: 2, each: 3, width: 16, most: 200, window }, 70, 1);
        check(Shape { groups: 1, each: 1, width: 33, most: 66, window }, 80, 2);
        check(Shape { groups: 2, each: 1, width: 64, most: 300, window }, 290, 3);
    }
}

#[test]
fn attention_of_every_small_shape() {
    for seed in 0..40 {
        let mut rng = Rng::new(seed);
        let mut one = |most: u32| i64::from(rng.between(1, most));
        let shape = Shape { groups: one(3), each: one(3), width: one(40), most: one(12), window: seed % 2 == 0 };
        check(shape, 14, seed);
    }
}
