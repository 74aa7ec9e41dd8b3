//! From a token to the residual stream, and from there to the next token.

use opml_vm::{DType, Reducer};

use super::{
    LOGIT_BITS, Shared, Vector,
    linear::{Packed, blocks},
    norm::norm,
};
use crate::lower::{Builder, Draft, Index, LowerError, Reg, Size, Stored};

/// The inputs of a program.
pub(super) struct Text {
    prompt: Stored,
    settings: Stored,
    context: i64,
}

/// Places in the second input.
#[derive(Clone, Copy)]
pub(super) enum Setting {
    /// Tokens of the prompt.
    Length,
    /// 16 fraction bits.
    Temperature,
    /// Tokens drawn from.
    Most,
    /// Seed.
    Seed,
}

impl Text {
    pub(super) fn new(builder: &mut Builder, shared: &Shared<'_>) -> Self {
        let prompt = builder.input(DType::I32, &[shared.context]).stored;
        let settings = builder.input(DType::I64, &[4]).stored;
        Self { prompt, settings, context: shared.context }
    }

    /// Reads a setting.
    pub(super) fn setting(&self, draft: &mut Draft, setting: Setting) -> Reg {
        let place = match setting {
            Setting::Length => 0,
            Setting::Temperature => 1,
            Setting::Most => 2,
            Setting::Seed => 3,
        };
        draft.load(self.settings.clone(), 0, vec![(4, Index::constant(place))])
    }

    /// A place for the token of the iteration; [`Text::end`] writes the instruction.
    pub(super) fn begin(&self, builder: &mut Builder) -> Result<Stored, LowerError> {
        let mut draft = Draft::new(DType::I32, Reducer::Sum);
        self.prompt_at(&mut draft, Index::constant(0));
        builder.push(draft)
    }

    fn prompt_at(&self, draft: &mut Draft, place: Index) -> Reg {
        draft.load(self.prompt.clone(), 0, vec![(self.context, place)])
    }

    /// A token of the text: of the prompt, or the one that an earlier iteration found.
    fn token(&self, draft: &mut Draft, place: Index, next: &Stored) -> Reg {
        let length = self.setting(draft, Setting::Length);
        let given = self.prompt_at(draft, place.clone());
        let found =
            draft.load_sized(next.clone(), Some(place.clone() - 1), 0, vec![(Size::from(1), Index::constant(0))]);
        let zero = draft.mul(length, 0);
        let place = place.registers().fold(zero, |sum, reg| draft.add(sum, reg));
        let inside = draft.less(place, length);
        draft.select(inside, given, found)
    }

    /// The token of the iteration, what ends the run, and the text as the output.
    pub(super) fn end(
        &self,
        builder: &mut Builder,
        begin: &Stored,
        next: &Stored,
        ends: &[u32],
    ) -> Result<Option<Stored>, LowerError> {
        let mut draft = Draft::new(DType::I32, Reducer::Sum);
        let t = Index::from(draft.iteration());
        self.token(&mut draft, t, next);
        builder.replace(begin, draft)?;

        let halt = match ends {
            [] => None,
            ends => Some(builder.push(self.halt(next, ends))?),
        };
        let mut draft = Draft::new(DType::I32, Reducer::Sum);
        let tokens = draft.growing(2, 1, self.context + 1);
        let place = draft.output(tokens);
        self.token(&mut draft, place.into(), next);
        builder.push(draft)?;
        Ok(halt)
    }

    /// 1 where the prompt is over and the next token ends the text.
    fn halt(&self, next: &Stored, ends: &[u32]) -> Draft {
        let mut draft = Draft::new(DType::U8, Reducer::Sum);
        let length = self.setting(&mut draft, Setting::Length);
        let t = draft.iteration();
        let after = draft.add(t, 1);
        let early = draft.less(after, length);
        let token = draft.load(next.clone(), 0, vec![]);
        let mut ended = draft.mul(early, 0);
        for &end in ends {
            let equal = draft.equal(token, i64::from(end));
            ended = draft.or(ended, equal);
        }
        draft.select(early, 0, ended);
        draft
    }
}

/// The row of the token in the embedding, as the residual stream.
pub(super) fn embed(
    builder: &mut Builder,
    shared: &Shared<'_>,
    token: &Stored,
    embedding: &Packed,
) -> Result<Vector, LowerError> {
    let load = |draft: &mut Draft| draft.load(token.clone(), 0, vec![]);
    embedding.row(builder, shared.config.embedding_scale, shared.residual_bits, load)
}

/// How likely each token is to be the next one.
pub(super) fn logits(
    builder: &mut Builder,
    shared: &Shared<'_>,
    stream: &Vector,
    weights: &[f32],
    output: &Packed,
) -> Result<Vector, LowerError> {
    let x = norm(builder, stream, (weights, shared.config.epsilon), output.headroom)?;
    let x = blocks(builder, &x)?;
    match shared.config.logit_cap {
        None => output.product(builder, &x, LOGIT_BITS, |_, value, _| value),
        Some(cap) => {
            let table = super::feed::gate_table(builder, super::super::Activation::Silu);
            let one = libm::exp2(crate::num::real(LOGIT_BITS));
            output.product(builder, &x, LOGIT_BITS, |draft, value, _| {
                super::feed::capped(draft, value, (1.0 / (one * cap), cap * one), &table)
            })
        }
    }
}

/// The first of the most likely tokens.
pub(super) fn greedy(builder: &mut Builder, logits: &Vector) -> Result<Stored, LowerError> {
    let mut draft = Draft::new(DType::I32, Reducer::Argmax);
    let token = draft.reduce(logits.stored.elements);
    draft.load(logits.stored.clone(), 0, vec![(logits.stored.elements, token.into())]);
    builder.push(draft)
}
