//! Decides what a delivery is to the journal, by what was read from it and by who brought its events before. It must not know how
//! that is looked up.

use std::borrow::Cow;

use super::{EntryId, Verdict};

/// What was read from a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// Events, and why other parts of it are of no interest; empty where there are none.
    Events(&'a str),
    /// Nothing of interest, and why.
    Ignored(&'a str),
    /// It was refused, and why.
    Malformed(&'a str),
}

/// What a delivery is to the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reception<'a> {
    /// What became of it.
    pub verdict: Verdict,
    /// Why, in words; empty where nothing is to be said.
    pub reason: Cow<'a, str>,
    /// The entry that it repeats as a whole.
    pub duplicate_of: Option<EntryId>,
}

/// What the journal made of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It is on the disk and will be followed up.
    New(EntryId),
    /// It is on the disk as the repetition of an earlier one.
    Duplicate {
        /// Its own entry.
        id: EntryId,
        /// The one that it repeats.
        of: EntryId,
    },
    /// It is on the disk, and nothing follows from it.
    Recorded(EntryId),
}

impl<'a> Reception<'a> {
    /// Of a delivery, some of whose events were brought before by `known`, if any were; `is_all_known` where it has no others.
    pub fn of(content: Content<'a>, known: Option<EntryId>, is_all_known: bool) -> Self {
        let (verdict, reason) = match (content, known) {
            (Content::Ignored(reason), _) => (Verdict::Ignored, Cow::Borrowed(reason)),
            (Content::Malformed(reason), _) => (Verdict::Malformed, Cow::Borrowed(reason)),
            (Content::Events(_), Some(of)) if is_all_known => {
                (Verdict::Duplicate, Cow::Owned(format!("a repetition of {of}")))
            }
            (Content::Events(aside), Some(of)) => {
                let separator = if aside.is_empty() { "" } else { "; " };
                let reason = format!("some of its events are a repetition of {of}{separator}{aside}");
                (Verdict::Accepted, Cow::Owned(reason))
            }
            (Content::Events(aside), None) => (Verdict::Accepted, Cow::Borrowed(aside)),
        };
        Self {
            verdict,
            reason,
            duplicate_of: known.filter(|_| verdict == Verdict::Duplicate),
        }
    }

    /// What is said of it once it is on the disk as `id`.
    pub fn acceptance(&self, id: EntryId) -> Acceptance {
        match (self.verdict, self.duplicate_of) {
            (_, Some(of)) => Acceptance::Duplicate { id, of },
            (Verdict::Accepted, None) => Acceptance::New(id),
            (Verdict::Ignored | Verdict::Duplicate | Verdict::Malformed, None) => Acceptance::Recorded(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repetition_is_one_where_every_event_is_known() {
        let [id, of] = [9, 7].map(EntryId::from_i64);
        let repeated = format!("a repetition of {of}");
        let partly = format!("some of its events are {repeated}");
        let both = format!("{partly}; no tag");
        for (content, known, is_all_known, verdict, reason, acceptance) in [
            (
                Content::Events(""),
                None,
                true,
                Verdict::Accepted,
                "",
                Acceptance::New(id),
            ),
            (
                Content::Events("no tag"),
                None,
                false,
                Verdict::Accepted,
                "no tag",
                Acceptance::New(id),
            ),
            (
                Content::Events("no tag"),
                Some(of),
                false,
                Verdict::Accepted,
                both.as_str(),
                Acceptance::New(id),
            ),
            (
                Content::Events(""),
                Some(of),
                false,
                Verdict::Accepted,
                partly.as_str(),
                Acceptance::New(id),
            ),
            (
                Content::Events(""),
                Some(of),
                true,
                Verdict::Duplicate,
                repeated.as_str(),
                Acceptance::Duplicate { id, of },
            ),
            (
                Content::Ignored("a ping"),
                None,
                true,
                Verdict::Ignored,
                "a ping",
                Acceptance::Recorded(id),
            ),
            (
                Content::Malformed("no repository"),
                None,
                true,
                Verdict::Malformed,
                "no repository",
                Acceptance::Recorded(id),
            ),
        ] {
            let reception = Reception::of(content, known, is_all_known);
            let shown = format!("{content:?}, {known:?}, {is_all_known}");
            assert_eq!((reception.verdict, &*reception.reason), (verdict, reason), "{shown}");
            assert_eq!(reception.acceptance(id), acceptance, "{shown}");
        }
    }
}
