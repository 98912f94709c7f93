//! Writes resources as YAML text, and into a folder that landfall watches; it does not check what landfall makes of
//! them, so that tests can write broken ones as well.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

use crate::credentials::Credentials;

/// One entry of `spec.webhookReceivers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Its name.
    pub name: String,
    /// Its sender's type, `dockerhub`, `quay`, …, as the field and the path call it.
    pub sender: String,
    /// The Secret that it names.
    pub secret_name: String,
}

impl Receiver {
    /// A receiver for that sender.
    pub fn new(name: &str, sender: &str, secret_name: &str) -> Self {
        Self {
            name: name.to_owned(),
            sender: sender.to_owned(),
            secret_name: secret_name.to_owned(),
        }
    }
}

/// A Warehouse. `subscriptions` is a YAML list, as [`image_subscription`] writes its entries, that starts at the left
/// margin.
pub fn warehouse(name: &str, namespace: &str, interval: &str, subscriptions: &str) -> String {
    format!(
        "apiVersion: kargo.akuity.io/v1alpha1\nkind: Warehouse\nmetadata:\n  name: {}\n  namespace: {}\nspec:\n  \
         interval: {}\n  subscriptions:\n{}",
        quote(name),
        quote(namespace),
        quote(interval),
        indent(subscriptions, 4),
    )
}

/// One entry of `subscriptions`: an image. `fields` is YAML with the fields besides `repoURL`, such as
/// `imageSelectionStrategy: NewestBuild`; it starts at the left margin and may be empty.
pub fn image_subscription(repo_url: &str, fields: &str) -> String {
    format!("- image:\n    repoURL: {}\n{}", quote(repo_url), indent(fields, 4))
}

/// The ProjectConfig of `project`, which is its name and its namespace.
pub fn project_config(project: &str, receivers: &[Receiver]) -> String {
    format!(
        "apiVersion: kargo.akuity.io/v1alpha1\nkind: ProjectConfig\nmetadata:\n  name: {0}\n  namespace: {0}\n{1}",
        quote(project),
        receivers_spec(receivers),
    )
}

/// The ClusterConfig, of which there is one, named `cluster`.
pub fn cluster_config(receivers: &[Receiver]) -> String {
    format!(
        "apiVersion: kargo.akuity.io/v1alpha1\nkind: ClusterConfig\nmetadata:\n  name: cluster\n{}",
        receivers_spec(receivers),
    )
}

/// A ProjectConfig with one `dockerhub` receiver, and the Secret that it names `RECEIVER-secret`: two documents.
pub fn dockerhub_project(project: &str, receiver: &str, secret: &str) -> String {
    let secret_name = format!("{receiver}-secret");
    let config = project_config(project, &[Receiver::new(receiver, "dockerhub", &secret_name)]);
    format!(
        "{config}---\n{}",
        receiver_secret(&secret_name, project, &[("secret", secret)])
    )
}

/// A Secret for a receiver. Most senders keep theirs under the key `secret`, GitLab and Artifactory under
/// `secret-token`, Harbor under `auth-header`.
pub fn receiver_secret(name: &str, namespace: &str, data: &[(&str, &str)]) -> String {
    secret(name, namespace, "generic", data)
}

/// A Secret with the credentials for the images of `repo_url`.
pub fn image_credentials(name: &str, namespace: &str, repo_url: &str, credentials: &Credentials) -> String {
    let data = [
        ("repoURL", repo_url),
        ("username", &credentials.username),
        ("password", &credentials.password),
    ];
    secret(name, namespace, "image", &data)
}

/// The path that a receiver is reached at, without a base path: `/SENDER/` and the SHA-256 of project, receiver name
/// and secret in hex. `project` is empty for a receiver of the ClusterConfig.
pub fn receiver_path(sender: &str, project: &str, receiver: &str, secret: &str) -> String {
    let hash = Sha256::digest(format!("{project}{receiver}{secret}"));
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("/{sender}/{hex}")
}

/// Writes `text` to the file `name` in `folder` at one go: a watcher sees the old file or the new one, never half.
///
/// # Errors
/// When the folder cannot be made or written to.
pub fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let path = folder.join(name);
    // Hidden and without the ending of a manifest, so that nobody takes it for one.
    let new = folder.join(format!(".{name}.new"));
    let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &path));
    written.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn receivers_spec(receivers: &[Receiver]) -> String {
    if receivers.is_empty() {
        return "spec: {}\n".to_owned();
    }
    let entry = |receiver: &Receiver| {
        format!(
            "    - name: {}\n      {}:\n        secretRef:\n          name: {}\n",
            quote(&receiver.name),
            receiver.sender,
            quote(&receiver.secret_name)
        )
    };
    format!(
        "spec:\n  webhookReceivers:\n{}",
        receivers.iter().map(entry).collect::<String>()
    )
}

fn secret(name: &str, namespace: &str, kind: &str, data: &[(&str, &str)]) -> String {
    let data: String = data
        .iter()
        .map(|(key, value)| format!("  {key}: {}\n", quote(value)))
        .collect();
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {}\n  namespace: {}\n  labels:\n    \
         kargo.akuity.io/cred-type: {kind}\nstringData:\n{data}",
        quote(name),
        quote(namespace),
    )
}

/// A JSON string, which is a YAML string whatever is in it.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn indent(text: &str, spaces: usize) -> String {
    text.lines()
        .map(|line| {
            if line.is_empty() {
                "\n".to_owned()
            } else {
                format!("{:spaces$}{line}\n", "")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
