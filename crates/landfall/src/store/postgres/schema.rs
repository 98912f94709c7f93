//! The tables, and how an older database becomes a current one.

use super::link::{Failure, Link};
use super::locks;

/// Each step takes the schema one version further. A step that has shipped is never changed.
const STEPS: [&str; 1] = [include_str!("schema/1.sql")];

/// Makes the database current. Of several processes that start at once, one does it and the others wait.
pub(super) async fn prepare(link: &mut Link) -> Result<(), Failure> {
    link.begin().await?;
    link.query(
        "SELECT pg_advisory_xact_lock($1, $2)",
        &[&locks::LANDFALL, &locks::SCHEMA],
    )
    .await?;
    // Asked first: whoever may use the schema need not be allowed to make one.
    let there = link
        .query("SELECT to_regnamespace('landfall') IS NOT NULL", &[])
        .await?;
    if !there.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(false) {
        link.batch("CREATE SCHEMA landfall").await?;
    }
    link.batch("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
        .await?;
    let known = link.query("SELECT max(version) FROM schema_version", &[]).await?;
    let version: Option<i32> = known.first().map(|row| row.try_get(0)).transpose()?.flatten();
    let version = usize::try_from(version.unwrap_or_default()).unwrap_or_default();
    if version > STEPS.len() {
        return Err(Failure::new(format!(
            "it was written by a newer version of landfall (schema {version})"
        )));
    }
    for (step, sql) in STEPS.iter().enumerate().skip(version) {
        link.batch(sql).await?;
        let reached = i32::try_from(step + 1).unwrap_or(i32::MAX);
        link.execute("INSERT INTO schema_version (version) VALUES ($1)", &[&reached])
            .await?;
    }
    link.commit().await
}
