//! Decides which program this one was called as, by the name it was called by.

use std::ffi::OsStr;
use std::path::Path;

/// The programs that this one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CalledAs {
    Landfall,
    /// Argo CD Image Updater, for whom it stands in: every error ends with 1, and with the usage.
    ImageUpdater,
    /// Kargo, for whose external webhooks server it stands in; in all else it is landfall.
    Kargo,
}

impl CalledAs {
    /// The program that a path or name stands for. Image Updater's image calls it `/manager`.
    pub(super) fn of(name: Option<&OsStr>) -> Self {
        let name = name.and_then(|name| Path::new(name).file_name());
        match name.and_then(OsStr::to_str) {
            Some("argocd-image-updater" | "manager") => Self::ImageUpdater,
            Some("kargo") => Self::Kargo,
            _ => Self::Landfall,
        }
    }

    /// The name in usage texts.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Landfall => "landfall",
            Self::ImageUpdater => "argocd-image-updater",
            Self::Kargo => "kargo",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides() {
        for (name, expected) in [
            (Some("/manager"), CalledAs::ImageUpdater),
            (Some("manager"), CalledAs::ImageUpdater),
            (Some("/usr/local/bin/argocd-image-updater"), CalledAs::ImageUpdater),
            (Some("landfall"), CalledAs::Landfall),
            (Some("/usr/local/bin/kargo"), CalledAs::Kargo),
            (Some("/opt/manager/landfall"), CalledAs::Landfall),
            (Some(""), CalledAs::Landfall),
            (None, CalledAs::Landfall),
        ] {
            assert_eq!(CalledAs::of(name.map(OsStr::new)), expected, "{name:?}");
        }
    }
}
