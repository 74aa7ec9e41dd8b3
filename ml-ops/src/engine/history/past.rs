//! What an instruction has written in the iterations of a run, side by side: where values lie on their own, each is far from
//! the next, and to find them takes longer than to read them.

use opml_vm::Tensor;

use super::{super::Frame, Words};
use crate::num;

/// Copies of an instruction's values, from iteration 0 on.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    words: Vec<[u8; 2]>,
    /// Numbers of each value.
    width: usize,
}

impl Past {
    /// Takes in the values of all iterations before `end`, which the frame sees, as far as they are all alike.
    pub(super) fn extend(&mut self, end: u64, frame: Frame<'_>, number: u32) {
        for tau in self.count()..end {
            let words = words(frame, tau, number);
            if self.words.is_empty() {
                self.width = words.len();
            }
            if words.is_empty() || words.len() != self.width {
                return;
            }
            self.words.extend_from_slice(words);
        }
    }

    fn count(&self) -> u64 {
        num::wide(self.words.len() / self.width.max(1))
    }

    /// The value of an iteration; none if it was not taken in.
    pub(super) fn get(&self, tau: u64) -> Option<&Words> {
        let first = num::size(tau).checked_mul(self.width)?;
        self.words.get(first..first.checked_add(self.width)?).filter(|words| !words.is_empty())
    }
}

/// A value where it lies.
pub(super) fn words(frame: Frame<'_>, tau: u64, number: u32) -> &Words {
    frame.value(tau, number).map_or(&[][..], Tensor::bytes).as_chunks::<2>().0
}
