//! Decides what a push of refs comes to that a forge tells in texts of its own. It knows no forge.

use std::collections::BTreeSet;

use super::payload::Object;
use super::{Contents, Malformed, Report};
use crate::delivery::Delivery;
use crate::event::{Event, GitRefPushed};
use crate::repository::GitRepository;

/// A push in the sender's texts.
#[derive(Debug, Default)]
pub(super) struct RefPush {
    /// Every name that the sender has for the repository, the best one first; empty texts are none.
    pub(super) names: Vec<String>,
    /// Full names of the refs that point somewhere now.
    pub(super) moved: Vec<String>,
    /// Full names of the refs that are gone.
    pub(super) deleted: Vec<String>,
    /// What the push changed; empty where that is not told, or not all of it.
    pub(super) changed_files: Vec<String>,
    /// The short name of the default branch; empty where that is not told.
    pub(super) default_branch: String,
    pub(super) sender_id: Option<String>,
}

impl RefPush {
    /// A push of one ref.
    pub(super) fn of(reference: &str, is_deleted: bool) -> Self {
        let mut push = Self::default();
        let list = if is_deleted { &mut push.deleted } else { &mut push.moved };
        list.push(reference.to_owned());
        push
    }

    /// The event, or why there is none. Refs that are gone give nobody a new commit.
    pub(super) fn contents(self) -> Result<Contents, Malformed> {
        let mut contents = Contents::default();
        for deleted in &self.deleted {
            contents.set_aside(format!("{deleted} was deleted"));
        }
        let moved: Vec<String> = self.moved.into_iter().filter(|name| !name.is_empty()).collect();
        if moved.is_empty() {
            if contents.set_aside.is_empty() {
                contents.set_aside("the push moved no ref");
            }
            return Ok(contents);
        }
        let (repository, also_named) = names(&self.names)?;
        let event = Event::GitRefPushed(GitRefPushed {
            repository,
            also_named,
            refs: moved,
            changed_files: self.changed_files,
            default_branch: Some(self.default_branch).filter(|branch| !branch.is_empty()),
        });
        contents.reports.push(Report {
            sender_id: self.sender_id.filter(|id| !id.is_empty()),
            event,
        });
        Ok(contents)
    }
}

/// The canonical names, each once. One that cannot be used spoils nothing as long as another can.
fn names(written: &[String]) -> Result<(GitRepository, Vec<GitRepository>), Malformed> {
    let (mut names, mut problem) = (Vec::new(), None);
    for text in written.iter().filter(|text| !text.is_empty()) {
        match GitRepository::parse(text) {
            Ok(name) if names.contains(&name) => {}
            Ok(name) => names.push(name),
            Err(error) => {
                problem.get_or_insert(error);
            }
        }
    }
    let mut names = names.into_iter();
    match (names.next(), problem) {
        (Some(first), _) => Ok((first, names.collect())),
        (None, Some(error)) => Err(Malformed::Unusable(format!("repository: {error}"))),
        (None, None) => Err(Malformed::Missing("repository URL")),
    }
}

/// The event of a pull request that is merged or closed.
pub(super) fn pull_request_closed(url: &str, sender_id: &str) -> Result<Contents, Malformed> {
    if url.is_empty() {
        return Err(Malformed::Missing("URL of the pull request"));
    }
    Ok(Contents {
        reports: vec![Report {
            sender_id: Some(sender_id.to_owned()).filter(|id| !id.is_empty()),
            event: Event::PullRequestClosed { url: url.to_owned() },
        }],
        set_aside: Vec::new(),
    })
}

/// The files that commits added, changed and removed, each once.
pub(super) fn changed_files<'a>(commits: impl IntoIterator<Item = &'a Object<'a>>) -> Result<Vec<String>, Malformed> {
    let mut files = BTreeSet::new();
    for commit in commits {
        for list in ["added", "modified", "removed"] {
            files.extend(commit.texts(list)?.into_iter().filter(|file| !file.is_empty()));
        }
    }
    Ok(files.into_iter().map(str::to_owned).collect())
}

/// Whether an object's id is that of none, which is how a ref looks that is gone.
pub(super) fn is_nothing(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|digit| digit == b'0')
}

/// Forges preselect a form, which says the same in a way that nobody here reads.
pub(super) fn refuse_form(delivery: &Delivery) -> Result<(), Malformed> {
    if delivery.body().starts_with(b"payload=") {
        let words = "this is a form; set the webhook's content type to application/json";
        return Err(Malformed::Payload(words.to_owned()));
    }
    Ok(())
}
