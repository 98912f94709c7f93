//! Bounds what one delivery asks for: what is told twice counts once, and where very many tags of one repository are told, all of
//! the repository is to be looked at instead of each of them. Nothing that was pushed is missed by that.

use std::collections::{HashMap, HashSet};

use super::{Contents, Malformed, Report};
use crate::artifact::{Digest, Tag};
use crate::event::{ArtifactKind, ArtifactPushed, Event};
use crate::repository::ImageRepository;

/// So many tags of one repository are looked at one by one. Beyond it, a list of all tags costs less.
pub(super) const TAGS: usize = 100;
/// The most events of a delivery, of which each is matched and kept. No sender is known that comes near it.
pub(super) const EVENTS: usize = 1_000;

/// Pushes to one repository that may be about the same kind of thing.
type Place<'a> = (&'a ImageRepository, ArtifactKind);
type Pushed<'a> = (Option<&'a Tag>, Option<&'a Digest>);

/// The same contents, with no more events than can be followed up.
pub(super) fn condense(mut contents: Contents) -> Result<Contents, Malformed> {
    if contents.reports.len() < 2 {
        return Ok(contents);
    }
    let crowded = keep_each_once(&mut contents.reports);
    if !crowded.is_empty() {
        for (repository, count) in replace_crowded(&mut contents.reports, &crowded) {
            contents.set_aside(format!(
                "{count} pushes to {repository} are told at once, so all of it is looked at instead of each"
            ));
        }
    }
    match contents.reports.len() {
        count if count > EVENTS => Err(Malformed::Unusable(format!(
            "{count} events in one delivery: there may be at most {EVENTS}"
        ))),
        _ => Ok(contents),
    }
}

/// Drops repetitions. Returns where more was pushed than is looked at one by one, and how much.
fn keep_each_once(reports: &mut Vec<Report>) -> HashMap<(ImageRepository, ArtifactKind), usize> {
    let mut told: HashMap<Place<'_>, HashSet<Pushed<'_>>> = HashMap::new();
    let is_new: Vec<bool> = reports
        .iter()
        .map(|report| match pushed(report) {
            Some(pushed) => {
                let of_place = told.entry((&pushed.repository, pushed.kind)).or_default();
                of_place.insert((pushed.tag.as_ref(), pushed.digest.as_ref()))
            }
            None => true,
        })
        .collect();
    let crowded = told.into_iter().filter(|(_, pushed)| pushed.len() > TAGS);
    let crowded = crowded.map(|((repository, kind), pushed)| ((repository.clone(), kind), pushed.len()));
    let crowded = crowded.collect();
    let mut is_new = is_new.into_iter();
    reports.retain(|_| is_new.next().unwrap_or(true));
    crowded
}

/// Puts one event without a tag in the place of the first of many. Returns what was replaced.
fn replace_crowded(
    reports: &mut Vec<Report>,
    crowded: &HashMap<(ImageRepository, ArtifactKind), usize>,
) -> Vec<(ImageRepository, usize)> {
    let mut replaced = Vec::new();
    let mut done = HashSet::new();
    reports.retain_mut(|report| {
        let Event::ArtifactPushed(pushed) = &mut report.event else {
            return true;
        };
        let place = (pushed.repository.clone(), pushed.kind);
        let Some(count) = crowded.get(&place) else {
            return true;
        };
        if done.contains(&place) {
            return false;
        }
        // It stands for others, too, so that no sender's id is its own.
        report.sender_id = None;
        (pushed.tag, pushed.digest) = (None, None);
        replaced.push((pushed.repository.clone(), *count));
        done.insert(place);
        true
    });
    replaced
}

fn pushed(report: &Report) -> Option<&ArtifactPushed> {
    match &report.event {
        Event::ArtifactPushed(pushed) => Some(pushed),
        Event::GitRefPushed(_) | Event::PullRequestClosed { .. } | Event::RefreshRequested(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(repository: &str, tag: &str, id: Option<&str>) -> Report {
        Report {
            sender_id: id.map(str::to_owned),
            event: Event::ArtifactPushed(ArtifactPushed {
                repository: ImageRepository::parse(repository).unwrap(),
                kind: ArtifactKind::Image,
                tag: Some(Tag::parse(tag).unwrap()),
                digest: None,
                occurred_at: None,
            }),
        }
    }

    fn condensed(reports: Vec<Report>) -> Result<Vec<(String, Option<String>)>, Malformed> {
        let set_aside = Vec::new();
        let contents = condense(Contents { reports, set_aside })?;
        let told = contents.reports.iter().map(|report| {
            let pushed = pushed(report).unwrap();
            let tag = pushed.tag.as_ref().map(|tag| tag.as_str().to_owned());
            (pushed.repository.as_str().to_owned(), tag)
        });
        Ok(told.collect())
    }

    fn tags(count: usize) -> Vec<Report> {
        let push = |number| push("quay.io/shop/api", &format!("1.{number}"), Some("id"));
        (0..count).map(push).collect()
    }

    #[test]
    fn what_is_told_twice_counts_once() {
        let reports =
            [("1", Some("a")), ("2", None), ("1", Some("b"))].map(|(tag, id)| push("quay.io/shop/api", tag, id));
        let repository = "quay.io/shop/api".to_owned();
        let expected = ["1", "2"].map(|tag| (repository.clone(), Some(tag.to_owned())));
        assert_eq!(condensed(reports.to_vec()).unwrap(), expected);
    }

    #[test]
    fn very_many_tags_are_all_of_their_repository_and_its_neighbours_stay() {
        let mut reports = tags(TAGS);
        assert_eq!(condensed(reports.clone()).unwrap().len(), TAGS);
        reports.insert(3, push("quay.io/shop/web", "1", None));
        reports.extend(tags(TAGS + 1));
        let expected = [
            ("quay.io/shop/api".to_owned(), None),
            ("quay.io/shop/web".to_owned(), Some("1".to_owned())),
        ];
        assert_eq!(condensed(reports.clone()).unwrap(), expected);
        let set_aside = Vec::new();
        let contents = condense(Contents { reports, set_aside }).unwrap();
        assert_eq!(contents.reports[0].sender_id, None);
        assert_eq!(
            contents.set_aside,
            ["101 pushes to quay.io/shop/api are told at once, so all of it is looked at instead of each"]
        );
    }

    #[test]
    fn more_events_than_any_sender_tells_are_refused() {
        let push = |number| push(&format!("quay.io/shop/{number}"), "1", None);
        let reports: Vec<Report> = (0..=EVENTS).map(push).collect();
        assert_eq!(condensed(reports[1..].to_vec()).unwrap().len(), EVENTS);
        let refused = condensed(reports).unwrap_err().to_string();
        assert_eq!(refused, "1001 events in one delivery: there may be at most 1000");
    }
}
