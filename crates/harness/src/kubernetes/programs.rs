//! Where the programs of a Kubernetes for tests are, and the definitions of the resources that it is to know; it starts
//! nothing.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The folder of the programs that somebody has already, as the tools of the field call it.
const ASSETS: &str = "KUBEBUILDER_ASSETS";
/// The folder of the definitions.
const CRDS: &str = "LANDFALL_CRDS";

/// The programs that make a Kubernetes without nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    pub(super) etcd: PathBuf,
    pub(super) kube_apiserver: PathBuf,
    pub(super) kubectl: PathBuf,
}

impl Programs {
    /// The programs in the folder that `KUBEBUILDER_ASSETS` names, or those that `make kubernetes` built.
    pub(super) fn find() -> Result<Self> {
        match env::var_os(ASSETS).filter(|folder| !folder.is_empty()) {
            Some(folder) => Self::inside(Path::new(&folder), "KUBEBUILDER_ASSETS must name a folder that has it"),
            None => {
                let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
                Self::inside(&target.join("kubernetes"), "build it with `make kubernetes`")
            }
        }
    }

    fn inside(folder: &Path, advice: &str) -> Result<Self> {
        let program = |name: &str| {
            let path = folder.join(name);
            if !path.is_file() {
                bail!("{} does not exist: {advice}", path.display());
            }
            Ok(path)
        };
        Ok(Self {
            etcd: program("etcd")?,
            kube_apiserver: program("kube-apiserver")?,
            kubectl: program("kubectl")?,
        })
    }
}

/// The folder with the definitions of Kargo's, Argo CD's and Image Updater's resources; nothing where nobody names one and there is none
/// beside the repository.
pub(super) fn crds() -> Result<Option<PathBuf>> {
    if let Some(folder) = env::var_os(CRDS).filter(|folder| !folder.is_empty()) {
        let folder = has_definitions(PathBuf::from(folder), "LANDFALL_CRDS must name a folder that has some");
        return folder.map(Some);
    }
    Ok(has_definitions(repository().join("../shared/crds"), "").ok())
}

fn has_definitions(folder: PathBuf, advice: &str) -> Result<PathBuf> {
    let is_definition = |path: &Path| path.extension().is_some_and(|extension| extension == "yaml");
    let found = folder
        .read_dir()
        .is_ok_and(|entries| entries.flatten().any(|entry| is_definition(&entry.path())));
    if !found {
        bail!("no CustomResourceDefinitions in {}: {advice}", folder.display());
    }
    Ok(folder)
}

/// The root of the repository that the harness was built from.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_missing_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().display().to_string();
        for (made, expected) in [
            (None, Some("etcd")),
            (Some("etcd"), Some("kube-apiserver")),
            (Some("kube-apiserver"), Some("kubectl")),
            (Some("kubectl"), None),
        ] {
            if let Some(made) = made {
                fs::write(folder.path().join(made), "").unwrap();
            }
            assert_eq!(
                Programs::inside(folder.path(), "mend it")
                    .map(drop)
                    .map_err(|error| error.to_string()),
                expected.map_or(Ok(()), |name| Err(format!("{here}/{name} does not exist: mend it"))),
            );
        }
    }

    #[test]
    fn a_folder_without_definitions_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_path_buf();
        fs::write(path.join("README.md"), "").unwrap();
        assert_eq!(
            has_definitions(path.clone(), "mend it").unwrap_err().to_string(),
            format!("no CustomResourceDefinitions in {}: mend it", path.display())
        );
        fs::write(path.join("a.yaml"), "").unwrap();
        assert_eq!(has_definitions(path.clone(), "mend it").unwrap(), path);
    }
}
