//! Instructions as text, for people and for snapshots.

use alloc::{format, string::String, vec::Vec};

use crate::{
    instruction::{Axis, Extent, Instruction, Load, Op, Source, Term},
    isa::{SLOT_ACC, SLOT_CONST, SLOT_K, SLOT_O},
    program::Program,
};

/// The whole program: inputs, constants, then every instruction.
pub fn program(program: &Program) -> String {
    let mut out = String::new();
    for (number, input) in program.inputs().iter().enumerate() {
        out.push_str(&format!("input {number}: {}[{}]\n", input.dtype.name(), input.elements));
    }
    for (number, constant) in program.constants().iter().enumerate() {
        out.push_str(&format!("const {number}: {}[{}]\n", constant.dtype().name(), constant.elements()));
    }
    for (number, i) in program.instructions().iter().enumerate() {
        out.push_str(&format!("%{number} = {}", instruction(i)));
    }
    out.push_str(&format!("output %{}\n", program.output()));
    if let Some(halt) = program.halt() {
        out.push_str(&format!("halt %{halt}\n"));
    }
    out
}

/// One instruction: a head line, then a line an operation.
pub fn instruction(i: &Instruction) -> String {
    let extents = |list: &[Extent]| {
        let words: Vec<String> = list.iter().map(|&e| extent(e)).collect();
        words.join(", ")
    };
    let mut out =
        format!("{}[{}] {} over [{}]\n", i.dtype.name(), extents(&i.output), i.reducer.name(), extents(&i.reduction));
    for (number, d) in i.dynamics.iter().enumerate() {
        out.push_str(&format!("    d{number} = clamp({} + {}·t, 0, {})\n", d.a, d.b, d.cap));
    }
    for (name, ops) in [("map", &i.map), ("post", &i.post)] {
        for (number, op) in ops.iter().enumerate() {
            let slot = usize::from(SLOT_CONST).saturating_add(i.constants.len()).saturating_add(number);
            out.push_str(&format!("    {name} s{slot} = {}\n", operation(i, op)));
        }
    }
    out
}

fn extent(e: Extent) -> String {
    match e {
        Extent::Fixed(n) => format!("{n}"),
        Extent::Dynamic(d) => format!("d{d}"),
    }
}

fn slot(i: &Instruction, s: u8) -> String {
    match s {
        0 => String::from("t"),
        SLOT_O..SLOT_K => format!("o{}", s.saturating_sub(SLOT_O)),
        SLOT_K..SLOT_ACC => format!("k{}", s.saturating_sub(SLOT_K)),
        SLOT_ACC => String::from("acc"),
        _ => match i.constants.get(usize::from(s.saturating_sub(SLOT_CONST))) {
            Some(constant) => format!("{constant}"),
            None => format!("s{s}"),
        },
    }
}

fn operation(i: &Instruction, op: &Op) -> String {
    match op {
        Op::Scalar { opcode, operands } => {
            let words: Vec<String> = operands.iter().take(opcode.arity()).map(|&s| slot(i, s)).collect();
            format!("{} {}", opcode.name(), words.join(" "))
        }
        Op::Load(load) => load_text(i, load),
    }
}

fn load_text(i: &Instruction, load: &Load) -> String {
    let source = match &load.source {
        Source::Constant(n) => format!("const {n}"),
        Source::Input(n) => format!("input {n}"),
        Source::Value(n) => format!("%{n}"),
        Source::History { instruction, base, terms } => format!("%{instruction}@({})", affine(i, *base, terms)),
    };
    let axes: Vec<String> = load
        .axes
        .iter()
        .map(|Axis { extent: e, base, terms }| format!("{} of {}", affine(i, *base, terms), extent(*e)))
        .collect();
    format!("load {source}[{}] pad {}", axes.join(", "), load.pad)
}

fn affine(i: &Instruction, base: i64, terms: &[Term]) -> String {
    let mut words: Vec<String> = terms
        .iter()
        .map(|term| match term.coef {
            1 => slot(i, term.slot),
            coef => format!("{coef}·{}", slot(i, term.slot)),
        })
        .collect();
    if base != 0 || words.is_empty() {
        words.push(format!("{base}"));
    }
    words.join(" + ")
}
