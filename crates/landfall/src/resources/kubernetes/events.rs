//! Tells people who look at an object what happened to it, as Kubernetes Events. Nothing depends on their being kept.

use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::PostParams;

use super::ApiServer;
use super::failure::Failure;
use super::status::{Observed, in_time};
use crate::clock::now;

/// The longest note that the API takes, in bytes.
const LONGEST: usize = 1024;
/// Where Events of objects that belong to no namespace are.
const DEFAULT_NAMESPACE: &str = "default";
const CONTROLLER: &str = "landfall";

/// Something that people should see. It holds neither secrets nor the paths of receivers, which are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// Whether somebody should do something about it.
    pub is_warning: bool,
    /// One word for it.
    pub reason: &'static str,
    /// What was being done.
    pub action: &'static str,
    /// A sentence.
    pub note: String,
}

impl ApiServer {
    /// Records what happened to an object.
    pub async fn tell<S>(&self, about: &Observed<S>, happening: &Happening) -> Result<(), Failure> {
        let namespace = about.reference.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        let name = about.reference.name.as_deref().unwrap_or_default();
        let at = now();
        let note = &happening.note;
        let event = Event {
            action: Some(happening.action.to_owned()),
            event_time: Some(MicroTime(at)),
            metadata: ObjectMeta {
                name: Some(format!("{name}.{:x}{:04x}", at.as_nanosecond(), fastrand::u16(..))),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            note: Some(note[..note.floor_char_boundary(LONGEST)].to_owned()),
            reason: Some(happening.reason.to_owned()),
            regarding: Some(about.reference.clone()),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.to_string()),
            type_: Some(if happening.is_warning { "Warning" } else { "Normal" }.to_owned()),
            ..Event::default()
        };
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        in_time(events.create(&PostParams::default(), &event)).await.map(drop)
    }
}

/// What this process is called among its like: in a pod, the pod's name.
pub(super) fn instance() -> String {
    let name = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    name.unwrap_or_else(|| CONTROLLER.to_owned())
}
