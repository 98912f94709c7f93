//! What an API server says of a history that is gone, in both of its forms.

use serde_json::{Value, json};

use super::watch::Form;

const CODE: u16 = 410;
const REASON: &str = "Expired";

fn message(revision: u64) -> String {
    format!("too old resource version; there is nothing before {revision}")
}

/// As an answer.
pub(super) fn status(revision: u64) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": REASON, "code": CODE,
        "message": message(revision),
    })
}

/// As the last event of a watch.
pub(super) fn event(form: Form, revision: u64) -> Vec<u8> {
    match form {
        Form::Lines => format!("{}\n", json!({ "type": "ERROR", "object": status(revision) })).into_bytes(),
        Form::Frames => {
            let status = [
                field(2, b"Failure"),
                field(3, message(revision).as_bytes()),
                field(4, REASON.as_bytes()),
                // The sixth field is a number: seven bits in each byte, the lowest first.
                vec![6 << 3, (CODE & 0x7f) as u8 | 0x80, (CODE >> 7) as u8],
            ]
            .concat();
            let kind = [field(1, b"v1"), field(2, b"Status")].concat();
            let object = [b"k8s\0".to_vec(), field(1, &kind), field(2, &status)].concat();
            let event = [field(1, b"ERROR"), field(2, &field(1, &object))].concat();
            let length = u32::try_from(event.len()).unwrap_or(u32::MAX);
            [length.to_be_bytes().to_vec(), event].concat()
        }
    }
}

/// A field of a message: its number and that it has a length, the length, and what it holds.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length > 0x7f {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(content);
    bytes
}
