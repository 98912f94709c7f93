use serde_json::Value;

use super::*;

fn read(name: &str, environment: Option<&str>, config_map: Option<&str>) -> (Option<(String, Origin)>, Option<String>) {
    let variable = named(name).unwrap();
    let keys = variable.key.zip(config_map);
    let config_map = keys.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let environment = |asked: &str| environment.filter(|_| asked == name).map(str::to_owned);
    value(variable, environment, &config_map.into_iter().collect())
}

#[test]
fn the_environment_comes_before_the_config_map_and_bad_values_are_passed_over() {
    let environment = |value: &str| (Some((value.to_owned(), Origin::Environment)), None);
    let config_map = |value: &str| (Some((value.to_owned(), Origin::ConfigMap)), None);
    let passed_over = |problem: &str| (None, Some(problem.to_owned()));
    for (name, variable, key, expected) in [
        ("WEBHOOK_PORT", Some("9000"), Some("9001"), environment("9000")),
        ("WEBHOOK_PORT", Some(""), Some("9001"), config_map("9001")),
        ("WEBHOOK_PORT", None, Some("+0"), config_map("0")),
        ("WEBHOOK_PORT", None, Some(""), (None, None)),
        ("WEBHOOK_PORT", None, None, (None, None)),
        (
            "WEBHOOK_PORT",
            Some("65536"),
            Some("9001"),
            passed_over(r#"variable WEBHOOK_PORT is passed over: "65536" is not between 0 and 65535"#),
        ),
        (
            "WEBHOOK_PORT",
            Some("0x1f92"),
            None,
            passed_over(r#"variable WEBHOOK_PORT is passed over: "0x1f92" is no whole number"#),
        ),
        (
            "MAX_CONCURRENT_APPS",
            None,
            Some("101"),
            passed_over(
                "key max_concurrent_apps of ConfigMap argocd-image-updater-config is passed over: \
                 \"101\" is not between 1 and 100",
            ),
        ),
        ("MAX_CONCURRENT_RECONCILES", Some("10"), None, environment("10")),
        (
            "MAX_CONCURRENT_UPDATERS",
            Some("0"),
            None,
            passed_over(r#"variable MAX_CONCURRENT_UPDATERS is passed over: "0" is not between 1 and 10"#),
        ),
        ("ENABLE_WEBHOOK", Some("TrUe"), None, environment("true")),
        ("ENABLE_WEBHOOK", None, Some("FALSE"), config_map("false")),
        (
            "ENABLE_WEBHOOK",
            Some("1"),
            Some("true"),
            passed_over(r#"variable ENABLE_WEBHOOK is passed over: "1" is neither true nor false"#),
        ),
        ("IMAGE_UPDATER_INTERVAL", Some("-1s"), None, environment("-1s")),
        (
            "IMAGE_UPDATER_INTERVAL",
            Some("120"),
            None,
            passed_over(
                r#"variable IMAGE_UPDATER_INTERVAL is passed over: "120" is no duration; one reads 30s, 5m or 1h30m"#,
            ),
        ),
        (
            "GIT_COMMIT_METHOD",
            Some("carrier pigeon"),
            None,
            environment("carrier pigeon"),
        ),
    ] {
        assert_eq!(read(name, variable, key), expected, "{name} {variable:?} {key:?}");
    }
}

#[test]
fn truth_values_are_those_that_the_peer_takes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vectors/go_bool.jsonl");
    let file = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Value> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!rows.is_empty());
    for row in rows {
        let text = row["in"].as_str().unwrap();
        let read = Reading::Truth.read(text).ok().map(|value| value == "true");
        let found = [false, true].map(|default| Value::from(read.unwrap_or(default)));
        let expected = ["image_updater_default_false", "image_updater_default_true"].map(|field| row[field].clone());
        assert_eq!(found, expected, "{text:?}");
    }
}

#[test]
fn numbers_are_those_that_the_peer_takes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vectors/go_int.jsonl");
    let file = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Value> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!rows.is_empty());
    for row in rows {
        let text = row["in"].as_str().unwrap();
        let read = Reading::Number(i64::MIN..=i64::MAX).read(text).ok();
        let decimal = row["decimal"].as_i64().map(|number| number.to_string());
        assert_eq!(read, decimal, "{text:?}");
    }
}
