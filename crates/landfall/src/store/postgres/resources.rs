//! Keeps what the API server would keep of a resource: its generation and its status.

use std::collections::HashMap;

use jiff::Timestamp;
use landfall_core::resource::{Kind, ResourceKey};
use tokio_postgres::Row;

use super::super::{ResourceRecord, ResourceWrite, StoreError};
use super::Store;
use super::link::{Failure, Link};
use super::rows::{clean, time};

impl Store {
    /// Everything that is kept.
    pub async fn resources(&self) -> Result<HashMap<ResourceKey, ResourceRecord>, StoreError> {
        let mut link = self.link().await?;
        let read = resources(&mut link).await;
        link.end(read)
    }

    /// Writes records and removes others, at once. A record of a generation that another process has noted already stays
    /// as that one left it.
    pub async fn put_resources(&self, writes: Vec<ResourceWrite>, removed: Vec<ResourceKey>) -> Result<(), StoreError> {
        let mut link = self.link().await?;
        let written = put(&mut link, &writes, &removed).await;
        link.end(written)
    }
}

async fn resources(link: &mut Link) -> Result<HashMap<ResourceKey, ResourceRecord>, Failure> {
    let sql = "SELECT generation, spec_hash, status, refreshed, kind, namespace, name FROM resources";
    let mut resources = HashMap::new();
    for row in link.query(sql, &[]).await? {
        let kind: &str = row.try_get(4)?;
        // A kind that this version does not know belongs to a newer one, which will find it again.
        if let Some(kind) = Kind::ALL.into_iter().find(|known| known.as_str() == kind) {
            let namespace: String = row.try_get(5)?;
            let key = ResourceKey {
                kind,
                namespace: Some(namespace).filter(|namespace| !namespace.is_empty()),
                name: row.try_get(6)?,
            };
            resources.insert(key, record(&row)?);
        }
    }
    Ok(resources)
}

/// The record of one resource.
pub(super) async fn one(link: &mut Link, key: &ResourceKey) -> Result<Option<ResourceRecord>, Failure> {
    let sql = "SELECT generation, spec_hash, status, refreshed FROM resources
               WHERE kind = $1 AND namespace = $2 AND name = $3";
    let (namespace, name) = (namespace(key), clean(&key.name));
    let rows = link.query(sql, &[&key.kind.as_str(), &namespace, &name]).await?;
    rows.first().map(record).transpose()
}

async fn put(link: &mut Link, writes: &[ResourceWrite], removed: &[ResourceKey]) -> Result<(), Failure> {
    link.begin().await?;
    for write in writes {
        let sql = "INSERT INTO resources AS known (kind, namespace, name, generation, spec_hash, status, refreshed)
                   VALUES ($1, $2, $3, $4, $5, $6, $7)
                   ON CONFLICT (kind, namespace, name) DO UPDATE SET generation = excluded.generation,
                     spec_hash = excluded.spec_hash, status = excluded.status, refreshed = excluded.refreshed
                   WHERE known.generation < excluded.generation
                      OR known.kind <> 'Warehouse' AND known.generation = excluded.generation";
        insert(link, sql, write).await?;
    }
    for key in removed {
        let sql = "DELETE FROM resources WHERE kind = $1 AND namespace = $2 AND name = $3";
        let (namespace, name) = (namespace(key), clean(&key.name));
        link.execute(sql, &[&key.kind.as_str(), &namespace, &name]).await?;
    }
    link.commit().await
}

/// What a refresh came to; whoever has the claim of the target is the only one to write it.
pub(super) async fn write(link: &mut Link, write: &ResourceWrite) -> Result<(), Failure> {
    let sql = "INSERT INTO resources AS known (kind, namespace, name, generation, spec_hash, status, refreshed)
               VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT (kind, namespace, name) DO UPDATE SET status = excluded.status,
                 generation = GREATEST(known.generation, excluded.generation),
                 spec_hash = CASE WHEN known.generation > excluded.generation THEN known.spec_hash
                                  ELSE excluded.spec_hash END,
                 refreshed = CASE WHEN known.generation > excluded.generation THEN known.refreshed
                                  ELSE excluded.refreshed END";
    insert(link, sql, write).await
}

async fn insert(link: &mut Link, sql: &'static str, write: &ResourceWrite) -> Result<(), Failure> {
    let ResourceRecord {
        generation,
        spec_hash,
        status,
        refreshed,
    } = &write.record;
    let key = &write.key;
    let (namespace, name) = (namespace(key), clean(&key.name));
    let refreshed = refreshed.map(Timestamp::as_millisecond);
    let kind = key.kind.as_str();
    link.execute(
        sql,
        &[&kind, &namespace, &name, generation, spec_hash, status, &refreshed],
    )
    .await?;
    Ok(())
}

fn record(row: &Row) -> Result<ResourceRecord, Failure> {
    Ok(ResourceRecord {
        generation: row.try_get(0)?,
        spec_hash: row.try_get(1)?,
        status: row.try_get(2)?,
        refreshed: row.try_get::<_, Option<i64>>(3)?.map(time),
    })
}

fn namespace(key: &ResourceKey) -> String {
    clean(key.namespace.as_deref().unwrap_or_default()).into_owned()
}
