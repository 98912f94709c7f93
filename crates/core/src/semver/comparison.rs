//! Decides whether a version satisfies one comparison, such as `^1.2`; it must not know how several are combined.

use std::cmp::Ordering;

use super::version::are_identifiers;
use super::{Dialect, Version, VersionError};

/// What counts as a blank between comparisons.
const BLANKS: [char; 5] = [' ', '\t', '\n', '\r', '\x0c'];

#[derive(Debug, Clone, Copy)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Tilde,
    Caret,
}

/// Every spelling of an operator; one that begins with another comes before it. No operator means equal.
const OPERATORS: [(&str, Operator); 12] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("=>", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=<", Operator::LessOrEqual),
    ("~>", Operator::Tilde),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("=", Operator::Equal),
    ("", Operator::Equal),
];

/// From which number on the bound of a comparison is left open, by a wildcard or because it ends there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Patch,
    Minor,
    Everything,
}

/// One operator and the version that it compares with.
#[derive(Debug, Clone)]
pub(super) struct Comparison {
    text: String,
    operator: Operator,
    bound: Version,
    open: Open,
}

/// A comparison of the right shape whose numbers nobody has read yet.
pub(super) struct Term<'a> {
    text: &'a str,
    operator: Operator,
    bound: &'a str,
}

impl Comparison {
    /// Open numbers become 0, and what follows a wildcard is ignored: `1.*.3` is `1.x`.
    pub(super) fn parse(term: Term<'_>, dialect: Dialect) -> Result<Self, VersionError> {
        let core_end = term.bound.find(['-', '+']).unwrap_or(term.bound.len());
        let (core, suffix) = term.bound.split_at(core_end);
        let prerelease = suffix.split_once('+').map_or(suffix, |(prerelease, _)| prerelease);
        let core = core.strip_prefix('v').unwrap_or(core);
        let written: Vec<&str> = core.split('.').take_while(|number| !is_wildcard(number)).collect();
        let (open, text) = match written.as_slice() {
            [] => (Open::Everything, format!("0.0.0{prerelease}")),
            [major] => (Open::Minor, format!("{major}.0.0{prerelease}")),
            [major, minor] => (Open::Patch, format!("{major}.{minor}.0{prerelease}")),
            _ => (Open::Nothing, term.bound.to_owned()),
        };
        let bound = Version::parse_lenient_in(&text, dialect)?;
        Ok(Self {
            text: term.text.to_owned(),
            operator: term.operator,
            bound,
            open,
        })
    }

    /// Whether the comparison holds, pre-releases taken as they come.
    pub(super) fn holds(&self, version: &Version) -> bool {
        let bound = &self.bound;
        let order = version.precedence(bound);
        let major = version.major().cmp(&bound.major());
        let minor = major.then(version.minor().cmp(&bound.minor()));
        match (self.operator, self.open) {
            (Operator::Equal, Open::Nothing) => order.is_eq(),
            (Operator::NotEqual, Open::Nothing | Open::Everything) => order.is_ne(),
            (Operator::NotEqual, Open::Minor) => major.is_ne(),
            (Operator::NotEqual, Open::Patch) => minor.is_ne(),
            (Operator::Greater, Open::Nothing | Open::Everything) => order.is_gt(),
            (Operator::Greater, Open::Minor) => major.is_gt(),
            (Operator::Greater, Open::Patch) => minor.is_gt(),
            (Operator::GreaterOrEqual, _) => order.is_ge(),
            (Operator::Less, _) => order.is_lt(),
            (Operator::LessOrEqual, Open::Nothing) => order.is_le(),
            (Operator::LessOrEqual, Open::Minor) => major.is_le(),
            // An open major number counts as 0.0.x here.
            (Operator::LessOrEqual, Open::Patch | Open::Everything) => minor.is_le(),
            (Operator::Equal | Operator::Tilde, open) => order.is_ge() && self.same_as_far_as_tilde(open, major, minor),
            (Operator::Caret, open) => order.is_ge() && self.same_as_far_as_caret(open, version),
        }
    }

    /// Whether the bound is a pre-release.
    pub(super) fn names_prerelease(&self) -> bool {
        self.bound.is_prerelease()
    }

    /// The comparison as it was written, or as a hyphen range was rewritten.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// `~1.2.3` and `~1.2` keep the minor number, `~1` keeps the major one. `~0.0.0` and `*` keep nothing.
    fn same_as_far_as_tilde(&self, open: Open, major: Ordering, minor: Ordering) -> bool {
        let zero = (self.bound.major(), self.bound.minor(), self.bound.patch()) == (0, 0, 0);
        match open {
            Open::Everything => true,
            Open::Nothing if zero => true,
            Open::Minor => major.is_eq(),
            Open::Nothing | Open::Patch => minor.is_eq(),
        }
    }

    /// A caret keeps everything up to the first number that is not 0: `^0.2.3` keeps 0.2, `^0.0.3` keeps 0.0.3.
    /// An open major number counts as 0.0.0 here.
    fn same_as_far_as_caret(&self, open: Open, version: &Version) -> bool {
        let bound = &self.bound;
        if version.major() != bound.major() {
            return false;
        }
        if bound.major() > 0 || open == Open::Minor {
            return true;
        }
        if version.minor() != bound.minor() {
            return false;
        }
        bound.minor() > 0 || open == Open::Patch || version.patch() == bound.patch()
    }
}

/// Splits an alternative into its comparisons; `None` if it does not have that shape.
pub(super) fn split_terms(alternative: &str) -> Option<Vec<Term<'_>>> {
    let mut terms = Vec::new();
    let mut rest = alternative.trim_matches(BLANKS);
    loop {
        let (spelling, operator) = OPERATORS.into_iter().find(|(spelling, _)| rest.starts_with(spelling))?;
        let operand = rest[spelling.len()..].trim_start_matches(BLANKS);
        let end = operand
            .find(|c| c == ',' || BLANKS.contains(&c))
            .unwrap_or(operand.len());
        let (bound, after) = operand.split_at(end);
        if !has_bound_shape(bound) {
            return None;
        }
        let text = &rest[..rest.len() - after.len()];
        terms.push(Term { text, operator, bound });
        let after = after.trim_start_matches(BLANKS);
        if after.is_empty() {
            return Some(terms);
        }
        rest = after.strip_prefix(',').unwrap_or(after).trim_start_matches(BLANKS);
    }
}

/// One to three parts of digits and wildcards in any mixture, also a single `|` among them: whether they make sense is
/// not part of the shape.
fn has_bound_shape(bound: &str) -> bool {
    let (rest, metadata) = bound
        .split_once('+')
        .map_or((bound, None), |(rest, metadata)| (rest, Some(metadata)));
    let (core, prerelease) = rest
        .split_once('-')
        .map_or((rest, None), |(core, prerelease)| (core, Some(prerelease)));
    let in_number = |byte: u8| byte.is_ascii_digit() || b"xX*|".contains(&byte);
    let is_number = |number: &str| !number.is_empty() && number.bytes().all(in_number);
    let core = core.strip_prefix('v').unwrap_or(core);
    core.split('.').count() <= 3
        && core.split('.').all(is_number)
        && prerelease.is_none_or(are_identifiers)
        && metadata.is_none_or(are_identifiers)
}

fn is_wildcard(number: &str) -> bool {
    matches!(number, "x" | "X" | "*")
}
