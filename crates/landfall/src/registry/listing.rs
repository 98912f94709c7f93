//! Walks a tag list from page to page, as far as the registry's `Link` headers lead; must not know what the tags are for.

use std::collections::HashSet;
use std::time::Duration;

use reqwest::{Method, Url};
use serde::Deserialize;

use super::answer::{Answer, BodyLimit};
use super::endpoint::authority;
use super::error::{Missing, RegistryError};
use super::exchange::{Question, Target};
use super::link::next_page;
use super::repository::RepositoryHandle;

/// Tags asked for at once; registries that give fewer say so by a `Link`.
const PAGE_SIZE: u32 = 1_000;
const PAGE_LIMIT: BodyLimit = BodyLimit {
    what: "a page of tags",
    bytes: 16 * 1024 * 1024,
};
const MAX_PAGES: usize = 10_000;
const MAX_TAGS: usize = 1_000_000;
const MAX_TOTAL_BYTES: usize = 256 * 1024 * 1024;

/// A repository's tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagListing {
    /// The tags as the registry writes them, sorted by their bytes, each once.
    pub tags: Vec<String>,
    /// The pages that were asked for; proofs and redirects are not counted here.
    pub requests: u32,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

/// All tags of a repository, or an error once it takes longer than `timeout`.
pub(super) async fn tags(repository: &RepositoryHandle, timeout: Duration) -> Result<TagListing, RegistryError> {
    match tokio::time::timeout(timeout, walk(repository)).await {
        Ok(result) => result,
        Err(_) => {
            let detail = format!(
                "the tags of {} were not all listed within {} s",
                repository.name(),
                timeout.as_secs()
            );
            Err(RegistryError::unavailable(repository.host(), detail))
        }
    }
}

async fn walk(repository: &RepositoryHandle) -> Result<TagListing, RegistryError> {
    let mut listing = TagListing {
        tags: Vec::new(),
        requests: 1,
    };
    let mut seen: HashSet<String> = HashSet::new();
    let mut bytes = 0;
    let mut last_page = 0..0;
    let mut answer = first_page(repository, &mut listing).await?;
    loop {
        let host = authority(&answer.url);
        let page: Page = serde_json::from_slice(&answer.body)
            .map_err(|_| RegistryError::malformed(&host, "its tag list is not the JSON it should be"))?;
        bytes += answer.body.len();
        let start = listing.tags.len();
        listing.tags.extend(page.tags.unwrap_or_default());
        check_size(repository, &listing, bytes)?;
        let Some(next) = next_of(&answer)? else { break };
        let this_page = start..listing.tags.len();
        let repeats = !this_page.is_empty() && listing.tags[this_page.clone()] == listing.tags[last_page];
        seen.insert(answer.url.to_string());
        if repeats || seen.contains(next.as_str()) {
            return Err(RegistryError::malformed(&host, "its tag list leads round in a circle"));
        }
        last_page = this_page;
        answer = repository.ask(&question(repository, Target::Page(&next))).await?;
        listing.requests += 1;
    }
    listing.tags.sort_unstable();
    listing.tags.dedup();
    Ok(listing)
}

/// The first page, of the size that suits the registry where it does not like ours.
async fn first_page(repository: &RepositoryHandle, listing: &mut TagListing) -> Result<Answer, RegistryError> {
    let sized = question(repository, Target::Below(format!("tags/list?n={PAGE_SIZE}")));
    match repository.ask(&sized).await {
        Err(RegistryError::Rejected { status: 400, .. }) => {
            listing.requests += 1;
            repository
                .ask(&question(repository, Target::Below("tags/list".to_owned())))
                .await
        }
        result => result,
    }
}

fn question<'q>(repository: &RepositoryHandle, target: Target<'q>) -> Question<'q> {
    Question {
        method: Method::GET,
        target,
        accept: "application/json",
        limit: PAGE_LIMIT,
        missing: Missing::Repository,
        name: repository.name(),
    }
}

fn next_of(answer: &Answer) -> Result<Option<Url>, RegistryError> {
    next_page(&answer.url, answer.header_values("link"))
        .map_err(|error| RegistryError::malformed(&authority(&answer.url), error.to_string()))
}

fn check_size(repository: &RepositoryHandle, listing: &TagListing, bytes: usize) -> Result<(), RegistryError> {
    let what = || format!("the tag list of {}", repository.name());
    if bytes > MAX_TOTAL_BYTES {
        return Err(RegistryError::too_large_bytes(what(), MAX_TOTAL_BYTES));
    }
    let pages = usize::try_from(listing.requests).unwrap_or(usize::MAX);
    for (count, limit, unit) in [(listing.tags.len(), MAX_TAGS, "tags"), (pages, MAX_PAGES, "pages")] {
        if count > limit {
            let limit = u64::try_from(limit).unwrap_or(u64::MAX);
            return Err(RegistryError::TooLarge {
                what: what(),
                limit,
                unit,
            });
        }
    }
    Ok(())
}
