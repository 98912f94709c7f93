//! Finds the secrets of a receiver by path in its Secret, and says what is wrong with them. It must not know what they open.

use landfall_core::resource::{Kind, Resource, ResourceKey};
use landfall_core::secret::SecretBytes;

use crate::resources::manifests::Snapshot;

/// What is appended to a key for the secret that was in force before.
const PREVIOUS: &str = "-previous";

/// The secrets of a receiver.
pub(super) struct Found<'a> {
    pub current: &'a SecretBytes,
    /// The one before it, while it is still good; never the same.
    pub previous: Option<&'a SecretBytes>,
    /// What is wrong with the previous one.
    pub problem: Option<String>,
}

/// The secrets under a key of a Secret. An empty one is none: whoever can guess it is anybody.
pub(super) fn find<'a>(
    snapshot: &'a Snapshot,
    namespace: &str,
    name: &str,
    data_key: &str,
) -> Result<Found<'a>, String> {
    let key = ResourceKey {
        kind: Kind::Secret,
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    };
    let Some(Resource::Secret(secret)) = snapshot.resources.get(&key).map(|loaded| &loaded.resource) else {
        return Err(format!("{key} does not exist"));
    };
    let current = match secret.data.get(data_key) {
        None => return Err(format!("{key} has no key {data_key:?} in its data")),
        Some(value) if value.is_empty() => return Err(format!("the key {data_key:?} of {key} is empty")),
        Some(value) => value,
    };
    let previous_key = format!("{data_key}{PREVIOUS}");
    let previous = secret.data.get(&previous_key);
    let problem = previous
        .filter(|value| value.is_empty())
        .map(|_| format!("the key {previous_key:?} of {key} is empty, and proves nothing; remove it"));
    Ok(Found {
        current,
        previous: previous.filter(|value| !value.is_empty() && *value != current),
        problem,
    })
}
