use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use landfall_core::resource::{Resource, ResourceKey};
use tempfile::TempDir;

use super::*;
use crate::resources::Known;

/// A folder of its own, whose path is cut from what is compared.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("it is below the folder")).expect("made");
        fs::write(path, text).expect("written");
        self
    }

    fn remove(&self, name: &str) -> &Self {
        fs::remove_file(self.path().join(name)).expect("removed");
        self
    }

    fn open(&self) -> ManifestFolder {
        ManifestFolder::open(self.path()).expect("it is there")
    }

    /// `Warehouse default/a < a.yaml:1:1` for each resource.
    fn resources(&self, snapshot: &Snapshot) -> Vec<String> {
        let line = |(key, loaded): (&ResourceKey, &Arc<Loaded>)| format!("{key} < {}", loaded.origin);
        snapshot
            .resources
            .iter()
            .map(line)
            .map(|line| self.cut(&line))
            .collect()
    }

    fn problems(&self, snapshot: &Snapshot) -> Vec<String> {
        let line = |problem: &Problem| format!("{:?} {problem}", problem.kind);
        snapshot.problems.iter().map(line).map(|line| self.cut(&line)).collect()
    }

    fn cut(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.path().display()), "")
            .replace(&self.path().display().to_string(), ".")
    }
}

fn warehouse(name: &str) -> String {
    format!(
        "apiVersion: kargo.akuity.io/v1alpha1\nkind: Warehouse\nmetadata:\n  name: {name}\n  namespace: shop\nspec:\n  \
         subscriptions:\n  - image:\n      repoURL: quay.io/shop/{name}\n"
    )
}

fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  key: {value}\n")
}

const NONE: [&str; 0] = [];

#[test]
fn a_folder_is_read_in_all_its_shapes() {
    let home = Home::new();
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: l1}\n-\n  \
                kind: ConfigMap\n  apiVersion: v1\n  metadata: {name: l2}\n";
    let json = "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"j1\"}}\n\n  \
                {\"apiVersion\": \"v1\",\n\t\"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"j2\"}}\n{\"apiVersion\": \"v1\", \
                \"kind\": \"List\", \"items\": [\n\t{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \
                \"j3\"}}]}";
    home.write("a.yaml", warehouse("a"))
        .write(
            "many.yml",
            format!(
                "# first\n---\n\n{}---\n# none\n---\n{}...\n",
                warehouse("b"),
                warehouse("c")
            ),
        )
        .write("sub/deep/list.yaml", list)
        .write("j.json", json)
        .write(
            "inline.yaml",
            "--- {apiVersion: v1, kind: ConfigMap, metadata: {name: in}}\n",
        )
        .write(
            "windows.yaml",
            format!("\u{feff}---\r\n{}", config_map("crlf", "x").replace('\n', "\r\n")),
        )
        .write("directive.yaml", format!("%YAML 1.2\n---\n{}", config_map("dir", "x")))
        .write("empty.yaml", "")
        .write("comment.yaml", "# nothing\n")
        .write(
            "other.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n",
        )
        .write(".hidden.yaml", "broken: [")
        .write(".git/x.yaml", "broken: [")
        .write("README.md", "broken: [");
    let snapshot = home.open().snapshot();
    let expected = [
        "Warehouse shop/a < a.yaml:1:1",
        "Warehouse shop/b < many.yml:4:1",
        "Warehouse shop/c < many.yml:16:1",
        "ConfigMap default/crlf < windows.yaml:2:1",
        "ConfigMap default/dir < directive.yaml:3:1",
        "ConfigMap default/in < inline.yaml:1:5",
        "ConfigMap default/j1 < j.json:1:1",
        "ConfigMap default/j2 < j.json:3:3",
        "ConfigMap default/j3 < j.json:6:2",
        "ConfigMap default/l1 < sub/deep/list.yaml:4:3",
        "ConfigMap default/l2 < sub/deep/list.yaml:8:3",
    ];
    assert_eq!(home.resources(&snapshot), expected);
    assert_eq!(home.problems(&snapshot), NONE);
}

#[test]
fn a_problem_is_where_it_is() {
    let subscription = "apiVersion: kargo.akuity.io/v1alpha1\nkind: Warehouse\nmetadata:\n  name: a\nspec:\n  interval: 1m\n  \
                        subscriptions:\n";
    let rows: [(&str, String, &str); 18] = [
        ("f.yaml", "a: b\n  c: d\n".into(), "Error f.yaml:2:4: mapping values are not allowed in this context"),
        ("f.yaml", "x: 1\n---\na: [1, 2\nb: c\n".into(), "Error f.yaml:4:2: illegal placement of ':' indicator"),
        ("f.yaml", "a: \"secret\n".into(), "Error f.yaml:1:4: unclosed quote"),
        ("f.yaml", "# é\na: 1\na: 2\n".into(), "Error f.yaml:3:1: this key is given twice"),
        ("f.yaml", "a: .nan\n".into(), "Error f.yaml:1:4: a number is not finite (put it in quotes)"),
        ("f.json", "{\"a\":\n  x}".into(), "Error f.json:2:3: expected value"),
        ("f.json", "{\"a\":".into(), "Error f.json:1:5: EOF while parsing a value"),
        ("f.yaml", "a: b\n".into(), "Warning f.yaml:1:1: has no apiVersion and kind, so it is no resource and is ignored"),
        (
            "f.yaml",
            "apiVersion: kargo.akuity.io/v1\nkind: Warehouse\n".into(),
            "Warning f.yaml:1:1: Warehouse of kargo.akuity.io/v1 is ignored: the version must be kargo.akuity.io/v1alpha1",
        ),
        (
            "f.yaml",
            format!("# c\n{subscription}  - image:\n      repoURL: x\n      tagz: y\n"),
            "Warning f.yaml:11:7: spec.subscriptions[0].image.tagz is not a known field",
        ),
        (
            "f.yaml",
            format!("---\n---\n{subscription}  - image: {{repoURL: x}}\n  - name: b\n"),
            "Warning f.yaml:11:5: spec.subscriptions[1] has no source: it needs one of image, git, chart",
        ),
        (
            "f.yaml",
            format!("{subscription}  - image: {{repoURL: x}}\n  -\n    image: {{}}\n"),
            "Warning f.yaml:10:5: spec.subscriptions[1].image.repoURL is missing",
        ),
        (
            "f.yaml",
            format!("{subscription}  - image: {{repoURL: x}}\n  - text\n"),
            "Warning f.yaml:9:5: spec.subscriptions[1] must be an object, not text",
        ),
        (
            "f.yaml",
            subscription.replace("1m", "often"),
            "Error f.yaml:6:3: Warehouse default/a: spec.interval must be a duration in hours, minutes and seconds, such as \
             5m0s or 1.5h",
        ),
        (
            "f.yaml",
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: a},\n   data: {p: hunter2!}}\n"
                .into(),
            "Error f.yaml:5:11: Secret default/a: data.p is not valid base64 (standard alphabet, with padding)",
        ),
        (
            "f.json",
            "\n {\"apiVersion\": \"v1\",\n  \"kind\": \"Secret\", \"metadata\": {}}".into(),
            "Error f.json:3:21: Secret: metadata.name is missing",
        ),
        (
            "f.yaml",
            "apiVersion: v1\nkind: List\nitems: 3\n".into(),
            "Error f.yaml:1:1: items must be a list",
        ),
        (
            "f.yaml",
            (0..100).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
            "Error f.yaml:65:65: the document is too large or too deeply nested",
        ),
    ];
    for (name, text, expected) in rows {
        let home = Home::new();
        home.write(name, &text);
        let problems = home.problems(&home.open().snapshot());
        assert_eq!(problems.last().map(String::as_str), Some(expected), "{text}");
    }

    let home = Home::new();
    home.write("f.yaml", b"a: b\nc: \xff\n");
    assert_eq!(
        home.problems(&home.open().snapshot()),
        ["Error f.yaml:2:4: is not UTF-8 text"]
    );
}

#[test]
fn a_broken_file_keeps_its_last_good_state() {
    let home = Home::new();
    home.write(
        "a.yaml",
        format!("{}---\n{}", config_map("one", "x"), config_map("two", "x")),
    );
    let mut folder = home.open();
    let first = folder.snapshot();

    home.write("a.yaml", "broken: [");
    let broken = folder.reload();
    assert_eq!(broken.resources, first.resources);
    let expected = "Error a.yaml:1:9: unclosed bracket '['; what the file said before stays in force";
    assert_eq!(home.problems(&broken), [expected]);

    // One document of two is broken: it may have been either of those that are not there any more.
    home.write("a.yaml", format!("{}---\nbroken: [\n", config_map("two", "z")));
    let half = folder.reload();
    assert_eq!(
        home.resources(&half),
        [
            "ConfigMap default/one < a.yaml:1:1",
            "ConfigMap default/two < a.yaml:1:1"
        ]
    );
    let Resource::ConfigMap(two) = &half.resources.last_key_value().expect("two").1.resource else {
        panic!("of its kind")
    };
    assert_eq!(two.data["key"], "z");
    let expected = "Error a.yaml:8:9: unclosed bracket '['; what the file said before stays in force";
    assert_eq!(home.problems(&half), [expected]);

    home.write("a.yaml", config_map("two", "z"));
    let mended = folder.reload();
    assert_eq!(home.resources(&mended), ["ConfigMap default/two < a.yaml:1:1"]);
    assert_eq!(home.problems(&mended), NONE);

    home.write("a.yaml", "broken: [");
    folder.reload();
    home.remove("a.yaml");
    let empty = Snapshot {
        known: Known::Everything,
        ..Snapshot::default()
    };
    assert_eq!(*folder.reload(), empty);
}

#[test]
fn an_invalid_resource_keeps_its_last_good_state_and_no_other() {
    let home = Home::new();
    home.write("a.yaml", format!("{}---\n{}", warehouse("a"), warehouse("b")));
    let mut folder = home.open();
    let first = folder.snapshot();
    home.write("a.yaml", warehouse("a").replace("spec:", "spec:\n  interval: often"));
    let second = folder.reload();
    assert_eq!(home.resources(&second), ["Warehouse shop/a < a.yaml:1:1"]);
    assert_eq!(second.resources.first_key_value(), first.resources.first_key_value());
    let expected = "Error a.yaml:7:3: Warehouse shop/a: spec.interval must be a duration in hours, minutes and seconds, such as \
                    5m0s or 1.5h; its last good state stays in force";
    assert_eq!(home.problems(&second), [expected]);

    // Its name is gone, so nobody can tell which one it was.
    home.write("a.yaml", warehouse("a").replace("name: a", "nome: a"));
    let third = folder.reload();
    assert_eq!(third.resources, second.resources);
    let expected = "Error a.yaml:3:1: Warehouse: metadata.name is missing; what the file said before stays in force";
    assert_eq!(home.problems(&third), [expected]);
}

fn duplicate(this: &str, key: &str, other: &str) -> String {
    format!(
        "Error {this}: {key} is defined already at {other}; that one is in force (the one that was there before, else the first \
         in the order of the files) and this one is ignored"
    )
}

#[test]
fn of_two_resources_of_one_key_the_first_is_in_force_and_stays() {
    let home = Home::new();
    home.write("b.yaml", config_map("x", "b"))
        .write("c.yaml", format!("# c\n{}", config_map("x", "c")));
    let mut folder = home.open();
    let first = folder.snapshot();
    assert_eq!(home.resources(&first), ["ConfigMap default/x < b.yaml:1:1"]);
    assert_eq!(
        home.problems(&first),
        [duplicate("c.yaml:2:1", "ConfigMap default/x", "b.yaml:1:1")]
    );

    home.write("a.yaml", config_map("x", "a"));
    let second = folder.reload();
    assert_eq!(second.resources, first.resources);
    let expected = ["a.yaml:1:1", "c.yaml:2:1"].map(|at| duplicate(at, "ConfigMap default/x", "b.yaml:1:1"));
    assert_eq!(home.problems(&second), expected);

    home.remove("b.yaml");
    let third = folder.reload();
    assert_eq!(home.resources(&third), ["ConfigMap default/x < a.yaml:1:1"]);
    assert_eq!(
        home.problems(&third),
        [duplicate("c.yaml:2:1", "ConfigMap default/x", "a.yaml:1:1")]
    );

    // Within one file the one that is in force stays too.
    home.remove("c.yaml").write(
        "a.yaml",
        format!("{}---\n{}", config_map("x", "new"), config_map("x", "a")),
    );
    let fourth = folder.reload();
    assert_eq!(home.resources(&fourth), ["ConfigMap default/x < a.yaml:8:1"]);
    assert_eq!(
        home.problems(&fourth),
        [duplicate("a.yaml:1:1", "ConfigMap default/x", "a.yaml:8:1")]
    );
}

#[test]
fn a_resource_may_move_out_of_a_file_that_breaks() {
    let home = Home::new();
    home.write("a.yaml", config_map("x", "old"));
    let mut folder = home.open();
    home.write("a.yaml", "[").write("b.yaml", config_map("x", "new"));
    let snapshot = folder.reload();
    assert_eq!(home.resources(&snapshot), ["ConfigMap default/x < b.yaml:1:1"]);
    assert_eq!(snapshot.problems.len(), 1, "{:?}", home.problems(&snapshot));
}

#[test]
fn what_did_not_change_stays_the_same_arc() {
    let home = Home::new();
    home.write(
        "a.yaml",
        format!("{}---\n{}", config_map("one", "x"), config_map("two", "x")),
    );
    home.write("b.yaml", config_map("three", "x"));
    let mut folder = home.open();
    let first = folder.snapshot();
    assert!(Arc::ptr_eq(&first, &folder.reload()), "nothing changed");
    home.write("b.yaml", config_map("three", "x"));
    assert!(Arc::ptr_eq(&first, &folder.reload()), "it was written as it was");

    // The same length and maybe the same time: only the bytes can tell.
    home.write(
        "a.yaml",
        format!("{}---\n{}", config_map("one", "x"), config_map("two", "z")),
    );
    let second = folder.reload();
    let same: Vec<_> = first
        .resources
        .iter()
        .map(|(key, loaded)| Arc::ptr_eq(loaded, &second.resources[key]))
        .collect();
    assert_eq!(same, [true, true, false], "one, three, two");
}

#[test]
fn a_mounted_volume_is_read_once_and_swapped_whole() {
    let home = Home::new();
    home.write("..2026_01/a.yaml", config_map("a", "old"))
        .write("..2026_01/sub/b.yaml", config_map("b", "old"));
    symlink("..2026_01", home.path().join("..data")).expect("linked");
    symlink("..data/a.yaml", home.path().join("a.yaml")).expect("linked");
    symlink("..data/sub", home.path().join("sub")).expect("linked");
    let mut folder = home.open();
    let first = folder.snapshot();
    assert_eq!(
        home.resources(&first),
        [
            "ConfigMap default/a < a.yaml:1:1",
            "ConfigMap default/b < sub/b.yaml:1:1"
        ]
    );
    assert_eq!(home.problems(&first), NONE);

    home.write("..2026_02/a.yaml", config_map("a", "new"))
        .write("..2026_02/sub/b.yaml", config_map("b", "old"));
    symlink("..2026_02", home.path().join("..data_tmp")).expect("linked");
    fs::rename(home.path().join("..data_tmp"), home.path().join("..data")).expect("swapped");
    fs::remove_dir_all(home.path().join("..2026_01")).expect("removed");
    let second = folder.reload();
    let changed: Vec<_> = second
        .resources
        .iter()
        .filter(|(key, loaded)| !Arc::ptr_eq(loaded, &first.resources[*key]))
        .map(|(key, _)| key.to_string())
        .collect();
    assert_eq!(changed, ["ConfigMap default/a"]);
}

#[test]
fn links_that_loop_or_lead_nowhere_do_no_harm() {
    let home = Home::new();
    home.write("real/a.yaml", config_map("a", "x"));
    for (target, link) in [
        (".", "aa-loop"),
        ("../real", "real/loop"),
        ("real", "also"),
        ("real/a.yaml", "again.yaml"),
        ("nothing", "dangling.yaml"),
    ] {
        symlink(target, home.path().join(link)).expect("linked");
    }
    let snapshot = home.open().snapshot();
    assert_eq!(home.resources(&snapshot), ["ConfigMap default/a < real/a.yaml:1:1"]);
    assert_eq!(home.problems(&snapshot), NONE);

    symlink("self.yaml", home.path().join("self.yaml")).expect("linked");
    let problems = home.problems(&home.open().snapshot());
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].starts_with("Error self.yaml: cannot be read: "),
        "{problems:?}"
    );
}

#[test]
fn a_file_that_is_too_large_is_a_problem() {
    let home = Home::new();
    home.write("a.yaml", config_map("a", "x"));
    let mut folder = home.open();
    fs::File::options()
        .write(true)
        .open(home.path().join("a.yaml"))
        .and_then(|file| file.set_len(16 * 1024 * 1024 + 1))
        .expect("grown");
    let snapshot = folder.reload();
    assert_eq!(home.resources(&snapshot), ["ConfigMap default/a < a.yaml:1:1"]);
    let expected = "Error a.yaml: cannot be read: it is larger than 16 MiB; what the file said before stays in force";
    assert_eq!(home.problems(&snapshot), [expected]);
}

#[test]
fn the_problems_of_a_file_are_limited() {
    let home = Home::new();
    home.write("a.yaml", "a: [\n---\n".repeat(10_500));
    let problems = home.problems(&home.open().snapshot());
    assert_eq!(problems.len(), 51);
    assert_eq!(
        problems[0],
        "Warning a.yaml: the file has more than 50 problems, the rest is not shown"
    );
}

#[test]
fn a_folder_must_be_there_at_the_start_but_may_vanish_later() {
    let home = Home::new();
    let missing = home.path().join("missing");
    let error = ManifestFolder::open(&missing).expect_err("it is missing").to_string();
    assert_eq!(home.cut(&error), "the manifest folder missing does not exist");
    home.write("file", "x");
    let error = ManifestFolder::open(home.path().join("file"))
        .expect_err("it is a file")
        .to_string();
    // Why it cannot be is its source, which whoever prints the chain says once.
    assert_eq!(home.cut(&error), "the manifest folder file cannot be read");

    home.write("conf/a.yaml", config_map("a", "x"));
    let conf = home.path().join("conf");
    let mut folder = ManifestFolder::open(&conf).expect("it is there");
    let first = folder.snapshot();
    fs::rename(&conf, home.path().join("gone")).expect("moved");
    let second = folder.reload();
    assert_eq!(second.resources, first.resources);
    let problems = home.problems(&second);
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].starts_with("Error conf: the folder cannot be read: "),
        "{problems:?}"
    );
    assert!(
        problems[0].ends_with("; what it said before stays in force"),
        "{problems:?}"
    );
    fs::rename(home.path().join("gone"), &conf).expect("moved");
    assert_eq!(folder.reload(), first);
}

#[test]
fn no_problem_shows_a_secret() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\nstringData:\n  password: ";
    for value in [
        "hunter2: x\n",
        "\"hunter2\n",
        "[hunter2\n",
        "{hunter2: 1}\n",
        "*hunter2\n",
        "!!binary hunter2\n",
        "&a hunter2\n  b: *a\n c\n",
    ] {
        let home = Home::new();
        home.write("a.yaml", format!("{secret}{value}"));
        let snapshot = home.open().snapshot();
        assert!(!snapshot.problems.is_empty(), "{value}");
        assert!(!format!("{snapshot:?}").contains("hunter2"), "{snapshot:?}");
    }
}

#[test]
fn a_thousand_files_load_fast() {
    let home = Home::new();
    for number in 0..1000 {
        home.write(
            &format!("{}/w{number}.yaml", number % 10),
            warehouse(&format!("w{number}")),
        );
    }
    let start = Instant::now();
    let mut folder = home.open();
    let load = start.elapsed();
    assert_eq!(folder.snapshot().resources.len(), 1000);
    assert_eq!(folder.snapshot().problems, []);
    let start = Instant::now();
    folder.reload();
    let reload = start.elapsed();
    println!("load {load:?}, reload {reload:?}");
    // Unoptimised and on a busy machine; what is quadratic would take far longer.
    assert!(
        load < Duration::from_secs(5) && reload < Duration::from_secs(2),
        "load {load:?}, reload {reload:?}"
    );
}

#[test]
fn a_file_of_many_resources_loads() {
    let home = Home::new();
    let items: String = (0..3000)
        .map(|number| format!("- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: c{number}}}, odd: 1}}\n"))
        .collect();
    home.write("a.yaml", format!("apiVersion: v1\nkind: List\nitems:\n{items}"));
    let start = Instant::now();
    let mut folder = home.open();
    assert_eq!(folder.snapshot().resources.len(), 3000);
    home.write("a.yaml", format!("apiVersion: v1\nkind: List\nitems:\n{items}# end\n"));
    folder.reload();
    let elapsed = start.elapsed();
    println!("twice: {elapsed:?}");
    assert!(elapsed < Duration::from_secs(30), "{elapsed:?}");
}

/// Waits for a snapshot that fulfils the condition; the time it may take is that of the promise, with room for a busy machine.
async fn until(
    receiver: &mut tokio::sync::watch::Receiver<Arc<Snapshot>>,
    condition: impl Fn(&Snapshot) -> bool,
) -> Arc<Snapshot> {
    let found = tokio::time::timeout(
        Duration::from_secs(20),
        receiver.wait_for(|snapshot| condition(snapshot)),
    )
    .await;
    Arc::clone(&found.expect("in time").expect("the watch goes on"))
}

#[tokio::test]
async fn changes_are_published() {
    let home = Home::new();
    home.write("conf/a.yaml", config_map("a", "x"));
    let conf: PathBuf = home.path().join("conf");
    let mut receiver = watch(&conf).expect("it is there");
    assert_eq!(
        home.resources(&receiver.borrow().clone()),
        ["ConfigMap default/a < conf/a.yaml:1:1"]
    );

    let start = Instant::now();
    home.write("conf/b.yaml", config_map("b", "x"));
    until(&mut receiver, |snapshot| snapshot.resources.len() == 2).await;
    println!("published after {:?}", start.elapsed());

    home.write("conf/new/c.yaml", config_map("c", "x"));
    until(&mut receiver, |snapshot| snapshot.resources.len() == 3).await;
    home.write("conf/new/c.yaml", "[");
    let broken = until(&mut receiver, |snapshot| !snapshot.problems.is_empty()).await;
    assert_eq!(broken.resources.len(), 3);
    home.remove("conf/new/c.yaml");
    until(&mut receiver, |snapshot| {
        snapshot.problems.is_empty() && snapshot.resources.len() == 2
    })
    .await;

    // The folder vanishes, and another one comes in its place.
    fs::rename(&conf, home.path().join("old")).expect("moved");
    let gone = until(&mut receiver, |snapshot| !snapshot.problems.is_empty()).await;
    assert_eq!(gone.resources.len(), 2);
    home.write("conf/d.yaml", config_map("d", "x"));
    let back = until(&mut receiver, |snapshot| snapshot.problems.is_empty()).await;
    assert_eq!(home.resources(&back), ["ConfigMap default/d < conf/d.yaml:1:1"]);
    home.write("conf/e.yaml", config_map("e", "x"));
    until(&mut receiver, |snapshot| snapshot.resources.len() == 2).await;
}

#[test]
fn a_watch_of_nothing_is_an_error() {
    let home = Home::new();
    let error = watch(home.path().join("missing"))
        .expect_err("it is missing")
        .to_string();
    assert_eq!(home.cut(&error), "the manifest folder missing does not exist");
}
