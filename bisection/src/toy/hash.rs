//! A cheap 32-byte hash: collision-free in practice, not against an attacker.

use crate::hash::{Hash, Hashing};

/// The toy's hash function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToyHash;

/// One round of a well-mixing 64-bit permutation (splitmix64's finaliser).
#[must_use]
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Hashing for ToyHash {
    fn hash(&self, bytes: &[u8]) -> Hash {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let mut state = [mix(length), 1, 2, 3];
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            let [a, b, c, d] = state;
            state =
                [mix(a ^ u64::from_be_bytes(word)), b.rotate_left(23) ^ a, c.wrapping_add(b), d.wrapping_mul(5) ^ c];
        }
        let mut out = [0; 32];
        let mut last = 0;
        for (to, word) in out.chunks_mut(8).zip(state) {
            last = mix(last ^ word);
            to.copy_from_slice(&last.to_be_bytes());
        }
        out
    }
}
