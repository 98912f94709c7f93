//! What `deploy/terraform/ecr` posts, computed by Terraform itself as far as that needs no provider: the pattern, the
//! transformed event and the conditions of the variables. It must not know what AWS makes of the resources.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Set, by people or by the Makefile, where there is no Terraform: only then are these tests left out.
const WITHOUT: &str = "LANDFALL_WITHOUT_TERRAFORM";

/// What the configuration computes, as outputs.
const OUTPUTS: &str = r#"
output "endpoint" { value = local.endpoint }
output "pattern" { value = jsondecode(local.event_pattern) }
output "paths" { value = local.input_paths }
output "template" { value = local.input_template }
"#;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/terraform/ecr")
}

/// Terraform in a folder; `None` where somebody said that there is none.
fn terraform(folder: &Path, args: &[&str]) -> Option<Output> {
    if std::env::var(WITHOUT).is_ok_and(|value| !value.is_empty()) {
        println!("{WITHOUT} is set: deploy/terraform is not tested");
        return None;
    }
    let mut command = Command::new("terraform");
    command.arg(format!("-chdir={}", folder.display())).args(args);
    // Nothing of the caller's own settings, and no questions to anybody outside.
    command
        .env("TF_CLI_CONFIG_FILE", "/dev/null")
        .env("CHECKPOINT_DISABLE", "1")
        .env("TF_IN_AUTOMATION", "1");
    let output = command.output();
    Some(output.unwrap_or_else(|error| panic!("terraform: {error}; install it, or set {WITHOUT}=1 to leave it out")))
}

/// Those files of the configuration that need no provider, with outputs, in a folder of their own.
struct Computed(TempDir);

impl Computed {
    fn new() -> Option<Self> {
        let own = tempfile::tempdir().unwrap();
        for file in ["variables.tf", "event.tf"] {
            std::fs::copy(folder().join(file), own.path().join(file)).unwrap();
        }
        std::fs::write(own.path().join("outputs.tf"), OUTPUTS).unwrap();
        succeed(terraform(own.path(), &["init", "-input=false", "-no-color"])?);
        Some(Self(own))
    }

    fn apply(&self, variables: &Value) -> Output {
        let given = self.0.path().join("given.tfvars.json");
        // A line for each: an error quotes the line that it is about.
        std::fs::write(&given, format!("{variables:#}")).unwrap();
        let args = [
            "apply",
            "-auto-approve",
            "-input=false",
            "-no-color",
            "-var-file=given.tfvars.json",
        ];
        terraform(self.0.path(), &args).unwrap()
    }

    fn output(&self, variables: &Value, name: &str) -> Value {
        succeed(self.apply(variables));
        let text = succeed(terraform(self.0.path(), &["output", "-json", name]).unwrap());
        serde_json::from_str(&text).unwrap()
    }
}

fn succeed(output: Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}{said}",
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// What has to be given, changed by what a test is about.
fn variables(changes: &Value) -> Value {
    let mut all = json!({
        "aws_region": "eu-central-1",
        "webhook_url": "https://hooks.example.com/webhook",
        "webhook_secret": "0123456789abcdef",
    });
    for (name, value) in changes.as_object().unwrap() {
        all[name] = value.clone();
    }
    all
}

#[test]
fn files_are_formatted() {
    if let Some(output) = terraform(&folder(), &["fmt", "-check", "-diff", "-no-color"]) {
        succeed(output);
    }
}

#[test]
fn the_pattern_names_repositories_only_if_there_are_some() {
    let Some(computed) = Computed::new() else { return };
    let pattern = |names: Option<Value>| {
        let mut detail = json!({"action-type": ["PUSH"], "result": ["SUCCESS"], "image-tag": [{"exists": true}]});
        if let Some(names) = names {
            detail["repository-name"] = names;
        }
        json!({"source": ["aws.ecr"], "detail-type": ["ECR Image Action"], "detail": detail})
    };
    for (filter, expected) in [
        (json!([]), pattern(None)),
        (json!(["shop/api"]), pattern(Some(json!(["shop/api"])))),
        (
            json!(["shop/api", "team/*"]),
            pattern(Some(json!(["shop/api", {"wildcard": "team/*"}]))),
        ),
    ] {
        let given = variables(&json!({"ecr_repository_filter": filter}));
        assert_eq!(computed.output(&given, "pattern"), expected, "{filter}");
    }
}

#[test]
fn the_type_follows_from_the_transformation() {
    let Some(computed) = Computed::new() else { return };
    for (url, transform, expected) in [
        (
            "https://h.example.com/webhook",
            true,
            "https://h.example.com/webhook?type=cloudevents",
        ),
        (
            "https://h.example.com/webhook",
            false,
            "https://h.example.com/webhook?type=eventbridge",
        ),
        (
            "https://h.example.com/in/webhook?type=cloudevents",
            false,
            "https://h.example.com/in/webhook?type=eventbridge",
        ),
    ] {
        let given = variables(&json!({"webhook_url": url, "transform": transform}));
        assert_eq!(computed.output(&given, "endpoint"), json!(expected));
    }
}

#[test]
fn the_transformed_event_is_the_cloud_event_of_image_updater() {
    let Some(computed) = Computed::new() else { return };
    let given = variables(&json!({}));
    let event = json!({
        "id": "13cde686-328b-6117-af20-0e5566167482",
        "account": "123456789012",
        "time": "2026-11-16T01:54:34Z",
        "region": "eu-central-1",
        "detail": {"repository-name": "shop/api", "image-digest": "sha256:7f5b", "image-tag": "1.2.3"},
    });
    let mut text = computed.output(&given, "template").as_str().unwrap().to_owned();
    // As EventBridge fills a template: each path's value in the place of its name.
    for (name, path) in computed.output(&given, "paths").as_object().unwrap() {
        let steps = path.as_str().unwrap().trim_start_matches("$.").split('.');
        let value = steps.fold(&event, |value, step| &value[step]);
        text = text.replace(&format!("<{name}>"), value.as_str().unwrap());
    }
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!({
            "specversion": "1.0",
            "id": "13cde686-328b-6117-af20-0e5566167482",
            "type": "com.amazon.ecr.image.push",
            "source": "urn:aws:ecr:eu-central-1:123456789012:repository/shop/api",
            "subject": "shop/api:1.2.3",
            "time": "2026-11-16T01:54:34Z",
            "datacontenttype": "application/json",
            "data": {
                "repositoryName": "shop/api",
                "imageTag": "1.2.3",
                "imageDigest": "sha256:7f5b",
                "registryId": "123456789012",
            },
        })
    );
}

#[test]
fn variables_are_checked_before_anything_is_made() {
    let Some(computed) = Computed::new() else { return };
    let queue = "arn:aws:sqs:eu-central-1:123456789012:given-up";
    for (changes, expected) in [
        (json!({"aws_region": "Frankfurt"}), "aws_region must be a region"),
        (
            json!({"webhook_url": "http://h.example.com/webhook"}),
            "webhook_url must be https",
        ),
        (
            json!({"webhook_url": "https://h.example.com/webhook?type=cloudevents&secret=change-me"}),
            "webhook_url must be https",
        ),
        (json!({"webhook_secret": "short"}), "webhook_secret must have 16 to 512"),
        (
            json!({"ecr_repository_filter": ["registry.example.com:5000/x"]}),
            "ecr_repository_filter must list",
        ),
        (json!({"ecr_repository_filter": ["team/**"]}), "two * in a row"),
        (json!({"invocations_per_second": 301}), "from 1 to 300"),
        (json!({"invocations_per_second": 1.5}), "from 1 to 300"),
        (json!({"maximum_retry_attempts": 186}), "must be 0 to 185"),
        (json!({"maximum_event_age_in_seconds": 59}), "must be 60 to 86400"),
        (
            json!({"dead_letter_queue_arn": "given-up"}),
            "must be the ARN of an SQS",
        ),
        (
            json!({"dead_letter_queue_arn": queue, "create_dead_letter_queue": true}),
            "not both",
        ),
        (json!({"name": ""}), "name must have 1 to 48"),
    ] {
        let output = computed.apply(&variables(&changes));
        let said = String::from_utf8_lossy(&output.stderr).replace('\n', " ");
        assert!(!output.status.success() && said.contains(expected), "{changes}: {said}");
        assert!(!said.contains("0123456789abcdef"), "{changes}: shows a secret");
    }
    succeed(computed.apply(&variables(&json!({"dead_letter_queue_arn": queue}))));
}
