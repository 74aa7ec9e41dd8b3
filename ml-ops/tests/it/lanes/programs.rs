//! Programs without sums of products, as the lowerings write them.

use opml_ops::lower::{self, Builder, Curve, Draft, Index, Part, Requant, Scale, Scaled, Spatial, View};
use opml_vm::{DType, Opcode, Program, Reducer, Tensor, testing::Rng};

/// A program with its inputs.
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) program: Program,
    pub(super) inputs: Vec<Tensor>,
}

fn requant(dtype: DType, shift: i64, zero_point: i64, low: i64, high: i64) -> Requant {
    Requant { dtype, scale: Scale { multipliers: vec![1 << 20], shift }, zero_point, low, high }
}

fn sample(name: &'static str, build: impl FnOnce(&mut Builder)) -> Sample {
    let mut builder = Builder::new();
    build(&mut builder);
    let program = builder.finish().unwrap();
    let mut rng = Rng::new(7);
    let inputs = program.inputs().iter().map(|header| {
        let range = header.dtype.bits().min(16);
        let values: Vec<i64> = (0..header.elements)
            .map(|_| i64::try_from(rng.below(1 << range)).unwrap() + header.dtype.min().max(-(1 << (range - 1))))
            .collect();
        Tensor::saturating(header.dtype, &values)
    });
    let inputs = inputs.collect();
    Sample { name, program, inputs }
}

/// All programs, with sizes divided by `small`.
pub(super) fn all(small: i64) -> Vec<Sample> {
    let rows = 128 / small;
    let mut list = vec![
        add("add i8", DType::I8, &[rows, 384]),
        add("add i16", DType::I16, &[rows, 384]),
        add("add one row", DType::I8, &[1, 128]),
        plain_add(&[rows, 384]),
        product(&[rows, 384]),
        affine(&[rows, 384]),
        lookup(&[rows, 1536]),
        curve(DType::I16, &[rows, 1536]),
        softmax(&[12, rows, rows + 1]),
        softmax_narrow(&[12, rows, rows]),
        layer_norm(rows, 384),
        dynamic(rows, 384),
        max_pool("max pool", 32, 28, 0),
        max_pool("max pool pad", 32, 28, 1),
        average_pool(32, 28),
        global_pool(64, 14),
        transpose(rows, 384),
        concat(&[rows, 96]),
        slice(rows, 384),
        pad(32, 28),
        lstm(rows, 128),
        arg_max(rows, 1000),
    ];
    if small > 1 {
        list.push(max_pool("max pool odd", 5, 9, 1));
        list.push(transpose(7, 5));
        list.push(add("add short", DType::I8, &[3, 5]));
        list.push(softmax(&[2, 3, 5]));
    }
    list
}

fn add(name: &'static str, dtype: DType, shape: &[i64]) -> Sample {
    sample(name, |builder| {
        let (x, y) = (builder.input(dtype, shape), builder.input(dtype, shape));
        let scaled = |view, zero_point, multiplier| Scaled { view, zero_point, multiplier };
        let bits = if dtype == DType::I8 { 0 } else { 5 };
        let operands = [scaled(&x, 3, 1_400_000_000 >> bits), scaled(&y, -7, 900_000_011 >> bits)];
        lower::combine(builder, &operands, shape, &requant(dtype, 31 - bits, 4, -120, 120)).unwrap();
    })
}

fn plain_add(shape: &[i64]) -> Sample {
    sample("plain add i16", |builder| {
        let (x, y) = (builder.input(DType::I16, shape), builder.input(DType::I16, shape));
        let scaled = |view| Scaled { view, zero_point: 0, multiplier: 1 };
        let operands = [scaled(&x), scaled(&y)];
        let requant = requant(DType::I16, 0, 0, DType::I16.min(), DType::I16.max());
        lower::combine(builder, &operands, shape, &requant).unwrap();
    })
}

fn product(shape: &[i64]) -> Sample {
    sample("product", |builder| {
        let x = builder.input(DType::I8, shape);
        let y = builder.input(DType::I8, &shape[1..]);
        lower::product(builder, (&x, 3), (&y, 0), shape, &requant(DType::I8, 26, 1, -128, 127)).unwrap();
    })
}

fn affine(shape: &[i64]) -> Sample {
    sample("affine", |builder| {
        let x = builder.input(DType::I16, shape);
        let width = usize::try_from(shape[1]).unwrap();
        let factors: Vec<i64> = (0..shape[1]).map(|c| 900_000 + 1777 * c).collect();
        let offsets: Vec<i64> = (0..shape[1]).map(|c| (c - 190) << 28).collect();
        let own = [shape[1]];
        assert_eq!(factors.len(), width);
        let tables = lower::Affine { factors: (&own, &factors), offsets: (&own, &offsets), cut: 0 };
        lower::affine(builder, &x, &tables, &requant(DType::I16, 21, 0, -32768, 32767)).unwrap();
    })
}

fn lookup(shape: &[i64]) -> Sample {
    sample("lookup i8", |builder| {
        let x = builder.input(DType::I8, shape);
        let table: Vec<i64> = (-128..128).map(|v: i64| (v * v * v) >> 14).collect();
        lower::lookup(builder, &x, DType::I8, &table).unwrap();
    })
}

/// A curve with 256 cells, like a GELU.
fn interpolate(builder: &mut Builder, x: &View, dtype: DType) -> View {
    let table: Vec<i64> = (-128..=128).map(|c: i64| if c < 0 { c * (c + 128) * 16 } else { c * 65500 }).collect();
    let curve =
        Curve { zero_point: 5, multiplier: 1_500_000_000, shift: 26, origin: 128 << 12, table: &table, guard: 8 };
    lower::interpolate(builder, x, &curve, &requant(dtype, 0, 0, dtype.min(), dtype.max())).unwrap()
}

fn curve(dtype: DType, shape: &[i64]) -> Sample {
    sample("curve i16", |builder| {
        let x = builder.input(dtype, shape);
        interpolate(builder, &x, dtype);
    })
}

fn softmax(shape: &[i64]) -> Sample {
    sample("softmax i16", |builder| {
        let x = builder.input(DType::I16, shape);
        let requant = requant(DType::U8, 0, 0, 0, 255);
        lower::softmax(builder, &x, 2, lower::Exponent { multiplier: 94_548_123, shift: 18 }, 255, &requant).unwrap();
    })
}

fn softmax_narrow(shape: &[i64]) -> Sample {
    sample("softmax i8", |builder| {
        let x = builder.input(DType::I8, shape);
        let requant = requant(DType::U8, 0, 0, 0, 255);
        lower::softmax(builder, &x, 2, lower::Exponent { multiplier: 1_994_548_123, shift: 14 }, 255, &requant)
            .unwrap();
    })
}

/// Sum, sum of squares, inverse deviation and the affine end, over rows of i16.
fn layer_norm(rows: i64, width: i64) -> Sample {
    sample("layer norm", |builder| {
        let x = builder.input(DType::I16, &[rows, width]);
        let flat = |r, c| vec![(rows * width, Index::from(r) * width + c)];
        let mut draft = Draft::new(DType::I32, Reducer::Sum);
        let (r, k) = (draft.output(rows), draft.reduce(width));
        draft.load(x.stored.clone(), 0, flat(r, Index::from(k)));
        let acc = draft.reduced();
        draft.mulshr(acc, (1 << 40) / width, 36);
        let mean = builder.push(draft).unwrap();

        let mut draft = Draft::new(DType::I64, Reducer::Sum);
        let (r, k) = (draft.output(rows), draft.reduce(width));
        let value = draft.load(x.stored.clone(), 0, flat(r, Index::from(k)));
        let value = draft.op(Opcode::Shl, &[value.into(), 4.into()]);
        let mean_here = draft.load(mean.clone(), 0, vec![(rows, Index::from(r))]);
        let centred = draft.sub(value, mean_here);
        draft.mulshr(centred, centred, 8);
        let acc = draft.reduced();
        let variance = draft.div(acc, width);
        let deviation = draft.op(Opcode::Isqrt, &[variance.into()]);
        let deviation = draft.op(Opcode::Max, &[deviation.into(), 1.into()]);
        draft.div(1 << 30, deviation);
        let inverse = builder.push(draft).unwrap();

        let gamma: Vec<i64> = (0..width).map(|c| 16_000 + c).collect();
        let beta: Vec<i64> = (0..width).map(|c| 40 * c - 8000).collect();
        let gamma = builder.constant(DType::I16, &[width], &gamma);
        let beta = builder.constant(DType::I16, &[width], &beta);
        let mut draft = Draft::new(DType::I8, Reducer::Sum);
        let (r, c) = (draft.output(rows), draft.output(width));
        let value = draft.load(x.stored, 0, flat(r, Index::from(c)));
        let value = draft.op(Opcode::Shl, &[value.into(), 4.into()]);
        let mean_here = draft.load(mean, 0, vec![(rows, Index::from(r))]);
        let centred = draft.sub(value, mean_here);
        let inverse = draft.load(inverse, 0, vec![(rows, Index::from(r))]);
        let unit = draft.mulshr(centred, inverse, 22);
        let factor = draft.load(gamma.stored, 0, vec![(width, Index::from(c))]);
        let scaled = draft.mulshr(unit, factor, 14);
        let offset = draft.load(beta.stored, 0, vec![(width, Index::from(c))]);
        let moved = draft.add(scaled, offset);
        draft.mulshr(moved, 70_000, 22);
        builder.push(draft).unwrap();
    })
}

/// Largest magnitude of a row, its reciprocal, and the row in its units.
fn dynamic(rows: i64, width: i64) -> Sample {
    sample("dynamic quantisation", |builder| {
        let x = builder.input(DType::I16, &[rows, width]);
        let flat = |r, c| vec![(rows * width, Index::from(r) * width + c)];
        let mut draft = Draft::new(DType::I32, Reducer::Max);
        let (r, k) = (draft.output(rows), draft.reduce(width));
        let value = draft.load(x.stored.clone(), 0, flat(r, Index::from(k)));
        draft.op(Opcode::Abs, &[value.into()]);
        let acc = draft.reduced();
        draft.op(Opcode::Max, &[acc.into(), 1.into()]);
        let largest = builder.push(draft).unwrap();
        let mut draft = Draft::new(DType::I32, Reducer::Sum);
        let r = draft.output(rows);
        let value = draft.load(largest, 0, vec![(rows, Index::from(r))]);
        draft.div(127 << 20, value);
        let factor = builder.push(draft).unwrap();
        let mut draft = Draft::new(DType::I8, Reducer::Sum);
        let (r, c) = (draft.output(rows), draft.output(width));
        let value = draft.load(x.stored, 0, flat(r, Index::from(c)));
        let factor = draft.load(factor, 0, vec![(rows, Index::from(r))]);
        draft.mulshr(value, factor, 20);
        builder.push(draft).unwrap();
    })
}

/// `[1, C, H, W]` stored with channels innermost.
fn image(builder: &mut Builder, channels: i64, extent: i64) -> View {
    builder.input(DType::I8, &[1, extent, extent, channels]).transpose(&[0, 3, 1, 2])
}

fn window(kernel: i64, stride: i64, before: i64, positions: i64) -> Vec<Spatial> {
    vec![Spatial { kernel, stride, dilation: 1, before, positions }; 2]
}

fn max_pool(name: &'static str, channels: i64, extent: i64, before: i64) -> Sample {
    sample(name, |builder| {
        let x = image(builder, channels, extent);
        let spatial = if before == 0 { window(2, 2, 0, extent / 2) } else { window(3, 2, 1, (extent + 1) / 2) };
        lower::max_pool(builder, &x, &spatial).unwrap();
    })
}

fn average_pool(channels: i64, extent: i64) -> Sample {
    sample("average pool", |builder| {
        let x = image(builder, channels, extent);
        let requant = requant(DType::I8, 22, 0, -128, 127);
        lower::average_pool(builder, &x, &window(2, 2, 0, extent / 2), 0, &requant).unwrap();
    })
}

fn global_pool(channels: i64, extent: i64) -> Sample {
    sample("global pool", |builder| {
        let x = image(builder, channels, extent);
        let requant = requant(DType::I8, 28, 0, -128, 127);
        lower::average_pool(builder, &x, &window(extent, 1, 0, 1), 0, &requant).unwrap();
    })
}

fn transpose(rows: i64, width: i64) -> Sample {
    sample("transpose", |builder| {
        let x = builder.input(DType::I8, &[rows, width]).transpose(&[1, 0]);
        lower::copy(builder, &x).unwrap();
    })
}

fn concat(shape: &[i64]) -> Sample {
    sample("concat", |builder| {
        let part = |builder: &mut Builder, scaled: bool| Part {
            view: builder.input(DType::I8, shape),
            zero_point: 3,
            multiplier: scaled.then_some(1_200_000),
        };
        let parts: Vec<Part> = (0..4).map(|_| part(builder, false)).collect();
        lower::concat(builder, &parts, 1, &requant(DType::I8, 20, 2, -128, 127)).unwrap();
        let parts: Vec<Part> = (0..4).map(|_| part(builder, true)).collect();
        lower::concat(builder, &parts, 1, &requant(DType::I8, 20, 2, -128, 127)).unwrap();
    })
}

/// Every other column, backwards, of the rows between.
fn slice(rows: i64, width: i64) -> Sample {
    sample("slice", |builder| {
        let x = builder.input(DType::I16, &[rows, width]);
        let mut draft = Draft::new(DType::I16, Reducer::Sum);
        let (r, c) = (draft.output(rows - 2), draft.output(width / 2));
        draft.load(x.stored, 0, vec![(rows, Index::from(r) + 1), (width, Index::constant(width - 1).plus(c, -2))]);
        builder.push(draft).unwrap();
    })
}

/// An image with a border of 2.
fn pad(channels: i64, extent: i64) -> Sample {
    let wide = extent + 4;
    sample("pad", |builder| {
        let x = builder.input(DType::I8, &[extent, extent, channels]);
        let mut draft = Draft::new(DType::I8, Reducer::Sum);
        let (h, w, c) = (draft.output(wide), draft.output(wide), draft.output(channels));
        let axes = vec![(extent, Index::from(h) - 2), (extent, Index::from(w) - 2), (channels, Index::from(c))];
        draft.load(x.stored, -5, axes);
        builder.push(draft).unwrap();
    })
}

/// The gates of a step: `c' = f·c + i·g`, `h = o·curve(c')`.
fn lstm(rows: i64, width: i64) -> Sample {
    sample("lstm step", |builder| {
        let shape = [rows, width];
        let gates = builder.input(DType::I16, &[4, rows, width]);
        let cell = builder.input(DType::I16, &shape);
        let table: Vec<i64> = (-128..=128).map(|c: i64| c * (256 - c.abs()) * 2).collect();
        let table = builder.constant(DType::I32, &[257], &table);
        let elements = rows * width;
        let gate = |draft: &mut Draft, r, c, number: i64| {
            let index = Index::constant(number * elements).plus(r, width).plus(c, 1);
            draft.load(gates.stored.clone(), 0, vec![(4 * elements, index)])
        };
        let curve = |draft: &mut Draft, x| {
            let at = draft.add(x, 32768);
            let at = draft.clamp(at, 0, 65536);
            let entry = draft.shr(at, 8);
            let between = draft.and(at, 255);
            let left = draft.load(table.stored.clone(), 0, vec![(257, Index::from(entry))]);
            let right = draft.load(table.stored.clone(), 0, vec![(257, Index::from(entry) + 1)]);
            let rise = draft.sub(right, left);
            let rise = draft.mulshr(rise, between, 8);
            draft.add(left, rise)
        };
        let mut draft = Draft::new(DType::I16, Reducer::Sum);
        let (r, c) = (draft.output(rows), draft.output(width));
        let (forget, input, new) = (gate(&mut draft, r, c, 0), gate(&mut draft, r, c, 1), gate(&mut draft, r, c, 2));
        let old = draft.load(cell.stored, 0, vec![(elements, Index::from(r) * width + c)]);
        let (forget, input, new) = (curve(&mut draft, forget), curve(&mut draft, input), curve(&mut draft, new));
        let kept = draft.mul(forget, old);
        let added = draft.mul(input, new);
        let sum = draft.add(kept, added);
        draft.rshr(sum, 15);
        let next = builder.push(draft).unwrap();
        let mut draft = Draft::new(DType::I16, Reducer::Sum);
        let (r, c) = (draft.output(rows), draft.output(width));
        let output = gate(&mut draft, r, c, 3);
        let next = draft.load(next, 0, vec![(elements, Index::from(r) * width + c)]);
        let (output, next) = (curve(&mut draft, output), curve(&mut draft, next));
        draft.mulshr(output, next, 15);
        builder.push(draft).unwrap();
    })
}

fn arg_max(rows: i64, width: i64) -> Sample {
    sample("argmax", |builder| {
        let x = builder.input(DType::I16, &[rows, width]);
        lower::arg_max(builder, &x, 1, false, DType::I32).unwrap();
    })
}
