//! Holds the project's map to what is there: ARCHITECTURE.md names only what exists, the core depends on its allow-list and
//! does no I/O, and each library is named in its own folder alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the repository is there")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All Rust files below a folder, each with its path from the root of the repository.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).expect("below the root").display().to_string();
                files.push((name, read(&path)));
            }
        }
    }
    assert!(!files.is_empty(), "{folder} has no sources");
    files
}

/// The lines of a file that are code: comments mention what they like.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn architecture_names_only_what_exists() {
    let mut missing = Vec::new();
    let mut named = 0;
    for page in ["ARCHITECTURE.md", "README.md", "CONTRIBUTING.md"] {
        for word in read(&root().join(page)).split('`').skip(1).step_by(2) {
            let first = word.split('/').next().unwrap_or_default();
            let is_path = word.contains('/')
                && [
                    "crates", "docs", "fixtures", "examples", "fuzz", "benches", "deploy", ".ci",
                ]
                .contains(&first)
                && !word.contains(['<', ' ', '*', '…']);
            if is_path {
                named += 1;
                if !root().join(word).exists() {
                    missing.push(format!("{page}: {word}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "these do not exist: {missing:#?}");
    assert!(named > 20, "the map names hardly anything: {named}");
}

#[test]
fn architecture_names_every_module() {
    let map = read(&root().join("ARCHITECTURE.md"));
    let mut unnamed = Vec::new();
    for folder in ["crates/core/src", "crates/landfall/src"] {
        for entry in fs::read_dir(root().join(folder)).expect("the folder can be read") {
            let name = entry
                .expect("the folder can be read")
                .file_name()
                .to_string_lossy()
                .into_owned();
            let stem = name.trim_end_matches(".rs");
            if !map.contains(&format!("{folder}/{stem}")) && !matches!(stem, "lib" | "main") {
                unnamed.push(format!("{folder}/{stem}"));
            }
        }
    }
    assert!(
        unnamed.is_empty(),
        "ARCHITECTURE.md does not tell what these are for: {unnamed:#?}"
    );
}

/// Each weakness of the peer has its row, in order, and each row the tests that show what we do, which exist where it says; one that
/// shows nothing says so.
#[test]
fn compatibility_names_a_test_for_each_number() {
    let page = read(&root().join("docs/compatibility.md"));
    let section = page.split("### By number").nth(1).expect("there is the list");
    let section = section.split("\n### ").next().unwrap_or_default();
    let sources: Vec<_> = ["crates/core/src", "crates/landfall/src", "crates/landfall/tests"]
        .into_iter()
        .flat_map(sources)
        .collect();
    let rows = section.lines().filter(|line| line.starts_with("| W"));
    let rows = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    let rows: Vec<_> = rows.collect();
    let mut wrong = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let [name, _, _, shown] = row[..] else {
            wrong.push(format!("{row:?} has another number of columns"));
            continue;
        };
        if name != format!("W{}", number + 1) {
            wrong.push(format!("{name} is in the place of W{}", number + 1));
        }
        if shown.starts_with("none: ") || shown == "as W26" {
            continue;
        }
        let words = shown.split('`').skip(1).step_by(2);
        let named = words
            .filter(|word| !word.contains(['/', '.']) && word.contains('_'))
            .count();
        if named == 0 {
            wrong.push(format!("{name} names no test"));
        }
        wrong.extend(
            strays(shown, 1, &sources)
                .into_iter()
                .map(|stray| format!("{name}: {stray}")),
        );
    }
    wrong.extend(strays(section, 2, &sources));
    assert_eq!(rows.len(), 49, "{wrong:#?}");
    assert!(wrong.is_empty(), "docs/compatibility.md: {wrong:#?}");
}

/// What a text names that does not exist: tests, which are words of so many underscores at least, each in the files that are named
/// with it; files; and fixtures.
fn strays(text: &str, underscores: usize, sources: &[(String, String)]) -> Vec<String> {
    let mut strays = Vec::new();
    let mut test = None;
    let pieces: Vec<&str> = text.split('`').collect();
    for (between, word) in pieces.iter().step_by(2).zip(pieces.iter().skip(1).step_by(2)) {
        let in_file = |file: &str| {
            let places = [file.to_owned(), format!("crates/landfall/tests/it/{file}")];
            sources.iter().find(|(name, _)| places.contains(name))
        };
        // A file is of the test that is named right before it.
        test = test.filter(|_| matches!(between.trim(), "in" | "and in" | "and"));
        if word.ends_with(".rs") {
            let Some((_, source)) = in_file(word) else {
                strays.push(format!("{word} does not exist"));
                continue;
            };
            if let Some(test) = test
                && !has_test(source, test)
            {
                strays.push(format!("{test} is not in {word}"));
            }
        } else if let Some((folder, file)) = word
            .split_once('/')
            .filter(|_| !word.contains(['.', ' ', '=']) && !word.starts_with('/'))
        {
            if folder != "fixtures" && folder != "docs" && folder != "crates" && !has_fixture(folder, file) {
                strays.push(format!("there is no fixture {word}"));
            }
        } else if word.matches('_').count() >= underscores
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        {
            test = Some(*word);
            if !sources.iter().any(|(_, source)| has_test(source, word)) {
                strays.push(format!("there is no test {word}"));
            }
        }
    }
    strays
}

/// Whether a source has a test of that name: a function right below what makes it one.
fn has_test(source: &str, name: &str) -> bool {
    let (sync, other) = (format!("fn {name}("), format!("async fn {name}("));
    let mut is_marked = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_marked = true;
        } else if is_marked && (line.starts_with(&sync) || line.starts_with(&other)) {
            return true;
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            is_marked = false;
        }
    }
    false
}

/// Whether some folder of deliveries has some that are named so; `*` stands for anything.
fn has_fixture(folder: &str, file: &str) -> bool {
    let entries = |path: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(path).expect("the folder can be read");
        entries
            .map(|entry| entry.expect("the folder can be read").path())
            .collect()
    };
    let fits = |path: &Path, wanted: &str| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        fits(name.strip_suffix(".http").unwrap_or(&name), wanted)
    };
    let folders = entries(&root().join("fixtures/receivers")).into_iter();
    let folders = folders.filter(|path| path.is_dir() && fits(path, folder));
    folders.flat_map(|path| entries(&path)).any(|path| fits(&path, file))
}

/// Whether a name fits; `*` stands for anything.
fn fits(name: &str, wanted: &str) -> bool {
    match wanted.split_once('*') {
        None => name == wanted,
        Some((before, after)) => name
            .strip_prefix(before)
            .is_some_and(|rest| (0..=rest.len()).any(|at| rest.is_char_boundary(at) && fits(&rest[at..], after))),
    }
}

/// What decisions may be made with: time, regular expressions, serialization, hashes, errors. No runtime, no sockets.
const CORE_DEPENDENCIES: [&str; 9] = [
    "blake3",
    "hmac",
    "jiff",
    "regex",
    "serde",
    "serde_json",
    "sha2",
    "subtle",
    "thiserror",
];

#[test]
fn the_core_depends_on_its_allow_list_alone() {
    let manifest = read(&root().join("crates/core/Cargo.toml"));
    let section = manifest.split("[dependencies]").nth(1).expect("there are dependencies");
    let section = section.split("\n[").next().unwrap_or_default();
    let named: BTreeSet<&str> = section
        .lines()
        .map(|line| line.split(['.', '=', ' ']).next().unwrap_or_default())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .collect();
    assert_eq!(named, BTreeSet::from(CORE_DEPENDENCIES));
}

#[test]
fn the_core_does_no_io() {
    const FORBIDDEN: [&str; 12] = [
        "std::fs",
        "std::net::Tcp",
        "std::net::Udp",
        "std::env",
        "std::process",
        "std::thread",
        "std::io",
        "SystemTime",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "println!",
    ];
    let mut found = Vec::new();
    for (file, text) in sources("crates/core/src") {
        // Tests read fixtures and draw seeds; what is built for others does not.
        if file.ends_with("tests.rs") || file.contains("/tests/") || file.contains("/model") || file.contains("/gen.") {
            continue;
        }
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (number, line) in code(text) {
            found.extend(
                FORBIDDEN
                    .iter()
                    .filter(|word| line.contains(**word))
                    .map(|word| format!("{file}:{number}: {word}")),
            );
        }
    }
    assert!(found.is_empty(), "the core does I/O or reads the clock: {found:#?}");
}

/// A library, and the only places that may name it. Whoever exchanges it has one folder to look at.
const HOMES: &[(&str, &[&str])] = &[
    ("mimalloc", &["crates/landfall/src/memory.rs"]),
    ("rusqlite", &["crates/landfall/src/store/sqlite/"]),
    ("tokio_postgres", &["crates/landfall/src/store/postgres/"]),
    (
        "tokio_postgres_rustls",
        &[
            "crates/landfall/src/store/postgres/tls.rs",
            "crates/landfall/src/store/postgres/link.rs",
        ],
    ),
    ("rustls_native_certs", &["crates/landfall/src/store/postgres/tls.rs"]),
    ("notify::", &["crates/landfall/src/resources/manifests/"]),
    (
        "serde_saphyr",
        &[
            "crates/landfall/src/resources/manifests/document.rs",
            "crates/landfall/src/resources/manifests/locate.rs",
        ],
    ),
    ("hyper::", &["crates/landfall/src/server/"]),
    (
        "hyper_util",
        &[
            "crates/landfall/src/server/",
            "crates/landfall/src/resources/kubernetes/client.rs",
        ],
    ),
    ("hyper_timeout", &["crates/landfall/src/resources/kubernetes/client.rs"]),
    (
        "reqwest",
        &[
            "crates/landfall/src/registry/",
            "crates/landfall/src/admin/client.rs",
            "crates/landfall/src/cli/send",
        ],
    ),
    (
        "rustls",
        &[
            "crates/landfall/src/app.rs",
            "crates/landfall/src/registry/",
            "crates/landfall/src/server/tls/",
            "crates/landfall/src/store/postgres/tls.rs",
        ],
    ),
    ("prost", &["crates/landfall/src/resources/kubernetes/protobuf"]),
    ("tokio_util", &["crates/landfall/src/resources/kubernetes/protobuf"]),
    ("tokio_rustls", &["crates/landfall/src/server/tls/"]),
    ("rcgen", &["crates/landfall/src/server/tls/"]),
    ("x509_parser", &["crates/landfall/src/server/tls/"]),
    ("rustix", &["crates/landfall/src/server/descriptors.rs"]),
    (
        "kube",
        &["crates/landfall/src/lease", "crates/landfall/src/resources/kubernetes/"],
    ),
    (
        "k8s_openapi",
        &["crates/landfall/src/lease", "crates/landfall/src/resources/kubernetes/"],
    ),
    ("schemars", &["crates/landfall/src/definitions/"]),
    ("tower_http", &["crates/landfall/src/server/"]),
    ("clap", &["crates/landfall/src/cli/"]),
    ("comfy_table", &["crates/landfall/src/cli/output.rs"]),
    ("tracing_subscriber", &["crates/landfall/src/telemetry"]),
];

#[test]
fn each_library_is_named_in_its_own_folder() {
    let sources = sources("crates/landfall/src");
    let mut strays = Vec::new();
    for (library, homes) in HOMES {
        let mut at_home = 0;
        for (file, text) in &sources {
            let uses = code(text).filter(|(_, line)| names(line, library));
            if homes.iter().any(|home| file.starts_with(home)) {
                at_home += uses.count();
            } else {
                strays.extend(uses.map(|(number, _)| format!("{file}:{number} names {library}")));
            }
        }
        assert!(at_home > 0, "{library} is nowhere at home: is this list still true?");
    }
    assert!(strays.is_empty(), "{strays:#?}");
}

/// Whether a line names a crate, as a word of its own in front of `::` or in a `use`.
fn names(line: &str, library: &str) -> bool {
    let word = library.trim_end_matches("::");
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + word.len()..];
        let starts =
            before.is_none_or(|before| !before.is_alphanumeric() && before != '_' && before != ':' && before != '.');
        starts && (after.starts_with("::") || after.starts_with(';') || after.starts_with(" as "))
    })
}

#[test]
fn every_source_says_what_it_is() {
    let mut silent = Vec::new();
    for folder in [
        "crates/core/src",
        "crates/landfall/src",
        "crates/harness/src",
        "crates/landfall/tests",
    ] {
        for (file, text) in sources(folder) {
            let first = text.lines().next().unwrap_or_default();
            // A table that is made by a program, and tests, which belong to the file that names them.
            let exempt = file.ends_with("/tables.rs") || file.ends_with("/tests.rs");
            if !first.starts_with("//!") && !exempt {
                silent.push(file);
            }
        }
    }
    assert!(
        silent.is_empty(),
        "these files do not say in their first line what they decide or touch: {silent:#?}"
    );
}

/// What the linker is told of functions that were renamed since helps nobody. Most of them are here still, or it is time for `make layout`.
#[test]
fn what_is_laid_out_is_there() {
    let layout = read(&root().join("crates/landfall/layout.ld"));
    let sources = [sources("crates/landfall/src"), sources("crates/core/src")].concat();
    let words: BTreeSet<&str> = sources
        .iter()
        .flat_map(|(_, text)| text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_')))
        .chain(sources.iter().flat_map(|(file, _)| file.split(['/', '.'])))
        .collect();
    let (mut known, mut gone) = (0, Vec::new());
    for line in layout.lines() {
        // What landfall has made of others' functions is theirs by name.
        let first = line.split_once("Cs*_").map_or("", |(_, path)| path);
        let Some(path) = first.strip_prefix("8landfall") else {
            continue;
        };
        match mangled(path).into_iter().find(|name| !words.contains(name)) {
            Some(name) => gone.push(name),
            None => known += 1,
        }
    }
    assert!(known > 100, "only {known} functions of landfall are laid out");
    assert!(
        gone.len() * 5 < known,
        "run `make layout`: {} of {known} are gone: {gone:?}",
        gone.len()
    );
}

/// The names in what follows a crate's in a mangled path, up to the next crate: the number of its bytes comes before each.
fn mangled(path: &str) -> Vec<&str> {
    let (mut names, mut rest) = (Vec::new(), path.split("Cs*_").next().unwrap_or_default());
    while let Some(start) = rest.find(|character: char| character.is_ascii_digit()) {
        rest = &rest[start..];
        let digits = rest.len()
            - rest
                .trim_start_matches(|character: char| character.is_ascii_digit())
                .len();
        let length: usize = rest[..digits].parse().unwrap_or_default();
        rest = &rest[digits..];
        if let Some(name) = rest.get(..length).filter(|name| !name.is_empty()) {
            names.push(name);
            rest = &rest[length..];
        }
    }
    names
}
