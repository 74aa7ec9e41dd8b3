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

/// All elements; a last block that is not whole is left out.
pub(super) fn floats(kind: TensorType, bytes: &[u8]) -> Vec<f32> {
    match kind {
        TensorType::F32 => each(bytes, |block, out| out.push(f32::from_le_bytes(*block))),
        TensorType::F16 => each(bytes, |block, out| out.push(half(*block))),
        TensorType::BF16 => each(bytes, |block, out| out.push(brain(*block))),
        TensorType::Q8_0 => each(bytes, q8_0),
        TensorType::Q4_0 => each(bytes, q4_0),
        TensorType::Q4_1 => each(bytes, q4_1),
        TensorType::Q5_0 => each(bytes, q5_0),
        TensorType::Q5_1 => each(bytes, q5_1),
        TensorType::Q4_K => each(bytes, q4_k),
        TensorType::Q5_K => each(bytes, q5_k),
        TensorType::Q6_K => each(bytes, q6_k),
    }
}

fn each<const N: usize>(bytes: &[u8], block: impl Fn(&[u8; N], &mut Vec<f32>)) -> Vec<f32> {
    let mut out = Vec::new();
    bytes.as_chunks::<N>().0.iter().for_each(|bytes| block(bytes, &mut out));
    out
}

/// The half at the front of a block.
fn first_half(bytes: &[u8]) -> f32 {
    bytes.first_chunk().map_or(0.0, |pair| half(*pair))
}

fn signed(byte: u8) -> f32 {
    f32::from(i8::from_le_bytes([byte]))
}

fn q8_0(bytes: &[u8; 34], out: &mut Vec<f32>) {
    let d = first_half(bytes);
    out.extend(bytes[2..].iter().map(|&q| signed(q) * d));
}

/// The low nibbles, then the high ones.
fn nibbles(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().map(|byte| byte & 15).chain(bytes.iter().map(|byte| byte >> 4))
}

fn q4_0(bytes: &[u8; 18], out: &mut Vec<f32>) {
    let d = first_half(bytes);
    out.extend(nibbles(&bytes[2..]).map(|q| (f32::from(q) - 8.0) * d));
}

fn q4_1(bytes: &[u8; 20], out: &mut Vec<f32>) {
    let (d, m) = (first_half(bytes), first_half(&bytes[2..]));
    out.extend(nibbles(&bytes[4..]).map(|q| f32::from(q) * d + m));
}

/// Nibbles with a fifth bit from a word of 32 bits.
fn five_bits<'a>(high: &[u8], low: &'a [u8]) -> impl Iterator<Item = f32> + 'a {
    let high = high.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    nibbles(low).zip(0..).map(move |(q, bit)| f32::from(q) + if high >> bit & 1 == 1 { 16.0 } else { 0.0 })
}

fn q5_0(bytes: &[u8; 22], out: &mut Vec<f32>) {
    let d = first_half(bytes);
    out.extend(five_bits(&bytes[2..6], &bytes[6..]).map(|q| (q - 16.0) * d));
}

fn q5_1(bytes: &[u8; 24], out: &mut Vec<f32>) {
    let (d, m) = (first_half(bytes), first_half(&bytes[2..]));
    out.extend(five_bits(&bytes[4..8], &bytes[8..]).map(|q| q * d + m));
}

/// The eight 6-bit scales and minima of a block of 256, packed in 12 bytes.
fn scales(packed: &[u8], number: usize) -> (f32, f32) {
    let byte = |at: usize| packed.get(at).copied().unwrap_or(0);
    let (scale, least) = if number < 4 {
        (byte(number) & 63, byte(number + 4) & 63)
    } else {
        let low = byte(number + 4);
        (low & 15 | byte(number - 4) >> 6 << 4, low >> 4 | byte(number) >> 6 << 4)
    };
    (f32::from(scale), f32::from(least))
}

fn q4_k(bytes: &[u8; 144], out: &mut Vec<f32>) {
    let (d, least) = (first_half(bytes), first_half(&bytes[2..]));
    for (pair, low) in bytes[16..].chunks_exact(32).enumerate() {
        for (number, shift) in [(2 * pair, 0), (2 * pair + 1, 4)] {
            let (scale, minimum) = scales(&bytes[4..16], number);
            let (scale, minimum) = (d * scale, least * minimum);
            out.extend(low.iter().map(|q| scale * f32::from(q >> shift & 15) - minimum));
        }
    }
}

fn q5_k(bytes: &[u8; 176], out: &mut Vec<f32>) {
    let (d, least) = (first_half(bytes), first_half(&bytes[2..]));
    let high = &bytes[16..48];
    for (pair, low) in bytes[48..].chunks_exact(32).enumerate() {
        for (number, shift) in [(2 * pair, 0), (2 * pair + 1, 4)] {
            let (scale, minimum) = scales(&bytes[4..16], number);
            let (scale, minimum) = (d * scale, least * minimum);
            let five = |(q, h): (&u8, &u8)| (q >> shift & 15) | (h >> number & 1) << 4;
            out.extend(low.iter().zip(high).map(|pair| scale * f32::from(five(pair)) - minimum));
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
                let six = (q >> shift & 15) | (h >> (2 * quarter) & 3) << 4;
                let scale = signed(scales[half * 8 + quarter * 2 + l / 16]);
                out.push(d * scale * (f32::from(six) - 32.0));
            }
        }
    }
}
