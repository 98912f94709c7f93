//! Any body, with the right proof.
#![no_main]
use landfall_core::receiver::{Reach, Receiver, ReceiverName, Sender, read};
use landfall_core::secret::Secrets;
use libfuzzer_sys::fuzz_target;

#[path = "proving.rs"]
mod proving;

fuzz_target!(|body: &[u8]| {
    let (name, secrets) = (ReceiverName("fuzz".to_owned()), Secrets::only(proving::SECRET.into()));
    let by_path = Receiver::by_path(name, Sender::Artifactory, Reach::Everywhere, secrets);
    let request = proving::request(body, "content-type", "application/json");
    let _ = read(&by_path.authenticate(request).expect("the proof is right"));
});
