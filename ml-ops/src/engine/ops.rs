//! Scalar operations over lanes. Each equals [`opml_vm::eval::scalar`] on every lane.

use opml_vm::{Opcode, eval::scalar};

/// `out[l] = opcode(a[l], b[l], c[l])`.
pub(super) fn apply(opcode: Opcode, out: &mut [i64], a: &[i64], b: &[i64], c: &[i64]) {
    match opcode {
        Opcode::Add => each(out, a, b, i64::saturating_add),
        Opcode::Sub => each(out, a, b, i64::saturating_sub),
        Opcode::Mul => each(out, a, b, i64::saturating_mul),
        Opcode::Min => each(out, a, b, i64::min),
        Opcode::Max => each(out, a, b, i64::max),
        Opcode::And => each(out, a, b, |a, b| a & b),
        Opcode::Or => each(out, a, b, |a, b| a | b),
        Opcode::Xor => each(out, a, b, |a, b| a ^ b),
        Opcode::Eq => each(out, a, b, |a, b| i64::from(a == b)),
        Opcode::Lt => each(out, a, b, |a, b| i64::from(a < b)),
        Opcode::Shl => each(out, a, b, shl),
        Opcode::Shr => each(out, a, b, |a, b| a >> b.clamp(0, 63)),
        Opcode::Clamp => each3(out, a, b, c, |a, b, c| a.max(b).min(c)),
        Opcode::Select => each3(out, a, b, c, |a, b, c| if a != 0 { b } else { c }),
        Opcode::Mulshr => each3(out, a, b, c, mulshr),
        Opcode::Rshr => each(out, a, b, |a, b| mulshr(a, 1, b)),
        other => each3(out, a, b, c, |a, b, c| scalar(other, a, b, c)),
    }
}

/// What a shift back does not give again did not fit.
fn shl(a: i64, b: i64) -> i64 {
    let shift = b.clamp(0, 63);
    let shifted = a << shift;
    if shifted >> shift == a { shifted } else { (a >> 63) ^ i64::MAX }
}

/// In 64 bits where the product and its rounding fit, else exactly.
fn mulshr(a: i64, b: i64, c: i64) -> i64 {
    if (1..63).contains(&c)
        && let Some(product) = a.checked_mul(b)
        && let Some(rounded) = product.checked_add(1 << (c - 1))
    {
        return rounded >> c;
    }
    scalar(Opcode::Mulshr, a, b, c)
}

fn each(out: &mut [i64], a: &[i64], b: &[i64], f: impl Fn(i64, i64) -> i64) {
    for (out, (&a, &b)) in out.iter_mut().zip(a.iter().zip(b)) {
        *out = f(a, b);
    }
}

fn each3(out: &mut [i64], a: &[i64], b: &[i64], c: &[i64], f: impl Fn(i64, i64, i64) -> i64) {
    for (out, (&a, (&b, &c))) in out.iter_mut().zip(a.iter().zip(b.iter().zip(c))) {
        *out = f(a, b, c);
    }
}

#[cfg(test)]
mod tests {
    use opml_vm::testing::{EDGES, Rng};

    use super::*;

    #[test]
    fn operations_are_those_of_the_machine() {
        let mut rng = Rng::new(7);
        let mut number = || if rng.below(3) == 0 { i64::from(rng.between(0, 140)) - 70 } else { rng.value() };
        for &opcode in Opcode::ALL {
            let [mut a, mut b, mut c] = [0; 3].map(|_| (0..2000).map(|_| number()).collect::<Vec<i64>>());
            for (&x, &y) in EDGES.iter().flat_map(|x| EDGES.iter().map(move |y| (x, y))) {
                a.push(x);
                b.push(y);
                c.push(x.wrapping_add(y));
            }
            let mut out = vec![0; a.len()];
            apply(opcode, &mut out, &a, &b, &c);
            for (((&out, &a), &b), &c) in out.iter().zip(&a).zip(&b).zip(&c) {
                assert_eq!(out, scalar(opcode, a, b, c), "{opcode:?} {a} {b} {c}");
            }
        }
    }
}
