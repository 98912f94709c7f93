//! Pushes images to a registry: by `skopeo`, as people do, or by a fast uploader; it does not look at what comes of it.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::child::spawn_error;
use crate::credentials::Credentials;
use crate::http::{Connection, Request, Response, TIMEOUT};
use crate::image::{Digest, INDEX, Image, ImageSpec, MANIFEST, Manifest};

/// Copies `tag` of the layout folder `layout` to `destination`, such as `127.0.0.1:5000/team/app:v1`, over plain HTTP;
/// an index with everything in it, every byte as it is. Returns the digest that `destination` has then.
///
/// # Errors
/// When `skopeo` is not installed or fails: then with what it said.
pub fn skopeo_copy(layout: &Path, tag: &str, destination: &str, credentials: Option<&Credentials>) -> Result<Digest> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder for skopeo")?;
    let digest_file = folder.path().join("digest");
    let mut command = Command::new("skopeo");
    command.args([
        "--insecure-policy",
        "copy",
        "--all",
        "--preserve-digests",
        "--dest-tls-verify=false",
    ]);
    command.arg("--digestfile").arg(&digest_file);
    match credentials {
        // In a file, so that no process list shows the password.
        Some(credentials) => {
            let host = destination.split('/').next().unwrap_or_default();
            let auth_file = folder.path().join("auth.json");
            fs::write(&auth_file, auth_json(host, credentials)).context("cannot write skopeo's credentials")?;
            command.arg("--dest-authfile").arg(auth_file);
        }
        None => {
            command.arg("--dest-no-creds");
        }
    }
    command
        .arg(format!("oci:{}:{tag}", layout.display()))
        .arg(format!("docker://{destination}"));
    let output = command.output().map_err(|error| spawn_error("skopeo", error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "skopeo could not copy to {destination}, {}: {}",
            output.status,
            said.trim()
        );
    }
    let digest = fs::read_to_string(&digest_file).context("skopeo wrote no digest")?;
    Digest::parse(digest.trim()).with_context(|| format!("skopeo wrote {digest:?}, which is no digest"))
}

fn auth_json(host: &str, credentials: &Credentials) -> String {
    let basic = credentials.basic();
    let auth = basic.strip_prefix("Basic ").unwrap_or_default();
    serde_json::json!({"auths": {host: {"auth": auth}}}).to_string()
}

/// Uploads to a registry over one kept connection: a new tag of known content is one request, a new image five.
/// It uploads no blob twice to the same repository. For more speed, use one per thread.
pub struct Uploader {
    host: String,
    authorization: Option<String>,
    connection: Option<Connection>,
    uploaded: HashSet<(String, Digest)>,
}

impl Uploader {
    /// An uploader to `host`, such as `127.0.0.1:5000`; it connects when it first has something to send.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            authorization: None,
            connection: None,
            uploaded: HashSet::new(),
        }
    }

    /// The same uploader, with credentials on every request.
    #[must_use]
    pub fn with_credentials(self, credentials: &Credentials) -> Self {
        Self {
            authorization: Some(credentials.basic()),
            ..self
        }
    }

    /// Uploads the image to `repository` under `tag`, and returns its manifest's digest.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn put_image(&mut self, repository: &str, tag: &str, spec: &ImageSpec) -> Result<Digest> {
        let image = spec.build()?;
        self.put_blobs(repository, &image)?;
        self.put_manifest(repository, tag, &image.manifest)
    }

    /// Uploads the images by digest only, and an index of them under `tag`; returns the index's digest.
    ///
    /// # Errors
    /// As for [`put_image`](Self::put_image).
    pub fn put_index(
        &mut self,
        repository: &str,
        tag: &str,
        specs: &[ImageSpec],
        annotations: &BTreeMap<String, String>,
    ) -> Result<Digest> {
        let images = specs.iter().map(ImageSpec::build).collect::<Result<Vec<_>>>()?;
        for image in &images {
            self.put_blobs(repository, image)?;
            self.put_manifest(repository, image.manifest.digest().as_str(), &image.manifest)?;
        }
        self.put_manifest(repository, tag, &Manifest::index(&images, annotations)?)
    }

    /// Gives `repository` one tag more for a manifest whose blobs it has: one request.
    /// The media type is the one that the manifest says it has.
    ///
    /// # Errors
    /// As for [`put_image`](Self::put_image), and when the manifest does not say its media type.
    pub fn tag_existing(&mut self, repository: &str, tag: &str, manifest: &[u8]) -> Result<Digest> {
        let json: serde_json::Value = serde_json::from_slice(manifest).context("the manifest is no JSON")?;
        let media_type = json["mediaType"]
            .as_str()
            .context("the manifest does not say its media type")?;
        let manifest = Manifest {
            media_type: media_type.to_owned(),
            bytes: manifest.to_vec(),
        };
        self.put_manifest(repository, tag, &manifest)
    }

    /// Puts a manifest, whatever it says, at `reference`, a tag or a digest.
    ///
    /// # Errors
    /// As for [`put_image`](Self::put_image).
    pub fn put_manifest(&mut self, repository: &str, reference: &str, manifest: &Manifest) -> Result<Digest> {
        let request = Request::new("PUT", manifest_path(repository, reference))
            .header("Content-Type", &manifest.media_type)
            .body(manifest.bytes.clone());
        self.expect(request, &[201])?;
        Ok(manifest.digest())
    }

    /// Uploads a blob, unless this uploader did so before.
    ///
    /// # Errors
    /// As for [`put_image`](Self::put_image).
    pub fn put_blob(&mut self, repository: &str, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        let key = (repository.to_owned(), digest.clone());
        if self.uploaded.contains(&key) {
            return Ok(digest);
        }
        let begun = self.expect(Request::new("POST", format!("/v2/{repository}/blobs/uploads/")), &[202])?;
        let location = begun
            .header("location")
            .context("the registry did not say where to upload to")?;
        let path = location.find("/v2/").map_or(location, |start| &location[start..]);
        let separator = if path.contains('?') { '&' } else { '?' };
        let request = Request::new("PUT", format!("{path}{separator}digest={digest}"))
            .header("Content-Type", "application/octet-stream")
            .body(bytes);
        self.expect(request, &[201])?;
        self.uploaded.insert(key);
        Ok(digest)
    }

    /// What `reference`, a tag or a digest, stands for; `None` if the registry does not know it.
    ///
    /// # Errors
    /// As for [`put_image`](Self::put_image).
    pub fn manifest(&mut self, repository: &str, reference: &str) -> Result<Option<Manifest>> {
        let accept = format!("{MANIFEST}, {INDEX}");
        let request = Request::new("GET", manifest_path(repository, reference)).header("Accept", accept);
        let response = self.expect(request, &[200, 404])?;
        if response.status == 404 {
            return Ok(None);
        }
        let media_type = response.header("content-type").unwrap_or_default().to_owned();
        Ok(Some(Manifest {
            media_type,
            bytes: response.body,
        }))
    }

    /// Deletes the manifest that `tag` stands for, and with it every tag of the same manifest: `docker-registry` 2.8
    /// deletes by digest only. Returns the digest, or `None` if there was no such tag.
    ///
    /// # Errors
    /// As for [`put_image`](Self::put_image).
    pub fn delete_tag(&mut self, repository: &str, tag: &str) -> Result<Option<Digest>> {
        let Some(manifest) = self.manifest(repository, tag)? else {
            return Ok(None);
        };
        let digest = manifest.digest();
        self.expect(
            Request::new("DELETE", manifest_path(repository, digest.as_str())),
            &[202],
        )?;
        Ok(Some(digest))
    }

    fn put_blobs(&mut self, repository: &str, image: &Image) -> Result<()> {
        self.put_blob(repository, &image.layer)?;
        self.put_blob(repository, &image.config)?;
        Ok(())
    }

    /// Sends the request and refuses any answer whose status is not one of `statuses`.
    fn expect(&mut self, request: Request, statuses: &[u16]) -> Result<Response> {
        let what = format!(
            "{} {}",
            request.method,
            request.path.split('?').next().unwrap_or_default()
        );
        let request = match &self.authorization {
            Some(authorization) => request.header("Authorization", authorization),
            None => request,
        };
        let response = self.send(&request).with_context(|| what.clone())?;
        if statuses.contains(&response.status) {
            return Ok(response);
        }
        bail!(
            "the registry at {} answered {} to {what}: {}",
            self.host,
            response.status,
            response.text().trim()
        )
    }

    fn send(&mut self, request: &Request) -> Result<Response> {
        // A kept connection may have been closed meanwhile, and every request here can be sent twice; so a failure on
        // one says nothing yet.
        if let Some(mut kept) = self.connection.take().filter(Connection::is_reusable)
            && let Ok(response) = kept.send(request)
        {
            self.connection = Some(kept);
            return Ok(response);
        }
        let mut connection = Connection::open(&self.host, TIMEOUT)?;
        let response = connection.send(request)?;
        self.connection = Some(connection);
        Ok(response)
    }
}

fn manifest_path(repository: &str, reference: &str) -> String {
    format!("/v2/{repository}/manifests/{reference}")
}

#[cfg(test)]
mod tests;
