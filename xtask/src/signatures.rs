//! The contracts' functions and events as the specification lists them, from the committed artifacts.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use anyhow::{Context, Result};
use opml_vm::merkle;
use serde_json::Value;

const CONTRACTS: [&str; 4] = ["Dispute", "BatchDispute", "Attention", "StepVerifier"];

/// A block of text for each contract; what one above it has too is left out.
pub(crate) fn list(root: &Path) -> Result<String> {
    let mut out = String::new();
    let mut seen = BTreeSet::new();
    for name in CONTRACTS {
        let path = format!("contracts/artifacts/{name}.json");
        let text = fs::read_to_string(root.join(&path)).with_context(|| path.clone())?;
        let artifact: Value = serde_json::from_str(&text).with_context(|| path.clone())?;
        let items = artifact.get("abi").and_then(Value::as_array).with_context(|| path.clone())?;
        writeln!(out, "{name}:\n")?;
        for kind in ["function", "event"] {
            for item in items.iter().filter(|item| text_of(item, "type") == kind) {
                let line = line(item, kind)?;
                if seen.insert(line.clone()) {
                    writeln!(out, "    {line}")?;
                }
            }
        }
        out.push('\n');
    }
    Ok(out)
}

/// Selector or topic, and the signature.
fn line(item: &Value, kind: &str) -> Result<String> {
    let signature = format!("{}{}", text_of(item, "name"), tuple(item, "inputs")?);
    let hash = merkle::keccak(&[signature.as_bytes()]);
    let shown = if kind == "function" { hash.get(..4) } else { hash.get(..) };
    let digits: String = shown.context("a hash has 32 bytes")?.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(match kind {
        "function" => format!("{digits}  {signature}{}", returned(item)?),
        _ => format!("{signature}\n        topic {digits}"),
    })
}

fn returned(item: &Value) -> Result<String> {
    let outputs = tuple(item, "outputs")?;
    Ok(if outputs == "()" { String::new() } else { format!(" → {outputs}") })
}

fn tuple(item: &Value, key: &str) -> Result<String> {
    let parts = item.get(key).and_then(Value::as_array).context("a list of parameters is missing")?;
    let types = parts.iter().map(canonical).collect::<Result<Vec<_>>>()?;
    Ok(format!("({})", types.join(",")))
}

/// The type as it stands in a signature.
fn canonical(parameter: &Value) -> Result<String> {
    let name = text_of(parameter, "type");
    match name.strip_prefix("tuple") {
        Some(array) => Ok(format!("{}{array}", tuple(parameter, "components")?)),
        None => Ok(name.to_owned()),
    }
}

fn text_of<'v>(item: &'v Value, key: &str) -> &'v str {
    item.get(key).and_then(Value::as_str).unwrap_or("")
}
