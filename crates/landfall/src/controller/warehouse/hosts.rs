//! Looks for a Warehouse's image subscriptions: at all hosts side by side, and at one host for one subscription after the other.

use std::collections::BTreeMap;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use landfall_core::journal::Setback;
use landfall_core::repository::ImageRepository;
use landfall_core::resource::ImageSubscription;
use landfall_core::selection::Choice;

use super::image::{ImageRefresh, Requests};
use crate::controller::slots::{Places, Slot};

/// What looking for one subscription came to, and what it took.
pub(super) type Looked = (Result<Choice, Setback>, Requests);

/// The host that an image is looked for at; none where its repository cannot be read.
pub fn image_host(image: &ImageSubscription) -> Option<String> {
    let repository = ImageRepository::parse(&image.repo_url).ok()?;
    Some(repository.registry_host().to_owned())
}

/// Looks for all of them, each by its place in the spec. A host's slot is free as soon as nothing more is asked there; the last
/// goes back to whoever asked.
pub(super) async fn look(
    images: Vec<(usize, ImageRefresh<'_>)>,
    mut places: Places,
) -> (BTreeMap<usize, Looked>, Option<Slot>) {
    let mut by_host: BTreeMap<String, Vec<(usize, ImageRefresh<'_>)>> = BTreeMap::new();
    for (index, image) in images {
        let host = image_host(image.image).unwrap_or_default();
        by_host.entry(host).or_default().push((index, image));
    }
    let mut hosts: FuturesUnordered<_> = by_host
        .into_iter()
        .map(|(host, images)| {
            let slot = places.at(&host);
            async move {
                let mut looked = Vec::with_capacity(images.len());
                for (index, image) in images {
                    looked.push((index, image.run().await));
                }
                (looked, slot)
            }
        })
        .collect();
    // Those that nothing is asked at after all.
    drop(places);
    let (mut all, mut last) = (BTreeMap::new(), None);
    while let Some((looked, slot)) = hosts.next().await {
        all.extend(looked);
        last = slot.filter(|_| hosts.is_empty());
    }
    (all, last)
}
