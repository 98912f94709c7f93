//! Any body, at either door.
#![no_main]
use landfall_core::delivery::Unverified;
use landfall_core::receiver::{Reach, Receiver, ReceiverName, Sender, read};
use landfall_core::secret::Secrets;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let name = ReceiverName("fuzz".to_owned());
    let by_path = Receiver::by_path(name, Sender::Quay, Reach::Everywhere, Secrets::only("s".into()));
    for receiver in [by_path, Receiver::open_by_type(Sender::Quay)] {
        let headers = Vec::new();
        let query = Vec::new();
        let body = body.to_vec();
        let delivery = receiver.authenticate(Unverified { headers, query, body });
        let _ = read(&delivery.expect("no proof is asked for"));
    }
});
