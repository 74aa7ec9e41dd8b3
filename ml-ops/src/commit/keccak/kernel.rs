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
/// `splat`, `pack`, `unpack`, `xor`, `xor3` (`a ^ b ^ c`), `chi` (`a ^ (!b & c)`) and `rotate::<LEFT, RIGHT>` (by `LEFT`
/// bits, `RIGHT = 64 - LEFT`), all with the features named.
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
            let r0 = rotate::<1, 63>(c0);
            let r1 = rotate::<1, 63>(c1);
            let r2 = rotate::<1, 63>(c2);
            let r3 = rotate::<1, 63>(c3);
            let r4 = rotate::<1, 63>(c4);
            let [o0, o1, o2, o3, o4] = chi_row([
                xor3(s[0], c4, r1),
                rotate::<44, 20>(xor3(s[6], c0, r2)),
                rotate::<43, 21>(xor3(s[12], c1, r3)),
                rotate::<21, 43>(xor3(s[18], c2, r4)),
                rotate::<14, 50>(xor3(s[24], c3, r0)),
            ]);
            let [o5, o6, o7, o8, o9] = chi_row([
                rotate::<28, 36>(xor3(s[3], c2, r4)),
                rotate::<20, 44>(xor3(s[9], c3, r0)),
                rotate::<3, 61>(xor3(s[10], c4, r1)),
                rotate::<45, 19>(xor3(s[16], c0, r2)),
                rotate::<61, 3>(xor3(s[22], c1, r3)),
            ]);
            let [o10, o11, o12, o13, o14] = chi_row([
                rotate::<1, 63>(xor3(s[1], c0, r2)),
                rotate::<6, 58>(xor3(s[7], c1, r3)),
                rotate::<25, 39>(xor3(s[13], c2, r4)),
                rotate::<8, 56>(xor3(s[19], c3, r0)),
                rotate::<18, 46>(xor3(s[20], c4, r1)),
            ]);
            let [o15, o16, o17, o18, o19] = chi_row([
                rotate::<27, 37>(xor3(s[4], c3, r0)),
                rotate::<36, 28>(xor3(s[5], c4, r1)),
                rotate::<10, 54>(xor3(s[11], c0, r2)),
                rotate::<15, 49>(xor3(s[17], c1, r3)),
                rotate::<56, 8>(xor3(s[23], c2, r4)),
            ]);
            let [o20, o21, o22, o23, o24] = chi_row([
                rotate::<62, 2>(xor3(s[2], c1, r3)),
                rotate::<55, 9>(xor3(s[8], c2, r4)),
                rotate::<39, 25>(xor3(s[14], c3, r0)),
                rotate::<41, 23>(xor3(s[15], c4, r1)),
                rotate::<2, 62>(xor3(s[21], c0, r2)),
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
