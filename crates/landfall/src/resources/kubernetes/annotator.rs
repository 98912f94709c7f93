//! Asks for a refresh of a resource by the annotation that whoever serves it watches. Where that is landfall, it is told what
//! the refresh points at, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use http::header::{ACCEPT, CONTENT_TYPE};
use jiff::Timestamp;
use kube::{Api, Client, Resource as _};
use landfall_core::refresh::{Ask, HINTS_ANNOTATION, Progress, hand_over};
use landfall_core::resource::{Kind, REFRESH_ANNOTATION};
use landfall_core::target::Target;
use serde_json::{Value, json};

use super::answer::changed;
use super::failure::Failure;
use super::object::{Object, Unread, api_resource};
use super::progresses::Progresses;
use super::protobuf::METADATA;
use super::refreshes::{Refreshes, progress};
use super::status::in_time;
use crate::clock::now;

/// What writes are said to be made by.
pub(super) const FIELD_MANAGER: &str = "landfall";
/// How often others may come between before a refresh is asked for without saying what it points at.
const ATTEMPTS: usize = 5;

/// Asks for refreshes; cheap to clone.
#[derive(Clone)]
pub struct Annotator {
    client: Client,
    tokens: Arc<Tokens>,
    progresses: Option<Arc<Progresses>>,
}

/// What became of a wish for a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Annotated {
    /// The API server has it, under this token.
    Taken(String),
    /// There is no such resource.
    Gone,
    /// It did not work.
    Failed(Failure),
}

impl Annotator {
    pub(super) fn new(client: Client, progresses: Option<Arc<Progresses>>) -> Self {
        Self {
            client,
            tokens: Arc::new(Tokens::new()),
            progresses,
        }
    }

    /// Asks for one refresh.
    pub async fn refresh(&self, target: &Target, ask: &Ask) -> Annotated {
        let token = self.tokens.next(now());
        let asked = match (target, &self.progresses) {
            (Target::Warehouse { .. }, Some(progresses)) => self.hand_over(progresses, target, &token, ask).await,
            (Target::Warehouse { .. } | Target::Promotion { .. }, _) => {
                self.annotate(target, json!({ REFRESH_ANNOTATION: &token })).await
            }
        };
        match asked {
            Ok(()) => Annotated::Taken(token),
            Err(Failure::NotFound) => Annotated::Gone,
            Err(failure) => Annotated::Failed(failure),
        }
    }

    /// Writes both annotations, if they still say what the second one rests on. Where others come between again and again, or
    /// nothing is known of the Warehouse yet, it asks for everything, which rests on nothing.
    async fn hand_over(&self, progresses: &Progresses, target: &Target, token: &str, ask: &Ask) -> Result<(), Failure> {
        for _ in 0..ATTEMPTS {
            let Some(before) = progresses.of(target) else {
                break;
            };
            let handover = hand_over(before.seen(), token, ask);
            match self.replace(target, &before, token, &handover).await {
                Ok(()) => {
                    progresses.asked(target, &before, token, handover);
                    return Ok(());
                }
                Err(Failure::Refused(_) | Failure::Conflict) => {
                    let object = in_time(self.api(target).get(name(target))).await?;
                    if let Some(current) = progress(&object) {
                        progresses.learn(target, current);
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
        let both = json!({ REFRESH_ANNOTATION: token, HINTS_ANNOTATION: Value::Null });
        self.annotate(target, both).await
    }

    /// Sets annotations, whatever they said.
    async fn annotate(&self, target: &Target, annotations: Value) -> Result<(), Failure> {
        let patch = json!({ "metadata": { "annotations": annotations } });
        self.patch(target, "application/merge-patch+json", &patch).await
    }

    /// Sets both annotations where they say what they said `before`; else it is refused.
    async fn replace(&self, target: &Target, before: &Progress, token: &str, hints: &str) -> Result<(), Failure> {
        let all = "/metadata/annotations";
        let patch = if before.is_annotated {
            let [first, second] = [REFRESH_ANNOTATION, HINTS_ANNOTATION].map(|name| format!("{all}/{}", escaped(name)));
            json!([
                { "op": "test", "path": first, "value": before.token },
                { "op": "test", "path": second, "value": before.hints },
                { "op": "add", "path": first, "value": token },
                { "op": "add", "path": second, "value": hints },
            ])
        } else {
            json!([
                { "op": "test", "path": all, "value": null },
                { "op": "add", "path": all, "value": { REFRESH_ANNOTATION: token, HINTS_ANNOTATION: hints } },
            ])
        };
        self.patch(target, "application/json-patch+json", &patch).await
    }

    async fn patch(&self, target: &Target, content_type: &'static str, patch: &Value) -> Result<(), Failure> {
        let request = http::Request::patch(url(target))
            .header(CONTENT_TYPE, content_type)
            // Only the metadata come back: statuses are large, and nobody here reads them.
            .header(ACCEPT, METADATA)
            .body(patch.to_string().into_bytes().into());
        let request = request.map_err(|error| Failure::Refused(error.to_string()))?;
        in_time(changed(&self.client, request, name(target))).await
    }

    fn api(&self, target: &Target) -> Api<Object<Refreshes>> {
        let (kind, namespace) = place(target);
        Api::namespaced_with(self.client.clone(), namespace, &api_resource(kind))
    }
}

/// Where the API server has a target, and who changes it there.
fn url(target: &Target) -> String {
    let (kind, namespace) = place(target);
    let base = Object::<Unread>::url_path(&api_resource(kind), Some(namespace));
    format!("{base}/{}?fieldManager={FIELD_MANAGER}", name(target))
}

fn place(target: &Target) -> (Kind, &str) {
    match target {
        Target::Warehouse { namespace, .. } => (Kind::Warehouse, namespace),
        Target::Promotion { namespace, .. } => (Kind::Promotion, namespace),
    }
}

fn name(target: &Target) -> &str {
    match target {
        Target::Warehouse { name, .. } | Target::Promotion { name, .. } => name,
    }
}

/// The name of a field, as a part of a JSON Pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Tokens of which none is like another: a token that is there already would ask for nothing. They read as times, as
/// those of Kargo's own tools do, and end in what tells processes apart.
struct Tokens {
    /// In nanoseconds.
    last: AtomicI64,
    process: String,
}

impl Tokens {
    fn new() -> Self {
        Self {
            last: AtomicI64::new(0),
            process: format!("{:08x}", fastrand::u32(..)),
        }
    }

    fn next(&self, now: Timestamp) -> String {
        let now = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX);
        let mut time = now;
        let _ = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            time = now.max(last.saturating_add(1));
            Some(time)
        });
        let time = Timestamp::from_nanosecond(time.into()).unwrap_or(Timestamp::MAX);
        format!("{time:.9}-{}", self.process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_as_times_and_none_is_like_another() {
        let tokens = Tokens {
            last: AtomicI64::new(0),
            process: "cafe0000".to_owned(),
        };
        let at = Timestamp::from_second(1_767_323_045).unwrap();
        assert_eq!(tokens.next(at), "2026-01-02T03:04:05.000000000Z-cafe0000");
        assert_eq!(tokens.next(at), "2026-01-02T03:04:05.000000001Z-cafe0000");
        // A clock that was set back does not bring an old token again.
        assert_eq!(
            tokens.next(Timestamp::UNIX_EPOCH),
            "2026-01-02T03:04:05.000000002Z-cafe0000"
        );
    }
}
