//! Sums of products of adjacent bytes, which the contract computes in lanes: every length about a word, and the extreme values.

use opml_vm::{
    DType, InputHeader, Opcode, Program, Reducer, Source, Tensor,
    testing::{Build, Rng, fixed},
    witness::Question,
};

use crate::support::{Chain, Ran};

/// Slot of the reduction coordinate.
const K: u8 = 9;
const TERMS: u32 = 1100;

/// Σ a[k]·b[k] of two inputs.
fn product(a: Tensor, b: Tensor) -> Ran {
    let sum = Build::new(DType::I64, Reducer::Sum, &[], &[TERMS])
        .load(Source::Input(0), 0, &[fixed(TERMS, 0, &[(K, 1)])])
        .load(Source::Input(1), 0, &[fixed(TERMS, 0, &[(K, 1)])])
        .op(Opcode::Mul, [18, 19, 0])
        .done();
    let inputs = vec![a, b];
    let headers = inputs.iter().map(|input| InputHeader { dtype: input.dtype(), elements: input.elements() }).collect();
    Ran::new(Program::new(vec![sum], vec![], headers, 0, None).unwrap(), inputs, 1)
}

/// Bytes of one kind: the least value, the greatest, or both and all between at random.
fn bytes(rng: &mut Rng, dtype: DType, kind: u32) -> Tensor {
    let (least, most) = if dtype == DType::U8 { (0, 255) } else { (-128, 127) };
    let mut value = || match (kind, rng.below(4)) {
        (0, _) | (2, 0) => least,
        (1, _) | (2, 1) => most,
        _ => least + i64::try_from(rng.below(256)).unwrap(),
    };
    let values: Vec<i64> = (0..TERMS).map(|_| value()).collect();
    Tensor::from_values(dtype, &values).unwrap()
}

#[test]
fn products_of_bytes_are_exact() {
    let mut rng = Rng::new(1);
    let mut chain = Chain::new();
    for (a, b) in [(DType::U8, DType::U8), (DType::U8, DType::I8), (DType::I8, DType::U8), (DType::I8, DType::I8)] {
        for kinds in 0..9 {
            let ran = product(bytes(&mut rng, a, kinds / 3), bytes(&mut rng, b, kinds % 3));
            let openings = ran.openings();
            let mut check = |k0, k1| ran.check(&mut chain, &openings, 0, 0, Question::Slice { e: 0, k0, k1 });
            check(0, TERMS.into());
            for length in 1..=66 {
                let k0 = rng.below(u64::from(TERMS) - length + 1);
                check(k0, k0 + length);
            }
        }
    }
}
