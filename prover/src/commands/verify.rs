//! `opml verify`.

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::{arguments, chain::StepChain, output::Output, proof::Proof};

use super::{AGREE, FAULT};

/// What two verifiers make of a proof.
#[derive(Debug, Serialize)]
struct Verified {
    t: u64,
    instruction: u32,
    element: u64,
    claimed: String,
    computed: String,
    fault: bool,
    /// Gas of a transaction that asks the contract the same question.
    gas: u64,
}

impl Verified {
    fn text(&self) -> String {
        let verdict = if self.fault { "FAULT: the trace contradicts its program" } else { "agrees" };
        format!(
            "iteration {}, instruction {}, element {}: claimed {}, computed {} ({} gas on chain)\n{verdict}",
            self.t, self.instruction, self.element, self.claimed, self.computed, self.gas
        )
    }
}

pub(super) fn run(arguments: &arguments::Verify, output: Output) -> Result<u8> {
    let proof = Proof::read(&arguments.proof)?;
    let place = || arguments.proof.display().to_string();
    let computed = proof.recompute().with_context(place)?;
    let (on_chain, gas) = StepChain::new()?.ask(&proof).with_context(place)?;
    ensure!(on_chain == computed, "the contract computes {on_chain}, the Rust verifier {computed}: report this");
    let fault = computed != proof.claimed;
    let verified = Verified {
        t: proof.t,
        instruction: proof.instruction,
        element: proof.element,
        claimed: proof.claimed.to_string(),
        computed: computed.to_string(),
        fault,
        gas,
    };
    output.result(&verified, Verified::text)?;
    Ok(if fault { FAULT } else { AGREE })
}
