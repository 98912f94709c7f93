//! Warehouses of which a part cannot be evaluated, which admission lets pass: each fails for itself alone, and so does a whole
//! configuration that cannot be read.

use landfall_harness::{Definitions, http};
use serde_json::json;

use super::cluster::{Cluster, config, secret, shared};
use crate::world::{define, delivery_id};

/// What cannot be evaluated, of the fields of a subscription to the repository that is pushed to.
const IMAGES: [&str; 9] = [
    "constraint: not one",
    "platform: linux",
    "imageSelectionStrategy: Oldest",
    "imageSelectionStrategy: Digest",
    "allowTagsRegexes: ['[']",
    "ignoreTagsRegexes: ['(?!x)']",
    "allowTags: ^1",
    "ignoreTags: [x]",
    "imageSelectionStrategy: Lexical, allowTagsRegexes: ['**']",
];
const CHARTS: [&str; 2] = ["semverConstraint: not one", "name: surplus, semverConstraint: '['"];
const REFS: [&str; 6] = [
    "commitSelectionStrategy: Oldest",
    "commitSelectionStrategy: SemVer, semverConstraint: not one",
    "commitSelectionStrategy: NewestTag, allowTagsRegexes: ['[']",
    "commitSelectionStrategy: NewestTag, allowTags: ^v",
    "includePaths: ['regex:[']",
    "excludePaths: ['glob:[']",
];
/// What is not looked at before there are commits to choose from: whoever does that is to say what is wrong.
const LATER: &str = "expressionFilter: '1 +'";

const GITLAB: &str = "https://gitlab.example.com/shop/api.git";

#[test]
fn what_cannot_be_evaluated_keeps_no_neighbour_from_its_refresh() {
    let server = shared();
    if define(server) == Definitions::Own {
        println!(
            "LEFT OUT: what landfall's own definitions refuse, Kargo's take, and LANDFALL_CRDS names none of these"
        );
        return;
    }
    let project = server.namespace().unwrap();
    let cluster = Cluster::of(server, &project, &server.kubeconfig(), |landfall| landfall);
    let token = secret(&project, "s3cret").replace("secret: s3cret", "secret: s3cret, secret-token: s3cret");
    let receivers =
        "[{name: hub, dockerhub: {secretRef: {name: hook}}}, {name: lab, gitlab: {secretRef: {name: hook}}}]";
    cluster.apply(&(token + &config(&project, receivers)));
    let image = |fields: &str| format!("image: {{repoURL: shop/api, {fields}}}");
    let chart = |fields: &str| format!("chart: {{repoURL: 'oci://docker.io/shop/api', {fields}}}");
    let git = |fields: &str| format!("git: {{repoURL: '{GITLAB}', {fields}}}");
    let images = IMAGES.map(image).into_iter().chain(CHARTS.map(chart));
    let poisons: Vec<String> = images.chain(REFS.map(git)).collect();
    let later = git(LATER);
    // Each alone, and each before a good one of the same repository in one Warehouse.
    let warehouse = |name: String, subscriptions: String| {
        format!(
            "---\napiVersion: kargo.akuity.io/v1alpha1\nkind: Warehouse\nmetadata: {{name: {name}, namespace: {project}}}\n\
             spec: {{interval: 5m0s, subscriptions: [{subscriptions}]}}\n"
        )
    };
    let both = |poison: &str| match poison.starts_with("git") {
        true => format!("{{{poison}}}, {{git: {{repoURL: '{GITLAB}', branch: main}}}}"),
        false => format!("{{{poison}}}, {{image: {{repoURL: shop/api}}}}"),
    };
    let all = poisons.iter().enumerate();
    let all = all.map(|(number, poison)| {
        warehouse(format!("bad-{number:02}"), format!("{{{poison}}}"))
            + &warehouse(format!("both-{number:02}"), both(poison))
    });
    cluster.apply(&all.collect::<String>());
    cluster.apply(&warehouse("good".to_owned(), "{image: {repoURL: shop/api}}".to_owned()));
    cluster.apply(&warehouse("later".to_owned(), format!("{{{later}}}")));

    let status = cluster.status_when("both receivers", |status| {
        super::cluster::is_ready(status) && status["webhookReceivers"].as_array().is_some_and(|all| all.len() == 2)
    });
    let path = |number: usize| status["webhookReceivers"][number]["path"].as_str().unwrap().to_owned();
    let pushed = cluster.matched(&path(0), "shop/api", IMAGES.len() + CHARTS.len() + 1);
    let body = json!({
        "object_kind": "push", "ref": "refs/heads/main", "before": "1f0c2d3e4b5a69788796a5b4c3d2e1f001122334",
        "after": "9a8b7c6d5e4f30211203f4e5d6c7b8a990807060", "commits": [], "total_commits_count": 0,
        "project": { "git_http_url": GITLAB, "default_branch": "main" }, "repository": { "git_http_url": GITLAB },
    });
    let headers = [
        ("Content-Type", "application/json"),
        ("X-Gitlab-Event", "Push Hook"),
        ("X-Gitlab-Token", "s3cret"),
    ];
    let answer = http::post(
        &(cluster.landfall.url() + &path(1)),
        &headers,
        body.to_string().as_bytes(),
    )
    .unwrap();
    let expected = format!("{{\"msg\":\"refreshed {} warehouse(s)\"}}\n", REFS.len() + 1);
    assert_eq!((answer.status, answer.text()), (200, expected));
    for delivery in [pushed, delivery_id(&answer)] {
        let explained = cluster.done(&delivery).to_string();
        assert!(
            explained.contains("the subscription cannot be evaluated: "),
            "{explained}"
        );
    }
    let mut names: Vec<String> = (0..poisons.len()).map(|number| format!("both-{number:02}")).collect();
    names.extend(["good", "later"].map(str::to_owned));
    cluster.refreshed(&names.iter().map(String::as_str).collect::<Vec<_>>());
}
