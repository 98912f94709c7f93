//! Decides what the context attributes of a CloudEvent are, wherever they stand; it must not know what the event carries.

use jiff::Timestamp;

use crate::delivery::Delivery;
use crate::receiver::Malformed;
use crate::receiver::payload::Object;
use crate::receiver::push::time;

/// What is known of an event without its data; what is missing is empty.
#[derive(Debug)]
pub(in crate::receiver) struct Attributes<'a> {
    /// The type, which is never missing.
    pub(in crate::receiver) kind: &'a str,
    pub(in crate::receiver) source: &'a str,
    pub(in crate::receiver) subject: &'a str,
    pub(in crate::receiver) time: Option<Timestamp>,
    id: &'a str,
}

impl<'a> Attributes<'a> {
    /// From the headers of the binary mode.
    pub(super) fn of_headers(delivery: &'a Delivery) -> Result<Self, Malformed> {
        Self {
            kind: delivery.header("ce-type"),
            source: delivery.header("ce-source"),
            subject: delivery.header("ce-subject"),
            time: time(delivery.header("ce-time")),
            id: delivery.header("ce-id"),
        }
        .versioned(delivery.header("ce-specversion"))
    }

    /// From the fields of the structured mode.
    pub(super) fn of_fields(event: &Object<'a>) -> Result<Self, Malformed> {
        Self {
            kind: event.text("type")?,
            source: event.text("source")?,
            subject: event.text("subject")?,
            time: time(event.text_if_any("time")),
            id: event.text("id")?,
        }
        .versioned(event.text("specversion")?)
    }

    fn versioned(self, specversion: &str) -> Result<Self, Malformed> {
        let missing = |name: &str| Err(Malformed::Unusable(format!("missing CloudEvents {name}")));
        match (specversion, self.kind) {
            ("", _) => missing("specversion"),
            (_, "") => missing("type"),
            _ => Ok(self),
        }
    }

    /// What makes the event the same as another one: by the specification, source and id together.
    pub(in crate::receiver) fn sender_id(&self) -> Option<String> {
        (!self.id.is_empty()).then(|| format!("{} {}", self.source, self.id))
    }

    /// Why an event of this type is of no interest.
    pub(in crate::receiver) fn unsupported(&self) -> String {
        format!("unsupported CloudEvents type: {}", self.kind)
    }
}
