//! Says what a generic receiver's action asks for, in words that need no expression any more.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::target::Criteria;

/// That resources be looked at now, whatever may have happened to what they subscribe to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshRequested {
    /// The place of the action in its receiver, from 1.
    pub action: usize,
    /// Which resources: those that any of these choose.
    pub criteria: Vec<Criteria>,
}

impl fmt::Display for RefreshRequested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, criteria) in self.criteria.iter().enumerate() {
            let separator = if place > 0 { "; " } else { "" };
            write!(f, "{separator}{criteria}")?;
        }
        Ok(())
    }
}
