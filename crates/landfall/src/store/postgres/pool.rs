//! The few connections that everything but the writer of deliveries shares.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::super::StoreError;
use super::link::{Connector, Failure, Link};

/// Connections of one process, beside the writer's and the one that listens: all together, they are to stay few for a
/// database that serves many processes.
const CONNECTIONS: usize = 4;
/// How long to wait for a free one.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections that are opened when they are first needed.
pub(super) struct Pool {
    connector: Arc<Connector>,
    idle: Arc<Mutex<Vec<Link>>>,
    places: Arc<Semaphore>,
}

/// A connection in use. Whoever goes away with it in the middle closes it, which rolls back what it had begun.
pub(super) struct Pooled {
    link: Link,
    connector: Arc<Connector>,
    idle: Arc<Mutex<Vec<Link>>>,
    _place: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(connector: Arc<Connector>) -> Self {
        Self {
            connector,
            idle: Arc::default(),
            places: Arc::new(Semaphore::new(CONNECTIONS)),
        }
    }

    /// A connection of the caller's own, for a while.
    pub(super) async fn take(&self) -> Result<Pooled, StoreError> {
        let place = timeout(PATIENCE, self.places.clone().acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            let busy = Failure::new("all connections to it are busy");
            return Err(self.connector.unavailable(busy));
        };
        let mut idle = std::iter::from_fn(|| self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop());
        let link = match idle.find(|link| !link.is_closed()) {
            Some(link) => link,
            None => match self.connector.connect().await {
                Ok(link) => link,
                Err(failure) => return Err(self.connector.unavailable(failure)),
            },
        };
        Ok(Pooled {
            link,
            connector: self.connector.clone(),
            idle: self.idle.clone(),
            _place: place,
        })
    }
}

impl Pooled {
    /// Gives the connection back, unless something went wrong with it.
    pub(super) fn end<T>(self, outcome: Result<T, Failure>) -> Result<T, StoreError> {
        match outcome {
            Ok(value) => {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.push(self.link);
                Ok(value)
            }
            Err(failure) => Err(self.connector.unavailable(failure)),
        }
    }
}

impl Deref for Pooled {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}
