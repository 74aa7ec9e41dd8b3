//! Keeps the pool's threads awake during a run of many short instructions.
//!
//! An idle thread of the pool sleeps after some microseconds, and to wake it takes as long as a short instruction. While a
//! run lasts, the others poll for work instead.

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

/// Runs `f` on this thread while the others of the pool poll.
pub(super) fn during<R>(f: impl FnOnce() -> R) -> R {
    let (ended, owner) = (AtomicBool::new(false), rayon::current_thread_index());
    rayon::in_place_scope(|scope| {
        for _ in 1..rayon::current_num_threads() {
            scope.spawn(|_| {
                // The run's own thread has the run to do.
                if rayon::current_thread_index() != owner {
                    poll(&ended);
                }
            });
        }
        let _ended = Ended(&ended);
        f()
    })
}

fn poll(ended: &AtomicBool) {
    let mut idle = 0;
    while idle < IDLE && !ended.load(Ordering::Acquire) {
        if rayon::yield_now() == Some(Yield::Executed) {
            idle = 0;
        } else {
            idle += 1;
            hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    #[test]
    fn work_is_done_and_runs_may_nest() {
        let sum = || (0..1000u64).into_par_iter().map(|n| n * n).sum::<u64>();
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let all: Vec<u64> = pool.install(|| {
                let one = |_| during(|| sum() + during(sum));
                (0..40).into_par_iter().map(one).collect()
            });
            assert!(all.iter().all(|&n| n == 2 * 332_833_500));
        }
        assert_eq!(during(sum), 332_833_500);
    }
}
