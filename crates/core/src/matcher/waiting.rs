//! Decides which Promotions wait for a pull request. URLs are compared as they stand, since whoever waits wrote down the one
//! that the sender told.

use std::collections::HashMap;

use super::{Explanation, Line};
use crate::receiver::Reach;
use crate::resource::Promotion;
use crate::target::Target;

/// Promotions by the URLs of the pull requests that they wait for.
#[derive(Debug, Default)]
pub(super) struct Waiting(HashMap<String, Vec<Target>>);

impl Waiting {
    pub(super) fn add(&mut self, promotion: &Promotion) {
        let target = Target::Promotion {
            namespace: promotion.metadata.namespace.clone().unwrap_or_default(),
            name: promotion.metadata.name.clone(),
        };
        for url in promotion.awaited_pull_requests() {
            let targets = self.0.entry(url.to_owned()).or_default();
            if !targets.contains(&target) {
                targets.push(target.clone());
            }
        }
    }

    /// Who within `reach` waits for the pull request with this URL.
    pub(super) fn targets<'a>(&'a self, url: &str, reach: &'a Reach) -> impl Iterator<Item = &'a Target> {
        let within = move |target: &&Target| match reach {
            Reach::Everywhere => true,
            Reach::Project(project) => target.project() == project,
        };
        self.0.get(url).into_iter().flatten().filter(within)
    }

    pub(super) fn explain(&self, url: &str, reach: &Reach) -> Explanation {
        let targets: Vec<Target> = self.targets(url, reach).cloned().collect();
        let line = Line {
            subscription: format!("pull request {url}"),
            wanted: true,
            reason: "a step waits for it".to_owned(),
            targets,
            named: None,
        };
        let lines = if line.targets.is_empty() { vec![] } else { vec![line] };
        Explanation { lines }
    }
}
