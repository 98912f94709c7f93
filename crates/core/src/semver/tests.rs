//! Holds the module to what both programs really answer, and to what must hold for every input.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::*;

fn rows<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = format!("{}/../../fixtures/vectors/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<T> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!rows.is_empty(), "{name} has no rows");
    rows
}

fn report(failures: &[String]) {
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[derive(Deserialize)]
struct ParseRow {
    #[serde(rename = "in")]
    text: String,
    kargo_strict_ok: bool,
    #[serde(flatten)]
    v3_5: ParseAnswer,
    v3_4_0: Option<ParseAnswer>,
}

#[derive(Deserialize)]
struct ParseAnswer {
    ok: bool,
    strict_ok: bool,
    error: Option<String>,
    strict_error: Option<String>,
    #[serde(flatten)]
    parts: Option<Parts>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Parts {
    major: u64,
    minor: u64,
    patch: u64,
    pre: String,
    meta: String,
    string: String,
    original: String,
}

impl From<Version> for Parts {
    fn from(version: Version) -> Self {
        Self {
            major: version.major(),
            minor: version.minor(),
            patch: version.patch(),
            pre: version.prerelease().to_owned(),
            meta: version.metadata().to_owned(),
            string: version.to_string(),
            original: version.original().to_owned(),
        }
    }
}

/// The differences between what is parsed in `dialect` and what was measured.
fn parse_failures(text: &str, expected: ParseAnswer, dialect: Dialect) -> Vec<String> {
    let mut failures = Vec::new();
    let mut compare = |what: &str, found: String, wanted: String| {
        if found != wanted {
            failures.push(format!("{dialect:?} {text:?}: {what} is {found}, expected {wanted}"));
        }
    };
    let lenient = Version::parse_lenient_in(text, dialect);
    let strict = Version::parse_strict_in(text, dialect);
    compare("lenient", lenient.is_ok().to_string(), expected.ok.to_string());
    compare("strict", strict.is_ok().to_string(), expected.strict_ok.to_string());
    let error = |result: &Result<Version, VersionError>| result.as_ref().err().map(ToString::to_string);
    compare(
        "error",
        format!("{:?}", error(&lenient)),
        format!("{:?}", expected.error),
    );
    compare(
        "strict error",
        format!("{:?}", error(&strict)),
        format!("{:?}", expected.strict_error),
    );
    let parts = lenient.ok().map(Parts::from);
    if let Ok(strict) = strict {
        compare(
            "strict version",
            format!("{:?}", Some(Parts::from(strict))),
            format!("{parts:?}"),
        );
    }
    compare("version", format!("{parts:?}"), format!("{:?}", expected.parts));
    failures
}

#[test]
fn reads_versions_as_measured() {
    let mut failures = Vec::new();
    for row in rows::<ParseRow>("semver_parse") {
        let text = row.text;
        if Version::parse_tag(&text, Strictness::Lenient) != Version::parse_lenient(&text) {
            failures.push(format!("{text:?}: a lenient tag is not a lenient version"));
        }
        let tag = Version::parse_tag(&text, Strictness::Strict);
        if tag.is_ok() != row.kargo_strict_ok || tag.is_ok_and(|tag| tag.original() != text) {
            failures.push(format!("{text:?}: strict tag, expected {}", row.kargo_strict_ok));
        }
        failures.extend(parse_failures(&text, row.v3_5, Dialect::V3_5));
        if let Some(expected) = row.v3_4_0 {
            failures.extend(parse_failures(&text, expected, Dialect::V3_4));
        }
    }
    report(&failures);
}

#[derive(Deserialize)]
struct ConstraintRow {
    constraint: String,
    ok: bool,
    error: Option<String>,
    #[serde(default)]
    matches: BTreeMap<String, bool>,
    ok_3_4_0: Option<bool>,
    error_3_4_0: Option<String>,
    matches_3_4_0: Option<BTreeMap<String, bool>>,
}

fn constraint_failures(
    text: &str,
    dialect: Dialect,
    ok: bool,
    error: Option<String>,
    matches: &BTreeMap<String, bool>,
) -> Vec<String> {
    let constraint = match Constraint::parse_in(text, dialect) {
        Ok(constraint) if ok => constraint,
        Ok(_) => return vec![format!("{dialect:?} {text:?}: accepted")],
        Err(found) if !ok && Some(found.to_string()) == error => return Vec::new(),
        Err(found) => {
            return vec![format!(
                "{dialect:?} {text:?}: {:?}, expected {error:?}",
                found.to_string()
            )];
        }
    };
    let check = |(version, wanted): (&String, &bool)| {
        let parsed = Version::parse_lenient_in(version, dialect).unwrap();
        let found = constraint.allows(&parsed);
        let explained = constraint.refusal(&parsed).is_some();
        (found != *wanted || explained == found)
            .then(|| format!("{dialect:?} {text:?} on {version}: {found}, expected {wanted}, explained {explained}"))
    };
    matches.iter().filter_map(check).collect()
}

#[test]
fn matches_constraints_as_measured() {
    let mut failures = Vec::new();
    for row in rows::<ConstraintRow>("semver_constraint") {
        if row.ok && row.matches.is_empty() {
            failures.push(format!("{:?}: the row lists no versions", row.constraint));
        }
        let matches_3_4_0 = row.matches_3_4_0.unwrap_or_else(|| row.matches.clone());
        let ok_3_4_0 = row.ok_3_4_0.unwrap_or(row.ok);
        let error_3_4_0 = row.error_3_4_0.or_else(|| row.error.clone());
        failures.extend(constraint_failures(
            &row.constraint,
            Dialect::V3_5,
            row.ok,
            row.error,
            &row.matches,
        ));
        failures.extend(constraint_failures(
            &row.constraint,
            Dialect::V3_4,
            ok_3_4_0,
            error_3_4_0,
            &matches_3_4_0,
        ));
    }
    report(&failures);
}

#[derive(Deserialize)]
struct OrderRow {
    tags: Vec<String>,
    kargo_semver: Vec<String>,
    kargo_semver_strict: Vec<String>,
    image_updater_semver: Vec<String>,
}

fn sorted(tags: &[String], strictness: Strictness) -> Vec<String> {
    let mut versions: Vec<Version> = tags
        .iter()
        .filter_map(|tag| Version::parse_tag(tag, strictness).ok())
        .collect();
    versions.sort_by(newest_first);
    versions.iter().map(|version| version.original().to_owned()).collect()
}

#[test]
fn orders_tags_as_measured() {
    let mut failures = Vec::new();
    for row in rows::<OrderRow>("semver_order") {
        let lenient = sorted(&row.tags, Strictness::Lenient);
        let ascending: Vec<String> = lenient.iter().rev().cloned().collect();
        let strict = sorted(&row.tags, Strictness::Strict);
        for (found, wanted) in [
            (lenient, row.kargo_semver),
            (strict, row.kargo_semver_strict),
            (ascending, row.image_updater_semver),
        ] {
            if found != wanted {
                failures.push(format!("{found:?}, expected {wanted:?}"));
            }
        }
    }
    report(&failures);
}

#[test]
fn a_refusal_says_why() {
    for (constraint, version, expected) in [
        ("^1.0.0", "1.2.0", None),
        (
            "^1.0.0",
            "1.2.0-rc.1",
            Some("1.2.0-rc.1 is a pre-release and the constraint ^1.0.0 names none"),
        ),
        (
            "^1.0.0",
            "v2.0.0-rc.1",
            Some("v2.0.0-rc.1 does not satisfy the constraint ^1.0.0"),
        ),
        ("^1.0.0", "2.0.0", Some("2.0.0 does not satisfy the constraint ^1.0.0")),
        (
            " >=1 <2 ",
            "2.1",
            Some("2.1 does not satisfy <2 of the constraint >=1 <2"),
        ),
        (
            "1.2 - 2.3",
            "0.9.0",
            Some("0.9.0 does not satisfy >= 1.2 of the constraint 1.2 - 2.3"),
        ),
        (
            "^1 || ^3",
            "2.0.0",
            Some("2.0.0 satisfies none of the 2 alternatives of the constraint ^1 || ^3"),
        ),
        (
            "^1 || ^3-0",
            "1.5.0-rc1",
            Some("1.5.0-rc1 is a pre-release and the part ^1 of the constraint ^1 || ^3-0 names none"),
        ),
        ("^1 || ^3-0", "3.0.0-rc1", None),
    ] {
        let refusal = Constraint::parse(constraint)
            .unwrap()
            .refusal(&Version::parse_lenient(version).unwrap());
        assert_eq!(refusal.as_deref(), expected, "{constraint} on {version}");
    }
}

#[test]
fn limits_are_bytes_and_errors_are_quoted() {
    for (text, expected) in [
        (
            "it's \u{e9} \u{1f600} \u{1}\u{7f}\\",
            "improper constraint: \"it's \u{e9} \u{1f600} \\x01\\x7f\\\\\"",
        ),
        ("", "improper constraint: \"\""),
        ("1 - 2 - 2 - 2", "improper constraint: \">= 1, <=>= 2, <= 2  - 2\""),
    ] {
        assert_eq!(Constraint::parse(text).unwrap_err().to_string(), expected, "{text:?}");
    }
    assert_eq!(
        Version::parse_strict("").unwrap_err().to_string(),
        "version string empty"
    );
    for (bytes, fits) in [(4096, true), (4097, false)] {
        let version = format!("1.0.0+{}", "b".repeat(bytes - 6));
        assert_eq!(Version::parse_lenient_in(&version, Dialect::V3_4).is_ok(), fits);
        assert_eq!(
            Constraint::parse_in(&format!("{:bytes$}", "^1"), Dialect::V3_4).is_ok(),
            fits
        );
    }
    let constraint = Constraint::parse(" ^1 ").unwrap();
    assert_eq!(constraint.as_str(), " ^1 ");
}

/// Texts that look like versions, most of them readable.
fn version_like() -> impl Strategy<Value = String> {
    concat!(
        "v?(0|1|2|01|18446744073709551616)(\\.[0-2]){0,2}",
        "(-(a|b|0|1|10|18446744073709551616|-|rc)(\\.[ab019]){0,2})?(\\+[ab0])?"
    )
}

/// Texts that look like constraints, most of them readable.
fn constraint_like() -> impl Strategy<Value = String> {
    let term = "(|=|!=|>|<|>=|=>|<=|=<|~|~>|\\^) ?v?(0|1|2|x|\\*)(\\.(0|1|2|x|\\*)){0,2}(-0|-rc\\.1)?(\\+b)?";
    prop::collection::vec((term, "( |, | \\|\\| | - )"), 1..5).prop_map(|terms| {
        let joined: String = terms
            .into_iter()
            .flat_map(|(term, separator)| [term, separator])
            .collect();
        joined.trim_end_matches([' ', ',', '|', '-']).to_owned()
    })
}

fn version() -> impl Strategy<Value = Version> {
    version_like().prop_filter_map("no version", |text| Version::parse_lenient(&text).ok())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn no_text_makes_a_parser_panic(text in prop_oneof![any::<String>(), "[-v0-9xX*.|,+a<>=!~^ \\n]{0,40}"]) {
        for dialect in [Dialect::V3_5, Dialect::V3_4] {
            let _ = Version::parse_strict_in(&text, dialect);
            if let Ok(version) = Version::parse_lenient_in(&text, dialect) {
                prop_assert_eq!(version.original(), &text);
            }
            if let Ok(constraint) = Constraint::parse_in(&text, dialect) {
                prop_assert_eq!(constraint.as_str(), &text);
            }
        }
    }

    #[test]
    fn a_refusal_exists_exactly_where_a_version_is_not_allowed(text in constraint_like(), version in version()) {
        if let Ok(constraint) = Constraint::parse(&text) {
            prop_assert_eq!(constraint.allows(&version), constraint.refusal(&version).is_none());
        }
    }

    #[test]
    fn the_canonical_form_is_strict_and_of_equal_precedence(version in version()) {
        let canonical = Version::parse_strict(&version.to_string()).unwrap();
        prop_assert_eq!(canonical.precedence(&version), Ordering::Equal);
        prop_assert_eq!(canonical.to_string(), version.to_string());
    }

    #[test]
    fn newest_first_is_a_total_order(a in version(), b in version(), c in version()) {
        prop_assert_eq!(newest_first(&a, &b), newest_first(&b, &a).reverse());
        prop_assert_eq!(newest_first(&a, &b) == Ordering::Equal, a == b);
        prop_assert_eq!(a.precedence(&b), b.precedence(&a).reverse());
        if newest_first(&a, &b).is_le() && newest_first(&b, &c).is_le() {
            prop_assert!(newest_first(&a, &c).is_le());
        }
        if a.precedence(&b).is_le() && b.precedence(&c).is_le() {
            prop_assert!(a.precedence(&c).is_le());
        }
    }
}
