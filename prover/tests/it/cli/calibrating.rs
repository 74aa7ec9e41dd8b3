//! Calibration samples and encodings on the command line.

use opml_vm::{DType, Tensor};

use super::{Folder, fixture};

/// The model root of an import.
#[track_caller]
fn root(folder: &Folder, options: &str) -> String {
    let result = folder.opml(&format!("import model.onnx -o new.opml {options} --json")).json(0);
    result["model_root"].as_str().unwrap().to_owned()
}

fn samples() -> Vec<i64> {
    opml_ops::npy::read(&fixture("calibration/fashion.npy")).unwrap().integers().unwrap().to_vec()
}

#[test]
fn a_folder_of_pictures_or_arrays_calibrates_like_one_array() {
    let folder = Folder::new();
    folder.put("model.onnx", &fixture("models/mlp-fashion.onnx"));
    let pictures: Vec<i64> = samples()[..784 * 3].to_vec();
    let rows: Vec<Tensor> = pictures.chunks(784).map(|row| Tensor::from_values(DType::U8, row).unwrap()).collect();
    folder.put("rows.npy", &opml_ops::npy::write_rows(&rows));
    folder.make("few");
    folder.put("few/a.npy", &opml_ops::npy::write(&rows[0]));
    let pixels = rows[1].bytes().to_vec();
    let image = image::GrayImage::from_raw(28, 28, pixels).unwrap();
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png).unwrap();
    folder.put("few/b.png", png.get_ref());
    folder.put("few/c.npy", &opml_ops::npy::write(&rows[2]));
    folder.put("few/notes.txt", b"not a sample");
    let expected = root(&folder, "--calibration rows.npy");
    assert_eq!(root(&folder, "--calibration few"), expected);
    assert_eq!(root(&folder, "--calibration input=few"), expected);
    assert_ne!(root(&folder, "--calibration few --precision 16"), expected);
    assert_ne!(root(&folder, "--calibration few --weights 16"), expected);
    let auto = root(&folder, "--calibration few --precision auto");
    assert_ne!(auto, root(&folder, "--calibration few --precision 16"));
    assert_eq!(auto, root(&folder, "--calibration few --precision auto"));
    assert_eq!(root(&folder, "--calibration few --encoding input=u8:1/255"), expected);
    let named = folder.opml("import model.onnx -o new.opml --calibration few --encoding input=i16 --json").json(0);
    assert_eq!(named["inputs"][0]["dtype"], "i16");
}

#[test]
fn bad_calibration_is_refused() {
    let folder = Folder::new();
    folder.put("model.onnx", &fixture("models/mlp-fashion.onnx"));
    folder.make("none");
    folder.make("broken");
    folder.put("broken/a.png", b"no picture");
    for (options, words) in [
        ("--calibration none", &["none: the folder has no .npy, .png or .jpg files"][..]),
        ("--calibration broken", &["broken/a.png"]),
        ("--calibration missing.npy", &["missing.npy"]),
        ("--calibration other=model.onnx", &["--calibration names other, but the inputs are input"]),
        ("--encoding input=f32", &["`f32` is not u8, i8, i16 or i32"]),
        ("--encoding input=i16:0", &["must be above 0"]),
        ("--encoding input=i16", &["a scale is needed"]),
        ("--encoding input=i16:1:2:3", &["NAME=TYPE[:SCALE[:ZERO]]"]),
        ("--shape input=ax2", &["1x3x48x192"]),
        ("--precision 12", &["--precision"]),
    ] {
        folder.refuses(&format!("import model.onnx -o new.opml {options}"), words);
    }
}
