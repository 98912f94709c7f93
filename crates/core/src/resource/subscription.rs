//! Reads the subscriptions of a `Warehouse` as they are written; it must not know what their patterns and constraints mean.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::fields::{FieldError, Fields, Place, Warning};
use super::metadata::is_dns_label;

/// How many artifacts a subscription keeps where it does not say.
pub const DEFAULT_DISCOVERY_LIMIT: i64 = 20;

/// The most artifacts that a subscription may keep.
pub const MAX_DISCOVERY_LIMIT: i64 = 100;

/// One item of `spec.subscriptions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionSpec {
    /// Its name, unique in its Warehouse; required for a generic source alone.
    pub name: Option<String>,
    /// What it subscribes to.
    pub source: Source,
}

/// What a subscription is to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An image repository.
    Image(ImageSubscription),
    /// A Git repository.
    Git(Box<GitSubscription>),
    /// A Helm chart.
    Chart(ChartSubscription),
    /// Something that only its own kind of subscriber understands.
    Generic {
        /// The type key.
        subscription_type: String,
        /// Everything under the type key but `discoveryLimit`; always an object.
        config: Value,
        /// How many artifacts to keep, 1 to 100.
        discovery_limit: i64,
    },
    /// An item that says nothing usable; it spoils none of its neighbours.
    Unreadable {
        /// What is wrong with it, as a clause with its path.
        problem: String,
    },
}

/// A subscription to an image repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSubscription {
    /// The repository as written, without tag or scheme; not canonical.
    pub repo_url: String,
    /// `Digest`, `Lexical`, `NewestBuild` or `SemVer`, not checked; by default `SemVer`.
    pub image_selection_strategy: String,
    /// The tag of `Digest`, the version constraint of `SemVer`; empty is none.
    pub constraint: String,
    /// Whether a version needs all of major, minor and patch; by default true.
    pub strict_semvers: bool,
    /// Regular expressions, not compiled, one of which a tag must match; empty admits all.
    pub allow_tags_regexes: Vec<String>,
    /// Regular expressions, not compiled, none of which a tag may match.
    pub ignore_tags_regexes: Vec<String>,
    /// Deprecated: one expression in place of `allow_tags_regexes`.
    pub allow_tags: String,
    /// Deprecated: tags in place of `ignore_tags_regexes`.
    pub ignore_tags: Vec<String>,
    /// `os/arch` or `os/arch/variant`, not checked; empty is any.
    pub platform: String,
    /// How many artifacts to keep, 1 to 100.
    pub discovery_limit: i64,
    /// Whether to trust any certificate of the registry.
    pub insecure_skip_tls_verify: bool,
    /// Whether tags of this repository never move, so that one look at each is enough.
    pub cache_by_tag: bool,
}

/// A subscription to a Git repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitSubscription {
    /// The repository as written; not canonical.
    pub repo_url: String,
    /// `NewestFromBranch`, `Lexical`, `NewestTag` or `SemVer`, not checked; by default `NewestFromBranch`.
    pub commit_selection_strategy: String,
    /// The branch of `NewestFromBranch`; `None` is the default one.
    pub branch: Option<String>,
    /// The version constraint of `SemVer`; empty is none.
    pub semver_constraint: String,
    /// Whether a version needs all of major, minor and patch; by default true.
    pub strict_semvers: bool,
    /// Regular expressions, not compiled, one of which a tag must match; empty admits all.
    pub allow_tags_regexes: Vec<String>,
    /// Regular expressions, not compiled, none of which a tag may match.
    pub ignore_tags_regexes: Vec<String>,
    /// Deprecated: one expression in place of `allow_tags_regexes`.
    pub allow_tags: String,
    /// Deprecated: tags in place of `ignore_tags_regexes`.
    pub ignore_tags: Vec<String>,
    /// An expression that a commit or tag must satisfy, not compiled; empty is none.
    pub expression_filter: String,
    /// Path patterns, not compiled, one of which a changed path must match; empty admits all.
    pub include_paths: Vec<String>,
    /// Path patterns, not compiled, none of which counts.
    pub exclude_paths: Vec<String>,
    /// Commits before this are not looked at.
    pub since: Option<Timestamp>,
    /// Whether to clone without file contents; `None` leaves it to whoever clones.
    pub blobless: Option<bool>,
    /// How many artifacts to keep, 1 to 100.
    pub discovery_limit: i64,
    /// Whether to trust any certificate of the server.
    pub insecure_skip_tls_verify: bool,
}

/// A subscription to a Helm chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartSubscription {
    /// `https://…` of a chart repository, or `oci://…` of one chart, as written.
    pub repo_url: String,
    /// The chart within a chart repository; empty for `oci://`.
    pub name: String,
    /// The version constraint; empty is none.
    pub semver_constraint: String,
    /// How many artifacts to keep, 1 to 100.
    pub discovery_limit: i64,
    /// Whether to trust any certificate of the server.
    pub insecure_skip_tls_verify: bool,
}

/// Reads `subscriptions` of a spec. An item that cannot be read becomes `Unreadable` with a warning.
pub(super) fn read_all(
    fields: &mut Fields<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<SubscriptionSpec>, FieldError> {
    let list = fields.place().key("subscriptions");
    let items = fields.list("subscriptions")?;
    if items.is_empty() {
        return Err(list.error("needs at least one subscription"));
    }
    let mut names = BTreeSet::new();
    let mut subscriptions = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let place = list.index(index);
        let mut inner = Vec::new();
        let subscription = match read_one(item, &place, &names, &mut inner) {
            Ok(subscription) => {
                warnings.append(&mut inner);
                subscription
            }
            Err(error) => {
                let source = Source::Unreadable {
                    problem: error.to_string(),
                };
                warnings.push(error.into_warning());
                let name = item.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
                SubscriptionSpec {
                    name: name.map(str::to_owned),
                    source,
                }
            }
        };
        names.extend(subscription.name.clone());
        subscriptions.push(subscription);
    }
    Ok(subscriptions)
}

fn read_one(
    item: &Value,
    place: &Place<'_>,
    taken: &BTreeSet<String>,
    warnings: &mut Vec<Warning>,
) -> Result<SubscriptionSpec, FieldError> {
    let mut fields = Fields::of(item, place)?;
    let name = fields.optional_text("name")?.filter(|name| !name.is_empty());
    if let Some(name) = &name {
        if !is_dns_label(name) {
            return Err(fields.error("name", "must be lower case letters, digits and '-', at most 63"));
        }
        if taken.contains(name) {
            return Err(fields.error("name", format!("is {name}, which an earlier subscription has already")));
        }
    }
    let types: Vec<(&str, &Value)> = fields.unasked().collect();
    let (key, settings) = match types[..] {
        [one] => one,
        [] => return Err(place.error("has no source: it needs one of image, git, chart")),
        _ => {
            let keys: Vec<_> = types.iter().map(|(key, _)| *key).collect();
            return Err(place.error(format!(
                "has more than one source ({}): make it one item each",
                keys.join(", ")
            )));
        }
    };
    let source_place = place.key(key);
    let mut fields = Fields::of(settings, &source_place)?;
    let source = match key {
        "image" => Source::Image(read_image(&mut fields)?),
        "git" => Source::Git(Box::new(read_git(&mut fields)?)),
        "chart" => Source::Chart(read_chart(&mut fields)?),
        _ if name.is_none() => {
            return Err(place
                .key("name")
                .error(format!("is missing, which a {key} source needs")));
        }
        other => {
            let discovery_limit = read_limit(&mut fields)?;
            let config = fields
                .unasked()
                .map(|(key, value)| (key.to_owned(), value.clone()))
                .collect();
            let source = Source::Generic {
                subscription_type: other.to_owned(),
                config: Value::Object(config),
                discovery_limit,
            };
            return Ok(SubscriptionSpec { name, source });
        }
    };
    fields.finish(warnings);
    Ok(SubscriptionSpec { name, source })
}

fn read_image(fields: &mut Fields<'_>) -> Result<ImageSubscription, FieldError> {
    Ok(ImageSubscription {
        repo_url: fields.required_text("repoURL")?,
        image_selection_strategy: fields.text_or("imageSelectionStrategy", "SemVer")?,
        constraint: fields.text("constraint")?,
        strict_semvers: fields.flag("strictSemvers")?.unwrap_or(true),
        allow_tags_regexes: fields.texts("allowTagsRegexes")?,
        ignore_tags_regexes: fields.texts("ignoreTagsRegexes")?,
        allow_tags: fields.text("allowTags")?,
        ignore_tags: fields.texts("ignoreTags")?,
        platform: fields.text("platform")?,
        discovery_limit: read_limit(fields)?,
        insecure_skip_tls_verify: fields.flag("insecureSkipTLSVerify")?.unwrap_or(false),
        cache_by_tag: fields.flag("cacheByTag")?.unwrap_or(false),
    })
}

fn read_git(fields: &mut Fields<'_>) -> Result<GitSubscription, FieldError> {
    Ok(GitSubscription {
        repo_url: fields.required_text("repoURL")?,
        commit_selection_strategy: fields.text_or("commitSelectionStrategy", "NewestFromBranch")?,
        branch: fields.optional_text("branch")?.filter(|branch| !branch.is_empty()),
        semver_constraint: fields.text("semverConstraint")?,
        strict_semvers: fields.flag("strictSemvers")?.unwrap_or(true),
        allow_tags_regexes: fields.texts("allowTagsRegexes")?,
        ignore_tags_regexes: fields.texts("ignoreTagsRegexes")?,
        allow_tags: fields.text("allowTags")?,
        ignore_tags: fields.texts("ignoreTags")?,
        expression_filter: fields.text("expressionFilter")?,
        include_paths: fields.texts("includePaths")?,
        exclude_paths: fields.texts("excludePaths")?,
        since: read_since(fields)?,
        blobless: fields.flag("blobless")?,
        discovery_limit: read_limit(fields)?,
        insecure_skip_tls_verify: fields.flag("insecureSkipTLSVerify")?.unwrap_or(false),
    })
}

fn read_chart(fields: &mut Fields<'_>) -> Result<ChartSubscription, FieldError> {
    Ok(ChartSubscription {
        repo_url: fields.required_text("repoURL")?,
        name: fields.text("name")?,
        semver_constraint: fields.text("semverConstraint")?,
        discovery_limit: read_limit(fields)?,
        insecure_skip_tls_verify: fields.flag("insecureSkipTLSVerify")?.unwrap_or(false),
    })
}

/// The limit, for which 0 is the same as none given, as it is for Kargo.
fn read_limit(fields: &mut Fields<'_>) -> Result<i64, FieldError> {
    match fields.integer("discoveryLimit")?.unwrap_or(0) {
        0 => Ok(DEFAULT_DISCOVERY_LIMIT),
        limit @ 1..=MAX_DISCOVERY_LIMIT => Ok(limit),
        _ => Err(fields.error("discoveryLimit", format!("must be 1 to {MAX_DISCOVERY_LIMIT}"))),
    }
}

fn read_since(fields: &mut Fields<'_>) -> Result<Option<Timestamp>, FieldError> {
    let Some(text) = fields.optional_text("since")? else {
        return Ok(None);
    };
    let since = text
        .parse()
        .map_err(|_| fields.error("since", "must be a time such as 2026-01-02T03:04:05Z"))?;
    Ok(Some(since))
}
