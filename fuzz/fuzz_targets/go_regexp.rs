//! Any expression before a newline, any text behind it.
#![no_main]
use landfall_core::go::regexp::Regexp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (pattern, searched) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(regexp) = Regexp::compile(pattern) {
        assert_eq!(regexp.as_str(), pattern);
        let _ = regexp.is_match(searched);
    }
});
