//! How long disputes last.

use crate::table::{Table, honest};
use crate::worlds;
use opml_bisection::players::{Corrupted, Slant, slanted};
use opml_bisection::suite::World;
use opml_bisection::toy::ToyWorld;
use opml_bisection::{End, Header, Move, Party, Policy, Position, Trace, honest_challenger, most_moves, split, tree};

/// Moves of the longest walk to a wrong byte: one term is left to prove, and every lie is put in the longest part.
fn longest(world: &ToyWorld, arity_log2: u32, leaf: u64, at: usize) -> u32 {
    let own = honest(world);
    let lie = Corrupted::new(&own, &world.program).flip(leaf, at, 1).unwrap();
    let mut table = Table::new(world, arity_log2, world.length, &lie);
    let policy = Policy { max_terms: 1 };
    let mut moves = 0;
    while table.game.outcome().is_none() {
        let mv = match table.game.position() {
            Some(at @ (Position::Element(cell, slice) | Position::Slice(cell, slice))) => {
                let whole = matches!(at, Position::Element(..));
                let arity = table.claim.arity();
                let parts = split::parts(arity, slice.terms());
                let terms = |j: &u64| split::part(arity, slice.k0, slice.k1, *j).map(|(from, to)| to - from);
                let part = usize::try_from((0..parts).max_by_key(terms).unwrap()).unwrap();
                let place = (&cell, &slice, whole);
                let partials = slanted(Slant::Pair, &table.claim, &lie, place, part, &world.program).unwrap();
                Move::RevealPartials { partials }
            }
            Some(at) if at.turn() == Party::Challenger => {
                let rules = &world.program;
                honest_challenger(&policy, &table.claim, &at, &table.revealed, &own, rules).unwrap().unwrap()
            }
            _ => table.answer(),
        };
        table.play(&mv).unwrap();
        moves += 1;
    }
    assert!(matches!(table.game.outcome().unwrap().end, End::Proof(_)));
    moves
}

#[test]
fn the_bound_is_reached_and_never_passed() {
    let world = worlds::deep();
    let own = honest(&world);
    for arity_log2 in 1..=6 {
        for leaf in [0, 36, 37, 38] {
            let Header { elements, dtype } = own.header(leaf).unwrap();
            let bytes = elements * if dtype == 4 { 8 } else { 1 };
            let terms = own.shape(leaf).unwrap().terms;
            let claim = opml_bisection::Claim { arity_log2, ..world.claim() };
            let bound = most_moves(&claim, bytes.div_ceil(256), terms);
            let moves = longest(&world, arity_log2, leaf, 0);
            assert!(moves <= bound, "arity 2^{arity_log2}, leaf {leaf}: {moves} moves, bound {bound}");
            assert!(leaf == 38 || moves == bound, "arity 2^{arity_log2}, leaf {leaf}: {moves} moves, bound {bound}");
        }
    }
}

#[test]
fn the_bound_at_scale() {
    let claim =
        opml_bisection::Claim { instructions: 1 << 20, max_length: 1 << 20, length: 1 << 20, ..worlds::deep().claim() };
    let at = |arity_log2| most_moves(&opml_bisection::Claim { arity_log2, ..claim }, 1 << 30, 1 << 40);
    assert_eq!([1, 2, 4, 5, 6].map(at), [222, 112, 58, 46, 40]);
    assert_eq!(tree::depth(claim.leaves()), 40);
}
