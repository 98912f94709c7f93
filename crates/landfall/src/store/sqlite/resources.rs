//! Keeps what the API server would keep of a resource: its generation and its status.

use std::collections::HashMap;

use jiff::Timestamp;
use landfall_core::resource::{Kind, ResourceKey};
use rusqlite::{Connection, params};

use super::super::{ResourceRecord, ResourceWrite};
use super::rows::time;
use super::{Store, StoreError};

impl ResourceWrite {
    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let ResourceRecord {
            generation,
            spec_hash,
            status,
            refreshed,
        } = &self.record;
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO resources (kind, namespace, name, generation, spec_hash, status, refreshed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                self.key.kind.as_str(),
                namespace(&self.key),
                self.key.name,
                generation,
                spec_hash,
                status,
                refreshed.map(Timestamp::as_millisecond)
            ])?;
        Ok(())
    }
}

impl Store {
    /// Everything that is kept.
    pub async fn resources(&self) -> Result<HashMap<ResourceKey, ResourceRecord>, StoreError> {
        self.read(|connection| {
            let mut statement = connection
                .prepare("SELECT kind, namespace, name, generation, spec_hash, status, refreshed FROM resources")?;
            let rows = statement.query_map([], |row| {
                let (kind, namespace, name): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let record = ResourceRecord {
                    generation: row.get(3)?,
                    spec_hash: row.get(4)?,
                    status: row.get(5)?,
                    refreshed: row.get::<_, Option<i64>>(6)?.map(time),
                };
                Ok((kind, namespace, name, record))
            })?;
            let mut resources = HashMap::new();
            for row in rows {
                let (kind, namespace, name, record) = row?;
                // A kind that this version does not know belongs to a newer one, which will find it again.
                if let Some(kind) = Kind::ALL.into_iter().find(|known| known.as_str() == kind) {
                    let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
                    resources.insert(ResourceKey { kind, namespace, name }, record);
                }
            }
            Ok(resources)
        })
        .await
    }

    /// Writes records and removes others, at once.
    pub async fn put_resources(&self, writes: Vec<ResourceWrite>, removed: Vec<ResourceKey>) -> Result<(), StoreError> {
        self.write(move |writing| {
            for write in &writes {
                write.write(writing.connection)?;
            }
            for key in &removed {
                writing
                    .connection
                    .prepare_cached("DELETE FROM resources WHERE kind = ?1 AND namespace = ?2 AND name = ?3")?
                    .execute(params![key.kind.as_str(), namespace(key), key.name])?;
            }
            Ok(())
        })
        .await
    }
}

fn namespace(key: &ResourceKey) -> &str {
    key.namespace.as_deref().unwrap_or_default()
}
