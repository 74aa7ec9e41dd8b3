//! Weights of interpolation, as the ONNX reference implementation defines them.

use crate::num;

/// What is computed of the neighbours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Interpolation {
    Nearest,
    Linear {
        /// Whether the kernel widens where the axis shrinks.
        antialias: bool,
    },
    Cubic {
        /// The cubic's parameter.
        a: f64,
        /// See [`Interpolation::Linear`].
        antialias: bool,
    },
}

/// Which neighbour is the nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nearest {
    RoundPreferFloor,
    RoundPreferCeil,
    Floor,
    Ceil,
}

impl Nearest {
    /// The index at a place, inside the extent.
    pub(super) fn index(self, place: f64, extent: usize) -> usize {
        let index = match self {
            Self::RoundPreferFloor => libm::ceil(place - 0.5),
            Self::RoundPreferCeil => libm::floor(place + 0.5),
            Self::Floor => libm::floor(place),
            Self::Ceil => libm::ceil(place),
        };
        inside(num::round(index), extent)
    }
}

/// The index nearest to `index` that exists.
fn inside(index: i64, extent: usize) -> usize {
    num::index(index.max(0)).unwrap_or(0).min(extent.saturating_sub(1))
}

/// Widest kernel: an axis shrinks by a quarter of it at most.
const WIDEST: f64 = 4096.0;

/// Taps `(index, weight)` at each place, equally many. Places beyond the edge read the edge, or nothing.
pub(super) fn taps(
    interpolation: Interpolation,
    scale: f64,
    places: &[f64],
    extent: usize,
    exclude_outside: bool,
) -> Vec<Vec<(usize, f32)>> {
    let (radius, antialias) = match interpolation {
        Interpolation::Cubic { antialias, .. } => (2.0, antialias),
        Interpolation::Nearest | Interpolation::Linear { .. } => {
            (1.0, matches!(interpolation, Interpolation::Linear { antialias: true }))
        }
    };
    let stretch = if antialias { scale.clamp(2.0 * radius / WIDEST, 1.0) } else { 1.0 };
    let first = num::round(libm::floor(-radius / stretch)) + 1;
    let weight = |x: f64| match interpolation {
        Interpolation::Cubic { a, .. } => cubic(a, x.abs()),
        _ => (1.0 - x.abs()).max(0.0),
    };
    let at = |&place: &f64| {
        let base = libm::floor(place);
        let all = (first..2 - first).map(|i| {
            let index = num::round(base).saturating_add(i);
            let inside = num::index(index).is_some_and(|index| index < extent);
            let weight = weight((num::real(i) - (place - base)) * stretch);
            (index, if exclude_outside && !inside { 0.0 } else { weight })
        });
        let all: Vec<(i64, f64)> = all.collect();
        let total: f64 = if antialias || exclude_outside { all.iter().map(|(_, weight)| weight).sum() } else { 1.0 };
        all.into_iter().map(|(index, weight)| (inside(index, extent), num::single(weight / total))).collect()
    };
    places.iter().map(at).collect()
}

/// Keys' cubic convolution kernel with parameter `a`.
fn cubic(a: f64, x: f64) -> f64 {
    if x <= 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}

/// Whether every result is the element at its own place.
pub(super) fn is_identity(taps: &[Vec<(usize, f32)>], extent: usize) -> bool {
    let own = |(j, taps): (usize, &Vec<(usize, f32)>)| {
        taps.iter().all(|&(index, weight)| if index == j { weight == 1.0 || weight == 0.0 } else { weight == 0.0 })
            && taps.iter().filter(|&&(index, weight)| index == j && weight == 1.0).count() == 1
    };
    taps.len() == extent && taps.iter().enumerate().all(own)
}
