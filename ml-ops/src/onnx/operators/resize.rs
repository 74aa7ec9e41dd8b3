//! `Resize` and `Upsample`, axis by axis.

mod kernel;

use super::{Call, Table};
use crate::{
    error::NodeFault,
    graph::{Operator, ValueId},
    num,
};
use kernel::{Interpolation, Nearest};

pub(super) const TABLE: Table = &[("Resize", resize), ("Upsample", upsample)];

/// How a place in the result becomes a place in the operand.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Transformation {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    /// From `start` to `end` of the operand's extent.
    CropAndResize(f64, f64),
    HalfPixelForNearest,
}

/// One axis.
#[derive(Debug, Clone, Copy)]
struct Axis {
    from: usize,
    to: usize,
    scale: f64,
    transformation: Transformation,
}

fn real(n: usize) -> f64 {
    num::real(num::signed(n))
}

impl Axis {
    /// Where result `j` lies in the operand.
    fn place(&self, j: usize) -> f64 {
        // The reference implementation counts with the extent before rounding.
        let (x, from, to) = (real(j), real(self.from), self.scale * real(self.from));
        match self.transformation {
            Transformation::HalfPixel => (x + 0.5) / self.scale - 0.5,
            Transformation::HalfPixelSymmetric => {
                let adjustment = real(self.to) / to;
                from / 2.0 * (1.0 - adjustment) + (x + 0.5) / self.scale - 0.5
            }
            Transformation::PytorchHalfPixel | Transformation::AlignCorners if to == 1.0 => 0.0,
            Transformation::PytorchHalfPixel => (x + 0.5) / self.scale - 0.5,
            Transformation::AlignCorners => x * (from - 1.0) / (to - 1.0),
            Transformation::Asymmetric => x / self.scale,
            Transformation::CropAndResize(start, end) if to == 1.0 => 0.5 * (start + end) * (from - 1.0),
            Transformation::CropAndResize(start, end) => {
                start * (from - 1.0) + x * (end - start) * (from - 1.0) / (to - 1.0)
            }
            Transformation::HalfPixelForNearest => (x + 0.5) / self.scale,
        }
    }

    /// Whether a place reads the extrapolation value.
    fn is_outside(&self, place: f64) -> bool {
        let crops = matches!(self.transformation, Transformation::CropAndResize(..));
        crops && (place < 0.0 || place > real(self.from) - 1.0)
    }
}

/// What the attributes say.
struct Style {
    interpolation: Interpolation,
    nearest: Nearest,
    extrapolation: f32,
}

fn wrong(name: &'static str, value: impl ToString, supported: &'static str) -> NodeFault {
    NodeFault::Value { name, value: value.to_string(), supported }
}

fn style(call: &Call<'_, '_>) -> Result<Style, NodeFault> {
    let antialias = call.flag("antialias", false);
    let interpolation = match call.text("mode", "nearest").as_str() {
        "nearest" => Interpolation::Nearest,
        "linear" | "bilinear" => Interpolation::Linear { antialias },
        "cubic" => Interpolation::Cubic { a: f64::from(call.float("cubic_coeff_a", -0.75)?), antialias },
        other => return Err(wrong("mode", other, "nearest, linear, cubic")),
    };
    let nearest = match call.text("nearest_mode", "round_prefer_floor").as_str() {
        _ if call.opset() < 11 => Nearest::Floor,
        "round_prefer_floor" => Nearest::RoundPreferFloor,
        "round_prefer_ceil" => Nearest::RoundPreferCeil,
        "floor" => Nearest::Floor,
        "ceil" => Nearest::Ceil,
        other => return Err(wrong("nearest_mode", other, "round_prefer_floor, round_prefer_ceil, floor, ceil")),
    };
    Ok(Style { interpolation, nearest, extrapolation: call.float("extrapolation_value", 0.0)? })
}

/// The transformation of an axis; `roi` holds its start and end.
fn transformation(call: &Call<'_, '_>, roi: Option<(f32, f32)>) -> Result<Transformation, NodeFault> {
    const NAME: &str = "coordinate_transformation_mode";
    Ok(match call.text(NAME, "half_pixel").as_str() {
        _ if call.opset() < 11 => Transformation::Asymmetric,
        "half_pixel" => Transformation::HalfPixel,
        "half_pixel_symmetric" => Transformation::HalfPixelSymmetric,
        "pytorch_half_pixel" => Transformation::PytorchHalfPixel,
        "align_corners" => Transformation::AlignCorners,
        "asymmetric" => Transformation::Asymmetric,
        "tf_half_pixel_for_nn" => Transformation::HalfPixelForNearest,
        "tf_crop_and_resize" => match roi {
            Some((start, end)) => Transformation::CropAndResize(f64::from(start), f64::from(end)),
            None => return Err(NodeFault::MissingInput(1)),
        },
        other => return Err(wrong(NAME, other, "those of the operator's definition")),
    })
}

fn resize(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.any(0)?;
    let shape = call.shape(x.id);
    let rank = shape.len();
    let axes: Vec<usize> = match call.ints("axes") {
        Some(axes) => axes.iter().map(|&axis| call.axis("axes", axis, rank)).collect::<Result<_, _>>()?,
        None => (0..rank).collect(),
    };
    let roi = if call.opset() >= 11 && call.has_operand(1) { call.floats(1, "roi")? } else { vec![] };
    let targets = targets(call, &shape, &axes)?;
    let mut extents = Vec::new();
    for (i, &axis) in axes.iter().enumerate() {
        let (scale, to) = targets[i];
        let roi = roi.get(i).copied().zip(roi.get(axes.len() + i).copied());
        let transformation = transformation(call, roi)?;
        extents.push((axis, Axis { from: shape[axis], to, scale, transformation }));
    }
    let style = style(call)?;
    if x.coded.is_some() && style.interpolation != Interpolation::Nearest {
        return Err(NodeFault::Encoded(0));
    }
    let y = apply(call, x.id, &extents, &style)?;
    call.finish_as(y, x.coded)
}

/// Scale and extent of each resized axis, from `scales` or `sizes`.
fn targets(call: &Call<'_, '_>, shape: &[usize], axes: &[usize]) -> Result<Vec<(f64, usize)>, NodeFault> {
    let place = if call.opset() < 11 { 1 } else { 2 };
    let scales = if call.has_operand(place) { call.floats(place, "scales")? } else { vec![] };
    if !scales.is_empty() {
        return by_scales(call, shape, axes, &scales);
    }
    let sizes = call.integers(3, "sizes")?;
    let sizes: Option<Vec<usize>> = sizes.iter().map(|&n| num::index(n).filter(|&n| n > 0)).collect();
    let sizes = sizes.filter(|sizes| sizes.len() == axes.len());
    let sizes = sizes.ok_or_else(|| NodeFault::Shape(format!("sizes for {} axes", axes.len())))?;
    let ratios = || axes.iter().zip(&sizes).map(|(&axis, &to)| real(to) / real(shape[axis]));
    let common = match call.text("keep_aspect_ratio_policy", "stretch").as_str() {
        "stretch" => return Ok(ratios().zip(sizes.iter().copied()).collect()),
        "not_larger" => ratios().fold(f64::INFINITY, f64::min),
        "not_smaller" => ratios().fold(0.0, f64::max),
        other => return Err(wrong("keep_aspect_ratio_policy", other, "stretch, not_larger, not_smaller")),
    };
    let rounded = |axis: usize| num::index(num::round(libm::floor(real(shape[axis]) * common + 0.5))).unwrap_or(0);
    Ok(axes.iter().map(|&axis| (common, rounded(axis))).collect())
}

fn by_scales(
    call: &Call<'_, '_>,
    shape: &[usize],
    axes: &[usize],
    scales: &[f32],
) -> Result<Vec<(f64, usize)>, NodeFault> {
    if scales.len() != axes.len() {
        return Err(NodeFault::Shape(format!("{} scales for {} axes", scales.len(), axes.len())));
    }
    let mut targets = Vec::new();
    for (&axis, &scale) in axes.iter().zip(scales) {
        if !(scale.is_normal() && scale > 0.0) {
            return Err(wrong("scale", scale, "positive numbers"));
        }
        let to = num::index(num::round(libm::floor(real(shape[axis]) * f64::from(scale)))).unwrap_or(0);
        call.room(&[to])?;
        targets.push((f64::from(scale), to));
    }
    Ok(targets)
}

/// Scales are an attribute before opset 9.
fn upsample(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let shape = call.shape(x);
    let scales =
        if call.opset() < 9 { call.floats_attribute("scales").unwrap_or_default() } else { call.floats(1, "scales")? };
    let axes: Vec<usize> = (0..shape.len()).collect();
    let targets = by_scales(call, &shape, &axes, &scales)?;
    let extents: Vec<(usize, Axis)> = targets
        .into_iter()
        .zip(&shape)
        .map(|((scale, to), &from)| Axis { from, to, scale, transformation: Transformation::Asymmetric })
        .enumerate()
        .collect();
    let style = Style { nearest: Nearest::Floor, ..style(call)? };
    let y = apply(call, x, &extents, &style)?;
    call.finish(y)
}

fn apply(call: &mut Call<'_, '_>, x: ValueId, extents: &[(usize, Axis)], style: &Style) -> Result<ValueId, NodeFault> {
    let mut wider = call.shape(x);
    for (number, axis) in extents {
        wider[*number] = axis.to;
    }
    call.room(&wider)?;
    let mut sources = vec![None; wider.len()];
    let mut y = x;
    for (number, axis) in extents {
        let places: Vec<f64> = (0..axis.to).map(|j| axis.place(j)).collect();
        let outside = |j: usize| axis.is_outside(places[j]);
        if style.interpolation == Interpolation::Nearest {
            let nearest = |j: usize| (!outside(j)).then(|| style.nearest.index(places[j], axis.from));
            sources[*number] = Some((0..axis.to).map(nearest).collect());
            continue;
        }
        let taps =
            kernel::taps(style.interpolation, axis.scale, &places, axis.from, call.flag("exclude_outside", false));
        if !kernel::is_identity(&taps, axis.from) {
            y = call.emit(Operator::Resample { axis: *number, taps }, &[y])?;
        }
        if (0..axis.to).any(outside) {
            sources[*number] = Some((0..axis.to).map(|j| (!outside(j)).then_some(j)).collect());
        }
    }
    call.take(y, sources, style.extrapolation)
}
