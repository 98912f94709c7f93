//! Decides which versions of a Helm chart a subscription wants; it must not know how versions are listed.
//!
//! A webhook and discovery ask two different questions, and read versions in the same way: what a push is wanted for is what
//! discovery then finds. A tag of an OCI registry cannot hold `+`, so charts are pushed with `_` in its place.

use crate::semver::{Constraint, Version, newest_first};

/// Where a chart lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartKind {
    /// A chart repository with an `index.yaml`, which holds versions as they are.
    Http,
    /// An OCI registry, whose tags hold versions with `_` for `+`.
    Oci,
}

/// Which versions of a chart a subscription wants.
#[derive(Debug, Clone)]
pub struct ChartPolicy {
    /// Where the chart lives.
    pub kind: ChartKind,
    /// What versions must satisfy; without one, every version will do, pre-releases included.
    pub constraint: Option<Constraint>,
    /// How many versions discovery keeps at most; 0 keeps all.
    pub limit: usize,
}

impl ChartPolicy {
    /// What a webhook asks: does a push of `version` concern this subscription? It is as the sender wrote it,
    /// for an OCI registry the tag.
    pub fn matches_pushed(&self, version: &str) -> bool {
        self.read_listed(version).is_some_and(|version| self.allows(&version))
    }

    /// What discovery finds among all `listed` versions or tags: the wanted ones, newest first, at most `limit`.
    /// What is no version is left out. Tags come back as versions, `_` turned into `+`.
    pub fn select_discovered<S: AsRef<str>>(&self, listed: &[S]) -> Vec<String> {
        let mut versions: Vec<Version> = listed
            .iter()
            .filter_map(|text| self.read_listed(text.as_ref()))
            .filter(|version| self.allows(version))
            .collect();
        versions.sort_by(newest_first);
        let limit = if self.limit == 0 { versions.len() } else { self.limit };
        versions
            .iter()
            .take(limit)
            .map(|version| version.original().to_owned())
            .collect()
    }

    fn read_listed(&self, text: &str) -> Option<Version> {
        match self.kind {
            ChartKind::Http => Version::parse_lenient(text),
            ChartKind::Oci => Version::parse_strict(&text.replace('_', "+")),
        }
        .ok()
    }

    fn allows(&self, version: &Version) -> bool {
        self.constraint
            .as_ref()
            .is_none_or(|constraint| constraint.allows(version))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Row {
        kind: String,
        constraint: String,
        limit: usize,
        versions: Vec<String>,
        ok: bool,
        error: Option<String>,
        #[serde(default)]
        matches: std::collections::BTreeMap<String, bool>,
        #[serde(default)]
        selected: Vec<String>,
    }

    fn policy(row: &Row) -> Result<ChartPolicy, String> {
        let kind = match row.kind.as_str() {
            "http" => ChartKind::Http,
            "oci" => ChartKind::Oci,
            other => panic!("unknown kind {other}"),
        };
        let constraint = (!row.constraint.is_empty())
            .then(|| Constraint::parse(&row.constraint))
            .transpose();
        let constraint = constraint.map_err(|error| error.to_string())?;
        Ok(ChartPolicy {
            kind,
            constraint,
            limit: row.limit,
        })
    }

    fn check(row: &Row) -> Result<(), String> {
        let policy = match policy(row) {
            Ok(policy) if row.ok => policy,
            Ok(_) => return Err("accepted".to_owned()),
            Err(error) if row.error.as_deref().is_some_and(|expected| expected.ends_with(&error)) => return Ok(()),
            Err(error) => return Err(format!("refused with {error:?}, expected {:?}", row.error)),
        };
        // Kargo reads a pushed tag of an OCI registry in another way than a listed one, and asks in vain, or not at all.
        let everything = ChartPolicy {
            limit: 0,
            ..policy.clone()
        };
        let expected = |text: &str, measured: bool| match policy.kind {
            ChartKind::Http => measured,
            ChartKind::Oci => !everything.select_discovered(&[text]).is_empty(),
        };
        let wrong: Vec<_> = row
            .matches
            .iter()
            .filter(|(text, wanted)| policy.matches_pushed(text) != expected(text, **wanted))
            .collect();
        if !wrong.is_empty() {
            return Err(format!("matches differ from {wrong:?}"));
        }
        let selected = policy.select_discovered(&row.versions);
        if selected == row.selected {
            Ok(())
        } else {
            Err(format!("selected {selected:?}, expected {:?}", row.selected))
        }
    }

    #[test]
    fn a_pushed_tag_is_read_as_discovery_reads_it() {
        let oci = ChartPolicy {
            kind: ChartKind::Oci,
            constraint: Constraint::parse("^1").ok(),
            limit: 20,
        };
        for (tag, expected) in [
            ("1.0.0_b1", true),
            ("1.0.0", true),
            ("v1.0.0", false),
            ("1.4", false),
            ("2.0.0_b1", false),
        ] {
            assert_eq!(oci.matches_pushed(tag), expected, "{tag}");
        }
    }

    #[test]
    fn matches_and_selects_as_measured() {
        let text = std::fs::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../fixtures/vectors/kargo_chart_version.jsonl"
        ))
        .unwrap();
        let rows: Vec<Row> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(!rows.is_empty());
        let failures: Vec<String> = rows
            .iter()
            .filter_map(|row| {
                check(row)
                    .err()
                    .map(|why| format!("{} {:?} limit {}: {why}", row.kind, row.constraint, row.limit))
            })
            .collect();
        assert!(
            failures.is_empty(),
            "{} of {} rows:\n{}",
            failures.len(),
            rows.len(),
            failures.join("\n")
        );
    }
}
