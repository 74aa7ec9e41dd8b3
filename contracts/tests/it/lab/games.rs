//! Thousands of games of a random cast, and what must be true of every one of them.

use opml_contracts::dispute::Status;
use opml_vm::testing::Rng;

use super::{
    agents::{Agent, Manner, Role},
    lies::Lie,
    sim::{PRICE, Played, Sim, Weather, account},
};
use crate::dispute::world::{BOND_C, BOND_S, STRANGER, SUBMITTER};

/// A cast for a seed.
pub(crate) fn draw(seed: u64) -> Sim {
    let mut rng = Rng::new(seed);
    let lie = Lie::draw(&mut rng);
    let tier = rng.pick(&[0, 0, 2, 3, 1], 0);
    let batch = rng.below(4) == 0;
    let weather = rng.pick(&[Weather::Fair, Weather::Foul, Weather::Foul, Weather::Halting], Weather::Foul);
    let manner = Manner {
        opens: rng.below(6) > 0,
        answers: if rng.below(3) == 0 { rng.below(5) as u16 } else { u16::MAX },
        stalls: rng.below(3) == 0,
        forges: rng.below(2) == 0,
    };
    let gives_up = lie == Lie::None && rng.below(10) == 0;
    let submitter = if lie == Lie::None && !gives_up { Role::Submitter } else { Role::Liar(manner) };
    let mut agents = vec![Agent::new(SUBMITTER, submitter), Agent::new(STRANGER, Role::Keeper)];
    if lie != Lie::None {
        let honest = if rng.below(12) == 0 { 0 } else { 1 + rng.below(3) };
        agents.extend((0..honest).map(|n| Agent::new(account(&format!("honest {n}")), Role::Challenger)));
    }
    for n in 0..rng.below(4) {
        let role = match rng.below(7) {
            0 => Role::Idle { late: rng.below(2) == 0 },
            1 | 2 => Role::Wanderer { stalls: rng.below(2) == 0 },
            3 => Role::Copycat,
            4 => Role::Quitter,
            5 => Role::Flood(1 + rng.below(3) as u16),
            _ => Role::Sybil,
        };
        agents.push(Agent::new(account(&format!("other {n}")), role));
    }
    Sim::new(seed, lie, tier, batch, weather, agents)
}

/// The outcome that a cast must come to (invariants 8, 10 and 11).
pub(crate) fn judge(seed: u64, lie: Lie, agents: &[Agent], bond_s: u64, played: &Played) {
    let is = |role: Role| agents.iter().any(|agent| agent.role == role);
    let defended = is(Role::Submitter);
    let challenged = is(Role::Challenger);
    if lie == Lie::None && defended {
        assert_eq!(played.status, Status::Final, "seed {seed}: a right claim");
        let lost = played.gas.get(&SUBMITTER).copied().unwrap_or(0);
        let repaid = played.money[&SUBMITTER];
        // Finalising is what a claim costs in any case; a challenge that a reorganisation takes back may leave an opened trace behind.
        assert!(
            repaid >= 0 && played.net(SUBMITTER) >= -i128::from(220_000 * PRICE),
            "seed {seed}: {lost} gas, {repaid} wei"
        );
    }
    if lie.is_seen() && challenged {
        assert_eq!(played.status, Status::False, "seed {seed}: a wrong claim");
    }
    if played.status == Status::False {
        let coalition: i128 = agents
            .iter()
            .filter(|agent| matches!(agent.role, Role::Liar(_) | Role::Sybil))
            .filter_map(|agent| played.money.get(&agent.account))
            .sum();
        // whoever lost to the liar before it fell has paid it
        let won = played.lost as i128 * i128::from(BOND_C - BOND_C / 4);
        assert!(coalition <= won - i128::from(bond_s / 2), "seed {seed}: the liars lost {coalition}");
        let took_part = |agent: &&Agent| agent.role == Role::Challenger && played.weights.contains_key(&agent.account);
        for agent in agents.iter().filter(took_part) {
            let net = played.net(agent.account);
            let (weight, all) = (played.weights[&agent.account], played.weights.values().sum::<u64>());
            let share = u128::from(bond_s - bond_s / 2) * u128::from(weight) / u128::from(all);
            assert_eq!(played.money[&agent.account], share as i128, "seed {seed}: the share of its weight");
            assert!(net >= 0, "seed {seed}: an honest challenger ends with {net} wei");
        }
    }
    assert!(played.delay <= played.bound + 600, "seed {seed}: {} s of {}", played.delay, played.bound);
}

#[derive(Default)]
struct Worst {
    delay: f64,
    challenger: u64,
    submitter: f64,
    calls: usize,
    ends: [u64; 2],
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

#[test]
fn games_of_honest_players_among_liars() {
    let (first, count) = match setting("LAB_SEED") {
        Some(seed) => (seed, setting("LAB_GAMES").unwrap_or(1)),
        None => (0, setting("LAB_GAMES").unwrap_or(200)),
    };
    let mut worst = Worst::default();
    for seed in first..first + count {
        let sim = draw(seed);
        let (lie, agents, bond_s) = (sim.lie, sim.agents.clone(), sim.bond_s());
        let disputes_of_all = agents.len();
        let played = sim.play();
        judge(seed, lie, &agents, bond_s, &played);
        worst.ends[usize::from(played.status == Status::False)] += 1;
        worst.calls += played.calls;
        worst.delay = worst.delay.max(played.delay as f64 / played.bound as f64);
        for agent in agents.iter().filter(|agent| agent.role == Role::Challenger) {
            worst.challenger = worst.challenger.max(played.gas.get(&agent.account).copied().unwrap_or(0));
        }
        if agents[0].role == Role::Submitter {
            let lost =
                -played.money.iter().filter(|(who, _)| **who != SUBMITTER).map(|(_, wei)| *wei.min(&0)).sum::<i128>();
            let disputes = (lost / i128::from(BOND_C)).max(1) as f64;
            worst.submitter = worst.submitter.max(played.gas.get(&SUBMITTER).copied().unwrap_or(0) as f64 / disputes);
        }
        assert!(disputes_of_all > 1);
    }
    println!("{count} games, {} calls: {} final, {} false", worst.calls, worst.ends[0], worst.ends[1]);
    println!("honest losses: 0; wei missing: 0");
    println!("worst delay: {:.3} of the bound", worst.delay);
    let most_c = u64::from(PRICE > 0) * (BOND_S / 2) / PRICE / 10;
    println!(
        "worst outlay of an honest challenger: {} gas of {most_c} (a tenth of the pot) and its bond of {BOND_C} wei",
        worst.challenger
    );
    let most_s = BOND_C / 4 * 3 / PRICE;
    println!("worst outlay of an honest submitter: {:.0} gas a dispute of {most_s} that are repaid", worst.submitter);
    if count >= 200 {
        assert!(worst.ends.iter().all(|&end| end > count / 10), "{:?}", worst.ends);
        assert!(worst.challenger <= most_c && worst.submitter <= most_s as f64);
    }
}

#[test]
fn a_seed_gives_the_same_game_again() {
    for seed in [3, 14, 15] {
        let runs = [draw(seed).play(), draw(seed).play()].map(|played| (played.calls, played.delay, played.money));
        assert_eq!(runs[0], runs[1]);
    }
}

#[test]
fn the_lab_sees_a_thief() {
    // The judge has teeth: an honest challenger whose gas were dearer than the pot would be seen to lose.
    let seed = (0..200).find(|&seed| {
        let sim = draw(seed);
        sim.lie == Lie::Sum && sim.agents.iter().any(|agent| agent.role == Role::Challenger)
    });
    let sim = draw(seed.unwrap());
    let (lie, agents, bond_s) = (sim.lie, sim.agents.clone(), sim.bond_s());
    let mut played = sim.play();
    for agent in agents.iter().filter(|agent| agent.role == Role::Challenger) {
        *played.money.get_mut(&agent.account).unwrap() = 0;
    }
    let judged = std::panic::catch_unwind(|| judge(0, lie, &agents, bond_s, &played));
    assert!(judged.is_err());
}
