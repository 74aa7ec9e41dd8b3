//! The help, and that what it shows works.

use super::{Folder, MLP_MODEL, fixture, root};

const COMMANDS: [&str; 18] = [
    "demo", "import", "generate", "chat", "trial", "inspect", "run", "commit", "prove", "verify", "dispute", "story",
    "imo", "ask", "mint", "revenue", "eval", "figures",
];
/// Their examples are run where there is a chain, see `strangers`.
pub(crate) const ON_A_CHAIN: [&str; 10] =
    ["deploy", "register", "request", "submit", "batch", "attention", "watch", "defend", "status", "withdraw"];
/// Those of them that have steps.
const STEPS_ON_A_CHAIN: [(&str, &[&str]); 2] = [
    ("batch", &["deploy", "submit", "finalise", "prove", "challenge"]),
    ("attention", &["deploy", "join", "retire", "reclaim", "ask", "show"]),
];

/// Commands with steps on a chain.
pub(crate) const WITH_STEPS: [(&str, &[&str]); 4] = [
    ("imo", &["deploy", "launch", "buy", "close", "refund", "proceeds", "vest", "show"]),
    ("ask", &["list", "request", "answer", "deliver", "refund", "withdraw", "show"]),
    ("mint", &["request", "verify", "show"]),
    ("revenue", &["deposit", "snapshot", "claim", "redeem", "show"]),
];

#[test]
fn help_of_every_command() {
    let folder = Folder::new();
    insta::assert_snapshot!("help", folder.opml("--help").exits(0));
    insta::assert_snapshot!("help-short", folder.opml("-h").exits(0));
    for command in COMMANDS.into_iter().chain(ON_A_CHAIN) {
        let help = folder.opml(&format!("{command} --help")).exits(0);
        assert_eq!(folder.opml(&format!("help {command}")).exits(0), help);
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
        insta::assert_snapshot!(format!("help-{command}"), help);
    }
    for (command, steps) in WITH_STEPS.into_iter().chain(STEPS_ON_A_CHAIN) {
        let help: Vec<String> =
            steps.iter().map(|step| folder.opml(&format!("{command} {step} --help")).exits(0)).collect();
        insta::assert_snapshot!(format!("help-{command}-steps"), help.join("\n────\n"));
    }
    assert_eq!(folder.opml("--version").exits(0), format!("opml {}\n", env!("CARGO_PKG_VERSION")));
}

/// Everything that examples name.
pub(crate) fn prepared() -> Folder {
    let folder = Folder::new();
    folder.put("model.onnx", &fixture("models/mlp-fashion.onnx"));
    folder.put("quantised.onnx", &fixture("models/mlp-fashion-qdq.onnx"));
    folder.put("samples.npy", &fixture("samples/fashion_images.npy"));
    folder.put("images.npy", &fixture("samples/fashion_images.npy"));
    folder.put("labels.npy", &fixture("samples/fashion_labels.npy"));
    folder.opml("prove model.opml -i picture.png --step 0:7 -o step.json").exits(0);
    folder
}

/// Whether a line is one step of the economy on a chain.
pub(crate) fn is_step(line: &str) -> bool {
    let mut words = line.split_whitespace().skip(1);
    let (command, next) = (words.next(), words.next());
    let steps = WITH_STEPS.iter().find(|(name, _)| command == Some(*name)).map(|(_, steps)| *steps);
    steps.zip(next).is_some_and(|(steps, next)| steps.contains(&next))
}

/// Runs the lines of a text that are command lines; gives their number.
fn run_all(folder: &Folder, text: &str) -> usize {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or(line).trim());
    let lines: Vec<&str> = lines.filter(|line| line.starts_with("opml ")).collect();
    for line in &lines {
        // The complete test sets, language models and a chain are not part of the repository; see `strangers` and `fixtures/real`.
        if line.contains("--fixtures")
            || line.starts_with("opml generate ")
            || line.starts_with("opml trial ")
            || line.starts_with("opml watch ")
            || line.contains("$ENDPOINT")
            || is_step(line)
        {
            continue;
        }
        let ran = folder.opml(line.strip_prefix("opml ").unwrap());
        assert!(!ran.stdout.is_empty(), "{ran:?}");
        ran.exits(0);
    }
    lines.len()
}

#[test]
fn examples_in_the_help_work() {
    for command in COMMANDS {
        let folder = prepared();
        let help = folder.opml(&format!("{command} --help")).exits(0);
        let (_, examples) = help.split_once("Examples:\n").unwrap_or_else(|| panic!("{command} has no examples"));
        // A language model is no part of the repository.
        if !matches!(command, "generate" | "chat") {
            assert!(run_all(&folder, examples) >= 2, "{command}");
        }
    }
}

#[test]
fn examples_in_the_readme_work() {
    let folder = prepared();
    std::fs::remove_file(folder.path().join("model.opml")).unwrap();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(run_all(&folder, &readme) >= 7);
    assert_ne!(folder.read("model.opml").len(), 0);
    assert!(!MLP_MODEL.is_empty());
}
