//! Outputs, lengths and halts.

use crate::table::{Table, honest};
use crate::worlds::{self, instruction};
use opml_bisection::players::{Corrupted, Idea};
use opml_bisection::suite::World;
use opml_bisection::toy::{Run, ToyWorld};
use opml_bisection::{Header, Move, MoveKind, Refused, Trace, TraceNodes, ZERO, element_under_trace, tree};

fn two_level() -> ToyWorld {
    ToyWorld::once(&[instruction(1, 4, 0, 40, 5), instruction(2, 1, 1, 3, 3), instruction(3, 0, 0, 0, 2)], 1)
}

#[test]
fn the_trace_must_hold_the_claimed_output() {
    let world = two_level();
    let run = honest(&world);
    let table = Table::new(&world, 1, 1, &run);
    let Move::OpenTrace(open) = table.answer() else { panic!() };
    let refused = |change: &dyn Fn(&mut opml_bisection::OpenTrace)| {
        let mut open = open.clone();
        change(&mut open);
        table.clone().refusal(&Move::OpenTrace(open))
    };
    assert_eq!(refused(&|o| o.output.push(0)), Refused::Output);
    assert_eq!(refused(&|o| o.output[0] ^= 1), Refused::Output);
    assert_eq!(refused(&|o| o.output_leaf.leaf = 0), Refused::Output);
    assert_eq!(refused(&|o| o.output_leaf.dtype = 9), Refused::Header);
    assert_eq!(refused(&|o| o.output_leaf.dtype = 0), Refused::Opening);
    assert_eq!(refused(&|o| o.children.push(ZERO)), Refused::Children);
    assert_eq!(refused(&|o| o.root = ZERO), Refused::Children);
    let mut open_twice = table.clone().follow(&[]);
    assert_eq!(open_twice.refusal(&Move::OpenTrace(open)), Refused::NotHere(MoveKind::OpenTrace));
}

#[test]
fn a_short_run_must_show_its_halt() {
    let world = worlds::recurrent();
    let early = world.run(2).unwrap();
    let mut table = Table::new(&world, 2, 2, &early);
    let opening = table.answer();
    assert_eq!(table.refusal(&opening), Refused::NotHalted);
    let right = honest(&world);
    let mut table = Table::new(&world, 2, 3, &right);
    let Move::OpenTrace(mut open) = table.answer() else { panic!() };
    let halt = open.halt.take();
    assert_eq!(table.refusal(&Move::OpenTrace(open.clone())), Refused::NotHalted);
    open.halt = halt;
    table.play(&Move::OpenTrace(open)).unwrap();
    let last = table.idea(Idea::Halt(2)).unwrap();
    assert_eq!(table.refusal(&last), Refused::Halt, "the halt at T-1 is right");
    let before = table.idea(Idea::Halt(1)).unwrap();
    assert_eq!(table.refusal(&before), Refused::NoFault);
}

/// A trace whose halt value at `leaf` has two elements, 0 and 1: not halted.
fn half<'a>(run: &'a Run, world: &'a ToyWorld, leaf: u64) -> Corrupted<'a, Run> {
    Corrupted::new(run, &world.program).value(leaf, Header { dtype: 0, elements: 2 }, vec![0, 1])
}

#[test]
fn only_element_0_of_the_halt_at_its_iteration_halts() {
    let world = worlds::recurrent();
    let right = honest(&world);
    let halt_at = |t: u64| t * 4 + 3;
    let lie = half(&right, &world, halt_at(0));
    let mut table = Table::new(&world, 1, 3, &lie).follow(&[]);
    let Some(Move::ProveHalt { mut opening, .. }) = table.idea(Idea::Halt(0)) else { panic!() };
    assert_eq!(table.refusal(&Move::ProveHalt { t: 0, opening: opening.clone() }), Refused::NoFault);
    opening.e = 1;
    assert_eq!(table.refusal(&Move::ProveHalt { t: 0, opening }), Refused::Number, "element 1");
    let Some(Move::ProveHalt { opening, .. }) = table.idea(Idea::Halt(2)) else { panic!() };
    assert_eq!(table.refusal(&Move::ProveHalt { t: 0, opening }), Refused::Number, "another iteration's halt");
    let Some(Move::ProveElement { opening, .. }) = table.idea(Idea::Element(0, 0)) else { panic!() };
    assert!(right.element(0, 0).unwrap() != 0);
    assert_eq!(table.refusal(&Move::ProveHalt { t: 0, opening }), Refused::Number, "another instruction's value");
}

#[test]
fn only_element_0_of_the_last_halt_opens_a_short_run() {
    let world = worlds::recurrent();
    let right = honest(&world);
    let lie = half(&right, &world, 11);
    let mut table = Table::new(&world, 1, 3, &lie);
    let Move::OpenTrace(open) = table.answer() else { panic!() };
    assert_eq!(table.refusal(&Move::OpenTrace(open.clone())), Refused::NotHalted);
    let mut second = open.clone();
    second.halt.as_mut().unwrap().e = 1;
    assert_eq!(table.refusal(&Move::OpenTrace(second)), Refused::NotHalted, "element 1");
    let depth = tree::depth(12);
    let nodes = TraceNodes(&lie);
    let mut other = open;
    other.halt = Some(element_under_trace(&table.claim, &lie, &nodes, (0, 0), depth, &world.program).unwrap());
    assert_eq!(table.refusal(&Move::OpenTrace(other)), Refused::NotHalted, "another value");
}
