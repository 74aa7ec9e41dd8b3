//! Byte strings near the encodings of well-formed instructions.

use alloc::vec::Vec;

use super::{
    program::{Limits, random_program},
    rng::Rng,
};
use crate::codec::Counts;

/// Bytes at which a field changes its meaning: around every limit of the header.
const TELLING: [u8; 20] = [0, 1, 2, 3, 4, 5, 6, 8, 9, 16, 17, 18, 21, 22, 32, 33, 127, 128, 129, 255];

/// Bytes that may or may not decode, and the counts to decode them with.
pub fn random_encoding(seed: u64) -> (Vec<u8>, Counts) {
    let mut rng = Rng::new(seed ^ 0x656e_636f_6469_6e67);
    let (mut bytes, counts) = sample(&mut rng);
    match rng.below(16) {
        0 => {}
        1 => {
            let length = rng.below(200);
            bytes = (0..length).map(|_| byte(&mut rng)).collect();
        }
        _ => {
            for _ in 0..rng.pick(&[1, 1, 1, 2, 4], 1) {
                mutate(&mut rng, &mut bytes);
            }
        }
    }
    (bytes, counts)
}

fn sample(rng: &mut Rng) -> (Vec<u8>, Counts) {
    let limits = Limits { instructions: 3, ..Limits::default() };
    let (program, _, _) = random_program(rng.bits(), &limits);
    let number = rng.index(program.encodings().len());
    (program.encodings().get(number).cloned().unwrap_or_default(), program.counts())
}

fn byte(rng: &mut Rng) -> u8 {
    if rng.chance(60) {
        return rng.pick(&TELLING, 0);
    }
    u8::try_from(rng.below(256)).unwrap_or(0)
}

fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let at = rng.index(bytes.len());
    let drawn = byte(rng);
    match rng.below(12) {
        0..3 => set(bytes, rng.index(8), drawn),
        3..7 => set(bytes, at, drawn),
        7 => {
            let old = bytes.get(at).copied().unwrap_or(0);
            set(bytes, at, old ^ rng.pick(&[1, 2, 4, 8, 16, 32, 64, 128], 1));
        }
        8 => bytes.truncate(at),
        9 => {
            let extra = rng.between(1, 40);
            bytes.extend((0..extra).map(|_| drawn));
        }
        10 => bytes.insert(at, drawn),
        _ => {
            let other = sample(rng).0;
            bytes.truncate(at);
            bytes.extend(other.iter().skip(at));
        }
    }
}

fn set(bytes: &mut [u8], at: usize, value: u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = value;
    }
}
