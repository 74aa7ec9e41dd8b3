//! `Einsum` of one or two operands: sums over indices that the result does not have.

use super::{Call, Table};
use crate::{
    error::NodeFault,
    graph::{Operator, Reduction, ValueId, elements},
};

pub(super) const TABLE: Table = &[("Einsum", einsum)];

/// The axes of an operand or result by name; those of an ellipsis count as upper-case letters from the last.
type Letters = Vec<char>;

fn wrong(equation: &str) -> NodeFault {
    let supported = "one or two operands, no index twice in one operand";
    NodeFault::Value { name: "equation", value: equation.to_owned(), supported }
}

fn einsum(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let equation: String = call.text("equation", "").chars().filter(|c| !c.is_whitespace()).collect();
    let fail = || wrong(&equation);
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (equation.as_str(), None),
    };
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != call.operands() || terms.len() > 2 {
        return Err(fail());
    }
    let mut operands = Vec::new();
    for (i, term) in terms.iter().enumerate() {
        let x = call.operand(i)?;
        let letters = expand(term, call.shape(x).len()).ok_or_else(fail)?;
        operands.push((x, letters));
    }
    let wide =
        operands.iter().map(|(_, letters)| letters.iter().filter(|c| c.is_uppercase()).count()).max().unwrap_or(0);
    let result = match right {
        Some(right) => {
            let plain = right.replace("...", "").chars().count();
            expand(right, plain + if right.contains("...") { wide } else { 0 }).ok_or_else(fail)?
        }
        None => implicit(&operands),
    };
    let known = |c: &char| operands.iter().any(|(_, letters)| letters.contains(c));
    if !result.iter().all(known) {
        return Err(fail());
    }
    let y = match operands.as_slice() {
        [(x, letters)] => {
            let (x, letters) = summed(call, *x, letters, &result)?;
            arrange(call, x, &letters, &result)?
        }
        [a, b] => product(call, a, b, &result)?,
        _ => return Err(fail()),
    };
    call.finish(y)
}

/// Names for all axes.
fn expand(term: &str, rank: usize) -> Option<Letters> {
    let plain: String = term.replace("...", "");
    if !plain.chars().all(|c| c.is_ascii_lowercase()) {
        return None;
    }
    let wide = rank.checked_sub(plain.len())?;
    let names: Letters = ('A'..='Z').take(wide).collect();
    let (before, after) = term.split_once("...").unwrap_or((term, ""));
    let letters: Letters = before.chars().chain(names.into_iter().rev()).chain(after.chars()).collect();
    let distinct = letters.iter().enumerate().all(|(i, c)| !letters[..i].contains(c));
    (letters.len() == rank && distinct && (wide == 0 || term.contains("..."))).then_some(letters)
}

/// Ellipsis first, then the letters that stand once, in alphabetical order.
fn implicit(operands: &[(ValueId, Letters)]) -> Letters {
    let count = |c: &char| operands.iter().filter(|(_, letters)| letters.contains(c)).count();
    let all = || operands.iter().flat_map(|(_, letters)| letters.iter().copied());
    let mut wide: Letters = all().filter(char::is_ascii_uppercase).collect();
    wide.sort_unstable();
    wide.dedup();
    wide.reverse();
    let mut once: Letters = all().filter(|c| c.is_ascii_lowercase() && count(c) == 1).collect();
    once.sort_unstable();
    wide.extend(once);
    wide
}

/// Sums over the axes that nobody asks for.
fn summed(
    call: &mut Call<'_, '_>,
    x: ValueId,
    letters: &[char],
    wanted: &[char],
) -> Result<(ValueId, Letters), NodeFault> {
    let axes: Vec<usize> = (0..letters.len()).filter(|&axis| !wanted.contains(&letters[axis])).collect();
    if axes.is_empty() {
        return Ok((x, letters.to_vec()));
    }
    let shape = call.shape(x);
    let kept = || (0..letters.len()).filter(|axis| !axes.contains(axis));
    let (extents, left) = (kept().map(|axis| shape[axis]).collect(), kept().map(|axis| letters[axis]).collect());
    let x = call.emit(Operator::Reduce { kind: Reduction::Sum, axes: axes.clone() }, &[x])?;
    Ok((call.reshape(x, extents)?, left))
}

/// The axes in another order.
fn arrange(call: &mut Call<'_, '_>, x: ValueId, from: &[char], to: &[char]) -> Result<ValueId, NodeFault> {
    let perm = to.iter().filter_map(|c| from.iter().position(|other| other == c)).collect();
    call.transpose(x, perm)
}

/// As a batched matrix product.
fn product(
    call: &mut Call<'_, '_>,
    (a, a_letters): &(ValueId, Letters),
    (b, b_letters): &(ValueId, Letters),
    result: &[char],
) -> Result<ValueId, NodeFault> {
    let wanted = |other: &[char]| [result, other].concat();
    let (a, a_letters) = summed(call, *a, a_letters, &wanted(b_letters))?;
    let (b, b_letters) = summed(call, *b, b_letters, &wanted(&a_letters))?;
    let of = |from: &[char], in_other: bool, in_result: bool, other: &[char]| -> Letters {
        from.iter().copied().filter(|c| other.contains(c) == in_other && result.contains(c) == in_result).collect()
    };
    let batch = of(&a_letters, true, true, &b_letters);
    let inner = of(&a_letters, true, false, &b_letters);
    let (rows, columns) = (of(&a_letters, false, true, &b_letters), of(&b_letters, false, true, &a_letters));
    let extent = |call: &Call<'_, '_>, c: &char| {
        let of = |id, letters: &[char]| letters.iter().position(|l| l == c).map(|axis| call.shape(id)[axis]);
        of(a, &a_letters).unwrap_or(1).max(of(b, &b_letters).unwrap_or(1))
    };
    let sizes = |call: &Call<'_, '_>, letters: &[char]| letters.iter().map(|c| extent(call, c)).collect::<Vec<_>>();
    let [batch_sizes, inner_size] = [sizes(call, &batch), vec![elements(&sizes(call, &inner))]];
    let (row_sizes, column_sizes) = (sizes(call, &rows), sizes(call, &columns));
    let a = arrange(call, a, &a_letters, &[&batch[..], &rows, &inner].concat())?;
    let a = call.reshape(a, [&batch_sizes[..], &[elements(&row_sizes)], &inner_size].concat())?;
    let b = arrange(call, b, &b_letters, &[&batch[..], &inner, &columns].concat())?;
    let b = call.reshape(b, [&batch_sizes[..], &inner_size, &[elements(&column_sizes)]].concat())?;
    let y = call.emit(Operator::MatMul, &[a, b])?;
    let y = call.reshape(y, [batch_sizes, row_sizes, column_sizes].concat())?;
    arrange(call, y, &[batch, rows, columns].concat(), result)
}
