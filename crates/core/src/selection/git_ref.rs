//! Decides which pushed refs a Git subscription wants; it knows nothing of the repository or the commits behind them.

use super::semver;
use super::tag_filter::{TagFilter, TagFilterError};
use crate::resource::GitSubscription;
use crate::semver::{Constraint, ConstraintError, Strictness};

const BRANCHES: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";
/// The names that a default branch may have. A subscription without a branch means the default one, and not every push says
/// which that is.
const DEFAULT_BRANCHES: [&str; 2] = ["main", "master"];

/// How a Git subscription picks commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CommitSelectionStrategy {
    /// The newest commits of one branch.
    #[default]
    NewestFromBranch,
    /// The tags that are greatest by bytes.
    Lexical,
    /// The tags created last.
    NewestTag,
    /// The tags that are the greatest versions.
    SemVer,
}

/// The name of a strategy that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of Lexical, NewestFromBranch, NewestTag and SemVer")]
pub struct UnknownStrategy(String);

impl std::str::FromStr for CommitSelectionStrategy {
    type Err = UnknownStrategy;

    /// Reads the name in the resource; an empty one is the default.
    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        match text {
            "" | "NewestFromBranch" => Ok(Self::NewestFromBranch),
            "Lexical" => Ok(Self::Lexical),
            "NewestTag" => Ok(Self::NewestTag),
            "SemVer" => Ok(Self::SemVer),
            _ => Err(UnknownStrategy(text.to_owned())),
        }
    }
}

/// The refs that a Git subscription wants, checked and compiled.
#[derive(Clone, Debug)]
pub struct GitRefFilter {
    wish: Wish,
}

#[derive(Clone, Debug)]
enum Wish {
    /// `None` is the default branch.
    Branch(Option<String>),
    Tags {
        filter: TagFilter,
        versions: Versions,
    },
}

/// Whether tags must be versions.
#[derive(Clone, Debug)]
enum Versions {
    Any,
    Wanted {
        constraint: Option<Constraint>,
        strictness: Strictness,
    },
}

/// Why a subscription's wish for refs cannot be evaluated; each text begins with the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitRefFilterError {
    /// There is no such strategy.
    #[error("commitSelectionStrategy: {0}")]
    Strategy(#[from] UnknownStrategy),
    /// A field is set that has no effect any more, so that the subscription would get what it does not want.
    #[error("{field}: is deprecated and has no effect; use {replacement}")]
    Deprecated {
        /// The field that is set.
        field: &'static str,
        /// The field that took its place.
        replacement: &'static str,
    },
    /// A regular expression is malformed.
    #[error(transparent)]
    Tags(#[from] TagFilterError),
    /// The constraint is malformed.
    #[error("semverConstraint: {0}")]
    Constraint(#[from] ConstraintError),
}

impl GitRefFilter {
    /// Checks and compiles what the subscription's strategy uses; fields of other strategies are not looked at.
    ///
    /// # Errors
    /// Names the first field that cannot be used.
    pub fn new(subscription: &GitSubscription) -> Result<Self, GitRefFilterError> {
        let versions = match subscription.commit_selection_strategy.parse()? {
            CommitSelectionStrategy::NewestFromBranch => {
                let branch = subscription.branch.clone().filter(|branch| !branch.is_empty());
                return Ok(Self {
                    wish: Wish::Branch(branch),
                });
            }
            CommitSelectionStrategy::Lexical | CommitSelectionStrategy::NewestTag => Versions::Any,
            CommitSelectionStrategy::SemVer => wanted_versions(subscription)?,
        };
        refuse_deprecated(subscription)?;
        let filter = TagFilter::new(&subscription.allow_tags_regexes, &subscription.ignore_tags_regexes)?;
        Ok(Self {
            wish: Wish::Tags { filter, versions },
        })
    }

    /// Whether a push to `reference`, such as `refs/heads/main`, can change what the subscription finds, where the default
    /// branch is not known.
    ///
    /// # Errors
    /// Says why not, for people.
    pub fn accepts(&self, reference: &str) -> Result<(), String> {
        self.accepts_push(reference, None)
    }

    /// Whether a push to `reference` can change what the subscription finds, in a repository with this default branch.
    ///
    /// # Errors
    /// Says why not, for people.
    pub fn accepts_push(&self, reference: &str, default_branch: Option<&str>) -> Result<(), String> {
        match &self.wish {
            Wish::Branch(wanted) => accepts_branch(wanted.as_deref(), default_branch, reference),
            Wish::Tags { filter, versions } => {
                let tag = reference
                    .strip_prefix(TAGS)
                    .ok_or_else(|| format!("the ref does not begin with {TAGS}"))?;
                filter.accepts(tag).map_err(|refusal| refusal.to_string())?;
                match versions {
                    Versions::Any => Ok(()),
                    Versions::Wanted { constraint, strictness } => {
                        semver::wants(constraint.as_ref(), *strictness, tag).map(drop)
                    }
                }
            }
        }
    }
}

fn accepts_branch(wanted: Option<&str>, default_branch: Option<&str>, reference: &str) -> Result<(), String> {
    let branch = reference
        .strip_prefix(BRANCHES)
        .ok_or_else(|| format!("the ref does not begin with {BRANCHES}"))?;
    match (wanted, default_branch) {
        (Some(wanted), _) if wanted == branch => Ok(()),
        (Some(wanted), _) => Err(format!("the branch is not {wanted}")),
        (None, Some(default)) if default == branch => Ok(()),
        (None, Some(default)) => Err(format!(
            "the subscription names no branch, and the default branch is {default}"
        )),
        (None, None) if DEFAULT_BRANCHES.contains(&branch) => Ok(()),
        (None, None) => Err(format!(
            "the subscription names no branch, so only {} count",
            DEFAULT_BRANCHES.join(" and ")
        )),
    }
}

fn wanted_versions(subscription: &GitSubscription) -> Result<Versions, GitRefFilterError> {
    let constraint = match subscription.semver_constraint.as_str() {
        "" => None,
        text => Some(Constraint::parse(text)?),
    };
    let strictness = if subscription.strict_semvers {
        Strictness::Strict
    } else {
        Strictness::Lenient
    };
    Ok(Versions::Wanted { constraint, strictness })
}

fn refuse_deprecated(subscription: &GitSubscription) -> Result<(), GitRefFilterError> {
    if !subscription.allow_tags.is_empty() {
        return Err(GitRefFilterError::Deprecated {
            field: "allowTags",
            replacement: "allowTagsRegexes",
        });
    }
    if !subscription.ignore_tags.is_empty() {
        return Err(GitRefFilterError::Deprecated {
            field: "ignoreTags",
            replacement: "ignoreTagsRegexes",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::GitRefFilter;
    use crate::resource::GitSubscription;

    fn subscription() -> GitSubscription {
        GitSubscription {
            repo_url: "https://git.example.com/app".to_owned(),
            commit_selection_strategy: String::new(),
            branch: None,
            semver_constraint: String::new(),
            strict_semvers: false,
            allow_tags_regexes: Vec::new(),
            ignore_tags_regexes: Vec::new(),
            allow_tags: String::new(),
            ignore_tags: Vec::new(),
            expression_filter: String::new(),
            include_paths: Vec::new(),
            exclude_paths: Vec::new(),
            since: None,
            blobless: None,
            discovery_limit: 20,
            insecure_skip_tls_verify: false,
        }
    }

    fn from_row(row: &Value) -> GitSubscription {
        let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        let texts = |field: &str| {
            let entry = |entry: &Value| entry.as_str().expect("entries are texts").to_owned();
            row[field]
                .as_array()
                .map(|list| list.iter().map(entry).collect())
                .unwrap_or_default()
        };
        GitSubscription {
            commit_selection_strategy: text("strategy"),
            branch: Some(text("branch")),
            semver_constraint: text("constraint"),
            strict_semvers: row["strict"] == true,
            allow_tags_regexes: texts("allow"),
            ignore_tags_regexes: texts("ignore"),
            allow_tags: text("allow_tags"),
            ignore_tags: texts("ignore_tags"),
            ..subscription()
        }
    }

    #[test]
    fn wants_the_refs_that_kargo_does() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../fixtures/vectors/kargo_git_ref.jsonl"
        );
        let file = std::fs::read_to_string(path).expect("the vector file is readable");
        let mut rows = 0;
        let mut failures = Vec::new();
        for line in file.split('\n').filter(|line| !line.is_empty()) {
            rows += 1;
            let row: Value = serde_json::from_str(line).expect("each line is a JSON object");
            let filter = GitRefFilter::new(&from_row(&row));
            if filter.is_ok() != (row["ok"] == true) {
                failures.push(format!("line {rows}: {filter:?}, Kargo says {}", row["ok"]));
            }
            let Ok(filter) = filter else { continue };
            for (reference, expected) in row["matches"].as_object().into_iter().flatten() {
                let found = filter.accepts(reference);
                if found.is_ok() != (*expected == true) {
                    failures.push(format!(
                        "line {rows}: {reference:?} gives {found:?}, Kargo says {expected}"
                    ));
                }
            }
        }
        assert!(rows > 0, "the vector file has rows");
        assert!(
            failures.is_empty(),
            "{} differ:\n{}",
            failures.len(),
            failures.join("\n")
        );
    }

    #[test]
    fn says_why_not() {
        let branch = |name: &str| GitSubscription {
            branch: Some(name.to_owned()),
            ..subscription()
        };
        let tags = |strategy: &str, ignore: &str| GitSubscription {
            commit_selection_strategy: strategy.to_owned(),
            ignore_tags_regexes: vec![ignore.to_owned()],
            ..subscription()
        };
        let rows = [
            (subscription(), "refs/heads/master", Ok(())),
            (
                subscription(),
                "refs/heads/dev",
                Err("the subscription names no branch, so only main and master count"),
            ),
            (branch("dev"), "refs/heads/main", Err("the branch is not dev")),
            (
                branch("dev"),
                "refs/tags/dev",
                Err("the ref does not begin with refs/heads/"),
            ),
            (
                tags("NewestTag", "rc"),
                "refs/heads/main",
                Err("the ref does not begin with refs/tags/"),
            ),
            (
                tags("Lexical", "rc"),
                "refs/tags/rc",
                Err("tag is ignored by ignoreTagsRegexes[0] (rc)"),
            ),
            (
                tags("SemVer", "rc"),
                "refs/tags/main",
                Err("the tag is no semantic version"),
            ),
        ];
        for (subscription, reference, expected) in rows {
            let filter = GitRefFilter::new(&subscription).expect("the subscription is sound");
            assert_eq!(
                filter.accepts(reference),
                expected.map_err(str::to_owned),
                "{reference}"
            );
        }
    }

    #[test]
    fn a_subscription_without_a_branch_wants_the_default_one() {
        let named = GitSubscription {
            branch: Some("main".to_owned()),
            ..subscription()
        };
        let not_default = "the subscription names no branch, and the default branch is develop";
        for (subscription, default, branch, expected) in [
            (subscription(), Some("develop"), "develop", Ok(())),
            (subscription(), Some("develop"), "main", Err(not_default.to_owned())),
            (subscription(), None, "main", Ok(())),
            (named.clone(), Some("develop"), "main", Ok(())),
            (
                named,
                Some("develop"),
                "develop",
                Err("the branch is not main".to_owned()),
            ),
        ] {
            let filter = GitRefFilter::new(&subscription).expect("the subscription is sound");
            let found = filter.accepts_push(&format!("refs/heads/{branch}"), default);
            assert_eq!(found, expected, "{default:?} {branch}");
        }
    }

    #[test]
    fn an_error_begins_with_the_field() {
        let rows = [
            (
                GitSubscription {
                    commit_selection_strategy: "Oldest".to_owned(),
                    ..subscription()
                },
                "commitSelectionStrategy: \"Oldest\" is none of Lexical, NewestFromBranch, NewestTag and SemVer",
            ),
            (
                GitSubscription {
                    commit_selection_strategy: "NewestTag".to_owned(),
                    ignore_tags: vec!["latest".to_owned()],
                    ..subscription()
                },
                "ignoreTags: is deprecated and has no effect; use ignoreTagsRegexes",
            ),
            (
                GitSubscription {
                    commit_selection_strategy: "SemVer".to_owned(),
                    semver_constraint: "bad".to_owned(),
                    ..subscription()
                },
                "semverConstraint: improper constraint: \"bad\"",
            ),
        ];
        for (subscription, expected) in rows {
            assert_eq!(
                GitRefFilter::new(&subscription).expect_err("a refusal").to_string(),
                expected
            );
        }
    }
}
