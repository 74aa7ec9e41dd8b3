//! Operators that move elements, for any element type.

/// Distances between neighbours along each axis.
pub(crate) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// Result axis `j` is operand axis `perm[j]`.
pub(crate) fn transpose<T: Copy>(shape: &[usize], data: &[T], perm: &[usize]) -> Vec<T> {
    let strides = strides(shape);
    let extents: Vec<usize> = perm.iter().map(|&axis| shape[axis]).collect();
    let strides: Vec<usize> = perm.iter().map(|&axis| strides[axis]).collect();
    let mut result = Vec::with_capacity(data.len());
    for_each_offset(&extents, &strides, |offset| result.push(data[offset]));
    result
}

/// Operands one after another along an axis.
pub(crate) fn concat<T: Copy>(parts: &[(&[usize], &[T])], axis: usize) -> Vec<T> {
    let (first, _) = parts[0];
    let rows: usize = first[..axis].iter().product();
    let mut result = Vec::new();
    for row in 0..rows {
        for (shape, data) in parts {
            let width: usize = shape[axis..].iter().product();
            result.extend_from_slice(&data[row * width..(row + 1) * width]);
        }
    }
    result
}

/// Calls `visit` with `Σ coordinate · stride` for all coordinates below the extents, last axis fastest.
pub(crate) fn for_each_offset(extents: &[usize], strides: &[usize], mut visit: impl FnMut(usize)) {
    let total: usize = extents.iter().product();
    let mut coordinates = vec![0; extents.len()];
    let mut offset = 0;
    for _ in 0..total {
        visit(offset);
        for axis in (0..extents.len()).rev() {
            coordinates[axis] += 1;
            offset += strides[axis];
            if coordinates[axis] < extents[axis] {
                break;
            }
            offset -= strides[axis] * extents[axis];
            coordinates[axis] = 0;
        }
    }
}

/// Strides of an operand in a broadcast result; 0 along repeated axes.
pub(crate) fn broadcast_strides(operand: &[usize], shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![0; shape.len()];
    let lead = shape.len() - operand.len();
    let mut stride = 1;
    for axis in (0..operand.len()).rev() {
        strides[lead + axis] = if operand[axis] == 1 { 0 } else { stride };
        stride *= operand[axis];
    }
    strides
}
