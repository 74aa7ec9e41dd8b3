//! Proof files: honest, against a lying trace, forged, broken.

use opml_prover::proof::Proof;
use serde_json::{Value, json};

use super::{Folder, LENET_MODEL};

fn prove(folder: &Folder, line: &str) -> Value {
    folder.opml(&format!("prove model.opml -i picture.png {line} -o p.json --json")).json(0)
}

fn file(folder: &Folder) -> Value {
    serde_json::from_slice(&folder.read("p.json")).unwrap()
}

#[test]
fn an_honest_proof_agrees() {
    let folder = Folder::new();
    for (step, claimed) in [("0:7", "0"), ("0:53", "24"), ("1:9", "405291"), ("0:1:0", "-734535")] {
        assert_eq!(prove(&folder, &format!("--step {step}"))["claimed"], claimed);
        let verified = folder.opml("verify p.json --json").json(0);
        assert_eq!((&verified["fault"], &verified["computed"]), (&json!(false), &json!(claimed)));
        assert!(folder.opml("verify p.json").exits(0).contains("They agree"));
    }
}

#[test]
fn a_lying_trace_is_a_fault() {
    let folder = Folder::new();
    for fault in ["at:0:7", "from:0:7", "at:0:0:7"] {
        prove(&folder, &format!("--step 0:7 --fault {fault}"));
        let verified = folder.opml("verify p.json --json").json(1);
        assert_eq!(verified["fault"], true);
        assert_ne!(verified["claimed"], verified["computed"]);
        assert!(folder.opml("verify p.json").exits(1).contains("FAULT"));
    }
    // The liar's other elements are true.
    prove(&folder, "--step 0:8 --fault at:0:7");
    folder.opml("verify p.json").exits(0);
}

#[test]
fn a_proof_is_held_against_its_model() {
    let folder = Folder::new();
    folder.put("other.opml", &LENET_MODEL);
    prove(&folder, "--step 0:7");
    folder.opml("verify p.json --model model.opml").exits(0);
    let words = ["p.json: ", "is about another model than other.opml"];
    folder.refuses("verify p.json --model other.opml", &words);
    let mut proof = file(&folder);
    proof["constants"] = json!(3);
    folder.put("p.json", proof.to_string().as_bytes());
    folder.refuses("verify p.json --model model.opml", &["is about another model than model.opml"]);
    folder.refuses("verify p.json --model picture.png", &["picture.png: not an opML model file"]);
}

#[test]
fn a_slice_of_terms_is_proven_too() {
    let folder = Folder::new();
    prove(&folder, "--step 0:7 --terms 100:200");
    assert_eq!(folder.opml("verify p.json --json").json(0)["terms"], json!([100, 200]));
    // Only the slice with the wrong term differs.
    let faults = (0..8u32).filter(|part| {
        prove(&folder, &format!("--step 0:7 --terms {}:{} --fault at:0:7", part * 98, part * 98 + 98));
        folder.opml("verify p.json").code == Some(1)
    });
    assert_eq!(faults.count(), 1);
}

/// The places of all values in a proof file.
fn keys(proof: &Value) -> Vec<String> {
    let top = proof.as_object().unwrap().keys().map(|key| format!("/{key}"));
    let opening = proof["opening"].as_object().unwrap().keys().map(|key| format!("/opening/{key}"));
    let paths = ["/opening/tensor_path/0", "/opening/trace_path/0"].map(str::to_owned);
    let leaves = top.chain(opening).chain(paths);
    leaves.filter(|at| proof.pointer(at).is_some_and(|v| v.is_string() || v.is_u64())).collect()
}

/// Other values of one key: numbers one off and huge, strings with one digit changed.
fn forged(value: &Value) -> Vec<Value> {
    if let Some(number) = value.as_u64() {
        return [number + 1, number.wrapping_sub(1), u64::from(u32::MAX), u64::MAX]
            .into_iter()
            .filter(|&other| other != number)
            .map(Value::from)
            .collect();
    }
    let text = value.as_str().unwrap();
    let Some(digits) = text.strip_prefix("0x") else {
        return vec![json!("1"), json!("-1"), json!(i128::MAX.to_string())];
    };
    let change = |at: usize| {
        let mut bytes = digits.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'0' { b'f' } else { b'0' };
        json!(format!("0x{}", String::from_utf8(bytes).unwrap()))
    };
    let step = digits.len().div_ceil(97);
    let mut out: Vec<Value> = (0..digits.len()).step_by(step).map(change).collect();
    out.extend([json!(format!("{text}00")), json!(text[..text.len() - 2]), json!("0x")]);
    out
}

/// What the command makes of a proof: whether it would be taken for an honest one.
fn accepted(proof: &Value) -> bool {
    Proof::parse(proof.to_string().as_bytes()).is_ok_and(|proof| {
        proof.check_claimed().is_ok() && proof.recompute().is_ok_and(|computed| computed == proof.claimed)
    })
}

/// Whether it would be taken as evidence of a fault, which exists in no honest trace.
fn accuses(proof: &Value) -> bool {
    Proof::parse(proof.to_string().as_bytes()).is_ok_and(|proof| {
        proof.check_claimed().is_ok() && proof.recompute().is_ok_and(|computed| computed != proof.claimed)
    })
}

#[test]
fn forged_proofs_are_refused() {
    let folder = Folder::new();
    prove(&folder, "--step 0:53");
    let honest = file(&folder);
    assert!(accepted(&honest) && !accuses(&honest));
    let mut count = 0;
    for key in keys(&honest) {
        for value in forged(&honest.pointer(&key).unwrap().clone()) {
            let mut proof = honest.clone();
            *proof.pointer_mut(&key).unwrap() = value.clone();
            assert!(!accuses(&proof), "{key} = {value} accuses an honest trace");
            // Trees of three leaves and of four have one shape: a count can be off while all that is proven stays true.
            let count_only = ["/constants", "/inputs", "/instructions", "/length"].contains(&key.as_str());
            assert!(count_only || !accepted(&proof), "{key} = {value} is taken for the honest proof");
            count += 1;
        }
    }
    assert!(count > 500, "{count}");
}

#[test]
fn the_binary_refuses_forged_proofs() {
    let folder = Folder::new();
    prove(&folder, "--step 0:53");
    let honest = file(&folder);
    for (key, value, words) in [
        ("/claimed", json!("25"), "it claims 25, but the trace root commits to 24"),
        ("/claimed", json!("1e5"), "not a proof file"),
        ("/claimed", json!(24), "not a proof file"),
        ("/element", json!(54), "p.json: "),
        ("/t", json!(1), "does not open to the trace root"),
        ("/instruction", json!(1), "does not open to the trace root"),
        ("/terms", json!([0, 784]), "a slice has no opening"),
        ("/opening", json!(null), "the claimed element is not opened"),
        ("/witness", json!("0x"), "p.json: "),
        ("/version", json!(2), "its version is 2, this program reads 1"),
        ("/version", json!("1"), "not a proof file"),
        ("/length", json!(-1), "not a proof file"),
    ] {
        let mut proof = honest.clone();
        *proof.pointer_mut(key).unwrap() = value;
        folder.put("p.json", proof.to_string().as_bytes());
        folder.refuses("verify p.json", &["p.json: ", words]);
    }
    for key in ["program_root", "constants_root", "input_root", "trace_root", "witness", "encoding"] {
        let mut proof = honest.clone();
        let text = proof[key].as_str().unwrap().to_owned();
        let digit = if text.ends_with('0') { "1" } else { "0" };
        proof[key] = json!(format!("{}{digit}", &text[..text.len() - 1]));
        folder.put("p.json", proof.to_string().as_bytes());
        folder.refuses("verify p.json --json", &["p.json: "]);
    }
}

#[test]
fn files_that_are_no_proofs_are_refused() {
    let folder = Folder::new();
    prove(&folder, "--step 0:53");
    let text = folder.read("p.json");
    for length in [0, 1, 10, text.len() / 2, text.len() - 3] {
        folder.put("p.json", &text[..length]);
        folder.refuses("verify p.json", &["p.json: not a proof file: EOF while parsing"]);
    }
    let honest: Value = serde_json::from_slice(&text).unwrap();
    let mut extra = honest.clone();
    extra["note"] = json!("trust me");
    let mut missing = honest.clone();
    missing.as_object_mut().unwrap().remove("trace_root");
    let mut future = extra.clone();
    future["version"] = json!(9);
    for (proof, words) in [
        (extra, "unknown field `note`"),
        (missing, "missing field `trace_root`"),
        (future, "its version is 9"),
        (json!([1, 2, 3]), "not a proof file"),
        (json!({}), "missing field `version`"),
        (json!("proof"), "not a proof file"),
    ] {
        folder.put("p.json", proof.to_string().as_bytes());
        folder.refuses("verify p.json", &["p.json: not a proof file: ", words]);
    }
    folder.put("p.json", &[&text[..], b"{}"].concat());
    folder.refuses("verify p.json", &["trailing characters"]);
    folder.put("p.json", &"[".repeat(100_000).into_bytes());
    folder.refuses("verify p.json", &["not a proof file"]);
    folder.put("p.json", &[0xff; 100]);
    folder.refuses("verify p.json", &["not a proof file"]);
}
