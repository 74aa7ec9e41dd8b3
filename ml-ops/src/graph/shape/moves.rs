//! Extents of results whose elements are chosen by index.

use super::extent;

pub(super) fn take(x: &[usize], axes: &[Option<Vec<Option<usize>>>]) -> Result<Vec<usize>, String> {
    if axes.len() != x.len() {
        return Err(format!("sources for {} axes of {x:?}", axes.len()));
    }
    x.iter()
        .zip(axes)
        .map(|(&n, sources)| match sources {
            None => Ok(n),
            Some(sources) if sources.iter().flatten().all(|&source| source < n) => Ok(sources.len()),
            Some(_) => Err(format!("a source beyond the extent {n} of {x:?}")),
        })
        .collect()
}

pub(super) fn resample(x: &[usize], axis: usize, taps: &[Vec<(usize, f32)>]) -> Result<Vec<usize>, String> {
    let n = extent(x, axis)?;
    let width = taps.first().map_or(0, Vec::len);
    if taps.iter().any(|taps| taps.len() != width || taps.iter().any(|&(index, _)| index >= n)) {
        return Err(format!("taps along axis {axis} of {x:?}"));
    }
    let mut shape = x.to_vec();
    shape[axis] = taps.len();
    Ok(shape)
}

pub(super) fn gather(x: &[usize], indices: &[usize], axis: usize) -> Result<Vec<usize>, String> {
    extent(x, axis)?;
    Ok([&x[..axis], indices, &x[axis + 1..]].concat())
}

pub(super) fn gather_elements(x: &[usize], indices: &[usize], axis: usize) -> Result<Vec<usize>, String> {
    extent(x, axis)?;
    let inside = x.len() == indices.len() && (0..x.len()).all(|j| j == axis || indices[j] <= x[j]);
    if inside { Ok(indices.to_vec()) } else { Err(format!("indices {indices:?} along axis {axis} of {x:?}")) }
}

pub(super) fn gather_nd(x: &[usize], indices: &[usize], batch: usize) -> Result<Vec<usize>, String> {
    let wrong = || format!("index tuples {indices:?} into {x:?} with {batch} shared axes");
    let (&width, tuples) = indices.split_last().ok_or_else(wrong)?;
    let shared = x.get(..batch).is_some_and(|shared| tuples.get(..batch) == Some(shared));
    let rest = batch.checked_add(width).and_then(|used| x.get(used..)).ok_or_else(wrong)?;
    if shared && width > 0 { Ok([tuples, rest].concat()) } else { Err(wrong()) }
}
