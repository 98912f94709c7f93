//! The few threads that read. The store has threads of its own because it must not wait for whatever else blocks, such as
//! looking up names of hosts; and few, because each costs memory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use super::schema::keep_statements;
use super::{BUSY, Store, StoreError};

/// Reads at once. SQLite reads from memory, mostly; more threads than cores would only take turns.
const THREADS: usize = 3;

type Job = Box<dyn FnOnce(&mut Slot) + Send>;

/// Hands reads to the threads.
#[derive(Clone)]
pub(super) struct Readers(Sender<Job>);

/// A thread's connection, opened when it is first needed and again after an error.
struct Slot {
    file: Arc<str>,
    connection: Option<Connection>,
}

impl Readers {
    pub(super) fn start(file: &Arc<str>) -> std::io::Result<Self> {
        let (sender, receiver) = channel::<Job>();
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 1..=THREADS {
            let (receiver, slot) = (
                receiver.clone(),
                Slot {
                    file: file.clone(),
                    connection: None,
                },
            );
            thread::Builder::new()
                .name(format!("store-{number}"))
                .spawn(move || serve(&receiver, slot))?;
        }
        Ok(Self(sender))
    }
}

/// Runs until nobody can ask any more.
fn serve(receiver: &Mutex<Receiver<Job>>, mut slot: Slot) {
    loop {
        // Held only while waiting for a job: whoever gets one lets the next thread wait.
        let job = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            // A bug in one read must not leave the store with a thread less.
            Ok(job) => drop(catch_unwind(AssertUnwindSafe(|| job(&mut slot)))),
            Err(_nobody_is_left) => return,
        }
    }
}

impl Slot {
    fn read<T>(&mut self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let connection = Connection::open_with_flags(&*self.file, flags)?;
                connection.busy_timeout(BUSY)?;
                keep_statements(&connection)?;
                connection
            }
        };
        let result = read(&connection);
        if result.is_ok() {
            self.connection = Some(connection);
        }
        result
    }
}

impl Store {
    /// Runs `read` on a connection that sees the last commit.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |slot| {
            // Whoever asked may have gone.
            let _ = reply.send(slot.read(read));
        });
        self.readers
            .0
            .send(job)
            .map_err(|_| self.unavailable(&"its readers have stopped"))?;
        match answer.await {
            Ok(result) => result.map_err(|error| self.unavailable(&error)),
            Err(_) => Err(self.unavailable(&"a read ended in the middle; this is a bug")),
        }
    }
}
