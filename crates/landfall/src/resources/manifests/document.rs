//! Reads the text of one file into values with their positions, by YAML or JSON; it must not know which resources there are.
//!
//! This file and `locate.rs` are the only ones that name the YAML library. Its messages show no value of the text, which may be a `Secret`.

use landfall_core::resource::Step;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_saphyr::{Location, Options, Spanned};

use super::chunk::{Chunk, Chunks};
use super::{Position, locate};

/// The most documents of one file. Each costs some time whatever its size, and a file of nothing but markers is a mistake.
const MAX_DOCUMENTS: usize = 10_000;

/// The most YAML nodes of one document: above what a 16 MiB `List` of ordinary resources holds.
const MAX_NODES: usize = 1_000_000;

/// How a file is written, which its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Yaml,
    Json,
}

/// One value that may be a resource.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) value: Value,
    /// Where it starts in its file.
    pub(super) position: Position,
    chunk: Chunk<'a>,
    /// The way to the value within its chunk; not empty for the items of a `List`.
    steps: Vec<Step>,
}

/// Text that cannot be read, and the exact place at which that showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) position: Position,
    pub(super) message: String,
}

/// A value as a YAML document.
pub fn to_yaml(value: &Value) -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(value)
}

/// All documents of a file in their order, each readable or not by itself.
pub(super) fn read(bytes: &[u8], syntax: Syntax) -> Vec<Result<Document<'_>, SyntaxError>> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let mut position = Position::START;
            position.advance(&valid);
            return vec![Err(SyntaxError {
                position,
                message: "is not UTF-8 text".to_owned(),
            })];
        }
    };
    let mut documents = Vec::new();
    match syntax {
        Syntax::Yaml => read_yaml(text, &mut documents),
        Syntax::Json => read_json(text, &mut documents),
    }
    documents
}

fn read_yaml<'a>(text: &'a str, documents: &mut Vec<Result<Document<'a>, SyntaxError>>) {
    for chunk in Chunks::of(text) {
        let Some(start) = chunk.content_start() else { continue };
        if documents.len() >= MAX_DOCUMENTS {
            documents.push(Err(too_many_documents(start)));
            return;
        }
        match serde_saphyr::from_str_with_options::<Value>(chunk.text, options()) {
            Err(error) => documents.push(Err(syntax_error(chunk, &error, start))),
            Ok(value) => push(value, chunk, start, documents),
        }
    }
}

fn read_json<'a>(text: &'a str, documents: &mut Vec<Result<Document<'a>, SyntaxError>>) {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let mut position = Position::START;
    let mut seen = 0;
    loop {
        // Documents follow each other without a marker, so each starts after the blanks behind the one before.
        let offset = text.len() - text[seen..].trim_start().len();
        position.advance(&text[seen..offset]);
        let start = position;
        let value = match stream.next() {
            None => return,
            Some(Err(error)) => {
                let position = Position {
                    line: error.line().max(1),
                    column: error.column().max(1),
                };
                documents.push(Err(SyntaxError {
                    position,
                    message: json_message(&error),
                }));
                return;
            }
            Some(Ok(value)) => value,
        };
        if documents.len() >= MAX_DOCUMENTS {
            documents.push(Err(too_many_documents(start)));
            return;
        }
        seen = stream.byte_offset();
        let chunk = Chunk {
            text: &text[offset..seen],
            start,
        };
        position.advance(chunk.text);
        push(value, chunk, start, documents);
    }
}

/// Adds one value: nothing where it is empty, the items where it is a `v1` `List`, as `kubectl get -o yaml` writes several
/// resources.
fn push<'a>(
    mut value: Value,
    chunk: Chunk<'a>,
    position: Position,
    documents: &mut Vec<Result<Document<'a>, SyntaxError>>,
) {
    if value.is_null() {
        return;
    }
    if value["kind"] != "List" || value["apiVersion"] != "v1" {
        return documents.push(Ok(Document {
            value,
            position,
            chunk,
            steps: Vec::new(),
        }));
    }
    let items = match value["items"].take() {
        Value::Null => return,
        Value::Array(items) => items,
        _ => {
            return documents.push(Err(SyntaxError {
                position,
                message: "items must be a list".to_owned(),
            }));
        }
    };
    let positions = item_positions(chunk);
    for (index, value) in items.into_iter().enumerate() {
        let steps = vec![Step::Key("items".to_owned()), Step::Index(index)];
        let position = positions.get(index).copied().unwrap_or(position);
        documents.push(Ok(Document {
            value,
            position,
            chunk,
            steps,
        }));
    }
}

/// Where the items of a `List` start. It is read once more for that; where that fails, no positions are known.
fn item_positions(chunk: Chunk<'_>) -> Vec<Position> {
    #[derive(Deserialize)]
    struct List {
        items: Vec<Spanned<IgnoredAny>>,
    }
    let list = serde_saphyr::from_str_with_options::<List>(chunk.text, options());
    list.map(|list| {
        list.items
            .iter()
            .map(|item| chunk.position(item.referenced.line(), item.referenced.column()))
            .collect()
    })
    .unwrap_or_default()
}

impl Document<'_> {
    /// How many bytes [`Self::locate`] reads.
    pub(super) fn length(&self) -> usize {
        self.chunk.text.len()
    }

    /// Where a field is in the file; where it is missing, the nearest object around it. This reads the document once more, so
    /// it is for the few fields that have a problem.
    pub(super) fn locate(&self, path: &[Step]) -> Position {
        let steps: Vec<&Step> = self.steps.iter().chain(path).collect();
        let found = locate::locate(self.chunk.text, options(), &steps);
        found.map_or(self.position, |location| {
            self.chunk.position(location.line(), location.column())
        })
    }
}

fn syntax_error(chunk: Chunk<'_>, error: &serde_saphyr::Error, start: Position) -> SyntaxError {
    let error = error.without_snippet();
    let location = error.location();
    let position = location.map_or(start, |location| chunk.position(location.line(), location.column()));
    SyntaxError {
        position,
        message: yaml_message(error, location),
    }
}

/// What is wrong, without the place, which the position says, and without any value.
fn yaml_message(error: &serde_saphyr::Error, location: Option<Location>) -> String {
    match error {
        // Not which key: in text this malformed it may be anything.
        serde_saphyr::Error::DuplicateMappingKey { .. } => "this key is given twice".to_owned(),
        serde_saphyr::Error::NonFiniteFloat { .. } => "a number is not finite (put it in quotes)".to_owned(),
        serde_saphyr::Error::Budget { .. } => "the document is too large or too deeply nested".to_owned(),
        other => {
            let text = other.to_string();
            let place = location.map(|at| format!(" at line {}, column {}", at.line(), at.column()));
            match place.and_then(|place| text.strip_suffix(&place).map(str::to_owned)) {
                Some(message) => message,
                None => text,
            }
        }
    }
}

fn json_message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.strip_suffix(&format!(" at line {} column {}", error.line(), error.column())) {
        Some(message) => message.to_owned(),
        None => text,
    }
}

fn too_many_documents(position: Position) -> SyntaxError {
    SyntaxError {
        position,
        message: format!("the file has more than {MAX_DOCUMENTS} documents"),
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        // Snippets would show the values around an error.
        with_snippet: false,
        emit_comments: false,
        budget: serde_saphyr::budget! { max_nodes: MAX_NODES, max_events: 4 * MAX_NODES },
    }
}
