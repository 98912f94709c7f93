use std::time::Duration;

use serde_json::{Value, json};

use super::status::{
    ConditionStatus, Conditions, ConfigStatus, DiscoveredArtifacts, DiscoveredImageReference, ImageDiscoveryResult,
    NewCondition, ReceiverStatus, WarehouseStatus,
};
use super::*;
use crate::target::{Criteria, IndexKey, IndexOperator, IndexRequirement, LabelOperator, LabelRequirement, TargetKind};

fn known(value: &Value) -> (Resource, Vec<String>) {
    match Resource::from_value(value) {
        Parsed::Known(resource, warnings) => (*resource, warnings.iter().map(Warning::to_string).collect()),
        other => panic!("{other:?}"),
    }
}

fn invalid_text(value: &Value) -> String {
    match Resource::from_value(value) {
        Parsed::Invalid(invalid) => invalid.to_string(),
        other => panic!("{other:?}"),
    }
}

fn warehouse(spec: Value) -> Value {
    json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Warehouse",
        "metadata": {"name": "api", "namespace": "shop"}, "spec": spec,
    })
}

fn subscription(item: Value) -> (SubscriptionSpec, Vec<String>) {
    let (resource, warnings) = known(&warehouse(json!({"subscriptions": [item]})));
    match resource {
        Resource::Warehouse(warehouse) => (warehouse.subscriptions[0].clone(), warnings),
        other => panic!("{other:?}"),
    }
}

fn unreadable(item: Value) -> String {
    let (subscription, warnings) = subscription(item);
    match subscription.source {
        Source::Unreadable { problem } => {
            assert_eq!(
                warnings,
                std::slice::from_ref(&problem),
                "an unreadable subscription is warned of, once"
            );
            problem
        }
        other => panic!("{other:?}"),
    }
}

fn metadata(name: &str, namespace: Option<&str>) -> Metadata {
    Metadata {
        name: name.to_owned(),
        namespace: namespace.map(str::to_owned),
        labels: Default::default(),
        annotations: Default::default(),
        generation: None,
        uid: None,
        resource_version: None,
    }
}

fn image(repo_url: &str) -> ImageSubscription {
    ImageSubscription {
        repo_url: repo_url.to_owned(),
        image_selection_strategy: "SemVer".to_owned(),
        constraint: String::new(),
        strict_semvers: true,
        allow_tags_regexes: vec![],
        ignore_tags_regexes: vec![],
        allow_tags: String::new(),
        ignore_tags: vec![],
        platform: String::new(),
        discovery_limit: 20,
        insecure_skip_tls_verify: false,
        cache_by_tag: false,
    }
}

#[test]
fn a_warehouse_has_the_defaults_of_its_crd() {
    let (resource, warnings) = known(&warehouse(
        json!({"subscriptions": [{"image": {"repoURL": "quay.io/shop/api"}}]}),
    ));
    let expected = Warehouse {
        metadata: metadata("api", Some("shop")),
        interval: Interval {
            text: "5m0s".to_owned(),
            duration: Duration::from_secs(300),
        },
        freight_creation_policy: FreightCreationPolicy::Automatic,
        freight_creation_criteria: None,
        shard: None,
        subscriptions: vec![SubscriptionSpec {
            name: None,
            source: Source::Image(image("quay.io/shop/api")),
        }],
    };
    assert_eq!(resource, Resource::Warehouse(expected.into()));
    assert_eq!(warnings, [] as [String; 0]);
    assert_eq!(resource.key().to_string(), "Warehouse shop/api");
}

#[test]
fn a_warehouse_is_read_in_full() {
    let (resource, warnings) = known(&json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Warehouse",
        "metadata": {
            "name": "api", "namespace": "shop", "generation": 3, "uid": "u", "resourceVersion": "7",
            "labels": {"a": "b"}, "annotations": {"kargo.akuity.io/refresh": "t1"}, "managedFields": [],
        },
        "spec": {
            "interval": "1.5h", "freightCreationPolicy": "Manual", "shard": "eu",
            "freightCreationCriteria": {"expression": "true"},
            "subscriptions": [
                {"name": "app", "image": {
                    "repoURL": "quay.io/shop/api", "imageSelectionStrategy": "Digest", "constraint": "latest",
                    "strictSemvers": false, "allowTagsRegexes": ["^a"], "ignoreTagsRegexes": ["b$"], "allowTags": "x",
                    "ignoreTags": ["y"], "platform": "linux/arm64", "discoveryLimit": 100,
                    "insecureSkipTLSVerify": true, "cacheByTag": true,
                }},
                {"git": {
                    "repoURL": "https://example.com/shop.git", "commitSelectionStrategy": "SemVer", "branch": "main",
                    "semverConstraint": "^1", "strictSemvers": false, "allowTagsRegexes": ["^a"],
                    "ignoreTagsRegexes": null, "expressionFilter": "true", "includePaths": ["apps"],
                    "excludePaths": ["docs"], "since": "2026-01-02T04:04:05+01:00", "blobless": true,
                    "discoveryLimit": 0, "insecureSkipTLSVerify": true,
                }},
                {"chart": {"repoURL": "https://charts.example.com", "name": "api", "semverConstraint": "~1.2"}},
                {"name": "other", "bucket": {"url": "s3://x", "deep": {"er": 1}, "discoveryLimit": 5}},
            ],
        },
        "status": {"conditions": "whatever"},
    }));
    let expected = Warehouse {
        metadata: Metadata {
            labels: [("a".to_owned(), "b".to_owned())].into(),
            annotations: [("kargo.akuity.io/refresh".to_owned(), "t1".to_owned())].into(),
            generation: Some(3),
            uid: Some("u".to_owned()),
            resource_version: Some("7".to_owned()),
            ..metadata("api", Some("shop"))
        },
        interval: Interval {
            text: "1.5h".to_owned(),
            duration: Duration::from_secs(5400),
        },
        freight_creation_policy: FreightCreationPolicy::Manual,
        freight_creation_criteria: Some("true".to_owned()),
        shard: Some("eu".to_owned()),
        subscriptions: vec![
            SubscriptionSpec {
                name: Some("app".to_owned()),
                source: Source::Image(ImageSubscription {
                    image_selection_strategy: "Digest".to_owned(),
                    constraint: "latest".to_owned(),
                    strict_semvers: false,
                    allow_tags_regexes: vec!["^a".to_owned()],
                    ignore_tags_regexes: vec!["b$".to_owned()],
                    allow_tags: "x".to_owned(),
                    ignore_tags: vec!["y".to_owned()],
                    platform: "linux/arm64".to_owned(),
                    discovery_limit: 100,
                    insecure_skip_tls_verify: true,
                    cache_by_tag: true,
                    ..image("quay.io/shop/api")
                }),
            },
            SubscriptionSpec {
                name: None,
                source: Source::Git(Box::new(GitSubscription {
                    repo_url: "https://example.com/shop.git".to_owned(),
                    commit_selection_strategy: "SemVer".to_owned(),
                    branch: Some("main".to_owned()),
                    semver_constraint: "^1".to_owned(),
                    strict_semvers: false,
                    allow_tags_regexes: vec!["^a".to_owned()],
                    ignore_tags_regexes: vec![],
                    allow_tags: String::new(),
                    ignore_tags: vec![],
                    expression_filter: "true".to_owned(),
                    include_paths: vec!["apps".to_owned()],
                    exclude_paths: vec!["docs".to_owned()],
                    since: Some("2026-01-02T03:04:05Z".parse().expect("a time")),
                    blobless: Some(true),
                    discovery_limit: 20,
                    insecure_skip_tls_verify: true,
                })),
            },
            SubscriptionSpec {
                name: None,
                source: Source::Chart(ChartSubscription {
                    repo_url: "https://charts.example.com".to_owned(),
                    name: "api".to_owned(),
                    semver_constraint: "~1.2".to_owned(),
                    discovery_limit: 20,
                    insecure_skip_tls_verify: false,
                }),
            },
            SubscriptionSpec {
                name: Some("other".to_owned()),
                source: Source::Generic {
                    subscription_type: "bucket".to_owned(),
                    config: json!({"url": "s3://x", "deep": {"er": 1}}),
                    discovery_limit: 5,
                },
            },
        ],
    };
    assert_eq!(resource.refresh_token(), Some("t1"));
    assert_eq!(resource, Resource::Warehouse(expected.into()));
    assert_eq!(warnings, [] as [String; 0]);
}

#[test]
fn a_subscription_that_cannot_be_read_says_why_and_spoils_nothing() {
    let at = "spec.subscriptions[0]";
    let rows = [
        (
            json!({}),
            format!("{at} has no source: it needs one of image, git, chart"),
        ),
        (
            json!({"name": "a", "image": null}),
            format!("{at} has no source: it needs one of image, git, chart"),
        ),
        (
            json!({"image": {"repoURL": "a"}, "git": {"repoURL": "b"}}),
            format!("{at} has more than one source (git, image): make it one item each"),
        ),
        (json!("x"), format!("{at} must be an object, not text")),
        (json!(null), format!("{at} must be an object, not empty")),
        (
            json!({"image": []}),
            format!("{at}.image must be an object, not a list"),
        ),
        (json!({"image": {}}), format!("{at}.image.repoURL is missing")),
        (json!({"git": {"repoURL": ""}}), format!("{at}.git.repoURL is missing")),
        (
            json!({"image": {"repoURL": "a", "discoveryLimit": "x"}}),
            format!("{at}.image.discoveryLimit must be a whole number, not text"),
        ),
        (
            json!({"image": {"repoURL": "a", "discoveryLimit": 1.5}}),
            format!("{at}.image.discoveryLimit must be a whole number within 64 bits"),
        ),
        (
            json!({"image": {"repoURL": "a", "discoveryLimit": 101}}),
            format!("{at}.image.discoveryLimit must be 1 to 100"),
        ),
        (
            json!({"chart": {"repoURL": "a", "discoveryLimit": -1}}),
            format!("{at}.chart.discoveryLimit must be 1 to 100"),
        ),
        (
            json!({"image": {"repoURL": "a", "constraint": 1.1}}),
            format!("{at}.image.constraint must be text, not a number (put it in quotes)"),
        ),
        (
            json!({"image": {"repoURL": "a", "allowTagsRegexes": ["a", 1]}}),
            format!("{at}.image.allowTagsRegexes[1] must be text, not a number (put it in quotes)"),
        ),
        (
            json!({"image": {"repoURL": "a", "cacheByTag": "yes"}}),
            format!("{at}.image.cacheByTag must be true or false, not text"),
        ),
        (
            json!({"git": {"repoURL": "a", "since": "yesterday"}}),
            format!("{at}.git.since must be a time such as 2026-01-02T03:04:05Z"),
        ),
        (
            json!({"bucket": {}}),
            format!("{at}.name is missing, which a bucket source needs"),
        ),
        (
            json!({"name": "A", "image": {"repoURL": "a"}}),
            format!("{at}.name must be lower case letters, digits and '-', at most 63"),
        ),
    ];
    for (item, expected) in rows {
        assert_eq!(unreadable(item.clone()), expected, "{item}");
    }

    let (resource, warnings) = known(&warehouse(json!({"subscriptions": [
        {"name": "a"}, {"name": "a", "image": {"repoURL": "x"}}, {"image": {"repoURL": "y"}},
    ]})));
    let Resource::Warehouse(warehouse) = resource else {
        panic!("a Warehouse")
    };
    let unreadable = |problem: &str| Source::Unreadable {
        problem: problem.to_owned(),
    };
    let first = "spec.subscriptions[0] has no source: it needs one of image, git, chart";
    let second = "spec.subscriptions[1].name is a, which an earlier subscription has already";
    let expected = [
        SubscriptionSpec {
            name: Some("a".to_owned()),
            source: unreadable(first),
        },
        SubscriptionSpec {
            name: Some("a".to_owned()),
            source: unreadable(second),
        },
        SubscriptionSpec {
            name: None,
            source: Source::Image(image("y")),
        },
    ];
    assert_eq!(warehouse.subscriptions, expected);
    assert_eq!(warnings, [first, second]);
}

#[test]
fn unknown_fields_are_warned_of_with_their_path() {
    let (_, warnings) = known(&json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Warehouse", "extra": 1, "nothing": null,
        "metadata": {"name": "api", "lables": {}},
        "spec": {
            "intervall": "1m", "freightCreationCriteria": {"when": "true"},
            "subscriptions": [{"image": {"repoURL": "x", "tagz": 1, "a.b/c": 2}}],
        },
    }));
    let expected = [
        "metadata.lables is not a known field",
        "extra is not a known field",
        "spec.freightCreationCriteria.when is not a known field",
        "spec.subscriptions[0].image[\"a.b/c\"] is not a known field",
        "spec.subscriptions[0].image.tagz is not a known field",
        "spec.intervall is not a known field",
    ];
    assert_eq!(warnings, expected);
}

#[test]
fn an_invalid_resource_says_where_and_why() {
    let named =
        |kind: &str, metadata: Value| json!({"apiVersion": KARGO_API_VERSION, "kind": kind, "metadata": metadata});
    let one = json!([{"image": {"repoURL": "x"}}]);
    let rows = [
        (
            json!({"apiVersion": "v1", "kind": "Secret"}),
            "Secret: metadata must be an object, not empty",
        ),
        (
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {}}),
            "Secret: metadata.name is missing",
        ),
        (
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "../x"}}),
            "Secret: metadata.name must be lower case letters, digits, '-' and '.', at most 253",
        ),
        (
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": "a.b"}}),
            "Secret: metadata.namespace must be lower case letters, digits and '-', at most 63",
        ),
        (
            named("ProjectConfig", json!({"name": "shop", "namespace": "other"})),
            "ProjectConfig: metadata.name must be the namespace: a ProjectConfig is named after its project",
        ),
        (
            named("ClusterConfig", json!({"name": "mine"})),
            "ClusterConfig: metadata.name must be \"cluster\": there is one ClusterConfig",
        ),
        (
            named("Warehouse", json!({"name": "x"})),
            "Warehouse default/x: spec is missing",
        ),
        (
            warehouse(json!({})),
            "Warehouse shop/api: spec.subscriptions needs at least one subscription",
        ),
        (
            warehouse(json!({"subscriptions": {}})),
            "Warehouse shop/api: spec.subscriptions must be a list, not an object",
        ),
        (
            warehouse(json!({"interval": "5 minutes", "subscriptions": one})),
            "Warehouse shop/api: spec.interval must be a duration in hours, minutes and seconds, such as 5m0s or 1.5h",
        ),
        (
            warehouse(json!({"interval": "9999999h", "subscriptions": one})),
            "Warehouse shop/api: spec.interval is too long: it must be below 2562047h",
        ),
        (
            warehouse(json!({"freightCreationPolicy": "Never", "subscriptions": one})),
            "Warehouse shop/api: spec.freightCreationPolicy must be Automatic or Manual",
        ),
        (
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"password": "hunter2!"}}),
            "Secret default/x: data.password is not valid base64 (standard alphabet, with padding)",
        ),
        (
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "stringData": {"pin": 1234}}),
            "Secret default/x: stringData.pin must be text, not a number (put it in quotes)",
        ),
        (
            named(
                "ProjectConfig",
                json!({"name": "shop", "annotations": {"kargo.akuity.io/refresh": 1}}),
            ),
            "ProjectConfig: metadata.annotations[\"kargo.akuity.io/refresh\"] must be text, not a number (put it in quotes)",
        ),
    ];
    for (value, expected) in rows {
        assert_eq!(invalid_text(&value), expected, "{value}");
    }
}

#[test]
fn other_kinds_and_versions_are_not_ours() {
    for (api_version, kind) in [
        ("apps/v1", "Deployment"),
        ("kargo.akuity.io/v1", "Warehouse"),
        ("v1", "Warehouse"),
        ("kargo.akuity.io/v1alpha1", "Stage"),
        ("", ""),
    ] {
        let expected = Parsed::UnknownKind {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
        };
        assert_eq!(
            Resource::from_value(&json!({"apiVersion": api_version, "kind": kind})),
            expected
        );
    }
    for value in [
        json!(null),
        json!([]),
        json!("Warehouse"),
        json!({"apiVersion": 1, "kind": {}}),
    ] {
        let expected = Parsed::UnknownKind {
            api_version: String::new(),
            kind: String::new(),
        };
        assert_eq!(Resource::from_value(&value), expected);
    }
}

#[test]
fn a_secret_is_decoded_merged_and_never_printed() {
    let (resource, warnings) = known(&json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "immutable": true,
        "metadata": {"name": "github", "namespace": "shop", "labels": {"kargo.akuity.io/cred-type": "generic"}},
        "data": {"secret": "aHVudGVyMg==", "both": "b2xk", "empty": null},
        "stringData": {"both": "new"},
    }));
    assert_eq!(warnings, [] as [String; 0]);
    let printed = format!("{resource:?}");
    let Resource::Secret(secret) = resource else {
        panic!("a Secret")
    };
    let data: Vec<_> = secret
        .data
        .iter()
        .map(|(key, value)| (key.as_str(), value.expose()))
        .collect();
    assert_eq!(
        data,
        [("both", b"new".as_slice()), ("empty", b""), ("secret", b"hunter2")]
    );
    assert_eq!(secret.credential_type(), Some("generic"));
    assert!(
        !printed.contains("hunter2") && !printed.contains("104, 117"),
        "{printed}"
    );
}

#[test]
fn a_config_map_holds_texts_and_bytes() {
    let (resource, warnings) = known(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"},
        "binaryData": {"x": "AP8="},
    }));
    let expected = ConfigMap {
        metadata: metadata("c", Some("default")),
        data: [("a".to_owned(), "b".to_owned())].into(),
        binary_data: [("x".to_owned(), vec![0, 255])].into(),
    };
    assert_eq!((resource, warnings), (Resource::ConfigMap(Box::new(expected)), vec![]));
}

fn label(key: &str, operator: LabelOperator, values: &[&str]) -> LabelRequirement {
    LabelRequirement {
        key: key.to_owned(),
        operator,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

/// What the CRD and Kargo's admission refuse is refused, since a folder has neither, and it says where.
#[test]
fn actions_of_generic_receivers_are_held_to_their_schema() {
    let criteria = json!([{"kind": "Warehouse", "name": "api"}]);
    let index = |key: &str, operator: &str| {
        json!([{"kind": "Warehouse", "indexSelector": {"matchIndices": [
            {"key": key, "operator": operator, "value": "x"},
        ]}}])
    };
    let expression = |operator: &str, values: Value| {
        json!([{"kind": "Warehouse", "labelSelector": {"matchExpressions": [
            {"key": "tier", "operator": operator, "values": values},
        ]}}])
    };
    for (action, expected) in [
        (json!({"action": "Refresh", "targetSelectionCriteria": criteria}), None),
        (json!({"targetSelectionCriteria": criteria}), Some(".action is missing")),
        (
            json!({"action": "Promote", "targetSelectionCriteria": criteria}),
            Some(".action must be Refresh"),
        ),
        (
            json!({"action": "Refresh"}),
            Some(".targetSelectionCriteria is missing"),
        ),
        (
            json!({"action": "Refresh", "targetSelectionCriteria": [{"kind": "Stage", "name": "x"}]}),
            Some(".targetSelectionCriteria[0].kind must be Warehouse or Promotion"),
        ),
        (
            json!({"action": "Refresh", "targetSelectionCriteria": [{"kind": "Warehouse"}]}),
            Some(".targetSelectionCriteria[0] needs a name, a labelSelector or an indexSelector"),
        ),
        (
            json!({"action": "Refresh", "targetSelectionCriteria": index("subscribedURLs", "Equals")}),
            None,
        ),
        (
            json!({"action": "Refresh", "targetSelectionCriteria": index("receiverPaths", "NotEquals")}),
            None,
        ),
        (
            json!({"action": "Refresh", "targetSelectionCriteria": index("urls", "Equals")}),
            Some(
                ".targetSelectionCriteria[0].indexSelector.matchIndices[0].key must be subscribedURLs, receiverPaths or pullRequestURL",
            ),
        ),
        (
            json!({"action": "Refresh", "targetSelectionCriteria": index("subscribedURLs", "Like")}),
            Some(".targetSelectionCriteria[0].indexSelector.matchIndices[0].operator must be Equals or NotEquals"),
        ),
        (
            json!({"action": "Refresh", "targetSelectionCriteria": expression("In", json!(["a"]))}),
            None,
        ),
        (
            json!({"action": "Refresh", "targetSelectionCriteria": expression("In", json!([]))}),
            Some(".targetSelectionCriteria[0].labelSelector.matchExpressions[0].values is missing"),
        ),
        (
            json!({"action": "Refresh", "targetSelectionCriteria": expression("Exists", json!(["a"]))}),
            Some(
                ".targetSelectionCriteria[0].labelSelector.matchExpressions[0].values must be empty with this operator",
            ),
        ),
    ] {
        let (resource, _) = known(&json!({
            "apiVersion": KARGO_API_VERSION, "kind": "ProjectConfig", "metadata": {"name": "shop"},
            "spec": {"webhookReceivers": [{"name": "g", "generic": {"secretRef": {"name": "s"}, "actions": [action]}}]},
        }));
        let Resource::ProjectConfig(config) = resource else {
            panic!("a ProjectConfig")
        };
        let problem = match &config.webhook_receivers[0].kind {
            ReceiverKind::Unreadable { problem } => Some(problem.as_str()),
            _ => None,
        };
        let expected = expected.map(|expected| format!("spec.webhookReceivers[0].generic.actions[0]{expected}"));
        assert_eq!(problem, expected.as_deref());
    }
}

#[test]
fn receivers_are_read_one_by_one() {
    let (resource, warnings) = known(&json!({
        "apiVersion": KARGO_API_VERSION, "kind": "ProjectConfig", "metadata": {"name": "shop"},
        "spec": {
            "promotionPolicies": [{"anything": 1}],
            "webhookReceivers": [
                {"name": "art", "artifactory": {"secretRef": {"name": "s"}, "virtualRepoName": "virt"}},
                {"name": "gen", "generic": {"secretRef": {"name": "s"}, "actions": [{
                    "action": "Refresh", "whenExpression": "true", "parameters": {"a": "1"},
                    "targetSelectionCriteria": [{
                        "kind": "Warehouse",
                        "name": "${{ params.a }}",
                        "labelSelector": {
                            "matchLabels": {"tier": "gold"},
                            "matchExpressions": [{"key": "old", "operator": "DoesNotExist"}],
                        },
                        "indexSelector": {"matchIndices": [
                            {"key": "subscribedURLs", "operator": "NotEquals", "value": "shop/api"},
                        ]},
                    }],
                }]}},
                {"name": "gh", "github": {"secretRef": {"name": "s"}, "events": []}},
                {"name": "none"},
                {"name": "two", "harbor": {"secretRef": {"name": "s"}}, "quay": {"secretRef": {"name": "s"}}},
                {"name": "gh", "quay": {"secretRef": {"name": "s"}}},
                {"name": "new", "codeberg": {"secretRef": {"name": "s"}}},
                {"name": "bare", "harbor": {}},
                {"name": "noname", "harbor": {"secretRef": {}}},
                {"harbor": {"secretRef": {"name": "s"}}},
                {"name": "last", "dockerhub": {"secretRef": {"name": "t"}}},
            ],
        },
    }));
    let Resource::ProjectConfig(config) = resource else {
        panic!("a ProjectConfig")
    };
    assert_eq!(config.metadata, metadata("shop", Some("shop")));
    let at = "spec.webhookReceivers";
    let kinds = "artifactory, azure, bitbucket, dockerhub, generic, gitea, github, gitlab, harbor, quay";
    let problems = [
        format!("{at}[3] names no sender: it needs one of {kinds}"),
        format!("{at}[4] names more than one sender (harbor, quay): make it one entry each"),
        format!("{at}[5].name is gh, which an earlier receiver of this list has already"),
        format!("{at}[6] names no sender: it needs one of {kinds}"),
        format!("{at}[7].harbor.secretRef is missing"),
        format!("{at}[8].harbor.secretRef.name is missing"),
        format!("{at}[9].name is missing"),
    ];
    let spec = |name: &str, kind, secret: &str| ReceiverSpec {
        name: name.into(),
        kind,
        secret_ref: secret.into(),
    };
    let bad = |index: usize| ReceiverKind::Unreadable {
        problem: problems[index].clone(),
    };
    let expected = [
        spec(
            "art",
            ReceiverKind::Artifactory {
                virtual_repo_name: Some("virt".into()),
            },
            "s",
        ),
        spec(
            "gen",
            ReceiverKind::Generic {
                actions: vec![GenericAction {
                    when_expression: "true".into(),
                    parameters: [("a".to_owned(), "1".to_owned())].into(),
                    criteria: vec![Criteria {
                        kind: TargetKind::Warehouse,
                        name: Some("${{ params.a }}".into()),
                        labels: vec![
                            label("tier", LabelOperator::In, &["gold"]),
                            label("old", LabelOperator::DoesNotExist, &[]),
                        ],
                        indices: vec![IndexRequirement {
                            key: IndexKey::SubscribedUrls,
                            operator: IndexOperator::NotEquals,
                            value: "shop/api".into(),
                        }],
                    }],
                }],
            },
            "s",
        ),
        spec("gh", ReceiverKind::GitHub, "s"),
        spec("none", bad(0), ""),
        spec("two", bad(1), ""),
        spec("gh", bad(2), ""),
        spec("new", bad(3), ""),
        spec("bare", bad(4), ""),
        spec("noname", bad(5), ""),
        spec("", bad(6), ""),
        spec("last", ReceiverKind::DockerHub, "t"),
    ];
    assert_eq!(config.webhook_receivers, expected);
    let unknown = format!("{at}[2].github.events is not a known field");
    assert_eq!(warnings, [&[unknown], problems.as_slice()].concat());
}

#[test]
fn every_sender_has_its_key() {
    for key in [
        "artifactory",
        "azure",
        "bitbucket",
        "dockerhub",
        "generic",
        "gitea",
        "github",
        "gitlab",
        "harbor",
        "quay",
    ] {
        let (resource, warnings) = known(&json!({
            "apiVersion": KARGO_API_VERSION, "kind": "ClusterConfig", "metadata": {"name": "cluster", "namespace": "x"},
            "spec": {"webhookReceivers": [{"name": "a", key: {"secretRef": {"name": "s"}}}], "gitClient": {}},
        }));
        let Resource::ClusterConfig(config) = &resource else {
            panic!("a ClusterConfig")
        };
        assert_eq!(config.webhook_receivers[0].kind.type_name(), Some(key));
        assert_eq!(
            warnings,
            ["metadata.namespace is ignored: a ClusterConfig belongs to no namespace"]
        );
        assert_eq!(resource.key().to_string(), "ClusterConfig cluster");
    }
}

fn time(text: &str) -> jiff::Timestamp {
    text.parse().expect("a time")
}

fn ready(status: ConditionStatus, reason: &'static str) -> NewCondition<'static> {
    NewCondition {
        condition_type: "Ready",
        status,
        reason,
        message: "m",
        observed_generation: 2,
    }
}

#[test]
fn the_transition_time_moves_with_the_status_alone() {
    let mut conditions = Conditions::default();
    let steps = [
        (
            ConditionStatus::Unknown,
            "Pending",
            "2026-01-01T00:00:00.9Z",
            "2026-01-01T00:00:00Z",
        ),
        (
            ConditionStatus::Unknown,
            "Waiting",
            "2026-01-01T00:01:00Z",
            "2026-01-01T00:00:00Z",
        ),
        (
            ConditionStatus::True,
            "Found",
            "2026-01-01T00:02:00Z",
            "2026-01-01T00:02:00Z",
        ),
        (
            ConditionStatus::False,
            "Lost",
            "2026-01-01T00:03:00Z",
            "2026-01-01T00:03:00Z",
        ),
    ];
    for (status, reason, now, expected) in steps {
        conditions.set(ready(status, reason), time(now));
        let found = conditions.find("Ready").expect("it was set");
        assert_eq!(
            (found.status, found.reason.as_str(), found.last_transition_time),
            (status, reason, time(expected))
        );
    }
    assert_eq!(conditions.iter().count(), 1);
    conditions.remove("Ready");
    assert!(conditions.is_empty());
}

#[test]
fn a_long_message_is_cut_between_characters() {
    let mut conditions = Conditions::default();
    let message = "é".repeat(20_000);
    conditions.set(
        NewCondition {
            message: &message,
            ..ready(ConditionStatus::True, "R")
        },
        time("2026-01-01T00:00:00Z"),
    );
    assert_eq!(
        conditions.find("Ready").map(|condition| condition.message.len()),
        Some(32_768)
    );
}

#[test]
fn a_status_is_written_as_its_crd_says() {
    let mut conditions = Conditions::default();
    conditions.set(
        ready(ConditionStatus::True, "ArtifactsDiscovered"),
        time("2026-01-02T03:04:05.678Z"),
    );
    let status = WarehouseStatus {
        conditions: conditions.clone(),
        last_handled_refresh: "t1".to_owned(),
        observed_generation: 2,
        last_freight_id: "f".to_owned(),
        discovered_artifacts: Some(DiscoveredArtifacts {
            discovered_at: Some(time("2026-01-02T03:04:05.5Z")),
            images: vec![
                ImageDiscoveryResult {
                    repo_url: "quay.io/shop/api".to_owned(),
                    platform: "linux/amd64".to_owned(),
                    references: vec![DiscoveredImageReference {
                        tag: "1.0.0".to_owned(),
                        digest: "sha256:00".to_owned(),
                        annotations: [("a".to_owned(), "b".to_owned())].into(),
                        created_at: Some(time("2026-01-01T00:00:00Z")),
                    }],
                    subscription_name: "app".to_owned(),
                },
                ImageDiscoveryResult {
                    repo_url: "quay.io/shop/none".to_owned(),
                    ..Default::default()
                },
            ],
            ..Default::default()
        }),
    };
    let condition = json!({
        "type": "Ready", "status": "True", "reason": "ArtifactsDiscovered", "message": "m",
        "lastTransitionTime": "2026-01-02T03:04:05Z", "observedGeneration": 2,
    });
    let written = json!({
        "conditions": [condition],
        "lastHandledRefresh": "t1", "observedGeneration": 2, "lastFreightID": "f",
        "discoveredArtifacts": {
            "discoveredAt": "2026-01-02T03:04:05Z",
            "images": [
                {
                    "repoURL": "quay.io/shop/api", "platform": "linux/amd64", "subscriptionName": "app",
                    "references": [{
                        "tag": "1.0.0", "digest": "sha256:00", "annotations": {"a": "b"},
                        "createdAt": "2026-01-01T00:00:00Z",
                    }],
                },
                {"repoURL": "quay.io/shop/none", "references": []},
            ],
        },
    });
    assert_eq!(serde_json::to_value(&status).expect("serialises"), written);
    let read: WarehouseStatus = serde_json::from_value(written.clone()).expect("deserialises");
    assert_eq!(serde_json::to_value(&read).expect("serialises"), written);

    let config = ConfigStatus {
        conditions,
        observed_generation: 1,
        last_handled_refresh: String::new(),
        webhook_receivers: vec![ReceiverStatus {
            name: "a".into(),
            path: "/p".into(),
            url: "https://h/p".into(),
        }],
    };
    let written = json!({
        "conditions": [condition], "observedGeneration": 1,
        "webhookReceivers": [{"name": "a", "path": "/p", "url": "https://h/p"}],
    });
    assert_eq!(serde_json::to_value(&config).expect("serialises"), written);
    assert_eq!(
        serde_json::to_value(WarehouseStatus::default()).expect("serialises"),
        json!({})
    );
}

#[test]
fn a_status_written_by_go_is_read() {
    let status: WarehouseStatus = serde_json::from_value(json!({
        "conditions": null, "unknown": 1,
        "discoveredArtifacts": {
            "discoveredAt": null, "git": [{
                "repoURL": "https://example.com/a.git", "commits": [{"id": "a", "creatorDate": "2026-01-01T00:00:00Z"}],
                "observedRefs": {"branchHead": "a"},
            }],
            "charts": [{"repoURL": "oci://x", "versions": null}],
            "results": [{"name": "r", "artifactReferences": [{"subscriptionName": "r", "version": "1", "metadata": {"k": 1}}]}],
        },
    }))
    .expect("deserialises");
    let written = json!({"discoveredArtifacts": {
        "git": [{
            "repoURL": "https://example.com/a.git", "commits": [{"id": "a", "creatorDate": "2026-01-01T00:00:00Z"}],
            "observedRefs": {"branchHead": "a"},
        }],
        "charts": [{"repoURL": "oci://x", "versions": []}],
        "results": [{"name": "r", "artifactReferences": [{"subscriptionName": "r", "version": "1", "metadata": {"k": 1}}]}],
    }});
    assert_eq!(serde_json::to_value(&status).expect("serialises"), written);
}
