//! Keeps the journal, the catalog and the resources' statuses in PostgreSQL, which several processes share: the one folder that
//! names its library. Each of them does the work of the deliveries that came to it, and that of those who are gone.

mod catalog;
mod claims;
mod entries;
mod intake;
mod link;
mod locks;
mod pool;
mod queue;
mod replica;
mod resources;
mod retention;
mod rows;
mod schema;
mod tls;
mod url;
mod work;
mod writer;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};
use tokio::time::{Instant, sleep};

pub use url::DatabaseUrl;

use super::lock::FolderLock;
use super::{Acceptance, NewEntry, News, OpenError, StoreError};
use link::{Connector, Failure, Link};
use pool::{Pool, Pooled};
use replica::{Identity, Replica};
use writer::Writer;

/// A handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    connector: Arc<Connector>,
    pool: Pool,
    writer: Writer,
    identity: watch::Receiver<Identity>,
    news: AsyncMutex<mpsc::UnboundedReceiver<News>>,
    /// The numbers of repositories by name and access.
    repositories: Mutex<HashMap<(String, String), i64>>,
    _lock: FolderLock,
}

/// How long a start waits for a database that cannot be reached: it may be starting as well.
const START: Duration = Duration::from_secs(30);
/// The pause between attempts.
const PAUSE: Duration = Duration::from_millis(250);

impl Store {
    /// Connects to the database, makes it current, and becomes one of those who share it. The data folder is for this
    /// process alone. It is for the runtime that it is called in.
    pub async fn connect(url: DatabaseUrl, folder: &Path) -> Result<Self, OpenError> {
        let lock = FolderLock::take(folder)?;
        let name = name_in(folder).map_err(|error| OpenError::Folder(folder.display().to_string(), error))?;
        let address = url.to_string();
        let describe = |problem: String| OpenError::Database(address.clone(), problem);
        let connector = Arc::new(Connector::new(url).map_err(describe)?);
        let (mut link, last, identity) = begin(&connector, &name)
            .await
            .map_err(|failure| describe(failure.problem))?;
        warn_of_lost_commits(&mut link).await;
        let (identity, known_identity) = watch::channel(identity);
        let (news, heard) = mpsc::unbounded_channel();
        let replica = Replica {
            connector: connector.clone(),
            name,
            identity,
            news,
        };
        tokio::spawn(replica.run());
        Ok(Self(Arc::new(Inner {
            writer: Writer::start(connector.clone(), known_identity.clone(), last),
            pool: Pool::new(connector.clone()),
            connector,
            identity: known_identity,
            news: AsyncMutex::new(heard),
            repositories: Mutex::default(),
            _lock: lock,
        })))
    }

    /// Writes that this process is alive, durably: whether the database takes it is what a probe wants to know.
    pub async fn check(&self) -> Result<(), StoreError> {
        let mut link = self.link().await?;
        let sql = "UPDATE replicas SET seen = clock_timestamp() WHERE id = $1";
        let written = link.execute(sql, &[&self.replica()]).await;
        link.end(written.map(|_| ()))
    }

    /// Writes a delivery, unless every event of it is known; then it writes that.
    pub async fn accept(
        &self,
        entry: NewEntry,
        window: Duration,
        arrived: impl FnOnce(&Acceptance) + Send + Sync + 'static,
    ) -> Result<Acceptance, StoreError> {
        let inner = &self.0;
        inner.writer.accept(&inner.connector, entry, window, arrived).await
    }

    /// Waits for what others did. One task listens.
    pub async fn news(&self) -> News {
        match self.0.news.lock().await.recv().await {
            Some(news) => news,
            // It is told as long as there is a store.
            None => std::future::pending().await,
        }
    }

    /// Leaves the others: what is unfinished is theirs at once.
    pub async fn leave(&self) -> Result<(), StoreError> {
        let mut link = self.link().await?;
        let left = replica::leave(&mut link, self.replica()).await;
        link.end(left)
    }

    async fn link(&self) -> Result<Pooled, StoreError> {
        self.0.pool.take().await
    }

    fn replica(&self) -> i64 {
        self.0.identity.borrow().replica
    }
}

/// A first connection, after which ids go on, and who this process is. A database that cannot be reached is waited for; one
/// that refuses is not.
async fn begin(
    connector: &Connector,
    name: &str,
) -> Result<(Link, landfall_core::journal::EntryId, Identity), Failure> {
    let until = Instant::now() + START;
    let mut said = false;
    let mut link = loop {
        match connector.connect().await {
            Ok(link) => break link,
            Err(failure) if failure.code.is_some() || Instant::now() >= until => return Err(failure),
            Err(failure) => {
                if !said {
                    tracing::warn!(
                        database = connector.address(),
                        problem = failure.problem,
                        "the journal's database cannot be reached; it is tried for half a minute"
                    );
                    said = true;
                }
                sleep(PAUSE).await;
            }
        }
    };
    schema::prepare(&mut link).await?;
    let identity = replica::join(&mut link, name).await?;
    replica::follow_clock(&mut link).await?;
    let last = entries::last_id(&mut link).await?;
    Ok((link, last, identity))
}

/// The setting is the whole server's, and an administrator may have reasons for it.
async fn warn_of_lost_commits(link: &mut Link) {
    let rows = link.query("SELECT current_setting('fsync')", &[]).await;
    let setting = rows.ok().and_then(|rows| rows.first()?.try_get::<_, String>(0).ok());
    if setting.as_deref() == Some("off") {
        tracing::warn!("the database runs with fsync = off: what it has taken is lost when its machine fails");
    }
}

/// The name of whoever works in a data folder: given once, so that a process takes over from its predecessor at once.
fn name_in(folder: &Path) -> io::Result<String> {
    let file = folder.join("replica");
    match std::fs::read_to_string(&file) {
        Ok(name) if !name.trim().is_empty() => Ok(name.trim().to_owned()),
        Ok(_) => write_name(&file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => write_name(&file),
        Err(error) => Err(error),
    }
}

fn write_name(file: &Path) -> io::Result<String> {
    let name = format!("{:016x}", fastrand::u64(..));
    std::fs::write(file, &name)?;
    Ok(name)
}

#[cfg(test)]
mod tests;
