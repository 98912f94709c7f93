//! Decides whether a subscription may take what a tag pointed to once for what it points to: what the operator lets
//! subscriptions ask for by `cacheByTag`.

use std::str::FromStr;

/// What the operator says of `cacheByTag`: Kargo's `CACHE_BY_TAG_POLICY`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TagCachePolicy {
    /// Each subscription says.
    #[default]
    Allow,
    /// None does it, whatever it says.
    Forbid,
    /// Each has to say that it does.
    Require,
    /// All do it, whatever they say.
    Force,
}

/// A subscription that does not say `cacheByTag`, where each has to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must set cacheByTag: true, which CACHE_BY_TAG_POLICY=Require wants of each image subscription")]
pub struct MustCacheByTag;

impl TagCachePolicy {
    /// Whether a subscription does it, by what it says.
    pub fn applied(self, asked: bool) -> Result<bool, MustCacheByTag> {
        match self {
            Self::Allow => Ok(asked),
            Self::Forbid => Ok(false),
            Self::Require if asked => Ok(true),
            Self::Require => Err(MustCacheByTag),
            Self::Force => Ok(true),
        }
    }
}

/// The text names no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is one of Allow, Forbid, Require and Force")]
pub struct NotATagCachePolicy;

impl FromStr for TagCachePolicy {
    type Err = NotATagCachePolicy;

    fn from_str(text: &str) -> Result<Self, NotATagCachePolicy> {
        match text {
            "Allow" => Ok(Self::Allow),
            "Forbid" => Ok(Self::Forbid),
            "Require" => Ok(Self::Require),
            "Force" => Ok(Self::Force),
            _ => Err(NotATagCachePolicy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_caches_by_tag() {
        for (policy, asked, applied) in [
            ("Allow", true, Ok(true)),
            ("Allow", false, Ok(false)),
            ("Forbid", true, Ok(false)),
            ("Forbid", false, Ok(false)),
            ("Require", true, Ok(true)),
            ("Require", false, Err(MustCacheByTag)),
            ("Force", true, Ok(true)),
            ("Force", false, Ok(true)),
        ] {
            let parsed: TagCachePolicy = policy.parse().unwrap();
            assert_eq!(parsed.applied(asked), applied, "{policy}, {asked}");
        }
        assert_eq!("allow".parse::<TagCachePolicy>(), Err(NotATagCachePolicy));
    }
}
