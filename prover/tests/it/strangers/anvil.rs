//! A chain of anvil for one test, and what only a chain for tests can do.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

/// Anvil's accounts, whose keys everybody knows: address and key.
pub(super) const ACCOUNTS: [(&str, &str); 5] = [
    (
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    ),
    (
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    ),
    (
        "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
        "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    ),
    (
        "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
        "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    ),
    (
        "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
        "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
    ),
];

/// A running anvil; it ends with the test.
pub(super) struct Anvil {
    process: Child,
    port: u16,
}

impl Anvil {
    /// Starts anvil on a free port of the loopback interface, a block a second.
    pub(super) fn start() -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/anvil");
        // The program itself, not the script that starts it: a script that is killed leaves its child running.
        let packages = std::fs::read_dir(folder.join("node_modules/@foundry-rs")).into_iter().flatten().flatten();
        let program = packages.map(|package| package.path().join("bin/anvil")).find(|path| path.exists());
        let program = program.unwrap_or_else(|| panic!("anvil is missing: run `npm ci` in {}", folder.display()));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--block-time", "1", "--silent"])
            .args(["--gas-limit", "10000000000"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let anvil = Self { process, port };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return anvil;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("anvil does not listen on port {port}");
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Asks anvil itself.
    pub(super) fn ask(&self, method: &str, params: Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let json: String = body[body.find('{').unwrap()..=body.rfind('}').unwrap()].to_owned();
        let answer: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{method}: {error}: {body}"));
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The last `depth` blocks never were, nor their transactions.
    pub(super) fn reorganise(&self, depth: u64) {
        self.ask("anvil_reorg", json!([depth, []]));
    }

    /// Lets time pass.
    pub(super) fn advance(&self, seconds: u64) {
        self.ask("evm_increaseTime", json!([seconds]));
        self.ask("anvil_mine", json!(["0x8", "0x1"]));
    }

    /// What an account holds, in wei.
    pub(super) fn balance(&self, account: &str) -> u128 {
        let text = self.ask("eth_getBalance", json!([account, "latest"]));
        u128::from_str_radix(text.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
