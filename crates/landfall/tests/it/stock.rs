//! A stock install of Image Updater works unchanged: its Deployment's command, arguments and variables, resolved as the kubelet
//! resolves them, with landfall in the place of the program.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Child, Command};
use std::time::Duration;

use landfall_harness::http::{Connection, Request};
use landfall_harness::{free_port, wait};
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{BINARY, PATIENCE};

const INSTALL: &str = include_str!("stock/install.yaml");

/// The senders, as `landfall send` calls them, each with its `type`, a repository, and the secret of the install.
const SENDERS: [(&str, &str, &str, &str); 7] = [
    ("dockerhub", "docker.io", "example/app", "stock-docker"),
    ("github", "ghcr.io", "ghcr.io/example/app", "stock-ghcr"),
    ("harbor", "harbor", "harbor.example.com/example/app", "stock-harbor"),
    ("quay", "quay.io", "quay.io/example/app", "stock-quay"),
    (
        "aliyun-acr",
        "aliyun-acr",
        "registry.cn-hangzhou.aliyuncs.com/example/app",
        "stock-aliyun-acr",
    ),
    ("azure", "acr", "example.azurecr.io/example/app", "stock-acr"),
    (
        "cloudevents",
        "cloudevents",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/example/app",
        "stock-cloudevents",
    ),
];

/// A pod of the install, without its other containers, its network and its cluster.
struct Pod {
    folder: TempDir,
    port: u16,
    probes: u16,
    process: Child,
}

impl Drop for Pod {
    fn drop(&mut self) {
        // One that has ended already is as dead.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Pod {
    /// Starts what the install says, with the folder and the journal said by two variables more. The ports of probes and metrics are
    /// the machine's, which others use as well, so they are others here.
    fn start(disable_tls: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [port, probes, metrics] = [(); 3].map(|()| free_port().unwrap());
        let install = INSTALL
            .replace("${PORT}", &port.to_string())
            .replace("${DISABLE_TLS}", &disable_tls.to_string());
        let documents: Vec<Value> = install
            .split("\n---\n")
            .map(|text| serde_saphyr::from_str(text).unwrap())
            .collect();
        let [config_map, secret, deployment] = documents.as_slice() else {
            panic!("{} documents", documents.len());
        };
        let manager = folder.path().join("manager");
        symlink(BINARY, &manager).unwrap();
        fs::create_dir(folder.path().join("manifests")).unwrap();
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["command"], serde_json::json!(["/manager"]));
        let words = |list: &Value| -> Vec<String> {
            list.as_array()
                .unwrap()
                .iter()
                .map(|word| word.as_str().unwrap().to_owned())
                .collect()
        };
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new(manager)
            .env_clear()
            .args(words(&container["args"]))
            .arg(format!("--health-probe-bind-address=127.0.0.1:{probes}"))
            .arg(format!("--metrics-bind-address=127.0.0.1:{metrics}"))
            .envs(environment(container, config_map, secret))
            .env("LANDFALL_MANIFESTS", folder.path().join("manifests"))
            .env("LANDFALL_DATA_DIR", folder.path().join("data"))
            .stderr(log)
            .spawn()
            .unwrap();
        let pod = Self {
            folder,
            port,
            probes,
            process,
        };
        let ready = wait::until(PATIENCE, "the pod to be ready", || {
            let response = Connection::open(&format!("127.0.0.1:{}", pod.probes), Duration::from_secs(1))
                .and_then(|mut connection| connection.send(&Request::new("GET", "/readyz")));
            matches!(response, Ok(response) if response.status == 200).then_some(())
        });
        ready.unwrap_or_else(|error| panic!("{error}\n{}", pod.log()));
        pod
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn command(&self, args: &[&str]) -> std::process::Output {
        let mut command = Command::new(BINARY);
        command
            .env_clear()
            .env("LANDFALL_DATA_DIR", self.folder.path().join("data"));
        command.args(args).output().unwrap()
    }
}

/// The variables of a container. What is optional and not there is not set.
fn environment(container: &Value, config_map: &Value, secret: &Value) -> BTreeMap<String, String> {
    let variable = |variable: &Value| {
        let from = &variable["valueFrom"];
        let value = match (&variable["value"], &from["configMapKeyRef"], &from["secretKeyRef"]) {
            (Value::String(value), ..) => Some(value.as_str()),
            (_, Value::Object(reference), _) => config_map["data"][reference["key"].as_str()?].as_str(),
            (_, _, Value::Object(reference)) => secret["stringData"][reference["key"].as_str()?].as_str(),
            _ => None,
        };
        Some((variable["name"].as_str()?.to_owned(), value?.to_owned()))
    };
    container["env"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(variable)
        .collect()
}

#[test]
fn every_sender_is_heard_by_a_stock_install() {
    let pod = Pod::start(true);
    for (name, type_name, repository, secret) in SENDERS {
        let url = format!("http://127.0.0.1:{}/webhook?type={type_name}", pod.port);
        let send = |secret: &str| {
            let what = [
                "send", name, "--repo", repository, "--tag", "1.2.3", "--to", &url, "--secret", secret,
            ];
            let output = pod.command(&what);
            (
                output.status.code(),
                String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
            )
        };
        let (code, said) = send(secret);
        assert_eq!(code, Some(0), "{name}: {said}\n{}", pod.log());
        assert!(said.contains("Webhook received and processing"), "{name}: {said}");
        let (code, said) = send("wrong");
        assert_eq!(code, Some(1), "{name}: {said}");
        assert!(said.contains("401"), "{name}: {said}");
    }
    let listed = pod.command(&["deliveries", "list", "-o", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), SENDERS.len(), "{listed:#}");
    let log = pod.log();
    assert!(
        log.contains("these settings have no effect yet: --disable-kube-events, --git-commit-user, --interval"),
        "{log}"
    );
    assert!(!log.contains("stock-"), "{log}");
}

#[test]
fn a_stock_install_does_tls_with_a_certificate_of_its_own() {
    let pod = Pod::start(false);
    let url = format!(
        "https://127.0.0.1:{}/webhook?type=docker.io&secret=stock-docker",
        pod.port
    );
    let body = r#"{"push_data":{"tag":"1.2.3"},"repository":{"repo_name":"example/app"}}"#;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let answered = runtime.block_on(async {
        let client = reqwest::Client::builder()
            .danger_accept_invalid_certs(true)
            .no_proxy()
            .build()
            .unwrap();
        let response = client.post(url).body(body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    });
    assert_eq!(
        answered,
        (200, "Webhook received and processing".to_owned()),
        "{}",
        pod.log()
    );
}
