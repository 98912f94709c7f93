//! Decides what a push comes to that a sender tells in texts of its own, and what a delivery of several parts comes to. It
//! knows no sender.

use jiff::Timestamp;

use super::{Contents, Malformed, Report, host};
use crate::artifact::{Digest, Tag};
use crate::event::{ArtifactKind, ArtifactPushed, Event};
use crate::repository::ImageRepository;

/// Why a manifest without a tag is of no interest: whatever it belongs to is pushed with a tag afterwards.
pub(super) const UNTAGGED: &str = "a manifest without a tag was pushed, such as one platform of an index";
/// Why what cosign and others attach to an image is of no interest.
const ATTACHED: &str = "a signature, an attestation or an SBOM was pushed, which belongs to an image and is none";

/// A push in the sender's texts; what the sender does not tell is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Push<'a> {
    pub(super) host: &'a str,
    pub(super) repository: &'a str,
    pub(super) tag: &'a str,
    pub(super) digest: &'a str,
    pub(super) media_type: &'a str,
    pub(super) occurred_at: Option<Timestamp>,
    pub(super) sender_id: Option<String>,
}

/// What one part of a delivery comes to.
#[derive(Debug)]
pub(super) enum Part {
    /// An event.
    Report(Report),
    /// Nothing of interest, and why.
    NotOurs(String),
    /// Something that cannot be used, and why.
    Unusable(String),
}

impl Push<'_> {
    /// The event, or why there is none.
    pub(super) fn part(self) -> Part {
        if let Some(reason) = no_version(self.tag) {
            return Part::NotOurs(reason.to_owned());
        }
        match Tag::parse(self.tag) {
            Ok(tag) => self.report(Some(tag)),
            Err(error) => Part::Unusable(format!("tag: {error}")),
        }
    }

    /// The event of a push that may have moved any tag.
    pub(super) fn part_of_any_tag(self) -> Part {
        self.report(None)
    }

    fn report(self, tag: Option<Tag>) -> Part {
        // Without this, the host would be read as part of a path on Docker Hub.
        if !host::can_lead(self.host) {
            return Part::Unusable(format!(
                "the registry's host {:?} has neither a dot nor a port; {NAME_IT}",
                self.host
            ));
        }
        match ImageRepository::parse(&format!("{}/{}", self.host, self.repository)) {
            Err(error) => Part::Unusable(format!("repository: {error}")),
            Ok(repository) => Part::Report(Report {
                sender_id: self.sender_id.filter(|id| !id.is_empty()),
                event: Event::ArtifactPushed(ArtifactPushed {
                    repository,
                    kind: ArtifactKind::from_media_type(self.media_type),
                    tag,
                    // For people only; whoever writes it oddly has pushed all the same.
                    digest: Digest::parse(self.digest).ok(),
                    occurred_at: self.occurred_at,
                }),
            }),
        }
    }
}

/// What to do where a registry's host cannot be known.
pub(super) const NAME_IT: &str = "add registry_url=HOST to the query of the receiver's URL";

/// Why a push of what is called a tag gives nobody a new version; `None` where it may.
pub(super) fn no_version(tag: &str) -> Option<&'static str> {
    if tag.is_empty() || tag.starts_with("sha256:") || tag.starts_with("sha512:") {
        return Some(UNTAGGED);
    }
    // `sha256-` and 64 digits, of the referrers' tag schema, which also cuts longer digests to 64; with a suffix, of cosign:
    // <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>
    let name = ["sha256-", "sha512-"]
        .into_iter()
        .find_map(|prefix| tag.strip_prefix(prefix))?;
    let suffix = name.trim_start_matches(|digit: char| digit.is_ascii_hexdigit());
    let is_digest = matches!(name.len() - suffix.len(), 64 | 128);
    (is_digest && (suffix.is_empty() || suffix.starts_with('.'))).then_some(ATTACHED)
}

/// What a delivery of these parts says. Senders repeat what is refused, so it is refused only where there is nothing in it
/// but what cannot be used.
pub(super) fn gathered(parts: impl IntoIterator<Item = Part>) -> Result<Contents, Malformed> {
    let mut contents = Contents::default();
    let (mut readable, mut first_problem) = (false, None);
    for part in parts {
        match part {
            Part::Report(report) => contents.reports.push(report),
            Part::NotOurs(reason) => contents.set_aside(reason),
            Part::Unusable(problem) => {
                contents.set_aside(format!("an event cannot be used: {problem}"));
                first_problem.get_or_insert(problem);
                continue;
            }
        }
        readable = true;
    }
    match first_problem {
        Some(problem) if !readable => Err(Malformed::Unusable(problem)),
        _ => Ok(contents),
    }
}

/// A time as RFC 3339 has it; what is written otherwise is not worth refusing a delivery.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_an_image_is_told_from_its_tags() {
        let hex = "0f".repeat(32);
        for (tag, expected) in [
            ("1.4.0".to_owned(), None),
            ("sha256".to_owned(), None),
            ("sha256-0f0f".to_owned(), None),
            (format!("sha256-{hex}0f"), None),
            (format!("sha256-{hex}-amd64"), None),
            (String::new(), Some(UNTAGGED)),
            (format!("sha256:{hex}"), Some(UNTAGGED)),
            (format!("sha256-{hex}"), Some(ATTACHED)),
            (format!("sha256-{hex}.sig"), Some(ATTACHED)),
            (format!("sha256-{hex}.att"), Some(ATTACHED)),
            (format!("sha256-{hex}.sbom"), Some(ATTACHED)),
            (format!("sha512-{hex}"), Some(ATTACHED)),
        ] {
            assert_eq!(no_version(&tag), expected, "{tag}");
        }
    }
}
