//! The key of an agent: from a keystore file or the environment, never from the command line.

use std::path::Path;

use alloy_network::{EthereumWallet, NetworkTransactionBuilder as _, TransactionBuilder as _};
use alloy_primitives::{Address, Bytes};
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
        let signer = match keystore {
            Some(path) => Self::from_keystore(path)?,
            None => Self::from_environment()?,
        };
        Ok(Self { signer })
    }

    fn from_keystore(path: &Path) -> Result<PrivateKeySigner, NetworkError> {
        let password = std::env::var(PASSWORD)
            .map_err(|_| NetworkError::Key(format!("{}: its password is missing; set {PASSWORD}", path.display())))?;
        let refused =
            |error| NetworkError::Key(format!("{}: no key: {error}; is {PASSWORD} its password?", path.display()));
        PrivateKeySigner::decrypt_keystore(path, password).map_err(refused)
    }

    fn from_environment() -> Result<PrivateKeySigner, NetworkError> {
        let text = std::env::var(KEY)
            .map_err(|_| NetworkError::Key(format!("no key: name a keystore file with --keystore, or set {KEY}")))?;
        // The text itself must not be in any message.
        let wrong = |_| NetworkError::Key(format!("{KEY} is not a private key of 64 hexadecimal digits"));
        text.trim().parse().map_err(wrong)
    }

    /// The account.
    #[must_use]
    pub const fn account(&self) -> Address {
        self.signer.address()
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
