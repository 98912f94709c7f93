//! Decides which receiver is behind a path, and that none is behind a path which two of them claim. It must not know how
//! requests arrive.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use landfall_core::door::BaseUrl;
use landfall_core::receiver::{Receiver, ReceiverName};

use super::{Derived, Open};

/// Receivers by the path of a request.
#[derive(Default)]
pub struct Doors {
    open: HashMap<String, Arc<Receiver>>,
    /// Paths that are known to be receivers', of which nobody can tell the secret now.
    withheld: HashSet<String>,
}

impl Doors {
    /// The doors of all derived receivers, also without the base path, because proxies are told to strip it.
    pub fn of<D: Borrow<Derived>>(derived: &[D], base: &BaseUrl) -> Self {
        let derived = || derived.iter().map(Borrow::borrow);
        let mut doors = HashMap::new();
        for open in derived().flat_map(|derived| &derived.open) {
            let current = (&open.door, open.receiver.clone());
            let previous = open.previous.as_ref();
            let previous = previous.map(|door| (door, open.receiver.clone().at_its_previous_path()));
            for (door, receiver) in [Some(current), previous].into_iter().flatten() {
                let receiver = Arc::new(receiver);
                for path in ways(door.path(), base) {
                    doors.insert(path.to_owned(), receiver.clone());
                }
            }
        }
        let withheld = derived().flat_map(|derived| &derived.withheld);
        Self {
            open: doors,
            withheld: withheld
                .flat_map(|receiver| ways(&receiver.path, base))
                .map(str::to_owned)
                .collect(),
        }
    }

    /// The receiver behind a path; none for an unknown one.
    pub fn behind(&self, path: &str) -> Option<Arc<Receiver>> {
        self.open.get(path).cloned()
    }

    /// Whether somebody is behind a path, and nobody can tell now who may come in.
    pub fn withholds(&self, path: &str) -> bool {
        self.withheld.contains(path)
    }
}

/// The paths by which a published one may come in.
fn ways<'a>(published: &'a str, base: &BaseUrl) -> [&'a str; 2] {
    [published, published.strip_prefix(base.path()).unwrap_or(published)]
}

/// Takes each path away that several receivers derive, which the hash allows since it has no separators: a delivery must not
/// reach somebody whom its sender does not know of. A receiver that loses its path is closed; one that loses the path of its
/// previous secret is not.
pub(super) fn part(derived: &mut [Derived]) {
    let claims = claims(derived);
    for derived in derived {
        let (mut open, mut closed, mut flawed) = (Vec::new(), Vec::new(), Vec::new());
        for mut receiver in std::mem::take(&mut derived.open) {
            let own = receiver.receiver.name();
            let contested = |path: &str| {
                let others: Vec<_> = claims.get(path)?.iter().filter(|other| *other != own).collect();
                let others: Vec<String> = others.iter().map(ToString::to_string).collect();
                (!others.is_empty()).then(|| others.join(" and "))
            };
            let remedy = "give one of them another name or another secret";
            let previous = receiver.previous.as_ref().and_then(|door| contested(door.path()));
            match (contested(receiver.door.path()), previous) {
                (Some(others), _) => {
                    let problem = format!("its path is also that of {others}, so none of them is served; {remedy}");
                    closed.push((receiver.name, problem));
                    continue;
                }
                (None, Some(others)) => {
                    let problem = format!("the path of its previous secret is also that of {others}; {remedy}");
                    flawed.push((receiver.name.clone(), problem));
                    receiver.previous = None;
                }
                (None, None) => {}
            }
            open.push(receiver);
        }
        derived.open = open;
        derived.closed.append(&mut closed);
        derived.flawed.append(&mut flawed);
    }
}

/// Who derives which path.
fn claims(derived: &[Derived]) -> HashMap<String, Vec<ReceiverName>> {
    let mut claims: HashMap<String, Vec<ReceiverName>> = HashMap::new();
    for open in derived.iter().flat_map(|derived| &derived.open) {
        let Open {
            door,
            previous,
            receiver,
            ..
        } = open;
        for door in [Some(door), previous.as_ref()].into_iter().flatten() {
            let owners = claims.entry(door.path().to_owned()).or_default();
            owners.push(receiver.name().clone());
        }
    }
    // What is published of one whose secret nobody can tell is its own still.
    for derived in derived {
        for status in &derived.withheld {
            let owners = claims.entry(status.path.clone()).or_default();
            owners.push(derived.receiver_name(&status.name));
        }
    }
    claims
}
