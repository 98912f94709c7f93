use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Typed {
    #[command(flatten)]
    args: ExternalWebhooksServerArgs,
}

/// The configuration, or what cannot be meant; and the notes.
fn understood(typed: &[&str]) -> (Result<Config, String>, Vec<String>) {
    let words = std::iter::once("external-webhooks-server").chain(typed.iter().copied());
    let args = Typed::try_parse_from(words).unwrap().args;
    let notes = args.notes();
    (args.meaning().map_err(|error| error.to_string()), notes)
}

const BASE_URL: &str = "--external-webhook-server-base-url=https://hooks.example.com/in/";

#[test]
fn the_defaults_are_kargos() {
    let (config, notes) = understood(&[BASE_URL]);
    let config = config.unwrap();
    assert_eq!(
        config.listen.map(|address| address.to_string()).as_deref(),
        Some("0.0.0.0:8080")
    );
    assert_eq!(
        config.base_url.map(|url| url.join("/x")).as_deref(),
        Some("https://hooks.example.com/x")
    );
    assert_eq!(config.system_namespace, "kargo-system-resources");
    assert!(config.tls.is_none());
    let end = (config.limits.linger, config.limits.drain);
    assert_eq!(end, (Duration::from_secs(5), Duration::from_secs(25)));
    assert!(matches!(config.resources, Place::Kubernetes(options) if options.namespaces.is_empty()));
    assert_eq!(
        (config.log_format, config.log_level.as_str()),
        (LogFormat::Text, "info")
    );
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].starts_with("the journal is in /tmp/landfall and ends with the pod"),
        "{notes:?}"
    );
}

#[test]
fn what_is_missing_is_named() {
    for (typed, expected) in [
        (&[][..], "EXTERNAL_WEBHOOK_SERVER_BASE_URL is missing"),
        (
            &["--external-webhook-server-base-url="],
            "EXTERNAL_WEBHOOK_SERVER_BASE_URL is missing",
        ),
        (
            &[BASE_URL, "--tls-enabled"],
            "TLS_ENABLED needs TLS_CERT_PATH and TLS_KEY_PATH",
        ),
        (
            &["--external-webhook-server-base-url=hooks"],
            "EXTERNAL_WEBHOOK_SERVER_BASE_URL: it must begin with http:// or https://",
        ),
        (
            &["--base-url=https://robot:hunter2@hooks.example.com"],
            "--base-url or LANDFALL_BASE_URL: it must not have a user",
        ),
    ] {
        let problem = understood(typed).0.err().unwrap_or_default();
        assert!(problem.starts_with(expected), "{typed:?}: {problem}");
        assert!(!problem.contains("hunter2"), "{problem}");
    }
}

#[test]
fn the_end_takes_as_long_as_kargo_gives_it() {
    for (typed, expected) in [
        (&["--graceful-shutdown-timeout=3s"][..], (3, 0)),
        (&["--shutdown-delay=0s"], (0, 30)),
        (&["--shutdown-delay=20s", "--graceful-shutdown-timeout=1m"], (20, 40)),
    ] {
        let config = understood(&[&[BASE_URL], typed].concat()).0.unwrap();
        let end = (config.limits.linger, config.limits.drain);
        let (linger, drain) = expected;
        assert_eq!(
            end,
            (Duration::from_secs(linger), Duration::from_secs(drain)),
            "{typed:?}"
        );
    }
}

/// The volume of a pod whose journal is elsewhere matters to nobody.
#[test]
fn a_database_keeps_the_journal_when_the_pod_ends() {
    let notes = understood(&[BASE_URL, "--journal=postgres://landfall@db.example/landfall"]).1;
    assert_eq!(notes, [""; 0]);
}

/// TLS as Kargo's chart turns it on.
#[test]
fn a_certificate_is_taken_where_tls_is_on() {
    let typed = [
        "--tls-enabled",
        "--tls-cert-path=/etc/kargo/tls.crt",
        "--tls-key-path=/etc/kargo/tls.key",
    ];
    assert!(understood(&[&[BASE_URL], &typed[..]].concat()).0.unwrap().tls.is_some());
}

#[test]
fn settings_without_effect_are_named() {
    let (config, notes) = understood(&[
        "--base-url=http://a.example",
        "--kube-api-qps=50",
        "--kube-api-burst=300",
        "--data-dir=/d",
    ]);
    config.unwrap();
    assert_eq!(notes, ["these settings have no effect: KUBE_API_QPS, KUBE_API_BURST"]);
}

#[test]
fn levels_are_kargos() {
    for (level, expected) in [
        ("INFO", Ok("info")),
        ("Debug", Ok("info,landfall=debug")),
        ("DISCARD", Ok("off")),
        ("loud", Err("it is one of discard, error, info, debug and trace")),
    ] {
        let found = log_filter(level);
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{level}");
    }
}
