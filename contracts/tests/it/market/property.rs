//! Random sequences of payments, transfers, loans, burns, claims and snapshots: the token is solvent to the wei after every call, and
//! everybody gets what an independent account of who held what says.

use alloy_primitives::{Address, U256};
use alloy_sol_types::SolCall;
use opml_contracts::abi::RevenueToken;
use opml_vm::testing::Rng;

use super::shares::{ALICE, BOB, CAROL, CLAIMABLE, ETHER, PAYER, Shares, wei};

const PEOPLE: [Address; 3] = [ALICE, BOB, CAROL];
/// Fractions of a wei in the independent account.
const FINE: usize = 64;
const STEPS: u64 = 50;

/// What came in and is not shared out yet, in the independent account.
#[derive(Default, Clone, Copy)]
struct Arrived {
    before_moves: U256,
    after_moves: U256,
}

struct Play {
    shares: Shares,
    rng: Rng,
    borrower: Address,
    /// Ether, and the coin.
    assets: [Address; 2],
    arrived: [Arrived; 2],
    /// Whether a balance changed in the present block.
    moved: bool,
    held: bool,
    /// Due to the holders, in 2^-64 wei.
    due: [[U256; 3]; 2],
    claimed: [[U256; 3]; 2],
    burnt: [[U256; 3]; 2],
    paid_in: [U256; 2],
}

impl Play {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let supply = PEOPLE.map(|account| {
            let most = [10, 1_000_000][rng.index(2)];
            (account, 1 + rng.below(most))
        });
        let mut shares = Shares::new(&supply);
        let borrower = shares.batch();
        for account in PEOPLE {
            shares.send(account, &RevenueToken::approveCall { spender: borrower, value: U256::MAX }).unwrap();
        }
        let assets = [ETHER, shares.coin];
        Self {
            shares,
            rng,
            borrower,
            assets,
            arrived: Default::default(),
            moved: false,
            held: false,
            due: Default::default(),
            claimed: Default::default(),
            burnt: Default::default(),
            paid_in: Default::default(),
        }
    }

    /// Shares an amount out by the balances of now.
    fn share(&mut self, asset: usize, amount: U256) {
        let supply = self.shares.view(&RevenueToken::totalSupplyCall {});
        for (number, account) in PEOPLE.into_iter().enumerate() {
            let balance = self.shares.balance(account);
            let part = (amount * U256::from(CLAIMABLE) * balance) << FINE;
            if !supply.is_zero() {
                self.due[asset][number] += part / (supply * U256::from(10_000));
            }
        }
    }

    /// A balance is about to change.
    fn before_move(&mut self) {
        for asset in 0..2 {
            if !self.moved {
                let amount = std::mem::take(&mut self.arrived[asset].before_moves);
                self.share(asset, amount);
            }
        }
        self.moved = true;
    }

    /// The block ends, unless it is held.
    fn end_of_block(&mut self) {
        if self.held {
            return;
        }
        for asset in 0..2 {
            let Arrived { before_moves, after_moves } = std::mem::take(&mut self.arrived[asset]);
            self.share(asset, before_moves + after_moves);
        }
        self.moved = false;
    }

    fn step(&mut self) {
        match self.rng.below(12) {
            0..=2 => self.pay(),
            3..=5 => self.transfer(),
            6 => self.lend(),
            7 => self.burn(),
            8 => self.claim(),
            9 => {
                self.shares.host.warp(self.rng.below(3) * 500);
                drop(self.shares.send(PAYER, &RevenueToken::snapshotCall {}));
                self.end_of_block();
            }
            10 => {
                self.held = !self.held;
                self.shares.host.hold_block(self.held);
                self.end_of_block();
            }
            _ => {
                self.shares.send(PAYER, &RevenueToken::syncCall {}).unwrap();
                self.end_of_block();
            }
        }
    }

    fn pay(&mut self) {
        let (asset, most) = (self.rng.index(2), [20, 1 << 40][self.rng.index(2)]);
        let amount = self.rng.below(most);
        if self.supply().is_zero() {
            return;
        }
        if asset == 0 {
            drop(self.shares.pay(amount).unwrap())
        } else {
            self.shares.pay_coins(amount)
        }
        self.paid_in[asset] += wei(amount);
        let arrived = &mut self.arrived[asset];
        *(if self.moved { &mut arrived.after_moves } else { &mut arrived.before_moves }) += wei(amount);
        self.end_of_block();
    }

    fn supply(&mut self) -> U256 {
        self.shares.view(&RevenueToken::totalSupplyCall {})
    }

    fn part_of(&mut self, account: Address) -> u64 {
        let balance: u64 = self.shares.balance(account).to();
        if self.rng.chance(20) { balance } else { self.rng.below(balance + 1) }
    }

    fn transfer(&mut self) {
        let (from, to) = (PEOPLE[self.rng.index(3)], PEOPLE[self.rng.index(3)]);
        let amount = self.part_of(from);
        self.before_move();
        self.shares.transfer(from, to, amount).unwrap();
        self.end_of_block();
    }

    /// Somebody borrows a balance, makes revenue arrive meanwhile, and gives it back in the same transaction.
    fn lend(&mut self) {
        let lender = PEOPLE[self.rng.index(3)];
        let amount = wei(self.part_of(lender));
        let arriving = self.rng.below(1 << 30);
        self.before_move();
        let (at, coin) = (self.shares.at, self.shares.coin);
        let calls = vec![
            (at, RevenueToken::transferFromCall { from: lender, to: self.borrower, value: amount }.abi_encode()),
            (coin, super::shares::Coin::mintCall { to: at, amount: wei(arriving) }.abi_encode()),
            (at, RevenueToken::syncCall {}.abi_encode()),
            (at, RevenueToken::transferCall { to: lender, value: amount }.abi_encode()),
        ];
        self.shares.run(self.borrower, calls).unwrap();
        self.paid_in[1] += wei(arriving);
        self.arrived[1].after_moves += wei(arriving);
        self.end_of_block();
    }

    fn burn(&mut self) {
        let number = self.rng.index(3);
        let account = PEOPLE[number];
        // Somebody is left who holds, so that everything is shared out.
        let amount = wei(self.part_of(account));
        if amount.is_zero() || amount == self.supply() {
            return;
        }
        let expected = self.assets.map(|asset| self.shares.redeemable(amount, asset));
        let before = self.assets.map(|asset| self.shares.wealth(account, asset));
        self.before_move();
        self.shares.send(account, &RevenueToken::burnCall { amount }).unwrap();
        for asset in 0..2 {
            let gained = self.shares.wealth(account, self.assets[asset]) - before[asset];
            assert_eq!(gained, expected[asset], "what redeemableOnBurn said");
            self.burnt[asset][number] += gained;
        }
        self.end_of_block();
    }

    fn claim(&mut self) {
        let number = self.rng.index(3);
        let count: u64 = self.shares.view(&RevenueToken::snapshotCountCall {}).to();
        let id = wei(self.rng.below(count + 2));
        self.claim_at(number, id);
    }

    fn claim_at(&mut self, number: usize, id: U256) {
        let account = PEOPLE[number];
        for asset in 0..2 {
            let at = self.assets[asset];
            let (due, before) = (self.shares.claimable(account, id, at), self.shares.wealth(account, at));
            let done = self.shares.claim(account, id, at).is_ok();
            assert_eq!(done, !due.is_zero());
            assert_eq!(self.shares.wealth(account, at) - before, due);
            self.claimed[asset][number] += due;
        }
        self.end_of_block();
    }

    /// All that may be claimed or redeemed is there.
    fn check(&mut self) {
        let count: u64 = self.shares.view(&RevenueToken::snapshotCountCall {}).to();
        for asset in 0..2 {
            let at = self.assets[asset];
            let mut owed = U256::ZERO;
            for id in 1..=count {
                for account in PEOPLE {
                    owed += self.shares.claimable(account, wei(id), at);
                }
                assert_eq!(self.shares.claimable(self.borrower, wei(id), at), U256::ZERO);
            }
            let kept = self.shares.view(&RevenueToken::assetOfCall { asset: at });
            let token = self.shares.at;
            let has = self.shares.wealth(token, at);
            assert!(owed + kept.pool + kept.incoming <= kept.held, "asset {asset}");
            assert!(kept.held <= has);
            let out: U256 = self.claimed[asset].iter().chain(&self.burnt[asset]).sum();
            assert_eq!(has + out, self.paid_in[asset], "what came in is here or was paid");
        }
    }

    /// Everybody claims everything, and has what the independent account says, to a wei for each step.
    fn finish(&mut self) {
        if self.held {
            self.held = false;
            self.shares.host.hold_block(false);
        }
        self.end_of_block();
        let last: u64 = self.shares.snapshot().to();
        for id in 1..=last {
            for number in 0..3 {
                self.claim_at(number, wei(id));
            }
        }
        self.check();
        let tolerance = wei(STEPS + 2);
        for asset in 0..2 {
            for number in 0..3 {
                let (due, got) = (self.due[asset][number] >> FINE, self.claimed[asset][number]);
                assert!(got <= due + tolerance && due <= got + tolerance, "asset {asset}, {number}: {got}, due {due}");
            }
        }
        // What is left is the pool, and less than a wei for each rounding.
        for asset in 0..2 {
            let at = self.assets[asset];
            let kept = self.shares.view(&RevenueToken::assetOfCall { asset: at });
            assert!(kept.held - kept.pool <= wei(4 * STEPS), "{}", kept.held - kept.pool);
        }
    }
}

#[test]
fn the_token_is_solvent_and_fair_under_random_sequences() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64);
    for seed in 0..cases {
        let mut play = Play::new(seed);
        for _ in 0..STEPS {
            play.step();
            play.check();
        }
        play.finish();
    }
}
