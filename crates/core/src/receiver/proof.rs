//! Decides whether a request shows what its receiver asks for; it must not know what the request says.

use crate::delivery::{Rejected, Unverified};
use crate::secret::{SecretAge, Secrets};

/// What a request has to show.
#[derive(Clone, Debug)]
pub(super) enum Proof {
    /// That it found the unguessable path; finding the receiver was the proof.
    Path,
    /// Nothing, because the operator wants it so.
    Open,
    /// The secret as query parameter `secret`.
    QuerySecret(Secrets),
    /// The secret as the whole value of the header `Authorization`.
    Authorization(Secrets),
    /// The secret as query parameter `secret` or, where that is absent or empty, as the header `X-Webhook-Secret`. A wrong
    /// parameter is not made good by the header.
    QueryOrHeader(Secrets),
    /// The HMAC-SHA256 of the body under the secret, as header `X-Hub-Signature-256`.
    /// <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>
    HubSignature(Secrets),
}

impl Proof {
    /// Which secret the request shows, if the receiver has any. What is missing costs as much time as what is wrong.
    pub(super) fn of(&self, request: &Unverified) -> Result<Option<SecretAge>, Rejected> {
        let parameter = request.parameter("secret").unwrap_or_default().as_bytes();
        let header = |name| request.header(name).unwrap_or_default();
        let shown = match self {
            Self::Path | Self::Open => return Ok(None),
            Self::QuerySecret(secrets) => secrets.shown(|secret| secret.matches(parameter)),
            Self::Authorization(secrets) => {
                let offered = header("authorization");
                secrets.shown(|secret| secret.matches(offered))
            }
            Self::QueryOrHeader(secrets) => {
                let offered = if parameter.is_empty() {
                    header("x-webhook-secret")
                } else {
                    parameter
                };
                secrets.shown(|secret| secret.matches(offered))
            }
            Self::HubSignature(secrets) => {
                let offered = signature(header("x-hub-signature-256"));
                let compared = offered.unwrap_or_default();
                let shown = secrets.shown(|secret| secret.signs(&request.body, &compared));
                shown.filter(|_| offered.is_some())
            }
        };
        shown.map(Some).ok_or(Rejected)
    }
}

/// Reads `sha256=` and 64 hexadecimal digits, in either case.
fn signature(header: &[u8]) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = header.strip_prefix(b"sha256=")?.try_into().ok()?;
    let mut signature = [0; 32];
    for (byte, pair) in signature.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = hex(pair[0])? << 4 | hex(pair[1])?;
    }
    Some(signature)
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}
