//! Is one of the processes that share the database: says that it is alive, notices who is not, and listens to the others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval, sleep};
use tokio_postgres::error::SqlState;

use super::super::News;
use super::link::{Connector, Failure, Link};
use super::{locks, work};
use crate::clock;

/// How often a process says that it is alive, and looks for what others have left.
const BEAT: Duration = Duration::from_millis(2500);
/// Who has not been heard of for so long is gone, and what was theirs is anybody's. A few beats, so that one that is late
/// does not count.
const GONE: Duration = Duration::from_secs(10);
/// The pause before another connection, when the one that listens has broken.
const PAUSE: Duration = Duration::from_millis(200);

/// The channel of notifications.
pub(super) const CHANNEL: &str = "landfall";
/// Says that a target that somebody waited for is free; the target follows.
pub(super) const FREED: &str = "freed ";
/// Says that a process has left, and what was its is anybody's.
const LEFT: &str = "left";

/// Who this process is among the others. It is another one after it has been taken for gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub replica: i64,
    /// Which ids of entries it gives out.
    pub way: u16,
}

/// What keeps a process among the others.
pub(super) struct Replica {
    pub connector: Arc<Connector>,
    /// What tells this process from others, and not from its predecessor in the same data folder.
    pub name: String,
    pub identity: watch::Sender<Identity>,
    pub news: mpsc::UnboundedSender<News>,
}

/// Becomes a replica: a predecessor of that name is gone, and so are those who have not been heard of.
pub(super) async fn join(link: &mut Link, name: &str) -> Result<Identity, Failure> {
    link.begin().await?;
    link.query(
        "SELECT pg_advisory_xact_lock($1, $2)",
        &[&locks::LANDFALL, &locks::REPLICAS],
    )
    .await?;
    let sql = "DELETE FROM replicas WHERE name = $1 OR seen < clock_timestamp() - make_interval(secs => $2)";
    link.execute(sql, &[&name, &GONE.as_secs_f64()]).await?;
    let sql = "INSERT INTO replicas (name, way)
               SELECT $1, min(way) FROM generate_series(0, $2::integer) AS free (way)
               WHERE NOT EXISTS (SELECT 1 FROM replicas WHERE replicas.way = free.way) RETURNING id, way";
    let last = i32::from(landfall_core::journal::EntryIds::WAYS) - 1;
    let rows = link.query(sql, &[&name, &last]).await?;
    let row = rows
        .first()
        .ok_or_else(|| Failure::new("it takes no further process"))?;
    let way: i16 = row.try_get(1)?;
    let identity = Identity {
        replica: row.try_get(0)?,
        way: u16::try_from(way).unwrap_or_default(),
    };
    link.commit().await?;
    Ok(identity)
}

/// Says that this process ends: what is its is anybody's from now on.
pub(super) async fn leave(link: &mut Link, replica: i64) -> Result<(), Failure> {
    link.begin().await?;
    link.execute("DELETE FROM replicas WHERE id = $1", &[&replica]).await?;
    link.query("SELECT pg_notify($1, $2)", &[&CHANNEL, &LEFT]).await?;
    link.commit().await
}

/// Follows this machine's clock's distance from the database's, which is everybody's.
pub(super) async fn follow_clock(link: &mut Link) -> Result<(), Failure> {
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    link.prepared(sql).await?;
    let before = clock::own_millis();
    let rows = link.query(sql, &[]).await?;
    let after = clock::own_millis();
    let theirs: i64 = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(before);
    clock::follow(before, theirs, after);
    Ok(())
}

impl Replica {
    /// Runs until the store is gone.
    pub(super) async fn run(self) {
        let mut said = false;
        while !self.news.is_closed() {
            let Err(failure) = self.keep_up(&mut said).await else {
                return;
            };
            if !said {
                let problem = failure.problem;
                tracing::warn!(
                    problem,
                    "there is no connection to the journal's database; it is tried until there is"
                );
                said = true;
            }
            sleep(PAUSE).await;
        }
    }

    /// Says that it is alive and listens, as long as the connection lasts.
    async fn keep_up(&self, missed: &mut bool) -> Result<(), Failure> {
        let (notices, mut heard) = mpsc::unbounded_channel();
        let mut link = self.connector.listening(Some(notices)).await?;
        link.batch(&format!("LISTEN {CHANNEL}")).await?;
        if std::mem::take(missed) {
            tracing::info!("the journal's database is connected again");
        }
        let connected = Instant::now();
        let mut beats = interval(BEAT);
        loop {
            tokio::select! {
                biased;
                () = self.news.closed() => return Ok(()),
                _ = beats.tick() => {
                    self.beat(&mut link).await?;
                    // After the database was away, everybody seems to have been silent: they get the time to speak.
                    if connected.elapsed() > GONE {
                        self.notice_the_gone(&mut link).await?;
                    }
                    self.tell(News::Look);
                }
                notice = heard.recv() => match notice {
                    Some(notice) => self.hear(&notice),
                    None => return Err(Failure::new("the connection was closed")),
                },
            }
        }
    }

    async fn beat(&self, link: &mut Link) -> Result<(), Failure> {
        let Identity { replica, .. } = *self.identity.borrow();
        let sql = "UPDATE replicas SET seen = clock_timestamp() WHERE id = $1";
        if link.execute(sql, &[&replica]).await? == 0 {
            let identity = join(link, &self.name).await?;
            self.identity.send_replace(identity);
            tracing::warn!(
                "this process was silent for so long that others took its work over; it goes on with new work"
            );
        }
        follow_clock(link).await
    }

    async fn notice_the_gone(&self, link: &mut Link) -> Result<(), Failure> {
        let sql = "DELETE FROM replicas WHERE id IN (SELECT id FROM replicas
                     WHERE seen < clock_timestamp() - make_interval(secs => $1) FOR UPDATE SKIP LOCKED) RETURNING name";
        for row in link.query(sql, &[&GONE.as_secs_f64()]).await? {
            let name: &str = row.try_get(0)?;
            tracing::warn!(replica = name, "a replica is gone; its work is taken over");
        }
        Ok(())
    }

    fn hear(&self, notice: &str) {
        if notice == LEFT {
            self.tell(News::Look);
        } else if let Some(Ok(target)) = notice.strip_prefix(FREED).map(work::target) {
            self.tell(News::Freed(target));
        }
    }

    fn tell(&self, news: News) {
        // Nobody listens any more once the store is gone, which ends this.
        let _ = self.news.send(news);
    }
}

/// Whether a write failed because this process has been taken for gone: it will be somebody else in a moment.
pub(super) fn is_gone(failure: &Failure) -> bool {
    failure.code.as_ref() == Some(&SqlState::FOREIGN_KEY_VIOLATION)
}
