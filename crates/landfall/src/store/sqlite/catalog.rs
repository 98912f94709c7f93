//! Keeps what discovery saw of repositories.

use std::sync::Arc;

use landfall_core::artifact::{Digest, Tag};
use landfall_core::discovery::{Catalog, Observation, Seen};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{Listing, Sighting};
use super::rows::{json, parsed, time};
use super::{Store, StoreError};

impl Store {
    /// What is known of a repository with one way of access; empty where nothing is.
    pub async fn catalog(&self, repository: &str, access: &str) -> Result<Catalog, StoreError> {
        let (repository, access) = (repository.to_owned(), access.to_owned());
        self.read(move |connection| load(connection, &repository, &access))
            .await
    }

    /// Notes what a look at a tag found, or that there is no such tag.
    pub async fn note_tag(
        &self,
        repository: &str,
        access: &str,
        tag: &Tag,
        sighting: Sighting,
    ) -> Result<(), StoreError> {
        let (repository, access, tag) = (repository.to_owned(), access.to_owned(), tag.clone());
        self.write_repeatable(1 + sighting.unnamed.len(), move |writing| {
            let connection = writing.connection;
            let id = id_of(connection, &repository, &access)?;
            let Some((digest, content)) = &sighting.found else {
                connection
                    .prepare_cached("DELETE FROM tags WHERE repository = ?1 AND tag = ?2")?
                    .execute(params![id, tag.as_str()])?;
                return Ok(());
            };
            put_content(connection, id, digest, content)?;
            connection
                .prepare_cached("INSERT OR REPLACE INTO tags (repository, tag, digest, seen) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![
                    id,
                    tag.as_str(),
                    digest.as_str(),
                    sighting.seen.as_millisecond()
                ])?;
            forget(connection, id, &sighting.unnamed)
        })
        .await
    }

    /// Notes what a digest holds, for one that no tag points at itself: the image of one platform.
    pub async fn note_content(
        &self,
        repository: &str,
        access: &str,
        digest: &Digest,
        content: Arc<Seen>,
    ) -> Result<(), StoreError> {
        let (repository, access, digest) = (repository.to_owned(), access.to_owned(), digest.clone());
        self.write_repeatable(1, move |writing| {
            let id = id_of(writing.connection, &repository, &access)?;
            put_content(writing.connection, id, &digest, &content)
        })
        .await
    }

    /// Notes a complete listing, and forgets what no tag points at since.
    pub async fn note_listing(&self, repository: &str, access: &str, listing: Listing) -> Result<(), StoreError> {
        let (repository, access) = (repository.to_owned(), access.to_owned());
        self.write_repeatable(listing.tags.len() + listing.unnamed.len(), move |writing| {
            let connection = writing.connection;
            let id = id_of(connection, &repository, &access)?;
            connection.execute_batch(
                "CREATE TEMP TABLE IF NOT EXISTS listed (tag TEXT PRIMARY KEY) WITHOUT ROWID;
                                      DELETE FROM listed;",
            )?;
            for tag in &listing.tags {
                connection
                    .prepare_cached("INSERT OR IGNORE INTO listed (tag) VALUES (?1)")?
                    .execute([tag.as_str()])?;
            }
            connection.execute(
                "DELETE FROM tags WHERE repository = ?1 AND tag NOT IN (SELECT tag FROM listed)",
                params![id],
            )?;
            connection.execute(
                "INSERT OR IGNORE INTO tags (repository, tag) SELECT ?1, tag FROM listed",
                params![id],
            )?;
            connection.execute(
                "UPDATE repositories SET listed = ?2 WHERE id = ?1",
                params![id, listing.began.as_millisecond()],
            )?;
            forget(connection, id, &listing.unnamed)
        })
        .await
    }
}

fn load(connection: &Connection, repository: &str, access: &str) -> rusqlite::Result<Catalog> {
    let mut catalog = Catalog::default();
    let known: Option<(i64, Option<i64>)> = connection
        .prepare_cached("SELECT id, listed FROM repositories WHERE repository = ?1 AND access = ?2")?
        .query_row([repository, access], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, listed)) = known else { return Ok(catalog) };
    catalog.listed = listed.map(time);
    let mut contents = connection.prepare_cached("SELECT digest, content FROM contents WHERE repository = ?1")?;
    let rows = contents.query_map([id], |row| Ok((row.get::<_, String>(0)?, parsed::<Seen>(row, 1)?)))?;
    for row in rows {
        let (digest, content) = row?;
        if let Ok(digest) = Digest::parse(&digest) {
            catalog.contents.insert(digest, Arc::new(content));
        }
    }
    let mut tags = connection.prepare_cached("SELECT tag, digest, seen FROM tags WHERE repository = ?1")?;
    let rows = tags.query_map([id], |row| {
        Ok((
            row.get::<_, String>(0)?,
            row.get::<_, Option<String>>(1)?,
            row.get::<_, Option<i64>>(2)?,
        ))
    })?;
    for row in rows {
        let (tag, digest, seen) = row?;
        let Ok(tag) = Tag::parse(&tag) else { continue };
        let observation = digest
            .and_then(|digest| Digest::parse(&digest).ok())
            .zip(seen)
            .map(|(digest, seen)| Observation {
                digest,
                seen: time(seen),
            });
        catalog.tags.insert(tag, observation);
    }
    Ok(catalog)
}

fn id_of(connection: &Connection, repository: &str, access: &str) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO repositories (repository, access) VALUES (?1, ?2)")?
        .execute([repository, access])?;
    connection
        .prepare_cached("SELECT id FROM repositories WHERE repository = ?1 AND access = ?2")?
        .query_row([repository, access], |row| row.get(0))
}

/// Forgets what these digests hold, unless a tag points at them that whoever listed does not know of.
fn forget(connection: &Connection, id: i64, unnamed: &[Digest]) -> rusqlite::Result<()> {
    if unnamed.is_empty() {
        return Ok(());
    }
    let unnamed: Vec<&str> = unnamed.iter().map(Digest::as_str).collect();
    connection
        .prepare_cached(
            "DELETE FROM contents WHERE repository = ?1 AND digest IN (SELECT value FROM json_each(?2))
             AND digest NOT IN (SELECT digest FROM tags WHERE repository = ?1 AND digest IS NOT NULL)",
        )?
        .execute(params![id, json(&unnamed)])
        .map(drop)
}

fn put_content(connection: &Connection, id: i64, digest: &Digest, content: &Seen) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO contents (repository, digest, content) VALUES (?1, ?2, ?3)")?
        .execute(params![id, digest.as_str(), json(content)])?;
    Ok(())
}
