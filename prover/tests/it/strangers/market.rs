//! The economy one command at a time: an offering, a question with a lie, content, revenue, by strangers with a key each. What every
//! command says it paid is counted against the chain.

use std::cell::RefCell;

use serde_json::{Value, json};

use super::{
    anvil::{ACCOUNTS, Anvil},
    player::{command, opml, refused, run},
};
use crate::cli::{
    Folder,
    help::{is_step, prepared},
};

const ETHER: i128 = 1_000_000_000_000_000_000;

const CREATOR: usize = 0;
const BUYER: usize = 1;
const USER: usize = 2;
const LIAR: usize = 3;
const HONEST: usize = 4;

/// One chain and its strangers, with what each is to hold.
struct Town {
    anvil: Anvil,
    folder: Folder,
    holds: RefCell<Vec<i128>>,
}

impl Town {
    fn new() -> Self {
        let (anvil, folder) = (Anvil::at_once(), prepared());
        let holds = ACCOUNTS.iter().map(|(account, _)| i128::try_from(anvil.balance(account)).unwrap()).collect();
        Self { anvil, folder, holds: RefCell::new(holds) }
    }

    /// Runs a command that brings its account so much besides the gas that it says it paid.
    fn does(&self, who: usize, brings: i128, line: &str) -> Value {
        let printed = opml(self.folder.path(), &self.anvil.endpoint(), ACCOUNTS[who].1, line);
        let paid = printed["paid"].as_array().cloned().unwrap_or_else(|| vec![printed["paid"].clone()]);
        for paid in paid {
            assert_eq!(paid["sent"], true);
            self.holds.borrow_mut()[who] -= paid["wei"].as_str().unwrap().parse::<i128>().unwrap();
        }
        self.holds.borrow_mut()[who] += brings;
        let held = i128::try_from(self.anvil.balance(ACCOUNTS[who].0)).unwrap();
        assert_eq!(held, self.holds.borrow()[who], "{line}: {printed}");
        printed
    }

    fn shows(&self, line: &str) -> Value {
        opml(self.folder.path(), &self.anvil.endpoint(), ACCOUNTS[USER].1, line)
    }

    fn refuses(&self, who: usize, line: &str) -> String {
        refused(self.folder.path(), &self.anvil.endpoint(), ACCOUNTS[who].1, line)
    }

    /// Both agents look again and again until the false claim has fallen.
    fn plays(&self, false_claim: &str) {
        let agent = |who: usize, line: &str| {
            let line = format!("{line} --once --confirmations 2");
            run(self.folder.path(), &self.anvil.endpoint(), ACCOUNTS[who].1, &line);
            self.anvil.ask("evm_mine", json!([]));
        };
        for _ in 0..30 {
            agent(HONEST, "watch model.opml --state challenger");
            agent(LIAR, "defend model.opml --fault consistent --seed 3 --state liar");
            let status = self.shows("status");
            let mut claims = status["claims"].as_array().unwrap().iter();
            if claims.any(|claim| claim["claim"] == false_claim && claim["standing"] == "false") {
                // The share, and the way home.
                (0..4).for_each(|_| agent(HONEST, "watch model.opml --state challenger"));
                return;
            }
        }
        panic!("the lie stands: {}", self.shows("status"));
    }

    /// What agents paid and got is none of the commands' business.
    fn forgets(&self, who: usize) {
        self.holds.borrow_mut()[who] = i128::try_from(self.anvil.balance(ACCOUNTS[who].0)).unwrap();
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key}: {value}")).to_owned()
}

#[test]
#[ignore = "needs anvil: npm ci in prover/tests/anvil"]
fn an_economy_is_run_one_command_at_a_time() {
    let town = Town::new();
    opml(town.folder.path(), &town.anvil.endpoint(), ACCOUNTS[CREATOR].1, "deploy --tier hour");
    town.forgets(CREATOR);
    assert!(town.refuses(USER, "ask show 1").contains("opml imo deploy"));
    let dry = opml(town.folder.path(), &town.anvil.endpoint(), ACCOUNTS[CREATOR].1, "imo deploy --dry-run");
    assert_eq!(dry["paid"][0]["sent"], false);
    let market = town.does(CREATOR, 0, "imo deploy");
    assert_eq!(market["paid"].as_array().unwrap().len(), 5);
    assert_eq!(town.does(CREATOR, 0, "imo deploy")["paid"], json!([]), "once is enough");

    // An offering, sold out.
    let launched =
        town.does(CREATOR, 0, "imo launch model.opml --cap 10 --soft-cap 5 --price 0.1 --snapshots 1 --cliff 0");
    let offering = text(&launched, "offering");
    assert!(town.refuses(BUYER, &format!("imo buy {offering} --tokens 11")).contains("AboveCap"));
    assert!(town.refuses(BUYER, &format!("imo buy {} --tokens 1", ACCOUNTS[0].0)).contains("is no offering"));
    assert!(town.refuses(BUYER, &format!("imo close {offering}")).contains("SaleRuns"));
    assert!(
        town.refuses(USER, &format!("ask request {offering} model.opml -i picture.png")).contains("has not succeeded")
    );
    town.does(BUYER, -ETHER * 3 / 4, &format!("imo buy {offering} --tokens 7.5"));
    town.does(USER, -ETHER / 4, &format!("imo buy {offering} --tokens 2.5"));
    let closed = town.does(BUYER, 0, &format!("imo close {offering}"));
    assert_eq!(closed["succeeded"], true);
    town.does(CREATOR, ETHER, &format!("imo proceeds {offering}"));
    assert_eq!(text(&town.shows(&format!("imo show {offering}")), "state"), "succeeded");

    // A token is asked for; a lie answers first, the truth behind a commitment second.
    let minted = town.does(
        USER,
        -ETHER / 20 - 600_000 * 1_000_000_000,
        &format!("mint request {offering} model.opml -i picture.png"),
    );
    let request = text(&minted, "request");
    let lied = town.does(LIAR, -ETHER, &format!("ask answer {request} model.opml --fault consistent --seed 3"));
    let told = town.does(HONEST, -ETHER - ETHER / 100, &format!("ask answer {request} model.opml --hidden"));
    assert_eq!((&told["conflict"], told["paid"].as_array().unwrap().len()), (&json!(true), 3));
    assert_eq!(town.does(HONEST, 0, &format!("ask answer {request} model.opml"))["paid"], json!([]), "given before");
    assert_eq!(town.shows(&format!("ask show {request}"))["conflict"], true);
    assert!(town.refuses(USER, &format!("ask deliver {request}")).contains("can be challenged for"));
    let content = format!("mint show {offering} model.opml -i picture.png");
    assert_eq!(town.shows(&content)["content"], lied["output"]);
    town.plays(&text(&lied, "claim"));
    town.forgets(HONEST);
    town.forgets(LIAR);
    let verify = format!("mint verify {offering} model.opml -i picture.png");
    let command = |line: &str| {
        let mut ran = command(town.folder.path(), &town.anvil.endpoint(), ACCOUNTS[USER].1, line);
        ran.output().unwrap().status.code()
    };
    assert_eq!(command(&verify), Some(1), "not yet");
    town.anvil.advance(3_700);
    let delivered = town.does(HONEST, 0, &format!("ask deliver {request}"));
    assert_eq!((&delivered["output"], &delivered["fee_paid"]), (&told["output"], &json!(true)));
    assert_eq!(command(&verify), Some(0));
    assert_eq!(town.shows(&content)["status"], "verified");
    // Three fifths of the fee, and the bond of the commitment; the callback's gas was the liar's.
    town.does(HONEST, ETHER / 100 + ETHER * 3 / 100, "ask withdraw");
    town.does(HONEST, ETHER, "withdraw");

    // The same question again: the claim that is final answers at once, without a bond.
    let asked = town.does(USER, -ETHER / 20, &format!("ask request {offering} model.opml -i picture.png"));
    let again = text(&asked, "request");
    assert_eq!(town.does(HONEST, 0, &format!("ask answer {again} model.opml"))["paid"].as_array().unwrap().len(), 1);
    assert_eq!(town.does(USER, 0, &format!("ask deliver {again}"))["fee_paid"], true);
    assert_eq!(text(&town.shows(&format!("ask show {again}")), "status"), "answered");

    // A question that nobody answers.
    let idle = town.does(USER, -ETHER / 20, &format!("ask request {offering} model.opml -i samples.npy --index 3"));
    let idle = text(&idle, "request");
    assert!(town.refuses(USER, &format!("ask refund {idle}")).contains("DeadlineNotPassed"));
    town.anvil.advance(3 * 86_400);
    town.does(USER, 0, &format!("ask refund {idle}"));
    town.does(USER, ETHER / 20, "ask withdraw");

    // Revenue: two answers at two fifths of 0.05 ether and a deposit of 0.96, three quarters of it for those who hold 7.5 : 2.5 : 2.5.
    town.does(LIAR, -ETHER * 96 / 100, &format!("revenue deposit {offering} --amount 0.96"));
    town.does(USER, 0, &format!("revenue snapshot {offering}"));
    assert!(town.refuses(USER, &format!("revenue snapshot {offering}")).contains("SnapshotTooSoon"));
    let holder = town.shows(&format!("revenue show {offering} --account {}", ACCOUNTS[BUYER].0));
    assert_eq!(text(&holder["account"], "claimable"), (ETHER * 45 / 100).to_string());
    town.does(BUYER, ETHER * 45 / 100, &format!("revenue claim {offering}"));
    assert_eq!(town.does(BUYER, 0, &format!("revenue claim {offering}"))["paid"], json!([]), "once");
    town.does(USER, ETHER * 15 / 100, &format!("revenue claim {offering}"));
    // 2.5 of 12.5 tokens redeem a fifth of what is kept for burners.
    town.does(USER, ETHER * 5 / 100, &format!("revenue redeem {offering} --tokens 2.5"));
    assert!(town.refuses(USER, &format!("revenue redeem {offering} --tokens 1")).contains("ERC20InsufficientBalance"));
    let vested = opml(town.folder.path(), &town.anvil.endpoint(), ACCOUNTS[CREATOR].1, &format!("imo vest {offering}"));
    assert_eq!(text(&vested, "collected"), (ETHER * 15 / 100).to_string());
    assert!(text(&vested, "tokens").parse::<i128>().unwrap() > 0);
}

#[test]
#[ignore = "needs anvil: npm ci in prover/tests/anvil"]
fn a_sale_that_fails_gives_back_and_errors_say_what_is_wrong() {
    let town = Town::new();
    opml(town.folder.path(), &town.anvil.endpoint(), ACCOUNTS[CREATOR].1, "deploy --tier hour");
    town.forgets(CREATOR);
    town.does(CREATOR, 0, "imo deploy");
    let launched = town.does(CREATOR, 0, "imo launch model.opml --days 1");
    let offering = text(&launched, "offering");
    let dry = opml(
        town.folder.path(),
        &town.anvil.endpoint(),
        ACCOUNTS[BUYER].1,
        &format!("imo buy {offering} --tokens 3 --dry-run"),
    );
    assert_eq!(dry["paid"][0]["sent"], false);
    town.does(BUYER, -ETHER * 3 / 100, &format!("imo buy {offering} --tokens 3"));
    assert!(town.refuses(BUYER, &format!("revenue deposit {offering} --amount 1")).contains("takes no revenue yet"));
    town.anvil.advance(86_400);
    assert!(town.refuses(BUYER, &format!("imo buy {offering} --tokens 1")).contains("SaleOver"));
    assert_eq!(town.does(USER, 0, &format!("imo close {offering}"))["succeeded"], false);
    town.does(BUYER, ETHER * 3 / 100, &format!("imo refund {offering}"));
    assert!(town.refuses(BUYER, &format!("imo refund {offering}")).contains("NothingPaid"));

    // A listing without an offering, and a stranger's contract, address, model, network and endpoint.
    let listed = town.does(CREATOR, 0, "ask list model.opml --fee 0.01");
    let listing = text(&listed, "model_id");
    let asked = town.does(USER, -ETHER / 100, &format!("ask request {listing} model.opml -i picture.png --mode final"));
    assert!(asked["request"].is_string());
    assert!(town.refuses(USER, "ask show 99").contains("there is no request 99"));
    let unknown = format!("0x{:064x}", 7);
    assert!(
        town.refuses(USER, &format!("ask request {unknown} model.opml -i picture.png")).contains("there is no listing")
    );
    assert!(town.refuses(USER, &format!("revenue show {}", ACCOUNTS[3].0)).contains("is no revenue token"));
    assert!(
        town.refuses(USER, &format!("mint show {} model.opml -i picture.png", ACCOUNTS[3].0))
            .contains("is no collection")
    );
    let other = Anvil::with_chain_id(5);
    let why = refused(town.folder.path(), &other.endpoint(), ACCOUNTS[USER].1, "ask show 1");
    assert!(why.contains("the deployment is on chain 31337, the endpoint on chain 5"), "{why}");
    let why = refused(town.folder.path(), "http://127.0.0.1:9", ACCOUNTS[USER].1, "ask withdraw");
    assert!(why.contains("no answer") && why.contains("is the endpoint up?"), "{why}");
}

/// What the documents show of commands is what the tests here run, but for names and other amounts.
#[test]
fn commands_in_the_documents_are_those_that_are_tried() {
    let root = crate::cli::root();
    let tried = include_str!("market.rs");
    let mut seen = 0;
    for document in ["docs/oracle.md", "docs/tokens.md"] {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        for line in text.lines().filter(|line| is_step(line)) {
            let words: Vec<&str> = line.split('#').next().unwrap().split_whitespace().collect();
            let call = words[1..3].join(" ");
            assert!(tried.contains(&format!("\"{call}")), "{document}: {line}");
            for option in words.iter().filter(|word| word.starts_with("--")) {
                assert!(
                    tried.lines().any(|tried| tried.contains(&call) && tried.contains(option)),
                    "{document}: {line}"
                );
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 24);
}
