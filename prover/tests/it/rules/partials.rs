//! Partials: what they must combine to, what they define, and how soon a single term is reached.

use alloy_primitives::U256;
use opml_bisection::{
    Arena, Move, MoveKind, Party, Question, Refused, Rules, Trace, TraceNodes,
    players::{Corrupted, Idea},
    split,
    suite::World,
};
use opml_contracts::{abi::Dispute, dispute::state_after};
use opml_prover::chain::SUBMITTER;
use opml_vm::{
    DType, Opcode, Program, Reducer, Source, Tensor,
    interpreter::Run,
    testing::{Build, fixed},
};

use super::{
    table::{Table, reverts},
    worlds::{SMALL, SUM, five, honest},
};
use crate::world::VmWorld;

/// The partials that the submitter reveals.
fn reveal(partials: &[i128]) -> Move {
    Move::RevealPartials { partials: partials.to_vec() }
}

/// A dispute over element 0 of a sum of 300 terms that is one too high, at the submitter's first cut.
fn over_the_sum<'a>(world: &'a VmWorld, lie: &'a dyn Trace) -> (Table<'a>, Vec<i128>) {
    let mut table = Table::opened(world, 4, 1, lie).walk_to(SUM);
    table.play(&table.idea(Idea::Cut(0)));
    let Move::RevealPartials { partials } = table.due() else { panic!() };
    assert_eq!(partials.len(), 16);
    (table, partials)
}

macro_rules! lying_sum {
    ($world:ident, $lie:ident) => {
        let $world = five();
        let run = honest(&$world);
        let $lie = Corrupted::new(&run, $world.rules()).flip(SUM, 0, 1).unwrap();
    };
}

#[test]
fn rule_22_partials_are_as_many_as_parts_and_are_an_i128_together() {
    lying_sum!(world, lie);
    let (mut table, partials) = over_the_sum(&world, &lie);
    for wrong in [&partials[1..], &[&partials[..], &[0]].concat(), &[], &partials[..1]] {
        assert_eq!(table.pure.play(Party::Submitter, &reveal(wrong)), Err(Refused::PartialCount));
        assert!(table.contract.play(Party::Submitter, &reveal(wrong)).is_err());
    }
    // The contract sees bytes: 16 partials of one width, 1 to 16 bytes, or none.
    let state = table.contract.logs().iter().filter_map(state_after).last().unwrap().1;
    for length in [0, 1, 15, 17, 31, 255, 257, 15 * 17, 16 * 17, 1_024] {
        let c = table.contract.on_chain().claim.clone();
        let call = Dispute::revealPartialsCall { state: state.clone(), c, partials: vec![0; length].into() };
        reverts::<Dispute::BadPartials, _>(table.send(SUBMITTER, U256::ZERO, &call));
    }
    let mut edge = [0; 16];
    for (a, b) in [(i128::MAX, 1), (i128::MIN, -1), (i128::MIN, i128::MIN), (i128::MAX, i128::MAX)] {
        (edge[0], edge[15]) = (a, b);
        table.refuse::<Dispute::BadPartials>(&reveal(&edge), &Refused::PartialSum);
    }
    // Only the whole must be an i128, not every prefix; and it need not be the element.
    (edge[0], edge[1], edge[15]) = (i128::MAX, i128::MAX, i128::MIN + 1);
    edge[14] = i128::MIN;
    table.play(&reveal(&edge));
    table.proves(&table.idea(Idea::Slice(3)));
}

#[test]
fn rule_22_partials_of_a_slice_combine_to_its_partial() {
    lying_sum!(world, lie);
    let (mut table, mut partials) = over_the_sum(&world, &lie);
    // One too high and another too low: the sum stays.
    (partials[4], partials[9]) = (partials[4] + 1, partials[9] - 1);
    table.play(&reveal(&partials));
    let mut changed = partials.clone();
    changed[0] += 1;
    table.refuse::<Dispute::BadHash>(&Move::SelectPartial { part: 4, partials: changed }, &Refused::Partials);
    table.play(&table.idea(Idea::Part(4)));
    let Move::RevealPartials { partials: mut parts } = table.due() else { panic!() };
    for by in [0, 2, -1, i128::MAX / 2] {
        let mut wrong = parts.clone();
        wrong[2] += by;
        table.refuse::<Dispute::BadPartials>(&reveal(&wrong), &Refused::PartialSum);
    }
    parts[2] += 1;
    table.play(&reveal(&parts));
    for part in [1, 3] {
        table.refuse::<Dispute::NoContradiction>(&table.idea(Idea::Slice(part)), &Refused::NoFault);
    }
    table.proves(&table.idea(Idea::Slice(2)));
}

#[test]
fn rule_22_the_parts_are_a_fixed_partition_of_the_range() {
    lying_sum!(world, lie);
    let (mut table, partials) = over_the_sum(&world, &lie);
    table.play(&reveal(&partials));
    // 300 terms in 16 parts of 18 or 19; a proof of part 3 with the witness and slice of another is about part 3.
    let cuts: Vec<_> = (0..16).map(|j| split::part(16, 0, 300, j).unwrap()).collect();
    assert_eq!((cuts[0], cuts[3], cuts[15]), ((0, 18), (56, 75), (281, 300)));
    for part in [0, 3, 15] {
        table.refuse::<Dispute::NoContradiction>(&table.idea(Idea::Slice(part)), &Refused::NoFault);
    }
    table.play(&table.idea(Idea::Part(3)));
    let opml_bisection::Position::Slice(_, slice) = table.at() else { panic!() };
    assert_eq!((slice.k0, slice.k1, slice.value), (56, 75, partials[3]));
}

#[test]
fn rule_22_extremes_combine_as_extremes() {
    let world = five();
    let run = honest(&world);
    // The maximum of 5, 3, 90 is said to be 91.
    let lie = Corrupted::new(&run, world.rules()).flip(SMALL, 0, 1).unwrap();
    assert_eq!((run.element(SMALL, 0).unwrap(), lie.element(SMALL, 0).unwrap()), (90, 91));
    let mut table = Table::opened(&world, 1, 1, &lie).walk_to(SMALL).follow(&[]);
    table.play(&table.idea(Idea::Cut(0)));
    table.play(&reveal(&[5, 91]));
    table.play(&table.idea(Idea::Part(1)));
    for wrong in [[3, 90], [92, 91], [45, 46]] {
        table.refuse::<Dispute::BadPartials>(&reveal(&wrong), &Refused::PartialSum);
    }
    table.play(&reveal(&[91, 91]));
    table.proves(&table.idea(Idea::Slice(0)));
}

#[test]
fn rule_23_right_partials_of_a_wrong_element_lose_by_the_post() {
    lying_sum!(world, lie);
    let (mut table, partials) = over_the_sum(&world, &lie);
    table.play(&reveal(&partials));
    for part in 0..16 {
        table.refuse::<Dispute::NoContradiction>(&table.idea(Idea::Slice(part)), &Refused::NoFault);
    }
    table.proves(&table.idea(Idea::Post));
}

#[test]
fn rule_23_partials_of_another_total_lose_by_a_partial() {
    lying_sum!(world, lie);
    let (mut table, mut partials) = over_the_sum(&world, &lie);
    let right = world.rules().combine(Reducer::Sum.code(), &partials).unwrap();
    // The lie changed bit 0 of the element.
    let by = i128::from(lie.element(SUM, 0).unwrap()) - right;
    assert_eq!(by.abs(), 1);
    partials[3] += by;
    table.play(&reveal(&partials));
    table.refuse::<Dispute::NoContradiction>(&table.idea(Idea::Post), &Refused::NoFault);
    for part in [2, 4] {
        table.refuse::<Dispute::NoContradiction>(&table.idea(Idea::Slice(part)), &Refused::NoFault);
    }
    table.proves(&table.idea(Idea::Slice(3)));
    table.won_by(MoveKind::ProveSlice);
}

/// One element of `extents` terms, each a gather by a value that was itself gathered: all are 0, the claim says 1.
fn endless(extents: &[u32]) -> VmWorld {
    let table = |n| fixed(4, 0, &[(n, 1)]);
    let instruction = Build::new(DType::I64, Reducer::Sum, &[1], extents)
        .load(Source::Constant(0), 3, &[table(10)])
        .load(Source::Constant(1), 0, &[table(18)])
        .op(Opcode::Mul, [19, 9, 0])
        .done();
    let constants = [[3, 1, 0, 2], [0; 4]].map(|values| Tensor::saturating(DType::I8, &values)).to_vec();
    VmWorld::new(Program::new(vec![instruction], constants, Vec::new(), 0, None).unwrap(), Vec::new(), 1)
}

#[test]
fn rule_33_every_reduction_is_cut_to_one_term_inside_the_clock() {
    for (extents, arity_log2, most) in
        [(&[65_536, 65_535][..], 4, 8), (&[1 << 20, 1 << 20], 4, 10), (&[1 << 20, 1 << 20], 6, 7)]
    {
        let world = endless(extents);
        // Nobody sums so many terms: the claim's run is made up, and so are its partials.
        let values = vec![Tensor::saturating(DType::I64, &[1])];
        let run = world.trace(Run { length: 1, values });
        // The world's own claim would run the program.
        let claim = opml_bisection::Claim {
            instructions: 1,
            output_at: 0,
            halt_at: None,
            max_length: 1,
            length: 1,
            output: [0; 32],
            arity_log2,
        };
        let claim = super::table::claiming(&world, claim, &run.bytes(0).unwrap());
        let mut table = Table::of(&world, claim, &run);
        // Each turn takes all of its free delay; the budgets are not touched.
        let delay = world.timing().delay;
        let wait = |table: &mut Table<'_>| table.advance(delay, 100);
        let (mut k0, mut k1) = (0, extents.iter().map(|&n| u64::from(n)).product());
        assert_eq!(split::rounds(1 << arity_log2, k1), most);
        table.answer();
        table.advance(world.timing().trace, 100);
        wait(&mut table);
        table.play(&table.idea(Idea::Select(0)));
        wait(&mut table);
        table.answer();
        wait(&mut table);
        table.play(&table.idea(Idea::Cut(0)));
        for round in 1.. {
            let m = split::parts(1 << arity_log2, k1 - k0);
            let mut partials = vec![0; usize::try_from(m).unwrap()];
            *partials.last_mut().unwrap() = 1;
            wait(&mut table);
            table.play(&reveal(&partials));
            wait(&mut table);
            (k0, k1) = split::part(1 << arity_log2, k0, k1, m - 1).unwrap();
            if k1 - k0 > 1 {
                table.play(&Move::SelectPartial { part: m - 1, partials });
                continue;
            }
            assert!(round <= most, "{round} rounds");
            let clock = table.pure.game().clock().unwrap();
            assert_eq!((clock.submitter, clock.challenger), (world.timing().budget, world.timing().budget));
            let step = run.step(0, &Question::Slice { e: 0, k0, k1 }, &TraceNodes(&run)).unwrap();
            table.proves(&Move::ProveSlice { part: m - 1, partials, step });
            break;
        }
    }
}
