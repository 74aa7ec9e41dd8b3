//! Random sequences of sales and of content: an offering owes exactly what it has, and a collection vouches for exactly what is final.

use alloy_primitives::{Address, U256};
use opml_contracts::abi::{Offering, RevenueToken};
use opml_vm::testing::Rng;

use crate::{
    dispute::world::{STRANGER, WINDOW},
    oracle::world::{ALICE, BOB, CAROL, INPUT, RIGHT, TTL, WORSE, WRONG},
};

use super::{
    collection::Collection,
    offering::{CREATOR, Market, PRICE, units},
};

const PEOPLE: [Address; 3] = [ALICE, BOB, CAROL];
const OUTPUTS: [&[u8]; 3] = [RIGHT, WRONG, WORSE];
// Numbers of the contracts' enumerations.
const SUCCEEDED: u8 = 1;
const ANSWERED: u8 = 2;

fn cases() -> u64 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48)
}

/// What each buyer paid, by its own count.
struct Sale {
    market: Market,
    rng: Rng,
    /// Tokens of a purchase, at most.
    most: u64,
    paid: [u64; 3],
    withdrawn: bool,
}

impl Sale {
    fn step(&mut self) {
        match self.rng.below(8) {
            0..=3 => {
                let (buyer, tokens) = (self.rng.index(3), self.rng.below(self.most));
                if self.market.buy(PEOPLE[buyer], tokens).is_ok() {
                    self.paid[buyer] += tokens * PRICE;
                }
            }
            4 => {
                let seconds = self.rng.below(2_400);
                self.market.oracle.world.host.warp(seconds);
            }
            5 => drop(self.market.close()),
            6 => {
                let buyer = self.rng.index(3);
                let before = self.market.oracle.world.host.balance(PEOPLE[buyer]);
                if self.market.send(PEOPLE[buyer], 0, &Offering::refundCall {}).is_ok() {
                    let gained = self.market.oracle.world.host.balance(PEOPLE[buyer]) - before;
                    assert_eq!(gained, U256::from(std::mem::take(&mut self.paid[buyer])));
                }
            }
            _ => self.withdrawn |= self.market.send(CREATOR, 0, &Offering::withdrawCall {}).is_ok(),
        }
    }

    fn check(&mut self) {
        let state = self.market.view(&Offering::stateCall {});
        let paid: u64 = self.paid.iter().sum();
        let owed = if self.withdrawn { 0 } else { paid };
        let offering = self.market.offering;
        assert_eq!(self.market.oracle.world.host.balance(offering), U256::from(owed));
        assert!(!self.withdrawn || state == SUCCEEDED);
        let token = self.market.token;
        let supply = self.market.oracle.world.host.view(token, &RevenueToken::totalSupplyCall {}).unwrap();
        let sold = units(1) * U256::from(paid / PRICE);
        // A fifth of all is the creator's, once there is something to have.
        let all = if state == SUCCEEDED { sold * U256::from(5) / U256::from(4) } else { sold };
        assert_eq!(supply, all);
        assert!(sold <= units(100));
        assert!(state != SUCCEEDED || sold >= units(40));
    }
}

#[test]
fn an_offering_owes_exactly_what_it_has() {
    let mut ends = [0; 3];
    for seed in 0..cases() {
        let mut rng = Rng::new(seed);
        // Some sales are slow.
        let market = Market::new();
        let steps = 30 + rng.below(30);
        let most = [3, 30][rng.index(2)];
        let mut sale = Sale { market, rng, most, paid: [0; 3], withdrawn: false };
        for _ in 0..steps {
            sale.step();
            sale.check();
        }
        ends[usize::from(sale.market.view(&Offering::stateCall {}))] += 1;
    }
    assert!(cases() < 40 || ends[1..].iter().all(|&count| count > 2), "{ends:?}");
}

#[test]
fn a_collection_vouches_for_exactly_what_is_final() {
    let (mut vouched, mut burnt) = (0, 0);
    for seed in 0..cases() {
        let mut rng = Rng::new(seed);
        let mut collection = Collection::new([600_000, 30_000][rng.index(2)]);
        let mut claims = vec![];
        let mut id = collection.minted(ALICE);
        for _ in 0..25 {
            match rng.below(7) {
                0 | 1 => {
                    let (by, output) = (PEOPLE[rng.index(3)], OUTPUTS[rng.index(4) % 3]);
                    let claim = collection.oracle.claim(by, id, output);
                    drop(collection.oracle.answer(id, &claim, output));
                    claims.push(claim);
                }
                2 if !claims.is_empty() => {
                    let claim = claims.swap_remove(rng.index(claims.len()));
                    let name = collection.oracle.claim_id(&claim);
                    let slot = collection.oracle.world.slot(name);
                    if collection.oracle.world.host.now() < slot.claimed_at + WINDOW {
                        collection.oracle.fell(&claim);
                    }
                }
                3 => {
                    for claim in &claims {
                        let call = opml_contracts::abi::Dispute::finalizeCall { c: claim.clone() };
                        drop(collection.oracle.world.send(STRANGER, 0, &call));
                    }
                }
                4 => drop(collection.oracle.update(STRANGER, id, OUTPUTS[rng.index(3)])),
                5 => {
                    let held = collection.owner().is_some();
                    if collection.oracle.refund(id).is_ok() {
                        burnt += usize::from(held && collection.owner().is_none());
                        if let Ok(next) = collection.mint(BOB, &INPUT) {
                            id = next;
                        }
                    }
                }
                _ => collection.oracle.world.pass([TTL, WINDOW][rng.index(2)]),
            }
            collection.commit(BOB, &INPUT);
            let request = collection.oracle.request(id);
            for output in OUTPUTS {
                let is_final = request.status == ANSWERED && request.answer == alloy_primitives::keccak256(output);
                let expected = is_final && collection.owner().is_some();
                assert_eq!(collection.verify(&INPUT, output), expected, "seed {seed}");
                vouched += usize::from(expected);
            }
        }
    }
    assert!(cases() < 40 || (vouched > 20 && burnt > 0), "{vouched}, {burnt}");
}
