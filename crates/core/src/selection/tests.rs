//! What Kargo's own selectors chose, and what selection asks for before it chooses.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

use super::*;
use crate::artifact::{Digest, Tag};
use crate::discovery::{Catalog, Facts, PlatformFacts, Seen, Unusable};
use crate::resource::ImageSubscription;

const VECTORS: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../fixtures/vectors/kargo_image_select.jsonl"
));

#[derive(Deserialize)]
struct Row {
    strategy: String,
    constraint: String,
    strict: Option<bool>,
    allow: Option<Vec<String>>,
    ignore: Option<Vec<String>>,
    allow_tags: String,
    ignore_tags: Option<Vec<String>>,
    platform: String,
    limit: i64,
    tags: Vec<String>,
    created: Option<BTreeMap<String, Timestamp>>,
    platforms: Option<BTreeMap<String, Vec<String>>>,
    ok: bool,
    #[serde(default)]
    matches: BTreeMap<String, bool>,
    selected: Option<Vec<String>>,
}

fn subscription(strategy: &str, constraint: &str) -> ImageSubscription {
    ImageSubscription {
        repo_url: "registry.example.com/shop/api".to_owned(),
        image_selection_strategy: strategy.to_owned(),
        constraint: constraint.to_owned(),
        strict_semvers: true,
        allow_tags_regexes: Vec::new(),
        ignore_tags_regexes: Vec::new(),
        allow_tags: String::new(),
        ignore_tags: Vec::new(),
        platform: String::new(),
        discovery_limit: 20,
        insecure_skip_tls_verify: false,
        cache_by_tag: false,
    }
}

fn policy(subscription: &ImageSubscription) -> ImagePolicy {
    ImagePolicy::new(subscription).unwrap_or_else(|error| panic!("{subscription:?}: {error}"))
}

fn tag(text: &str) -> Tag {
    Tag::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A digest that tells its tag's place.
fn digest(number: usize) -> Digest {
    Digest::parse(&format!("sha256:{number:064x}")).unwrap()
}

fn image(created: Option<Timestamp>, platforms: &[&str]) -> Seen {
    let platforms = platforms.iter().map(|platform| PlatformFacts {
        platform: platform.parse().unwrap(),
        annotations: BTreeMap::new(),
    });
    Seen::Image(Facts {
        created,
        annotations: BTreeMap::new(),
        platforms: platforms.collect(),
    })
}

/// A catalog of tags in which each was looked at and holds `seen`, or was listed and not looked at.
fn catalog<'a>(tags: impl IntoIterator<Item = (&'a str, Option<Seen>)>) -> Catalog {
    let tags: Vec<_> = tags.into_iter().collect();
    let mut catalog = Catalog::default();
    catalog.take_listing(tags.iter().map(|(text, _)| tag(text)), Timestamp::UNIX_EPOCH);
    for (number, (text, seen)) in tags.into_iter().enumerate() {
        if let Some(seen) = seen {
            catalog.note(tag(text), digest(number), Arc::new(seen), Timestamp::UNIX_EPOCH);
        }
    }
    catalog
}

fn chosen(selection: Selection) -> Choice {
    match selection {
        Selection::Chosen(choice) => choice,
        Selection::Needs(tags) => panic!("needs {tags:?}"),
    }
}

fn chosen_tags(selection: Selection) -> Vec<String> {
    let choice = chosen(selection);
    choice
        .references
        .iter()
        .map(|reference| reference.tag.to_string())
        .collect()
}

/// What is chosen by someone who begins with a listing and looks at what is asked for, and at nothing else.
fn discovered(policy: &ImagePolicy, registry: &Catalog) -> Vec<String> {
    let mut catalog = Catalog::default();
    if policy.needs_listing() {
        catalog.take_listing(registry.tags.keys().cloned(), Timestamp::UNIX_EPOCH);
    }
    loop {
        let needed = match policy.select(&catalog) {
            Selection::Needs(needed) => needed,
            chosen => return chosen_tags(chosen),
        };
        for tag in needed {
            assert!(
                !catalog.looked_since(&tag, Timestamp::MIN, Timestamp::MAX),
                "{tag} is asked for again"
            );
            match registry.seen(&tag) {
                Some((digest, seen)) => {
                    catalog.note(tag, digest.clone(), Arc::new(seen.clone()), Timestamp::UNIX_EPOCH);
                }
                None => catalog.note_absent(&tag, Timestamp::UNIX_EPOCH),
            }
        }
    }
}

impl Row {
    fn subscription(&self) -> ImageSubscription {
        ImageSubscription {
            strict_semvers: self.strict.unwrap_or_default(),
            allow_tags_regexes: self.allow.clone().unwrap_or_default(),
            ignore_tags_regexes: self.ignore.clone().unwrap_or_default(),
            allow_tags: self.allow_tags.clone(),
            ignore_tags: self.ignore_tags.clone().unwrap_or_default(),
            platform: self.platform.clone(),
            discovery_limit: self.limit,
            ..subscription(&self.strategy, &self.constraint)
        }
    }

    /// Every tag that a registry can have, looked at.
    fn catalog(&self) -> Catalog {
        let possible = self.tags.iter().filter(|text| Tag::parse(text).is_ok());
        catalog(possible.map(|text| {
            let created = self.created.as_ref().and_then(|created| created.get(text)).copied();
            let platforms = self.platforms.as_ref().and_then(|platforms| platforms.get(text));
            let platforms = platforms.map_or_else(|| vec!["linux/amd64"], |p| p.iter().map(String::as_str).collect());
            let created = created.unwrap_or(Timestamp::UNIX_EPOCH);
            (text.as_str(), Some(image(Some(created), &platforms)))
        }))
    }

    fn check(&self) -> Result<(), String> {
        let policy = match (ImagePolicy::new(&self.subscription()), self.ok) {
            (Ok(policy), true) => policy,
            (Err(_), false) => return Ok(()),
            // The peer's admission refuses this before its selector could fail to find an empty tag.
            (Err(error), true) if self.strategy == "Digest" && self.constraint.is_empty() => {
                let matched = self.matches.values().any(|matched| *matched);
                return if matched || self.selected.is_some() {
                    Err(error.to_string())
                } else {
                    Ok(())
                };
            }
            (Ok(_), false) => return Err("is accepted".to_owned()),
            (Err(error), true) => return Err(format!("is refused: {error}")),
        };
        let wrong: Vec<_> = self
            .matches
            .iter()
            .filter(|(tag, expected)| policy.wants(tag).is_ok() != **expected)
            .collect();
        if !wrong.is_empty() {
            return Err(format!("matches are other than {wrong:?}"));
        }
        let found = discovered(&policy, &self.catalog());
        let Some(selected) = &self.selected else {
            return if found.is_empty() {
                Ok(())
            } else {
                Err(format!("selects {found:?}"))
            };
        };
        // What no registry can hold is not in our catalog; it took a place of the peer's limit all the same.
        let expected: Vec<_> = selected
            .iter()
            .filter(|text| Tag::parse(text).is_ok())
            .cloned()
            .collect();
        let same = if expected.len() == selected.len() {
            found == expected
        } else {
            found.starts_with(&expected)
        };
        if same && (self.limit != 0 || found.len() == expected.len()) {
            Ok(())
        } else {
            Err(format!("selects {found:?} and not {expected:?}"))
        }
    }
}

#[test]
fn tags_are_matched_and_selected_as_measured() {
    let rows: Vec<Row> = VECTORS
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    assert!(!rows.is_empty());
    let failures: Vec<String> = rows
        .iter()
        .enumerate()
        .filter_map(|(index, row)| {
            let problem = row.check().err()?;
            Some(format!(
                "line {}, {} {:?}: {problem}",
                index + 1,
                row.strategy,
                row.constraint
            ))
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

/// A strategy and a limit, what was seen of five tags, and which of them are to be looked at.
type LookRow = (&'static str, i64, [Option<Seen>; 5], &'static [&'static str]);

#[test]
fn only_what_can_be_chosen_is_looked_at() {
    let seen = || Some(image(None, &["linux/amd64"]));
    let gone = || Some(Seen::Unusable(Unusable("it is a chart".to_owned())));
    let tags = ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "latest"];
    let rows: [LookRow; 9] = [
        ("SemVer", 2, [None, None, None, None, None], &["1.3.0", "1.2.0"]),
        ("SemVer", 2, [None, None, None, seen(), None], &["1.2.0"]),
        ("SemVer", 2, [None, None, None, gone(), None], &["1.2.0", "1.1.0"]),
        ("SemVer", 2, [None, None, seen(), gone(), None], &["1.1.0"]),
        (
            "SemVer",
            0,
            [None, seen(), None, None, None],
            &["1.3.0", "1.2.0", "1.0.0"],
        ),
        ("Lexical", 1, [None, None, None, None, None], &["latest"]),
        ("Lexical", 2, [seen(), seen(), seen(), None, seen()], &["1.3.0"]),
        (
            "NewestBuild",
            1,
            [None, None, None, None, None],
            &["1.0.0", "1.1.0", "1.2.0", "1.3.0", "latest"],
        ),
        ("NewestBuild", 1, [seen(), None, gone(), seen(), seen()], &["1.1.0"]),
    ];
    for (strategy, limit, seen, expected) in rows {
        let policy = policy(&ImageSubscription {
            discovery_limit: limit,
            ..subscription(strategy, "")
        });
        let shown = format!("{strategy} {limit} {seen:?}");
        let selection = policy.select(&catalog(tags.into_iter().zip(seen)));
        assert_eq!(
            selection,
            Selection::Needs(expected.iter().map(|text| tag(text)).collect()),
            "{shown}"
        );
    }
}

/// Whoever looks at what is needed gets a choice in the end, also where everything turns out to be unusable.
#[test]
fn looking_at_what_is_needed_ends_in_a_choice() {
    let tags = ["1.0.0", "1.1.0", "1.2.0", "latest"];
    for strategy in ["SemVer", "Lexical", "NewestBuild"] {
        let policy = policy(&ImageSubscription {
            discovery_limit: 1,
            ..subscription(strategy, "")
        });
        let mut catalog = catalog(tags.map(|text| (text, None)));
        for round in 0.. {
            assert!(round <= tags.len(), "{strategy} goes on asking");
            let Selection::Needs(needed) = policy.select(&catalog) else {
                break;
            };
            assert!(!needed.is_empty(), "{strategy}");
            for tag in needed {
                let unusable = Seen::Unusable(Unusable("no image".to_owned()));
                catalog.note(tag, digest(1), Arc::new(unusable), Timestamp::UNIX_EPOCH);
            }
        }
        assert_eq!(chosen_tags(policy.select(&catalog)), Vec::<String>::new(), "{strategy}");
    }
}

#[test]
fn unusable_tags_are_left_out_with_their_reason() {
    let catalog = catalog([
        (
            "1.0.0",
            Some(image(
                Some(time("2026-01-01T00:00:00Z")),
                &["linux/amd64", "linux/arm64"],
            )),
        ),
        ("1.1.0", Some(image(None, &["windows/amd64"]))),
        (
            "1.2.0",
            Some(Seen::Unusable(Unusable("its configuration is not JSON".to_owned()))),
        ),
        ("edge", Some(image(None, &["linux/amd64"]))),
    ]);
    let subscription = ImageSubscription {
        platform: "linux/amd64".to_owned(),
        ..subscription("SemVer", "")
    };
    let expected = Choice {
        references: vec![Reference {
            tag: tag("1.0.0"),
            digest: digest(0),
            created: Some(time("2026-01-01T00:00:00Z")),
            annotations: BTreeMap::new(),
        }],
        left_out: vec![
            LeftOut {
                tag: tag("1.2.0"),
                reason: "its configuration is not JSON".to_owned(),
            },
            LeftOut {
                tag: tag("1.1.0"),
                reason: "it is not for the platform linux/amd64".to_owned(),
            },
        ],
        candidates: 3,
    };
    assert_eq!(chosen(policy(&subscription).select(&catalog)), expected);
}

/// The peer knows platforms of indexes alone, so that its `platform` never finds a single image. Here one counts as well.
#[test]
fn a_single_image_has_the_platform_of_its_configuration() {
    let config = br#"{"os":"linux","architecture":"arm","variant":"v7","created":"2026-01-01T00:00:00Z"}"#;
    let config = crate::discovery::read_config(config).unwrap();
    let facts = crate::discovery::Manifest::image_facts(BTreeMap::new(), None, config);
    let catalog = catalog([("1.0.0", Some(Seen::Image(facts)))]);
    for (platform, expected) in [
        ("", &["1.0.0"][..]),
        ("linux/arm/v7", &["1.0.0"]),
        ("linux/arm", &[]),
        ("linux/amd64", &[]),
    ] {
        let subscription = ImageSubscription {
            platform: platform.to_owned(),
            ..subscription("SemVer", "")
        };
        assert_eq!(
            chosen_tags(policy(&subscription).select(&catalog)),
            expected,
            "{platform:?}"
        );
    }
}

#[test]
fn a_wanted_platform_overlays_the_annotations() {
    let texts = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    };
    let platform = |name: &str, note: &str| PlatformFacts {
        platform: name.parse().unwrap(),
        annotations: texts(&[("who", note)]),
    };
    let catalog = catalog([(
        "1.0.0",
        Some(Seen::Image(Facts {
            created: None,
            annotations: texts(&[("who", "index"), ("what", "api")]),
            platforms: vec![platform("linux/amd64", "amd"), platform("linux/arm64", "arm")],
        })),
    )]);
    for (wanted, who) in [("", "index"), ("linux/amd64", "amd"), ("linux/arm64", "arm")] {
        let subscription = ImageSubscription {
            platform: wanted.to_owned(),
            ..subscription("SemVer", "")
        };
        let choice = chosen(policy(&subscription).select(&catalog));
        assert_eq!(
            choice.references[0].annotations,
            texts(&[("who", who), ("what", "api")]),
            "{wanted:?}"
        );
    }
}

#[test]
fn the_strategy_digest_follows_one_tag() {
    let policy = policy(&subscription("Digest", "latest"));
    assert!(!policy.needs_listing());
    // Listed or not, the tag is asked for.
    assert_eq!(
        policy.select(&Catalog::default()),
        Selection::Needs(vec![tag("latest")])
    );
    assert_eq!(
        policy.select(&catalog([("latest", None)])),
        Selection::Needs(vec![tag("latest")])
    );
    let seen = catalog([("1.0.0", None), ("latest", Some(image(None, &["linux/amd64"])))]);
    assert_eq!(chosen_tags(policy.select(&seen)), ["latest"]);
    let mut absent = seen;
    absent.note_absent(&tag("latest"), Timestamp::UNIX_EPOCH);
    assert_eq!(policy.select(&absent), Selection::Chosen(Choice::default()));
    absent.note(
        tag("latest"),
        digest(7),
        Arc::new(image(None, &[])),
        Timestamp::UNIX_EPOCH,
    );
    assert_eq!(chosen_tags(policy.select(&absent)), ["latest"]);
}

/// A tag that nobody can push is not asked for.
#[test]
fn an_impossible_tag_of_the_strategy_digest_is_absent() {
    let selection = policy(&subscription("Digest", "not a tag")).select(&Catalog::default());
    assert_eq!(selection, Selection::Chosen(Choice::default()));
}

#[test]
fn a_subscription_that_cannot_be_evaluated_names_the_field() {
    type Change = fn(&mut ImageSubscription);
    let with = |change: Change| {
        let mut subscription = subscription("SemVer", "^1");
        change(&mut subscription);
        ImagePolicy::new(&subscription).map(|_| ()).map_err(|error| error.field)
    };
    let rows: [(Change, Result<(), &str>); 9] = [
        (|_| {}, Ok(())),
        (|s| s.constraint = "latest".to_owned(), Err("constraint")),
        (
            |s| s.image_selection_strategy = "semver".to_owned(),
            Err("imageSelectionStrategy"),
        ),
        (
            |s| s.allow_tags_regexes = vec!["a".to_owned(), "(?!x)".to_owned()],
            Err("allowTagsRegexes[1]"),
        ),
        (
            |s| s.ignore_tags_regexes = vec!["[".to_owned()],
            Err("ignoreTagsRegexes[0]"),
        ),
        (|s| s.allow_tags = "^v".to_owned(), Err("allowTags")),
        (|s| s.ignore_tags = vec!["x".to_owned()], Err("ignoreTags")),
        (|s| s.platform = "linux".to_owned(), Err("platform")),
        (
            |s| {
                s.image_selection_strategy = "Digest".to_owned();
                s.constraint = String::new();
            },
            Err("constraint"),
        ),
    ];
    for (index, (change, expected)) in rows.into_iter().enumerate() {
        assert_eq!(with(change), expected.map_err(str::to_owned), "row {index}");
    }
}
