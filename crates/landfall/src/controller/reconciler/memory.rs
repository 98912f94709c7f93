//! Remembers, from one process to the next, in which term this data folder last knew all that others had seen, and of which
//! Warehouses it did not because looking at them failed: who leads again, with nobody between, knows the rest still.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use landfall_core::lease::Term;
use landfall_core::target::Target;

/// The file's name in the data folder.
const FILE: &str = "last-term";

/// The file.
pub(super) struct Memory(PathBuf);

impl Memory {
    pub(super) fn in_folder(data_dir: &Path) -> Self {
        Self(data_dir.join(FILE))
    }

    /// Of which Warehouses others may have seen what this process did not, where nobody else can have led between what was noted
    /// last and this term. Where that cannot be known, it may be so of each, which costs a look at everything.
    pub(super) async fn behind_in(&self, term: Term) -> Behind {
        let noted = tokio::fs::read_to_string(&self.0).await;
        let noted = noted.ok().and_then(|text| parse(&text));
        match noted.filter(|(last, _)| term.follows(*last)) {
            Some((_, lagging)) => Behind::Of(lagging),
            None => Behind::OfAll,
        }
    }

    /// Notes that by this term everything that others saw is known here, but of these.
    pub(super) async fn note(&self, term: Term, lagging: &BTreeSet<Target>) {
        if let Err(error) = tokio::fs::write(&self.0, written(term, lagging)).await {
            tracing::warn!(%error, file = %self.0.display(), "who led last cannot be noted");
        }
    }
}

/// Of which Warehouses others may have seen what this process did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// Any.
    OfAll,
    /// These, which may be none.
    Of(BTreeSet<Target>),
}

impl Behind {
    /// Of none.
    pub(super) fn of_none() -> Self {
        Self::Of(BTreeSet::new())
    }

    /// Whether it is so of this one.
    pub(super) fn is_of(&self, target: &Target) -> bool {
        match self {
            Self::OfAll => true,
            Self::Of(lagging) => lagging.contains(target),
        }
    }
}

/// The term, and a line for each Warehouse.
fn written(term: Term, lagging: &BTreeSet<Target>) -> String {
    let term = term.to_string();
    let lines = std::iter::once(term).chain(lagging.iter().map(Target::to_string));
    lines.collect::<Vec<_>>().join("\n")
}

fn parse(text: &str) -> Option<(Term, BTreeSet<Target>)> {
    let mut lines = text.lines();
    let term = lines.next()?.parse().ok()?;
    let lagging: Result<BTreeSet<Target>, _> = lines.map(str::parse).collect();
    Some((term, lagging.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warehouse(name: &str) -> Target {
        Target::Warehouse {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
        }
    }

    #[tokio::test]
    async fn who_leads_again_knows_what_it_knew() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::in_folder(folder.path());
        let term = |text: &str| text.parse::<Term>().unwrap();
        let (first, next, later) = ("1800000000.3", "1800000000.4", "1800000000.5");
        assert_eq!(memory.behind_in(term(first)).await, Behind::OfAll);
        for lagging in [BTreeSet::new(), BTreeSet::from([warehouse("api"), warehouse("web")])] {
            memory.note(term(first), &lagging).await;
            assert_eq!(memory.behind_in(term(next)).await, Behind::Of(lagging));
            assert_eq!(memory.behind_in(term(later)).await, Behind::OfAll);
        }
        for broken in ["", "x", &format!("{first}\nshop")] {
            std::fs::write(folder.path().join(FILE), broken).unwrap();
            assert_eq!(memory.behind_in(term(next)).await, Behind::OfAll, "{broken:?}");
        }
    }
}
