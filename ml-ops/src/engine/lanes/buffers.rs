//! Gives registers buffers: one whose number is not read any more makes room for a later one.

use std::collections::BTreeMap;

use super::code::{Code, Reg, Step, Width};

/// Shares buffers between registers whose numbers are unique so far.
pub(super) fn share(code: &mut Code) {
    let last = last_reads(code);
    let end = usize::MAX;
    let mut rooms = Rooms::default();
    let mut homes: BTreeMap<Reg, Reg> = BTreeMap::new();
    let mut place = 0;
    for step in code.start.iter_mut().chain(&mut code.block).chain(&mut code.term) {
        if let Step::Lanes { out, what } = step {
            let reads = what.reads();
            let home = rooms.take(out.width);
            homes.insert(*out, home);
            what.rename(&|reg| homes.get(&reg).copied().unwrap_or(reg));
            let over = |reg: &Reg| last.get(reg).copied().unwrap_or(place) <= place;
            let mut over_now: Vec<Reg> = reads.into_iter().filter(over).chain(over(out).then_some(*out)).collect();
            over_now.sort_unstable();
            over_now.dedup();
            for reg in over_now {
                if let Some(home) = homes.get(&reg) {
                    rooms.give(*home);
                }
            }
            *out = home;
        }
        place += 1;
    }
    debug_assert!(place < end, "a program is short");
    code.result = homes.get(&code.result).copied().unwrap_or(code.result);
    (code.narrow, code.wide) = (rooms.narrow.count, rooms.wide.count);
}

/// The place of the last step that reads each register; what later stages read lives on for their next rounds.
fn last_reads(code: &Code) -> BTreeMap<Reg, usize> {
    let mut last: BTreeMap<Reg, usize> = BTreeMap::new();
    let mut written: BTreeMap<Reg, usize> = BTreeMap::new();
    let mut place = 0;
    for (stage, steps) in [&code.start, &code.block, &code.term].into_iter().enumerate() {
        for step in steps {
            if let Step::Lanes { out, what } = step {
                for reg in what.reads() {
                    let here = written.get(&reg) == Some(&stage);
                    let place = if here { place } else { usize::MAX };
                    let entry = last.entry(reg).or_insert(place);
                    *entry = (*entry).max(place);
                }
                written.insert(*out, stage);
                if stage == 0 {
                    last.insert(*out, usize::MAX);
                }
            }
            place += 1;
        }
    }
    last.insert(code.result, usize::MAX);
    last
}

#[derive(Default)]
struct Rooms {
    narrow: Pool,
    wide: Pool,
}

#[derive(Default)]
struct Pool {
    count: usize,
    free: Vec<usize>,
}

impl Rooms {
    fn pool(&mut self, width: Width) -> &mut Pool {
        match width {
            Width::Narrow => &mut self.narrow,
            Width::Wide => &mut self.wide,
        }
    }

    fn take(&mut self, width: Width) -> Reg {
        let pool = self.pool(width);
        let number = pool.free.pop().unwrap_or_else(|| {
            pool.count += 1;
            pool.count - 1
        });
        Reg { number, width }
    }

    fn give(&mut self, reg: Reg) {
        self.pool(reg.width).free.push(reg.number);
    }
}
