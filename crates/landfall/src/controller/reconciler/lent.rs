//! Lends the credentials of a project, as the API server has them at that moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use landfall_core::resource::Secret;
use tokio::sync::Mutex as Turn;

use crate::controller::credentials::Credentials;
use crate::resources::kubernetes::{ApiServer, Failure};

/// Many Warehouses of one project look at the same moment; they need not all ask.
const AS_GOOD_AS_NEW: Duration = Duration::from_secs(1);

/// From so many namespaces on, those that are not in use are forgotten.
const MANY: usize = 100;

/// Reads Secrets when they are needed. They are not watched, which would take the right to watch all Secrets.
pub(super) struct Lent {
    server: ApiServer,
    /// The namespace whose credentials every project may use.
    shared_namespace: Option<String>,
    read: Mutex<HashMap<String, Arc<Turn<Option<Read>>>>>,
}

struct Read {
    at: Instant,
    secrets: Arc<Vec<Secret>>,
}

impl Lent {
    pub(super) fn new(server: ApiServer, shared_namespace: Option<String>) -> Self {
        Self {
            server,
            shared_namespace,
            read: Mutex::default(),
        }
    }

    /// The credentials of a project.
    pub(super) async fn to(&self, project: &str) -> Result<Credentials, Failure> {
        let own = self.of(project).await?;
        let shared = match &self.shared_namespace {
            Some(shared) if shared != project => self.of(shared).await?,
            _ => Arc::default(),
        };
        let all = own.iter().chain(shared.iter());
        let (credentials, problems) = Credentials::of_secrets(all, self.shared_namespace.clone());
        for problem in problems {
            tracing::debug!(problem, "credentials cannot be used");
        }
        Ok(credentials)
    }

    async fn of(&self, namespace: &str) -> Result<Arc<Vec<Secret>>, Failure> {
        let turn = {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            if read.len() >= MANY && !read.contains_key(namespace) {
                // Those that nobody asks for at the moment are read again when somebody does.
                read.retain(|_, turn| Arc::strong_count(turn) > 1);
            }
            read.entry(namespace.to_owned()).or_default().clone()
        };
        let mut last = turn.lock().await;
        if let Some(read) = last.as_ref().filter(|read| read.at.elapsed() < AS_GOOD_AS_NEW) {
            return Ok(read.secrets.clone());
        }
        *last = None;
        let (secrets, problems) = self.server.image_credentials(namespace).await?;
        for problem in problems {
            tracing::warn!(problem, "credentials cannot be used");
        }
        let secrets = Arc::new(secrets);
        *last = Some(Read {
            at: Instant::now(),
            secrets: secrets.clone(),
        });
        Ok(secrets)
    }
}
