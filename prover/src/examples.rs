//! Examples for the long help of each command. The tests run every line of those that need no language
//! model, on a chain those that need one; `fixtures/real/language.py` tries the language models.

/// See [`crate::arguments::Command::Demo`].
pub const DEMO: &str = "\
Examples:
  opml demo
  opml demo --arity 64 --seed 7";

/// See [`crate::arguments::Command::Import`].
pub const IMPORT: &str = "\
Examples:
  opml import model.onnx -o model.opml --calibration samples.npy
  opml import quantised.onnx -o quantised.opml --json
  opml import model.onnx --check --shape input=1x784";

/// See [`crate::arguments::Command::Generate`].
pub const GENERATE: &str = "\
Examples:
  opml generate smollm2.opml --tokenizer smollm2.gguf -p 'The capital of France is' -n 24
  opml generate smollm2.opml --tokenizer smollm2.gguf -p 'Once' --temperature 0.8 --seed 7 --json";

/// See [`crate::arguments::Command::Chat`].
pub const CHAT: &str = "\
Examples:
  opml chat smollm2.opml --tokenizer smollm2.gguf
  opml chat smollm2.opml --tokenizer smollm2.gguf --system 'Answer in one sentence.'";

/// See [`crate::arguments::Command::Trial`].
pub const TRIAL: &str = "\
Examples:
  opml trial smollm2.opml --tokenizer smollm2.gguf -p 'The capital of France is' -n 64
  opml trial smollm2.opml --tokenizer smollm2.gguf -p 'Once' --fault probability:20 --json";

/// See [`crate::arguments::Command::Inspect`].
pub const INSPECT: &str = "\
Examples:
  opml inspect model.opml
  opml inspect model.opml --max-t 100 --json";

/// See [`crate::arguments::Command::Run`].
pub const RUN: &str = "\
Examples:
  opml run model.opml -i picture.png
  opml run model.opml -i samples.npy --index 3 -o logits.npy
  opml run model.opml -i samples.npy --all -o logits.npy
  opml run model.opml -i picture.png --reference --json";

/// See [`crate::arguments::Command::Commit`].
pub const COMMIT: &str = "\
Examples:
  opml commit model.opml -i picture.png
  opml commit model.opml -i samples.npy --index 3 --json";

/// See [`crate::arguments::Command::Prove`].
pub const PROVE: &str = "\
Examples:
  opml prove model.opml -i picture.png --step 0:7 -o step.json
  opml prove model.opml -i picture.png --step 0:7 --terms 100:200 -o slice.json
  opml prove model.opml -i picture.png --step 0:7 --fault at:0:7 -o lie.json";

/// See [`crate::arguments::Command::Verify`].
pub const VERIFY: &str = "\
Examples:
  opml verify step.json
  opml verify step.json --model model.opml --json";

/// See [`crate::arguments::Command::Dispute`].
pub const DISPUTE: &str = "\
Examples:
  opml dispute model.opml -i picture.png
  opml dispute model.opml -i picture.png --fault from:0:7 --arity 4
  opml dispute model.opml -i picture.png --fault consistent --seed 3 --posted
  opml dispute model.opml -i picture.png --fault none --json";

/// See [`crate::arguments::Command::Story`].
pub const STORY: &str = "\
Examples:
  opml story
  opml story --model digits --seed 4 --json
  opml story --rpc $ENDPOINT";

/// See [`crate::arguments::Command::Imo`].
pub const IMO: &str = "\
Examples:
  opml imo model.opml
  opml imo model.opml --cap 2000 --soft-cap 1000 --sold 1200 --creator-share 1000
  opml imo model.opml --sold 100 --json
  opml imo deploy
  opml imo launch model.opml --cap 10 --soft-cap 5 --price 0.1
  opml imo buy $OFFERING --tokens 7.5
  opml imo buy $OFFERING --tokens 2.5
  opml imo close $OFFERING
  opml imo show $OFFERING";

/// See [`crate::arguments::Command::Ask`].
pub const ASK: &str = "\
Examples:
  opml ask model.opml -i picture.png
  opml ask model.opml -i samples.npy --index 3 --lie 7 --json
  opml ask request $OFFERING model.opml -i picture.png
  opml ask answer $REQUEST models/ --hidden
  opml ask show $REQUEST";

/// See [`crate::arguments::Command::Mint`].
pub const MINT: &str = "\
Examples:
  opml mint model.opml -i picture.png
  opml mint model.opml -i picture.png --lie 7 --json
  opml mint request $OFFERING model.opml -i samples.npy --index 3
  opml mint show $OFFERING model.opml -i samples.npy --index 3";

/// See [`crate::arguments::Command::Revenue`].
pub const REVENUE: &str = "\
Examples:
  opml revenue model.opml -i picture.png
  opml revenue model.opml -i picture.png --requests 10 --json
  opml revenue deposit $OFFERING --amount 0.5
  opml revenue show $OFFERING --json";

/// See [`crate::arguments::Command::Eval`].
pub const EVAL: &str = "\
Examples:
  opml eval model.onnx --calibration samples.npy --images images.npy --labels labels.npy
  opml eval --fixtures";

/// See [`crate::arguments::Command::Figures`].
pub const FIGURES: &str = "\
Examples:
  opml figures
  opml figures --json";

/// See [`crate::arguments::Command::Deploy`].
pub const DEPLOY: &str = "\
Examples:
  opml deploy --endpoint http://127.0.0.1:8545 --tier hour
  opml deploy --tier week --tier day --claim-bond 3.5 --challenge-bond 0.24 --dry-run";

/// See [`crate::arguments::Command::Register`].
pub const REGISTER: &str = "\
Examples:
  opml register model.opml";

/// See [`crate::arguments::Command::Request`].
pub const REQUEST: &str = "\
Examples:
  opml request model.opml -i picture.png
  opml request model.opml -i samples.npy --index 3 --tier 0 --json";

/// See [`crate::arguments::Command::Submit`].
pub const SUBMIT: &str = "\
Examples:
  opml submit $TASK models/
  opml submit $TASK model.opml --nonce 1 --dry-run";

/// See [`crate::arguments::Command::Batch`].
pub const BATCH: &str = "\
Examples:
  opml batch deploy
  opml batch submit models/ --task $TASK --nonce 1";

/// See [`crate::arguments::Command::Attention`].
pub const ATTENTION: &str = "\
Examples:
  opml attention deploy --member 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
  opml attention show";

/// See [`crate::arguments::Command::Watch`].
pub const WATCH: &str = "\
Examples:
  opml watch models/ --state watcher
  opml watch model.opml --dry-run --once";

/// See [`crate::arguments::Command::Defend`].
pub const DEFEND: &str = "\
Examples:
  opml defend models/ --state submitter --keystore key.json";

/// See [`crate::arguments::Command::Status`].
pub const STATUS: &str = "\
Examples:
  opml status
  opml status --account 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --json";

/// See [`crate::arguments::Command::Withdraw`].
pub const WITHDRAW: &str = "\
Examples:
  opml withdraw";
