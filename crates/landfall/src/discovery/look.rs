//! Looks at one repository: lists its tags, and finds out what a tag holds with as few requests as that takes.

use std::sync::Arc;

use jiff::Timestamp;
use landfall_core::artifact::{Digest, Tag};
use landfall_core::discovery::{ChildImage, ConfigFacts, Facts, Manifest, Seen, Unusable, read_config, read_manifest};
use landfall_core::repository::ImageRepository;
use tokio::sync::OnceCell;

use super::catalogs::SharedCatalog;
use crate::clock::now;
use crate::registry::{RegistryError, RepositoryHandle};
use crate::store::{Listing, Sighting, Store, StoreError};

/// A repository that can be asked, with what is known of it.
pub struct Repository {
    /// Its canonical name.
    pub name: ImageRepository,
    /// The name of the credentials it is asked with.
    pub access: String,
    /// What is known of it.
    pub catalog: Arc<OnceCell<SharedCatalog>>,
    /// How it is asked.
    pub registry: RepositoryHandle,
    /// Where what is seen is kept.
    pub store: Store,
}

/// What a look at a tag found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// The tag is there; what it holds is in the catalog.
    Seen(Digest),
    /// The whole repository was listed.
    Listed,
    /// There is no such tag, or what it points at is not there yet. Says what is missing.
    Absent(String),
}

/// Why nothing could be found out.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The registry, or the way to it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// It was tried a moment ago.
    #[error("it was not asked again for the sake of a push to another, since a moment ago: {0}")]
    Lately(String),
    /// A look ended in the middle; a bug.
    #[error("a look at a tag failed: {0}")]
    Panicked(String),
    /// What was seen could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A configuration blob is a few kilobytes; one beyond this is no image's.
const CONFIG_LIMIT: usize = 4 << 20;

impl Repository {
    /// The catalog, for a moment.
    pub fn catalog(&self) -> &SharedCatalog {
        // `Catalogs::open`, the only way to a cell, fills it.
        self.catalog.get().expect("a catalog that was opened is there")
    }

    /// Makes sure that the catalog has a complete listing that began after `since`.
    pub async fn list(&self, since: Timestamp) -> Result<(), LookError> {
        let catalog = self.catalog();
        let _alone = catalog.listing.lock().await;
        if catalog.lock().listed_after(since, now()) {
            return Ok(());
        }
        let began = now();
        let listed = match self.registry.tags().await {
            Ok(listing) => listing.tags,
            // A repository comes into being with its first push; until then there is nothing in it.
            Err(RegistryError::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let listed = listed.iter().filter_map(|tag| Tag::parse(tag).ok());
        let listing = {
            let mut catalog = catalog.lock();
            let unnamed = catalog.take_listing(listed, began);
            let tags = catalog.tags.keys().cloned().collect();
            Listing { tags, unnamed, began }
        };
        Ok(self
            .store
            .note_listing(self.name.as_str(), &self.access, listing)
            .await?)
    }

    /// Makes sure that the catalog has a look at `tag` that began at `since` or later.
    pub async fn look(&self, tag: &Tag, since: Timestamp) -> Result<Looked, LookError> {
        let turn = self.catalog().look_at(tag);
        let _alone = turn.lock().await;
        if let Some(known) = self.known(tag, since) {
            return Ok(known);
        }
        self.ask(tag).await
    }

    /// Makes sure that what the catalog says of `tag` is still true, with a request that transfers no manifest. A tag that
    /// has moved is looked at.
    pub async fn confirm(&self, tag: &Tag, since: Timestamp) -> Result<(), LookError> {
        let turn = self.catalog().look_at(tag);
        let _alone = turn.lock().await;
        if self.known(tag, since).is_some() {
            return Ok(());
        }
        let began = now();
        let head = self.registry.head_manifest(tag.as_str()).await;
        let pointed = match head {
            Ok(head) => head.digest,
            Err(RegistryError::NotFound { .. }) => {
                self.note_absent(tag, began).await?;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let unmoved = {
            let catalog = self.catalog().lock();
            catalog
                .seen(tag)
                .map(|(digest, _)| digest.clone())
                .filter(|known| Some(known.as_str()) == pointed.as_deref())
        };
        match unmoved {
            Some(digest) => self.note(tag, digest, None, began).await,
            None => self.ask(tag).await.map(|_| ()),
        }
    }

    fn known(&self, tag: &Tag, since: Timestamp) -> Option<Looked> {
        let catalog = self.catalog().lock();
        if !catalog.looked_since(tag, since, now()) {
            return None;
        }
        match catalog.seen(tag) {
            Some((digest, _)) => Some(Looked::Seen(digest.clone())),
            // It was seen, and another process has forgotten what it held, because it has moved.
            None if matches!(catalog.tags.get(tag), Some(Some(_))) => None,
            None => Some(Looked::Absent(missing_tag(tag))),
        }
    }

    async fn ask(&self, tag: &Tag) -> Result<Looked, LookError> {
        let began = now();
        let manifest = match self.registry.manifest_by_tag(tag.as_str()).await {
            Ok(manifest) => manifest,
            Err(RegistryError::NotFound { .. }) => {
                self.note_absent(tag, began).await?;
                return Ok(Looked::Absent(missing_tag(tag)));
            }
            // One tag that cannot be read must not keep the others from being chosen.
            Err(error @ (RegistryError::Malformed { .. } | RegistryError::TooLarge { .. })) => {
                tracing::warn!(repository = self.name.as_str(), tag = tag.as_str(), %error, "a tag is left out");
                self.note_absent(tag, began).await?;
                return Ok(Looked::Absent(format!("the tag {tag} cannot be read: {error}")));
            }
            Err(error) => return Err(error.into()),
        };
        let digest = match Digest::parse(&manifest.digest) {
            Ok(digest) => digest,
            Err(error) => {
                let (host, detail) = (
                    self.name.registry_host().to_owned(),
                    format!("the digest of the tag {tag}: {error}"),
                );
                return Err(RegistryError::Malformed { host, detail }.into());
            }
        };
        let known = self.catalog().lock().contents.get(&digest).cloned();
        let content = match known {
            Some(content) => content,
            None => match self.read(&manifest.media_type, &manifest.body).await? {
                Ok(seen) => Arc::new(seen),
                Err(missing) => {
                    self.note_absent(tag, began).await?;
                    return Ok(Looked::Absent(format!("the tag {tag} is there, but {missing} is not")));
                }
            },
        };
        self.note(tag, digest.clone(), Some(content), began).await?;
        Ok(Looked::Seen(digest))
    }

    /// Finds out what a manifest holds. `Err` inside says what it refers to and is not there.
    async fn read(&self, media_type: &str, body: &[u8]) -> Result<Result<Seen, String>, LookError> {
        let manifest = match read_manifest(media_type, body) {
            Ok(manifest) => manifest,
            Err(unusable) => return Ok(Ok(Seen::Unusable(unusable))),
        };
        match manifest {
            Manifest::Image {
                config,
                annotations,
                created,
            } => Ok(match self.config(&config).await? {
                Fetched::There(Ok(config)) => Ok(Seen::Image(Manifest::image_facts(annotations, created, config))),
                Fetched::There(Err(unusable)) => Ok(Seen::Unusable(unusable)),
                Fetched::Missing(what) => Err(what),
            }),
            Manifest::Index {
                annotations,
                created,
                mut children,
            } => {
                if created.is_none() {
                    for child in &mut children {
                        if let Err(missing) = self.date(child).await? {
                            return Ok(Err(missing));
                        }
                    }
                }
                Ok(Ok(Seen::Image(Manifest::index_facts(annotations, created, children))))
            }
        }
    }

    /// Finds out when the image of one platform was built, unless its reference tells.
    async fn date(&self, child: &mut ChildImage) -> Result<Result<(), String>, LookError> {
        if child.created.is_some() {
            return Ok(Ok(()));
        }
        let known = self.catalog().lock().contents.get(&child.digest).cloned();
        let content = match known {
            Some(content) => content,
            None => match self.child(child).await? {
                Ok(Some(content)) => content,
                Ok(None) => return Ok(Ok(())),
                Err(missing) => return Ok(Err(missing)),
            },
        };
        if let Seen::Image(Facts { created, .. }) = &*content {
            child.created = *created;
        }
        Ok(Ok(()))
    }

    /// What an index's child is. An index within an index tells no time, and is not kept as anything: a tag may point at it.
    async fn child(&self, child: &ChildImage) -> Result<Result<Option<Arc<Seen>>, String>, LookError> {
        let manifest = match self.registry.manifest_by_digest(child.digest.as_str()).await {
            Ok(manifest) => manifest,
            Err(RegistryError::NotFound { .. }) => {
                return Ok(Err(format!("its image for {} ({})", child.platform, child.digest)));
            }
            Err(error) => return Err(error.into()),
        };
        let content = match read_manifest(&manifest.media_type, &manifest.body) {
            Ok(Manifest::Index { .. }) => return Ok(Ok(None)),
            Ok(Manifest::Image {
                config,
                annotations,
                created,
            }) => match self.config(&config).await? {
                Fetched::There(Ok(config)) => Seen::Image(Manifest::image_facts(annotations, created, config)),
                Fetched::There(Err(unusable)) => Seen::Unusable(unusable),
                Fetched::Missing(what) => return Ok(Err(what)),
            },
            Err(unusable) => Seen::Unusable(unusable),
        };
        let content = Arc::new(content);
        self.catalog()
            .lock()
            .contents
            .insert(child.digest.clone(), content.clone());
        self.store
            .note_content(self.name.as_str(), &self.access, &child.digest, content.clone())
            .await?;
        Ok(Ok(Some(content)))
    }

    async fn config(&self, digest: &Digest) -> Result<Fetched, LookError> {
        match self.registry.blob(digest.as_str(), CONFIG_LIMIT).await {
            Ok(body) => Ok(Fetched::There(read_config(&body))),
            Err(RegistryError::NotFound { .. }) => Ok(Fetched::Missing(format!("its configuration ({digest})"))),
            Err(RegistryError::TooLarge { .. }) => Ok(Fetched::There(Err(Unusable(
                "its configuration is too large for an image's".to_owned(),
            )))),
            Err(error) => Err(error.into()),
        }
    }

    async fn note(
        &self,
        tag: &Tag,
        digest: Digest,
        content: Option<Arc<Seen>>,
        seen: Timestamp,
    ) -> Result<(), LookError> {
        let (content, unnamed) = {
            let mut catalog = self.catalog().lock();
            let Some(content) = content.or_else(|| catalog.contents.get(&digest).cloned()) else {
                return Ok(());
            };
            let unnamed = catalog.note(tag.clone(), digest.clone(), content.clone(), seen);
            (content, unnamed)
        };
        let found = Some((digest, content));
        self.keep(tag, Sighting { seen, found, unnamed }).await
    }

    async fn note_absent(&self, tag: &Tag, seen: Timestamp) -> Result<(), LookError> {
        self.catalog().lock().note_absent(tag, seen);
        let sighting = Sighting {
            seen,
            found: None,
            unnamed: Vec::new(),
        };
        self.keep(tag, sighting).await
    }

    async fn keep(&self, tag: &Tag, sighting: Sighting) -> Result<(), LookError> {
        let kept = self.store.note_tag(self.name.as_str(), &self.access, tag, sighting);
        Ok(kept.await?)
    }
}

enum Fetched {
    There(Result<ConfigFacts, Unusable>),
    Missing(String),
}

fn missing_tag(tag: &Tag) -> String {
    format!("the registry has no tag {tag}")
}
