//! Shares the catalogs that are in use: refreshes that meet at one repository see the same one, and look once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use landfall_core::artifact::Tag;
use landfall_core::discovery::Catalog;
use landfall_core::repository::ImageRepository;
use tokio::sync::{Mutex as AsyncMutex, OnceCell};

use crate::store::{Store, StoreError};

/// The catalogs that somebody works with, by repository and access.
#[derive(Default)]
pub struct Catalogs(Mutex<HashMap<Key, Weak<OnceCell<SharedCatalog>>>>);

type Key = (ImageRepository, String);

/// One repository's catalog, as seen with one way of access.
pub struct SharedCatalog {
    catalog: Mutex<Catalog>,
    /// Held by whoever lists the repository.
    pub(super) listing: AsyncMutex<()>,
    /// Held by whoever looks at a tag.
    looks: Mutex<HashMap<Tag, Weak<AsyncMutex<()>>>>,
}

impl Catalogs {
    /// The catalog of a repository, from whoever has it in use, or else from the store.
    pub async fn open(
        &self,
        store: &Store,
        repository: &ImageRepository,
        access: &str,
    ) -> Result<Arc<OnceCell<SharedCatalog>>, StoreError> {
        let cell = {
            let mut in_use = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            in_use.retain(|_, catalog| catalog.strong_count() > 0);
            let key = (repository.clone(), access.to_owned());
            let known = in_use.get(&key).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let cell = Arc::new(OnceCell::new());
                in_use.insert(key, Arc::downgrade(&cell));
                cell
            })
        };
        // What other processes saw since is in the store, and is to be known to whoever chooses.
        let known = cell.get().filter(|_| store.is_shared());
        if let Some(known) = known {
            let seen = store.catalog(repository.as_str(), access).await?;
            known.lock().learn(seen);
        }
        cell.get_or_try_init(|| async {
            Ok(SharedCatalog {
                catalog: Mutex::new(store.catalog(repository.as_str(), access).await?),
                listing: AsyncMutex::new(()),
                looks: Mutex::default(),
            })
        })
        .await?;
        Ok(cell)
    }
}

impl SharedCatalog {
    /// The catalog itself, for a moment; never held while waiting for anything.
    pub fn lock(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to hold while looking at a tag.
    pub(super) fn look_at(&self, tag: &Tag) -> Arc<AsyncMutex<()>> {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.retain(|_, look| look.strong_count() > 0);
        looks.get(tag).and_then(Weak::upgrade).unwrap_or_else(|| {
            let look = Arc::new(AsyncMutex::new(()));
            looks.insert(tag.clone(), Arc::downgrade(&look));
            look
        })
    }
}
