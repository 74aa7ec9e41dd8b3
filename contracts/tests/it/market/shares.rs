//! A chain with a revenue token that was launched, and a coin it takes besides ether.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall, SolConstructor, sol};
use opml_contracts::{
    Host,
    abi::RevenueToken::{self, TokenTerms},
};

use crate::dispute::world::Outcome;

sol!(
    #[derive(Debug)]
    Batch,
    "artifacts/test/Batch.json"
);
sol!(
    #[derive(Debug)]
    Coin,
    "artifacts/test/Coin.json"
);
sol!(
    #[derive(Debug)]
    FaultyShare,
    "artifacts/test/FaultyShare.json"
);

pub(crate) const ALICE: Address = Address::repeat_byte(0xa1);
pub(crate) const BOB: Address = Address::repeat_byte(0xb0);
pub(crate) const CAROL: Address = Address::repeat_byte(0xca);
pub(crate) const MINTER: Address = Address::repeat_byte(0x11);
pub(crate) const PAYER: Address = Address::repeat_byte(0x99);
pub(crate) const ETHER: Address = Address::ZERO;
/// Three quarters are for holders, a quarter for those who burn.
pub(crate) const CLAIMABLE: u16 = 7_500;
pub(crate) const INTERVAL: u32 = 1_000;

pub(crate) struct Shares {
    pub(crate) host: Host,
    pub(crate) at: Address,
    pub(crate) coin: Address,
}

pub(crate) fn wei(amount: u64) -> U256 {
    U256::from(amount)
}

pub(crate) fn terms(coins: Vec<Address>) -> TokenTerms {
    TokenTerms {
        name: "Model".to_owned(),
        symbol: "M".to_owned(),
        claimable: CLAIMABLE,
        snapshotInterval: INTERVAL,
        revenueTokens: coins,
    }
}

impl Shares {
    /// With these balances, launched.
    pub(crate) fn new(balances: &[(Address, u64)]) -> Self {
        let mut shares = Self::before_launch();
        for &(account, amount) in balances {
            shares.send(MINTER, &RevenueToken::mintCall { to: account, amount: wei(amount) }).unwrap();
        }
        let launch = RevenueToken::launchCall { source_: Address::ZERO, modelId_: U256::ZERO };
        shares.send(MINTER, &launch).unwrap();
        shares
    }

    pub(crate) fn before_launch() -> Self {
        let mut host = Host::new();
        host.fund(PAYER, U256::from(u128::MAX)).unwrap();
        let coin = host.deploy(MINTER, &Coin::BYTECODE, &[]).unwrap();
        let args = RevenueToken::constructorCall { terms: terms(vec![coin]), minter: MINTER }.abi_encode();
        let at = host.deploy(MINTER, &RevenueToken::BYTECODE, &args).unwrap();
        Self { host, at, coin }
    }

    pub(crate) fn send<C: SolCall>(&mut self, from: Address, call: &C) -> Outcome {
        self.host.send(from, self.at, U256::ZERO, call).map(|(_, receipt)| receipt)
    }

    pub(crate) fn view<C: SolCall>(&mut self, call: &C) -> C::Return {
        self.host.view(self.at, call).unwrap()
    }

    /// Revenue in ether.
    pub(crate) fn pay(&mut self, amount: u64) -> Outcome {
        self.host.call(PAYER, self.at, wei(amount), Bytes::new())
    }

    /// Revenue in coins, of which nobody is told.
    pub(crate) fn pay_coins(&mut self, amount: u64) {
        let call = Coin::mintCall { to: self.at, amount: wei(amount) };
        self.host.send(PAYER, self.coin, U256::ZERO, &call).unwrap();
    }

    pub(crate) fn transfer(&mut self, from: Address, to: Address, amount: u64) -> Outcome {
        self.send(from, &RevenueToken::transferCall { to, value: wei(amount) })
    }

    pub(crate) fn balance(&mut self, account: Address) -> U256 {
        self.view(&RevenueToken::balanceOfCall { account })
    }

    /// Ends a period; gives its number.
    pub(crate) fn snapshot(&mut self) -> U256 {
        self.host.warp(INTERVAL.into());
        self.send(PAYER, &RevenueToken::snapshotCall {}).unwrap();
        self.view(&RevenueToken::snapshotCountCall {})
    }

    pub(crate) fn claimable(&mut self, account: Address, id: U256, asset: Address) -> U256 {
        if asset == ETHER {
            self.view(&RevenueToken::claimableRevenueCall { account, snapshotId: id })
        } else {
            self.view(&RevenueToken::claimableERC20Call { account, snapshotId: id, token: asset })
        }
    }

    pub(crate) fn claim(&mut self, account: Address, id: U256, asset: Address) -> Outcome {
        if asset == ETHER {
            self.send(account, &RevenueToken::claimCall { snapshotId: id })
        } else {
            self.send(account, &RevenueToken::claimERC20Call { snapshotId: id, token: asset })
        }
    }

    pub(crate) fn redeemable(&mut self, amount: U256, asset: Address) -> U256 {
        if asset == ETHER {
            self.view(&RevenueToken::redeemableOnBurnCall { amount })
        } else {
            self.view(&RevenueToken::redeemableERC20OnBurnCall { amount, token: asset })
        }
    }

    /// What an account has of an asset.
    pub(crate) fn wealth(&mut self, account: Address, asset: Address) -> U256 {
        if asset == ETHER {
            return self.host.balance(account);
        }
        self.host.view(asset, &Coin::balanceOfCall { account }).unwrap()
    }

    /// A contract that makes several calls in one transaction.
    pub(crate) fn batch(&mut self) -> Address {
        self.host.deploy(PAYER, &Batch::BYTECODE, &[]).unwrap()
    }

    pub(crate) fn run(&mut self, batch: Address, calls: Vec<(Address, Vec<u8>)>) -> Outcome {
        let (to, data) = calls.into_iter().map(|(to, data)| (to, Bytes::from(data))).unzip();
        self.host.send(PAYER, batch, U256::ZERO, &Batch::runCall { to, data }).map(|(_, receipt)| receipt)
    }

    pub(crate) fn misbehave(&mut self, deed: u8, answer: Vec<u8>) {
        let call = Coin::setCall { deed_: deed, target_: self.at, answer_: answer.into() };
        self.host.send(PAYER, self.coin, U256::ZERO, &call).unwrap();
    }
}
