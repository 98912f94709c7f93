//! Finds the command among what was typed as the peers' command library, cobra, finds it: flags may stand before it. It must not
//! know what any flag means.

use std::ffi::{OsStr, OsString};

/// What was typed, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The word at the command's place; `None` where there are only flags.
    pub(super) command: Option<String>,
    /// Everything else, in its order.
    pub(super) rest: Vec<OsString>,
}

/// Takes the command out of what was typed behind the program's name.
///
/// At that point cobra knows no flag. So it takes the word after `--x` or `-x` for the flag's value: `--interval 5m run` runs,
/// and in `--dry-run run` the command is eaten.
pub(super) fn find(typed: &[OsString]) -> Found {
    let mut at = 0;
    while let Some(word) = typed.get(at) {
        let bytes = word.as_encoded_bytes();
        let takes_next = !bytes.contains(&b'=') && (bytes.starts_with(b"--") || bytes.len() == 2);
        match bytes {
            b"--" => break,
            [b'-', ..] if takes_next => at += 2,
            [b'-', ..] | [] => at += 1,
            _ => return without(typed, at, word),
        }
    }
    Found {
        command: None,
        rest: typed.to_vec(),
    }
}

fn without(typed: &[OsString], at: usize, word: &OsStr) -> Found {
    let mut rest = typed.to_vec();
    rest.remove(at);
    Found {
        command: Some(word.to_string_lossy().into_owned()),
        rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_found_behind_flags() {
        for (typed, expected) in [
            (&["run"][..], (Some("run"), &[][..])),
            (
                &["--metrics-bind-address=:8443", "run"],
                (Some("run"), &["--metrics-bind-address=:8443"]),
            ),
            (&["--interval", "5m", "run"], (Some("run"), &["--interval", "5m"])),
            (
                &["--interval", "run", "run", "run"],
                (Some("run"), &["--interval", "run", "run"]),
            ),
            (&["--dry-run", "run"], (None, &["--dry-run", "run"])),
            (
                &["--dry-run", "run", "webhook"],
                (Some("webhook"), &["--dry-run", "run"]),
            ),
            (&["-x", "run"], (None, &["-x", "run"])),
            (&["-xy", "run"], (Some("run"), &["-xy"])),
            (&["", "run"], (Some("run"), &[""])),
            (&["--", "run"], (None, &["--", "run"])),
            (&["run", "--dry-run"], (Some("run"), &["--dry-run"])),
            (&["bogus", "--x"], (Some("bogus"), &["--x"])),
            (&["--help"], (None, &["--help"])),
            (&[], (None, &[])),
        ] {
            let typed: Vec<OsString> = typed.iter().map(OsString::from).collect();
            let (command, rest) = expected;
            let expected = Found {
                command: command.map(str::to_owned),
                rest: rest.iter().map(OsString::from).collect(),
            };
            assert_eq!(find(&typed), expected, "{typed:?}");
        }
    }
}
