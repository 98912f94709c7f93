//! Decides whether a version satisfies a constraint such as `^1.2 || >=3 <4`; it must not know where either came from.
//!
//! A constraint is a list of alternatives, separated by `||`; an alternative is a list of comparisons, separated by
//! blanks or a comma, that must all hold.

use std::sync::LazyLock;

use regex::Regex;

use super::comparison::{Comparison, split_terms};
use super::{Dialect, Version, VersionError};

/// A parsed constraint.
#[derive(Debug, Clone)]
pub struct Constraint {
    text: String,
    alternatives: Vec<Alternative>,
}

/// Why a text is no constraint. The texts are the peers' own, because their users search for them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// The constraint is longer than the dialect permits.
    #[error("constraint string is too long (max {limit} bytes)")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// More alternatives than the dialect permits.
    #[error("too many constraint groups (max {limit})")]
    TooManyAlternatives {
        /// The limit.
        limit: usize,
    },
    /// An alternative does not have the shape of comparisons.
    #[error("improper constraint: {text}")]
    Improper {
        /// The alternative after hyphen ranges were rewritten, quoted if the dialect quotes.
        text: String,
    },
    /// A comparison has the right shape, but its version cannot be read.
    #[error("constraint parser error")]
    Version(#[source] VersionError),
}

impl Constraint {
    /// Reads a constraint of at most 512 bytes and 32 alternatives. The empty text is an error: what it stands for is
    /// the caller's business.
    pub fn parse(text: &str) -> Result<Self, ConstraintError> {
        Self::parse_in(text, Dialect::V3_5)
    }

    /// As [`Constraint::parse`], under the limits of `dialect` and with its error texts.
    pub fn parse_in(text: &str, dialect: Dialect) -> Result<Self, ConstraintError> {
        let limit = dialect.constraint_bytes();
        if text.len() > limit {
            return Err(ConstraintError::TooLong { limit });
        }
        let rewritten = rewrite_hyphen_ranges(text);
        let limit = dialect.alternatives();
        if rewritten.split("||").count() > limit {
            return Err(ConstraintError::TooManyAlternatives { limit });
        }
        let alternatives = rewritten
            .split("||")
            .map(|part| Alternative::parse(part, dialect))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            text: text.to_owned(),
            alternatives,
        })
    }

    /// Whether `version` satisfies one of the alternatives.
    pub fn allows(&self, version: &Version) -> bool {
        self.alternatives
            .iter()
            .any(|alternative| alternative.objection(version).is_none())
    }

    /// Why `version` is not allowed, as a sentence fragment for people; `None` if it is allowed.
    ///
    /// A pre-release is blamed only where naming one would help: `2.0.0-rc.1` is refused by `^1` for its number.
    pub fn refusal(&self, version: &Version) -> Option<String> {
        let objections: Vec<(&Alternative, Objection<'_>)> = self
            .alternatives
            .iter()
            .map(|alternative| alternative.objection(version).map(|objection| (alternative, objection)))
            .collect::<Option<_>>()?;
        let (tag, text) = (version.original(), self.text.trim());
        let unnamed = objections
            .iter()
            .find(|(_, objection)| matches!(objection, Objection::PrereleaseUnnamed));
        Some(match (unnamed, objections.as_slice()) {
            (Some((alternative, _)), [_, _, ..]) => {
                format!(
                    "{tag} is a pre-release and the part {} of the constraint {text} names none",
                    alternative.text
                )
            }
            (Some(_), _) => format!("{tag} is a pre-release and the constraint {text} names none"),
            (None, [(alternative, Objection::Fails(comparison))]) if alternative.comparisons.len() > 1 => {
                format!(
                    "{tag} does not satisfy {} of the constraint {text}",
                    comparison.as_str()
                )
            }
            (None, [_]) => format!("{tag} does not satisfy the constraint {text}"),
            (None, all) => format!(
                "{tag} satisfies none of the {} alternatives of the constraint {text}",
                all.len()
            ),
        })
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Comparisons that must all hold.
#[derive(Debug, Clone)]
struct Alternative {
    text: String,
    comparisons: Vec<Comparison>,
}

/// What an alternative has against a version.
enum Objection<'a> {
    /// Every comparison holds, but the version is a pre-release and no comparison names one.
    PrereleaseUnnamed,
    /// This comparison does not hold.
    Fails(&'a Comparison),
}

impl Alternative {
    fn parse(text: &str, dialect: Dialect) -> Result<Self, ConstraintError> {
        let terms = split_terms(text).ok_or_else(|| ConstraintError::Improper {
            text: match dialect {
                Dialect::V3_5 => quoted(text),
                Dialect::V3_4 => text.to_owned(),
            },
        })?;
        let comparisons = terms
            .into_iter()
            .map(|term| Comparison::parse(term, dialect))
            .collect::<Result<_, _>>();
        Ok(Self {
            text: text.trim().to_owned(),
            comparisons: comparisons.map_err(ConstraintError::Version)?,
        })
    }

    /// The first thing that speaks against `version`. Pre-releases are a matter of the whole alternative: as soon as
    /// one comparison names one, all of them take pre-releases as they come.
    fn objection(&self, version: &Version) -> Option<Objection<'_>> {
        if let Some(failing) = self.comparisons.iter().find(|comparison| !comparison.holds(version)) {
            return Some(Objection::Fails(failing));
        }
        let named = || self.comparisons.iter().any(|comparison| comparison.names_prerelease());
        (version.is_prerelease() && !named()).then_some(Objection::PrereleaseUnnamed)
    }
}

/// The originals replace `1.2 - 2.3` by `>= 1.2, <= 2.3 ` in the text, wherever it stands and before they split at
/// `||`; so do we, because errors show the replaced text.
fn rewrite_hyphen_ranges(text: &str) -> String {
    // Hardly anybody writes one, and to compile the pattern brings 0.3 MB of code into memory that nothing else may need.
    let is_blank = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0C');
    let is_between_blanks = |bytes: &[u8]| bytes[1] == b'-' && is_blank(bytes[0]) && is_blank(bytes[2]);
    if !text.as_bytes().windows(3).any(is_between_blanks) {
        return text.to_owned();
    }
    static RANGE: LazyLock<Regex> = LazyLock::new(|| {
        let numbers = r"v?[0-9|xX*]+(?:\.[0-9|xX*]+)?(?:\.[0-9|xX*]+)?";
        let identifiers = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*";
        let bound = format!(r"({numbers}(?:-{identifiers})?(?:\+{identifiers})?)");
        let blank = r"[ \t\n\r\x0C]";
        Regex::new(&format!("{blank}*{bound}{blank}+-{blank}+{bound}{blank}*")).expect("the pattern is a constant")
    });
    let mut rewritten = text.to_owned();
    for range in RANGE.captures_iter(text) {
        rewritten = rewritten.replacen(&range[0], &format!(">= {}, <= {} ", &range[1], &range[2]), 1);
    }
    rewritten
}

/// The text in double quotes with Go's escapes, as the peers print it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            '\x07' => quoted.push_str(r"\a"),
            '\x08' => quoted.push_str(r"\b"),
            '\t' => quoted.push_str(r"\t"),
            '\n' => quoted.push_str(r"\n"),
            '\x0b' => quoted.push_str(r"\v"),
            '\x0c' => quoted.push_str(r"\f"),
            '\r' => quoted.push_str(r"\r"),
            '\0'..='\x1f' | '\x7f' => quoted.push_str(&format!(r"\x{:02x}", u32::from(c))),
            // One character is what Rust makes of a printable one, apart from marks that combine with the one before.
            _ if c.escape_debug().count() == 1 => quoted.push(c),
            _ if u32::from(c) <= 0xffff => quoted.push_str(&format!(r"\u{:04x}", u32::from(c))),
            _ => quoted.push_str(&format!(r"\U{:08x}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}
