//! Reads a `Promotion` as far as it tells which pull requests it waits for; it must not know what promotions do.

use std::collections::BTreeMap;

use serde_json::Value;

use super::metadata::Metadata;

/// The step that waits for a pull request to be merged or closed.
const WAIT_FOR_PULL_REQUEST: &str = "git-wait-for-pr";

/// One run of a promotion process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// Its identity, labels and annotations.
    pub metadata: Metadata,
    /// `spec.steps`, in their order.
    pub steps: Vec<PromotionStep>,
    /// `status.phase`: `Pending`, `Running` and others; empty where it has not begun.
    pub phase: String,
    /// `status.currentStep`, counted from 0.
    pub current_step: usize,
    /// The URLs of pull requests by the name of the step that they are of: `status.state[NAME].pr.url`.
    pub pull_requests: BTreeMap<String, String>,
}

/// What is read of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromotionStep {
    /// `uses`: what it does.
    pub uses: String,
    /// `as`: under which name its results are in the state; empty where it has none.
    pub alias: String,
}

impl Promotion {
    /// Whether it has ended, however it did: nothing that happens concerns it any more.
    pub fn is_over(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed" | "Errored" | "Aborted")
    }

    /// The pull requests that it waits for, or waited for: while it runs, those of its waiting steps up to the current one.
    pub fn awaited_pull_requests(&self) -> impl Iterator<Item = &str> {
        let begun = match self.phase.as_str() {
            "Running" => self.current_step.saturating_add(1),
            _ => 0,
        };
        self.steps
            .iter()
            .take(begun)
            .filter(|step| step.uses == WAIT_FOR_PULL_REQUEST && !step.alias.is_empty())
            .filter_map(|step| self.pull_requests.get(&step.alias))
            .map(String::as_str)
    }
}

/// Reads everything but the metadata, which the caller has read. Nothing in it is refused: the state is whatever the steps
/// made of it, and what is of another shape is of no interest here.
pub(super) fn read(value: &Value, metadata: Metadata) -> Promotion {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (spec, status) = (&value["spec"], &value["status"]);
    let steps = spec["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let state = status["state"].as_object();
    Promotion {
        metadata,
        steps: steps
            .iter()
            .map(|step| PromotionStep {
                uses: text(&step["uses"]),
                alias: text(&step["as"]),
            })
            .collect(),
        phase: text(&status["phase"]),
        current_step: status["currentStep"]
            .as_u64()
            .and_then(|step| usize::try_from(step).ok())
            .unwrap_or_default(),
        pull_requests: state
            .into_iter()
            .flatten()
            .filter_map(|(name, output)| Some((name.clone(), output["pr"]["url"].as_str()?.to_owned())))
            .filter(|(_, url)| !url.is_empty())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::resource::{Parsed, Resource};

    fn awaited(spec: &serde_json::Value, status: &serde_json::Value) -> Vec<String> {
        let manifest = json!({
            "apiVersion": "kargo.akuity.io/v1alpha1",
            "kind": "Promotion",
            "metadata": { "name": "test.01j", "namespace": "shop" },
            "spec": spec,
            "status": status,
        });
        let Parsed::Known(resource, warnings) = Resource::from_value(&manifest) else {
            panic!("{manifest} is a Promotion");
        };
        assert_eq!(warnings, []);
        match *resource {
            Resource::Promotion(promotion) => promotion.awaited_pull_requests().map(str::to_owned).collect(),
            other => panic!("{other:?} is no Promotion"),
        }
    }

    #[test]
    fn a_promotion_waits_while_it_runs_for_what_its_steps_have_reached() {
        let wait = |name: &str| json!({ "uses": "git-wait-for-pr", "as": name, "config": { "prNumber": 7 } });
        let steps = json!({ "stage": "test", "steps": [
            { "uses": "git-clone" }, { "uses": "git-open-pr", "as": "open" }, wait("first"), wait("second"), wait(""),
        ] });
        let state = json!({
            "open": { "pr": { "id": 7, "url": "https://git.example.com/shop/env/pulls/7" } },
            "first": { "pr": { "id": 7, "url": "https://git.example.com/shop/env/pulls/7" } },
            "second": { "pr": { "id": 8, "url": "https://git.example.com/shop/env/pulls/8" } },
            "": { "pr": { "url": "https://git.example.com/shop/env/pulls/9" } },
        });
        let status = |phase: &str, step: i64| json!({ "phase": phase, "currentStep": step, "state": state });
        let (seven, eight) = (
            "https://git.example.com/shop/env/pulls/7",
            "https://git.example.com/shop/env/pulls/8",
        );
        for (phase, step, expected) in [
            ("Running", 0, vec![]),
            ("Running", 1, vec![]),
            ("Running", 2, vec![seven]),
            ("Running", 3, vec![seven, eight]),
            ("Running", 99, vec![seven, eight]),
            ("Pending", 3, vec![]),
            ("Succeeded", 3, vec![]),
            ("", 3, vec![]),
        ] {
            assert_eq!(awaited(&steps, &status(phase, step)), expected, "{phase} {step}");
        }
    }

    #[test]
    fn an_odd_promotion_waits_for_nothing() {
        let steps = json!({ "steps": [{ "uses": "git-wait-for-pr", "as": "wait" }] });
        let running = |state| json!({ "phase": "Running", "currentStep": 0, "state": state });
        for (spec, status) in [
            (steps.clone(), json!(null)),
            (steps.clone(), json!("Running")),
            (steps.clone(), running(json!(null))),
            (steps.clone(), running(json!([]))),
            (steps.clone(), running(json!({ "wait": null }))),
            (steps.clone(), running(json!({ "wait": { "pr": [] } }))),
            (steps.clone(), running(json!({ "wait": { "pr": { "url": 7 } } }))),
            (steps.clone(), running(json!({ "wait": { "pr": { "url": "" } } }))),
            (json!(null), running(json!({ "wait": { "pr": { "url": "x" } } }))),
            (
                json!({ "steps": {} }),
                running(json!({ "wait": { "pr": { "url": "x" } } })),
            ),
            (
                json!({ "steps": [null, 7, { "uses": [] }] }),
                running(json!({ "": { "pr": { "url": "x" } } })),
            ),
        ] {
            assert_eq!(awaited(&spec, &status), Vec::<String>::new(), "{spec} {status}");
        }
        let negative = json!({ "phase": "Running", "currentStep": -1, "state": { "wait": { "pr": { "url": "x" } } } });
        assert_eq!(awaited(&steps, &negative), ["x"]);
    }
}
