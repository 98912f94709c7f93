//! Stands for election by a Lease in the API server, and says who leads. What to do when is decided in the core; what a
//! leader does is not known here.

mod request;
#[cfg(test)]
mod tests;

use std::pin::{Pin, pin};
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use landfall_core::lease::{Candidate, Moment, Step, Term, Timing};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use self::request::{LeaseApi, Outcome};

/// Whether this process leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// It does, in this term.
    Leader {
        /// Who asks for it again before he writes knows whether it is still the one that he began in.
        term: Term,
        /// It may believe so until then; each renewal makes it later, without a notice.
        until: Instant,
    },
    /// It does not.
    Follower {
        /// Who does, as far as is known.
        holder: Option<String>,
    },
}

impl Leadership {
    /// The term in which this process leads right now. Also a process that was stopped for long and only just goes on gets
    /// no term that is over.
    pub fn term(&self) -> Option<Term> {
        match self {
            Self::Leader { term, until } => (Instant::now() < *until).then_some(*term),
            Self::Follower { .. } => None,
        }
    }

    /// Whether whoever waits for news must hear of the step from `self` to `new`.
    fn is_news(&self, new: &Self) -> bool {
        match (self, new) {
            // One that was over by the clock, and is prolonged all the same, was taken for over by whoever asked meanwhile.
            (Self::Leader { term, until }, Self::Leader { term: new, .. }) => term != new || *until <= Instant::now(),
            (old, new) => old != new,
        }
    }
}

/// Who stands for election, and for which Lease.
pub struct Election {
    /// The API server.
    pub client: Client,
    /// The Lease's namespace.
    pub namespace: String,
    /// The Lease's name.
    pub name: String,
    /// See [`identity`].
    pub identity: String,
    /// How long a Lease lasts.
    pub timing: Timing,
}

/// A name that no other process has: that of the pod, for people, and chance.
pub fn identity(pod: &str) -> String {
    format!("{pod}_{:032x}", fastrand::u128(..))
}

/// A candidate at work. Dropping it is a crash, for the others: they wait until the Lease is over. See
/// [`resign`](Self::resign).
pub struct Elected {
    leadership: watch::Receiver<Leadership>,
    resign: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    patience: Duration,
}

impl Election {
    /// Begins to stand for election.
    pub fn start(self) -> Elected {
        let (told, leadership) = watch::channel(Leadership::Follower { holder: None });
        let (resign, resigned) = oneshot::channel();
        let patience = self.timing.request() * 2;
        let api = LeaseApi::new(self.client, &self.namespace, self.name.clone());
        let standing = Standing {
            lease: self.name,
            candidate: Candidate::new(self.identity, self.timing),
            timing: self.timing,
            epoch: Instant::now(),
            told,
            is_failing: false,
            stands: true,
        };
        Elected {
            leadership,
            resign: Some(resign),
            task: tokio::spawn(run(standing, api, resigned)),
            patience,
        }
    }
}

impl Elected {
    /// Where to see whether this process leads, and to hear when that changes. Where the channel ends, so does leadership.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// Stands down at once and gives the Lease back, so that others need not wait; gives up on that where the API server does
    /// not answer. What a leader does must have ended before.
    pub async fn resign(mut self) {
        if let Some(resign) = self.resign.take() {
            let _ = resign.send(());
        }
        if tokio::time::timeout(self.patience, &mut self.task).await.is_err() {
            tracing::warn!("the Lease could not be given back; others will wait until it is over");
        }
    }
}

impl Drop for Elected {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a candidate knows, and whom it tells.
struct Standing {
    lease: String,
    candidate: Candidate,
    timing: Timing,
    epoch: Instant,
    told: watch::Sender<Leadership>,
    is_failing: bool,
    /// Nobody told it to resign yet.
    stands: bool,
}

async fn run(mut standing: Standing, mut api: LeaseApi, resigned: oneshot::Receiver<()>) {
    let mut resigned = pin!(resigned);
    loop {
        let step = standing.candidate.step(standing.now(), Timestamp::now());
        standing.tell();
        match step {
            Step::Done => return,
            Step::Wait { until } => tokio::select! {
                () = sleep_until(standing.epoch + until) => {}
                _ = &mut resigned, if standing.stands => standing.resign(),
            },
            Step::Look | Step::Create(_) | Step::Replace { .. } => {
                let sent = standing.now();
                let answer = tokio::time::timeout(standing.timing.request(), api.ask(step));
                let answer = standing.meanwhile(pin!(answer), resigned.as_mut()).await;
                standing.heed(answer.unwrap_or_else(|_| Outcome::timed_out()), sent);
            }
        }
    }
}

impl Standing {
    /// Waits for an answer. Leadership may end meanwhile, by its deadline or because the process is told to stop.
    async fn meanwhile<T>(
        &mut self,
        mut answer: Pin<&mut impl Future<Output = T>>,
        mut resigned: Pin<&mut oneshot::Receiver<()>>,
    ) -> T {
        loop {
            let until = self.candidate.leads(self.now()).map(|(_, until)| self.epoch + until);
            tokio::select! {
                answer = answer.as_mut() => return answer,
                () = sleep_until(until.unwrap_or(self.epoch)), if until.is_some() => self.tell(),
                _ = resigned.as_mut(), if self.stands => self.resign(),
            }
        }
    }

    fn resign(&mut self) {
        self.stands = false;
        self.candidate.resign(self.now());
        self.tell();
    }

    fn heed(&mut self, outcome: Outcome, sent: Moment) {
        let now = self.now();
        let mut failing = None;
        match outcome {
            Outcome::Found(found) => self.candidate.looked(found, now),
            Outcome::Wrote(stored) => self.candidate.wrote(stored, sent, now),
            Outcome::Failed(failure, reason) => {
                self.candidate.failed(failure, sent, now);
                failing = reason;
            }
        }
        // The first of many in a row is worth a line, and so is the end of them.
        match &failing {
            Some(reason) if !self.is_failing => {
                tracing::warn!(
                    lease = self.lease,
                    reason,
                    "the Lease cannot be read or written; landfall tries on"
                );
            }
            None if self.is_failing => tracing::info!(lease = self.lease, "the Lease can be read and written again"),
            _ => {}
        }
        self.is_failing = failing.is_some();
        self.tell();
    }

    /// Tells what has changed; that leadership lasts longer is written down without a notice.
    fn tell(&self) {
        let new = match self.candidate.leads(self.now()) {
            Some((term, until)) => Leadership::Leader {
                term,
                until: self.epoch + until,
            },
            None => Leadership::Follower {
                holder: self.candidate.holder().map(str::to_owned),
            },
        };
        self.told.send_if_modified(|told| {
            let is_news = told.is_news(&new);
            if is_news {
                log(&self.lease, &new);
            }
            *told = new;
            is_news
        });
    }

    fn now(&self) -> Moment {
        self.epoch.elapsed()
    }
}

fn log(lease: &str, leadership: &Leadership) {
    match leadership {
        Leadership::Leader { term, .. } => tracing::info!(lease, %term, "this process leads"),
        Leadership::Follower { holder: Some(holder) } => tracing::info!(lease, holder, "another process leads"),
        Leadership::Follower { holder: None } => tracing::info!(lease, "this process does not lead"),
    }
}
