//! Every tier of this CPU against `opml_vm::merkle::keccak`, in every class of length and every number of messages.

use opml_vm::{Hash, merkle, testing::Rng};

use super::{blocks, keccak_equal, keccak_many};
use crate::{commit::Hasher, tier::Tier};

fn messages<const N: usize>(count: usize, seed: u64) -> Vec<[u8; N]> {
    let mut rng = Rng::new(seed);
    (0..count).map(|_| std::array::from_fn(|_| rng.bits().to_le_bytes()[0])).collect()
}

fn compare<const N: usize, const B: usize>(count: usize) {
    let messages = messages::<N>(count, u64::try_from(N).unwrap());
    let expected: Vec<Hash> = messages.iter().map(|message| merkle::keccak(&[message])).collect();
    let scattered: Vec<&[u8; N]> = messages.iter().collect();
    for tier in Tier::supported() {
        let mut out = vec![[9; 32]; count];
        keccak_many::<N, B, _>(tier, &messages, &mut out);
        assert_eq!(out, expected, "{count} messages of {N} bytes on {}", tier.name());
        let mut out = vec![[9; 32]; count];
        keccak_many::<N, B, _>(tier, &scattered, &mut out);
        assert_eq!(out, expected, "{count} messages of {N} bytes in different places on {}", tier.name());
    }
}

#[test]
fn the_hashes_of_a_tree() {
    for count in (0..=20).chain([1000, 1003]) {
        compare::<256, 2>(count);
        compare::<64, 1>(count);
        compare::<41, 1>(count);
    }
}

#[test]
fn every_class_of_length() {
    for count in [1, 2, 5, 8, 13] {
        compare::<0, 1>(count);
        compare::<1, 1>(count);
        compare::<7, 1>(count);
        compare::<8, 1>(count);
        compare::<127, 1>(count);
        compare::<128, 1>(count);
        compare::<134, 1>(count);
        compare::<135, 1>(count);
        compare::<136, 2>(count);
        compare::<137, 2>(count);
        compare::<271, 2>(count);
        compare::<272, 3>(count);
        compare::<1000, 8>(count);
    }
}

#[test]
fn messages_of_any_length() {
    let bytes: Vec<u8> = messages::<1000>(9, 1).concat();
    for (length, count) in (0..=280).map(|length| (length, length % 19 + 1)).chain([(408, 8), (4000, 3), (1000, 9)]) {
        let start = |number: usize| number * 7 % (bytes.len() - length + 1);
        let messages: Vec<&[u8]> = (0..count).map(|number| &bytes[start(number)..][..length]).collect();
        let expected: Vec<Hash> = messages.iter().map(|message| merkle::keccak(&[message])).collect();
        for tier in Tier::supported() {
            let mut out = vec![[9; 32]; count];
            keccak_equal(tier, &messages, &mut out);
            assert_eq!(out, expected, "{count} messages of {length} bytes on {}", tier.name());
        }
    }
}

#[test]
fn lengths_may_change() {
    let bytes = messages::<1000>(1, 2).concat();
    let lengths = [3, 3, 3, 0, 0, 200, 136, 136, 136, 136, 136, 136, 136, 136, 136, 3, 999];
    let messages: Vec<&[u8]> =
        lengths.iter().zip(0..).map(|(&length, start)| &bytes[start..][..length.min(900)]).collect();
    let many: Vec<&[u8]> = messages.iter().copied().cycle().take(17).chain([&bytes[..700]; 300]).collect();
    let expected: Vec<Hash> = many.iter().map(|message| merkle::keccak(&[message])).collect();
    for tier in Tier::supported() {
        assert_eq!(Hasher::new(tier).digests(&many), expected, "on {}", tier.name());
    }
    assert_eq!(Hasher::current().digests(&[]), Vec::<Hash>::new());
}

#[test]
fn blocks_count_the_padding() {
    let lengths = [0, 41, 64, 135, 136, 256, 271, 272];
    assert_eq!(lengths.map(blocks), [1, 1, 1, 1, 2, 2, 2, 3]);
}

/// The empty message and "abc": published values, so that an error which both sides share would show.
#[test]
fn published_values() {
    let hex = |hash: &Hash| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for tier in Tier::supported() {
        let mut out = [[0; 32]; 6];
        keccak_many::<0, 1, _>(tier, &[[]; 6], &mut out);
        for hash in &out {
            assert_eq!(hex(hash), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
        }
        keccak_many::<3, 1, _>(tier, &[*b"abc"; 6], &mut out);
        for hash in &out {
            assert_eq!(hex(hash), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
        }
    }
}
