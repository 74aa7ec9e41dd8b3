//! Generation as a program: the same bits in the interpreter and in the engine, close to the floats, seeded draws, ends.

use std::ops::ControlFlow;

use opml_ops::{
    engine::Engine,
    language::{
        Family, LOGIT_BITS,
        float::Cache,
        generate::{self, Foresight, Layout, Sampling},
    },
    tier::Tier,
};
use opml_vm::{
    Program,
    interpreter::{self, Stop},
};

use super::tiny::{self, FAMILIES, PROMPT};

const BUDGET: u64 = 1 << 30;

fn run(program: &Program, prompt: &[u32], sampling: Sampling, length: u64) -> interpreter::Run {
    let layout = Layout::of(program).unwrap();
    let inputs = generate::inputs(&layout, prompt, sampling).unwrap();
    Engine::compile(program).run(&inputs, Stop::Halt { max: length }, BUDGET).unwrap()
}

#[test]
fn the_engine_computes_what_the_interpreter_does() {
    for family in FAMILIES {
        let decoder = tiny::program(family, 1, &[], true);
        let layout = Layout::of(&decoder.program).unwrap();
        assert_eq!((layout.logits, layout.next, layout.context), (decoder.logits, decoder.next, 16));
        let sampling = Sampling { temperature: 1 << 16, most: 8, seed: 5 };
        let inputs = generate::inputs(&layout, &PROMPT, sampling).unwrap();
        let expected = interpreter::run(&decoder.program, &inputs, Stop::Exactly(8), BUDGET).unwrap();
        for tier in Tier::supported() {
            let engine = Engine::compile_for(&decoder.program, tier);
            let found = engine.run(&inputs, Stop::Exactly(8), BUDGET).unwrap();
            for (leaf, (found, expected)) in found.values.iter().zip(&expected.values).enumerate() {
                let number = leaf % decoder.program.instructions().len();
                assert_eq!(found, expected, "{family:?} {tier:?} leaf {leaf}, instruction {number}");
            }
        }
    }
}

#[test]
fn products_and_attention_have_forms_of_their_own() {
    let decoder = tiny::program(Family::Llama, 1, &[], false);
    let forms = Engine::compile(&decoder.program).forms();
    let count = |name: &str| forms.iter().filter(|form| **form == name).count();
    // Four products a layer and the logits. Five instructions a layer and the text grow with the iteration; so is the token
    // planned when it is met.
    assert_eq!((count("scaled"), count("moving"), count("slow")), (9, 12, 0));
}

#[test]
fn logits_are_near_those_of_floats() {
    for family in FAMILIES {
        for seed in [1, 2] {
            let decoder = tiny::program(family, seed, &[], false);
            let found = run(&decoder.program, &PROMPT, Sampling::GREEDY, 9);
            let text: Vec<u32> = found.output(&decoder.program).unwrap().values().iter().map(|&n| n as u32).collect();
            assert_eq!((&text[..5], text.len()), (&PROMPT[..], 10));
            let floats = tiny::floats(family, seed);
            let expected = floats.logits(&text[..9], &mut Cache::default(), &mut |_, _| ()).unwrap();
            let (mut error, mut power) = (0.0, 0.0);
            for (t, expected) in (0..).zip(&expected) {
                let logits = found.value(decoder.program.counts().instructions, t, decoder.logits).unwrap().values();
                for (&logit, &expected) in logits.iter().zip(expected) {
                    let logit = logit as f64 / (1 << LOGIT_BITS) as f64;
                    error += (logit - f64::from(expected)).powi(2);
                    power += f64::from(expected).powi(2);
                }
            }
            let relative = (error / power).sqrt();
            println!("{family:?} {seed}: {relative:.4}");
            assert!(relative < 0.04, "{family:?} {seed}: {relative}");
        }
    }
}

#[test]
fn the_prompt_may_be_short_and_the_cache_gives_the_same_floats() {
    let model = tiny::floats(Family::Gemma3, 1);
    let whole = model.logits(&PROMPT, &mut Cache::default(), &mut |_, _| ()).unwrap();
    let mut cache = Cache::default();
    for (token, expected) in PROMPT.iter().zip(whole) {
        assert_eq!(model.logits(&[*token], &mut cache, &mut |_, _| ()).unwrap(), [expected]);
    }
}

#[test]
fn seeds_decide_draws() {
    let decoder = tiny::program(Family::Qwen2, 1, &[], true);
    let text = |temperature: i64, most: i64, seed: i64| {
        let run = run(&decoder.program, &PROMPT, Sampling { temperature, most, seed }, 14);
        run.output(&decoder.program).unwrap().values()
    };
    let greedy = text(0, 0, 0);
    assert_eq!(greedy, text(0, 5, 9));
    assert_eq!(text(1 << 16, 1, 7), greedy);
    assert_eq!(text(1 << 17, 0, 7), text(1 << 17, 0, 7));
    let different = (0..8).filter(|&seed| text(1 << 17, 0, seed) != greedy).count();
    assert_eq!(different, 8);
}

/// Draws over one position: only the most likely `k` come, about as often as they should.
#[test]
fn draws_follow_the_probabilities() {
    let decoder = tiny::program(Family::Llama, 1, &[], true);
    let layout = Layout::of(&decoder.program).unwrap();
    let engine = Engine::compile(&decoder.program);
    let (most, draws) = (4, 400);
    let mut counts = [0; 80];
    let mut logits = Vec::new();
    for seed in 0..draws {
        let sampling = Sampling { temperature: 1 << 16, most, seed };
        let inputs = generate::inputs(&layout, &PROMPT[..1], sampling).unwrap();
        let run = engine.run(&inputs, Stop::Exactly(1), BUDGET).unwrap();
        let value = |number| run.value(decoder.program.counts().instructions, 0, number).unwrap().values();
        counts[value(layout.next)[0] as usize] += 1;
        logits = value(layout.logits);
    }
    let mut order: Vec<usize> = (0..80).collect();
    order.sort_by_key(|&token| -logits[token]);
    let weight = |token: usize| (logits[token] as f64 / 65536.0).exp();
    let total: f64 = order[..4].iter().map(|&token| weight(token)).sum();
    for &token in &order[..4] {
        let (expected, found) = (weight(token) / total, f64::from(counts[token]) / draws as f64);
        assert!((expected - found).abs() < 0.08, "token {token}: {found} instead of {expected}");
    }
    assert_eq!(order[..4].iter().map(|&token| counts[token]).sum::<i32>(), 400);
}

#[test]
fn an_end_ends_the_run() {
    let free = tiny::program(Family::Qwen3, 3, &[], false);
    let text = run(&free.program, &PROMPT, Sampling::GREEDY, 12).output(&free.program).unwrap().values();
    let end = text[7];
    let first = text.iter().skip(5).position(|&token| token == end).unwrap();
    let ended = tiny::program(Family::Qwen3, 3, &[end as u32], false);
    let run = run(&ended.program, &PROMPT, Sampling::GREEDY, 12);
    assert_eq!(run.length, 5 + first as u64);
    assert_eq!(run.output(&ended.program).unwrap().values(), text[..6 + first]);
}

#[test]
fn streams_show_what_runs_hold() {
    let decoder = tiny::program(Family::Gemma3, 2, &[], false);
    let layout = Layout::of(&decoder.program).unwrap();
    let whole = run(&decoder.program, &PROMPT, Sampling::GREEDY, 12);
    let text = whole.output(&decoder.program).unwrap().values();
    let inputs = generate::inputs(&layout, &PROMPT, Sampling::GREEDY).unwrap();
    let engine = Engine::compile(&decoder.program);
    let mut tokens = Vec::new();
    let mut each = |_: u64, token: Option<u32>| {
        tokens.extend(token.map(i64::from));
        ControlFlow::Continue(())
    };
    assert_eq!(generate::generate(&engine, &layout, (&inputs, 8), &mut each).unwrap(), 12);
    assert_eq!(tokens, text[5..]);
    let mut foresight = Foresight::default();
    let text: Vec<u32> = text.iter().map(|&token| token as u32).collect();
    generate::foresee(&engine, &layout, &text, &mut foresight, &mut || ()).unwrap();
    // What it chose itself it foresees as the most likely.
    assert_eq!(foresight.choices[4..], text[5..]);
    assert_eq!(foresight.losses.len(), 12);
    assert!(foresight.losses.iter().all(|loss| loss.is_finite() && *loss > 0.0) && foresight.perplexity() > 1.0);
}

#[test]
fn prompts_must_fit() {
    let decoder = tiny::program(Family::Llama, 1, &[], false);
    let layout = Layout::of(&decoder.program).unwrap();
    assert!(generate::inputs(&layout, &[], Sampling::GREEDY).is_err());
    assert!(generate::inputs(&layout, &[1; 17], Sampling::GREEDY).is_err());
    assert!(generate::inputs(&layout, &[1; 16], Sampling::GREEDY).is_ok());
}
