//! Blocks of quantised weights as floats, by the formulas of ggml (`ggml/src/ggml-quants.c`).
//!
//! A block of 32 is `d·(q − zero)` or `d·q + m`. A block of 256 is eight blocks of 32, or sixteen of 16, whose scales (and
//! minima) are small integers times the block's `d` (and `dmin`).

use super::TensorType;

/// A half-precision number.
pub(crate) fn half([low, high]: [u8; 2]) -> f32 {
    let bits = u16::from_le_bytes([low, high]);
    let (exponent, fraction) = (u32::from(bits >> 10 & 31), u32::from(bits & 1023));
    let sign = u32::from(bits >> 15) << 31;
    match (exponent, fraction) {
        // Below 2^−14: steps of 2^−24, exact in f32.
        (0, _) => {
            let magnitude = f32::from(bits & 1023) * f32::from_bits(103 << 23);
            f32::from_bits(magnitude.to_bits() | sign)
        }
        (31, _) => f32::from_bits(sign | 255 << 23 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

/// A number of the upper half of an f32.
pub(crate) fn brain([low, high]: [u8; 2]) -> f32 {
    f32::from_le_bytes([0, 0, low, high])
}

/// Weights of a block type as they are: codes with a scale for each 32 of them, and what is added.
///
/// Element `i` is `codes[i] · scales[i / 32] + minima[i / 32]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Codes {
    /// Integers of at most 8 bits.
    pub codes: Vec<i8>,
    /// One for each block.
    pub scales: Vec<f32>,
    /// One for each block.
    pub minima: Vec<f32>,
}

impl Codes {
    fn block(&mut self, codes: impl IntoIterator<Item = u8>, zero: i8, (scale, minimum): (f32, f32)) {
        self.codes.extend(codes.into_iter().map(|code| i8::from_le_bytes([code]).wrapping_sub(zero)));
        self.scales.push(scale);
        self.minima.push(minimum);
    }

    fn floats(&self) -> Vec<f32> {
        let blocks = self.codes.as_chunks::<32>().0.iter().zip(self.scales.iter().zip(&self.minima));
        blocks.flat_map(|(codes, (scale, least))| codes.map(|code| f32::from(code) * scale + least)).collect()
    }
}

/// All elements; a last block that is not whole is left out.
pub(super) fn floats(kind: TensorType, bytes: &[u8]) -> Vec<f32> {
    match kind {
        TensorType::F32 => each(bytes, |block: &[u8; 4], out: &mut Vec<f32>| out.push(f32::from_le_bytes(*block))),
        TensorType::F16 => each(bytes, |block: &[u8; 2], out: &mut Vec<f32>| out.push(half(*block))),
        TensorType::BF16 => each(bytes, |block: &[u8; 2], out: &mut Vec<f32>| out.push(brain(*block))),
        TensorType::Q6_K => each(bytes, q6_k),
        _ => codes(kind, bytes).map_or_else(Vec::new, |codes| codes.floats()),
    }
}

/// The codes of a type whose blocks have 32 of them; `None` for others.
pub(super) fn codes(kind: TensorType, bytes: &[u8]) -> Option<Codes> {
    Some(match kind {
        TensorType::Q8_0 => each(bytes, q8_0),
        TensorType::Q4_0 => each(bytes, q4_0),
        TensorType::Q4_1 => each(bytes, q4_1),
        TensorType::Q5_0 => each(bytes, q5_0),
        TensorType::Q5_1 => each(bytes, q5_1),
        TensorType::Q4_K => each(bytes, q4_k),
        TensorType::Q5_K => each(bytes, q5_k),
        TensorType::F32 | TensorType::F16 | TensorType::BF16 | TensorType::Q6_K => return None,
    })
}

fn each<const N: usize, T: Default>(bytes: &[u8], block: impl Fn(&[u8; N], &mut T)) -> T {
    let mut out = T::default();
    bytes.as_chunks::<N>().0.iter().for_each(|bytes| block(bytes, &mut out));
    out
}

/// The half at the front of a block.
fn first_half(bytes: &[u8]) -> f32 {
    bytes.first_chunk().map_or(0.0, |pair| half(*pair))
}

fn q8_0(bytes: &[u8; 34], out: &mut Codes) {
    out.block(bytes[2..].iter().copied(), 0, (first_half(bytes), 0.0));
}

/// The low nibbles, then the high ones.
fn nibbles(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().map(|byte| byte & 15).chain(bytes.iter().map(|byte| byte >> 4))
}

fn q4_0(bytes: &[u8; 18], out: &mut Codes) {
    out.block(nibbles(&bytes[2..]), 8, (first_half(bytes), 0.0));
}

fn q4_1(bytes: &[u8; 20], out: &mut Codes) {
    out.block(nibbles(&bytes[4..]), 0, (first_half(bytes), first_half(&bytes[2..])));
}

/// Nibbles with a fifth bit from a word of 32 bits.
fn five_bits(high: &[u8], low: &[u8]) -> impl Iterator<Item = u8> {
    let high = high.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    nibbles(low).zip(0..).map(move |(q, bit)| q | if high >> bit & 1 == 1 { 16 } else { 0 })
}

fn q5_0(bytes: &[u8; 22], out: &mut Codes) {
    out.block(five_bits(&bytes[2..6], &bytes[6..]), 16, (first_half(bytes), 0.0));
}

fn q5_1(bytes: &[u8; 24], out: &mut Codes) {
    out.block(five_bits(&bytes[4..8], &bytes[8..]), 0, (first_half(bytes), first_half(&bytes[2..])));
}

/// The eight 6-bit scales and minima of a block of 256, packed in 12 bytes.
fn scales(bytes: &[u8], number: usize) -> (f32, f32) {
    let (d, least) = (first_half(bytes), first_half(&bytes[2..]));
    let byte = |at: usize| bytes.get(4 + at).copied().unwrap_or(0);
    let (scale, minimum) = if number < 4 {
        (byte(number) & 63, byte(number + 4) & 63)
    } else {
        let low = byte(number + 4);
        (low & 15 | byte(number - 4) >> 6 << 4, low >> 4 | byte(number) >> 6 << 4)
    };
    (d * f32::from(scale), -(least * f32::from(minimum)))
}

fn q4_k(bytes: &[u8; 144], out: &mut Codes) {
    for (pair, low) in bytes[16..].chunks_exact(32).enumerate() {
        for (number, shift) in [(2 * pair, 0), (2 * pair + 1, 4)] {
            out.block(low.iter().map(|q| q >> shift & 15), 0, scales(bytes, number));
        }
    }
}

fn q5_k(bytes: &[u8; 176], out: &mut Codes) {
    let high = &bytes[16..48];
    for (pair, low) in bytes[48..].chunks_exact(32).enumerate() {
        for (number, shift) in [(2 * pair, 0), (2 * pair + 1, 4)] {
            let five = low.iter().zip(high).map(|(q, h)| q >> shift & 15 | (h >> number & 1) << 4);
            out.block(five, 0, scales(bytes, number));
        }
    }
}

fn q6_k(bytes: &[u8; 210], out: &mut Vec<f32>) {
    let (low, high, scales) = (&bytes[..128], &bytes[128..192], &bytes[192..208]);
    let d = first_half(&bytes[208..]);
    for (half, (low, high)) in low.chunks_exact(64).zip(high.chunks_exact(32)).enumerate() {
        for quarter in 0..4 {
            let (low, shift) = (&low[quarter % 2 * 32..][..32], quarter / 2 * 4);
            for (l, (q, h)) in low.iter().zip(high).enumerate() {
                let six = q >> shift & 15 | (h >> (2 * quarter) & 3) << 4;
                let scale = i8::from_le_bytes([scales[half * 8 + quarter * 2 + l / 16]]);
                out.push(d * f32::from(scale) * (f32::from(six) - 32.0));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of bytes from a linear congruence, with halves that are ordinary numbers.
    fn block(kind: TensorType) -> Vec<u8> {
        let mut state: u32 = 7;
        let mut byte = || {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
            let [_, _, byte, _] = state.to_le_bytes();
            byte
        };
        let mut bytes: Vec<u8> = (0..kind.bytes()).map(|_| byte()).collect();
        let places: &[usize] = match kind {
            TensorType::Q6_K => &[208],
            TensorType::Q4_1 | TensorType::Q5_1 | TensorType::Q4_K | TensorType::Q5_K => &[0, 2],
            _ => &[0],
        };
        // 0.0371 and −0.25 as halves.
        for (&place, half) in places.iter().zip([0x28c0_u16, 0xb400]) {
            bytes[place..place + 2].copy_from_slice(&half.to_le_bytes());
        }
        bytes
    }

    /// The first four and the last element, and all their bits as one number, by the Python package `gguf` 0.17.
    #[test]
    fn blocks_are_those_of_the_reference() {
        let expected: [(TensorType, [f32; 4], f32, u64); 8] = [
            (
                TensorType::Q4_0,
                [-0.148_437_5, -0.222_656_25, -0.185_546_88, -0.111_328_125],
                -0.074_218_75,
                0x78a6_4b58_d313_0000,
            ),
            (
                TensorType::Q4_1,
                [-0.138_671_88, -0.064_453_125, -0.175_781_25, 0.269_531_25],
                -0.175_781_25,
                0x9d43_e4e2_ce96_0000,
            ),
            (
                TensorType::Q5_0,
                [-0.519_531_25, -0.074_218_75, 0.037_109_375, -0.556_640_6],
                -0.519_531_25,
                0x0239_1d13_835c_8000,
            ),
            (
                TensorType::Q5_1,
                [0.380_859_38, 0.380_859_38, 0.232_421_88, -0.138_671_88],
                0.232_421_88,
                0x63b9_ee36_7a43_8000,
            ),
            (
                TensorType::Q8_0,
                [4.304_687_5, -4.082_031_3, 0.705_078_1, 1.373_046_9],
                -4.378_906_3,
                0x6074_5da4_24c5_3000,
            ),
            (TensorType::Q4_K, [18.595_703, 16.480_469, 22.121_094, 15.070_312_5], 1.148_437_5, 0xd649_eb10_af51_b000),
            (TensorType::Q5_K, [30.582_031, 12.955_078, 12.955_078, 22.826_172], 3.152_343_8, 0xb0ae_de03_a779_5600),
            (TensorType::Q6_K, [-116.375, -124.6875, 116.375, -74.8125], 9.351_562_5, 0xd16d_1c99_b44a_ef00),
        ];
        for (kind, first, last, all) in expected {
            let values = floats(kind, &block(kind));
            let bits = values.iter().fold(0u64, |sum, x| sum.wrapping_mul(31).wrapping_add(x.to_bits().into()));
            assert_eq!((&values[..4], *values.last().unwrap(), bits), (&first[..], last, all), "{kind:?}");
        }
    }

    #[test]
    fn halves_are_exact() {
        let cases = [
            (0x3c00_u16, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 2f32.powi(-24)),
            (0x83ff, -1023.0 * 2f32.powi(-24)),
            (0x8000, -0.0),
            (0x7c00, f32::INFINITY),
        ];
        for (bits, value) in cases {
            assert_eq!(half(bits.to_le_bytes()).to_bits(), value.to_bits(), "{bits:x}");
        }
        assert!(half(0x7e00_u16.to_le_bytes()).is_nan());
        assert_eq!(brain([0x80, 0x3f]), 1.0);
    }
}
