//! What quantisation did to each value.

use opml_vm::DType;

/// One value of the network.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorReport {
    /// Name in the source file.
    pub name: String,
    /// Operator that computes it.
    pub operator: &'static str,
    /// Extents.
    pub shape: Vec<usize>,
    /// Stored type.
    pub dtype: DType,
    /// Size of a unit.
    pub scale: f64,
    /// Stored number that means 0.
    pub zero_point: i64,
    /// Smallest number seen in calibration.
    pub low: f64,
    /// Largest number seen in calibration.
    pub high: f64,
    /// Root of the mean squared difference from the float network, over samples and elements.
    pub rms_error: f64,
    /// Largest difference.
    pub max_error: f64,
}

/// All values, and the output as a whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Values in the order they are computed.
    pub tensors: Vec<TensorReport>,
    /// Samples that were compared.
    pub samples: usize,
    /// Samples whose largest output element (the first of equals) is the float network's.
    pub agreeing: usize,
    /// Multiplications of one inference.
    pub work: u64,
}
