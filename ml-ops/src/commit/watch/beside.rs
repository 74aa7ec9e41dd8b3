//! Values hashed by whichever thread has nothing else to do, while the run goes on.
//!
//! A run does not keep all threads busy all the time. The thread that computes it leaves parts of values behind as tasks; those that
//! it leaves idle take them, and all of them do what is left when the run is over.

use std::{
    collections::VecDeque,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use opml_vm::{Hash, Tensor, merkle::LEAF_BYTES};

use super::{LANES, PART, SMALL, Seen, Value, filled, low};
use crate::{
    commit::hasher::Hasher,
    engine::{Engine, Other},
};

/// More parts than that are not near any more.
const MANY: usize = 8;
/// Of more parts than that the run does some itself, so that memory is bounded: 8 MiB.
const MOST: usize = 256;

/// Tasks, and what they have found.
pub(super) struct Beside<'a> {
    hasher: Hasher,
    engine: &'a Engine,
    left: Mutex<Left>,
    found: Mutex<Vec<(Place, Vec<Hash>)>>,
}

/// What is left to be hashed.
#[derive(Default)]
struct Left {
    /// Parts of large values.
    parts: VecDeque<(usize, Tensor, usize)>,
    /// Leaves of small values.
    leaves: Vec<[u8; LEAF_BYTES]>,
    /// Parts and takings of leaves up to now.
    tasks: usize,
}

/// Where the hashes of a task go: small values or large ones, and the number of the task.
type Place = (bool, usize);

/// Something to hash.
enum Task {
    /// Leaves of small values.
    Leaves(usize, Vec<[u8; LEAF_BYTES]>),
    /// The part of a large value from a leaf on.
    Part(usize, Tensor, usize),
}

impl Left {
    /// The oldest part, or the leaves that wait, if they are so many.
    fn take(&mut self, many: usize) -> Option<Task> {
        if self.leaves.len() < PART
            && let Some((number, value, first)) = self.parts.pop_front()
        {
            return Some(Task::Part(number, value, first));
        }
        (self.leaves.len() >= many).then(|| {
            self.tasks += 1;
            Task::Leaves(self.tasks, mem::replace(&mut self.leaves, Vec::with_capacity(PART)))
        })
    }
}

impl<'a> Beside<'a> {
    pub(super) fn new(hasher: Hasher, engine: &'a Engine) -> Self {
        Self { hasher, engine, left: Mutex::default(), found: Mutex::default() }
    }

    /// The next value of a run.
    pub(super) fn see(&self, value: &mut Tensor) {
        let leaves = value.bytes().len().div_ceil(LEAF_BYTES);
        let is_large = leaves >= SMALL;
        if is_large {
            value.share();
        }
        let mut left = lock(&self.left);
        if is_large {
            for first in (0..leaves).step_by(PART) {
                left.tasks += 1;
                let number = left.tasks;
                left.parts.push_back((number, value.clone(), first));
            }
        } else {
            left.leaves.extend_from_slice(value.bytes().as_chunks().0);
            left.leaves.extend(filled(value.bytes()));
        }
        drop(left);
        while self.waiting() > MOST {
            self.one(PART);
        }
    }

    /// Parts that wait, and as many for leaves.
    fn waiting(&self) -> usize {
        let left = lock(&self.left);
        left.parts.len() + left.leaves.len() / PART
    }

    /// Does a task; leaves are one if they are so many.
    fn one(&self, many: usize) -> bool {
        let task = lock(&self.left).take(many);
        let found = match task {
            None => return false,
            Some(Task::Leaves(number, leaves)) => {
                let mut nodes = Vec::with_capacity(leaves.len());
                self.hasher.leaves_onto(&leaves, &mut nodes);
                ((false, number), nodes)
            }
            Some(Task::Part(number, value, first)) => {
                let nodes = low(self.hasher, value.bytes(), first);
                self.engine.recycle(value);
                ((true, number), nodes)
            }
        };
        lock(&self.found).push(found);
        true
    }

    /// What has been found, when the run is over.
    pub(super) fn end(self, values: Vec<Value>) -> Seen {
        while self.one(1) {}
        let mut found = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort_by_key(|&(place, _)| place);
        let large = found.split_off(found.partition_point(|&((is_large, _), _)| !is_large));
        let [small, large] = [found, large].map(|parts| parts.into_iter().flat_map(|(_, nodes)| nodes).collect());
        Seen { values, small, large }
    }
}

impl Other for Beside<'_> {
    fn presses(&self) -> bool {
        self.waiting() > MANY
    }

    fn some(&self) -> bool {
        self.one(LANES)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use opml_vm::{DType, testing::conformance_cases};

    use super::*;

    #[test]
    fn what_waits_is_bounded() {
        let engine = Engine::compile(&conformance_cases()[0].program);
        let beside = Beside::new(Hasher::current(), &engine);
        let (mut values, mut roots) = (Vec::new(), Vec::new());
        for number in 0..12u8 {
            let long = if number % 3 == 0 { 100 } else { (1 << 20) + 300 * usize::from(number) };
            let bytes: Vec<u8> = (0..long).map(|place| place.to_le_bytes()[usize::from(number % 2)] ^ number).collect();
            roots.push(Hasher::current().tensor_root(&bytes));
            let mut value = Tensor::new(DType::U8, u64::try_from(long).unwrap(), bytes).unwrap();
            values.push(Value::of(0, &value));
            beside.see(&mut value);
            assert!(beside.waiting() <= MOST);
        }
        assert_eq!((beside.waiting(), beside.presses()), (MOST, true));
        assert_eq!(beside.end(values).finish(Hasher::current(), 1).0, [roots]);
    }
}
