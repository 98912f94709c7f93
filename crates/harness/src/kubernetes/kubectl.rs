//! What tests ask of an API server, by its own `kubectl`: apply, try, look, and be somebody else.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{ApiServer, Definitions, programs};
use crate::child::spawn_error;

impl ApiServer {
    /// Runs `kubectl` as the user who may do everything, and returns what it wrote to standard output.
    ///
    /// # Errors
    /// When it fails: then with what it wrote to standard error.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.kubectl_with(args, "")
    }

    /// Runs `kubectl` as [`kubectl`](Self::kubectl) does, with standard input.
    ///
    /// # Errors
    /// When it fails: then with what it wrote to standard error.
    pub fn kubectl_with(&self, args: &[&str], input: &str) -> Result<String> {
        let output = run(self.command().args(args), input)?;
        let words = args.join(" ");
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("kubectl {words} failed, {}: {}", output.status, said.trim());
        }
        String::from_utf8(output.stdout).with_context(|| format!("kubectl {words} wrote no UTF-8"))
    }

    /// A `kubectl` for that user, with nothing of the caller's own configuration.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.programs.kubectl);
        command
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .env_remove("KUBECONFIG")
            // What it learned of one server's kinds must not be believed of another on the same port.
            .env("KUBECACHEDIR", self.folder.path().join("kubectl-cache"));
        command
    }

    /// A namespace that no other test of this process uses.
    ///
    /// # Errors
    /// When the API server does not make it.
    pub fn namespace(&self) -> Result<String> {
        let name = format!("test-{}", self.namespaces.fetch_add(1, Ordering::Relaxed) + 1);
        self.kubectl(&["create", "namespace", &name])?;
        Ok(name)
    }

    /// Makes or changes what `manifests` says, as YAML of one or more documents, and returns a line for each.
    ///
    /// # Errors
    /// When the API server refuses any of it.
    pub fn apply(&self, manifests: &str) -> Result<String> {
        self.kubectl_with(&["apply", "--server-side", "--filename=-"], manifests)
    }

    /// Asks the API server what [`apply`](Self::apply) would do, down to unknown fields, and changes nothing.
    ///
    /// # Errors
    /// When the API server would refuse any of it.
    pub fn try_apply(&self, manifests: &str) -> Result<String> {
        let args = [
            "apply",
            "--server-side",
            "--dry-run=server",
            "--validate=strict",
            "--filename=-",
        ];
        self.kubectl_with(&args, manifests)
    }

    /// Gets a resource, such as `["warehouses.kargo.akuity.io", "app", "--namespace=shop"]`.
    ///
    /// # Errors
    /// When there is none, or the API server does not answer.
    pub fn get(&self, what: &[&str]) -> Result<Value> {
        let args: Vec<&str> = ["get", "--output=json"].iter().chain(what).copied().collect();
        let text = self.kubectl(&args)?;
        serde_json::from_str(&text).with_context(|| format!("kubectl wrote no JSON: {text}"))
    }

    /// Defines the resources of Kargo, Argo CD and Image Updater, once, from the folder that `LANDFALL_CRDS` names or else
    /// from `../shared/crds` beside the repository, and waits until they can be used. Where there is neither, those are taken that
    /// `own` gives, which is to be what `landfall crds` prints. Returns whose they are.
    ///
    /// # Errors
    /// When `own` does not give any, or the API server refuses one.
    pub fn define_resources(&self, own: impl FnOnce() -> Result<String>) -> Result<Definitions> {
        if let Some(definitions) = self.crds.get() {
            return Ok(*definitions);
        }
        let definitions = match programs::crds()? {
            Some(folder) => {
                self.kubectl(&["apply", "--server-side", "--filename", &folder.to_string_lossy()])?;
                Definitions::Peers
            }
            None => {
                self.apply(&own()?)?;
                Definitions::Own
            }
        };
        self.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"])?;
        // Two tests that come here at once have done the same.
        let _ = self.crds.set(definitions);
        Ok(definitions)
    }

    /// The number of the last change that the API server knows of, of whatever object.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn revision(&self) -> Result<u64> {
        let list = self.kubectl(&["get", "--raw", "/api/v1/namespaces?limit=1"])?;
        let list: Value = serde_json::from_str(&list).with_context(|| format!("no JSON: {list}"))?;
        let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        version.parse().with_context(|| format!("no revision: {version:?}"))
    }

    /// The kubeconfig of a service account, which need not exist yet, in a file that is gone with the server.
    ///
    /// # Errors
    /// When the API server gives no token for it.
    pub fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let account = "{apiVersion: v1, kind: ServiceAccount, metadata: {name: NAME, namespace: NAMESPACE}}"
            .replace("NAMESPACE", namespace)
            .replace("NAME", name);
        self.apply(&account)?;
        let token = self.kubectl(&["create", "token", name, "--namespace", namespace, "--duration=4h"])?;
        let path = self.folder.path().join(format!("kubeconfig-{namespace}-{name}"));
        self.files
            .write_kubeconfig(&path, &self.url(), namespace, token.trim())?;
        Ok(path)
    }

    /// What a folder of kustomize makes, as YAML of one or more documents.
    ///
    /// # Errors
    /// When the folder is none, or its parts do not fit.
    pub fn kustomize(&self, folder: &Path) -> Result<String> {
        self.kubectl(&["kustomize", &folder.to_string_lossy()])
    }
}

fn run(command: &mut Command, input: &str) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| spawn_error(&program, error))?;
    let mut stdin = child.stdin.take().context("kubectl has no standard input")?;
    let input = input.to_owned();
    // By a thread of its own: it may write before it has read everything. Whether it read all shows in how it ends.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().context("cannot wait for kubectl")?;
    writer
        .join()
        .ok()
        .context("the thread that writes to kubectl panicked")?;
    Ok(output)
}
