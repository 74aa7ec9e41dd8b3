//! What typical steps cost: exact gas, so that a change of it is seen.

use opml_vm::witness::Question;

use crate::{
    programs,
    support::{Chain, Ran},
};

/// Calldata bytes, gas of execution, gas of the transaction.
type Cost = (usize, u64, u64);

fn cost(ran: &Ran, t: u64, i: u32, question: Question) -> Cost {
    let mut chain = Chain::new();
    let receipt = ran.check(&mut chain, &ran.openings(), t, i, question);
    (receipt.calldata_bytes, receipt.exec_gas, receipt.gas_used)
}

const EXPECTED: [(&str, Cost); 16] = [
    ("dense, 1 of 784 terms", (1828, 19932, 75040)),
    ("dense, 49 of 784 terms", (1828, 23210, 75040)),
    ("dense, 49 terms in two leaves", (2052, 24719, 84030)),
    ("dense, 784 terms and post", (3908, 60800, 149120)),
    ("dense, post", (1476, 18263, 60030)),
    ("second layer, 56 terms and post", (1700, 29332, 65736)),
    ("block scales, 64 terms", (1988, 76527, 117011)),
    ("convolution, 64 terms", (1700, 27041, 70190)),
    ("convolution, all 576 terms", (3012, 137534, 199550)),
    ("i4 weights, 64 terms", (1188, 27588, 59604)),
    ("argmax of 64", (772, 28339, 56975)),
    ("32 interpolated exponentials", (1860, 148512, 188232)),
    ("attention, 1 iteration", (1412, 17306, 49570)),
    ("attention, 16 iterations", (5892, 94193, 160793)),
    ("gather", (1220, 14707, 47960)),
    ("elementwise, 5 loads", (2020, 36571, 83560)),
];

const fn slice(e: u64, k0: u64, k1: u64) -> Question {
    Question::Slice { e, k0, k1 }
}

#[test]
fn gas_of_typical_steps() {
    let element = |e| Question::Element { e };
    let dense = programs::dense();
    let measured = [
        ("dense, 1 of 784 terms", cost(&dense, 0, 0, slice(20, 300, 301))),
        ("dense, 49 of 784 terms", cost(&dense, 0, 0, slice(20, 294, 343))),
        ("dense, 49 terms in two leaves", cost(&dense, 0, 0, slice(20, 441, 490))),
        ("dense, 784 terms and post", cost(&dense, 0, 0, element(20))),
        ("dense, post", cost(&dense, 0, 0, Question::Post { e: 20, acc: 12_345_678 })),
        ("second layer, 56 terms and post", cost(&programs::second(), 0, 1, element(7))),
        ("block scales, 64 terms", cost(&programs::blocks(), 0, 0, slice(5, 64, 128))),
        ("convolution, 64 terms", cost(&programs::convolution(), 0, 0, slice(700, 128, 192))),
        ("convolution, all 576 terms", cost(&programs::convolution(), 0, 0, element(700))),
        ("i4 weights, 64 terms", cost(&programs::nibbles(), 0, 0, element(5))),
        ("argmax of 64", cost(&programs::greatest(), 0, 0, element(0))),
        ("32 interpolated exponentials", cost(&programs::exponentials(), 0, 1, element(0))),
        ("attention, 1 iteration", cost(&programs::attention(), 15, 1, slice(9, 4, 5))),
        ("attention, 16 iterations", cost(&programs::attention(), 15, 1, element(9))),
        ("gather", cost(&programs::gather(), 0, 0, element(3))),
        ("elementwise, 5 loads", cost(&programs::elementwise(), 0, 0, element(77))),
    ];
    let lines: Vec<String> = measured.iter().map(|line| format!("        {line:?},\n")).collect();
    assert_eq!(measured, EXPECTED, "now:\n{}", lines.concat());
}
