//! Matches a slash-separated path against a glob with `**` and `{a,b}`; it knows nothing of files or repositories.
//!
//! The resources were written for Go's doublestar v4, so the rules are its rules, also where they surprise: `**` crosses
//! slashes only as a whole path element, `[^a]` may match a slash, and alternatives are put into the pattern as text
//! before it is read on. Only the last `*` and the last `**/` are tried again, which keeps the work for one combination of
//! alternatives near the product of both lengths; the number of combinations tried is bounded by `MAX_STEPS`.

mod attempt;

use attempt::{Attempt, Outcome};

/// The longest accepted glob in bytes; a path in Git is hardly ever longer.
pub const MAX_GLOB_BYTES: usize = 2048;
/// How many comparisons one match may take. A glob that needs more, which only nested alternatives can bring about, does
/// not match.
const MAX_STEPS: u32 = 2_000_000;
/// How many copied characters count as one step.
const COPIED_PER_STEP: usize = 8;

/// A checked glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    pattern: Vec<char>,
}

/// Why a glob was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// A bracket or brace is not closed, a class is empty, or a backslash escapes nothing.
    #[error("syntax error in pattern")]
    Syntax,
    /// The glob is longer than [`MAX_GLOB_BYTES`].
    #[error("glob has {bytes} bytes, more than the {MAX_GLOB_BYTES} allowed")]
    TooLong {
        /// Length of the glob in bytes.
        bytes: usize,
    },
}

impl Glob {
    /// Checks a glob.
    ///
    /// # Errors
    /// If doublestar refuses it, or it is longer than [`MAX_GLOB_BYTES`].
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if text.len() > MAX_GLOB_BYTES {
            return Err(GlobError::TooLong { bytes: text.len() });
        }
        let pattern: Vec<char> = text.chars().collect();
        match is_valid(&pattern) {
            true => Ok(Self { pattern }),
            false => Err(GlobError::Syntax),
        }
    }

    /// Whether the whole of `path` matches.
    pub fn matches(&self, path: &str) -> bool {
        let name: Vec<char> = path.chars().collect();
        let mut steps = MAX_STEPS;
        // What is still to be tried; the last is the next.
        let mut attempts = vec![Attempt::new(self.pattern.clone())];
        while let Some(attempt) = attempts.pop() {
            steps = match steps.checked_sub(1) {
                Some(left) => left,
                None => return false,
            };
            match attempt.run(&name, &mut steps) {
                Outcome::Matched => return true,
                Outcome::Failed => {}
                // A bad pattern ends the search in Go too, though other alternatives may be left.
                Outcome::BadPattern | Outcome::OutOfSteps => return false,
                Outcome::Alternatives(alternatives) => {
                    let copied: usize = alternatives.iter().map(|attempt| attempt.pattern.len()).sum();
                    steps = steps.saturating_sub(u32::try_from(copied / COPIED_PER_STEP).unwrap_or(u32::MAX));
                    attempts.extend(alternatives.into_iter().rev());
                }
            }
        }
        false
    }
}

/// Whether brackets and braces are balanced and nothing ends in a backslash. Braces inside brackets do not count here,
/// though they do when alternatives are split.
fn is_valid(pattern: &[char]) -> bool {
    let mut open_braces: u32 = 0;
    let mut at = 0;
    while let Some(letter) = pattern.get(at) {
        at += 1;
        match letter {
            '\\' if at == pattern.len() => return false,
            '\\' => at += 1,
            '[' => match class_length(&pattern[at..]) {
                Some(length) => at += length,
                None => return false,
            },
            '{' => open_braces += 1,
            '}' if open_braces == 0 => return false,
            '}' => open_braces -= 1,
            _ => {}
        }
    }
    open_braces == 0
}

/// How many characters after `[` a class has, its `]` included; `None` if it is empty or does not end.
fn class_length(after_bracket: &[char]) -> Option<usize> {
    let negation = usize::from(matches!(after_bracket.first(), Some('^' | '!')));
    let body = after_bracket
        .get(negation..)
        .filter(|body| body.first() != Some(&']'))?;
    Some(negation + position_unescaped(body, ']')? + 1)
}

fn position_unescaped(text: &[char], wanted: char) -> Option<usize> {
    let mut at = 0;
    while let Some(letter) = text.get(at) {
        match letter {
            '\\' => at += 2,
            _ if *letter == wanted => return Some(at),
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Glob, GlobError, MAX_GLOB_BYTES};

    #[test]
    fn follows_doublestar_where_it_surprises() {
        let rows = [
            ("a{**/b,c}", "ax/b", true),
            ("a**/b", "ax/y/b", false),
            ("a{*,b}*", "a/b", true),
            ("a/{*,b}*", "a/b/c", true),
            ("*[^x]*b", "ab/cb", false),
            ("{[,x]}", "x", false),
            ("{a,b}{c,d}", "bd", true),
            ("{a,b{c,d}}*", "bdx", true),
            ("**/{a,b}", "x/y/b", true),
            ("[a-\\c]", "b", true),
            ("[\\]]", "]", true),
            ("\\é", "é", true),
            ("a/{**/,}", "a/", true),
            ("{a,b}/**", "b", true),
        ];
        let differing: Vec<_> = rows
            .iter()
            .map(|(pattern, path, expected)| {
                (
                    pattern,
                    path,
                    Glob::parse(pattern).map(|glob| glob.matches(path)),
                    expected,
                )
            })
            .filter(|(_, _, found, expected)| *found != Ok(**expected))
            .collect();
        assert!(differing.is_empty(), "{differing:#?}");
    }

    #[test]
    fn refuses_what_is_not_closed() {
        for pattern in ["[", "[]", "[^]a]", "[a", "{a", "a}", "a\\", "**\\", "{a,[b}"] {
            assert_eq!(Glob::parse(pattern), Err(GlobError::Syntax), "{pattern}");
        }
        let bytes = MAX_GLOB_BYTES + 1;
        assert_eq!(Glob::parse(&"a".repeat(bytes)), Err(GlobError::TooLong { bytes }));
    }

    #[test]
    fn the_work_is_bounded() {
        let name = "a".repeat(4000);
        for pattern in [
            "{a,a}".repeat(200) + "b",
            "{a,{a,".repeat(200) + &"}}".repeat(200),
            "*a".repeat(500) + "b",
        ] {
            assert!(!Glob::parse(&pattern).expect("the pattern is valid").matches(&name));
        }
        let deep = "a/".repeat(2000) + "c";
        assert!(
            !Glob::parse(&("**/a/".repeat(400) + "b"))
                .expect("the pattern is valid")
                .matches(&deep)
        );
        assert!(
            Glob::parse(&("**/a/".repeat(400) + "c"))
                .expect("the pattern is valid")
                .matches(&deep)
        );
    }
}
