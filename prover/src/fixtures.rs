//! The real models and pictures that `demo`, `story` and `figures` run on, part of the binary.

use opml_ops::npy;
use opml_vm::{DType, Tensor};

/// A model of the repository's `fixtures/`, with pictures.
#[derive(Debug, Clone, Copy)]
pub struct Fixture {
    /// Its name.
    pub name: &'static str,
    /// The ONNX file.
    pub onnx: &'static [u8],
    /// Pictures to calibrate on.
    pub calibration: &'static [u8],
    /// Pictures of the test set.
    pub samples: &'static [u8],
    /// The classes.
    pub classes: [&'static str; 10],
}

const FASHION: [&str; 10] =
    ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

/// MLP 784-56-10 on Fashion-MNIST.
pub const MLP: Fixture = Fixture {
    name: "mlp-fashion",
    onnx: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/models/mlp-fashion.onnx")),
    calibration: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/calibration/fashion.npy")),
    samples: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/samples/fashion_images.npy")),
    classes: FASHION,
};

/// LeNet-5 on Fashion-MNIST.
pub const LENET: Fixture = Fixture {
    name: "lenet-fashion",
    onnx: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/models/lenet-fashion.onnx")),
    ..MLP
};

/// MLP 784-56-10 on handwritten digits.
pub const DIGITS: Fixture = Fixture {
    name: "mlp-digits",
    onnx: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/models/mlp-digits.onnx")),
    calibration: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/calibration/digits.npy")),
    samples: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/samples/digits_images.npy")),
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
};

impl Fixture {
    /// Picture `index` of the samples: u8, 784 elements.
    ///
    /// # Errors
    /// The embedded file is damaged or has fewer pictures.
    pub fn picture(&self, index: usize) -> anyhow::Result<Tensor> {
        let array = npy::read(self.samples)?;
        let pixels = array.integers().and_then(|values| values.chunks(784).nth(index));
        let pixels = pixels.ok_or_else(|| anyhow::anyhow!("no picture {index}"))?;
        Ok(Tensor::from_values(DType::U8, pixels)?)
    }
}
