//! Decides whether a request shows what its receiver asks for; it must not know what the request says.

use super::Sender;
use crate::delivery::{Entrance, Rejected, Unverified};
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
    /// The secret as the whole value of this header.
    Header(&'static str, Secrets),
    /// The secret as query parameter `secret` or, where that is absent or empty, as the header `X-Webhook-Secret`. A wrong
    /// parameter is not made good by the header.
    QueryOrHeader(Secrets),
    /// The HMAC-SHA256 of the body under the secret, as this header.
    Signature(SignatureHeader, Secrets),
}

/// Where a signature is, and what stands before its hexadecimal digits. None of the senders has to be allowed a weaker hash.
#[derive(Clone, Copy, Debug)]
pub(super) enum SignatureHeader {
    /// GitHub's, which Gitea sends as well.
    /// <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>
    HubSignature256,
    /// Bitbucket's, which is named after the older one and has SHA-256 in it.
    /// <https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/#Secure-webhooks>
    HubSignature,
    /// Artifactory's, where the webhook uses its secret for payload signing.
    /// <https://jfrog.com/help/r/jfrog-platform-administration-documentation/webhooks>
    JfrogEventAuth,
}

impl SignatureHeader {
    fn name_and_prefix(self) -> (&'static str, &'static [u8]) {
        match self {
            Self::HubSignature256 => ("x-hub-signature-256", b"sha256="),
            Self::HubSignature => ("x-hub-signature", b"sha256="),
            Self::JfrogEventAuth => ("x-jfrog-event-auth", b""),
        }
    }
}

impl Proof {
    /// Where a sender shows its secret at each door. By path, what has no place but the query, and ACR's header, which Kargo
    /// does not know, are not asked for: the path was the proof.
    pub(super) fn by(sender: Sender, entrance: Entrance, secrets: Secrets) -> Self {
        match (sender, entrance) {
            (Sender::GitHub | Sender::Gitea, _) => Self::Signature(SignatureHeader::HubSignature256, secrets),
            (Sender::Bitbucket, _) => Self::Signature(SignatureHeader::HubSignature, secrets),
            (Sender::Artifactory, _) => Self::Signature(SignatureHeader::JfrogEventAuth, secrets),
            (Sender::GitLab, _) => Self::Header("x-gitlab-token", secrets),
            (Sender::Harbor, _) => Self::Header("authorization", secrets),
            (Sender::Distribution | Sender::Azure, Entrance::Type) => Self::Header("authorization", secrets),
            (Sender::DockerHub | Sender::Quay | Sender::AliyunAcr, Entrance::Type) => Self::QuerySecret(secrets),
            (Sender::CloudEvents | Sender::EventBridge, Entrance::Type) => Self::QueryOrHeader(secrets),
            (
                Sender::Distribution
                | Sender::Azure
                | Sender::DockerHub
                | Sender::Quay
                | Sender::AliyunAcr
                | Sender::CloudEvents
                | Sender::EventBridge,
                Entrance::Path,
            ) => Self::Path,
        }
    }

    /// Which secret the request shows, if the receiver has any. What is missing costs as much time as what is wrong.
    pub(super) fn of(&self, request: &Unverified) -> Result<Option<SecretAge>, Rejected> {
        let parameter = request.parameter("secret").unwrap_or_default().as_bytes();
        let header = |name| request.header(name).unwrap_or_default();
        let shown = match self {
            Self::Path | Self::Open => return Ok(None),
            Self::QuerySecret(secrets) => secrets.shown(|secret| secret.matches(parameter)),
            Self::Header(name, secrets) => {
                let offered = header(name);
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
            Self::Signature(place, secrets) => {
                let (name, prefix) = place.name_and_prefix();
                let offered = signature(header(name), prefix);
                let compared = offered.unwrap_or_default();
                let shown = secrets.shown(|secret| secret.signs(&request.body, &compared));
                shown.filter(|_| offered.is_some())
            }
        };
        shown.map(Some).ok_or(Rejected)
    }
}

/// Reads the prefix and 64 hexadecimal digits, in either case.
fn signature(header: &[u8], prefix: &[u8]) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = header.strip_prefix(prefix)?.try_into().ok()?;
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
