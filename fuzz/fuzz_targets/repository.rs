//! Any text as a repository: a canonical form is its own canonical form.
#![no_main]
use landfall_core::repository::{ChartRepository, GitRepository, ImageRepository};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(image) = ImageRepository::parse(text) {
        assert_eq!(ImageRepository::parse(image.as_str()).as_ref(), Ok(&image));
        assert!(!image.registry_host().is_empty() && !image.path().is_empty());
    }
    if let Ok(git) = GitRepository::parse(text) {
        assert_eq!(GitRepository::parse(git.as_str()), Ok(git));
    }
    let _ = ChartRepository::parse(text);
});
