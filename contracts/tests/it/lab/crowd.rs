//! A hundred challengers at once on one claim.

use opml_contracts::dispute::Status;
use opml_vm::testing::Rng;

use super::{
    agents::{Agent, Manner, Role},
    games::judge,
    lies::Lie,
    sim::{PRICE, Sim, Weather, account},
};
use crate::dispute::world::{BOND_C, STRANGER, SUBMITTER};

fn crowd(honest: usize) -> Vec<Agent> {
    let mut rng = Rng::new(100);
    (0..100)
        .map(|n| {
            let role = match rng.below(8) {
                _ if n < honest => Role::Challenger,
                0 => Role::Idle { late: true },
                1 => Role::Idle { late: false },
                2 => Role::Quitter,
                _ => Role::Wanderer { stalls: n % 2 == 0 },
            };
            Agent::new(account(&format!("one of a hundred {n}")), role)
        })
        .collect()
}

#[test]
fn an_honest_submitter_answers_a_hundred_challengers() {
    let mut agents = vec![Agent::new(SUBMITTER, Role::Submitter), Agent::new(STRANGER, Role::Keeper)];
    agents.extend(crowd(0));
    let played = Sim::new(100, Lie::None, 0, false, Weather::Fair, agents.clone()).play();
    judge(100, Lie::None, &agents, 0, &played);
    assert_eq!(played.status, Status::Final);
    let gas = played.gas[&SUBMITTER];
    let repaid = played.money[&SUBMITTER];
    let disputes = played.money.values().filter(|&&wei| wei < 0).count();
    println!(
        "{disputes} disputes, {} calls; the submitter spent {gas} gas, {} a dispute",
        played.calls,
        gas / disputes as u64
    );
    println!("that is {} wei at {PRICE} wei; {repaid} wei repaid", gas * PRICE);
    println!("delay {} s of {}", played.delay, played.bound);
    assert_eq!(disputes, 100);
    assert_eq!(repaid, 100 * i128::from(BOND_C - BOND_C / 4));
    assert!(repaid * 2 >= i128::from(gas * PRICE) * 3, "one and a half times what was spent");
    assert!(played.delay <= played.bound);
}

#[test]
fn a_hundred_challengers_of_a_lie_end_no_later_and_the_honest_ones_lose_nothing() {
    let mut agents = vec![
        Agent::new(SUBMITTER, Role::Liar(Manner { stalls: true, ..Manner::PLAIN })),
        Agent::new(STRANGER, Role::Keeper),
    ];
    agents.extend(crowd(40));
    let sim = Sim::new(101, Lie::Sum, 0, false, Weather::Fair, agents.clone());
    let bond_s = sim.bond_s();
    let played = sim.play();
    judge(101, Lie::Sum, &agents, bond_s, &played);
    assert_eq!(played.status, Status::False);
    let nets: Vec<i128> = agents.iter().filter(|a| a.role == Role::Challenger).map(|a| played.net(a.account)).collect();
    println!("40 honest ones: {} to {} wei each after gas", nets.iter().min().unwrap(), nets.iter().max().unwrap());
    println!("delay {} s of {}", played.delay, played.bound);
    assert!(nets.iter().all(|&net| net >= 0));
}
