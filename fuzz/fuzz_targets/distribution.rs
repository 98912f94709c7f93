//! Any body, at either door.
#![no_main]
use landfall_core::delivery::Unverified;
use landfall_core::receiver::{Reach, Receiver, ReceiverName, Sender, read};
use landfall_core::secret::Secrets;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let name = ReceiverName("fuzz".to_owned());
    let by_path = Receiver::by_path(name, Sender::Distribution, Reach::Everywhere, Secrets::only("s".into()));
    for receiver in [
        by_path,
        Receiver::by_type(Sender::Distribution, Secrets::only("s".into())),
    ] {
        let headers = vec![("authorization".to_owned(), b"s".to_vec())];
        let query = vec![("secret".to_owned(), "s".to_owned())];
        let body = body.to_vec();
        let delivery = receiver.authenticate(Unverified { headers, query, body });
        let _ = read(&delivery.expect("the proof is right"));
    }
});
