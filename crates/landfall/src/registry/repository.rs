//! Asks one repository for manifests and blobs and checks their digests; must not know why they are asked, or how.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use reqwest::Method;

use super::answer::{Answer, BodyLimit};
use super::budget::Priority;
use super::connections::TlsVerification;
use super::credentials::Access;
use super::digest;
use super::endpoint::{Endpoint, RepositoryAddress, authority, is_tag};
use super::error::{Missing, RegistryError};
use super::exchange::{Question, Target};
use super::{Inner, TagListing};

/// The manifests we understand: OCI and Docker, single and multi-platform.
const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json";
/// The distribution specification asks registries to take manifests up to this size.
const MANIFEST_LIMIT: BodyLimit = BodyLimit {
    what: "a manifest",
    bytes: 4 * 1024 * 1024,
};

/// A manifest, as the registry holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The digest of the body: `sha256:…`, or the digest that was asked for.
    pub digest: String,
    /// The media type without parameters; empty if neither the registry nor the manifest says.
    pub media_type: String,
    /// The manifest, byte for byte.
    pub body: Bytes,
}

/// What a `HEAD` tells about a manifest. It is the registry's word: nothing was there to check it against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The digest, where the registry names one that is well formed.
    pub digest: Option<String>,
    /// The media type without parameters, where the registry names one.
    pub media_type: Option<String>,
}

/// How many requests were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestCount {
    /// Requests that asked for something, redirects included.
    pub registry: u32,
    /// Requests for proof: to token services, and those that were answered with a challenge.
    pub token: u32,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) registry: AtomicU32,
    pub(super) token: AtomicU32,
}

/// One repository, asked as one tenant. Cheap to clone; clones share their request count.
#[derive(Clone)]
pub struct RepositoryHandle {
    pub(super) inner: Arc<Inner>,
    pub(super) address: RepositoryAddress,
    pub(super) endpoint: Endpoint,
    pub(super) access: Access,
    pub(super) tls: TlsVerification,
    pub(super) priority: Priority,
    pub(super) counters: Arc<Counters>,
}

impl std::fmt::Debug for RepositoryHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RepositoryHandle")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl RepositoryHandle {
    pub(super) fn new(
        inner: Arc<Inner>,
        address: RepositoryAddress,
        access: Access,
        tls: TlsVerification,
        priority: Priority,
    ) -> Result<Self, RegistryError> {
        let endpoint = Endpoint::of(&address, &inner.options.mirrors)?;
        if let Access::Basic { username, .. } = &access
            && username.contains(':')
        {
            return Err(RegistryError::refused(format!(
                "the user name for {} holds a colon",
                address.host
            )));
        }
        Ok(Self {
            inner,
            address,
            endpoint,
            access,
            tls,
            priority,
            counters: Arc::default(),
        })
    }

    /// All tags, sorted by their bytes, each once.
    pub async fn tags(&self) -> Result<TagListing, RegistryError> {
        super::listing::tags(self, self.inner.options.listing_timeout).await
    }

    /// The manifest a tag points to now.
    ///
    /// A `sha256` digest the registry names in `Docker-Content-Digest` must be that of the body; one in another algorithm
    /// is passed over for the `sha256` digest of the body.
    pub async fn manifest_by_tag(&self, tag: &str) -> Result<Manifest, RegistryError> {
        let answer = self
            .ask(&self.manifest_question(Method::GET, tag, is_tag(tag))?)
            .await?;
        let computed = digest::sha256_of(&answer.body);
        match answer.header("docker-content-digest") {
            Some(named) if named.starts_with("sha256:") && named != computed => {
                let host = authority(&answer.url);
                Err(RegistryError::malformed(
                    &host,
                    format!("the manifest of {tag} is not what its digest says"),
                ))
            }
            _ => Ok(Manifest {
                digest: computed,
                media_type: manifest_type(&answer),
                body: answer.body,
            }),
        }
    }

    /// What a tag points to now, without its manifest. Docker Hub does not count this against its pull limit.
    pub async fn head_manifest(&self, tag: &str) -> Result<Head, RegistryError> {
        let answer = self
            .ask(&self.manifest_question(Method::HEAD, tag, is_tag(tag))?)
            .await?;
        let digest = answer
            .header("docker-content-digest")
            .filter(|text| digest::is_digest(text));
        Ok(Head {
            digest: digest.map(str::to_owned),
            media_type: content_type(&answer),
        })
    }

    /// The manifest with a digest; an error if the body is another.
    pub async fn manifest_by_digest(&self, digest: &str) -> Result<Manifest, RegistryError> {
        let question = self.manifest_question(Method::GET, digest, digest::is_digest(digest))?;
        let answer = self.ask(&question).await?;
        self.check_digest(digest, &answer)?;
        Ok(Manifest {
            digest: digest.to_owned(),
            media_type: manifest_type(&answer),
            body: answer.body,
        })
    }

    /// The blob with a digest; an error if it is another, or larger than `max_bytes`.
    pub async fn blob(&self, digest: &str, max_bytes: usize) -> Result<Bytes, RegistryError> {
        if !digest::is_digest(digest) {
            return Err(invalid_reference(digest));
        }
        let question = Question {
            method: Method::GET,
            target: Target::Below(format!("blobs/{digest}")),
            accept: "*/*",
            limit: BodyLimit {
                what: "a blob",
                bytes: max_bytes,
            },
            missing: Missing::Blob,
            name: format!("{}@{digest}", self.name()),
        };
        let answer = self.ask(&question).await?;
        self.check_digest(digest, &answer)?;
        Ok(answer.body)
    }

    /// The requests sent through this handle and its clones so far.
    pub fn requests(&self) -> RequestCount {
        RequestCount {
            registry: self.counters.registry.load(Ordering::Relaxed),
            token: self.counters.token.load(Ordering::Relaxed),
        }
    }

    /// The registry's canonical host.
    pub(super) fn host(&self) -> &str {
        &self.address.host
    }

    /// `host/path`, by the registry's canonical name.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.address.host, self.address.path)
    }
}

impl RepositoryHandle {
    fn manifest_question(&self, method: Method, reference: &str, valid: bool) -> Result<Question<'_>, RegistryError> {
        if !valid {
            return Err(invalid_reference(reference));
        }
        let mark = if reference.contains(':') { '@' } else { ':' };
        Ok(Question {
            method,
            target: Target::Below(format!("manifests/{reference}")),
            accept: MANIFEST_TYPES,
            limit: MANIFEST_LIMIT,
            missing: Missing::Manifest,
            name: format!("{}{mark}{reference}", self.name()),
        })
    }

    fn check_digest(&self, digest: &str, answer: &Answer) -> Result<(), RegistryError> {
        if digest::matches(digest, &answer.body) {
            return Ok(());
        }
        let host = authority(&answer.url);
        Err(RegistryError::malformed(
            &host,
            format!("what it gave for {}@{digest} is something else", self.name()),
        ))
    }
}

fn invalid_reference(reference: &str) -> RegistryError {
    let shown: String = reference.chars().take(150).collect();
    RegistryError::refused(format!("{shown:?} is not a valid tag or digest"))
}

fn content_type(answer: &Answer) -> Option<String> {
    let text = answer.header("content-type")?;
    let bare = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Some(bare).filter(|bare| !bare.is_empty())
}

/// The manifest's media type: the registry's word, unless it only says that it is JSON or bytes.
fn manifest_type(answer: &Answer) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        #[serde(default)]
        media_type: String,
    }
    match content_type(answer) {
        Some(named)
            if !matches!(
                named.as_str(),
                "application/json" | "application/octet-stream" | "text/plain"
            ) =>
        {
            named
        }
        _ => serde_json::from_slice::<Typed>(&answer.body)
            .map(|typed| typed.media_type)
            .unwrap_or_default(),
    }
}
