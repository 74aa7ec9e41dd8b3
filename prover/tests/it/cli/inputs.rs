//! Inputs of every kind, and what is refused.

use image::{DynamicImage, ImageFormat};
use opml_prover::input;
use opml_vm::{DType, InputHeader};
use proptest::{prelude::*, test_runner::RngSeed};
use serde_json::Value;

use super::{Folder, fixture, pictures};

/// An `.npy` file.
fn npy(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    out.extend(header.as_bytes());
    out.extend(data);
    out
}

#[test]
fn arrays_that_do_not_fit_are_refused() {
    let folder = Folder::new();
    let good = npy("|u1", "False", "(784,)", &[7; 784]);
    for (bytes, words) in [
        (npy("<f4", "False", "(784,)", &[0; 784 * 4]), "the array has elements of f32"),
        (npy("|i1", "False", "(784,)", &[0; 784]), "elements of i8, but the model's input has 784 elements of u8"),
        (npy("<i8", "False", "(784,)", &[0; 784 * 8]), "elements of i64"),
        (npy("<f8", "False", "(784,)", &[0; 784 * 8]), "type \"<f8\" is not supported"),
        (npy(">i4", "False", "(784,)", &[0; 784 * 4]), "type \">i4\" is not supported"),
        (npy("|O", "False", "(784,)", &[0; 784 * 8]), "type \"|O\" is not supported"),
        (npy("|u1", "True", "(28, 28)", &[0; 784]), "Fortran order"),
        (npy("|u1", "False", "(783,)", &[0; 783]), "shape [783], but the model's input has 784 elements"),
        (npy("|u1", "False", "(2, 393)", &[0; 786]), "shape [2, 393]"),
        (npy("|u1", "False", "(0,)", &[]), "shape [0]"),
        (npy("|u1", "False", "(784,)", &[0; 700]), "the file has 700"),
        (npy("|u1", "False", "(784,)", &[0; 800]), "the file has 800"),
        (npy("|u1", "False", "(4294967296, 4294967296)", &[0; 784]), "shape [4294967296, 4294967296]"),
        (npy("|u1", "False", "(18446744073709551616,)", &[0; 784]), "not a number"),
        (npy("|u1", "Maybe", "(784,)", &[0; 784]), "'fortran_order'"),
        (npy("|u1", "False", "784", &[0; 784]), "'shape' is not a tuple"),
        (good[..40].to_vec(), "header is cut off"),
        (good[..7].to_vec(), "header is cut off"),
        (Vec::new(), "not an .npy file"),
        (fixture("samples/fashion_0.png"), "not an .npy file"),
        ([b"\x93NUMPY\x09", &good[7..]].concat(), "version 9 is not supported"),
    ] {
        folder.put("x.npy", &bytes);
        folder.refuses("run model.opml -i x.npy", &["x.npy: ", words]);
    }
    folder.put("x.npy", &good);
    folder.opml("run model.opml -i x.npy").exits(0);
}

#[test]
fn a_batch_runs_as_one() {
    let folder = Folder::new();
    folder.put("samples.npy", &fixture("samples/fashion_images.npy"));
    let batch = folder.opml("run model.opml -i samples.npy --all -o rows.npy --json").json(0);
    let samples = batch["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 256);
    for number in [0, 1, 255] {
        let single = folder.opml(&format!("run model.opml -i samples.npy --index {number} --json")).json(0);
        for key in ["output_root", "output_hash", "values", "largest"] {
            assert_eq!(samples[number][key], single[key]);
        }
    }
    let rows = opml_ops::npy::read(&folder.read("rows.npy")).unwrap();
    assert_eq!(rows.shape(), [256, 10]);
    let last: Vec<i64> = samples[255]["values"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
    assert_eq!(rows.integers().unwrap()[2550..], last);
    folder.refuses("run model.opml -i samples.npy --all --index 2", &["cannot be used with"]);
}

#[test]
fn a_batch_is_told_apart_by_its_index() {
    let folder = Folder::new();
    folder.put("samples.npy", &fixture("samples/fashion_images.npy"));
    let first = folder.opml("run model.opml -i samples.npy --json").json(0);
    assert_eq!(first, folder.opml("run model.opml -i picture.png --json").json(0));
    let second = folder.opml("run model.opml -i samples.npy --index 1 --json").json(0);
    assert_ne!(first["output_root"], second["output_root"]);
    folder.opml("run model.opml -i samples.npy --index 255").exits(0);
    let line = "run model.opml -i samples.npy --index 256";
    folder.refuses(line, &["samples.npy: there is no sample 256: --index goes up to 255"]);
    folder.refuses("run model.opml -i picture.png --index 1", &["picture.png: there is no sample 1"]);
}

#[test]
fn the_number_of_inputs_is_the_model_s() {
    let folder = Folder::new();
    let line = "run model.opml -i picture.png -i picture.png";
    folder.refuses(line, &["model.opml: the model has 1 input(s), 2 were given"]);
}

#[test]
fn pictures_of_every_kind_give_the_same_answer() {
    let folder = Folder::new();
    let grey = pictures::pixels();
    let image = DynamicImage::from(grey.clone());
    let expected = folder.opml("run model.opml -i picture.png --json").json(0);
    for (name, bytes) in [
        ("rgb.png", pictures::png(&image.to_rgb8().into())),
        ("rgba.png", pictures::png(&image.to_rgba8().into())),
        ("grey-alpha.png", pictures::png(&image.to_luma_alpha8().into())),
        ("16-bit.png", pictures::png(&image.to_luma16().into())),
        ("16-bit-rgb.png", pictures::png(&image.to_rgb16().into())),
        ("interlaced.png", pictures::interlaced(&grey)),
        ("UPPER.PNG", pictures::png(&image)),
        ("png-inside.jpg", pictures::png(&image)),
    ] {
        folder.put(name, &bytes);
        assert_eq!(folder.opml(&format!("run model.opml -i {name} --json")).json(0), expected, "{name}");
    }
    folder.put("x.jpg", &pictures::encoded(&image, ImageFormat::Jpeg));
    let lossy: Value = folder.opml("run model.opml -i x.jpg --json").json(0);
    assert_eq!(lossy["largest"], expected["largest"]);
}

#[test]
fn pictures_that_do_not_fit_are_refused() {
    let folder = Folder::new();
    let good = fixture("samples/fashion_0.png");
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for (name, bytes, words) in [
        ("wide.png", pictures::png(&pictures::grey(29, 28)), "29 x 28 pixels, but the model's input has 784 elements"),
        ("small.jpg", pictures::encoded(&pictures::grey(8, 8), ImageFormat::Jpeg), "8 x 8 pixels"),
        ("letter.png", b"a letter".to_vec(), "not a readable image"),
        ("empty.jpeg", Vec::new(), "not a readable image"),
        ("cut.png", good[..good.len() / 2].to_vec(), "not a readable image"),
        ("header.png", good[..20].to_vec(), "not a readable image"),
        ("flipped.png", flipped, "not a readable image"),
        ("bomb.png", pictures::file(1 << 16, 1 << 16, 0, &[0; 9]), "65536 x 65536 pixels"),
        ("short.png", pictures::file(28, 28, 0, &[0; 100]), "not a readable image"),
        ("picture.gif", good.clone(), "must end in .npy, .png, .jpg or .jpeg"),
        ("picture", good, "must end in .npy, .png, .jpg or .jpeg"),
    ] {
        folder.put(name, &bytes);
        folder.refuses(&format!("run model.opml -i {name}"), &[name, words]);
    }
}

fn read(folder: &Folder, name: &str, dtype: DType, elements: u64) -> Result<Vec<i64>, String> {
    let read = input::read(&folder.path().join(name), InputHeader { dtype, elements }, 0);
    read.map(|tensor| tensor.values()).map_err(|error| error.to_string())
}

#[test]
fn colours_become_luma_or_planes() {
    let folder = Folder::new();
    // Rec. 709: 0.2126 R + 0.7152 G + 0.0722 B.
    for (rgb, luma) in [([255, 0, 0], 54), ([0, 255, 0], 182), ([0, 0, 255], 18), ([9, 9, 9], 9)] {
        folder.put("x.png", &pictures::png(&pictures::colour(2, 2, rgb)));
        assert_eq!(read(&folder, "x.png", DType::U8, 4).unwrap(), [luma; 4]);
        let planes: Vec<i64> = rgb.iter().flat_map(|&c| [i64::from(c); 4]).collect();
        assert_eq!(read(&folder, "x.png", DType::U8, 12).unwrap(), planes);
    }
    folder.put("x.png", &pictures::png(&pictures::grey(2, 2)));
    let error = read(&folder, "x.png", DType::I8, 4).unwrap_err();
    assert!(error.contains("pixels of u8, but the model's input has 4 elements of i8"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        rng_seed: RngSeed::Fixed(2),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn damaged_inputs_do_not_panic(
        kind in 0..3usize,
        changes in proptest::collection::vec((0..200usize, any::<u8>()), 1..5),
        cut in proptest::option::of(0..400usize),
    ) {
        let folder = Folder(tempfile::TempDir::new().unwrap());
        let (name, mut bytes) = match kind {
            0 => ("x.png", fixture("samples/fashion_0.png")),
            1 => ("x.jpg", pictures::encoded(&pictures::grey(28, 28), ImageFormat::Jpeg)),
            _ => ("x.npy", npy("|u1", "False", "(28, 28)", &[7; 784])),
        };
        for (at, value) in changes {
            bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = value);
        }
        bytes.truncate(cut.unwrap_or(usize::MAX));
        folder.put(name, &bytes);
        if let Ok(values) = read(&folder, name, DType::U8, 784) {
            prop_assert_eq!(values.len(), 784);
        }
    }
}
