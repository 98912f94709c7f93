//! Who wants what, whole: every line that an event gets, with its words.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::artifact::Tag;
use crate::event::{ArtifactKind, ArtifactPushed, GitRefPushed};
use crate::repository::{GitRepository, ImageRepository};
use crate::resource::{Parsed, Resource};

fn target(namespace: &str, name: &str) -> Target {
    Target::Warehouse {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

/// The subscriptions as a manifest has them.
fn subscriptions(written: Value) -> Vec<SubscriptionSpec> {
    let manifest = json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Warehouse",
        "metadata": { "name": "w", "namespace": "shop" },
        "spec": { "subscriptions": written },
    });
    match Resource::from_value(&manifest) {
        Parsed::Known(resource, _) => match *resource {
            Resource::Warehouse(warehouse) => warehouse.subscriptions.clone(),
            other => panic!("{other:?} is no Warehouse"),
        },
        other => panic!("{other:?}"),
    }
}

fn image(repo_url: &str) -> Value {
    json!({ "image": { "repoURL": repo_url } })
}

fn pushed(repository: &str, kind: ArtifactKind, tag: &str) -> Event {
    Event::ArtifactPushed(ArtifactPushed {
        repository: ImageRepository::parse(repository).unwrap(),
        kind,
        tag: (!tag.is_empty()).then(|| Tag::parse(tag).unwrap()),
        digest: None,
        occurred_at: None,
    })
}

fn pushed_refs(repository: &str, refs: &[&str], files: &[&str]) -> Event {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    Event::GitRefPushed(GitRefPushed {
        repository: GitRepository::parse(repository).unwrap(),
        also_named: Vec::new(),
        refs: texts(refs),
        changed_files: texts(files),
        default_branch: None,
    })
}

/// An index of targets, written `namespace/name`, with their subscriptions.
fn index(targets: &[(&str, Value)]) -> Index {
    let mut builder = IndexBuilder::default();
    for (written, wishes) in targets {
        builder.add(&named(written), &subscriptions(wishes.clone()));
    }
    builder.build()
}

fn named(written: &str) -> Target {
    let (namespace, name) = written.split_once('/').unwrap();
    target(namespace, name)
}

/// A line of an explanation: the wish, the verdict with its reason, and the targets as `namespace/name`.
fn line(subscription: &str, verdict: Result<&str, &str>, targets: &[&str]) -> Line {
    Line {
        subscription: subscription.to_owned(),
        wanted: verdict.is_ok(),
        reason: verdict.unwrap_or_else(|refusal| refusal).to_owned(),
        targets: targets.iter().map(|written| named(written)).collect(),
        named: None,
    }
}

fn project(name: &str) -> Reach {
    Reach::Project(name.to_owned())
}

const IMAGE: ArtifactKind = ArtifactKind::Image;
const CHART: ArtifactKind = ArtifactKind::Chart;
const EITHER: ArtifactKind = ArtifactKind::ImageOrChart;
const NO_TAG: &str = "the sender named no tag, so any may have changed";
const VERSION: &str = "the tag is a semantic version";

/// Checks one event's explanation as a whole, and that the count is the number of targets that it names.
fn check(what: &str, index: &Index, event: &Event, reach: &Reach, expected: Vec<Line>) {
    let explanation = index.explain(event, reach);
    assert_eq!(explanation, Explanation { lines: expected }, "{what}");
    assert_eq!(index.count(event, reach), explanation.wanted_by().len(), "{what}");
    let kept = serde_json::to_value(&explanation).unwrap();
    assert_eq!(
        serde_json::from_value::<Explanation>(kept).unwrap(),
        explanation,
        "{what}"
    );
}

#[test]
fn tags_of_images() {
    let strategy = |strategy: &str, constraint: &str| json!([{ "image": { "repoURL": "ghcr.io/shop/api", "imageSelectionStrategy": strategy, "constraint": constraint } }]);
    let regexes = json!([{ "image": {
        "repoURL": "ghcr.io/shop/api", "imageSelectionStrategy": "NewestBuild", "platform": "linux/amd64",
        "allowTagsRegexes": ["^main-", "^v"], "ignoreTagsRegexes": ["-dirty$"],
    } }]);
    let lenient = json!([{ "image": { "repoURL": "ghcr.io/shop/api", "strictSemvers": false } }]);
    let (semver, caret, digest) = (
        strategy("SemVer", ""),
        strategy("SemVer", "^1.2.0"),
        strategy("Digest", "latest"),
    );
    let label = "image ghcr.io/shop/api, ";
    let filtered = "NewestBuild, allow ^main- ^v, ignore -dirty$, linux/amd64";
    let rows = [
        (&semver, "1.4.0", "SemVer", Ok(VERSION)),
        (
            &semver,
            "1.4",
            "SemVer",
            Err("the tag is no strict semantic version (MAJOR.MINOR.PATCH)"),
        ),
        (&lenient, "1.4", "SemVer", Ok(VERSION)),
        (&lenient, "latest", "SemVer", Err("the tag is no semantic version")),
        (&semver, "", "SemVer", Ok(NO_TAG)),
        (&caret, "1.4.0", "SemVer ^1.2.0", Ok("the tag satisfies ^1.2.0")),
        (
            &caret,
            "2.0.0",
            "SemVer ^1.2.0",
            Err("2.0.0 does not satisfy the constraint ^1.2.0"),
        ),
        (
            &caret,
            "1.4.0-rc.1",
            "SemVer ^1.2.0",
            Err("1.4.0-rc.1 is a pre-release and the constraint ^1.2.0 names none"),
        ),
        (
            &strategy("Lexical", "ignored"),
            "anything",
            "Lexical ignored",
            Ok("the tag passes the filters"),
        ),
        (&digest, "latest", "Digest latest", Ok("the tag is the one to follow")),
        (&digest, "Latest", "Digest latest", Err("the tag to follow is latest")),
        (&digest, "", "Digest latest", Ok(NO_TAG)),
        (&regexes, "main-7", filtered, Ok("the tag passes the filters")),
        (
            &regexes,
            "main-7-dirty",
            filtered,
            Err("tag is ignored by ignoreTagsRegexes[0] (-dirty$)"),
        ),
        (&regexes, "dev-7", filtered, Err("no allowTagsRegexes matches")),
    ];
    for (wishes, tag, words, verdict) in rows {
        let index = index(&[("shop/api", wishes.clone())]);
        let event = pushed("ghcr.io/shop/api", IMAGE, tag);
        let expected = vec![line(&format!("{label}{words}"), verdict, &["shop/api"])];
        check(&format!("{wishes} {tag}"), &index, &event, &Reach::Everywhere, expected);
    }
}

/// A bad subscription refuses every event and says why; its neighbours, also those of the same target, go on.
#[test]
fn a_poisoned_subscription_fails_alone() {
    let rows = [
        (
            json!({ "allowTagsRegexes": ["["] }),
            ", allow [",
            "allowTagsRegexes[0]: error parsing regexp: missing closing ]: `[`",
        ),
        (
            json!({ "ignoreTagsRegexes": ["a", "(?!x)"] }),
            ", ignore a (?!x)",
            "ignoreTagsRegexes[1]: error parsing regexp: invalid or unsupported Perl syntax: `(?!`",
        ),
        (
            json!({ "allowTags": "^v" }),
            "",
            "allowTags: is deprecated and has no effect; use allowTagsRegexes",
        ),
        (
            json!({ "ignoreTags": ["x"] }),
            "",
            "ignoreTags: is deprecated and has no effect; use ignoreTagsRegexes",
        ),
        (
            json!({ "constraint": "not one" }),
            " not one",
            "constraint: improper constraint: \"not one\"",
        ),
        (
            json!({ "platform": "linux" }),
            ", linux",
            "platform: \"linux\" is no platform; one reads os/arch or os/arch/variant, for example linux/amd64",
        ),
    ];
    for (fields, words, problem) in rows {
        let mut poison = fields.clone();
        poison["repoURL"] = json!("ghcr.io/shop/api");
        let index = index(&[
            ("shop/bad", json!([{ "image": poison }])),
            (
                "shop/both",
                json!([{ "image": poison }, { "image": { "repoURL": "ghcr.io/shop/api", "imageSelectionStrategy": "Lexical" } }]),
            ),
            ("shop/good", json!([image("ghcr.io/shop/api")])),
        ]);
        let broken = format!("the subscription cannot be evaluated: {problem}");
        for tag in ["1.4.0", ""] {
            let event = pushed("ghcr.io/shop/api", IMAGE, tag);
            let label = format!("image ghcr.io/shop/api, SemVer{words}");
            let explanation = index.explain(&event, &Reach::Everywhere);
            let mut lines = explanation.lines.clone();
            lines.sort_by(|a, b| (&a.subscription, &a.targets).cmp(&(&b.subscription, &b.targets)));
            let mut expected = vec![
                line(&label, Err(&broken), &["shop/bad"]),
                line(&label, Err(&broken), &["shop/both"]),
                line(
                    "image ghcr.io/shop/api, Lexical",
                    Ok(if tag.is_empty() {
                        NO_TAG
                    } else {
                        "the tag passes the filters"
                    }),
                    &["shop/both"],
                ),
                line(
                    "image ghcr.io/shop/api, SemVer",
                    Ok(if tag.is_empty() { NO_TAG } else { VERSION }),
                    &["shop/good"],
                ),
            ];
            expected.sort_by(|a, b| (&a.subscription, &a.targets).cmp(&(&b.subscription, &b.targets)));
            assert_eq!(lines, expected, "{fields} {tag}");
            assert_eq!(
                explanation.wanted_by(),
                [&named("shop/both"), &named("shop/good")],
                "{fields} {tag}"
            );
            assert_eq!(index.count(&event, &Reach::Everywhere), 2, "{fields} {tag}");
        }
    }
}

#[test]
fn what_no_event_can_be_for_says_why() {
    for (wish, expected) in [
        (json!({ "git": { "repoURL": "https://github.com/a/b" } }), None),
        (
            json!({ "chart": { "repoURL": "oci://ghcr.io/a/b", "semverConstraint": "^1" } }),
            None,
        ),
        (
            json!({ "git": { "repoURL": "https://github.com/a/b", "includePaths": ["regex:("] } }),
            Some("includePaths"),
        ),
        (
            json!({ "git": { "repoURL": "https://github.com/a/b", "commitSelectionStrategy": "SemVer", "semverConstraint": "zz zz" } }),
            Some("semverConstraint"),
        ),
        (
            json!({ "chart": { "repoURL": "oci://ghcr.io/a/b", "semverConstraint": "zzz" } }),
            Some("semverConstraint"),
        ),
        (
            json!({ "image": { "repoURL": "a b" } }),
            Some("repoURL names no repository"),
        ),
    ] {
        let told = problem(&subscriptions(json!([wish]))[0].source);
        let begins = told
            .as_deref()
            .zip(expected)
            .is_some_and(|(told, expected)| told.starts_with(expected));
        assert_eq!(
            (told.is_some(), begins),
            (expected.is_some(), expected.is_some()),
            "{wish}: {told:?}"
        );
    }
}

#[test]
fn subscriptions_that_name_no_repository_reach_nobody() {
    let index = index(&[(
        "shop/w",
        json!([
            image("ghcr.io/shop/api"),
            { "image": { "repoURL": "https://not an image" } },
            { "image": {} },
            { "image": { "repoURL": 7 } },
            { "name": "other", "ticket": { "repoURL": "ghcr.io/shop/api" } },
            { "git": { "repoURL": "" } },
            7,
        ]),
    )]);
    assert_eq!(index.subscriptions(), 7);
    let expected = vec![line("image ghcr.io/shop/api, SemVer", Ok(VERSION), &["shop/w"])];
    check(
        "the one good one",
        &index,
        &pushed("ghcr.io/shop/api", IMAGE, "1.4.0"),
        &Reach::Everywhere,
        expected,
    );
}

#[test]
fn equal_normal_forms_are_the_same_repository() {
    let rows = [
        ("nginx", "docker.io/library/nginx", true),
        ("docker.io/library/nginx", "nginx", true),
        ("index.docker.io/nginx", "library/nginx", true),
        ("registry-1.docker.io/library/nginx", "nginx", true),
        ("GHCR.io/Shop/API", "ghcr.io/shop/api", true),
        ("ghcr.io/shop/api", "GHCR.IO/SHOP/API", true),
        ("ghcr.io/shop/api:1.0.0", "ghcr.io/shop/api", true),
        (
            "registry.example.com:5000/shop/api",
            "registry.example.com:5000/shop/api",
            true,
        ),
        (
            "registry.example.com/shop/api",
            "registry.example.com:5000/shop/api",
            false,
        ),
        ("ghcr.io/shop/api", "ghcr.io/shop/api2", false),
        ("ghcr.io/shop/api", "shop/api", false),
        ("ghcr.io/shop/api", "ghcr.io/shop", false),
    ];
    for (subscribed, event, same) in rows {
        let index = index(&[("shop/w", json!([image(subscribed)]))]);
        let expected = same.then(|| line(&format!("image {subscribed}, SemVer"), Ok(VERSION), &["shop/w"]));
        let what = format!("{subscribed} {event}");
        check(
            &what,
            &index,
            &pushed(event, EITHER, "1.4.0"),
            &Reach::Everywhere,
            expected.into_iter().collect(),
        );
    }
}

#[test]
fn charts_in_registries_and_images_share_events() {
    let chart = |url: &str, constraint: &str| json!({ "chart": { "repoURL": url, "semverConstraint": constraint } });
    let both = index(&[
        ("shop/chart", json!([chart("oci://ghcr.io/shop/api", "^1")])),
        ("shop/image", json!([image("ghcr.io/shop/api")])),
    ]);
    let (as_chart, as_image) = ("chart oci://ghcr.io/shop/api ^1", "image ghcr.io/shop/api, SemVer");
    let rows = [
        (EITHER, "1.4.0", Ok("the tag is a wanted version"), Ok(VERSION)),
        (EITHER, "2.0.0", Err("the tag is not a wanted version"), Ok(VERSION)),
        (
            EITHER,
            "latest",
            Err("the tag is not a wanted version"),
            Err("the tag is no strict semantic version (MAJOR.MINOR.PATCH)"),
        ),
        (EITHER, "", Ok(NO_TAG), Ok(NO_TAG)),
        (
            CHART,
            "1.4.0",
            Ok("the tag is a wanted version"),
            Err("a chart was pushed, no image"),
        ),
        (CHART, "", Ok(NO_TAG), Err("a chart was pushed, no image")),
        (IMAGE, "1.4.0", Err("an image was pushed, no chart"), Ok(VERSION)),
        (IMAGE, "", Err("an image was pushed, no chart"), Ok(NO_TAG)),
    ];
    for (kind, tag, chart, image) in rows {
        let expected = vec![
            line(as_chart, chart, &["shop/chart"]),
            line(as_image, image, &["shop/image"]),
        ];
        let event = pushed("ghcr.io/shop/api", kind, tag);
        check(&format!("{kind:?} {tag}"), &both, &event, &Reach::Everywhere, expected);
    }
    let hub = index(&[("shop/w", json!([chart("oci://registry-1.docker.io/Shop/Charts", "")]))]);
    let label = "chart oci://registry-1.docker.io/Shop/Charts";
    let expected = vec![line(label, Ok("the tag is a wanted version"), &["shop/w"])];
    check(
        "a chart on Docker Hub",
        &hub,
        &pushed("shop/charts", CHART, "1.4.0"),
        &Reach::Everywhere,
        expected,
    );
    // A chart repository's index does not change by a push to a registry, whatever its URL looks like.
    let http = index(&[(
        "shop/w",
        json!([{ "chart": { "repoURL": "https://ghcr.io/shop/api", "name": "api" } }]),
    )]);
    check(
        "a chart repository",
        &http,
        &pushed("ghcr.io/shop/api", EITHER, "1.4.0"),
        &Reach::Everywhere,
        vec![],
    );
    let bad = index(&[("shop/w", json!([chart("oci://ghcr.io/shop/api", "not one")]))]);
    let broken = "the subscription cannot be evaluated: semverConstraint: improper constraint: \"not one\"";
    let expected = vec![line("chart oci://ghcr.io/shop/api not one", Err(broken), &["shop/w"])];
    check(
        "a bad constraint",
        &bad,
        &pushed("ghcr.io/shop/api", EITHER, "1.4.0"),
        &Reach::Everywhere,
        expected,
    );
}

/// Wishes, their strategy, and an event's refs and files, with the verdict.
type GitRow<'a> = (
    &'a Value,
    &'a str,
    &'a [&'a str],
    &'a [&'a str],
    Result<&'a str, &'a str>,
);

#[test]
fn refs_and_paths_of_git() {
    let git = |more: Value| {
        let mut git = json!({ "repoURL": "https://github.com/Shop/API.git" });
        git.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([{ "git": git }])
    };
    let branch = git(json!({}));
    let paths = git(
        json!({ "branch": "dev", "includePaths": ["deploy", "glob:charts/*/values.yaml"], "excludePaths": ["regex:\\.md$"] }),
    );
    let tags = git(json!({ "commitSelectionStrategy": "SemVer", "semverConstraint": "^1" }));
    let (newest, semver) = ("NewestFromBranch", "SemVer");
    let wanted = Ok("the ref is wanted");
    let not_in = Err("none of the changed files is within the paths");
    let rows: [GitRow<'_>; 15] = [
        (&branch, newest, &["refs/heads/main"], &[], wanted),
        (
            &branch,
            newest,
            &["refs/heads/dev"],
            &[],
            Err("the subscription names no branch, so only main and master count"),
        ),
        (
            &branch,
            newest,
            &["refs/tags/main"],
            &[],
            Err("the ref does not begin with refs/heads/"),
        ),
        (
            &branch,
            newest,
            &["refs/heads/dev", "refs/heads/master"],
            &["a"],
            wanted,
        ),
        (
            &branch,
            newest,
            &[],
            &["a"],
            Ok("the sender named no ref, so any may have changed"),
        ),
        (&paths, newest, &["refs/heads/dev"], &["deploy/app.yaml"], wanted),
        (
            &paths,
            newest,
            &["refs/heads/dev"],
            &["src/main.rs", "charts/api/values.yaml"],
            wanted,
        ),
        (&paths, newest, &["refs/heads/dev"], &["src/main.rs"], not_in),
        (&paths, newest, &["refs/heads/dev"], &["deploy/README.md"], not_in),
        (&paths, newest, &["refs/heads/dev"], &[], wanted),
        (
            &paths,
            newest,
            &["refs/heads/main"],
            &["deploy/app.yaml"],
            Err("the branch is not dev"),
        ),
        (&tags, semver, &["refs/tags/v1.4.0"], &[], wanted),
        (
            &tags,
            semver,
            &["refs/tags/v2.0.0"],
            &[],
            Err("v2.0.0 does not satisfy the constraint ^1"),
        ),
        (
            &tags,
            semver,
            &["refs/tags/nightly"],
            &[],
            Err("the tag is no strict semantic version (MAJOR.MINOR.PATCH)"),
        ),
        (
            &tags,
            semver,
            &["refs/heads/v1.4.0"],
            &[],
            Err("the ref does not begin with refs/tags/"),
        ),
    ];
    for (wishes, strategy, refs, files, verdict) in rows {
        let index = index(&[("shop/w", wishes.clone())]);
        let label = format!("git https://github.com/Shop/API.git, {strategy}");
        let event = pushed_refs("https://user@github.com/shop/api/", refs, files);
        check(
            &format!("{wishes} {refs:?} {files:?}"),
            &index,
            &event,
            &Reach::Everywhere,
            vec![line(&label, verdict, &["shop/w"])],
        );
    }
    let poisons = [
        (json!({ "commitSelectionStrategy": "Newest" }), "Newest"),
        (
            json!({ "commitSelectionStrategy": "SemVer", "semverConstraint": "not one" }),
            semver,
        ),
        (
            json!({ "commitSelectionStrategy": "Lexical", "allowTagsRegexes": ["["] }),
            "Lexical",
        ),
        (
            json!({ "commitSelectionStrategy": "NewestTag", "allowTags": "x" }),
            "NewestTag",
        ),
        (json!({ "includePaths": ["glob:["] }), newest),
    ];
    for (fields, strategy) in poisons {
        let index = index(&[("shop/bad", git(fields.clone())), ("shop/good", branch.clone())]);
        let event = pushed_refs("https://github.com/shop/api", &["refs/heads/main"], &[]);
        let explanation = index.explain(&event, &Reach::Everywhere);
        let bad = explanation
            .lines
            .iter()
            .find(|line| line.targets == [named("shop/bad")])
            .unwrap();
        assert_eq!(
            bad.subscription,
            format!("git https://github.com/Shop/API.git, {strategy}")
        );
        assert!(
            bad.reason.starts_with("the subscription cannot be evaluated: ") && !bad.wanted,
            "{bad:?}"
        );
        assert_eq!(explanation.wanted_by(), [&named("shop/good")], "{fields}");
    }
}

#[test]
fn an_event_reaches_no_further_than_its_receiver() {
    let wish = json!([image("ghcr.io/shop/api")]);
    let lexical = json!([{ "image": { "repoURL": "ghcr.io/shop/api", "imageSelectionStrategy": "Lexical" } }]);
    let index = index(&[
        ("shop/a", wish.clone()),
        ("bank/a", wish.clone()),
        ("shop/b", lexical),
        ("shop/c", wish),
    ]);
    let event = pushed("ghcr.io/shop/api", IMAGE, "1.4.0");
    let (semver, lexical) = ("image ghcr.io/shop/api, SemVer", "image ghcr.io/shop/api, Lexical");
    let passes = Ok("the tag passes the filters");
    let everyone = vec![
        line(lexical, passes, &["shop/b"]),
        line(semver, Ok(VERSION), &["shop/a", "bank/a", "shop/c"]),
    ];
    check("everywhere", &index, &event, &Reach::Everywhere, everyone);
    let shop = vec![
        line(lexical, passes, &["shop/b"]),
        line(semver, Ok(VERSION), &["shop/a", "shop/c"]),
    ];
    check("shop", &index, &event, &project("shop"), shop);
    check(
        "bank",
        &index,
        &event,
        &project("bank"),
        vec![line(semver, Ok(VERSION), &["bank/a"])],
    );
    for nobody in ["", "Shop", "sho", "shop/a"] {
        check(nobody, &index, &event, &project(nobody), vec![]);
    }
}

#[test]
fn events_of_another_sort_say_so() {
    // No registry's repository has the name of a Git one, so that the sorts do not even meet.
    let index = index(&[(
        "shop/w",
        json!([image("github.com/shop/api"), { "git": { "repoURL": "https://github.com/shop/api" } }]),
    )]);
    let expected = vec![line("image github.com/shop/api, SemVer", Ok(VERSION), &["shop/w"])];
    check(
        "image",
        &index,
        &pushed("github.com/shop/api", EITHER, "1.4.0"),
        &Reach::Everywhere,
        expected,
    );
    let event = pushed_refs("https://github.com/shop/api", &["refs/heads/main"], &[]);
    let expected = vec![line(
        "git https://github.com/shop/api, NewestFromBranch",
        Ok("the ref is wanted"),
        &["shop/w"],
    )];
    check("git", &index, &event, &Reach::Everywhere, expected);
}

/// A target with several wishes for one repository counts once; the same wish of another target shares its line.
#[test]
fn a_target_counts_once() {
    let two = json!([
        { "image": { "repoURL": "ghcr.io/shop/api", "constraint": "^1" } },
        { "image": { "repoURL": "GHCR.io/shop/api", "imageSelectionStrategy": "Lexical" } },
        image("ghcr.io/shop/web"),
    ]);
    let index = index(&[("shop/a", two.clone()), ("shop/b", two)]);
    let expected = vec![
        line(
            "image ghcr.io/shop/api, SemVer ^1",
            Ok("the tag satisfies ^1"),
            &["shop/a", "shop/b"],
        ),
        line(
            "image GHCR.io/shop/api, Lexical",
            Ok("the tag passes the filters"),
            &["shop/a", "shop/b"],
        ),
    ];
    check(
        "two wishes",
        &index,
        &pushed("ghcr.io/shop/api", IMAGE, "1.4.0"),
        &Reach::Everywhere,
        expected,
    );
    assert_eq!(index.subscriptions(), 6);
}

#[test]
fn a_hundred_thousand_other_subscriptions_change_no_answer() {
    let mine = [
        ("shop/a", json!([image("ghcr.io/shop/api")])),
        (
            "shop/b",
            json!([{ "image": { "repoURL": "ghcr.io/shop/api", "allowTagsRegexes": ["["] } }]),
        ),
        (
            "bank/a",
            json!([image("ghcr.io/shop/api"), { "git": { "repoURL": "https://github.com/shop/api" } }]),
        ),
    ];
    let events = [
        pushed("ghcr.io/shop/api", IMAGE, "1.4.0"),
        pushed("ghcr.io/shop/api", CHART, "1.4.0"),
        pushed_refs("https://github.com/shop/api", &["refs/heads/main"], &[]),
    ];
    let alone = index(&mine);
    let mut builder = IndexBuilder::default();
    let template = subscriptions(json!([image("ghcr.io/other/app")])).remove(0);
    for number in 0..100_000 {
        let mut other = template.clone();
        if let Source::Image(image) = &mut other.source {
            image.repo_url = format!("ghcr.io/other/app-{number}");
        }
        builder.add(
            &target(["shop", "bank", "zoo"][number % 3], &format!("w-{number}")),
            &[other],
        );
    }
    for (written, wishes) in &mine {
        builder.add(&named(written), &subscriptions(wishes.clone()));
    }
    let crowded = builder.build();
    assert_eq!(crowded.subscriptions(), 100_004);
    for event in &events {
        for reach in [Reach::Everywhere, project("shop"), project("bank"), project("zoo")] {
            assert_eq!(
                crowded.explain(event, &reach),
                alone.explain(event, &reach),
                "{event:?} {reach:?}"
            );
            assert_eq!(
                crowded.count(event, &reach),
                alone.count(event, &reach),
                "{event:?} {reach:?}"
            );
        }
    }
}

/// A repository has an address by https and one by ssh, and subscribers know it by either, or by both.
#[test]
fn a_repository_is_wanted_by_all_of_its_names() {
    let (https, ssh) = ("https://git.example.com/shop/api", "git@git.example.com:shop/api.git");
    let git = |url: &str| json!({ "git": { "repoURL": url } });
    let index = index(&[
        ("shop/https", json!([git(https)])),
        ("shop/ssh", json!([git(ssh)])),
        ("shop/both", json!([git(https), git(ssh)])),
        ("shop/other", json!([git("git@git.example.com:shop/web.git")])),
    ]);
    let Event::GitRefPushed(pushed) = pushed_refs(https, &["refs/heads/trunk"], &[]) else {
        unreachable!("it is a push of refs")
    };
    let alias = GitRepository::parse(ssh).unwrap();
    let event = Event::GitRefPushed(GitRefPushed {
        also_named: vec![alias.clone()],
        default_branch: Some("trunk".to_owned()),
        ..pushed
    });
    let wanted = |url: &str, named: Option<&GitRepository>, targets: &[&str]| Line {
        named: named.cloned(),
        ..line(
            &format!("git {url}, NewestFromBranch"),
            Ok("the ref is wanted"),
            targets,
        )
    };
    let expected = vec![
        wanted(https, None, &["shop/https", "shop/both"]),
        wanted(ssh, Some(&alias), &["shop/ssh", "shop/both"]),
    ];
    check("both names", &index, &event, &project("shop"), expected);
    check("elsewhere", &index, &event, &project("bank"), vec![]);
}

#[test]
fn promotions_wait_for_pull_requests() {
    let promotion = |namespace: &str, name: &str, phase: &str, url: &str| {
        let manifest = json!({
            "apiVersion": "kargo.akuity.io/v1alpha1",
            "kind": "Promotion",
            "metadata": { "name": name, "namespace": namespace },
            "spec": { "steps": [{ "uses": "git-wait-for-pr", "as": "wait" }, { "uses": "git-wait-for-pr", "as": "wait" }] },
            "status": { "phase": phase, "currentStep": 1, "state": { "wait": { "pr": { "url": url } } } },
        });
        match Resource::from_value(&manifest) {
            Parsed::Known(resource, _) => *resource,
            other => panic!("{other:?}"),
        }
    };
    let url = "https://git.example.com/shop/env/pulls/7";
    let mut builder = IndexBuilder::default();
    for resource in [
        promotion("shop", "waits", "Running", url),
        promotion("bank", "waits-too", "Running", url),
        promotion("shop", "is-done", "Succeeded", url),
        promotion(
            "shop",
            "waits-for-another",
            "Running",
            "https://git.example.com/shop/env/pulls/8",
        ),
    ] {
        if let Resource::Promotion(promotion) = &resource {
            builder.add_promotion(promotion);
        }
    }
    builder.add(
        &named("shop/w"),
        &subscriptions(json!([image("git.example.com/shop/env")])),
    );
    let index = builder.build();
    let waiting = |namespace: &str, name: &str| Target::Promotion {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    let (here, there) = (waiting("shop", "waits"), waiting("bank", "waits-too"));
    for (closed, reach, expected) in [
        (url, Reach::Everywhere, vec![here.clone(), there]),
        (url, project("shop"), vec![here]),
        (url, project("zoo"), vec![]),
        ("https://git.example.com/shop/env/pulls/7/", Reach::Everywhere, vec![]),
        ("https://git.example.com/Shop/env/pulls/7", Reach::Everywhere, vec![]),
    ] {
        let event = Event::PullRequestClosed { url: closed.to_owned() };
        let line = |targets| Line {
            targets,
            ..line(&format!("pull request {closed}"), Ok("a step waits for it"), &[])
        };
        assert_eq!(
            index.interest([&event], &reach).subscriptions > 0,
            !expected.is_empty(),
            "{closed} {reach:?}"
        );
        let lines = if expected.is_empty() {
            vec![]
        } else {
            vec![line(expected)]
        };
        check(closed, &index, &event, &reach, lines);
    }
}

fn any_subscription() -> impl proptest::strategy::Strategy<Value = Value> {
    let repository = proptest::sample::select(vec![
        "nginx",
        "docker.io/library/nginx",
        "ghcr.io/shop/api",
        "GHCR.io/shop/api",
        "x y",
    ]);
    let strategy = proptest::sample::select(vec!["SemVer", "Lexical", "NewestBuild", "Digest", "Bogus"]);
    let constraint = proptest::sample::select(vec!["", "^1", "latest", "1.4.0"]);
    let regex = proptest::sample::select(vec!["", "^1", "[", "rc"]);
    (0..4_u8, repository, strategy, constraint, regex).prop_map(|(sort, repository, strategy, constraint, regex)| {
        let regexes: Vec<&str> = Some(regex).filter(|regex| !regex.is_empty()).into_iter().collect();
        match sort {
            0 => json!({ "chart": { "repoURL": format!("oci://{repository}"), "semverConstraint": constraint } }),
            1 => json!({ "git": { "repoURL": "https://github.com/shop/api", "includePaths": regexes } }),
            _ => json!({ "image": {
                "repoURL": repository, "imageSelectionStrategy": strategy, "constraint": constraint, "allowTagsRegexes": regexes,
            } }),
        }
    })
}

proptest! {
    /// What the request is told is what is done later.
    #[test]
    fn the_count_is_the_number_of_targets_that_want_it(
        targets in proptest::collection::vec(proptest::collection::vec(any_subscription(), 1..5), 0..8),
        tag in proptest::sample::select(vec!["", "latest", "1.4.0", "1.4.0-rc.1", "2"]),
        kind in proptest::sample::select(vec![IMAGE, CHART, EITHER]),
    ) {
        let mut builder = IndexBuilder::default();
        for (number, wishes) in targets.iter().enumerate() {
            let target = target(["shop", "bank"][number % 2], &format!("w-{number}"));
            builder.add(&target, &subscriptions(json!(wishes)));
        }
        let index = builder.build();
        let events = [
            pushed("nginx", kind, tag),
            pushed("ghcr.io/shop/api", kind, tag),
            pushed_refs("https://github.com/shop/api", &["refs/heads/main"], &["1/a"]),
        ];
        // A target that wants several events of a delivery is one.
        let explanations = events.each_ref().map(|event| index.explain(event, &Reach::Everywhere));
        let wanted: BTreeSet<&Target> = explanations.iter().flat_map(Explanation::wanted_by).collect();
        let twice = events.iter().chain(&events);
        prop_assert_eq!(index.interest(twice, &Reach::Everywhere).wanted, wanted.len());
        for event in &events {
            let mut in_projects = 0;
            for reach in [project("shop"), project("bank"), project("zoo"), Reach::Everywhere] {
                let explanation = index.explain(event, &reach);
                let wanted = explanation.wanted_by();
                prop_assert_eq!(index.count(event, &reach), wanted.len());
                match &reach {
                    Reach::Project(name) => {
                        prop_assert!(wanted.iter().all(|target| target.project() == name));
                        in_projects += wanted.len();
                    }
                    Reach::Everywhere => prop_assert_eq!(wanted.len(), in_projects),
                }
            }
        }
    }
}
