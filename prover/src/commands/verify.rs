//! `opml verify`.

use anyhow::{Context, Error, Result, ensure};
use serde::Serialize;

use crate::{arguments, chain::StepChain, files, output::Output, proof::Proof, units};

use super::{AGREE, FAULT};

/// What two verifiers make of a proof.
#[derive(Debug, Serialize)]
struct Verified {
    t: u64,
    instruction: u32,
    element: u64,
    terms: Option<(u64, u64)>,
    claimed: String,
    computed: String,
    fault: bool,
    /// Gas of a transaction that asks the contract the same question.
    gas: u64,
}

impl Verified {
    fn text(&self) -> String {
        let (whose, who) = match self.terms {
            None => (String::new(), "the trace says"),
            Some((k0, k1)) => (format!(", terms {k0} to {}", k1 - 1), "the prover says"),
        };
        format!(
            "iteration {}, instruction {}, element {}{whose}: {who} {}, the instruction computes {}\n\
             {}; the contract says the same for {} gas",
            self.t,
            self.instruction,
            self.element,
            self.claimed,
            self.computed,
            if self.fault { "FAULT" } else { "They agree" },
            units::grouped(self.gas)
        )
    }
}

pub(super) fn run(arguments: &arguments::Verify, output: Output) -> Result<u8> {
    let proof = Proof::read(&arguments.proof)?;
    let place = || arguments.proof.display().to_string();
    if let Some(path) = &arguments.model {
        let model = files::read_model(path)?;
        ensure!(proof.is_about(&model), "{}: is about another model than {}", place(), path.display());
    }
    proof.check_claimed().map_err(Error::msg).with_context(place)?;
    let computed = proof.recompute().with_context(place)?;
    let (on_chain, gas) = StepChain::new()?.ask(&proof).with_context(place)?;
    ensure!(
        on_chain == computed,
        "{}: the contract computes {on_chain}, the Rust verifier {computed}; please report this",
        place()
    );
    let fault = computed != proof.claimed;
    let verified = Verified {
        t: proof.t,
        instruction: proof.instruction,
        element: proof.element,
        terms: proof.terms,
        claimed: proof.claimed.to_string(),
        computed: computed.to_string(),
        fault,
        gas,
    };
    output.result(&verified, Verified::text)?;
    Ok(if fault { FAULT } else { AGREE })
}
