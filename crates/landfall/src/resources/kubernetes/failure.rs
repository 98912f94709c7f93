//! Decides what an API server's refusal means: try again at once, later, or not at all.

use kube::Error;

/// Why a request had no effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no such object, or no such kind.
    #[error("the API server knows no such resource")]
    NotFound,
    /// Somebody else has changed the object meanwhile.
    #[error("somebody else has changed it meanwhile")]
    Conflict,
    /// The history that was asked for is gone; everything has to be read anew.
    #[error("the API server has forgotten what happened since")]
    Expired,
    /// The right is missing.
    #[error("the API server refuses: {0}")]
    Forbidden(String),
    /// It cannot be reached, or cannot answer anybody at the moment.
    #[error("the API server cannot be reached: {0}")]
    Unreachable(String),
    /// It can be reached, and something that it needs for this cannot: its etcd, or somebody whom it asks first.
    #[error("the API server cannot do it at the moment: {0}")]
    Unable(String),
    /// Any other refusal.
    #[error("the API server refuses: {0}")]
    Refused(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(status) => Self::of(&status),
            Error::Service(source) => Self::Unreachable(innermost(source.as_ref())),
            Error::HyperError(source) => Self::Unreachable(innermost(&source)),
            // An answer that is cut off, or that something between us and the server has made.
            other => Self::Unreachable(innermost(&other)),
        }
    }
}

impl Failure {
    /// What a refusal that came as an answer means.
    pub(super) fn of(status: &kube::core::Status) -> Self {
        let message = || status.message.clone();
        match status.code {
            404 => Self::NotFound,
            409 => Self::Conflict,
            410 => Self::Expired,
            401 | 403 => Self::Forbidden(message()),
            // Too many requests, and what servers say that are starting, ending, or without their etcd.
            429 | 502..=504 => Self::Unreachable(message()),
            // JSON that is no API server's: of what stands before it, which has overload and outages of its own.
            0 => Self::Unreachable("the answer is not an API server's".to_owned()),
            500..=599 => Self::Unable(message()),
            _ => Self::Refused(message()),
        }
    }
}

/// What went wrong in the end: what is wrapped around it says only that something did.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn refusals() {
        let answer = |code, message: &str| Error::Api(Box::new(Status::failure(message, "").with_code(code)));
        for (code, expected) in [
            (404, Failure::NotFound),
            (409, Failure::Conflict),
            (410, Failure::Expired),
            (401, Failure::Forbidden("no".into())),
            (403, Failure::Forbidden("no".into())),
            (422, Failure::Refused("no".into())),
            (500, Failure::Unable("no".into())),
            (429, Failure::Unreachable("no".into())),
            (503, Failure::Unreachable("no".into())),
            (504, Failure::Unreachable("no".into())),
        ] {
            assert_eq!(Failure::from(answer(code, "no")), expected, "{code}");
        }
        let of_a_gateway = serde_json::from_str(r#"{"error":"overloaded"}"#).unwrap();
        let expected = Failure::Unreachable("the answer is not an API server's".into());
        assert_eq!(Failure::from(Error::Api(of_a_gateway)), expected);
    }
}
