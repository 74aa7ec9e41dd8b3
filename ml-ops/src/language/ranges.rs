//! In which range numbers inside a model lie, by floats on a text.

use super::{
    Config, LanguageError,
    float::{Cache, FloatModel, Seen},
};

/// Largest magnitudes seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranges {
    /// Of the residual stream.
    pub residual: f64,
    /// Of queries, keys, values and gated numbers, layer by layer.
    pub layers: Vec<LayerRanges>,
}

/// Largest magnitudes in a layer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LayerRanges {
    /// Queries, after they were turned.
    pub query: f64,
    /// Keys, after they were turned.
    pub key: f64,
    /// Values.
    pub value: f64,
    /// Gate times up.
    pub gated: f64,
}

impl Ranges {
    /// Runs a model over some tokens.
    ///
    /// # Errors
    /// A token is not in the vocabulary.
    pub fn measure(model: &FloatModel, tokens: &[u32]) -> Result<Self, LanguageError> {
        let mut ranges = Self::none(&model.config);
        model.logits(tokens, &mut Cache::default(), &mut |seen, values| {
            let most = values.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            ranges.widen(seen, most.into());
        })?;
        Ok(ranges)
    }

    fn none(config: &Config) -> Self {
        Self { residual: 0.0, layers: vec![LayerRanges::default(); config.layers] }
    }

    fn widen(&mut self, seen: Seen, most: f64) {
        let mut layer = |number: usize, field: fn(&mut LayerRanges) -> &mut f64| {
            if let Some(layer) = self.layers.get_mut(number) {
                let known = field(layer);
                *known = known.max(most);
            }
        };
        match seen {
            Seen::Residual => self.residual = self.residual.max(most),
            Seen::Query(number) => layer(number, |layer| &mut layer.query),
            Seen::Key(number) => layer(number, |layer| &mut layer.key),
            Seen::Value(number) => layer(number, |layer| &mut layer.value),
            Seen::Gated(number) => layer(number, |layer| &mut layer.gated),
        }
    }
}
