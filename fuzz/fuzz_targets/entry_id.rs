//! Any text as the id of a delivery: what is read is written in the same way.
#![no_main]
use landfall_core::journal::EntryId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(id) = text.parse::<EntryId>() {
        assert_eq!(id.to_string(), text.to_ascii_lowercase());
        assert_eq!(EntryId::from_i64(id.as_i64()), id);
    }
});
