//! Decides which tags pass the regular expressions of a subscription; it does not know whether they are tags of images or
//! of Git.

use std::sync::Arc;

use crate::go::regexp::{Patterns, Regexp, RegexpError};

/// The expressions of `allowTagsRegexes` and `ignoreTagsRegexes`, compiled. They are searched for, not anchored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagFilter {
    allow: Vec<Arc<Regexp>>,
    ignore: Vec<Arc<Regexp>>,
}

/// The two lists of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagList {
    /// `allowTagsRegexes`
    Allow,
    /// `ignoreTagsRegexes`
    Ignore,
}

impl TagList {
    /// The field of the resource that holds the list.
    pub const fn field(self) -> &'static str {
        match self {
            TagList::Allow => "allowTagsRegexes",
            TagList::Ignore => "ignoreTagsRegexes",
        }
    }
}

/// Which expression of which list was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", self.field(), self.problem())]
pub struct TagFilterError {
    /// The list that holds the expression.
    pub list: TagList,
    /// The place in the list, from 0.
    pub index: usize,
    /// The expression as written.
    pub pattern: String,
    /// What is wrong with it.
    pub error: RegexpError,
}

impl TagFilterError {
    /// The entry within the subscription, such as `allowTagsRegexes[0]`.
    pub fn field(&self) -> String {
        format!("{}[{}]", self.list.field(), self.index)
    }

    /// What is wrong with the entry.
    pub fn problem(&self) -> String {
        self.error.to_string()
    }
}

/// Why a tag does not pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagRefusal {
    /// One of `ignoreTagsRegexes` matches, whatever the other list says.
    #[error("tag is ignored by ignoreTagsRegexes[{index}] ({pattern})")]
    Ignored {
        /// The place of the expression in the list, from 0.
        index: usize,
        /// The expression as written.
        pattern: String,
    },
    /// There are `allowTagsRegexes`, and none of them matches.
    #[error("no allowTagsRegexes matches")]
    NotAllowed,
}

impl TagFilter {
    /// Compiles both lists.
    ///
    /// # Errors
    /// Names the first expression that is refused; `allow` comes first.
    pub fn new(allow: &[String], ignore: &[String]) -> Result<Self, TagFilterError> {
        Self::compile(allow, ignore, &mut Patterns::default())
    }

    /// Compiles both lists, sharing expressions with whoever else uses `patterns`.
    ///
    /// # Errors
    /// As [`TagFilter::new`].
    pub fn compile(allow: &[String], ignore: &[String], patterns: &mut Patterns) -> Result<Self, TagFilterError> {
        Ok(Self {
            allow: compile_list(TagList::Allow, allow, patterns)?,
            ignore: compile_list(TagList::Ignore, ignore, patterns)?,
        })
    }

    /// Whether a tag passes: none of `ignore` matches, and one of `allow` does if there are any.
    ///
    /// # Errors
    /// Says which list kept the tag out.
    pub fn accepts(&self, tag: &str) -> Result<(), TagRefusal> {
        if let Some(index) = self.ignore.iter().position(|regexp| regexp.is_match(tag)) {
            return Err(TagRefusal::Ignored {
                index,
                pattern: self.ignore[index].as_str().to_owned(),
            });
        }
        match self.allow.is_empty() || self.allow.iter().any(|regexp| regexp.is_match(tag)) {
            true => Ok(()),
            false => Err(TagRefusal::NotAllowed),
        }
    }
}

fn compile_list(list: TagList, texts: &[String], patterns: &mut Patterns) -> Result<Vec<Arc<Regexp>>, TagFilterError> {
    let compile = |(index, pattern): (usize, &String)| {
        patterns.compile(pattern).map_err(|error| TagFilterError {
            list,
            index,
            pattern: pattern.clone(),
            error,
        })
    };
    texts.iter().enumerate().map(compile).collect()
}

#[cfg(test)]
mod tests {
    use super::TagFilter;

    fn filter(allow: &[&str], ignore: &[&str]) -> Result<TagFilter, String> {
        let owned = |list: &[&str]| list.iter().map(|pattern| (*pattern).to_owned()).collect::<Vec<_>>();
        TagFilter::new(&owned(allow), &owned(ignore)).map_err(|error| error.to_string())
    }

    #[test]
    fn ignored_comes_before_allowed() {
        let none: &[&str] = &[];
        let rows = [
            (none, none, "sha-1", Ok(())),
            (
                none,
                &["rc", "^sha-"][..],
                "sha-1",
                Err("tag is ignored by ignoreTagsRegexes[1] (^sha-)"),
            ),
            (&["^v"][..], none, "sha-1", Err("no allowTagsRegexes matches")),
            (&["^v", "1"][..], none, "sha-1", Ok(())),
            (
                &["^v"][..],
                &["rc"][..],
                "v1-rc",
                Err("tag is ignored by ignoreTagsRegexes[0] (rc)"),
            ),
        ];
        for (allow, ignore, tag, expected) in rows {
            let found = filter(allow, ignore).expect("the expressions compile").accepts(tag);
            assert_eq!(
                found.map_err(|refusal| refusal.to_string()),
                expected.map_err(str::to_owned),
                "{allow:?} {ignore:?}"
            );
        }
    }

    #[test]
    fn an_error_names_the_entry() {
        let allow = "allowTagsRegexes[1]: error parsing regexp: missing closing ]: `[`";
        assert_eq!(filter(&["a", "["], &["("]), Err(allow.to_owned()));
        let ignore = "ignoreTagsRegexes[0]: error parsing regexp: missing closing ): `(`";
        assert_eq!(filter(&["a"], &["("]), Err(ignore.to_owned()));
    }
}
