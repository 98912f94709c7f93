//! What a generic receiver makes of requests: whole events, and why there is none.

use serde_json::{Value as Json, json};

use super::*;
use crate::delivery::Unverified;
use crate::receiver::{Reach, Receiver, ReceiverName, Sender};
use crate::resource::{Parsed, ReceiverKind, Resource};
use crate::secret::Secrets;

/// The actions as a manifest has them.
fn actions(actions: Json) -> Actions {
    let manifest = json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "ProjectConfig", "metadata": { "name": "shop" },
        "spec": { "webhookReceivers": [{
            "name": "any", "generic": { "secretRef": { "name": "s" }, "actions": actions },
        }] },
    });
    let Parsed::Known(resource, _) = Resource::from_value(&manifest) else {
        panic!("a known resource")
    };
    match *resource {
        Resource::ProjectConfig(config) => match &config.webhook_receivers[0].kind {
            ReceiverKind::Generic { actions } => Actions::compile(actions),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn delivery(specs: Json, body: &str) -> Delivery {
    let name = ReceiverName("ProjectConfig shop/any".to_owned());
    let reach = Reach::Project("shop".to_owned());
    let secrets = Secrets::only("only-for-tests".into());
    let receiver = Receiver::by_path(name, Sender::Generic, reach, secrets).with_actions(actions(specs));
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    let request = Unverified {
        headers: vec![
            header("host", "hooks.example.com"),
            header("x-event", "push"),
            header("x-event", "again"),
            header("authorization", "hunter2"),
        ],
        query: vec![
            ("env".to_owned(), "prod".to_owned()),
            ("env".to_owned(), "dev".to_owned()),
        ],
        body: body.as_bytes().to_vec(),
    };
    receiver.authenticate(request).unwrap()
}

/// What the receiver of `fixtures/receivers/generic` does; the README there says so too.
pub(in crate::receiver) fn of_fixtures() -> Actions {
    actions(json!([
        {
            "action": "Refresh",
            "whenExpression": "request.header('X-Event') == 'pushed'",
            "targetSelectionCriteria": [{ "kind": "Warehouse", "indexSelector": { "matchIndices": [{
                "key": "subscribedURLs", "operator": "Equals", "value": "${{ normalizeImage(request.body.image) }}",
            }] } }],
        },
        {
            "action": "Refresh",
            "whenExpression": "request.params('all') == 'yes'",
            "targetSelectionCriteria": [{ "kind": "Warehouse", "labelSelector": { "matchLabels": { "tier": "gold" } } }],
        },
    ]))
}

fn evaluated(specs: Json, body: &str) -> Evaluated {
    evaluate(&delivery(specs, body), &mut budget()).unwrap()
}

/// The events as the journal keeps them, the reasons, and the outcome of each action in a word.
fn shown(evaluated: &Evaluated) -> Json {
    let events: Vec<Json> = evaluated
        .contents
        .reports
        .iter()
        .map(|report| serde_json::to_value(&report.event).unwrap())
        .collect();
    let words = evaluated.outcomes.iter().map(|outcome| match outcome {
        Outcome::NotApplicable => "not applicable".to_owned(),
        Outcome::WhenFailed(_) => "when failed".to_owned(),
        Outcome::CriteriaFailed(_) => "criteria failed".to_owned(),
        Outcome::Asked(place) => format!("asked {place}"),
    });
    json!({ "events": events, "aside": evaluated.contents.set_aside, "outcomes": words.collect::<Vec<_>>() })
}

fn named(name: &str) -> Json {
    json!([{ "kind": "Warehouse", "name": name }])
}

#[test]
fn each_action_becomes_an_event_or_a_reason() {
    let specs = json!([
        {
            "action": "Refresh",
            "whenExpression": "request.header('X-Event') == 'push' && request.body.image != nil",
            "parameters": { "registry": "ghcr.io", "unread": "${{ 1 }}" },
            "targetSelectionCriteria": [
                {
                    "kind": "Warehouse",
                    "labelSelector": {
                        "matchLabels": { "env": "${{ request.params('env') }}" },
                        "matchExpressions": [
                            { "key": "tier", "operator": "In", "values": ["gold", "${% request.body.tier %}"] },
                            { "key": "old", "operator": "DoesNotExist" },
                        ],
                    },
                    "indexSelector": { "matchIndices": [
                        {
                            "key": "subscribedURLs", "operator": "Equals",
                            "value": "${{ normalizeImage(params.registry + '/' + request.body.image) }}",
                        },
                        { "key": "receiverPaths", "operator": "NotEquals", "value": "/generic/secret" },
                    ] },
                },
                { "kind": "Promotion", "indexSelector": { "matchIndices": [
                    { "key": "pullRequestURL", "operator": "Equals", "value": "${{ request.body.pr ?? 'none' }}" },
                ] } },
            ],
        },
        { "action": "Refresh", "whenExpression": "request.body.image == 'other'", "targetSelectionCriteria": named("a") },
        { "action": "Refresh", "targetSelectionCriteria": named("always") },
        { "action": "Refresh", "whenExpression": "request.body.image", "targetSelectionCriteria": named("a") },
        { "action": "Refresh", "whenExpression": "request.body.nobody.x", "targetSelectionCriteria": named("a") },
        { "action": "Refresh", "whenExpression": "1 +", "targetSelectionCriteria": named("a") },
        { "action": "Refresh", "targetSelectionCriteria": named("${{ 1.0 }}") },
        { "action": "Refresh", "targetSelectionCriteria": named("${{ params.missing + 'x' }}") },
    ]);
    let found = evaluated(specs, r#"{"image": "Shop/API:1.2", "tier": "silver"}"#);
    let expected = json!({
        "events": [
            {
                "event": "refreshRequested",
                "action": 1,
                "criteria": [
                    {
                        "kind": "Warehouse",
                        "labels": [
                            { "key": "env", "operator": "In", "values": ["prod"] },
                            { "key": "tier", "operator": "In", "values": ["gold", "silver"] },
                            { "key": "old", "operator": "DoesNotExist" },
                        ],
                        "indices": [
                            { "key": "subscribedURLs", "operator": "Equals", "value": "ghcr.io/shop/api" },
                            { "key": "receiverPaths", "operator": "NotEquals", "value": "" },
                        ],
                    },
                    {
                        "kind": "Promotion",
                        "indices": [{ "key": "pullRequestURL", "operator": "Equals", "value": "none" }],
                    },
                ],
            },
            { "event": "refreshRequested", "action": 3, "criteria": [{ "kind": "Warehouse", "name": "always" }] },
        ],
        "aside": [
            "action 2: the request does not match its whenExpression",
            "action 4: its whenExpression has no answer: it is a string, not a boolean",
            "action 5: its whenExpression has no answer: cannot fetch \"x\" from nil",
            "action 6: its whenExpression has no answer: column 4: the expression ends too early",
            "action 7: its targetSelectionCriteria have no answer: the result is a number and not a string; quote(…) makes it one",
            "action 8: its targetSelectionCriteria have no answer: + does not go with nil and a string",
        ],
        "outcomes": [
            "asked 0", "not applicable", "asked 1", "when failed", "when failed", "when failed", "criteria failed", "criteria failed",
        ],
    });
    assert_eq!(shown(&found), expected);
    for report in &found.contents.reports {
        let kept = serde_json::to_value(&report.event).unwrap();
        assert_eq!(serde_json::from_value::<Event>(kept).unwrap(), report.event);
    }
}

/// Rows of what a condition says of the request of these tests.
#[test]
fn conditions_see_the_whole_request() {
    for (when, body, expected) in [
        ("request.header('x-event') == 'push'", "", true),
        ("request.headers('X-EVENT') == ['push', 'again']", "", true),
        ("request.headers('none') == []", "", true),
        ("request.header('none') == ''", "", true),
        ("request.header('Host') == ''", "", true),
        ("request.header('Authorization') == 'hunter2'", "", true),
        (
            "request.params('env') == 'prod' and request.params('x') == ''",
            "",
            true,
        ),
        ("request.body == nil", "", true),
        ("request.body == nil", "null", true),
        ("request.body == [1]", "[1]", true),
        (
            "request.body.n == 3 and type(request.body.n) == 'float'",
            "{\"n\": 3}",
            true,
        ),
        ("params == {'branch': 'main'}", "", true),
        ("request.body.ref == params.branch", "{\"ref\": \"main\"}", true),
        ("normalizeImage(request.body.image) == normalizeImage('')", "{}", true),
        (
            "request.header(request.body.name) == '' and request.headers(request.body.name) == [] and request.params(request.body.name) == ''",
            "{}",
            true,
        ),
        (
            "request.body.text == 'half \u{fffd}'",
            "{\"text\": \"half \\ud83d\"}",
            true,
        ),
        ("quote == nil", "", true),
        (
            "normalizeGit('git@GitHub.com:Shop/API.git') == 'ssh://github.com/shop/api'",
            "",
            false,
        ),
        (
            "normalizeImage('nginx') == normalizeImage('docker.io/library/nginx')",
            "",
            true,
        ),
        (
            "normalizeChart('OCI://ghcr.io/shop/chart') == 'ghcr.io/shop/chart'",
            "",
            true,
        ),
    ] {
        let specs = json!([{
            "action": "Refresh",
            "parameters": { "branch": "main" },
            "whenExpression": when,
            "targetSelectionCriteria": named("a"),
        }]);
        let outcomes = evaluated(specs, body).outcomes;
        let word = if expected {
            Outcome::Asked(0)
        } else {
            Outcome::NotApplicable
        };
        assert_eq!(outcomes, [word], "{when}");
    }
}

#[test]
fn a_body_is_empty_or_json() {
    let specs = || json!([{ "action": "Refresh", "targetSelectionCriteria": named("a") }]);
    for (body, expected) in [
        ("", Ok(1)),
        ("{}", Ok(1)),
        ("not json", Err("expected ident at line 1 column 2")),
        ("{\"a\": 1", Err("EOF while parsing an object at line 1 column 7")),
        (" ", Err("EOF while parsing a value at line 1 column 1")),
    ] {
        let read = crate::receiver::read(&delivery(specs(), body));
        let found = read
            .map(|contents| contents.reports.len())
            .map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(str::to_owned), "{body}");
    }
}

/// One budget is for the whole delivery, so that many actions are no way around it.
#[test]
fn actions_share_a_budget() {
    let greedy = "len(map(1..100000, # * 2)) > 0";
    let action = json!({ "action": "Refresh", "whenExpression": greedy, "targetSelectionCriteria": named("a") });
    let found = evaluated(Json::from(vec![action; 20]), "");
    let spent = |outcome: &Outcome| {
        matches!(
            outcome,
            Outcome::WhenFailed(ExpressionError::Exhausted("steps" | "memory"))
        )
    };
    assert_eq!(found.outcomes.first(), Some(&Outcome::Asked(0)));
    assert!(found.outcomes.last().is_some_and(spent), "{:?}", found.outcomes.last());
}

#[test]
fn what_can_never_be_evaluated_is_known_before_any_request() {
    let compiled = actions(json!([
        { "action": "Refresh", "whenExpression": "now() > 1", "targetSelectionCriteria": named("a") },
        { "action": "Refresh", "whenExpression": "request.body.x", "targetSelectionCriteria": named("${{ 1 + }}") },
    ]));
    let expected = [
        "action 1, whenExpression: column 1: now: times and durations are not offered",
        "action 2, targetSelectionCriteria: column 6: the expression ends too early",
    ];
    assert_eq!(compiled.problems(), expected);
}

#[test]
fn nothing_of_the_request_is_shown() {
    let shown = format!("{:?}", delivery(json!([]), r#"{"a": 1}"#));
    assert!(!shown.contains("hunter2") && !shown.contains("prod"), "{shown}");
}
