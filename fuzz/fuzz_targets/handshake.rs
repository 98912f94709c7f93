//! Any body as the question that Event Grid asks, and as the origin that CloudEvents ask with.
#![no_main]
use landfall_core::delivery::Unverified;
use landfall_core::receiver::handshake::{Handshake, of_delivery, of_options};
use landfall_core::receiver::{Receiver, Sender};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let asking = |header: &str, value: &[u8]| Unverified {
        headers: vec![(header.to_owned(), value.to_vec())],
        query: Vec::new(),
        body: input.to_vec(),
    };
    let events = Receiver::open_by_type(Sender::CloudEvents);
    let answer = of_options(&events, &asking("webhook-request-origin", input));
    if let Some(Handshake::Origin(origin)) = answer.expect("no proof is asked for") {
        assert!(
            origin.bytes().all(|byte| byte.is_ascii_graphic()),
            "{origin:?} is no value of a header"
        );
    }
    let azure = Receiver::open_by_type(Sender::Azure);
    let delivery = azure.authenticate(asking("aeg-event-type", b"SubscriptionValidation"));
    let _ = of_delivery(&delivery.expect("no proof is asked for"));
});
