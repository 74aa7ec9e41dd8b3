//! Checks of claims: every claim's model is run again, claims of one model in one batch, by whichever worker of a fleet takes them.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use alloy_primitives::{B256, keccak256};
use opml_vm::{Tensor, bounds::Bounds, interpreter::Stop};

use super::{
    AgentError, Book, Claimed, Office, Picture, Progress, Standing, Task, Verdict, case,
    ledger::{Able, Open},
};
use crate::error::ProverError;

/// Most claims that are taken at once, and whose verdicts are noted at once.
const BATCH: usize = 2_048;
/// Most claims that are run together: their values fit a processor's cache, and little is gained by more.
const RUN: usize = 256;
/// Operations of the runs after which the agent looks at the chain again: some seconds.
const LOOK: u128 = 1 << 34;

/// What is known of the claims, as far as this process was told.
#[derive(Debug, Default)]
pub(super) struct Known {
    verdicts: BTreeMap<B256, Verdict>,
    /// Claims that this process cannot judge: they are tried again after a start, by others at once.
    unable: BTreeSet<B256>,
    /// Claims of which it was said that their model is missing.
    missing: BTreeSet<B256>,
    /// How many checks of a model are taken at once.
    together: BTreeMap<B256, usize>,
    /// Checks that this process made itself.
    pub(super) made: u64,
    /// Whether checks were left for another round.
    pub(super) busy: bool,
}

/// One check: of what a claim says, and of its trace root once that is open.
struct Check<'b> {
    id: B256,
    claimed: &'b Claimed,
    task: &'b Task,
    root: Option<B256>,
    name: B256,
}

impl Check<'_> {
    const fn model(&self) -> B256 {
        self.task.task.modelRoot
    }

    const fn open(&self) -> Open {
        Open { check: self.name, model: self.model(), block: self.claimed.block }
    }
}

/// Name of a check: a claim's, or a claim's with its trace root.
fn name(id: B256, root: Option<B256>) -> B256 {
    root.map_or(id, |root| keccak256([id, root].concat()))
}

impl Known {
    /// Whether a claim is known to be wrong, by what it says or by its trace root.
    pub(super) fn is_wrong(&self, id: B256, claimed: &Claimed) -> bool {
        let wrong = |name| self.verdicts.get(&name) == Some(&Verdict::Wrong);
        wrong(id) || claimed.trace_root.is_some_and(|root| wrong(name(id, Some(root))))
    }

    /// Whether nothing more needs to be run for a claim.
    fn next(&self, id: B256, claimed: &Claimed) -> Option<Option<B256>> {
        match (self.verdicts.get(&id), claimed.trace_root) {
            (None, _) => Some(None),
            (Some(Verdict::Right), Some(root)) if !self.verdicts.contains_key(&name(id, Some(root))) => {
                Some(Some(root))
            }
            _ => None,
        }
    }
}

/// The checks to be made of the pending claims, in their order.
fn open<'b>(book: &'b Book, known: &Known) -> Vec<Check<'b>> {
    let pending = book.claims.iter().filter(|(_, claimed)| claimed.standing == Standing::Pending);
    let check = |(&id, claimed): (&B256, &'b Claimed)| {
        let root = known.next(id, claimed)?;
        let (task, _) = book.subject(claimed)?;
        let name = name(id, root);
        (!known.unable.contains(&name)).then_some(Check { id, claimed, task, root, name })
    };
    let mut checks: Vec<Check<'_>> = pending.filter_map(check).collect();
    checks.sort_by_key(|check| check.open().order());
    checks
}

/// Makes checks until there are none left that nobody else makes, or it is time to look at the chain again.
///
/// # Errors
/// The endpoint, the storage or the database does not answer; what was judged so far is noted.
pub(super) fn make(office: &mut Office<'_>, picture: &Picture, said: &mut Vec<Progress>) -> Result<(), AgentError> {
    office.known.busy = false;
    let mut open = open(&picture.book, office.known);
    let names: Vec<B256> = open.iter().map(|check| check.name).collect();
    let others = office.ledger.verdicts(&names)?;
    open.retain(|check| !others.contains_key(&check.name));
    office.known.verdicts.extend(others);
    let checks = able_of(office, &open, said)?;
    let mut able = Able::new(checks.iter().map(|check| check.open()).collect());
    for check in &checks {
        able.size(check.model(), together(office, check)?);
    }
    office.ledger.offer(&able)?;
    let mut done: u128 = 0;
    // The order of the checks is the one of their places.
    while let Some(first) = able.first().and_then(|(place, _)| checks.get(place)) {
        if done >= LOOK {
            office.known.busy = true;
            break;
        }
        let operations = operations(office, first)?;
        let count = batch(operations);
        let taken = office.ledger.take(&able, count)?;
        if taken.is_empty() {
            break;
        }
        let some: Vec<&Check<'_>> = taken.iter().filter_map(|&place| checks.get(place).copied()).collect();
        if let Err(error) = judge(office, picture, &some, said) {
            // Others may be able to. If not even this can be said, it is tried again here.
            let names: Vec<B256> = some.iter().map(|check| check.name).collect();
            let _ = office.ledger.give_back(&names);
            return Err(error);
        }
        taken.iter().for_each(|&place| able.remove(place));
        done = done.saturating_add(operations.saturating_mul(taken.len().try_into().unwrap_or(u128::MAX)));
    }
    Ok(())
}

/// The checks whose model this agent has; of the others it is said once that it has not.
fn able_of<'c, 'b>(
    office: &mut Office<'_>,
    open: &'c [Check<'b>],
    said: &mut Vec<Progress>,
) -> Result<Vec<&'c Check<'b>>, AgentError> {
    let mut has = BTreeMap::new();
    for model in open.iter().map(Check::model) {
        if let Entry::Vacant(entry) = has.entry(model) {
            entry.insert(office.library.has(model)?);
        }
    }
    let (able, missing): (Vec<_>, Vec<_>) = open.iter().partition(|check| has.get(&check.model()) == Some(&true));
    for check in missing {
        if office.known.missing.insert(check.id) {
            said.push(Progress::Unjudged(check.id, format!("no model file has the root {}", check.model())));
        }
    }
    Ok(able)
}

/// How many runs of so many operations are taken at once.
fn batch(operations: u128) -> usize {
    usize::try_from((LOOK / operations).max(1)).unwrap_or(BATCH).min(BATCH)
}

/// How many claims of a claim's model are taken at once.
fn together(office: &mut Office<'_>, check: &Check<'_>) -> Result<usize, AgentError> {
    if let Some(&known) = office.known.together.get(&check.model()) {
        return Ok(known);
    }
    let together = batch(operations(office, check)?);
    office.known.together.insert(check.model(), together);
    Ok(together)
}

/// Bound of the operations of a claim's run; 1 if there is no such model after all.
fn operations(office: &mut Office<'_>, check: &Check<'_>) -> Result<u128, AgentError> {
    let Ok(Some(plan)) = office.library.plan(check.model()) else { return Ok(1) };
    Ok(Bounds::new(&plan.program, check.task.task.maxT).run_operations.max(1))
}

/// Runs what the checks are about and notes what it says.
fn judge(
    office: &mut Office<'_>,
    picture: &Picture,
    checks: &[&Check<'_>],
    said: &mut Vec<Progress>,
) -> Result<(), AgentError> {
    let mut verdicts = Vec::new();
    let mut unable = Vec::new();
    let mut batches: BTreeMap<(B256, u64), Vec<&Check<'_>>> = BTreeMap::new();
    for &check in checks {
        match check.root {
            None => batches.entry((check.model(), check.task.task.maxT)).or_default().push(check),
            Some(root) => match traced(office, picture, check, root) {
                Ok(verdict) => verdicts.push((check.name, verdict)),
                Err(error) if error.is_passing() => return Err(error),
                Err(error) => unable.push((check, error.to_string())),
            },
        }
    }
    let runs = batches.iter().flat_map(|(of, batch)| batch.chunks(RUN).map(move |run| (of, run)));
    for (&(model, longest), batch) in runs {
        match outputs(office, model, longest, batch) {
            Ok(judged) => {
                for (check, verdict) in batch.iter().zip(judged) {
                    match verdict {
                        Ok(verdict) => verdicts.push((check.name, verdict)),
                        Err(why) => unable.push((*check, why)),
                    }
                }
            }
            Err(error) if error.is_passing() => return Err(error),
            Err(error) => unable.extend(batch.iter().map(|check| (*check, error.to_string()))),
        }
    }
    office.ledger.judge(&verdicts)?;
    office.known.made += u64::try_from(verdicts.len()).unwrap_or(0);
    office.known.verdicts.extend(verdicts);
    let names: Vec<B256> = unable.iter().map(|(check, _)| check.name).collect();
    office.ledger.give_back(&names)?;
    office.known.unable.extend(names);
    said.extend(unable.into_iter().map(|(check, why)| Progress::Unjudged(check.id, why)));
    Ok(())
}

/// Runs a batch for its outputs; why a claim cannot be judged stands in its place.
fn outputs(
    office: &mut Office<'_>,
    model: B256,
    longest: u64,
    batch: &[&Check<'_>],
) -> Result<Vec<Result<Verdict, String>>, AgentError> {
    let Some(plan) = office.library.plan(model)? else {
        return Ok(vec![Err(format!("no model file has the root {model}")); batch.len()]);
    };
    let mut samples = Vec::new();
    for check in batch {
        samples.push(case::inputs(&plan.program, check.task, office.library)?);
    }
    let stop = Stop::Halt { max: longest };
    let good: Vec<&Vec<Tensor>> = samples.iter().filter_map(|sample| sample.as_ref().ok()).collect();
    // A claim whose run is refused must not spoil the others' batch.
    let together = plan.engine.run_outputs(&good, stop, office.budget).ok().filter(|all| all.len() == good.len());
    plan.guard.check()?;
    let mut together = together.map(Vec::into_iter);
    let mut judged = Vec::new();
    for (check, sample) in batch.iter().zip(&samples) {
        let output = match (sample, &mut together) {
            (Err(why), _) => Err(why.clone()),
            (Ok(_), Some(outputs)) => outputs.next().ok_or_else(|| "it has no output".to_owned()),
            (Ok(inputs), None) => plan
                .engine
                .run_output(inputs, stop, office.budget)
                .map_err(|error| ProverError::Budget(error).to_string()),
        };
        judged.push(output.map(|output| {
            let right = output.length == check.claimed.claim.T && check.claimed.says(output.tensor.bytes());
            if right { Verdict::Right } else { Verdict::Wrong }
        }));
    }
    Ok(judged)
}

/// A right output with a wrong trace root is a wrong claim, too.
fn traced(office: &mut Office<'_>, picture: &Picture, check: &Check<'_>, root: B256) -> Result<Verdict, AgentError> {
    let case = office.case(picture, check.id, check.claimed)?.map_err(|why| case::missing(&why))?;
    let own = office.trace(check.id, &case)?;
    Ok(if own.root() == root.0 { Verdict::Right } else { Verdict::Wrong })
}
