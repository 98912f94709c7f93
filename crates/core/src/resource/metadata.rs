//! Reads the metadata that every resource has, and says what names Kubernetes allows; it must not know the kinds' own fields.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::{FieldError, Fields, Place, Warning};
use super::{Kind, ResourceKey};

/// The annotation whose value, when it changes, asks for the resource to be looked at now.
pub const REFRESH_ANNOTATION: &str = "kargo.akuity.io/refresh";

/// The name that the one `ClusterConfig` must have.
pub const CLUSTER_CONFIG_NAME: &str = "cluster";

/// The namespace of a namespaced resource that names none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// What every resource carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// A DNS subdomain of at most 253 bytes.
    pub name: String,
    /// The namespace, which is the Kargo project; `None` for a `ClusterConfig` alone.
    pub namespace: Option<String>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// How often the spec changed, where an API server counts.
    pub generation: Option<i64>,
    /// The identity that an API server gave.
    pub uid: Option<String>,
    /// The version that an API server gave.
    pub resource_version: Option<String>,
}

impl Metadata {
    /// The value of the annotation [`REFRESH_ANNOTATION`]: an opaque token, any change of which asks for a refresh.
    pub fn refresh_token(&self) -> Option<&str> {
        self.annotations.get(REFRESH_ANNOTATION).map(String::as_str)
    }

    /// The identity of a resource of this kind.
    pub(super) fn key(&self, kind: Kind) -> ResourceKey {
        ResourceKey {
            kind,
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }
}

/// Reads `metadata` of a resource of `kind`.
pub(super) fn read(value: &Value, kind: Kind, warnings: &mut Vec<Warning>) -> Result<Metadata, FieldError> {
    let place = Place::ROOT.key("metadata");
    let mut fields = Fields::of(value, &place)?;
    let name = fields.required_text("name")?;
    if !is_dns_subdomain(&name) {
        return Err(fields.error("name", "must be lower case letters, digits, '-' and '.', at most 253"));
    }
    let namespace = read_namespace(&mut fields, kind, &name, warnings)?;
    let metadata = Metadata {
        namespace,
        labels: fields.text_map("labels")?,
        annotations: fields.text_map("annotations")?,
        generation: fields.integer("generation")?,
        uid: fields.optional_text("uid")?,
        resource_version: fields.optional_text("resourceVersion")?,
        name,
    };
    fields.ignore(&[
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "finalizers",
    ]);
    fields.ignore(&["generateName", "managedFields", "ownerReferences", "selfLink"]);
    fields.finish(warnings);
    Ok(metadata)
}

/// The namespace by the rules of each kind: a `ProjectConfig` lives in the project that it is named for.
fn read_namespace(
    fields: &mut Fields<'_>,
    kind: Kind,
    name: &str,
    warnings: &mut Vec<Warning>,
) -> Result<Option<String>, FieldError> {
    let given = fields
        .optional_text("namespace")?
        .filter(|namespace| !namespace.is_empty());
    if given.as_ref().is_some_and(|namespace| !is_dns_label(namespace)) {
        return Err(fields.error("namespace", "must be lower case letters, digits and '-', at most 63"));
    }
    match kind {
        Kind::ClusterConfig => {
            if name != CLUSTER_CONFIG_NAME {
                return Err(fields.error("name", "must be \"cluster\": there is one ClusterConfig"));
            }
            if given.is_some() {
                let problem = "is ignored: a ClusterConfig belongs to no namespace";
                warnings.push(fields.error("namespace", problem).into_warning());
            }
            Ok(None)
        }
        Kind::ProjectConfig => {
            let namespace = given.unwrap_or_else(|| name.to_owned());
            if namespace == name {
                Ok(Some(namespace))
            } else {
                Err(fields.error(
                    "name",
                    "must be the namespace: a ProjectConfig is named after its project",
                ))
            }
        }
        Kind::Warehouse | Kind::Promotion | Kind::Secret | Kind::ConfigMap => {
            Ok(Some(given.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())))
        }
    }
}

/// Whether `text` is an RFC 1123 label: at most 63 of lower case letters, digits and inner hyphens.
pub(super) fn is_dns_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= 63 && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Whether `text` is an RFC 1123 subdomain as Kubernetes means it: dot-separated parts, at most 253 bytes in all. The parts
/// are not limited to 63, as they are not in Kubernetes.
pub(super) fn is_dns_subdomain(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-');
    text.len() <= 253 && text.split('.').all(is_part)
}
