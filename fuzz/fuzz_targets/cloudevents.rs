//! Any body as an event or a batch of them and, behind a newline, as the data of an event whose type, source and subject are
//! the lines before it.
#![no_main]
use landfall_core::delivery::Unverified;
use landfall_core::receiver::{Receiver, Sender, read};
use libfuzzer_sys::fuzz_target;

fn take(headers: Vec<(String, Vec<u8>)>, registry: bool, body: &[u8]) {
    let query = registry.then(|| ("registry_url".to_owned(), "registry.example.com".to_owned()));
    let request = Unverified {
        headers,
        query: query.into_iter().collect(),
        body: body.to_vec(),
    };
    let delivery = Receiver::open_by_type(Sender::CloudEvents).authenticate(request);
    let _ = read(&delivery.expect("no proof is asked for"));
}

fuzz_target!(|input: &[u8]| {
    for registry in [false, true] {
        take(
            vec![("content-type".to_owned(), b"application/json".to_vec())],
            registry,
            input,
        );
        let mut parts = input.splitn(4, |byte| *byte == b'\n');
        let mut part = || parts.next().unwrap_or_default().to_vec();
        let headers = vec![
            ("ce-specversion".to_owned(), b"1.0".to_vec()),
            ("ce-type".to_owned(), part()),
            ("ce-source".to_owned(), part()),
            ("ce-subject".to_owned(), part()),
        ];
        take(headers, registry, &part());
    }
});
