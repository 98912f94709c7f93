//! Any body of either event of packages, at either door. That a signature is right is tested elsewhere; here it is not asked for.
#![no_main]
use landfall_core::delivery::Unverified;
use landfall_core::receiver::{Reach, Receiver, ReceiverName, Sender, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let name = ReceiverName("fuzz".to_owned());
    let by_path = Receiver::by_path(name, Sender::GitHub, Reach::Everywhere);
    for receiver in [by_path, Receiver::open_by_type(Sender::GitHub)] {
        for event in ["package", "registry_package"] {
            let headers = vec![("x-github-event".to_owned(), event.into())];
            let query = Vec::new();
            let body = body.to_vec();
            let delivery = receiver.authenticate(Unverified { headers, query, body });
            let _ = read(&delivery.expect("no proof is asked for"));
        }
    }
});
