//! Cuts a YAML stream into its documents, by their markers alone; it must not know what is in them.

use super::Position;

/// The text of one document, and the place at which it starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk<'a> {
    pub(super) text: &'a str,
    pub(super) start: Position,
}

impl Chunk<'_> {
    /// The first thing that is neither blank, comment, directive nor marker; `None` where there is nothing else.
    pub(super) fn content_start(&self) -> Option<Position> {
        for (index, line) in self.text.split('\n').enumerate() {
            let after_marker = if is_marker(line, "---") { &line[3..] } else { line };
            let content = after_marker.trim_start();
            if is_preamble(after_marker) || is_marker(line, "...") {
                continue;
            }
            let column = line[..line.len() - content.len()].chars().count() + 1;
            return Some(Position {
                line: self.start.line + index,
                column,
            });
        }
        None
    }

    /// The place in the file of a place in the chunk, both counted from 1.
    pub(super) fn position(&self, line: u64, column: u64) -> Position {
        let from_zero = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or_default();
        let (lines, columns) = (from_zero(line), from_zero(column));
        let first_column = if lines == 0 { self.start.column } else { 1 };
        Position {
            line: self.start.line + lines,
            column: first_column + columns,
        }
    }
}

/// Cuts a YAML stream at its document markers. A line that starts with `---` or `...` and goes on with a blank is a marker
/// wherever it stands, also within text, so lines are all that needs to be looked at; and a document that is broken cannot take
/// the next one with it.
pub(super) struct Chunks<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Chunks<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { rest: text, line: 1 }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let (mut end, mut lines) = (0, 0);
        let mut only_preamble = true;
        for line in self.rest.split_inclusive('\n') {
            // Directives and comments belong to the document whose marker follows them.
            if is_marker(line, "---") && !only_preamble {
                break;
            }
            end += line.len();
            lines += 1;
            if is_marker(line, "...") {
                break;
            }
            only_preamble &= !is_marker(line, "---") && is_preamble(line);
        }
        let chunk = Chunk {
            text: &self.rest[..end],
            start: Position {
                line: self.line,
                column: 1,
            },
        };
        self.rest = &self.rest[end..];
        self.line += lines;
        Some(chunk)
    }
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

fn is_preamble(line: &str) -> bool {
    let content = line.trim();
    content.is_empty() || content.starts_with('#') || is_directive(line)
}

fn is_directive(line: &str) -> bool {
    line.starts_with("%YAML") || line.starts_with("%TAG")
}
