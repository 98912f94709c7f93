//! Image Updater's variables and the keys of its ConfigMap: what each sets, and what of a value counts. It must not know what a
//! setting does.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use landfall_core::go::duration::parse_duration;

/// A variable of the environment, which sets a flag's default.
pub(super) struct Variable {
    /// Its name.
    pub(super) name: &'static str,
    /// The key of the ConfigMap that the peer's Deployment makes the variable of.
    pub(super) key: Option<&'static str>,
    reading: Reading,
}

/// What counts as a value. Whatever does not is passed over, as the peer does; unlike the peer, we say so.
enum Reading {
    Text,
    /// `true` or `false` in any case, and nothing else that a flag would take.
    Truth,
    Duration,
    /// Decimal digits, within the range.
    Number(RangeInclusive<i64>),
}

/// Where a variable's value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Environment,
    ConfigMap,
}

/// The name of the ConfigMap.
pub(super) const CONFIG_MAP: &str = "argocd-image-updater-config";

const fn text(name: &'static str, key: Option<&'static str>) -> Variable {
    let reading = Reading::Text;
    Variable { name, key, reading }
}

const fn truth(name: &'static str, key: Option<&'static str>) -> Variable {
    let reading = Reading::Truth;
    Variable { name, key, reading }
}

const fn number(name: &'static str, key: Option<&'static str>, range: RangeInclusive<i64>) -> Variable {
    let reading = Reading::Number(range);
    Variable { name, key, reading }
}

/// All of them but those with webhook secrets, which are no business of a ConfigMap.
pub(super) const VARIABLES: [Variable; 25] = [
    Variable {
        name: "IMAGE_UPDATER_INTERVAL",
        key: Some("interval"),
        reading: Reading::Duration,
    },
    text("IMAGE_UPDATER_LOGLEVEL", Some("log.level")),
    text("IMAGE_UPDATER_LOGFORMAT", Some("log.format")),
    number("MAX_CONCURRENT_APPS", Some("max_concurrent_apps"), 1..=100),
    number("MAX_CONCURRENT_RECONCILES", Some("max_concurrent_reconciles"), 1..=10),
    number("MAX_CONCURRENT_UPDATERS", None, 1..=10),
    text("ARGOCD_NAMESPACE", Some("argocd.namespace")),
    text("IMAGE_UPDATER_WATCH_NAMESPACES", Some("watch.namespaces")),
    truth("IMAGE_UPDATER_KUBE_EVENTS", Some("kube.events")),
    text("GIT_COMMIT_USER", Some("git.user")),
    text("GIT_COMMIT_EMAIL", Some("git.email")),
    text("GIT_COMMIT_SIGNING_KEY", Some("git.commit-signing-key")),
    text("GIT_COMMIT_SIGNING_METHOD", Some("git.commit-signing-method")),
    truth("GIT_COMMIT_SIGN_OFF", Some("git.commit-sign-off")),
    text("GIT_COMMIT_METHOD", None),
    truth("ENABLE_WEBHOOK", Some("webhook.enable")),
    truth("WEBHOOK_REQUIRE_SECRET", Some("webhook.require-secret")),
    number("WEBHOOK_PORT", Some("webhook.port"), 0..=65_535),
    number(
        "WEBHOOK_RATELIMIT_ALLOWED",
        Some("webhook.ratelimit-allowed"),
        0..=i64::MAX,
    ),
    truth("DISABLE_TLS", Some("disable-tls")),
    text("TLS_MIN_VERSION", Some("tls.min-version")),
    text("TLS_MAX_VERSION", Some("tls.max-version")),
    text("TLS_CIPHERS", Some("tls.ciphers")),
    // Ours, which the folder may set beside the peer's.
    text("LANDFALL_BASE_URL", Some("landfall.base-url")),
    text("LANDFALL_REGISTRY_MIRRORS", Some("landfall.registry-mirrors")),
];

/// The variable of that name.
pub(super) fn named(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

/// A value that counts, and where it came from; or why there is none although something was set.
pub(super) fn value(
    variable: &Variable,
    environment: impl Fn(&str) -> Option<String>,
    config_map: &BTreeMap<String, String>,
) -> (Option<(String, Origin)>, Option<String>) {
    let from_environment = environment(variable.name).map(|value| (value, Origin::Environment));
    let from_config_map = || {
        let value = config_map.get(variable.key?)?;
        Some((value.clone(), Origin::ConfigMap))
    };
    let set = from_environment.filter(|(value, _)| !value.is_empty());
    let Some((value, origin)) = set.or_else(from_config_map).filter(|(value, _)| !value.is_empty()) else {
        return (None, None);
    };
    match variable.reading.read(&value) {
        Ok(read) => (Some((read, origin)), None),
        Err(problem) => {
            let place = match (origin, variable.key) {
                (Origin::ConfigMap, Some(key)) => format!("key {key} of ConfigMap {CONFIG_MAP}"),
                _ => format!("variable {}", variable.name),
            };
            (None, Some(format!("{place} is passed over: {value:?} is {problem}")))
        }
    }
}

impl Reading {
    /// The value as a flag takes it, or what is wrong with it.
    fn read(&self, value: &str) -> Result<String, String> {
        match self {
            Self::Text => Ok(value.to_owned()),
            Self::Truth => match value.to_lowercase().as_str() {
                known @ ("true" | "false") => Ok(known.to_owned()),
                _ => Err("neither true nor false".to_owned()),
            },
            Self::Duration => match parse_duration(value) {
                Ok(_) => Ok(value.to_owned()),
                Err(_) => Err("no duration; one reads 30s, 5m or 1h30m".to_owned()),
            },
            Self::Number(range) => match value.parse::<i64>() {
                Ok(number) if range.contains(&number) => Ok(number.to_string()),
                Ok(_) => Err(format!("not between {} and {}", range.start(), range.end())),
                Err(_) => Err("no whole number".to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests;
