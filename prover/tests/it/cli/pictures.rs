//! Small pictures for tests, in every kind of PNG that a model may be given.

use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};

/// The pixels of a fixture's picture.
pub(super) fn pixels() -> GrayImage {
    image::load_from_memory(&super::fixture("samples/fashion_0.png")).unwrap().to_luma8()
}

pub(super) fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    image.write_to(&mut out, format).unwrap();
    out.into_inner()
}

pub(super) fn png(image: &DynamicImage) -> Vec<u8> {
    encoded(image, ImageFormat::Png)
}

/// A grey picture of some size.
pub(super) fn grey(width: u32, height: u32) -> DynamicImage {
    GrayImage::from_fn(width, height, |x, y| Luma([u8::try_from((x * 7 + y * 13) % 256).unwrap()])).into()
}

/// A picture of one colour.
pub(super) fn colour(width: u32, height: u32, rgb: [u8; 3]) -> DynamicImage {
    RgbImage::from_pixel(width, height, Rgb(rgb)).into()
}

/// An interlaced PNG (Adam7), which the encoder in use does not write.
pub(super) fn interlaced(image: &GrayImage) -> Vec<u8> {
    const PASSES: [(u32, u32, u32, u32); 7] =
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];
    let mut rows = Vec::new();
    for (x0, y0, dx, dy) in PASSES {
        for y in (y0..image.height()).step_by(usize::try_from(dy).unwrap()) {
            rows.push(0);
            rows.extend((x0..image.width()).step_by(usize::try_from(dx).unwrap()).map(|x| image.get_pixel(x, y)[0]));
        }
    }
    file(image.width(), image.height(), 1, &rows)
}

/// A grey PNG of eight bits whose header says what it likes.
pub(super) fn file(width: u32, height: u32, interlace: u8, rows: &[u8]) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 0, 0, 0, interlace]);
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", stored(rows)), (b"IEND", Vec::new())] {
        out.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        let body = [&kind[..], &data].concat();
        out.extend(&body);
        out.extend(crc32(&body).to_be_bytes());
    }
    out
}

/// A zlib stream of one block without compression (RFC 1950, RFC 1951).
fn stored(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    let mut out = vec![0x78, 0x01, 0x01];
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend(data);
    let (a, b) = data.iter().fold((1u32, 0u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    out.extend((b << 16 | a).to_be_bytes());
    out
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
