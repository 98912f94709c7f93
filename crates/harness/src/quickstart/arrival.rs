//! Looks whether the statuses show what was pushed; it does not know how it got there.

use std::time::Duration;

use anyhow::{Result, bail};
use landfall_harness::{Digest, Landfall, wait};
use serde_json::Value;

use super::page::short;
use super::stop::Stop;

/// The stories have been told by then, so what is to come has come.
const PATIENCE: Duration = Duration::from_secs(5);

/// landfall looks at once when it starts; a busy machine may need longer.
const FIRST_LOOKS: Duration = Duration::from_secs(20);

/// What has to be the best image of a Warehouse's one subscription.
pub struct Expected {
    /// The Warehouse's name.
    pub warehouse: &'static str,
    /// The tag.
    pub tag: &'static str,
    /// What the registry holds under that tag.
    pub digest: Digest,
}

/// Waits until every Warehouse was looked at once: from then on, only deliveries change anything for a while.
pub fn first_looks(landfall: &Landfall, stop: &Stop) -> Result<usize> {
    let looked = |warehouse: &Value| warehouse["status"]["discoveredArtifacts"]["discoveredAt"].is_string();
    wait::until(FIRST_LOOKS, "landfall to look at the registry", || {
        let warehouses = stop.check().map_err(anyhow::Error::from).and_then(|()| list(landfall));
        match warehouses {
            Ok(warehouses) => warehouses.iter().all(looked).then_some(Ok(warehouses.len())),
            Err(error) => Some(Err(error)),
        }
    })?
}

fn list(landfall: &Landfall) -> Result<Vec<Value>> {
    match landfall.cli_json(&["get", "warehouses", "-o", "json"])? {
        Value::Array(warehouses) if !warehouses.is_empty() => Ok(warehouses),
        _ => bail!("landfall has no Warehouses; see `landfall get problems`"),
    }
}

/// A sentence for each expectation that the statuses do not meet.
pub fn missing(landfall: &Landfall, expected: &[Expected], stop: &Stop) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    let looked = wait::until(PATIENCE, "the statuses", || {
        let look = || -> Result<Vec<String>> {
            stop.check()?;
            let warehouses = list(landfall)?;
            Ok(expected
                .iter()
                .filter_map(|expected| unmet(&warehouses, expected))
                .collect())
        };
        match look() {
            Ok(unmet) => {
                missing = unmet;
                missing.is_empty().then_some(Ok(()))
            }
            Err(error) => Some(Err(error)),
        }
    });
    // A wait in vain is no failure to look: what was seen last is what is missing.
    if let Ok(outcome) = looked {
        outcome?;
    }
    Ok(missing)
}

fn unmet(warehouses: &[Value], expected: &Expected) -> Option<String> {
    let Expected { warehouse, tag, digest } = expected;
    let wanted = format!("Warehouse {warehouse} has to show {tag} ({})", short(digest.as_str()));
    let Some(found) = warehouses.iter().find(|found| found["metadata"]["name"] == *warehouse) else {
        return Some(format!("{wanted}, but there is no such Warehouse"));
    };
    let best = &found["status"]["discoveredArtifacts"]["images"][0]["references"][0];
    if best["tag"] == *tag && best["digest"] == digest.as_str() {
        return None;
    }
    let shown = match (best["tag"].as_str(), best["digest"].as_str()) {
        (Some(tag), Some(digest)) => format!("{tag} ({})", short(digest)),
        _ => "nothing".to_owned(),
    };
    Some(format!("{wanted}, but shows {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_missing_is_said() {
        let digest = Digest::of(b"content");
        let status = |tag: &str, digest: &str| {
            let image = json!({"references": [{"tag": tag, "digest": digest}]});
            json!({"metadata": {"name": "api"}, "status": {"discoveredArtifacts": {"images": [image]}}})
        };
        let rows = [
            (vec![status("1.1.0", digest.as_str())], None),
            (
                vec![status("1.0.0", "sha256:00")],
                Some("has to show 1.1.0 (sha256:ed7002b439e9), but shows 1.0.0 (sha256:00)"),
            ),
            (
                vec![json!({"metadata": {"name": "api"}})],
                Some("has to show 1.1.0 (sha256:ed7002b439e9), but shows nothing"),
            ),
            (
                vec![],
                Some("has to show 1.1.0 (sha256:ed7002b439e9), but there is no such Warehouse"),
            ),
        ];
        for (warehouses, expected) in rows {
            let asked = Expected {
                warehouse: "api",
                tag: "1.1.0",
                digest: digest.clone(),
            };
            let expected = expected.map(|rest| format!("Warehouse api {rest}"));
            assert_eq!(unmet(&warehouses, &asked), expected);
        }
    }
}
