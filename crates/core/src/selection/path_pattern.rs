//! Decides which changed paths a Git subscription cares about; it knows nothing of commits or of where the paths come from.

use super::doublestar::{Glob, GlobError};
use crate::go::regexp::{Regexp, RegexpError};

/// One entry of `includePaths` or `excludePaths`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPattern {
    /// `glob:` and a glob that must match the whole path.
    Glob(Glob),
    /// `regex:` or `regexp:` and a regular expression that must match somewhere in the path.
    Regexp(Regexp),
    /// A directory, which matches itself and what is in it.
    BaseDirectory(BaseDirectory),
}

/// Why a path pattern was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathPatternError {
    /// What follows `glob:` is no glob.
    #[error(transparent)]
    Glob(#[from] GlobError),
    /// What follows `regex:` or `regexp:` is no regular expression.
    #[error(transparent)]
    Regexp(#[from] RegexpError),
}

impl PathPattern {
    /// Reads a pattern; only a known prefix makes it a glob or a regular expression.
    ///
    /// # Errors
    /// If what follows the prefix is malformed or too large. A directory is never refused.
    pub fn parse(text: &str) -> Result<Self, PathPatternError> {
        if let Some(glob) = text.strip_prefix("glob:") {
            return Ok(Self::Glob(Glob::parse(glob)?));
        }
        match text.strip_prefix("regex:").or_else(|| text.strip_prefix("regexp:")) {
            Some(regexp) => Ok(Self::Regexp(Regexp::compile(regexp)?)),
            None => Ok(Self::BaseDirectory(BaseDirectory::new(text))),
        }
    }

    /// Whether `path`, slash-separated and relative to the root of the repository, fits.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Glob(glob) => glob.matches(path),
            Self::Regexp(regexp) => regexp.is_match(path),
            Self::BaseDirectory(directory) => directory.contains(path),
        }
    }
}

/// A directory in its shortest form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseDirectory {
    root: Root,
    elements: Vec<String>,
}

/// What a path starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    Slash,
    Here,
}

impl BaseDirectory {
    /// The directory that `path` names; an empty text is the root of the repository.
    pub fn new(path: &str) -> Self {
        let (root, elements) = cleaned(path);
        Self {
            root,
            elements: elements.into_iter().map(str::to_owned).collect(),
        }
    }

    /// Whether `path` is this directory or in it. A `..` anywhere in the rest of the path means no, also as part of a name
    /// such as `a..b`: so it is in Kargo.
    pub fn contains(&self, path: &str) -> bool {
        let (root, elements) = cleaned(path);
        let below = self.elements.len();
        root == self.root
            && elements.len() >= below
            && elements[..below] == self.elements[..]
            && elements[below..].iter().all(|element| !element.contains(".."))
    }
}

/// The elements of a path without empty ones and `.`, each `..` taken back as far as there is something to take back: the
/// result of Go's `filepath.Clean` on Unix.
fn cleaned(path: &str) -> (Root, Vec<&str>) {
    let root = if path.starts_with('/') { Root::Slash } else { Root::Here };
    let mut elements: Vec<&str> = Vec::new();
    for element in path.split('/') {
        match element {
            "" | "." => {}
            ".." if elements.last().is_some_and(|last| *last != "..") => {
                elements.pop();
            }
            ".." if root == Root::Slash => {}
            _ => elements.push(element),
        }
    }
    (root, elements)
}

/// Which changed paths count: those that one of the included patterns matches (all, if there are none) and none of the
/// excluded ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathFilter {
    include: Vec<PathPattern>,
    exclude: Vec<PathPattern>,
}

/// Which pattern of which list was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{list}[{index}] is no path pattern: {pattern:?}: {error}")]
pub struct PathFilterError {
    /// The field of the resource: `includePaths` or `excludePaths`.
    pub list: &'static str,
    /// The place in the list, from 0.
    pub index: usize,
    /// The pattern as written.
    pub pattern: String,
    /// What is wrong with it.
    pub error: PathPatternError,
}

impl PathFilter {
    /// A filter from the two lists of a subscription.
    ///
    /// # Errors
    /// Names the first pattern that is refused.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, PathFilterError> {
        Ok(Self {
            include: parse_list("includePaths", include)?,
            exclude: parse_list("excludePaths", exclude)?,
        })
    }

    /// Whether one path counts.
    pub fn matches(&self, path: &str) -> bool {
        let included = self.include.is_empty() || self.include.iter().any(|pattern| pattern.matches(path));
        included && !self.exclude.iter().any(|pattern| pattern.matches(path))
    }

    /// Whether any of the paths counts; no paths at all do not.
    pub fn matches_any(&self, paths: &[String]) -> bool {
        paths.iter().any(|path| self.matches(path))
    }
}

fn parse_list(list: &'static str, patterns: &[String]) -> Result<Vec<PathPattern>, PathFilterError> {
    let parse = |(index, pattern): (usize, &String)| {
        PathPattern::parse(pattern).map_err(|error| PathFilterError {
            list,
            index,
            pattern: pattern.clone(),
            error,
        })
    };
    patterns.iter().enumerate().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{PathFilter, PathPattern};

    fn rows(file: &str) -> Vec<Value> {
        let path = format!("{}/../../fixtures/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).expect("the vector file is readable");
        let lines = text.split('\n').filter(|line| !line.is_empty());
        let rows: Vec<_> = lines
            .map(|line| serde_json::from_str(line).expect("each line is a JSON object"))
            .collect();
        assert!(!rows.is_empty(), "the vector file has rows");
        rows
    }

    fn texts(list: &Value) -> Vec<String> {
        let text = |entry: &Value| entry.as_str().expect("entries are texts").to_owned();
        list.as_array()
            .map(|list| list.iter().map(text).collect())
            .unwrap_or_default()
    }

    #[test]
    fn matches_the_paths_that_kargo_does() {
        let mut failures = Vec::new();
        for (index, row) in rows("kargo_path_pattern.jsonl").iter().enumerate() {
            let (pattern, path) = (
                row["pattern"].as_str().expect("a text"),
                row["path"].as_str().expect("a text"),
            );
            let (found, error) = match PathPattern::parse(pattern) {
                Ok(parsed) => (parsed.matches(path), Value::Null),
                Err(error) => (false, Value::from(error.to_string())),
            };
            if found != (row["match"] == true) || error != row["error"] {
                failures.push(format!("line {}: {found} {error} for {row}", index + 1));
            }
        }
        assert!(
            failures.is_empty(),
            "{} differ:\n{}",
            failures.len(),
            failures.join("\n")
        );
    }

    #[test]
    fn filters_the_paths_that_kargo_does() {
        let mut failures = Vec::new();
        for (index, row) in rows("kargo_git_paths.jsonl").iter().enumerate() {
            let filter = PathFilter::new(&texts(&row["include"]), &texts(&row["exclude"]));
            let (Ok(filter), true) = (&filter, row["ok"] == true) else {
                if filter.is_ok() != (row["ok"] == true) {
                    failures.push(format!("line {}: {filter:?} for {row}", index + 1));
                }
                continue;
            };
            if filter.matches_any(&texts(&row["paths"])) != (row["match"] == true) {
                failures.push(format!("line {}: the list differs for {row}", index + 1));
            }
            for (path, expected) in row["per_path"].as_object().into_iter().flatten() {
                if filter.matches(path) != (*expected == true) {
                    failures.push(format!("line {}: {path} differs for {row}", index + 1));
                }
            }
        }
        assert!(
            failures.is_empty(),
            "{} differ:\n{}",
            failures.len(),
            failures.join("\n")
        );
    }

    #[test]
    fn an_error_names_the_entry() {
        let error =
            PathFilter::new(&["apps".to_owned()], &["docs".to_owned(), "regex:(".to_owned()]).expect_err("no regex");
        let expected = "excludePaths[1] is no path pattern: \"regex:(\": error parsing regexp: missing closing ): `(`";
        assert_eq!(error.to_string(), expected);
    }
}
