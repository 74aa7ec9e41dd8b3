//! Facts about the repository that are easy to break: the README's length, links that lead nowhere, files that must exist.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

const README_LINES: usize = 150;
const DOCUMENTS: [&str; 13] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/SPEC.md",
    "docs/adding-an-operator.md",
    "docs/agents.md",
    "docs/llm.md",
    "docs/oracle.md",
    "docs/protocol.md",
    "docs/threat-model.md",
    "docs/tokens.md",
    "benches/README.md",
    "fixtures/README.md",
];

/// Runs all checks; the error lists every fault.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut faults = Vec::new();
    for name in DOCUMENTS {
        let text = fs::read_to_string(root.join(name)).with_context(|| name.to_owned())?;
        if name == "README.md" && text.lines().count() > README_LINES {
            faults.push(format!("{name} has more than {README_LINES} lines"));
        }
        let folder = Path::new(name).parent().unwrap_or(Path::new(""));
        for link in links(&text) {
            if !root.join(folder).join(link).exists() {
                faults.push(format!("{name} links to {link}, which does not exist"));
            }
        }
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    println!("{} documents checked", DOCUMENTS.len());
    Ok(())
}

/// Targets of the links to files, without anchors.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let (target, _) = rest.split_once(')')?;
        let file = target.split('#').next()?;
        (!file.is_empty() && !file.contains("://")).then_some(file)
    })
}
