//! The key of an agent: from a keystore file or the environment, never from the command line.

use std::path::Path;

use alloy_network::{EthereumWallet, NetworkTransactionBuilder as _, TransactionBuilder as _};
use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_signer_local::PrivateKeySigner;

use super::{NetworkError, Request, Signed, Terms};

/// Environment variable of a private key: 64 hexadecimal digits.
const KEY: &str = "OPML_PRIVATE_KEY";
/// Environment variable of a keystore's password.
const PASSWORD: &str = "OPML_KEYSTORE_PASSWORD";

/// A key that signs for one account.
#[derive(Debug, Clone)]
pub struct Wallet {
    signer: PrivateKeySigner,
}

impl Wallet {
    /// The key of a keystore file (Web3 Secret Storage), whose password the environment holds; without a file the environment's key.
    ///
    /// # Errors
    /// There is no key, the file is no keystore, or the password is wrong.
    pub fn open(keystore: Option<&Path>) -> Result<Self, NetworkError> {
        let variable = |name| std::env::var(name).ok();
        match keystore {
            Some(path) => Self::from_keystore(path, variable(PASSWORD)),
            None => Self::from_key(variable(KEY)),
        }
    }

    fn from_keystore(path: &Path, password: Option<String>) -> Result<Self, NetworkError> {
        let Some(password) = password else {
            return Err(NetworkError::Key(format!("{}: its password is missing; set {PASSWORD}", path.display())));
        };
        let refused =
            |error| NetworkError::Key(format!("{}: no key: {error}; is {PASSWORD} its password?", path.display()));
        let signer = PrivateKeySigner::decrypt_keystore(path, password).map_err(refused)?;
        Ok(Self { signer })
    }

    pub(crate) fn from_key(text: Option<String>) -> Result<Self, NetworkError> {
        let Some(text) = text else {
            return Err(NetworkError::Key(format!("no key: name a keystore file with --keystore, or set {KEY}")));
        };
        // The text itself must not be in any message.
        let wrong = |_| NetworkError::Key(format!("{KEY} is not a private key of 64 hexadecimal digits"));
        Ok(Self { signer: text.trim().parse().map_err(wrong)? })
    }

    /// The account.
    #[must_use]
    pub const fn account(&self) -> Address {
        self.signer.address()
    }

    /// A key that follows from this one and a name, for an account that plays a part. Who does not know this key cannot tell the other.
    ///
    /// # Errors
    /// There is no such key, which happens to one name in 2^128.
    pub fn derived(&self, name: &str) -> Result<Self, NetworkError> {
        let secret = keccak256([b"opml actor".as_slice(), self.signer.to_bytes().as_slice(), name.as_bytes()].concat());
        let signer = PrivateKeySigner::from_bytes(&secret);
        let signer = signer.map_err(|_| NetworkError::Key(format!("there is no key for the part `{name}`")))?;
        Ok(Self { signer })
    }

    /// What hides a commitment of this account until it is revealed: the same again after a crash, and known to nobody else.
    #[must_use]
    pub fn salt(&self, purpose: &[u8]) -> B256 {
        keccak256([b"opml salt".as_slice(), self.signer.to_bytes().as_slice(), purpose].concat())
    }

    /// Signs a transaction of EIP-1559.
    ///
    /// # Errors
    /// The signer refuses.
    pub fn sign(&self, chain_id: u64, request: &Request, terms: &Terms) -> Result<Signed, NetworkError> {
        let mut transaction = TransactionRequest::default()
            .with_from(request.from)
            .with_value(request.value)
            .with_input(request.data.clone())
            .with_chain_id(chain_id)
            .with_nonce(terms.nonce)
            .with_gas_limit(terms.gas)
            .with_max_fee_per_gas(terms.fee)
            .with_max_priority_fee_per_gas(terms.tip.min(terms.fee));
        match request.to {
            Some(to) => transaction.set_to(to),
            None => transaction.set_create(),
        }
        let wallet = EthereumWallet::from(self.signer.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(|error| NetworkError::Start(error.to_string()))?;
        let signed = runtime.block_on(transaction.build(&wallet));
        let signed = signed.map_err(|error| NetworkError::Key(format!("cannot be signed: {error}")))?;
        Ok(Signed {
            hash: *signed.tx_hash(),
            raw: Bytes::from(alloy_network::eip2718::Encodable2718::encoded_2718(&signed)),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// The test vector of the Web3 Secret Storage Definition: password `testpassword`.
    const KEYSTORE: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2","kdfparams":{"c":262144,
        "dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
        "mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},
        "id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;
    const SECRET: &str = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";

    #[test]
    fn a_keystore_and_its_key_are_the_same_account() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), KEYSTORE).unwrap();
        let stored = Wallet::from_keystore(file.path(), Some("testpassword".to_owned())).unwrap();
        let given = Wallet::from_key(Some(format!("0x{SECRET}\n"))).unwrap();
        assert_eq!(stored.account(), given.account());
        assert_eq!(stored.account().to_string().to_lowercase(), "0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b");
        for password in [Some("another".to_owned()), None] {
            let error = Wallet::from_keystore(file.path(), password).unwrap_err().to_string();
            assert!(error.contains(PASSWORD), "{error}");
        }
    }

    #[test]
    fn no_message_holds_what_may_be_a_key() {
        let error = Wallet::from_key(Some(format!("{SECRET}7"))).unwrap_err().to_string();
        assert!(error.contains(KEY) && !error.contains(&SECRET[..8]), "{error}");
        assert!(Wallet::from_key(None).unwrap_err().to_string().contains("--keystore"));
    }

    #[test]
    fn parts_have_keys_of_their_own_that_are_always_the_same() {
        let purse = Wallet::from_key(Some(SECRET.to_owned())).unwrap();
        let account = |name: &str| purse.derived(name).unwrap().account();
        assert_eq!(account("alice"), account("alice"));
        assert!(account("alice") != account("bob") && account("alice") != purse.account());
        let other = Wallet::from_key(Some(SECRET.replace("7a", "7b"))).unwrap();
        assert_ne!(other.derived("alice").unwrap().account(), account("alice"));
    }

    #[test]
    fn signing_again_gives_the_same_bytes() {
        let wallet = Wallet::from_key(Some(SECRET.to_owned())).unwrap();
        let to = Some(Address::repeat_byte(1));
        let value = alloy_primitives::U256::from(7);
        let request = Request { from: wallet.account(), to, value, data: Bytes::from_static(&[1, 2]) };
        let terms = Terms { nonce: 3, gas: 50_000, fee: 9, tip: 1 };
        let signed = wallet.sign(5, &request, &terms).unwrap();
        assert_eq!(signed, wallet.sign(5, &request, &terms).unwrap());
        assert_eq!(signed.hash, keccak256(&signed.raw));
        assert_ne!(signed.hash, wallet.sign(5, &request, &Terms { nonce: 4, ..terms }).unwrap().hash);
    }
}
