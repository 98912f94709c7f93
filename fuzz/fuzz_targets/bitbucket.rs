//! Any body of the events that are read, with the right proof.
#![no_main]
use landfall_core::receiver::{Reach, Receiver, ReceiverName, Sender, read};
use landfall_core::secret::Secrets;
use libfuzzer_sys::fuzz_target;

#[path = "proving.rs"]
mod proving;

fuzz_target!(|body: &[u8]| {
    let (name, secrets) = (ReceiverName("fuzz".to_owned()), Secrets::only(proving::SECRET.into()));
    let by_path = Receiver::by_path(name, Sender::Bitbucket, Reach::Everywhere, secrets);
    for event in ["repo:push", "repo:refs_changed", "pullrequest:fulfilled", "pr:merged"] {
        let request = proving::request(body, "x-event-key", event);
        let _ = read(&by_path.authenticate(request).expect("the proof is right"));
    }
});
