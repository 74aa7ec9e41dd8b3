//! When an output is as expected.

use opml_ops::{graph::Data, onnx::Tensor};

/// Codes of `TensorProto.DataType`.
const FLOAT16: i32 = 10;
const BFLOAT16: i32 = 16;

/// The tolerances, for people.
pub(super) const FLOAT_RULE: &str = "integers and bool exact; float32 and float64 within 1e-4 of the value plus 1e-5; \
                                     float16 2^-9 plus 1e-3; bfloat16 2^-6 plus 1e-2; floats of 8 and 4 bits half a unit in the last place; what is not finite in a cast is left out";
/// See [`FLOAT_RULE`].
pub(super) const PROGRAM_RULE: &str = "integers and bool exact; floats within 2^-11 of the output's largest magnitude, those of \
                                       16, 8 and 4 bits half a unit in the last place more";

/// Half a unit in the last place of small float types: relative, and of the least numbers.
const fn rounding(kind: i32) -> (f64, f64) {
    match kind {
        FLOAT16 => (1.0 / 2048.0, 1.0 / 33_554_432.0),
        BFLOAT16 => (1.0 / 256.0, 0.0),
        17 | 18 => (1.0 / 16.0, 1.0 / 1024.0),
        19 | 20 => (1.0 / 8.0, 1.0 / 131_072.0),
        23 => (1.0 / 4.0, 1.0 / 4.0),
        _ => (0.0, 0.0),
    }
}

/// Compares with the float evaluation's tolerance for an element type, or for numbers of four digits.
pub(super) fn floats(found: &Tensor, expected: &Tensor, kind: i32, digits: bool) -> Result<(), String> {
    let (relative, absolute) = match kind {
        _ if digits => (1e-3, 0.0),
        FLOAT16 => (1.0 / 512.0, 1e-3),
        BFLOAT16 => (1.0 / 64.0, 1e-2),
        17..=23 => rounding(kind),
        _ => (1e-4, 1e-5),
    };
    within(found, expected, |e| relative * e.abs() + absolute)
}

/// Compares with the integer program's tolerance for an element type.
pub(super) fn program(found: &Tensor, expected: &Tensor, kind: i32) -> Result<(), String> {
    let (relative, absolute) = rounding(kind);
    let largest = match &expected.data {
        Data::Float(values) => values.iter().fold(0.0f64, |largest, v| largest.max(f64::from(v.abs()))),
        Data::Int(_) => 0.0,
    };
    within(found, expected, |e| largest / 2048.0 + relative * e.abs() + absolute + 1e-9)
}

fn within(found: &Tensor, expected: &Tensor, allowed: impl Fn(f64) -> f64) -> Result<(), String> {
    if found.shape != expected.shape {
        return Err(format!("extents {:?}, expected {:?}", found.shape, expected.shape));
    }
    let exact = matches!(expected.data, Data::Int(_));
    if let (Data::Int(found), Data::Int(expected)) = (&found.data, &expected.data) {
        let other = found.iter().zip(expected).position(|(f, e)| f != e);
        return other.map_or(Ok(()), |i| Err(format!("element {i} is {}, expected {}", found[i], expected[i])));
    }
    let pairs = numbers(&found.data).into_iter().zip(numbers(&expected.data));
    for (i, (f, e)) in pairs.enumerate() {
        let near = (f - e).abs() <= if exact { 0.0 } else { allowed(e) };
        if !near {
            return Err(format!("element {i} is {f}, expected {e}"));
        }
    }
    Ok(())
}

#[allow(clippy::as_conversions, reason = "integers beyond 2^53 are compared as integers")]
fn numbers(data: &Data) -> Vec<f64> {
    match data {
        Data::Float(values) => values.iter().map(|&v| f64::from(v)).collect(),
        Data::Int(values) => values.iter().map(|&v| v as f64).collect(),
    }
}
