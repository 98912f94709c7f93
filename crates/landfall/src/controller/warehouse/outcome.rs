//! Says what a refresh came to for those that wait for it.

use jiff::Timestamp;
use landfall_core::discovery::Discovered;
use landfall_core::journal::{Attempt, Outcome, Setback};
use landfall_core::refresh::Hint;
use tokio::task::JoinError;

use super::{HintOutcome, Refreshed};
use crate::live::LiveWarehouse;

/// Registries tell of a push before its tag has moved (CNCF Distribution does), so a tag that points elsewhere is looked at
/// again. After so many attempts it is believed: the sender may be wrong, or the tag may have moved on.
const DOUBTS: u32 = 4;

/// What went wrong with subscriptions.
pub fn setbacks(refreshed: &Refreshed) -> impl Iterator<Item = Setback> {
    let failed = refreshed.results.iter();
    let failed = failed.filter_map(|result| result.outcome.as_ref().err().cloned());
    let undiscovered = refreshed.undiscovered.iter();
    failed.chain(undiscovered.map(|left| Setback::Hopeless(left.reason.clone())))
}

/// What one who waits came to, who points somewhere or asks for everything.
pub fn outcome(hints: &[Hint], refreshed: &Refreshed, attempt: Attempt) -> Outcome {
    match hints {
        [] => of_everything(refreshed),
        hints => of_hints(hints, refreshed, attempt),
    }
}

/// What work that asks for everything came to: done, unless there is something that another attempt could mend, or nothing
/// that could be looked at.
fn of_everything(refreshed: &Refreshed) -> Outcome {
    let mut failures = setbacks(refreshed).filter(|setback| !matches!(setback, Setback::Hopeless(_)));
    if let Some(setback) = failures.next() {
        return Outcome::Setback(setback);
    }
    let any_result = refreshed.results.iter().any(|result| result.outcome.is_ok());
    match setbacks(refreshed).next() {
        Some(setback) if !any_result => Outcome::Setback(setback),
        _ => Outcome::Effected,
    }
}

/// What hints came to: what another attempt could mend goes before what none can. A hint that nobody followed belongs to a subscription
/// that failed, or to one that is gone since.
fn of_hints(hints: &[Hint], refreshed: &Refreshed, attempt: Attempt) -> Outcome {
    let (mut not_visible, mut hopeless) = (None, None);
    for hint in hints {
        match refreshed.hints.get(hint) {
            Some(HintOutcome::Failed(reason)) => return Outcome::Setback(Setback::Failed(reason.clone())),
            Some(HintOutcome::NotVisible(reason)) => not_visible = Some(reason.clone()),
            Some(HintOutcome::Elsewhere(reason)) if attempt.number < DOUBTS => not_visible = Some(reason.clone()),
            Some(HintOutcome::Seen | HintOutcome::Elsewhere(_)) => {}
            None => {
                let (lost, others): (Vec<_>, Vec<_>) =
                    setbacks(refreshed).partition(|setback| matches!(setback, Setback::Hopeless(_)));
                if let Some(setback) = others.into_iter().next() {
                    return Outcome::Setback(setback);
                }
                hopeless = hopeless.or(lost.into_iter().next());
            }
        }
    }
    let setback = not_visible.map(Setback::NotVisible).or(hopeless);
    setback.map_or(Outcome::Effected, Outcome::Setback)
}

/// A refresh that ended in a panic, as a result like any other.
pub fn broken(known: &LiveWarehouse, began: Timestamp, panicked: &JoinError) -> Refreshed {
    failed(known, began, panicked.to_string())
}

/// A refresh of which nothing came, as a result like any other.
pub fn failed(known: &LiveWarehouse, began: Timestamp, reason: String) -> Refreshed {
    let label = format!("refresh of {}", known.warehouse.metadata.name);
    Refreshed {
        results: vec![Discovered {
            label,
            subject: None,
            outcome: Err(Setback::Failed(reason)),
        }],
        undiscovered: Vec::new(),
        hints: std::collections::BTreeMap::new(),
        choices: Vec::new(),
        asked: began,
        requests: 0,
        token_requests: 0,
        complete_since: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use landfall_core::artifact::Tag;
    use landfall_core::journal::Work;
    use landfall_core::repository::{ImageRepository, Repository};

    use super::*;
    use crate::clock::now;

    fn hint(repository: &str) -> Hint {
        Hint {
            repository: Repository::Image(ImageRepository::parse(repository).unwrap()),
            tag: Some(Tag::parse("1.0.0").unwrap()),
            claimed: None,
        }
    }

    fn refreshed(failures: &[Setback], hints: &[(Hint, HintOutcome)]) -> Refreshed {
        let failed = |setback: &Setback| Discovered {
            label: "subscription 1".to_owned(),
            subject: None,
            outcome: Err(setback.clone()),
        };
        Refreshed {
            results: failures.iter().map(failed).collect(),
            undiscovered: Vec::new(),
            hints: hints.iter().cloned().collect::<BTreeMap<_, _>>(),
            choices: Vec::new(),
            asked: now(),
            requests: 0,
            token_requests: 0,
            complete_since: None,
        }
    }

    /// What cannot work is no reason not to look again for what may come.
    #[test]
    fn what_another_attempt_could_mend_goes_first() {
        let (a, b) = (hint("ghcr.io/shop/a"), hint("ghcr.io/shop/b"));
        let hopeless = Setback::Hopeless("bad constraint".to_owned());
        let failed = Setback::Failed("503".to_owned());
        let missing = (b.clone(), HintOutcome::NotVisible("404".to_owned()));
        let hints = [a, b];
        let attempt = || Work::accepted(now()).next_attempt().unwrap();
        for (failures, followed, expected) in [
            (
                vec![hopeless.clone()],
                vec![missing.clone()],
                Setback::NotVisible("404".to_owned()),
            ),
            (vec![hopeless.clone(), failed.clone()], vec![missing], failed),
            (vec![hopeless.clone()], vec![], hopeless),
        ] {
            let came_to = outcome(&hints, &refreshed(&failures, &followed), attempt());
            assert_eq!(came_to, Outcome::Setback(expected));
        }
    }
}
