//! Cutting a reduction into partials.

use super::Table;
use crate::hash::{self, Hash};
use crate::moves::MoveKind;
use crate::position::{Cell, Position, Slice};
use crate::refused::Refused;
use crate::rules::Rules;
use crate::split;

impl<R: Rules + ?Sized> Table<'_, R> {
    pub(super) fn reveal_partials(&self, at: &Position, partials: &[i128]) -> Result<Position, Refused> {
        let (Position::Element(cell, slice) | Position::Slice(cell, slice)) = at else {
            return Err(Refused::NotHere(MoveKind::RevealPartials));
        };
        let m = split::parts(self.claim.arity(), slice.terms());
        if u64::try_from(partials.len()) != Ok(m) {
            return Err(Refused::PartialCount);
        }
        let total = self.rules.combine(cell.reducer, partials).ok_or(Refused::PartialSum)?;
        let hash = hash::partials(self.rules, partials);
        match at {
            Position::Element(..) => Ok(Position::ElementPartials(*cell, *slice, hash)),
            _ if total == slice.value => Ok(Position::SlicePartials(*cell, *slice, hash)),
            _ => Err(Refused::PartialSum),
        }
    }

    pub(super) fn select_partial(&self, at: &Position, part: u64, partials: &[i128]) -> Result<Position, Refused> {
        let cut = cut(at, MoveKind::SelectPartial)?;
        let named = self.part(&cut, part, partials)?;
        if named.terms() < 2 {
            return Err(Refused::Terms);
        }
        Ok(Position::Slice(cut.cell, named))
    }

    /// Part `part` of the range in dispute, with its revealed partial.
    pub(super) fn part(&self, cut: &Cut, part: u64, partials: &[i128]) -> Result<Slice, Refused> {
        self.revealed(cut, partials)?;
        let (k0, k1) = split::part(self.claim.arity(), cut.slice.k0, cut.slice.k1, part).ok_or(Refused::Number)?;
        let at = usize::try_from(part).map_err(|_| Refused::Number)?;
        let value = *partials.get(at).ok_or(Refused::Number)?;
        Ok(Slice { k0, k1, value })
    }

    /// The partials sent again are those that were revealed.
    pub(super) fn revealed(&self, cut: &Cut, partials: &[i128]) -> Result<(), Refused> {
        if hash::partials(self.rules, partials) == cut.hash { Ok(()) } else { Err(Refused::Partials) }
    }
}

/// A range cut into partials.
pub(super) struct Cut {
    pub(super) cell: Cell,
    pub(super) slice: Slice,
    pub(super) hash: Hash,
}

/// The cut of a position that has one.
pub(super) fn cut(at: &Position, mv: MoveKind) -> Result<Cut, Refused> {
    match at {
        Position::ElementPartials(cell, slice, hash) | Position::SlicePartials(cell, slice, hash) => {
            Ok(Cut { cell: *cell, slice: *slice, hash: *hash })
        }
        _ => Err(Refused::NotHere(mv)),
    }
}
