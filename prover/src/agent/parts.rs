//! Checks as a fleet hands them out: in parts, each of which is one row of the database, so that its work for a single check is small.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;

use super::Verdict;

/// Bytes of a name.
const NAME: usize = 32;
/// Nothing is known of a check.
const OPEN: u8 = 0;
const RIGHT: u8 = 1;
const WRONG: u8 = 2;

/// Some checks of one model, and a byte for each verdict.
#[derive(Debug, Default)]
struct Part {
    names: Vec<B256>,
    verdicts: Vec<u8>,
}

/// The parts that a worker has seen.
#[derive(Debug, Default)]
pub(super) struct Parts {
    all: BTreeMap<i64, Part>,
    /// Where a check stands: in more than one part, if two workers offered it at once.
    places: BTreeMap<(B256, i64), usize>,
}

/// The names of a row; none if its bytes are no names.
fn names_of(bytes: &[u8]) -> Option<Vec<B256>> {
    bytes.len().is_multiple_of(NAME).then(|| bytes.chunks(NAME).map(B256::from_slice).collect())
}

/// The bytes of names, and of verdicts that are not known yet.
pub(super) fn row<'a>(names: impl IntoIterator<Item = &'a B256>) -> (Vec<u8>, Vec<u8>) {
    let names: Vec<u8> = names.into_iter().flat_map(|name| name.0).collect();
    let verdicts = vec![OPEN; names.len() / NAME];
    (names, verdicts)
}

impl Parts {
    /// Takes in a row of the database; false if it is damaged.
    #[must_use]
    pub(super) fn add(&mut self, id: i64, names: &[u8], verdicts: &[u8]) -> bool {
        let Some(names) = names_of(names).filter(|names| names.len() == verdicts.len()) else { return false };
        self.places.extend(names.iter().enumerate().map(|(at, &name)| ((name, id), at)));
        let old = self.all.insert(id, Part { names, verdicts: verdicts.to_vec() });
        // What this worker knows is not forgotten.
        old.is_none_or(|old| self.learn(id, &old.verdicts))
    }

    /// Adds what the database says of a part's checks; false if it is of other checks. A part that is not known here is passed over.
    #[must_use]
    pub(super) fn learn(&mut self, id: i64, verdicts: &[u8]) -> bool {
        let Some(part) = self.all.get_mut(&id) else { return true };
        for (own, &said) in part.verdicts.iter_mut().zip(verdicts) {
            *own = (*own).max(said);
        }
        part.verdicts.len() == verdicts.len()
    }

    /// The newest part.
    pub(super) fn last(&self) -> i64 {
        self.all.last_key_value().map_or(0, |(&id, _)| id)
    }

    /// Parts with checks of which nothing is known.
    pub(super) fn open(&self) -> Vec<i64> {
        self.all.iter().filter(|(_, part)| part.verdicts.contains(&OPEN)).map(|(&id, _)| id).collect()
    }

    /// The parts that a check is in.
    pub(super) fn of(&self, check: B256) -> impl Iterator<Item = (i64, usize)> {
        self.places.range((check, i64::MIN)..=(check, i64::MAX)).map(|(&(_, id), &at)| (id, at))
    }

    /// Whether a check is in a part.
    pub(super) fn has(&self, check: B256) -> bool {
        self.of(check).next().is_some()
    }

    /// What is known of a check.
    pub(super) fn verdict(&self, check: B256) -> Option<Verdict> {
        let said = self.of(check).filter_map(|(id, at)| self.all.get(&id)?.verdicts.get(at)).max();
        match said {
            Some(&RIGHT) => Some(Verdict::Right),
            Some(&WRONG) => Some(Verdict::Wrong),
            _ => None,
        }
    }

    /// Notes what a run said; false if the check is in no part, or the verdict is none of a claim.
    #[must_use]
    pub(super) fn judge(&mut self, check: B256, verdict: &Verdict, touched: &mut BTreeSet<i64>) -> bool {
        let said = match verdict {
            Verdict::Right => RIGHT,
            Verdict::Wrong => WRONG,
            Verdict::Traced(_) => return false,
        };
        let places: Vec<(i64, usize)> = self.of(check).collect();
        for &(id, at) in &places {
            if let Some(place) = self.all.get_mut(&id).and_then(|part| part.verdicts.get_mut(at)) {
                *place = said;
                touched.insert(id);
            }
        }
        !places.is_empty()
    }

    /// The checks of a part of which nothing is known.
    pub(super) fn left(&self, id: i64) -> impl Iterator<Item = B256> {
        let part = self.all.get(&id).into_iter();
        let checks = part.flat_map(|part| part.names.iter().zip(&part.verdicts));
        checks.filter(|(_, verdict)| **verdict == OPEN).map(|(name, _)| *name)
    }

    /// The verdicts of a part, and whether all are known.
    pub(super) fn verdicts(&self, id: i64) -> (&[u8], bool) {
        let verdicts = self.all.get(&id).map_or(&[][..], |part| &part.verdicts);
        (verdicts, !verdicts.contains(&OPEN))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn name(number: u8) -> B256 {
        B256::repeat_byte(number)
    }

    #[test]
    fn a_part_is_over_when_all_its_checks_are_judged() {
        let mut parts = Parts::default();
        let (names, verdicts) = row(&[name(1), name(2), name(3)]);
        assert!(parts.add(7, &names, &verdicts));
        let mut touched = BTreeSet::new();
        assert!(parts.judge(name(2), &Verdict::Wrong, &mut touched));
        assert!(!parts.judge(name(9), &Verdict::Right, &mut touched));
        assert!(!parts.judge(name(1), &Verdict::Traced([0; 32]), &mut touched));
        assert_eq!((touched.len(), parts.open(), parts.last()), (1, vec![7], 7));
        assert_eq!(parts.left(7).collect::<Vec<_>>(), [name(1), name(3)]);
        assert_eq!(parts.verdicts(7), (&[0, 2, 0][..], false));
        // Another worker made the others.
        assert!(parts.learn(7, &[1, 0, 1]));
        assert_eq!((parts.verdicts(7), parts.open()), ((&[1, 2, 1][..], true), vec![]));
        assert_eq!((parts.verdict(name(2)), parts.verdict(name(3))), (Some(Verdict::Wrong), Some(Verdict::Right)));
    }

    #[test]
    fn a_check_that_was_offered_twice_is_judged_in_both_parts() {
        let mut parts = Parts::default();
        for id in [4, 5] {
            let (names, verdicts) = row(&[name(1)]);
            assert!(parts.add(id, &names, &verdicts));
        }
        let mut touched = BTreeSet::new();
        assert!(parts.judge(name(1), &Verdict::Right, &mut touched));
        assert_eq!((touched, parts.open()), (BTreeSet::from([4, 5]), vec![]));
        assert!(parts.has(name(1)) && !parts.has(name(2)));
    }

    #[test]
    fn a_damaged_row_is_refused() {
        let mut parts = Parts::default();
        let (names, verdicts) = row(&[name(1), name(2)]);
        assert!(!parts.add(1, names.get(1..).unwrap(), &verdicts));
        assert!(!parts.add(1, &names, &[0]));
        assert!(parts.learn(1, &[0, 0]), "nothing is known of this part");
        assert!(!parts.has(name(1)));
        assert!(parts.add(1, &names, &[1, 0]));
        assert!(!parts.learn(1, &[0, 0, 0]));
        // What is known stays, whatever an older row says.
        assert!(parts.add(1, &names, &[0, 0]));
        assert_eq!(parts.verdict(name(1)), Some(Verdict::Right));
    }
}
