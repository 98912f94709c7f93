//! Reads the Secrets of a namespace that are labelled as credentials for image repositories, when somebody needs them: they are
//! neither followed nor kept.

use kube::Api;
use kube::api::ListParams;
use landfall_core::resource::{CREDENTIAL_TYPE_LABEL, Kind, Resource, Secret};

use super::ApiServer;
use super::failure::Failure;
use super::object::{Object, Outcome, Unread, api_resource, read};
use super::status::in_time;

impl ApiServer {
    /// The Secrets with credentials for images in a namespace, in the order of their names, and what is wrong with others.
    pub async fn image_credentials(&self, namespace: &str) -> Result<(Vec<Secret>, Vec<String>), Failure> {
        let api: Api<Object<Unread>> =
            Api::namespaced_with(self.client.clone(), namespace, &api_resource(Kind::Secret));
        let labelled = ListParams::default().labels(&format!("{CREDENTIAL_TYPE_LABEL}=image"));
        let list = in_time(api.list(&labelled)).await?;
        let (mut secrets, mut problems) = (Vec::new(), Vec::new());
        for object in list.items {
            let read = read(Kind::Secret, object);
            problems.extend(read.problems.iter().map(|problem| problem.to_string()));
            if let Outcome::Usable(loaded) = read.outcome
                && let Resource::Secret(secret) = &loaded.resource
            {
                secrets.push(Secret::clone(secret));
            }
        }
        secrets.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        Ok((secrets, problems))
    }
}
