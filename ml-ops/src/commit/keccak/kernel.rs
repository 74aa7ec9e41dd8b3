//! The text of a kernel: Keccak-256 of several messages of one length at once, one state in each lane of the vectors.
//!
//! The constants and steps are those of FIPS 202 §3.2 (theta, rho, pi, chi, iota) and of the sponge with rate 136 and
//! Keccak's original padding (`0x01 … 0x80`).

/// Iota's constants, one a round.
pub(super) const ROUNDS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// Writes the functions of a kernel into a module that defines the vector `Word` of `LANES` words of 64 bits and
/// `splat`, `pack`, `unpack`, `xor`, `xor3` (`a ^ b ^ c`) and `chi` (`a ^ (!b & c)`), and theta's and rho's steps: `theta`
/// from the parities of the columns before and after, `add` of that to a word, and `add_rotate::<LEFT, RIGHT>`, which
/// rotates the sum by `LEFT` bits (`RIGHT = 64 - LEFT`); all with the features named. [`steps`] derives the last three from
/// `xor3` and `rotate`.
macro_rules! kernel {
    ($features:literal) => {
        /// Hashes of `LANES` messages; `B` is [`blocks`](super::blocks) of `N`.
        #[target_feature(enable = $features)]
        pub(super) fn hash<const N: usize, const B: usize>(messages: [&[u8; N]; LANES]) -> [Hash; LANES] {
            const { assert!(B == blocks(N), "the number of blocks follows from the length") };
            let mut blocks = [[splat(0); RATE]; B];
            absorb(messages, blocks.as_flattened_mut());
            let mut state = [splat(0); 25];
            for block in &blocks {
                for (word, &input) in state.iter_mut().zip(block) {
                    *word = xor(*word, input);
                }
                permute(&mut state);
            }
            squeeze(&state)
        }

        /// Hashes of `LANES` messages that have one length, whatever it is.
        #[target_feature(enable = $features)]
        pub(super) fn sponge(messages: [&[u8]; LANES]) -> [Hash; LANES] {
            let parts = messages.map(|message| message.as_chunks::<{ 8 * RATE }>());
            let whole = parts.iter().map(|(blocks, _)| blocks.len()).min().unwrap_or(0);
            let mut state = [splat(0); 25];
            for number in 0..whole {
                take(&mut state, parts.map(|(blocks, _)| &blocks[number]));
            }
            let mut last = [[0; 8 * RATE]; LANES];
            for (last, (_, rest)) in last.iter_mut().zip(parts) {
                last[..rest.len()].copy_from_slice(rest);
                last[rest.len()] ^= 1;
                last[8 * RATE - 1] ^= 0x80;
            }
            take(&mut state, last.each_ref());
            squeeze(&state)
        }

        /// Absorbs a block of each message.
        #[inline]
        #[target_feature(enable = $features)]
        fn take(state: &mut [Word; 25], blocks: [&[u8; 8 * RATE]; LANES]) {
            for (number, word) in state.iter_mut().enumerate().take(RATE) {
                let lane = |block: &[u8; 8 * RATE]| block.as_chunks().0.get(number).copied().unwrap_or_default();
                *word = xor(*word, pack(blocks.map(|block| u64::from_le_bytes(lane(block)))));
            }
            permute(state);
        }

        /// The words of padded messages, side by side.
        #[inline]
        #[target_feature(enable = $features)]
        fn absorb<const N: usize>(messages: [&[u8; N]; LANES], words: &mut [Word]) {
            for (number, word) in words.iter_mut().enumerate().take(N / 8) {
                let mut lanes = [0; LANES];
                for (lane, message) in lanes.iter_mut().zip(messages) {
                    *lane = message.as_chunks().0.get(number).map_or(0, |&bytes| u64::from_le_bytes(bytes));
                }
                *word = pack(lanes);
            }
            let mut lanes = [0; LANES];
            for (lane, message) in lanes.iter_mut().zip(messages) {
                let rest = message.as_chunks::<8>().1;
                let padded = rest.iter().chain(&[1]).rev();
                *lane = padded.fold(0, |word, &byte| (word << 8) | u64::from(byte));
            }
            if let Some(word) = words.get_mut(N / 8) {
                *word = pack(lanes);
            }
            if let Some(word) = words.last_mut() {
                *word = xor(*word, splat(1 << 63));
            }
        }

        /// The first 256 bits of each state.
        #[inline]
        #[target_feature(enable = $features)]
        fn squeeze(state: &[Word; 25]) -> [Hash; LANES] {
            let mut hashes = [[0; 32]; LANES];
            for (number, &word) in state.iter().enumerate().take(4) {
                for (hash, lane) in hashes.iter_mut().zip(unpack(word)) {
                    hash[8 * number..8 * number + 8].copy_from_slice(&lane.to_le_bytes());
                }
            }
            hashes
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn permute(state: &mut [Word; 25]) {
            let mut s = *state;
            for constant in ROUNDS {
                s = round(s, constant);
            }
            *state = s;
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn round(s: [Word; 25], constant: u64) -> [Word; 25] {
            let c0 = xor3(xor3(s[0], s[5], s[10]), s[15], s[20]);
            let c1 = xor3(xor3(s[1], s[6], s[11]), s[16], s[21]);
            let c2 = xor3(xor3(s[2], s[7], s[12]), s[17], s[22]);
            let c3 = xor3(xor3(s[3], s[8], s[13]), s[18], s[23]);
            let c4 = xor3(xor3(s[4], s[9], s[14]), s[19], s[24]);
            let [d0, d1, d2, d3, d4] = [theta(c4, c1), theta(c0, c2), theta(c1, c3), theta(c2, c4), theta(c3, c0)];
            let [o0, o1, o2, o3, o4] = chi_row([
                add(s[0], d0),
                add_rotate::<44, 20>(s[6], d1),
                add_rotate::<43, 21>(s[12], d2),
                add_rotate::<21, 43>(s[18], d3),
                add_rotate::<14, 50>(s[24], d4),
            ]);
            let [o5, o6, o7, o8, o9] = chi_row([
                add_rotate::<28, 36>(s[3], d3),
                add_rotate::<20, 44>(s[9], d4),
                add_rotate::<3, 61>(s[10], d0),
                add_rotate::<45, 19>(s[16], d1),
                add_rotate::<61, 3>(s[22], d2),
            ]);
            let [o10, o11, o12, o13, o14] = chi_row([
                add_rotate::<1, 63>(s[1], d1),
                add_rotate::<6, 58>(s[7], d2),
                add_rotate::<25, 39>(s[13], d3),
                add_rotate::<8, 56>(s[19], d4),
                add_rotate::<18, 46>(s[20], d0),
            ]);
            let [o15, o16, o17, o18, o19] = chi_row([
                add_rotate::<27, 37>(s[4], d4),
                add_rotate::<36, 28>(s[5], d0),
                add_rotate::<10, 54>(s[11], d1),
                add_rotate::<15, 49>(s[17], d2),
                add_rotate::<56, 8>(s[23], d3),
            ]);
            let [o20, o21, o22, o23, o24] = chi_row([
                add_rotate::<62, 2>(s[2], d2),
                add_rotate::<55, 9>(s[8], d3),
                add_rotate::<39, 25>(s[14], d4),
                add_rotate::<41, 23>(s[15], d0),
                add_rotate::<2, 62>(s[21], d1),
            ]);
            let o0 = xor(o0, splat(constant));
            [
                o0, o1, o2, o3, o4, o5, o6, o7, o8, o9, o10, o11, o12, o13, o14, o15, o16, o17, o18, o19, o20, o21,
                o22, o23, o24,
            ]
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn chi_row(b: [Word; 5]) -> [Word; 5] {
            [
                chi(b[0], b[1], b[2]),
                chi(b[1], b[2], b[3]),
                chi(b[2], b[3], b[4]),
                chi(b[3], b[4], b[0]),
                chi(b[4], b[0], b[1]),
            ]
        }
    };
}
pub(super) use kernel;

/// Steps of theta and rho for vectors that have a `rotate::<LEFT, RIGHT>`: the sum of three words is left for last.
macro_rules! steps {
    ($features:literal) => {
        #[inline]
        #[target_feature(enable = $features)]
        fn theta(before: Word, after: Word) -> (Word, Word) {
            (before, rotate::<1, 63>(after))
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn add(word: Word, (before, after): (Word, Word)) -> Word {
            xor3(word, before, after)
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn add_rotate<const LEFT: i32, const RIGHT: i32>(word: Word, parities: (Word, Word)) -> Word {
            rotate::<LEFT, RIGHT>(add(word, parities))
        }
    };
}
pub(super) use steps;
