//! The examples in the help of the commands on a chain.

use super::{
    anvil::{ACCOUNTS, Anvil},
    player::{opml, run},
};
use crate::cli::help::{ON_A_CHAIN, WITH_STEPS, is_step, prepared};

#[test]
#[ignore = "needs anvil: npm ci in prover/tests/anvil"]
fn examples_of_the_commands_on_a_chain_work() {
    let anvil = Anvil::start();
    let folder = prepared();
    std::fs::create_dir(folder.path().join("models")).unwrap();
    std::fs::copy(folder.path().join("model.opml"), folder.path().join("models/model.opml")).unwrap();
    let (endpoint, key) = (anvil.endpoint(), ACCOUNTS[0].1);
    let mut task = String::new();
    for command in ON_A_CHAIN {
        let help = folder.opml(&format!("{command} --help")).exits(0);
        let (_, examples) = help.split_once("Examples:\n").unwrap();
        let lines = examples.lines().map(str::trim).filter_map(|line| line.strip_prefix("opml "));
        for line in lines {
            // What runs until it is stopped is asked to look once; keys of this chain are in the environment.
            let line = line.replace("$TASK", &task).replace(" --keystore key.json", "");
            let line = line.replace("http://127.0.0.1:8545", &endpoint);
            if ["watch", "defend"].contains(&command) {
                // An agent prints no result.
                run(folder.path(), &endpoint, key, &format!("{} --once", line.trim_end_matches(" --once")));
                continue;
            }
            let printed = opml(folder.path(), &endpoint, key, line.trim_end_matches(" --json"));
            if command == "request" && task.is_empty() {
                task = printed["task"].as_str().unwrap().to_owned();
            }
        }
    }
    assert!(!task.is_empty());
    let (mut offering, mut request, mut ran) = (String::new(), String::new(), 0);
    for (command, _) in WITH_STEPS {
        let help = folder.opml(&format!("{command} --help")).exits(0);
        for line in help.lines().map(str::trim).filter(|line| is_step(line)) {
            let line = line.replace("$OFFERING", &offering).replace("$REQUEST", &request);
            let line = line.trim_start_matches("opml ").trim_end_matches(" --json");
            let printed = opml(folder.path(), &endpoint, key, line);
            match line.split_whitespace().take(2).collect::<Vec<_>>()[..] {
                ["imo", "launch"] => offering = printed["offering"].as_str().unwrap().to_owned(),
                ["ask", "request"] => request = printed["request"].as_str().unwrap().to_owned(),
                _ => {}
            }
            ran += 1;
        }
    }
    assert_eq!(ran, 13);
}
