//! The text form, by snapshot.

use opml_vm::{
    DType, InputHeader, Opcode, Program, Reducer, Source, Tensor, Term, disasm,
    testing::{Build, fixed, moving},
};

#[test]
fn every_form_of_the_text() {
    let scores = Build::new(DType::I32, Reducer::Sum, &[4], &[8])
        .dynamic(1, 1, 16)
        .output(0)
        .constants(&[-3, 7])
        .load(Source::Constant(0), 0, &[fixed(4, 0, &[(1, 1)]), fixed(8, 0, &[(9, 1)])])
        .load(Source::Input(0), -1, &[moving(0, 2, &[(0, 1), (2, -3)])])
        .op(Opcode::Mul, [20, 21, 0])
        .op(Opcode::Clamp, [22, 18, 19])
        .post(Opcode::Rshr, [17, 19, 0])
        .post_load(Source::Value(0), 5, &[]);
    let history = Source::History { instruction: 0, base: -1, terms: vec![Term { slot: 0, coef: 1 }] };
    let best = Build::new(DType::I64, Reducer::Argmax, &[], &[4])
        .load(history, i64::MIN, &[fixed(4, 0, &[(9, 1)])])
        .op(Opcode::Select, [18, 9, 0]);
    let program = Program::new(
        vec![scores.done(), best.done()],
        vec![Tensor::saturating(DType::I4, &[1; 32])],
        vec![InputHeader { dtype: DType::U8, elements: 16 }],
        1,
        Some(0),
    );
    insta::assert_snapshot!(disasm::program(&program.expect("well-formed")));
}
