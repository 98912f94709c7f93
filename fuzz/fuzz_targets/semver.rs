//! Any constraint before a newline, any version behind it.
#![no_main]
use landfall_core::semver::{Constraint, Strictness, Version};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (constraint, version) = text.split_once('\n').unwrap_or((text, text));
    let strict = Version::parse_tag(version, Strictness::Strict);
    let lenient = Version::parse_tag(version, Strictness::Lenient);
    assert!(strict.is_err() || lenient.is_ok(), "strict takes what lenient refuses");
    if let (Ok(constraint), Ok(version)) = (Constraint::parse(constraint), lenient) {
        assert_eq!(constraint.allows(&version), constraint.refusal(&version).is_none());
    }
});
