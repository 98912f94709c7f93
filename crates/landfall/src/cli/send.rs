//! `landfall send`: posts a delivery as a sender would.

mod aliyun_acr;
mod artifactory;
mod azure;
mod azure_devops;
mod bitbucket;
mod cloudevents;
mod distribution;
mod dockerhub;
mod ecr;
mod eventbridge;
mod git;
mod gitea;
mod github;
mod github_package;
mod gitlab;
mod harbor;
mod quay;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use landfall_core::secret::SecretBytes;
use sha2::{Digest as _, Sha256};

use super::UsageError;
use super::output::{Format, print, print_json};
use crate::clock::now;

/// Post a realistic delivery, signed as its sender signs, to try things out.
///
/// Examples:
///   landfall send dockerhub --repo example/app --tag 1.2.3 --to "$(landfall receivers -o json | jq -r '.[0].url')"
///   LANDFALL_SEND_SECRET=s3cret landfall send dockerhub --repo example/app --tag 1.2.3 \
///       --to 'http://127.0.0.1:8080/webhook?type=docker.io'
///   LANDFALL_SEND_SECRET='Bearer s3cret' landfall send distribution --repo 127.0.0.1:5000/shop/api --tag 1.2.3 \
///       --to 'http://127.0.0.1:8080/webhook?type=distribution'
///   LANDFALL_SEND_SECRET=s3cret landfall send github --repo ghcr.io/shop/api --tag 1.2.3 \
///       --to 'http://127.0.0.1:8080/webhook?type=ghcr.io'
///   LANDFALL_SEND_SECRET=s3cret landfall send gitea --repo https://git.example.com/shop/api --branch main --to "$URL"
///   LANDFALL_SEND_SECRET=s3cret landfall send gitlab --repo https://gitlab.com/shop/env \
///       --pull-request https://gitlab.com/shop/env/-/merge_requests/7 --to "$URL"
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[allow(
    rustdoc::broken_intra_doc_links,
    rustdoc::bare_urls,
    reason = "the comment is the help, with a shell's examples"
)]
pub(super) struct SendArgs {
    #[command(subcommand)]
    sender: SenderCommand,
}

#[derive(Debug, Subcommand)]
enum SenderCommand {
    /// As Docker Hub posts after a push.
    Dockerhub(What),
    /// As a CNCF Distribution registry posts after a push.
    Distribution(What),
    /// As GitHub posts after a push to its container registry or to a Git repository, signed with the secret.
    Github(What),
    /// As Harbor posts after a push, in its default format.
    Harbor(What),
    /// As Quay posts after a push.
    Quay(What),
    /// As Alibaba Cloud's Container Registry posts after a push.
    AliyunAcr(What),
    /// As Azure Container Registry posts after a push, or Azure DevOps after one to a Git repository.
    Azure(What),
    /// As a CloudEvent: for a registry of ECR as EventBridge's transformer makes it, for others in the same fields.
    Cloudevents(What),
    /// As EventBridge delivers an event of ECR, untransformed.
    Eventbridge(What),
    /// As Gitea and Forgejo post after a push to a Git repository, signed with the secret.
    Gitea(What),
    /// As GitLab posts after a push to a Git repository.
    Gitlab(What),
    /// As Bitbucket posts after a push to a Git repository, signed with the secret: of bitbucket.org the Cloud, else the Data
    /// Center.
    Bitbucket(What),
    /// As Artifactory posts after a push, signed with the secret.
    Artifactory(What),
}

#[derive(Args)]
struct What {
    /// The repository, as a subscription names it; a Git repository by its address by https.
    #[arg(long)]
    repo: String,
    /// The tag that was pushed.
    #[arg(long, default_value = "", hide_default_value = true)]
    tag: String,
    /// The branch that was pushed, in a Git repository.
    #[arg(long)]
    branch: Option<String>,
    /// The page of a pull request that was merged, of a Git repository.
    #[arg(long, value_name = "URL")]
    pull_request: Option<String>,
    /// The digest that was pushed, for senders that tell it.
    #[arg(long)]
    digest: Option<String>,
    /// The receiver's URL.
    #[arg(long, value_name = "URL")]
    to: String,
    /// The secret that the sender shows, where the URL alone is no proof.
    #[arg(long, env = "LANDFALL_SEND_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// How to print the answer.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
}

/// A secret is among the arguments, so nothing of them is shown.
impl std::fmt::Debug for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("What(…)")
    }
}

/// A request as a sender makes it.
struct Delivery {
    url: reqwest::Url,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl SenderCommand {
    /// The delivery, and how to print the answer.
    fn delivery(&self) -> Result<(Delivery, Format), UsageError> {
        let (what, make): (&What, fn(&What) -> Result<Delivery, UsageError>) = match self {
            Self::Dockerhub(what) => (what, dockerhub::delivery),
            Self::Distribution(what) => (what, distribution::delivery),
            Self::Github(what) if what.is_git() => (what, github::delivery),
            Self::Github(what) => (what, github_package::delivery),
            Self::Harbor(what) => (what, harbor::delivery),
            Self::Quay(what) => (what, quay::delivery),
            Self::AliyunAcr(what) => (what, aliyun_acr::delivery),
            Self::Azure(what) if what.is_git() => (what, azure_devops::delivery),
            Self::Azure(what) => (what, azure::delivery),
            Self::Cloudevents(what) => (what, cloudevents::delivery),
            Self::Eventbridge(what) => (what, eventbridge::delivery),
            Self::Gitea(what) => (what, gitea::delivery),
            Self::Gitlab(what) => (what, gitlab::delivery),
            Self::Bitbucket(what) => (what, bitbucket::delivery),
            Self::Artifactory(what) => (what, artifactory::delivery),
        };
        what.subject()?;
        Ok((make(what)?, what.output))
    }
}

impl SendArgs {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (delivery, output) = self.sender.delivery()?;
        let client = reqwest::Client::builder()
            .timeout(std::time::Duration::from_secs(30))
            .no_proxy()
            .build()?;
        let mut request = client.post(delivery.url).body(delivery.body);
        for (name, value) in delivery.headers {
            request = request.header(name, value);
        }
        // The URL may be a secret, so it is taken out of what the HTTP library says.
        let response = request
            .send()
            .await
            .map_err(reqwest::Error::without_url)
            .context("the delivery was not taken")?;
        let (status, id) = (
            response.status(),
            response.headers().get("x-landfall-delivery").cloned(),
        );
        let body = response
            .text()
            .await
            .map_err(reqwest::Error::without_url)
            .unwrap_or_default();
        if !status.is_success() {
            bail!("the receiver answered {status}: {}", body.trim_end());
        }
        let id = id.and_then(|id| Some(id.to_str().ok()?.to_owned()));
        if output != Format::Table {
            return print_json(
                &serde_json::json!({ "status": status.as_u16(), "delivery": id, "body": body.trim_end() }),
            );
        }
        let id = id.map(|id| format!("  (delivery {id})")).unwrap_or_default();
        print(&format!("{status}  {}{id}\n", body.trim_end()))
    }
}

/// What happened to the repository.
enum Subject<'a> {
    Tag(&'a str),
    Branch(&'a str),
    PullRequest(&'a str),
}

impl What {
    /// What happened; registries know tags alone.
    fn subject(&self) -> Result<Subject<'_>, UsageError> {
        let git = self.is_git();
        match (self.tag.as_str(), self.branch.as_deref(), self.pull_request.as_deref()) {
            ("", Some(branch), None) if git => Ok(Subject::Branch(branch)),
            ("", None, Some(url)) if git => Ok(Subject::PullRequest(url)),
            ("", None, None) if git => Err(UsageError("give --tag, --branch or --pull-request".to_owned())),
            ("", ..) => Err(UsageError(
                "give --tag: what was pushed to a registry has one".to_owned(),
            )),
            (tag, None, None) => Ok(Subject::Tag(tag)),
            _ => Err(UsageError(
                "give only one of --tag, --branch and --pull-request".to_owned(),
            )),
        }
    }

    /// The headers of a JSON body, those of the sender, and the body's signature behind a prefix.
    fn signed<const N: usize>(
        &self,
        body: &str,
        name: &'static str,
        prefix: &str,
        of_sender: [(&'static str, String); N],
    ) -> Vec<(&'static str, String)> {
        let mut headers = vec![("content-type", "application/json".to_owned())];
        headers.extend(of_sender);
        headers.extend(self.secret.as_deref().map(|secret| {
            let signature = SecretBytes::from(secret).sign(body.as_bytes());
            (name, format!("{prefix}{}", hex(&signature)))
        }));
        headers
    }

    fn url(&self) -> Result<reqwest::Url, UsageError> {
        self.to
            .parse()
            .map_err(|error| UsageError(format!("--to is no URL: {error}")))
    }

    /// The registry and the repository on it.
    fn registry_and_repository(&self) -> Result<(&str, &str), UsageError> {
        self.repo.split_once('/').ok_or_else(|| {
            UsageError("--repo needs the registry's host in front, for example 127.0.0.1:5000/shop/api".to_owned())
        })
    }

    /// The receiver's URL with the secret in its query.
    fn url_with_secret(&self) -> Result<reqwest::Url, UsageError> {
        let mut url = self.url()?;
        if let Some(secret) = &self.secret {
            url.query_pairs_mut().append_pair("secret", secret);
        }
        Ok(url)
    }

    /// The headers of a JSON body, and the secret as one of them.
    fn headers_with_secret(&self, name: &'static str) -> Vec<(&'static str, String)> {
        let mut headers = vec![("content-type", "application/json".to_owned())];
        headers.extend(self.secret.clone().map(|secret| (name, secret)));
        headers
    }
}

/// An id as senders give them to their events: as good as theirs, and new with every call.
fn new_id() -> String {
    let unique = format!("{}{}", now(), fastrand::u64(..));
    hex(&Sha256::digest(unique)[..16])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
