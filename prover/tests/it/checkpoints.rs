//! Players that compute values again play the same moves as players that keep them.

use opml_ops::language::Places;
use opml_ops::{checkpoint::CheckpointTrace, engine::Engine};
use opml_prover::{
    dispute::{Report, STEP_GAS, Setup, Sides, play_lie, play_sides},
    lie::{Fault, Lie, Told},
    model::Guard,
    random::Random,
    task::Task,
    trial::{Charge, Elements, NoCharge, Text},
};
use opml_vm::{
    Trace,
    interpreter::Stop,
    testing::{Limits, random_program},
};

const BUDGET: u64 = 1 << 32;

fn task(seed: u64) -> Task {
    let limits = Limits { max_t: 5, instructions: 6, ..Limits::default() };
    let (program, inputs, max_t) = random_program(seed, &limits);
    Task { program, inputs, max_t, budget: BUDGET, guard: Guard::default() }
}

fn timeless(report: Report) -> Report {
    Report { seconds: 0.0, ..report }
}

#[test]
fn both_kinds_of_players_play_the_same() {
    let mut played = 0;
    for seed in 0..40 {
        let task = task(seed);
        let honest = task.trace().unwrap();
        let engine = Engine::compile(&task.program);
        let again = |stop, tamper| CheckpointTrace::new(&engine, &task.inputs, (stop, BUDGET), tamper).unwrap();
        let own = again(Stop::Halt { max: task.max_t }, None);
        assert_eq!((own.root(), own.length()), (honest.root(), honest.length()), "seed {seed}");
        for consistent in [true, false] {
            let fault = Fault { cell: None, consistent };
            let setup = Setup { arity: 4, seed, fault: Some(fault), max_terms: 8, step_gas: STEP_GAS, posted: false };
            let random = || Random::new(seed);
            let Ok(lie) = Lie::plant(&task.program, &task.inputs, honest.run(), fault, &mut random()) else { continue };
            let told = Told::plan(&task.program, &task.inputs, (&own).into(), fault, &mut random()).unwrap();
            assert_eq!(told, lie.told, "seed {seed}");
            let lying = again(Stop::Exactly(honest.length()), Some(told.tamper()));
            assert_eq!(lying.root(), Trace::new(&task.program, lie.run.clone()).root(), "seed {seed}");
            let whole = timeless(play_lie(&task, &setup, &honest, Some(&lie)).unwrap());
            let sides = Sides { honest: (&own).into(), submitted: (&lying).into(), told: Some(told) };
            let report = timeless(play_sides(&task, &setup, sides).unwrap());
            assert_eq!(format!("{report:?}"), format!("{whole:?}"), "seed {seed}");
            assert_eq!(report.winner, "challenger", "seed {seed}");
            played += 1;
        }
    }
    assert!(played > 60, "{played} disputes");
}

fn places() -> Places {
    Places { products: vec![3, 5, 9], probabilities: vec![4], logits: 9, next: 10, halt: None }
}

fn fault(charge: &str, seed: u64) -> Result<Fault, NoCharge> {
    let elements: Elements<'_> = &|t, number| if number == 10 { 1 } else { t + 100 };
    charge.parse::<Charge>().unwrap().fault(&places(), Text { first: 4, tokens: 8 }, elements, &mut Random::new(seed))
}

#[test]
fn charges_name_places_of_the_text() {
    for seed in 0..50 {
        let cell = |charge| fault(charge, seed).unwrap().cell.unwrap();
        assert!([3, 5, 9].contains(&cell("weight").instruction));
        let logit = cell("logit:7");
        assert_eq!((logit.t, logit.instruction), (11, 9));
        assert!(logit.e < 111 && (4..12).contains(&cell("probability").t));
        let token = cell("token:0");
        assert_eq!((token.t, token.instruction, token.e), (4, 10, 0));
    }
    assert_eq!(fault("at:1:2:3", 1), Ok("at:1:2:3".parse().unwrap()));
    assert_eq!(fault("token:8", 1), Err(NoCharge::Token { token: 8, tokens: 8 }));
    assert_eq!(fault("stop", 1), Err(NoCharge::Nothing("halt")));
    for bad in ["word", "token:", "token:x", "weight:-1", "stop:1:2"] {
        assert!(bad.parse::<Charge>().unwrap_err().to_string().contains("is not a fault"), "{bad}");
    }
}
