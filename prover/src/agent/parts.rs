//! Checks as a fleet hands them out: in parts, each of which is one row of the database, so that its work for a single check is small.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

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
    /// Where a check stands.
    places: BTreeMap<B256, Place>,
    /// Where else it stands, if two workers offered it at once.
    others: BTreeSet<(B256, Place)>,
}

/// A part, and which of its checks.
type Place = (i64, usize);

/// The names of a row; none if its bytes are no names.
fn names_of(bytes: &[u8]) -> Option<Vec<B256>> {
    bytes.len().is_multiple_of(NAME).then(|| bytes.chunks(NAME).map(B256::from_slice).collect())
}

/// A verdict on a claim in a row.
const fn byte(verdict: &Verdict) -> Option<u8> {
    match verdict {
        Verdict::Right => Some(RIGHT),
        Verdict::Wrong => Some(WRONG),
        Verdict::Traced(_) => None,
    }
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
        if let Some(old) = self.all.get(&id) {
            // What this worker knows is not forgotten.
            return old.names == names && self.learn(id, verdicts);
        }
        for (at, &name) in names.iter().enumerate() {
            match self.places.entry(name) {
                Entry::Vacant(entry) => drop(entry.insert((id, at))),
                Entry::Occupied(_) => drop(self.others.insert((name, (id, at)))),
            }
        }
        self.all.insert(id, Part { names, verdicts: verdicts.to_vec() });
        true
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

    /// Whether a part was seen.
    pub(super) fn knows(&self, id: i64) -> bool {
        self.all.contains_key(&id)
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
    pub(super) fn of(&self, check: B256) -> impl Iterator<Item = Place> {
        self.places.get(&check).copied().into_iter().chain(self.others_of(check))
    }

    fn others_of(&self, check: B256) -> impl Iterator<Item = Place> {
        let (from, to) = ((check, (i64::MIN, 0)), (check, (i64::MAX, usize::MAX)));
        self.others.range(from..=to).map(|&(_, place)| place)
    }

    /// Where a check stands first: at `guess`, or else by a search.
    fn near(&self, check: B256, guess: Place) -> Option<Place> {
        let is_there = |(id, at): &Place| self.all.get(id).and_then(|part| part.names.get(*at)) == Some(&check);
        let guess = Some(guess).filter(|guess| self.others.is_empty() && is_there(guess));
        guess.or_else(|| self.places.get(&check).copied())
    }

    fn set(&mut self, (id, at): Place, said: u8) {
        if let Some(place) = self.all.get_mut(&id).and_then(|part| part.verdicts.get_mut(at)) {
            *place = said;
        }
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

    /// Notes what runs said; gives the parts that this is about, and what is in no part or no verdict on a claim.
    pub(super) fn judge<'a>(&mut self, verdicts: &'a [(B256, Verdict)]) -> (BTreeSet<i64>, Vec<&'a (B256, Verdict)>) {
        let (mut touched, mut other) = (BTreeSet::new(), Vec::new());
        let mut guess = (0, 0);
        for judged in verdicts {
            let (check, verdict) = judged;
            let Some((said, place)) = byte(verdict).zip(self.near(*check, guess)) else {
                other.push(judged);
                continue;
            };
            let others: Vec<Place> = self.others_of(*check).collect();
            for place in std::iter::once(place).chain(others) {
                self.set(place, said);
                touched.insert(place.0);
            }
            // A part's checks are mostly judged in its order.
            guess = (place.0, place.1 + 1);
        }
        (touched, other)
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
        let said = [(name(2), Verdict::Wrong), (name(9), Verdict::Right), (name(1), Verdict::Traced([0; 32]))];
        let (touched, other) = parts.judge(&said);
        assert_eq!((touched, other), (BTreeSet::from([7]), vec![&said[1], &said[2]]));
        assert_eq!((parts.open(), parts.last()), (vec![7], 7));
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
        let said = [(name(1), Verdict::Right)];
        let (touched, other) = parts.judge(&said);
        assert_eq!((touched, other.len(), parts.open()), (BTreeSet::from([4, 5]), 0, vec![]));
        assert!(parts.has(name(1)) && !parts.has(name(2)));
        assert_eq!(parts.of(name(1)).collect::<Vec<_>>(), [(4, 0), (5, 0)]);
    }

    #[test]
    fn checks_are_judged_in_any_order_and_of_any_parts() {
        let order: [u8; 8] = [0, 1, 2, 5, 4, 3, 7, 6];
        for twice in [false, true] {
            let mut parts = Parts::default();
            for (id, numbers) in [(1, 0..3), (2, 3..6), (3, if twice { 2..8 } else { 6..8 })] {
                let (names, verdicts) = row(&numbers.map(name).collect::<Vec<_>>());
                assert!(parts.add(id, &names, &verdicts) && parts.knows(id) && !parts.knows(id + 1));
            }
            let verdict = |number: u8| if number.is_multiple_of(3) { Verdict::Wrong } else { Verdict::Right };
            let said: Vec<_> = order.iter().map(|&number| (name(number), verdict(number))).collect();
            let (touched, other) = parts.judge(&said);
            assert_eq!((touched, other.len()), (BTreeSet::from([1, 2, 3]), 0));
            assert_eq!((parts.verdicts(1).0, parts.verdicts(2).0), (&[2, 1, 1][..], &[2, 1, 1][..]));
            let last = if twice { &[1, 2, 1, 1, 2, 1][..] } else { &[2, 1][..] };
            assert_eq!(parts.verdicts(3), (last, true));
        }
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
        let (others, verdicts) = row(&[name(1), name(3)]);
        assert!(!parts.add(1, &others, &verdicts), "a part's checks do not change");
    }
}
