//! Writes OCI image layout folders, which `skopeo copy oci:FOLDER:TAG …` reads; it knows of no registry.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::image::{Descriptor, Digest, Image, ImageSpec, Index, Manifest, to_json};

const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Writes the image into the layout folder `dir` under `tag`, and returns its manifest's digest. The folder is made
/// if need be; what it holds already stays, but another image of the same tag loses it.
///
/// # Errors
/// When the folder cannot be written or holds an `index.json` that is none.
pub fn image(dir: &Path, tag: &str, spec: &ImageSpec) -> Result<Digest> {
    let image = spec.build()?;
    write_image(dir, &image)?;
    tag_manifest(dir, tag, &image.manifest)
}

/// Writes the images and an index of them into the layout folder `dir` under `tag`, and returns the index's digest.
///
/// # Errors
/// As for [`image`].
pub fn index(dir: &Path, tag: &str, specs: &[ImageSpec], annotations: &BTreeMap<String, String>) -> Result<Digest> {
    let images = specs.iter().map(ImageSpec::build).collect::<Result<Vec<_>>>()?;
    for image in &images {
        write_image(dir, image)?;
    }
    let index = Manifest::index(&images, annotations)?;
    write_blob(dir, &index.bytes)?;
    tag_manifest(dir, tag, &index)
}

fn write_image(dir: &Path, image: &Image) -> Result<()> {
    for blob in [&image.layer, &image.config, &image.manifest.bytes] {
        write_blob(dir, blob)?;
    }
    Ok(())
}

fn write_blob(dir: &Path, bytes: &[u8]) -> Result<()> {
    let blobs = dir.join("blobs/sha256");
    fs::create_dir_all(&blobs).with_context(|| format!("cannot make the folder {}", blobs.display()))?;
    write(&blobs.join(Digest::of(bytes).hex()), bytes)
}

fn tag_manifest(dir: &Path, tag: &str, manifest: &Manifest) -> Result<Digest> {
    let path = dir.join("index.json");
    let mut index = if path.exists() {
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no image index", path.display()))?
    } else {
        Index {
            schema_version: 2,
            media_type: None,
            manifests: Vec::new(),
            annotations: BTreeMap::new(),
        }
    };
    index
        .manifests
        .retain(|entry| entry.annotations.get(REF_NAME).is_none_or(|name| name != tag));
    index.manifests.push(Descriptor {
        annotations: BTreeMap::from([(REF_NAME.to_owned(), tag.to_owned())]),
        ..Descriptor::of(&manifest.media_type, &manifest.bytes)
    });
    write(&path, &to_json(&index)?)?;
    write(&dir.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    Ok(manifest.digest())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_moves_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        image(dir, "v1", &ImageSpec::new("one")).unwrap();
        let two = image(dir, "v2", &ImageSpec::new("two")).unwrap();
        let three = image(dir, "v1", &ImageSpec::new("three")).unwrap();
        let index: Index = serde_json::from_slice(&fs::read(dir.join("index.json")).unwrap()).unwrap();
        let tags: Vec<_> = index
            .manifests
            .iter()
            .map(|entry| (&entry.annotations[REF_NAME], &entry.digest))
            .collect();
        assert_eq!(tags, [(&"v2".to_owned(), &two), (&"v1".to_owned(), &three)]);
        for entry in index.manifests {
            let blob = fs::read(dir.join("blobs/sha256").join(entry.digest.hex())).unwrap();
            assert_eq!(Digest::of(&blob), entry.digest);
        }
    }
}
