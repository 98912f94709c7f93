//! Reads and writes one Lease, as the core's records; it must not know what they are for.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use landfall_core::lease::{Failure, Record, Step, Stored};

use crate::resources::kubernetes::Failure as Refusal;

/// One Lease in the API server.
pub(super) struct LeaseApi {
    api: Api<Lease>,
    name: String,
    /// The Lease as it was last seen: whatever in it is not ours is written back as it was.
    last: Option<Lease>,
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    Found(Option<Stored>),
    Wrote(Stored),
    /// With the reason, where it is not just that somebody else was quicker.
    Failed(Failure, Option<String>),
}

impl Outcome {
    pub(super) fn timed_out() -> Self {
        Self::Failed(
            Failure::Unanswered,
            Some("the API server does not answer in time".to_owned()),
        )
    }
}

impl LeaseApi {
    pub(super) fn new(client: Client, namespace: &str, name: String) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name,
            last: None,
        }
    }

    /// Does what a step asks for.
    pub(super) async fn ask(&mut self, step: Step) -> Outcome {
        match step {
            Step::Create(record) => {
                let lease = Lease {
                    metadata: ObjectMeta {
                        name: Some(self.name.clone()),
                        ..ObjectMeta::default()
                    },
                    spec: Some(spec(&record, None)),
                };
                let made = self.api.create(&PostParams::default(), &lease).await;
                self.written(made, [409])
            }
            Step::Replace { version, record } => {
                let last = self.last.take().unwrap_or_default();
                let lease = Lease {
                    metadata: ObjectMeta {
                        name: Some(self.name.clone()),
                        resource_version: Some(version),
                        ..last.metadata
                    },
                    spec: Some(spec(&record, last.spec)),
                };
                let replaced = self.api.replace(&self.name, &PostParams::default(), &lease).await;
                self.written(replaced, [404, 409])
            }
            Step::Look | Step::Wait { .. } | Step::Done => match self.api.get_opt(&self.name).await {
                Ok(found) => {
                    let seen = found.as_ref().map(stored);
                    self.last = found;
                    Outcome::Found(seen)
                }
                Err(error) => Outcome::Failed(Failure::Unanswered, Some(Refusal::from(error).to_string())),
            },
        }
    }

    /// The outcome of a write, of which these answers say that the Lease is not as it was seen.
    fn written<const N: usize>(&mut self, answer: kube::Result<Lease>, outdated: [u16; N]) -> Outcome {
        match answer {
            Ok(lease) => {
                let wrote = stored(&lease);
                self.last = Some(lease);
                Outcome::Wrote(wrote)
            }
            Err(kube::Error::Api(status)) if outdated.contains(&status.code) => {
                Outcome::Failed(Failure::Outdated, None)
            }
            Err(error) => Outcome::Failed(Failure::Unanswered, Some(Refusal::from(error).to_string())),
        }
    }
}

fn stored(lease: &Lease) -> Stored {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec
        .lease_duration_seconds
        .and_then(|seconds| u64::try_from(seconds).ok());
    Stored {
        record: Record {
            holder: spec.holder_identity.unwrap_or_default(),
            duration: seconds.map(Duration::from_secs),
            acquired: spec.acquire_time.map(|time| time.0),
            renewed: spec.renew_time.map(|time| time.0),
            transitions: spec.lease_transitions.unwrap_or_default(),
        },
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
        created: lease
            .metadata
            .creation_timestamp
            .as_ref()
            .map_or(Timestamp::UNIX_EPOCH, |time| time.0),
    }
}

fn spec(record: &Record, before: Option<LeaseSpec>) -> LeaseSpec {
    LeaseSpec {
        holder_identity: (!record.holder.is_empty()).then(|| record.holder.clone()),
        lease_duration_seconds: record
            .duration
            .and_then(|duration| i32::try_from(duration.as_secs()).ok()),
        acquire_time: record.acquired.map(MicroTime),
        renew_time: record.renewed.map(MicroTime),
        lease_transitions: Some(record.transitions),
        ..before.unwrap_or_default()
    }
}
