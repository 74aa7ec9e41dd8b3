//! Elements in other places.

use super::*;

type List = Option<Vec<Option<usize>>>;

fn taken<T: Copy>(values: &[T], shape: &[usize], axes: &[List], fill: T) -> (Vec<usize>, Vec<T>) {
    let result: Vec<usize> = shape.iter().zip(axes).map(|(&n, list)| list.as_ref().map_or(n, Vec::len)).collect();
    let values = (0..elements(&result))
        .map(|number| {
            let at = coordinates(number, &result);
            let source: Option<Vec<usize>> =
                at.iter().zip(axes).map(|(&c, list)| list.as_ref().map_or(Some(c), |list| list[c])).collect();
            source.map_or(fill, |source| values[place(&source, shape)])
        })
        .collect();
    (result, values)
}

fn some(list: impl IntoIterator<Item = usize>) -> List {
    Some(list.into_iter().map(Some).collect())
}

/// Pads around a list.
fn padded(n: usize, before: usize, after: usize) -> List {
    Some(vec![None; before].into_iter().chain((0..n).map(Some)).chain(vec![None; after]).collect())
}

#[test]
fn takes() {
    // What is taken, and how many instructions it needs: one copy makes the output row-major.
    let cases: Vec<(&[usize], Vec<List>, usize)> = vec![
        (&[6], vec![some(1..4)], 1),
        (&[6], vec![some((0..6).rev())], 1),
        (&[7], vec![some((0..7).step_by(3))], 1),
        (&[3, 4], vec![None, some([0, 1, 2, 3, 0, 1, 2, 3])], 1),
        (&[3, 4], vec![some([0, 0, 1, 1, 2, 2]), some([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])], 1),
        (&[3, 4], vec![some([2]), None], 1),
        (&[3, 4], vec![padded(3, 1, 2), padded(4, 0, 1)], 1),
        (&[2, 3, 4], vec![None, padded(3, 2, 0), some([3, 1])], 1),
        // Reflected and clamped edges, and any list.
        (&[5], vec![some([2, 1, 0, 1, 2, 3, 4, 3, 2])], 1),
        (&[2, 5], vec![None, some([0, 0, 0, 1, 2, 3, 4, 4])], 1),
        (&[4, 5], vec![some([3, 0, 0, 2]), some([4, 1, 3])], 1),
        (&[4], vec![Some(vec![Some(3), None, Some(0), Some(3)])], 1),
        (&[2, 2, 2, 3], vec![padded(2, 1, 1), padded(2, 1, 1), padded(2, 1, 1), padded(3, 1, 1)], 1),
    ];
    for (shape, axes, instructions) in cases {
        for encoding in [I64, byte(-1.0, 2.0)] {
            let x = input(3, shape, encoding, 0, 255);
            let fill = if encoding == I64 { 7 } else { encoding.zero_point };
            let (result, expected) = taken(&stored(&x), shape, &axes, fill);
            let fill = encoding.real(fill) as f32;
            let found = case(Operator::Take { axes: axes.clone(), fill }, &[x], &result).run(&[0.0]);
            assert_eq!(found.stored, expected, "{shape:?} {axes:?}");
            assert!(found.instructions <= instructions + 1, "{axes:?}");
        }
    }
}

#[test]
fn gathers() {
    let cases: [(&[usize], &[usize], usize); 5] =
        [(&[5], &[3], 0), (&[5, 4], &[2, 3], 0), (&[5, 4], &[], 1), (&[2, 6, 3], &[4], 1), (&[2, 3, 4], &[2, 2], 2)];
    for (shape, at, axis) in cases {
        let n = shape[axis] as i64;
        let index = input(5, at, I64, -n, n - 1);
        let result: Vec<usize> = shape[..axis].iter().chain(at).chain(&shape[axis + 1..]).copied().collect();
        let expected = |values: &[f64]| -> Vec<f64> {
            (0..elements(&result))
                .map(|number| {
                    let c = coordinates(number, &result);
                    let i = stored(&index)[place(&c[axis..axis + at.len()], at)];
                    let mut source = c[..axis].to_vec();
                    source.push(if i < 0 { i + n } else { i } as usize);
                    source.extend(&c[axis + at.len()..]);
                    values[place(&source, shape)]
                })
                .collect()
        };
        let x = input(3, shape, half(2.0), -32768, 32767);
        let found = case(Operator::Gather { axis }, &[x.clone(), index.clone()], &result).run(&[0.0]);
        assert_eq!(found.error(&expected(&x.real())), 0.0, "{shape:?} {at:?} {axis}");

        // A constant table, stored as the result is.
        let table = Given::Floats(
            shape.to_vec(),
            numbers(4, elements(shape), -999, 999).iter().map(|&v| v as f32 / 100.0).collect(),
        );
        let expected = expected(&table.real());
        let found = case(Operator::Gather { axis }, &[table, index.clone()], &result).run(&expected);
        assert!(found.error(&expected) <= found.encoding.scale, "{found:?}");
    }
}

#[test]
fn gathers_of_elements() {
    for (shape, at, axis) in [
        (vec![5], vec![3], 0),
        (vec![3, 4], vec![2, 4], 0),
        (vec![3, 4], vec![3, 7], 1),
        (vec![2, 5, 3], vec![2, 4, 2], 1),
    ] {
        let n = shape[axis] as i64;
        let index = input(5, &at, I32, -n, n - 1);
        let x = input(3, &shape, I64, -100, 100);
        let expected: Vec<i64> = (0..elements(&at))
            .map(|number| {
                let mut c = coordinates(number, &at);
                let i = stored(&index)[number];
                c[axis] = if i < 0 { i + n } else { i } as usize;
                stored(&x)[place(&c, &shape)]
            })
            .collect();
        let found = case(Operator::GatherElements { axis }, &[x, index], &at).run(&[0.0]);
        assert_eq!(found.stored, expected, "{shape:?} {at:?} {axis}");
    }
}

#[test]
fn gathers_at_tuples() {
    for (shape, at, batch) in [
        (vec![5], vec![3, 1], 0),
        (vec![3, 4], vec![6, 2], 0),
        (vec![3, 4, 2], vec![2, 2, 1], 0),
        (vec![2, 3, 4], vec![2, 5, 1], 1),
        (vec![2, 3, 4], vec![2, 2], 1),
    ] {
        let width = at[at.len() - 1];
        let tuples = elements(&at[..at.len() - 1]);
        let index: Vec<i64> = (0..tuples)
            .flat_map(|tuple| (0..width).map(move |j| (tuple, j)).collect::<Vec<_>>())
            .map(|(tuple, j)| {
                let n = shape[batch + j] as i64;
                numbers((tuple * 8 + j) as u64 + 1, 1, -n, n - 1)[0]
            })
            .collect();
        let result: Vec<usize> = at[..at.len() - 1].iter().chain(&shape[batch + width..]).copied().collect();
        let x = input(3, &shape, I64, -100, 100);
        let expected: Vec<i64> = (0..elements(&result))
            .map(|number| {
                let c = coordinates(number, &result);
                let tuple = place(&c[..at.len() - 1], &at[..at.len() - 1]);
                let mut source = c[..batch].to_vec();
                for j in 0..width {
                    let (i, n) = (index[tuple * width + j], shape[batch + j] as i64);
                    source.push(if i < 0 { i + n } else { i } as usize);
                }
                source.extend(&c[at.len() - 1..]);
                stored(&x)[place(&source, &shape)]
            })
            .collect();
        let given = Given::Input(at.clone(), I64, index);
        let found = case(Operator::GatherNd { batch }, &[x, given], &result).run(&[0.0]);
        assert_eq!(found.stored, expected, "{shape:?} {at:?} {batch}");
    }
}
