//! Decides what a manifest, an index and an image configuration say: platforms, creation time, annotations.
//! Shapes: <https://github.com/opencontainers/image-spec>, and Docker's schema 2, which has the same fields.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::artifact::Digest;
use crate::selection::Platform;

/// What is known of an image or an index, under its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// When it was built, as far as anything tells.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub created: Option<Timestamp>,
    /// Annotations of the manifest or the index itself.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub annotations: BTreeMap<String, String>,
    /// What it runs on; several for an index.
    pub platforms: Vec<PlatformFacts>,
}

/// One platform of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformFacts {
    /// Operating system, architecture and variant.
    pub platform: Platform,
    /// Annotations of the index's reference to it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub annotations: BTreeMap<String, String>,
}

/// Why a digest cannot be deployed as an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

/// A manifest as read, before its configuration or its children were fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// One image; its configuration tells platform and creation time.
    Image {
        /// The configuration blob.
        config: Digest,
        /// The manifest's annotations.
        annotations: BTreeMap<String, String>,
        /// When it was built, if the annotations tell.
        created: Option<Timestamp>,
    },
    /// An index of images.
    Index {
        /// The index's annotations.
        annotations: BTreeMap<String, String>,
        /// When it was built, if the annotations tell.
        created: Option<Timestamp>,
        /// Its images for real platforms; attestations and the like are left out.
        children: Vec<ChildImage>,
    },
}

/// An index's reference to the image of one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildImage {
    /// The image's manifest.
    pub digest: Digest,
    /// What it runs on.
    pub platform: Platform,
    /// The reference's annotations.
    pub annotations: BTreeMap<String, String>,
    /// When it was built, if the annotations tell.
    pub created: Option<Timestamp>,
}

/// What an image's configuration tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFacts {
    /// When it was built: the later of `created` and the labels of the same meaning.
    pub created: Option<Timestamp>,
    /// What it runs on, where the configuration says so.
    pub platform: Option<Platform>,
}

/// Keys that tell when an image was built, in the order in which they count.
const CREATED_KEYS: [&str; 2] = ["org.opencontainers.image.created", "org.label-schema.build-date"];

/// What a manifest is, by its media type or else by its shape.
enum Form {
    Index,
    Image,
    Other(String),
}

/// `media_type` is the answer's `Content-Type`. Where that is vague, the body's own `mediaType` counts, which only Docker
/// requires; without either, the fields tell.
fn form(media_type: &str, value: &Value) -> Form {
    let declared = value.get("mediaType").and_then(Value::as_str).unwrap_or_default();
    for known in [media_type, declared] {
        if is_one_of(&INDEXES, known) {
            return Form::Index;
        }
        if is_one_of(&IMAGES, known) {
            return Form::Image;
        }
    }
    if value.get("manifests").is_some() {
        Form::Index
    } else if declared.is_empty() && value.get("config").is_some() {
        Form::Image
    } else {
        let told = if declared.is_empty() { media_type } else { declared };
        Form::Other(told.chars().take(ECHOED).collect())
    }
}

/// Reads the manifest of `media_type` (the answer's `Content-Type`; the body's own `mediaType` counts where that is vague).
pub fn read_manifest(media_type: &str, body: &[u8]) -> Result<Manifest, Unusable> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| Unusable(format!("its manifest is not JSON: {error}")))?;
    let annotations = texts(value.get("annotations"));
    let created = created_in(&annotations);
    match form(media_type, &value) {
        Form::Index => {
            let children: Vec<_> = list(value.get("manifests")).iter().filter_map(child).collect();
            if children.is_empty() {
                return Err(Unusable("its index names no image for a known platform".to_owned()));
            }
            Ok(Manifest::Index {
                annotations,
                created,
                children,
            })
        }
        Form::Image => Ok(Manifest::Image {
            config: config(value.get("config").unwrap_or(&Value::Null))?,
            annotations,
            created,
        }),
        Form::Other(told) => Err(Unusable(format!(
            "its manifest has the media type {told:?}, which is no image"
        ))),
    }
}

/// The digest of an image's configuration, by the manifest's reference to it.
fn config(reference: &Value) -> Result<Digest, Unusable> {
    let text = |name: &str| reference.get(name).and_then(Value::as_str).unwrap_or_default();
    let media_type = text("mediaType");
    if !is_one_of(&IMAGE_CONFIGS, media_type) {
        let told: String = media_type.chars().take(ECHOED).collect();
        return Err(Unusable(format!(
            "its configuration has the media type {told:?}, which is no image's"
        )));
    }
    Digest::parse(text("digest")).map_err(|_| Unusable("its manifest names no configuration".to_owned()))
}

/// Reads an image's configuration blob.
pub fn read_config(body: &[u8]) -> Result<ConfigFacts, Unusable> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| Unusable(format!("its configuration is not JSON: {error}")))?;
    if !value.is_object() {
        return Err(Unusable("its configuration is not a JSON object".to_owned()));
    }
    let created = match value
        .get("created")
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
    {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| {
            let told: String = text.chars().take(ECHOED).collect();
            Unusable(format!("its configuration has the creation time {told:?}"))
        })?),
    };
    let labels = texts(value.get("config").and_then(|config| config.get("Labels")));
    Ok(ConfigFacts {
        created: created.max(created_in(&labels)),
        platform: platform(&value),
    })
}

impl Manifest {
    /// The facts of a single image, with its configuration.
    pub fn image_facts(
        annotations: BTreeMap<String, String>,
        created: Option<Timestamp>,
        config: ConfigFacts,
    ) -> Facts {
        // An index spells its platforms as it likes, and is compared as it does. What a configuration says was written by a
        // builder, and either spelling is meant.
        let spellings = config
            .platform
            .into_iter()
            .flat_map(|platform| [platform.other_spelling(), Some(platform)]);
        let platforms = spellings.flatten().map(|platform| PlatformFacts {
            platform,
            annotations: BTreeMap::new(),
        });
        Facts {
            created: created.or(config.created),
            annotations,
            platforms: platforms.collect(),
        }
    }

    /// The facts of an index, whose children are complete: the index's own time counts, else its newest image's.
    pub fn index_facts(
        annotations: BTreeMap<String, String>,
        created: Option<Timestamp>,
        children: Vec<ChildImage>,
    ) -> Facts {
        let newest = children.iter().filter_map(|child| child.created).max();
        let platforms = children
            .into_iter()
            .map(|child| PlatformFacts {
                platform: child.platform,
                annotations: child.annotations,
            })
            .collect();
        Facts {
            created: created.or(newest),
            annotations,
            platforms,
        }
    }
}

const IMAGE_CONFIGS: [&str; 2] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

/// So many characters of a value that cannot be used are repeated in a reason, which is kept and shown.
const ECHOED: usize = 100;

const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

const IMAGES: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// Whether the media type is one of `known`, whatever its case and its parameters are.
fn is_one_of(known: &[&str], media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    known.iter().any(|known| known.eq_ignore_ascii_case(essence))
}

fn child(reference: &Value) -> Option<ChildImage> {
    let annotations = texts(reference.get("annotations"));
    Some(ChildImage {
        digest: Digest::parse(reference.get("digest")?.as_str()?).ok()?,
        platform: platform(reference.get("platform")?)?,
        created: created_in(&annotations),
        annotations,
    })
}

/// A platform, unless operating system or architecture is missing or `unknown`, as for attestations.
fn platform(value: &Value) -> Option<Platform> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let platform = Platform {
        os: text("os"),
        architecture: text("architecture"),
        variant: text("variant"),
    };
    let known = |part: &str| !part.is_empty() && part != "unknown";
    (known(&platform.os) && known(&platform.architecture)).then_some(platform)
}

fn created_in(annotations: &BTreeMap<String, String>) -> Option<Timestamp> {
    CREATED_KEYS
        .iter()
        .filter_map(|key| annotations.get(*key))
        .find_map(|text| text.parse().ok())
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn texts(value: Option<&Value>) -> BTreeMap<String, String> {
    let fields = value.and_then(Value::as_object).into_iter().flatten();
    fields
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}
