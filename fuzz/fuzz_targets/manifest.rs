//! Any media type before a newline, any manifest or configuration behind it.
#![no_main]
use landfall_core::discovery::{Seen, read_config, read_manifest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (head, body) = data.split_at(end);
    let media_type = String::from_utf8_lossy(head);
    if let Err(unusable) = read_manifest(&media_type, body) {
        assert!(unusable.to_string().len() < 1024, "a reason is kept and shown");
        let kept = serde_json::to_string(&Seen::Unusable(unusable)).expect("a reason is text");
        let _: Seen = serde_json::from_str(&kept).expect("what was kept can be read");
    }
    let _ = read_config(body);
});
