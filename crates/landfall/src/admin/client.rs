//! Asks a running landfall, through the socket in its data folder.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;

/// A connection to the landfall that works in a data folder.
pub struct Client {
    http: reqwest::Client,
    socket: PathBuf,
}

impl Client {
    /// A client of the landfall that works in `data_dir`. Nothing is sent yet.
    pub fn new(data_dir: &Path) -> anyhow::Result<Self> {
        let socket = super::socket(data_dir);
        if !socket.exists() {
            bail!(
                "no landfall is running with the data folder {}: start `landfall serve`, or name its folder with --data-dir",
                data_dir.display()
            );
        }
        let http = reqwest::Client::builder()
            .unix_socket(socket.clone())
            .no_proxy()
            .build()?;
        Ok(Self { http, socket })
    }

    /// Reads something.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.answer(self.http.get(url(path))).await
    }

    /// Does something.
    pub async fn post<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.answer(self.http.post(url(path))).await
    }

    async fn answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> anyhow::Result<T> {
        let response = request.send().await.with_context(|| {
            format!(
                "the landfall behind {} does not answer: is it running?",
                self.socket.display()
            )
        })?;
        let ok = response.status().is_success();
        let body = response.bytes().await.context("the answer broke off")?;
        if !ok {
            bail!("{}", String::from_utf8_lossy(&body).trim_end());
        }
        serde_json::from_slice(&body).context("the answer cannot be read: is the running landfall of another version?")
    }
}

/// The host means nothing on a socket of the file system.
fn url(path: &str) -> String {
    format!("http://landfall{path}")
}
