//! Files that follow from the table of the instruction set in `opml_vm::isa` and from the contracts' ABI.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context, Result, bail};
use opml_vm::isa::{self, DType, Opcode, Reducer};

use crate::signatures;

const SPEC: &str = "docs/SPEC.md";
const SOLIDITY: &str = "contracts/solidity/step/Isa.sol";

/// Writes the generated files, or with `check` compares them.
pub(crate) fn run(root: &Path, check: bool) -> Result<()> {
    let spec = fs::read_to_string(root.join(SPEC)).with_context(|| SPEC.to_owned())?;
    let spec = between(&spec, "opcodes", &opcode_table()?)?;
    let spec = between(&spec, "signatures", &signatures::list(root)?)?;
    let files = [(SPEC, spec), (SOLIDITY, solidity()?)];
    let mut stale = Vec::new();
    for (name, content) in files {
        let path = root.join(name);
        if fs::read_to_string(&path).is_ok_and(|old| old == content) {
            continue;
        }
        if check {
            stale.push(name);
        } else {
            fs::write(&path, content).with_context(|| name.to_owned())?;
            println!("wrote {name}");
        }
    }
    if !stale.is_empty() {
        bail!("not fresh: {}; run `cargo xtask generate`", stale.join(", "));
    }
    Ok(())
}

/// Replaces what stands between the markers of a generated block.
fn between(text: &str, block: &str, content: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- generated:{block}:begin -->\n"), format!("<!-- generated:{block}:end -->"));
    let (head, rest) = text.split_once(&begin).with_context(|| format!("{begin} is missing"))?;
    let (_, tail) = rest.split_once(&end).with_context(|| format!("{end} is missing"))?;
    Ok(format!("{head}{begin}{content}{end}{tail}"))
}

fn opcode_table() -> Result<String> {
    let mut table = String::from("| opcode | name | operands | result |\n|---|---|---|---|\n");
    for opcode in Opcode::ALL {
        let operands = match opcode.arity() {
            0 => "—",
            1 => "a",
            2 => "a b",
            _ => "a b c",
        };
        writeln!(table, "| {} | {} | {operands} | {} |", opcode.code(), opcode.name(), opcode.formula())?;
    }
    Ok(table)
}

fn solidity() -> Result<String> {
    let mut out = String::from(
        "// SPDX-License-Identifier: MIT OR Apache-2.0\npragma solidity 0.8.37;\n\n\
         // The instruction set as numbers, generated from the table of the `vm` crate by `cargo xtask generate`; \
         see docs/SPEC.md for the meaning.\n\n",
    );
    let limits: [(&str, u64); 11] = [
        ("MAX_ENCODED", u64::try_from(isa::MAX_ENCODED)?),
        ("MAX_RANK", u64::try_from(isa::MAX_RANK)?),
        ("MAX_CONSTANTS", u64::try_from(isa::MAX_CONSTANTS)?),
        ("MAX_OPS", u64::try_from(isa::MAX_OPS)?),
        ("MAX_LOADS", u64::try_from(isa::MAX_LOADS)?),
        ("MAX_DYNAMICS", u64::try_from(isa::MAX_DYNAMICS)?),
        ("MAX_TERMS", u64::try_from(isa::MAX_TERMS)?),
        ("MAX_ELEMENTS", isa::MAX_ELEMENTS),
        ("ARGMAX_TERMS", isa::ARGMAX_TERMS),
        ("EXTENT_LIMIT", u64::from(isa::EXTENT_LIMIT)),
        ("MAX_SHIFT", u64::try_from(isa::MAX_SHIFT)?),
    ];
    constants(&mut out, "", limits)?;
    let slots = [
        ("T", isa::SLOT_T),
        ("O", isa::SLOT_O),
        ("K", isa::SLOT_K),
        ("ACC", isa::SLOT_ACC),
        ("CONST", isa::SLOT_CONST),
    ];
    constants(&mut out, "SLOT_", slots.map(|(name, slot)| (name, u64::from(slot))))?;
    constants(&mut out, "DTYPE_", DType::ALL.iter().map(|d| (d.name(), u64::from(d.code()))))?;
    constants(&mut out, "REDUCER_", Reducer::ALL.iter().map(|r| (r.name(), u64::from(r.code()))))?;
    constants(&mut out, "OP_", Opcode::ALL.iter().map(|o| (o.name(), u64::from(o.code()))))?;

    let mut arities: u64 = 0;
    for opcode in Opcode::ALL {
        arities |= u64::try_from(opcode.arity())? << (2 * u32::from(opcode.code()));
    }
    let mut bits: u64 = 0;
    for dtype in DType::ALL {
        bits |= dtype.bits() << (8 * u32::from(dtype.code()));
    }
    writeln!(out, "// Two bits for each operation: how many operands it reads.")?;
    writeln!(out, "uint256 constant OP_ARITIES = 0x{};", even_hex(arities))?;
    writeln!(out, "// A byte for each dtype: its bits.")?;
    writeln!(out, "uint256 constant DTYPE_BITS = 0x{};", even_hex(bits))?;
    Ok(out)
}

fn constants<'n>(out: &mut String, prefix: &str, list: impl IntoIterator<Item = (&'n str, u64)>) -> Result<()> {
    for (name, value) in list {
        writeln!(out, "uint256 constant {prefix}{} = {value};", name.to_uppercase())?;
    }
    out.push('\n');
    Ok(())
}

/// Solidity wants an even number of hex digits.
fn even_hex(value: u64) -> String {
    let digits = format!("{value:x}");
    if digits.len().is_multiple_of(2) { digits } else { format!("0{digits}") }
}
