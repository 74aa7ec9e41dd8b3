//! Products of groups whose groups are moved by a copy: a product that writes them where they go.
//!
//! `[rows, groups, members]` copied as `[rows, members, groups]`, which shuffles channels, is the same product with its axes in
//! that order.

use opml_vm::{Extent, Instruction, Op, Source};

use super::{
    axes::{self, Common},
    is_elementwise, is_product,
    join::Join,
};

/// The first instruction, whose number comes with it, with its axes in the order in which the second copies its value; `None` if
/// this is no such copy.
pub(super) fn moved((number, first): (u32, &Instruction), second: &Instruction) -> Option<Instruction> {
    let [Op::Load(load)] = second.map.as_slice() else { return None };
    let copies = is_elementwise(second) && load.source == Source::Value(number) && second.dtype == first.dtype;
    if !copies || !is_product(first) {
        return None;
    }
    let output = axes::extents(&second.output)?;
    let sorted = order(&axes::linear(load, &output)?, &output)?;
    let extents: Vec<Extent> = sorted.iter().map(|&axis| second.output.get(axis).copied()).collect::<Option<_>>()?;
    let Common { extents, first: own, second: parts } = axes::common(&first.output, &extents)?;
    // Where the copy has each of the finest axes.
    let mut places = vec![0; extents.len()];
    let mut moved = Vec::with_capacity(extents.len());
    for axis in 0..output.len() {
        let Some(place) = sorted.iter().position(|&sorted| sorted == axis) else { continue };
        for &(part, _) in parts.get(place)?.iter().rev() {
            *places.get_mut(part)? = moved.len();
            moved.push(*extents.get(part)?);
        }
    }
    if !only_groups(first, &own, &places) {
        return None;
    }
    let place = |&(part, factor): &(usize, i64)| Some((*places.get(part)?, factor));
    let own = own.iter().map(|parts| parts.iter().map(place).collect()).collect::<Option<_>>()?;
    let common = Common { extents: moved, first: own, second: Vec::new() };
    let join = Join { common: &common, constants: &first.constants };
    let (map, post) = (join.first(first, &first.map)?, join.first(first, &first.post)?);
    Some(Instruction { output: common.extents.clone(), map, post, ..first.clone() })
}

/// The axes that are longer than 1, the slowest of the source first, if they take all of it in some order.
fn order((base, steps): &(i128, Vec<i128>), output: &[i64]) -> Option<Vec<usize>> {
    let mut order: Vec<usize> = (0..output.len()).filter(|&axis| output[axis] != 1).collect();
    order.sort_by_key(|&axis| std::cmp::Reverse(steps[axis]));
    let mut step = 1;
    let follow = order.iter().rev().all(|&axis| {
        let follows = steps[axis] == step;
        step *= i128::from(output[axis]);
        follows
    });
    (*base == 0 && follow).then_some(order)
}

/// Whether the axes of a product stay whole, and those that not all of its loads follow stay in their order. Channels that have weights
/// of their own, which are innermost, stay there: there are kernels for them.
fn only_groups(first: &Instruction, own: &[Vec<(usize, i64)>], places: &[usize]) -> bool {
    let is_group = |axis: usize| {
        let mut loads = first.map.iter().filter_map(|op| if let Op::Load(load) = op { Some(load) } else { None });
        loads.all(|load| axes::follows(load, axis))
    };
    let whole = own.iter().all(|parts| parts.len() <= 1);
    let innermost = own.iter().rposition(|parts| !parts.is_empty());
    let part = |axis: &usize| own.get(*axis)?.first().and_then(|&(part, _)| places.get(part).copied());
    let others: Vec<usize> = (0..own.len()).filter(|&axis| !is_group(axis)).filter_map(|axis| part(&axis)).collect();
    whole && others.is_sorted() && innermost.is_some_and(|axis| !is_group(axis))
}
