//! Many claims at once: each of a task of its own, with inputs of its own.

use alloy_primitives::{Address, B256, Bytes, U256, hex};
use alloy_sol_types::SolCall as _;
use opml_contracts::{abi::Dispute, dispute};
use opml_ops::{commit::Hasher, engine::Engine};
use opml_prover::{agent::root_of, chain::input_headers, files};
use opml_vm::{Program, Tensor, interpreter::Stop};
use serde_json::{Value, json};

use super::{anvil::Anvil, player::opml};
use crate::cli::Folder;

/// Claims of a block.
const BLOCK: u64 = 100;

/// Pictures that nobody drew.
fn inputs(program: &Program, number: u64) -> Vec<Tensor> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 57).to_le_bytes()[0]
    };
    let tensor = |header: &opml_vm::InputHeader| {
        let size = header.elements * header.dtype.bits() / 8;
        Tensor::new(header.dtype, header.elements, (0..size).map(|_| byte()).collect()).unwrap()
    };
    program.inputs().iter().map(tensor).collect()
}

/// Deploys, registers the model, and makes `count` claims, every `wrong`-th of them wrong; gives the names of the wrong ones.
pub(super) fn claims(
    anvil: &Anvil,
    folder: &Folder,
    (account, key): (&str, &str),
    count: u64,
    wrong: u64,
) -> Vec<B256> {
    let deployed =
        opml(folder.path(), &anvil.endpoint(), key, "deploy --tier hour --claim-bond 0.001 --challenge-bond 0.0001");
    opml(folder.path(), &anvil.endpoint(), key, "register model.opml");
    let contract: Address = deployed["dispute"].as_str().unwrap().parse().unwrap();
    let program = files::read_model(&folder.path().join("model.opml")).unwrap();
    let engine = Engine::compile(&program);
    let submitter: Address = account.parse().unwrap();
    let bond = U256::from(1_000_000_000_000_000_u64);
    // Anvil need not sign.
    anvil.ask("anvil_impersonateAccount", json!([account]));
    let mut names = Vec::new();
    for number in 0..count {
        // It looks through all that wait for a block at each transaction.
        if number % BLOCK == BLOCK - 1 {
            anvil.ask("evm_mine", json!([]));
        }
        let inputs = inputs(&program, number);
        let open = Dispute::openTaskCall {
            modelRoot: root_of(&program),
            maxT: 1,
            tier: 0,
            inputHeaders: input_headers(&program),
            inputs: inputs.iter().map(|input| Bytes::copy_from_slice(input.bytes())).collect(),
        };
        let task = dispute::task_id(&Dispute::Task {
            modelRoot: root_of(&program),
            inputRoot: Hasher::current().input_root(&inputs).into(),
            maxT: 1,
            tier: 0,
            requester: Address::ZERO,
        });
        let mut output = engine.run_output(&inputs, Stop::Halt { max: 1 }, 1 << 30).unwrap().tensor.into_bytes();
        let lies = wrong > 0 && number % wrong == 0;
        if lies {
            output[0] ^= 1;
        }
        let output_hash = alloy_primitives::keccak256(&output);
        let claim = Dispute::claimCall { taskId: task, T: 1, nonce: 0, output: output.into() };
        for (data, value) in [(open.abi_encode(), U256::ZERO), (claim.abi_encode(), bond)] {
            let request = json!({ "from": account, "to": contract.to_string(), "gas": "0x2dc6c0", "value": format!("{value:#x}"), "data": hex::encode_prefixed(data) });
            let sent: Value = anvil.ask("eth_sendTransaction", json!([request]));
            assert!(sent.is_string(), "{sent}");
        }
        if lies {
            let claim = Dispute::Claim { taskId: task, T: 1, outputHash: output_hash, submitter, nonce: 0 };
            names.push(dispute::claim_id(31_337, contract, &claim));
        }
    }
    wait(anvil, account);
    names
}

/// Until all transactions of an account are in blocks.
fn wait(anvil: &Anvil, account: &str) {
    for _ in 0..600 {
        let count = |tag: &str| anvil.ask("eth_getTransactionCount", json!([account, tag]));
        if count("latest") == count("pending") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    panic!("the claims are in no block");
}
