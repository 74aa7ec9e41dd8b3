//! A small graph of tensor operators with static shapes: what importers read into and quantisation works on.
//!
//! Values are real numbers in ONNX's row-major layout; how they are stored as integers is decided later.

pub mod passes;
pub mod shape;

use std::collections::BTreeSet;

/// Number of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValueId(pub(crate) usize);

/// Operators over values with static shapes. Operands and results are the node's.
#[derive(Debug, Clone, PartialEq)]
pub enum Operator {
    /// Batched product of `a [.., M, K]` and `b [.., K, N]`; the leading extents broadcast.
    MatMul,
    /// `x [.., K]` times a constant `w [N, K]`, plus a constant `b [N]` if there is a third operand.
    Dense,
    /// Convolution of `x [N, C, ..]` with a constant `w [M, C/groups, ..]`, plus a constant `b [M]` if there is one.
    Conv {
        /// Kernel, strides, pads, dilations.
        window: Window,
        /// Groups of channels.
        groups: usize,
    },
    /// Maximum over windows of `x [N, C, ..]`.
    MaxPool(Window),
    /// Mean over windows of `x [N, C, ..]`.
    AveragePool {
        /// Kernel, strides, pads.
        window: Window,
        /// Whether padding counts in the divisor.
        count_pad: bool,
    },
    /// `min(max(x, low), high)`.
    Clip {
        /// Lower bound, maybe −∞.
        low: f32,
        /// Upper bound, maybe +∞.
        high: f32,
    },
    /// `x` if `x ≥ 0`, else `alpha · x`.
    LeakyRelu {
        /// Slope of the negative side.
        alpha: f32,
    },
    /// `a + b`, broadcast.
    Add,
    /// `a − b`, broadcast.
    Sub,
    /// `a · b`, broadcast.
    Mul,
    /// `x · m + b` with constants `m`, `b` that broadcast to the shape of `x`.
    Affine,
    /// The same elements in row-major order with another shape.
    Reshape,
    /// Axes permuted: result axis `j` is operand axis `perm[j]`.
    Transpose {
        /// The permutation.
        perm: Vec<usize>,
    },
    /// Operands one after another along an axis.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// `exp(x − max) / Σ exp(x − max)` along an axis.
    Softmax {
        /// The axis.
        axis: usize,
    },
    /// Number of the largest element along an axis, which disappears.
    ArgMax {
        /// The axis.
        axis: usize,
        /// Whether the last of several equal ones is meant, instead of the first.
        last: bool,
    },
    /// `1 / (1 + exp(−x))`.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// Rounds to an integer encoding and back: `QuantizeLinear` and `DequantizeLinear`.
    Quantise(Encoding),
    /// A function of each element.
    Map(Function),
    /// A function of two operands, broadcast. `Add`, `Sub` and `Mul` have variants of their own.
    Zip(Pairwise),
    /// `a` where `condition ≠ 0`, else `b`: operands `condition, a, b`, broadcast.
    Select,
    /// A reduction over axes, which become 1.
    Reduce {
        /// What is computed of the elements.
        kind: Reduction,
        /// The axes, ascending.
        axes: Vec<usize>,
    },
    /// Result index `j` along each axis reads the operand's index `sources[j]`, or `fill` where there is none: slices, splits, padding,
    /// repetition, nearest neighbours, constant gathers.
    Take {
        /// One list for each axis; `None` keeps the axis.
        axes: Vec<Option<Vec<Option<usize>>>>,
        /// What is read outside.
        fill: f32,
    },
    /// A sparse linear map along an axis: result `j` is `Σ weight · x[index]` over its taps (linear interpolation, cubic too).
    Resample {
        /// The axis.
        axis: usize,
        /// Taps `(index, weight)` of each result, equally many.
        taps: Vec<Vec<(usize, f32)>>,
    },
    /// Operand 0 at the indices of operand 1 along an axis, whose place the axes of the indices take. Negative indices count from the end.
    Gather {
        /// The axis.
        axis: usize,
    },
    /// `x[.., index[..], ..]`: as many axes in both operands, the index counts along `axis`.
    GatherElements {
        /// The axis.
        axis: usize,
    },
    /// `x` at index tuples, the last axis of operand 1.
    GatherNd {
        /// Leading axes that both operands share.
        batch: usize,
    },
    /// Sums up to each index along an axis.
    CumSum {
        /// The axis.
        axis: usize,
        /// Whether the element itself is left out.
        exclusive: bool,
        /// Whether sums run from the end.
        reverse: bool,
    },
    /// The `k` largest or smallest elements along an axis in order; of equal ones the first comes first.
    TopK {
        /// The axis.
        axis: usize,
        /// How many.
        k: usize,
        /// Whether the largest.
        largest: bool,
        /// Whether the result is their indices instead of the elements.
        indices: bool,
    },
    /// `(x − mean) / √(variance + ε)` over axes; without the mean, `x / √(mean of squares + ε)`.
    Normalise {
        /// The axes, ascending.
        axes: Vec<usize>,
        /// ε.
        epsilon: f32,
        /// Whether the mean is subtracted.
        centre: bool,
    },
    /// `log(Softmax)` along an axis.
    LogSoftmax {
        /// The axis.
        axis: usize,
    },
}

/// Functions of one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// `|x|`.
    Abs,
    /// `−x`.
    Neg,
    /// −1, 0 or 1.
    Sign,
    /// Largest integer not above.
    Floor,
    /// Smallest integer not below.
    Ceil,
    /// Nearest integer, ties to even.
    Round,
    /// Nearest integer towards 0: a cast to an integer type.
    Truncate,
    /// 1 if `x = 0`, else 0.
    Not,
    /// `e^x`.
    Exp,
    /// Natural logarithm.
    Log,
    /// Square root; 0 for negative numbers.
    Sqrt,
    /// `1 / x`.
    Reciprocal,
    /// `x^p` with a constant exponent.
    Power(f32),
    /// Gauss error function.
    Erf,
    /// `x · Φ(x)`, exact.
    Gelu,
    /// `x / 2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    GeluTanh,
    /// `x · sigmoid(alpha · x)`.
    Swish(f32),
    /// `x · min(max(x + 3, 0), 6) / 6`.
    HardSwish,
    /// `log(1 + e^x)`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `x · tanh(softplus(x))`.
    Mish,
    /// `x` above 0, else `alpha · (e^x − 1)`, all times `gamma`.
    Elu {
        /// Scale of the negative side.
        alpha: f32,
        /// Scale of both.
        gamma: f32,
    },
    /// `max(0, x) + min(0, alpha · (e^(x/alpha) − 1))`.
    Celu(f32),
    /// `x` above `alpha`, else 0.
    Threshold(f32),
    /// `x − bias` above `lambd`, `x + bias` below `−lambd`, else 0.
    Shrink {
        /// Bias.
        bias: f32,
        /// Half the dead zone.
        lambd: f32,
    },
    /// Sine.
    Sin,
    /// Cosine.
    Cos,
    /// Tangent.
    Tan,
    /// Inverse sine.
    Asin,
    /// Inverse cosine.
    Acos,
    /// Inverse tangent.
    Atan,
    /// Hyperbolic sine.
    Sinh,
    /// Hyperbolic cosine.
    Cosh,
    /// Inverse hyperbolic sine.
    Asinh,
    /// Inverse hyperbolic cosine.
    Acosh,
    /// Inverse hyperbolic tangent.
    Atanh,
}

/// Functions of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairwise {
    /// `a / b`; of integers rounded towards 0.
    Div {
        /// Whether both are integers.
        integer: bool,
    },
    /// Remainder with the divisor's sign (`floor`), or with the dividend's.
    Mod {
        /// Whether the sign is the divisor's.
        floor: bool,
    },
    /// `a^b`.
    Pow,
    /// The lesser.
    Min,
    /// The greater.
    Max,
    /// 1 if equal, else 0.
    Equal,
    /// 1 if `a < b`, else 0.
    Less,
    /// 1 if `a ≤ b`, else 0.
    LessOrEqual,
    /// 1 if both are not 0, else 0.
    And,
    /// 1 if one is not 0, else 0.
    Or,
    /// 1 if exactly one is not 0, else 0.
    Xor,
    /// Bits set in both.
    BitAnd,
    /// Bits set in one or both.
    BitOr,
    /// Bits set in exactly one.
    BitXor,
    /// `a · 2^b` of unsigned integers, modulo their width in bits.
    ShiftLeft(u8),
    /// `⌊a / 2^b⌋` of unsigned integers.
    ShiftRight,
}

/// Reductions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// `Σ x`.
    Sum,
    /// `Σ x / n`.
    Mean,
    /// Greatest.
    Max,
    /// Least.
    Min,
    /// `Σ x²`.
    SumSquare,
    /// `Σ |x|`.
    SumAbs,
    /// `Π x`.
    Product,
}

impl Operator {
    /// Name for messages.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::MatMul => "MatMul",
            Self::Dense => "Dense",
            Self::Conv { .. } => "Conv",
            Self::MaxPool(_) => "MaxPool",
            Self::AveragePool { .. } => "AveragePool",
            Self::Clip { .. } => "Clip",
            Self::LeakyRelu { .. } => "LeakyRelu",
            Self::Add => "Add",
            Self::Sub => "Sub",
            Self::Mul => "Mul",
            Self::Affine => "Affine",
            Self::Reshape => "Reshape",
            Self::Transpose { .. } => "Transpose",
            Self::Concat { .. } => "Concat",
            Self::Softmax { .. } => "Softmax",
            Self::ArgMax { .. } => "ArgMax",
            Self::Sigmoid => "Sigmoid",
            Self::Tanh => "Tanh",
            Self::Quantise(_) => "Quantise",
            Self::Map(_) => "Map",
            Self::Zip(_) => "Zip",
            Self::Select => "Select",
            Self::Reduce { .. } => "Reduce",
            Self::Take { .. } => "Take",
            Self::Resample { .. } => "Resample",
            Self::Gather { .. } => "Gather",
            Self::GatherElements { .. } => "GatherElements",
            Self::GatherNd { .. } => "GatherNd",
            Self::CumSum { .. } => "CumSum",
            Self::TopK { .. } => "TopK",
            Self::Normalise { .. } => "Normalise",
            Self::LogSoftmax { .. } => "LogSoftmax",
        }
    }

    /// Multiplications of one evaluation, saturating.
    pub fn work(&self, operands: &[&[usize]], result: &[usize]) -> u64 {
        let operand = |i: usize| operands.get(i).copied().unwrap_or(&[]);
        let terms = match self {
            Self::MatMul => operand(0).last().copied().unwrap_or(1),
            Self::Dense | Self::Conv { .. } => elements(operand(1).get(1..).unwrap_or(&[])),
            Self::MaxPool(window) | Self::AveragePool { window, .. } => elements(&window.kernel),
            Self::Resample { taps, .. } => taps.first().map_or(1, Vec::len),
            Self::Reduce { .. } => return crate::num::wide(elements(operand(0))),
            _ => 1,
        };
        crate::num::wide(elements(result).saturating_mul(terms))
    }

    /// Whether the operator only moves elements, so that its result has the encoding of its operand.
    pub const fn is_view(&self) -> bool {
        matches!(self, Self::Reshape | Self::Transpose { .. })
    }
}

/// Most spatial axes of a window.
pub const MAX_SPATIAL: usize = 3;

/// The window of a convolution or pooling; all lists have one entry for each spatial axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Extents.
    pub kernel: Vec<usize>,
    /// Steps.
    pub strides: Vec<usize>,
    /// Padding before.
    pub before: Vec<usize>,
    /// Padding after.
    pub after: Vec<usize>,
    /// Distances between taps.
    pub dilations: Vec<usize>,
    /// Whether a last, partly covered position counts (pooling).
    pub ceil: bool,
}

/// How real numbers are stored: `real = scale · (stored − zero_point)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Encoding {
    /// Stored type.
    pub dtype: opml_vm::DType,
    /// Size of a unit.
    pub scale: f64,
    /// Stored number that means 0.
    pub zero_point: i64,
}

impl Encoding {
    /// Integers that are stored as they are.
    pub const fn integer(dtype: opml_vm::DType) -> Self {
        Self { dtype, scale: 1.0, zero_point: 0 }
    }

    /// Whether integers are stored as they are.
    pub const fn is_integer(&self) -> bool {
        self.scale.to_bits() == 1.0f64.to_bits() && self.zero_point == 0
    }

    /// The real number of a stored one.
    pub fn real(&self, stored: i64) -> f64 {
        crate::num::real(stored.saturating_sub(self.zero_point)) * self.scale
    }

    /// The stored number nearest to a real one.
    pub fn stored(&self, real: f64) -> i64 {
        self.dtype.saturate(crate::num::round(real / self.scale).saturating_add(self.zero_point))
    }

    /// Real numbers of stored ones, as calibration samples need them.
    pub fn decode(&self, stored: &[i64]) -> Vec<f32> {
        stored.iter().map(|&v| crate::num::single(self.real(v))).collect()
    }
}

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant {
    /// Elements.
    pub data: Data,
    /// The integers that the elements were dequantised from, if so.
    pub quantised: Option<Quantised>,
}

/// Elements of a constant.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Real numbers.
    Float(Vec<f32>),
    /// Integers of any ONNX type.
    Int(Vec<i64>),
}

impl Data {
    /// Number of elements.
    pub const fn len(&self) -> usize {
        match self {
            Self::Float(values) => values.len(),
            Self::Int(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Integers with scales from the source file: `data = scale · (integer − zero_point)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantised {
    /// Elements.
    pub integers: Vec<i64>,
    /// One scale, or one for each index along `axis`.
    pub scales: Vec<f32>,
    /// Zero points, as many as scales.
    pub zero_points: Vec<i64>,
    /// Axis of the scales.
    pub axis: usize,
}

/// A value: its shape, and its elements if constant.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Name in the source file.
    pub name: String,
    /// Extents.
    pub shape: Vec<usize>,
    /// Elements, if known.
    pub constant: Option<Constant>,
    /// Encoding that the source file demands.
    pub encoding: Option<Encoding>,
}

impl Value {
    /// Number of elements.
    pub fn elements(&self) -> usize {
        elements(&self.shape)
    }

    /// Real elements of a constant.
    pub fn floats(&self) -> Option<&[f32]> {
        match &self.constant.as_ref()?.data {
            Data::Float(values) => Some(values),
            Data::Int(_) => None,
        }
    }

    /// Integer elements of a constant.
    pub fn integers(&self) -> Option<&[i64]> {
        match &self.constant.as_ref()?.data {
            Data::Int(values) => Some(values),
            Data::Float(_) => None,
        }
    }
}

/// Product of the extents, saturating.
pub fn elements(shape: &[usize]) -> usize {
    shape.iter().fold(1, |n: usize, &extent| n.saturating_mul(extent))
}

/// One operator call.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The operator.
    pub operator: Operator,
    /// Operands.
    pub inputs: Vec<ValueId>,
    /// Result.
    pub output: ValueId,
    /// Bounds applied to the result: a fused `Relu` or `Clip`.
    pub clamp: Option<(f32, f32)>,
}

/// A graph; nodes stand after the nodes whose results they use.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Graph {
    /// All values.
    pub values: Vec<Value>,
    /// All nodes.
    pub nodes: Vec<Node>,
    /// Inputs in the order of the source file.
    pub inputs: Vec<ValueId>,
    /// Outputs in the order of the source file.
    pub outputs: Vec<ValueId>,
    /// Names of the outputs.
    pub output_names: Vec<String>,
}

impl Graph {
    /// A value. Ids come from this graph only.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0]
    }

    /// A value, to change.
    pub(crate) fn value_mut(&mut self, id: ValueId) -> &mut Value {
        &mut self.values[id.0]
    }

    /// Extents of a value.
    pub fn shape(&self, id: ValueId) -> &[usize] {
        &self.value(id).shape
    }

    /// Adds a value that is not a constant.
    pub(crate) fn add_value(&mut self, name: impl Into<String>, shape: Vec<usize>) -> ValueId {
        self.values.push(Value { name: name.into(), shape, constant: None, encoding: None });
        ValueId(self.values.len().saturating_sub(1))
    }

    /// Adds a constant.
    pub(crate) fn add_constant(&mut self, name: impl Into<String>, shape: Vec<usize>, constant: Constant) -> ValueId {
        let id = self.add_value(name, shape);
        self.value_mut(id).constant = Some(constant);
        id
    }

    /// Adds a constant of real numbers.
    pub(crate) fn add_floats(&mut self, name: impl Into<String>, shape: Vec<usize>, floats: Vec<f32>) -> ValueId {
        self.add_constant(name, shape, Constant { data: Data::Float(floats), quantised: None })
    }

    /// Multiplications of one evaluation, saturating.
    pub fn work(&self) -> u64 {
        let of = |node: &Node| {
            let operands: Vec<&[usize]> = node.inputs.iter().map(|&id| self.shape(id)).collect();
            node.operator.work(&operands, self.shape(node.output))
        };
        self.nodes.iter().fold(0, |sum: u64, node| sum.saturating_add(of(node)))
    }

    /// Removes nodes whose results nobody uses.
    pub(crate) fn remove_dead(&mut self) {
        let mut live: BTreeSet<ValueId> = self.outputs.iter().copied().collect();
        for node in self.nodes.iter().rev() {
            if live.contains(&node.output) {
                live.extend(&node.inputs);
            }
        }
        self.nodes.retain(|node| live.contains(&node.output));
    }
}
