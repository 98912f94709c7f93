//! Keeps what discovery saw of repositories. Several processes look at one repository at the same time, so what was seen
//! later stays, whichever comes to the database last.

use std::sync::{Arc, PoisonError};

use landfall_core::artifact::{Digest, Tag};
use landfall_core::discovery::{Catalog, Observation, Seen};

use super::super::{Listing, Sighting, StoreError};
use super::Store;
use super::link::{Failure, Link};
use super::rows::{clean, json, parsed, time};

impl Store {
    /// What is known of a repository with one way of access; empty where nothing is.
    pub async fn catalog(&self, repository: &str, access: &str) -> Result<Catalog, StoreError> {
        let mut link = self.link().await?;
        let read = load(&mut link, repository, access).await;
        link.end(read)
    }

    /// Notes what a look at a tag found, or that there is no such tag.
    pub async fn note_tag(
        &self,
        repository: &str,
        access: &str,
        tag: &Tag,
        sighting: Sighting,
    ) -> Result<(), StoreError> {
        let mut link = self.link().await?;
        let written = match self.id_of(&mut link, repository, access).await {
            Ok(id) => note_tag(&mut link, id, tag, sighting).await,
            Err(failure) => Err(failure),
        };
        link.end(written)
    }

    /// Notes what a digest holds, for one that no tag points at itself: the image of one platform.
    pub async fn note_content(
        &self,
        repository: &str,
        access: &str,
        digest: &Digest,
        content: Arc<Seen>,
    ) -> Result<(), StoreError> {
        let mut link = self.link().await?;
        let written = match self.id_of(&mut link, repository, access).await {
            Ok(id) => note_content(&mut link, id, digest, &content).await,
            Err(failure) => Err(failure),
        };
        link.end(written)
    }

    /// Notes a complete listing, as far as whoever listed it knows, and forgets what no tag points at since.
    pub async fn note_listing(&self, repository: &str, access: &str, listing: Listing) -> Result<(), StoreError> {
        let mut link = self.link().await?;
        let written = match self.id_of(&mut link, repository, access).await {
            Ok(id) => match note_listing(&mut link, id, &listing).await {
                Ok(()) => forget(&mut link, id, &listing.unnamed).await,
                Err(failure) => Err(failure),
            },
            Err(failure) => Err(failure),
        };
        link.end(written)
    }

    /// The number of a repository, which never changes once it has one.
    async fn id_of(&self, link: &mut Link, repository: &str, access: &str) -> Result<i64, Failure> {
        let key = (repository.to_owned(), access.to_owned());
        let known = || self.0.repositories.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = known().get(&key) {
            return Ok(*id);
        }
        // An update that changes nothing, because a conflict that does nothing returns nothing.
        let sql = "INSERT INTO repositories (repository, access) VALUES ($1, $2)
                   ON CONFLICT (repository, access) DO UPDATE SET access = excluded.access RETURNING id";
        let rows = link.query(sql, &[&clean(repository), &clean(access)]).await?;
        let row = rows.first().ok_or_else(|| Failure::new("it gives no repository"))?;
        let id = row.try_get(0)?;
        known().insert(key, id);
        Ok(id)
    }
}

async fn load(link: &mut Link, repository: &str, access: &str) -> Result<Catalog, Failure> {
    let mut catalog = Catalog::default();
    let sql = "SELECT id, listed FROM repositories WHERE repository = $1 AND access = $2";
    let rows = link.query(sql, &[&clean(repository), &clean(access)]).await?;
    let Some(row) = rows.first() else { return Ok(catalog) };
    let id: i64 = row.try_get(0)?;
    catalog.listed = row.try_get::<_, Option<i64>>(1)?.map(time);
    let sql = "SELECT tag, digest, seen FROM tags WHERE repository = $1";
    for row in link.query(sql, &[&id]).await? {
        let (tag, digest, seen): (&str, Option<&str>, Option<i64>) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let Ok(tag) = Tag::parse(tag) else { continue };
        let digest = digest.and_then(|digest| Digest::parse(digest).ok());
        let observation = digest.zip(seen).map(|(digest, seen)| Observation {
            digest,
            seen: time(seen),
        });
        catalog.tags.insert(tag, observation);
    }
    // After the tags: what a tag points at was written with it.
    let sql = "SELECT digest, content FROM contents WHERE repository = $1";
    for row in link.query(sql, &[&id]).await? {
        if let Ok(digest) = Digest::parse(row.try_get(0)?) {
            catalog.contents.insert(digest, Arc::new(parsed(&row, 1)?));
        }
    }
    Ok(catalog)
}

/// Who did not find a tag says nothing of one that was seen, or listed, since.
async fn note_tag(link: &mut Link, id: i64, tag: &Tag, sighting: Sighting) -> Result<(), Failure> {
    let Sighting { seen, found, unnamed } = sighting;
    let seen = seen.as_millisecond();
    let Some((digest, content)) = found else {
        let sql = "DELETE FROM tags WHERE repository = $1 AND tag = $2
                   AND COALESCE(seen, (SELECT listed FROM repositories WHERE id = $1), $3) <= $3";
        link.execute(sql, &[&id, &tag.as_str(), &seen]).await?;
        return Ok(());
    };
    let sql = "WITH content AS (INSERT INTO contents (repository, digest, content) VALUES ($1, $3, $5)
                                ON CONFLICT DO NOTHING)
               INSERT INTO tags (repository, tag, digest, seen) VALUES ($1, $2, $3, $4)
               ON CONFLICT (repository, tag) DO UPDATE SET digest = excluded.digest, seen = excluded.seen
               WHERE tags.seen IS NULL OR tags.seen <= excluded.seen";
    link.execute(sql, &[&id, &tag.as_str(), &digest.as_str(), &seen, &json(&*content)])
        .await?;
    forget(link, id, &unnamed).await
}

async fn note_content(link: &mut Link, id: i64, digest: &Digest, content: &Seen) -> Result<(), Failure> {
    let sql = "INSERT INTO contents (repository, digest, content) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    link.execute(sql, &[&id, &digest.as_str(), &json(content)]).await?;
    Ok(())
}

/// A listing that began before the last one says nothing; and of what was seen since it began, it says nothing either.
async fn note_listing(link: &mut Link, id: i64, Listing { tags, began, .. }: &Listing) -> Result<(), Failure> {
    let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
    let sql = "WITH later AS (UPDATE repositories SET listed = $3
                              WHERE id = $1 AND (listed IS NULL OR listed <= $3) RETURNING id),
                    listed AS (SELECT unnest($2::text[]) AS tag),
                    gone AS (DELETE FROM tags USING later WHERE repository = later.id
                             AND (seen IS NULL OR seen < $3)
                             AND NOT EXISTS (SELECT 1 FROM listed WHERE listed.tag = tags.tag))
               INSERT INTO tags (repository, tag) SELECT later.id, listed.tag FROM later, listed ON CONFLICT DO NOTHING";
    link.execute(sql, &[&id, &tags, &began.as_millisecond()]).await?;
    Ok(())
}

/// Forgets what these digests hold, unless a tag points at them that another process has seen.
async fn forget(link: &mut Link, id: i64, unnamed: &[Digest]) -> Result<(), Failure> {
    if unnamed.is_empty() {
        return Ok(());
    }
    let unnamed: Vec<&str> = unnamed.iter().map(Digest::as_str).collect();
    let sql = "DELETE FROM contents WHERE repository = $1 AND digest = ANY($2)
               AND NOT EXISTS (SELECT 1 FROM tags WHERE tags.repository = $1 AND tags.digest = contents.digest)";
    link.execute(sql, &[&id, &unnamed]).await?;
    Ok(())
}
