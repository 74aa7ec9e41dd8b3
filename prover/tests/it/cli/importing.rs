//! `opml import`: what is said about a file before anything is made of it.

use opml_ops::npy;
use opml_vm::{DType, Tensor};

use super::{Folder, fixture};

/// A field of a protocol-buffers message with bytes in it.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

/// An input of an element type with extents; 0 is an open one.
fn input(name: &str, kind: u8, extents: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> =
        extents.iter().flat_map(|&n| if n == 0 { field(1, &field(2, b"N")) } else { field(1, &[8, n]) }).collect();
    let tensor = [&[8, kind][..], &field(2, &dims)].concat();
    field(11, &[field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat())
}

/// `y = reshape(x, n)` with both inputs open: `x` has an open extent, `n` is an input.
fn reshape() -> Vec<u8> {
    let node: Vec<u8> = [(1, "x"), (1, "n"), (2, "y"), (3, "fold"), (4, "Reshape")]
        .iter()
        .flat_map(|&(number, text)| field(number, text.as_bytes()))
        .collect();
    let output = field(12, &field(1, b"y"));
    let graph = [field(1, &node), input("x", 1, &[1, 0]), input("n", 7, &[2]), output].concat();
    [field(8, &[16, 13]), field(7, &graph)].concat()
}

#[test]
fn a_check_lists_what_is_not_supported() {
    let folder = Folder::new();
    folder.put("model.onnx", &fixture("models/mlp-fashion.onnx"));
    assert_eq!(folder.opml("import model.onnx --check").exits(0), "every node can be read\n");
    assert_eq!(folder.names(), ["model.onnx", "model.opml", "picture.png"]);

    let name = |from: &[u8], to: &[u8], bytes: &[u8]| {
        let place = bytes.windows(from.len()).position(|window| window == from).unwrap();
        [&bytes[..place], to, &bytes[place + from.len()..]].concat()
    };
    folder.put("odd.onnx", &name(b"Relu", b"Rolu", &fixture("models/mlp-fashion.onnx")));
    let text = folder.opml("import odd.onnx --check").exits(1);
    assert!(text.contains("(Rolu): operator is not supported\n"), "{text}");
    assert!(text.contains("not supported: 1. ") && text.contains("MatMul"), "{text}");
    let json = folder.opml("import odd.onnx --check --json").json(1);
    assert_eq!(json["supported"], false);
    assert_eq!(json["nodes"][0]["operator"], "Rolu");
    assert_eq!(json["nodes"].as_array().unwrap().len(), 1);

    folder.refuses("import picture.png --check", &["picture.png", "not an ONNX file"]);
    let refused = folder.opml("import odd.onnx -o odd.opml");
    assert!(refused.code == Some(2) && refused.stderr.contains("(Rolu)"), "{refused:?}");
}

#[test]
fn shapes_and_constants_close_what_a_file_leaves_open() {
    let folder = Folder::new();
    folder.put("model.onnx", &reshape());
    folder.refuses("import model.onnx --check", &["\"x\"", "axis 1"]);
    let text = folder.opml("import model.onnx --check --shape x=1x6").exits(1);
    assert!(text.contains("fold (Reshape): input 1 (shape) must be a constant; it depends on the input n\n"), "{text}");
    folder.put("n.npy", &npy::write(&Tensor::from_values(DType::I64, &[2, 3]).unwrap()));
    folder.opml("import model.onnx --check --shape x=1x6 --constant n=n.npy").exits(0);
    let json = folder.opml("import model.onnx --shape x=1x6 --constant n=n.npy -o y.opml --json").json(0);
    assert_eq!(json["output"]["shape"], serde_json::json!([2, 3]));
    folder.refuses("import model.onnx --shape x=1x6 --constant z=n.npy -o y.opml", &["\"z\"", "no such input"]);
    folder.refuses("import model.onnx --shape x=1xsix -o y.opml", &["1x3x48x192"]);
    folder.refuses("import model.onnx --shape x=1x6 --constant n=n.npy --output-name q -o y.opml", &["\"q\""]);
}
