//! Image Updater's commands: what is typed, under which name, and how it ends; and that no secret is ever among what is said.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use landfall_harness::wait;
use tempfile::TempDir;

use crate::world::{BINARY, PATIENCE};

/// The binary under another name, as an image has it.
struct Called {
    folder: TempDir,
    name: &'static str,
}

impl Called {
    fn new(name: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        symlink(BINARY, folder.path().join(name)).unwrap();
        fs::create_dir(folder.path().join("manifests")).unwrap();
        Self { folder, name }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(self.name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.path());
        command.env_clear().current_dir(self.folder.path()).args(args);
        command
    }

    fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Exit code, standard output and the first line of standard error.
fn end(output: &Output) -> (Option<i32>, String, String) {
    let said = text(&output.stderr);
    let first = said.lines().next().unwrap_or_default().to_owned();
    (output.status.code(), text(&output.stdout), first)
}

#[test]
fn errors_end_as_the_programs_that_we_are_called_as_end() {
    let missing = "--manifests DIR is missing (or LANDFALL_MANIFESTS): this command reads its resources from a folder; mount them \
                   as files, for example from a ConfigMap, or let --kubernetes take them from an API server";
    for (args, code, said) in [
        (&["run", "--bogus"][..], 2, "unknown flag: --bogus"),
        (&["webhook", "-z"], 2, "unknown shorthand flag: 'z' in -z"),
        (
            &["--interval=5", "run"],
            2,
            "invalid argument \"5\" for \"--interval\" flag: time: missing unit in duration \"5\"",
        ),
        (
            &["--webhook-port", "x", "webhook"],
            2,
            "invalid argument \"x\" for \"--webhook-port\" flag: strconv.ParseInt: parsing \"x\": invalid syntax",
        ),
        (&["webhook"], 2, missing),
        (&["webhook", "--manifests=nowhere"], 2, "--manifests: "),
        (
            &[
                "webhook",
                "--manifests=manifests",
                "--data-dir=data",
                "--docker-webhook-secret-file=nowhere",
            ],
            1,
            "--docker-webhook-secret-file nowhere: there is no such file, or nothing in it",
        ),
    ] {
        for (name, prefix) in [
            ("landfall", "landfall: "),
            ("manager", "Error: "),
            ("argocd-image-updater", "Error: "),
        ] {
            let called = Called::new(name);
            let output = called.output(args);
            let (found, stdout, first) = end(&output);
            let expected = if name == "landfall" { code } else { 1 };
            assert_eq!((found, stdout.as_str()), (Some(expected), ""), "{name} {args:?}");
            assert!(
                first.starts_with(&format!("{prefix}{said}")),
                "{name} {args:?}: {first}"
            );
            let usage = text(&output.stderr).contains("Usage: argocd-image-updater ");
            assert_eq!(usage, name != "landfall", "{name} {args:?}");
        }
    }
}

#[test]
fn words_that_are_no_command_end_as_cobra_ends() {
    let called = Called::new("manager");
    let unknown =
        "Error: unknown command \"bogus\" for \"argocd-image-updater\"\nRun 'argocd-image-updater --help' for usage.\n";
    let output = called.output(&["bogus"]);
    assert_eq!(
        (output.status.code(), text(&output.stderr).as_str()),
        (Some(1), unknown)
    );
    // The word after an unknown flag counts as its value, so there is no command left.
    let (code, _, first) = end(&called.output(&["--dry-run", "run"]));
    assert_eq!((code, first.as_str()), (Some(1), "Error: unknown flag: --dry-run"));
    for args in [&[][..], &["--help"], &["help"]] {
        let (code, stdout, first) = end(&called.output(args));
        assert_eq!((code, first.as_str()), (Some(0), ""), "{args:?}");
        assert!(stdout.contains("Usage: argocd-image-updater"), "{args:?}: {stdout}");
    }
    for args in [
        &["run", "--help"][..],
        &["help", "run"],
        &["--metrics-bind-address=:8443", "run", "-h"],
    ] {
        let (code, stdout, first) = end(&called.output(args));
        assert_eq!((code, first.as_str()), (Some(0), ""), "{args:?}");
        assert!(stdout.contains("--max-concurrent-reconciles"), "{args:?}: {stdout}");
    }
}

#[test]
fn commands_look_for_the_data_folder_where_it_is_by_default() {
    for (name, folder) in [("landfall", "landfall-data"), ("manager", "/tmp/landfall")] {
        for args in [&["get", "warehouses", "--help"][..], &["deliveries", "list", "--help"]] {
            let (code, stdout, _) = end(&Called::new(name).output(args));
            assert_eq!(code, Some(0), "{name} {args:?}");
            assert!(
                stdout.contains(&format!("[default: {folder}]")),
                "{name} {args:?}: {stdout}"
            );
        }
    }
}

#[test]
fn versions_have_the_shape_of_the_program_that_we_are_called_as() {
    let number = env!("CARGO_PKG_VERSION");
    let manager = Called::new("manager");
    let (code, stdout, _) = end(&manager.output(&["version"]));
    let lines: Vec<&str> = stdout.lines().collect();
    let names: Vec<&str> = lines.iter().map(|line| line.split(": ").next().unwrap()).collect();
    let expected = [
        "argocd-image-updater",
        "  BuildDate",
        "  GitCommit",
        "  GoVersion",
        "  GoCompiler",
        "  Platform",
    ];
    assert_eq!((code, names.as_slice()), (Some(0), &expected[..]));
    assert!(
        lines[0].starts_with(&format!("argocd-image-updater: v{number}+")),
        "{stdout}"
    );
    for args in [&["version", "--short"][..], &["version", "--short=T"]] {
        let (code, stdout, _) = end(&manager.output(args));
        let short = stdout
            .strip_prefix(&format!("v{number}+"))
            .map(|commit| commit.trim_end().len());
        assert_eq!((code, short), (Some(0), Some(7)), "{stdout}");
    }
    let landfall = Called::new("landfall");
    assert_eq!(end(&landfall.output(&["version"])).1, format!("landfall {number}\n"));
    assert_eq!(end(&landfall.output(&["version", "--short"])).1, format!("{number}\n"));
}

#[test]
fn the_built_in_template_is_shown() {
    let called = Called::new("argocd-image-updater");
    let (code, stdout, first) = end(&called.output(&["template"]));
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!((code, first.as_str(), lines.len()), (Some(0), "", 5), "{stdout}");
    assert_eq!(
        lines[..3],
        [
            "build: automatic update of example-app",
            "",
            "updates image example/example tag '1.0.0' to '1.0.1'",
        ]
    );
    assert!(
        lines[3].starts_with("updates image example/updater tag 'sha256:"),
        "{stdout}"
    );
    // Anything but one path is the built-in one.
    assert_eq!(end(&called.output(&["template", "a", "b"])).1, stdout);
}

/// Whoever swapped the image in Kargo's Deployment has never heard of our flags.
#[test]
fn a_value_that_came_by_a_variable_is_refused_with_the_name_of_the_variable() {
    let tip = |variable: &str| format!("tip: the value was read from the environment variable {variable}");
    for (name, args, variable, value) in [
        ("landfall", &["external-webhooks-server"][..], "PORT", "abc"),
        ("kargo", &["external-webhooks-server"], "TLS_ENABLED", "maybe"),
        (
            "landfall",
            &["external-webhooks-server"],
            "GRACEFUL_SHUTDOWN_TIMEOUT",
            "-1s",
        ),
        ("kargo", &["external-webhooks-server"], "LOG_FORMAT", "xml"),
        ("landfall", &["serve", "--data-dir", "x"], "LANDFALL_LISTEN", "nowhere"),
    ] {
        let called = Called::new(name);
        let output = called.command(args).env(variable, value).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(value) && said.contains(&tip(variable)), "{said}");
    }
    // What was typed is not said to come from elsewhere.
    let called = Called::new("landfall");
    for typed in [&["--port", "abc"][..], &["--port=abc"]] {
        let args = [&["external-webhooks-server"], typed].concat();
        let output = called.command(&args).env("PORT", "8080").output().unwrap();
        let said = text(&output.stderr);
        assert!(
            said.contains("'abc' for '--port <N>'") && !said.contains("tip"),
            "{said}"
        );
    }
}

/// What becomes of a file with a template: what is shown, what is said, and the exit codes as Image Updater and as landfall.
#[test]
fn templates_of_ones_own_are_shown() {
    let own = "{{- /* ours */ -}}\nchore({{ .AppName }}): {{ len .AppChanges }} images\n{{ range $i, $c := .AppChanges }}\n\
               {{ printf \"%-16s\" $c.Image }} {{ slice $c.NewTag 0 5 }}{{ with $c.Labels }}!{{ end }}{{ end }}\n";
    let shown = "chore(example-app): 2 images\n\nexample/example  1.0.1\nexample/updater  sha25\n\n";
    for (file, text, stdout, said, as_landfall) in [
        ("own", Some(own), shown, "", 0),
        ("empty", Some(""), "\n", "", 0),
        (
            "nowhere",
            None,
            "",
            "nowhere cannot be read: No such file or directory",
            1,
        ),
        (
            "open",
            Some("\n{{ .AppName"),
            "",
            "open holds no template: template: commitMessage:2: unclosed action",
            1,
        ),
        (
            "unknown",
            Some("{{ .AppName | upper }}"),
            "",
            "unknown holds no template: template: commitMessage:1: function \"upper\" not defined",
            1,
        ),
        (
            "wrong",
            Some("{{ .App }}"),
            "build: update of application example-app\n",
            "commits would get a headline alone: template: commitMessage:1:3: executing \"commitMessage\" at <.App>: can't \
             evaluate field App in type argocd.commitMessageTemplate",
            1,
        ),
    ] {
        for program in ["argocd-image-updater", "landfall"] {
            let called = Called::new(program);
            if let Some(text) = text {
                fs::write(called.folder.path().join(file), text).unwrap();
            }
            let (code, output, first) = end(&called.output(&["template", file]));
            let is_landfall = program == "landfall";
            let expected_code = if is_landfall { as_landfall } else { 0 };
            let expected_output = if is_landfall && as_landfall == 1 { "" } else { stdout };
            assert_eq!(
                (code, output.as_str()),
                (Some(expected_code), expected_output),
                "{program} {file}"
            );
            assert!(
                first.trim_start_matches("landfall: ").starts_with(said),
                "{program} {file}: {first}"
            );
            assert!(!said.is_empty() || first.is_empty(), "{program} {file}: {first}");
        }
    }
}

#[test]
fn shells_get_their_completions() {
    for (shell, mark) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef"),
        ("fish", "complete -c"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let (code, stdout, _) = end(&Called::new("manager").output(&["completion", shell]));
        assert_eq!(code, Some(0), "{shell}");
        assert!(
            stdout.contains(mark) && stdout.contains("argocd-image-updater"),
            "{shell}: {stdout}"
        );
        assert!(
            stdout.contains("--max-concurrent-reconciles") || stdout.contains("max-concurrent-reconciles"),
            "{shell}"
        );
    }
}

#[test]
fn git_gets_no_credentials_that_nobody_has() {
    let called = Called::new("manager");
    let question = "Username for 'https://example.com': ";
    for (nonce, args, said) in [
        (
            "nonce",
            &[][..],
            "Error: expected one argument, the question, and got 0",
        ),
        ("", &[question], "Error: ARGOCD_GIT_ASKPASS_NONCE is not set"),
        ("nonce", &["Colour?"], "Error: unknown credential type"),
        (
            "nonce",
            &[question],
            "Error: this version of landfall does not write to Git",
        ),
        (
            "nonce",
            &["Password for x: "],
            "Error: this version of landfall does not write to Git",
        ),
    ] {
        let mut command = called.command(args);
        command
            .env("ARGOCD_BINARY_NAME", "argocd-git-ask-pass")
            .env("ARGOCD_GIT_ASKPASS_NONCE", nonce);
        let (code, stdout, first) = end(&command.output().unwrap());
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{args:?}");
        assert!(first.starts_with(said), "{args:?}: {first}");
    }
}

#[test]
fn the_reference_is_what_the_flags_say() {
    let (code, reference, _) = end(&Called::new("landfall").output(&["docs"]));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(code, Some(0));
    assert!(
        page == reference,
        "docs/configuration.md is behind the flags: landfall docs > docs/configuration.md"
    );
}

/// The senders' words in the names of settings.
const WORDS: [&str; 9] = [
    "docker",
    "distribution",
    "ghcr",
    "harbor",
    "quay",
    "aliyun-acr",
    "acr",
    "cloudevents",
    "eventbridge",
];

#[test]
fn no_secret_is_ever_said() {
    const MARK: &str = "xyzzy";
    for name in ["landfall", "manager"] {
        let called = Called::new(name);
        let own = format!("--docker-webhook-secret={MARK}-flag");
        for args in [
            &["serve", "--help"][..],
            &["webhook", "--help"],
            &["run", "-h"],
            &["help", "webhook"],
            &["docs"],
            &["completion", "fish"],
            &["run", "--bogus"],
            &["webhook", &own, "--webhook-port=x"],
            &["webhook", &own, "--docker-webhook-secre=xyzzy-typo"],
            &["webhook", &own, "--manifests=nowhere"],
            &[
                "webhook",
                &own,
                "--manifests=manifests",
                "--data-dir=data",
                "--harbor-webhook-secret-file=nowhere",
            ],
            &[
                &own,
                "webhook",
                "--loglevel=trace",
                "--manifests=manifests",
                "--data-dir=/proc/nowhere",
            ],
            &["serve", &own, "--retry-attempts=0"],
            &["serve", &own, "--manifests=nowhere"],
        ] {
            let mut command = called.command(args);
            for word in WORDS {
                let variable = format!("{}_WEBHOOK_SECRET", word.replace('-', "_").to_uppercase());
                command.env(&variable, format!("{MARK}-{word}"));
                command.env(variable + "_PREVIOUS", format!("{MARK}-old-{word}"));
            }
            let output = command.output().unwrap();
            let said = text(&output.stdout) + &text(&output.stderr);
            assert!(!said.is_empty() && !said.contains(MARK), "{name} {args:?} says {said}");
        }
    }
}

#[test]
fn run_without_a_webhook_opens_no_door() {
    let called = Called::new("manager");
    let log = called.folder.path().join("log");
    let args = [
        "run",
        "--manifests=manifests",
        "--data-dir=data",
        "--health-probe-bind-address=0",
    ];
    let mut child = called
        .command(&args)
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let problems = ["get", "problems", "--data-dir=data"];
    let ready = wait::until(PATIENCE, "an answer of the running landfall", || {
        called.output(&problems).status.success().then_some(())
    });
    let said = fs::read_to_string(&log).unwrap();
    let sockets = fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
    let inodes: Vec<String> = sockets
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()?.to_str().map(str::to_owned))
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let listening: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .flat_map(|table| {
            fs::read_to_string(table)
                .unwrap_or_default()
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter(|line| {
            line.split_whitespace()
                .nth(9)
                .is_some_and(|inode| inodes.iter().any(|ours| ours == inode))
        })
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    ready.unwrap_or_else(|error| panic!("{error}\n{said}"));
    assert!(said.contains("the webhook door stays closed"), "{said}");
    assert!(!inodes.is_empty() && listening.is_empty(), "{listening:#?}");
}
