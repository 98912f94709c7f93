//! Builds the bytes of container images and indexes from a description; the same description gives the same digests.
//! It must not know where the bytes go: a folder, a registry, or nowhere.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

mod document;
mod tar;

use document::{Config, ImageManifest, RootFs, RuntimeConfig};
pub(crate) use document::{Descriptor, Index, to_json};

/// Media type of an image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an image index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of an image configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of an uncompressed layer.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A content digest, `sha256:` and 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The SHA-256 digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("sha256:{hex}"))
    }

    /// Takes `text` as a digest if it is one that this crate writes: `sha256:` and 64 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:")?;
        let is_hex = hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_hex.then(|| Self(text.to_owned()))
    }

    /// `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hex digits alone, as blobs are named in a layout folder.
    pub fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an image runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`, `windows`, …
    pub os: String,
    /// `amd64`, `arm64`, …
    pub architecture: String,
    /// `v7`, `v8`, …, where the architecture has variants.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub variant: Option<String>,
}

impl Platform {
    /// A platform without a variant, as in `Platform::new("linux", "arm64")`.
    pub fn new(os: &str, architecture: &str) -> Self {
        Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: None,
        }
    }

    /// The same platform with a variant.
    #[must_use]
    pub fn with_variant(self, variant: &str) -> Self {
        Self {
            variant: Some(variant.to_owned()),
            ..self
        }
    }
}

impl Default for Platform {
    /// `linux/amd64`.
    fn default() -> Self {
        Self::new("linux", "amd64")
    }
}

/// An image of one platform and one layer, described; equal descriptions give equal digests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageSpec {
    /// When it was built, written to the configuration; absent there if `None`.
    pub created: Option<Timestamp>,
    /// What it runs on.
    pub platform: Platform,
    /// Annotations of its manifest.
    pub annotations: BTreeMap<String, String>,
    /// Labels of its configuration.
    pub labels: BTreeMap<String, String>,
    /// Content of the one file in its one layer; another payload makes another digest.
    pub payload: Vec<u8>,
}

impl ImageSpec {
    /// A `linux/amd64` image with `payload` in its layer, without a build time, annotations or labels.
    pub fn new(payload: impl Into<Vec<u8>>) -> Self {
        Self {
            payload: payload.into(),
            ..Self::default()
        }
    }

    /// The same image, built at that time.
    #[must_use]
    pub fn created(self, at: Timestamp) -> Self {
        Self {
            created: Some(at),
            ..self
        }
    }

    /// The same image for another platform.
    #[must_use]
    pub fn platform(self, platform: Platform) -> Self {
        Self { platform, ..self }
    }

    /// The same image with one annotation more.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// The same image with one label more.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Builds layer, configuration and manifest.
    ///
    /// # Errors
    /// When JSON cannot be written, which no description leads to.
    pub fn build(&self) -> Result<Image> {
        let layer = tar::single_file("payload", &self.payload);
        let config = to_json(&Config {
            created: self.created.map(|at| at.to_string()),
            platform: &self.platform,
            config: RuntimeConfig { labels: &self.labels },
            rootfs: RootFs {
                kind: "layers",
                diff_ids: [Digest::of(&layer)],
            },
        })?;
        let manifest = to_json(&ImageManifest {
            schema_version: 2,
            media_type: MANIFEST,
            config: Descriptor::of(CONFIG, &config),
            layers: [Descriptor::of(LAYER, &layer)],
            annotations: &self.annotations,
        })?;
        let manifest = Manifest {
            media_type: MANIFEST.to_owned(),
            bytes: manifest,
        };
        Ok(Image {
            layer,
            config,
            manifest,
            platform: self.platform.clone(),
        })
    }
}

/// A manifest or an index as a registry stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its media type, which a registry wants in `Content-Type`.
    pub media_type: String,
    /// Its bytes, which its digest is the digest of.
    pub bytes: Vec<u8>,
}

impl Manifest {
    /// The digest of its bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// The index of `images`, each with its platform, in that order.
    ///
    /// # Errors
    /// When JSON cannot be written, which no description leads to.
    pub fn index(images: &[Image], annotations: &BTreeMap<String, String>) -> Result<Self> {
        let manifests = images
            .iter()
            .map(|image| Descriptor {
                platform: Some(image.platform.clone()),
                ..Descriptor::of(MANIFEST, &image.manifest.bytes)
            })
            .collect();
        let index = Index {
            schema_version: 2,
            media_type: Some(INDEX.to_owned()),
            manifests,
            annotations: annotations.clone(),
        };
        Ok(Self {
            media_type: INDEX.to_owned(),
            bytes: to_json(&index)?,
        })
    }
}

/// An image's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The layer, an uncompressed tar archive.
    pub layer: Vec<u8>,
    /// The configuration, JSON.
    pub config: Vec<u8>,
    /// The manifest that names both.
    pub manifest: Manifest,
    /// What it runs on, as an index says it.
    pub platform: Platform,
}

#[cfg(test)]
mod tests;
