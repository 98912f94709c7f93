//! How etcd and the API server are started, and the files that they are given; it starts nothing but `openssl`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::programs::Programs;
use crate::child::spawn_error;

/// The token of the user who may do everything. The server listens on 127.0.0.1 and lives as long as its tests.
const ADMIN_TOKEN: &str = "landfall-harness";

/// The files of one Kubernetes, all in one folder.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
}

impl Files {
    /// Writes what the servers read before they run.
    pub(super) fn write(folder: &Path) -> Result<Self> {
        let files = Self {
            folder: folder.to_owned(),
        };
        let users = format!("{ADMIN_TOKEN},admin,admin,system:masters\n");
        fs::write(files.tokens(), users).context("cannot write the API server's users")?;
        files.make_service_account_key()?;
        Ok(files)
    }

    /// Signs the tokens of service accounts.
    fn make_service_account_key(&self) -> Result<()> {
        let made = Command::new("openssl")
            .args(["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"])
            .arg(self.service_account_key())
            .output()
            .map_err(|error| spawn_error("openssl", error))?;
        if !made.status.success() {
            bail!(
                "openssl made no key for service accounts: {}",
                String::from_utf8_lossy(&made.stderr).trim()
            );
        }
        Ok(())
    }

    fn tokens(&self) -> PathBuf {
        self.folder.join("tokens.csv")
    }

    fn service_account_key(&self) -> PathBuf {
        self.folder.join("service-accounts.key")
    }

    /// What the API server makes at its first start, and uses at each later one.
    fn certificates(&self) -> PathBuf {
        self.folder.join("certificates")
    }

    /// What the API server shows, and whom it is signed by.
    pub(super) fn certificate(&self) -> PathBuf {
        self.certificates().join("apiserver.crt")
    }

    pub(super) fn etcd_log(&self) -> PathBuf {
        self.folder.join("etcd.log")
    }

    pub(super) fn api_log(&self) -> PathBuf {
        self.folder.join("kube-apiserver.log")
    }

    pub(super) fn admin_kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Writes the kubeconfig of the user who may do everything.
    pub(super) fn write_admin_kubeconfig(&self, port: u16) -> Result<()> {
        self.write_admin_kubeconfig_for(&self.admin_kubeconfig(), &format!("https://127.0.0.1:{port}"))
    }

    /// Writes the kubeconfig of that user at another address.
    pub(super) fn write_admin_kubeconfig_for(&self, path: &Path, server: &str) -> Result<()> {
        self.write_kubeconfig(path, server, "default", ADMIN_TOKEN)
    }

    /// Writes a kubeconfig, as JSON, which is YAML as well.
    pub(super) fn write_kubeconfig(&self, path: &Path, server: &str, namespace: &str, token: &str) -> Result<()> {
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "harness", "cluster": {
                "server": server,
                "certificate-authority": self.certificate(),
            }}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "harness", "context": {
                "cluster": "harness", "user": "user", "namespace": namespace,
            }}],
            "current-context": "harness",
        });
        fs::write(path, kubeconfig.to_string()).with_context(|| format!("cannot write {}", path.display()))
    }

    /// etcd, which need not survive a crash of the machine.
    pub(super) fn etcd(&self, programs: &Programs, port: u16) -> Command {
        let url = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(&programs.etcd);
        command
            .arg("--data-dir")
            .arg(self.folder.join("etcd"))
            .args(["--listen-client-urls", &url, "--advertise-client-urls", &url])
            .args(["--listen-peer-urls", "http://127.0.0.1:0"])
            .args(["--unsafe-no-fsync", "--log-level", "warn"]);
        command
    }

    /// An API server without controllers: nobody makes service accounts, so it must not ask for them.
    pub(super) fn kube_apiserver(&self, programs: &Programs, port: u16, etcd_port: u16) -> Command {
        let mut command = Command::new(&programs.kube_apiserver);
        command
            .arg(format!("--etcd-servers=http://127.0.0.1:{etcd_port}"))
            .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
            .arg(format!("--secure-port={port}"))
            .arg("--cert-dir")
            .arg(self.certificates())
            .arg("--token-auth-file")
            .arg(self.tokens())
            .args([
                "--authorization-mode=RBAC",
                "--disable-admission-plugins=ServiceAccount",
            ])
            .args([
                "--endpoint-reconciler-type=none",
                "--service-cluster-ip-range=10.0.0.0/24",
            ])
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg("--service-account-key-file")
            .arg(self.service_account_key())
            .arg("--service-account-signing-key-file")
            .arg(self.service_account_key());
        command
    }
}
