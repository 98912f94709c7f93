use super::*;
use crate::config::{LogFormat, MetricsListener, MetricsReaders};
use crate::resources::Place;

/// What a command makes of what was typed, in short: the addresses of door, probes and metrics (with their certificate and who may
/// read them), TLS, the rate limit, and the notes; or the error.
fn read(program: Program, typed: &[&str]) -> String {
    let typed: Vec<OsString> = typed.iter().map(OsString::from).collect();
    match understand(program, &typed) {
        Err(Stop::Help) => "help".to_owned(),
        Err(Stop::Usage(error)) => error.to_string(),
        Ok(Understood { config, notes }) => {
            let show = |address: &Option<crate::server::ListenAddress>| {
                address.as_ref().map_or("-".to_owned(), ToString::to_string)
            };
            let (door, probes) = (show(&config.listen), show(&config.probes));
            let metrics = config.metrics.as_ref().map_or("-".to_owned(), listener);
            let tls = if config.tls.is_some() { "tls" } else { "plain" };
            let format = if config.log_format == LogFormat::Json {
                "json"
            } else {
                "text"
            };
            let rate = config.rate_limit_per_hour;
            let notes = notes.join("|");
            format!(
                "{door} {probes} {metrics} {tls} {rate:?} {} {format} {notes}",
                config.log_level
            )
        }
    }
}

fn listener(metrics: &MetricsListener) -> String {
    let tls = metrics.tls.as_ref().map_or(String::new(), |tls| {
        let file = tls.certificate.certificate.display().to_string();
        format!("+{}", if file.is_empty() { "tls" } else { &file })
    });
    let readers = match &metrics.readers {
        MetricsReaders::Everybody => "+all".to_owned(),
        MetricsReaders::Authorized { kubeconfig: None } => String::new(),
        MetricsReaders::Authorized { kubeconfig: Some(file) } => format!("+{}", file.display()),
    };
    format!("{}{tls}{readers}", metrics.address)
}

#[test]
fn flags_mean_what_they_mean_to_image_updater() {
    let folder = tempfile::tempdir().unwrap();
    let manifests = format!("--manifests={}", folder.path().display());
    let closed = "the webhook door stays closed: --enable-webhook, or ENABLE_WEBHOOK=true, opens it";
    for (program, typed, expected) in [
        (Program::Webhook, &[][..], ":8080 :8081 - tls None info text ".to_owned()),
        (Program::Run, &[], format!("- :8081 - plain None info text {closed}")),
        (Program::Run, &["--enable-webhook"], ":8082 :8081 - tls None info text ".to_owned()),
        (
            Program::Run,
            &["--enable-webhook", "--webhook-port=0"],
            format!("- :8081 - plain None info text {closed}"),
        ),
        (Program::Webhook, &["--webhook-port", "0"], ":0 :8081 - tls None info text ".to_owned()),
        (
            Program::Webhook,
            &["--webhook-port=0x1f92", "--disable-tls=T", "--health-probe-bind-address", "0", "--loglevel=DEBUG"],
            ":8082 - - plain None info,landfall=debug text ".to_owned(),
        ),
        (
            Program::Run,
            &["--enable-webhook=1", "--metrics-bind-address=:8443", "--webhook-ratelimit-allowed=60", "--logformat=json"],
            ":8082 :8081 :8443+tls tls Some(60) info json ".to_owned(),
        ),
        (
            Program::Run,
            &["--enable-webhook", "--interval", "-1s", "--dry-run", "--max-concurrent-apps=0x10", "--git-commit-user=x", "y"],
            ":8082 :8081 - tls None info text these settings have no effect yet: --dry-run, --git-commit-user, --interval, \
             --max-concurrent-apps|words that are no flags have no effect"
                .to_owned(),
        ),
        (
            Program::Webhook,
            &["--webhook-ratelimit-allowed=-5", "--docker-webhook-secret="],
            ":8080 :8081 - tls None info text ".to_owned(),
        ),
        (
            Program::Webhook,
            &["--metrics-bind-address=:9090", "--metrics-secure=false", "--metrics-cert-path=/nowhere"],
            ":8080 :8081 :9090+all tls None info text ".to_owned(),
        ),
        (
            Program::Run,
            &["--metrics-secure", "--metrics-bind-address", ":9090", "--metrics-cert-path=certs", "--kubeconfig=config"],
            format!("- :8081 :9090+certs/tls.crt+config plain None info text {closed}"),
        ),
        (
            Program::Webhook,
            &["--metrics-bind-address=:9090", "--metrics-authorization=false", "--kubeconfig="],
            ":8080 :8081 :9090+tls+all tls None info text without --kubernetes, these settings have no effect: --kubeconfig"
                .to_owned(),
        ),
        (
            Program::Run,
            &["--watch-namespaces=*", "--kubeconfig=config"],
            format!(
                "- :8081 - plain None info text without --kubernetes, these settings have no effect: --kubeconfig, \
                 --watch-namespaces|{closed}"
            ),
        ),
        (
            Program::Webhook,
            &["--controllers=warehouses"],
            "--controllers: a folder's Warehouses are always served; add --kubernetes, or leave it out".to_owned(),
        ),
        (Program::Webhook, &["--help"], "help".to_owned()),
        (Program::Webhook, &["--dry-run"], "unknown flag: --dry-run".to_owned()),
        (Program::Webhook, &["--max-concurrent-reconciles=1"], "unknown flag: --max-concurrent-reconciles".to_owned()),
        (Program::Run, &["--max-concurrent-updaters=1"], "unknown flag: --max-concurrent-updaters".to_owned()),
        (
            Program::Webhook,
            &["--webhook-port=70000"],
            "--webhook-port 70000: a port is between 0 and 65535".to_owned(),
        ),
        (Program::Run, &["--logformat=xml"], "invalid log format 'xml'".to_owned()),
        (
            Program::Run,
            &["--loglevel=loud"],
            "--loglevel \"loud\": one of trace, debug, info, warn and error".to_owned(),
        ),
        (
            Program::Webhook,
            &["--tlsminversion=1.4"],
            "failed to configure TLS: invalid --tlsminversion: unsupported TLS version: \"1.4\" (supported: 1.1, 1.2, 1.3)"
                .to_owned(),
        ),
        (
            Program::Run,
            &["--interval=5"],
            "invalid argument \"5\" for \"--interval\" flag: time: missing unit in duration \"5\"".to_owned(),
        ),
    ] {
        let typed: Vec<&str> = [manifests.as_str(), "--data-dir=data"].into_iter().chain(typed.iter().copied()).collect();
        assert_eq!(read(program, &typed), expected, "{program:?} {typed:?}");
    }
}

#[test]
fn a_folder_is_needed_and_a_journal_on_a_volume_is_better() {
    let missing = read(Program::Webhook, &[]);
    assert!(
        missing.starts_with("--manifests DIR is missing (or LANDFALL_MANIFESTS)"),
        "{missing}"
    );
    let folder = tempfile::tempdir().unwrap();
    let manifests = format!("--manifests={}", folder.path().display());
    assert_eq!(
        read(Program::Webhook, &[&manifests]),
        ":8080 :8081 - tls None info text the journal is in /tmp/landfall and ends with the pod; mount a volume, and name it by \
         --data-dir or LANDFALL_DATA_DIR"
    );
}

/// A folder that is named as well is not read.
#[test]
fn resources_may_come_from_an_api_server() {
    for (program, watched, expected) in [
        (Program::Run, "*", &[][..]),
        (Program::Webhook, "shop, bank", &["bank", "shop"]),
    ] {
        let watched = format!("--watch-namespaces={watched}");
        let typed = ["--kubernetes", "--manifests=nowhere", "--kubeconfig=config", &watched].map(OsString::from);
        let Ok(Understood { config, notes }) = understand(program, &typed) else {
            panic!("{program:?} is not understood");
        };
        let Place::Kubernetes(options) = config.resources else {
            panic!("{program:?} has its resources from a folder");
        };
        assert_eq!(options.kubeconfig.as_deref(), Some("config".as_ref()));
        assert_eq!(options.namespaces, expected);
        assert!(config.alone.is_some(), "one of several writes statuses");
        assert!(!notes.iter().any(|note| note.contains("have no effect")), "{notes:?}");
    }
}

#[test]
fn the_config_map_sets_what_neither_flag_nor_environment_does() {
    let folder = tempfile::tempdir().unwrap();
    let config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-image-updater-config, namespace: argocd}\ndata:\n  \
                      webhook.enable: \"true\"\n  webhook.port: \"9999\"\n  webhook.ratelimit-allowed: \"-3\"\n  \
                      disable-tls: \"TRUE\"\n  log.level: warn\n  git.user: someone\n";
    std::fs::write(folder.path().join("config.yaml"), config_map).unwrap();
    let manifests = format!("--manifests={}", folder.path().display());
    let notes = "key webhook.ratelimit-allowed of ConfigMap argocd-image-updater-config is passed over: \"-3\" is not between 0 \
                 and 9223372036854775807|these settings have no effect yet: --git-commit-user";
    for (typed, expected) in [
        (&[][..], format!(":9999 :8081 - plain None warn text {notes}")),
        (
            &["--webhook-port=1", "--disable-tls=false", "--loglevel=info"],
            format!(":1 :8081 - tls None info text {notes}"),
        ),
    ] {
        let typed: Vec<&str> = [manifests.as_str(), "--data-dir=data"]
            .into_iter()
            .chain(typed.iter().copied())
            .collect();
        assert_eq!(read(Program::Run, &typed), expected, "{typed:?}");
    }
}

#[test]
fn a_template_of_commit_messages_must_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let manifests = format!("--manifests={}", folder.path().display());
    let file = folder.path().join("commit.template");
    let flag = format!("--git-commit-message-path={}", file.display());
    let typed = [manifests.as_str(), "--data-dir=data", &flag];
    let starts = ":8080 :8081 - tls None info text these settings have no effect yet: --git-commit-message-path";
    for (text, expected) in [
        (None, starts.to_owned()),
        (Some(""), starts.to_owned()),
        (Some("{{ range .AppChanges }}{{ .Image }}{{ end }}"), starts.to_owned()),
        (
            Some("{{ range .AppChanges }}"),
            format!(
                "could not parse commit message template {}: template: commitMessage:1: unexpected EOF",
                file.display()
            ),
        ),
    ] {
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        assert_eq!(read(Program::Webhook, &typed), expected, "{text:?}");
    }
    let unreadable = format!("--git-commit-message-path={}", folder.path().display());
    let error = read(Program::Run, &[&manifests, "--data-dir=data", &unreadable]);
    assert!(error.starts_with("could not read commit message template: "), "{error}");
}

#[test]
fn the_commands_are_in_order() {
    for program in Program::ALL {
        pflag::grammar(program.command()).debug_assert();
    }
}
