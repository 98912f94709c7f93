//! One connection to the database: how it is opened, what it is set to, and what it is asked with.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::StoreError;
use super::url::DatabaseUrl;

/// How long the database may take for one statement before the connection is given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to be connected and set up.
const CONNECT: Duration = Duration::from_secs(3);
/// The pauses between attempts to connect, while they fail. Whoever asks meanwhile is told no at once.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Everything of ours is in a schema of its own. A transaction whose owner has fallen silent must not hold its locks for ever.
const SETUP: &str = "SET search_path = landfall; SET idle_in_transaction_session_timeout = '30s'; \
                     SET timezone = 'UTC'; SET default_transaction_isolation = 'read committed'";
/// A commit is on the disk before it returns, which is what a 2xx promises; a stricter setting stays.
const DURABLE: &str = "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                       WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false), current_setting('fsync')";

/// Why the database did not do something.
#[derive(Debug)]
pub(super) struct Failure {
    pub problem: String,
    /// The database's own code, where it answered and refused.
    pub code: Option<SqlState>,
}

impl Failure {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            code: None,
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        // The detail of a refusal holds values, which may be anybody's.
        if let Some(refused) = error.as_db_error() {
            return Self {
                problem: refused.message().to_owned(),
                code: Some(refused.code().clone()),
            };
        }
        let mut problem = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(deeper) = cause {
            problem = format!("{problem}: {deeper}");
            cause = deeper.source();
        }
        Self::new(problem)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::new(format!("what it keeps cannot be read: {error}"))
    }
}

/// Opens connections, and does not try again at once what has just failed.
pub(super) struct Connector {
    url: DatabaseUrl,
    tls: MakeRustlsConnect,
    address: Arc<str>,
    resting: Mutex<Option<Resting>>,
}

struct Resting {
    until: Instant,
    pause: Duration,
    problem: String,
}

/// Payloads of notifications, for whoever listens.
pub(super) type Notices = mpsc::UnboundedSender<String>;

impl Connector {
    pub(super) fn new(url: DatabaseUrl) -> Result<Self, String> {
        let tls = super::tls::connector(&url.trust)?;
        let address = url.to_string().into();
        Ok(Self {
            url,
            tls,
            address,
            resting: Mutex::default(),
        })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn unavailable(&self, failure: Failure) -> StoreError {
        StoreError::Unavailable {
            file: self.address.to_string(),
            problem: failure.problem,
        }
    }

    /// A connection, or why there is none.
    pub(super) async fn connect(&self) -> Result<Link, Failure> {
        self.listening(None).await
    }

    /// A connection whose notifications go to `notices`.
    pub(super) async fn listening(&self, notices: Option<Notices>) -> Result<Link, Failure> {
        if let Some(resting) = &*self.resting()
            && Instant::now() < resting.until
        {
            return Err(Failure::new(resting.problem.clone()));
        }
        let opened = timeout(CONNECT, self.open(notices)).await;
        let opened = opened.unwrap_or_else(|_| Err(Failure::new("it does not answer")));
        let mut resting = self.resting();
        match &opened {
            Ok(_) => *resting = None,
            Err(failure) => {
                let pause = resting.as_ref().map_or(PAUSES.0, |last| (last.pause * 2).min(PAUSES.1));
                *resting = Some(Resting {
                    until: Instant::now() + pause,
                    pause,
                    problem: failure.problem.clone(),
                });
            }
        }
        opened
    }

    async fn open(&self, notices: Option<Notices>) -> Result<Link, Failure> {
        let (client, mut connection) = self.url.config.connect(self.tls.clone()).await?;
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let (AsyncMessage::Notification(notification), Some(notices)) = (message, &notices) {
                    // Nobody listens any more once the store is gone.
                    let _ = notices.send(notification.payload().to_owned());
                }
            }
        });
        let mut link = Link {
            client,
            statements: HashMap::new(),
        };
        link.batch(SETUP).await?;
        let rows = link.query(DURABLE, &[]).await?;
        let set: &str = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
        if !["on", "remote_apply"].contains(&set) {
            return Err(Failure::new(format!(
                "its synchronous_commit is {set} and cannot be turned on: what it commits may be lost"
            )));
        }
        Ok(link)
    }

    fn resting(&self) -> MutexGuard<'_, Option<Resting>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection with the statements that it has prepared.
pub(super) struct Link {
    client: Client,
    statements: HashMap<&'static str, Statement>,
}

/// What goes into a statement.
pub(super) type Value<'a> = &'a (dyn ToSql + Sync);
pub(super) type Values<'a> = &'a [Value<'a>];

impl Link {
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// A statement that this connection knows.
    pub(super) async fn prepared(&mut self, sql: &'static str) -> Result<Statement, Failure> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let statement = patiently(self.client.prepare(sql)).await?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    pub(super) async fn query(&mut self, sql: &'static str, values: Values<'_>) -> Result<Vec<Row>, Failure> {
        let statement = self.prepared(sql).await?;
        patiently(self.client.query(&statement, values)).await
    }

    pub(super) async fn execute(&mut self, sql: &'static str, values: Values<'_>) -> Result<u64, Failure> {
        let statement = self.prepared(sql).await?;
        patiently(self.client.execute(&statement, values)).await
    }

    pub(super) async fn batch(&mut self, sql: &str) -> Result<(), Failure> {
        patiently(self.client.batch_execute(sql)).await
    }

    pub(super) async fn begin(&mut self) -> Result<(), Failure> {
        self.batch("BEGIN").await
    }

    pub(super) async fn commit(&mut self) -> Result<(), Failure> {
        self.batch("COMMIT").await
    }

    pub(super) async fn rollback(&mut self) -> Result<(), Failure> {
        self.batch("ROLLBACK").await
    }
}

/// Waits for an answer, though not for ever.
pub(super) async fn patiently<T>(answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Failure> {
    match timeout(PATIENCE, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::new("it does not answer")),
    }
}
