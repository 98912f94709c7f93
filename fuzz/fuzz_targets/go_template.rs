//! Any template, rendered with the data of a commit.
#![no_main]
use landfall_core::commit::{Change, MessageTemplate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let change = |image: &str, label: &str| Change {
        image: image.to_owned(),
        old_tag: "1.0.0".to_owned(),
        new_tag: "1.0.1".to_owned(),
        labels: vec![(label.to_owned(), "value".to_owned())],
    };
    if let Ok(template) = MessageTemplate::parse(text) {
        let message = template.message("application", &[change("a/b", "team"), change("c", "é")]);
        if message.problem.is_some() {
            assert_eq!(message.text, "build: update of application application");
        }
    }
});
