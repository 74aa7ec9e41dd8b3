//! Keeps the pool's threads awake during a run of many short instructions.
//!
//! An idle thread of the pool sleeps after some microseconds, and to wake it takes as long as a short instruction. While a
//! run lasts, the others poll for work instead, and may do other things when there is none.

use std::{
    hint,
    sync::atomic::{AtomicBool, Ordering},
};

use rayon::Yield;

/// Polls without any work after which a thread may sleep again. It bounds what a thread loses that took this up while
/// others wait for it.
const IDLE: usize = 1 << 14;

/// Ends the polling, also when a run ends early.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// What threads do that have no work.
pub(crate) trait Other: Sync {
    /// Whether so much is left that it goes before work.
    fn presses(&self) -> bool;
    /// Does some of it; `false` if there is nothing to do.
    fn some(&self) -> bool;
}

/// Nothing.
impl Other for () {
    fn presses(&self) -> bool {
        false
    }

    fn some(&self) -> bool {
        false
    }
}

/// Runs `f` on this thread while the others of the pool poll, and do other things when there is no work for them. When `f` is done,
/// all threads do what is left of these.
pub(super) fn during<R>(other: &dyn Other, f: impl FnOnce() -> R) -> R {
    let (ended, owner) = (AtomicBool::new(false), rayon::current_thread_index());
    rayon::in_place_scope(|scope| {
        for _ in 1..rayon::current_num_threads() {
            scope.spawn(|_| {
                // The run's own thread has the run to do.
                if rayon::current_thread_index() != owner {
                    poll(&ended, other);
                }
            });
        }
        let _ended = Ended(&ended);
        let result = f();
        while other.some() {}
        result
    })
}

fn poll(ended: &AtomicBool, other: &dyn Other) {
    let mut idle = 0;
    while idle < IDLE && !ended.load(Ordering::Acquire) {
        let pressing = other.presses() && other.some();
        if pressing || rayon::yield_now() == Some(Yield::Executed) || other.some() {
            idle = 0;
        } else {
            idle += 1;
            hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use rayon::prelude::*;

    use super::*;

    #[test]
    fn work_is_done_and_runs_may_nest() {
        let sum = || (0..1000u64).into_par_iter().map(|n| n * n).sum::<u64>();
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let all: Vec<u64> = pool.install(|| {
                let one = |_| during(&(), || sum() + during(&(), sum));
                (0..40).into_par_iter().map(one).collect()
            });
            assert!(all.iter().all(|&n| n == 2 * 332_833_500));
        }
        assert_eq!(during(&(), sum), 332_833_500);
    }

    /// So many things.
    struct Things(AtomicUsize);

    impl Other for Things {
        fn presses(&self) -> bool {
            self.0.load(Ordering::Relaxed) > 50
        }

        fn some(&self) -> bool {
            self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        }
    }

    #[test]
    fn other_things_are_done_by_the_end() {
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for count in [0, 1, 100] {
                let things = Things(count.into());
                let sum = pool.install(|| during(&things, || (0..50).into_par_iter().sum::<u64>()));
                assert_eq!((sum, things.0.into_inner()), (1225, 0), "{threads} threads");
            }
        }
    }
}
