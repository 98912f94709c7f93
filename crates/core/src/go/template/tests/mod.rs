//! Holds templates to the answers of Go's own package, row by row.

mod bounds;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value as Json;

use super::{StructType, Template, Type, Value};

fn structure(name: &'static str, fields: &[(&'static str, Type)]) -> Arc<StructType> {
    Arc::new(StructType {
        name,
        fields: fields.to_vec(),
    })
}

fn texts(values: &[&str]) -> Value {
    Value::list(Type::Text, values.iter().map(Value::text))
}

fn labels(entries: &[(&str, &str)]) -> Value {
    Value::map(
        Type::Text,
        entries.iter().map(|(key, value)| (*key, Value::text(value))),
    )
}

fn numbers(values: &[i64]) -> Value {
    Value::list(Type::Int, values.iter().copied().map(Value::Int))
}

/// The data of `fixtures/vectors/go_template.jsonl`.
fn data() -> Value {
    let text_map = Type::Map(Arc::new(Type::Text));
    let change = structure(
        "main.Change",
        &[
            ("Image", Type::Text),
            ("OldTag", Type::Text),
            ("NewTag", Type::Text),
            ("Labels", text_map),
        ],
    );
    let point = structure("main.Point", &[("X", Type::Int), ("Name", Type::Text)]);
    let point_of = |x, name: &str| Value::structure(&point, [Value::Int(x), Value::text(name)]);
    let change_of = |image: &str, old: &str, new: &str, labels: Value| {
        Value::structure(
            &change,
            [Value::text(image), Value::text(old), Value::text(new), labels],
        )
    };
    let web = labels(&[
        ("build", "7"),
        ("org.opencontainers.image.source", "https://git.example/web"),
    ]);
    let changes = [
        change_of("example/web", "1.0.0", "1.0.1", web),
        change_of("example/worker", "v2", "sha256:d5d1", labels(&[])),
    ];
    let ints = Type::List(Arc::new(Type::Int));
    let fields = [
        ("AppName", Value::text("shop")),
        ("Changes", Value::list(Type::Struct(Arc::clone(&change)), changes)),
        ("Tags", texts(&["a", "b", "c"])),
        ("None", texts(&[])),
        ("Labels", labels(&[("team", "pay"), ("env", "<prod>"), ("Zone", "")])),
        ("NoLabels", labels(&[])),
        (
            "Counts",
            Value::map(Type::Int, [("one", Value::Int(1)), ("two", Value::Int(2))]),
        ),
        (
            "Points",
            Value::map(Type::Struct(Arc::clone(&point)), [("p", point_of(3, "three"))]),
        ),
        ("Count", Value::Int(3)),
        ("Zero", Value::Int(0)),
        ("Ready", Value::Bool(true)),
        ("Ratio", Value::Float(1.5)),
        ("Point", point_of(7, "seven")),
        ("Grid", Value::list(ints, [numbers(&[1, 2]), numbers(&[3])])),
        ("Odd", Value::text("a\"b'c&d<é>\t\u{200b}=\\ %d~\0\u{7f}世界")),
    ];
    let types: Vec<_> = fields
        .iter()
        .map(|(name, value)| (*name, value.type_of().expect("each field has a type")))
        .collect();
    Value::structure(&structure("main.Data", &types), fields.map(|(_, value)| value))
}

/// What became of a template, as a row of the vector file has it.
fn outcome(source: &str) -> BTreeMap<&'static str, String> {
    let template = match Template::parse("message", source) {
        Ok(template) => template,
        Err(error) => return BTreeMap::from([("parse_error", error.to_string())]),
    };
    match template.render(&data()) {
        Err(error) => BTreeMap::from([("render_error", error.to_string())]),
        Ok(output) => match String::from_utf8(output) {
            Ok(text) => BTreeMap::from([("out", text)]),
            Err(error) => {
                let mut hex = String::new();
                for byte in error.as_bytes() {
                    write!(hex, "{byte:02x}").expect("a String takes everything");
                }
                BTreeMap::from([("hex", hex)])
            }
        },
    }
}

#[test]
fn says_what_go_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vectors/go_template.jsonl");
    let file = std::fs::read_to_string(path).expect("the vector file is readable");
    let mut failures = Vec::new();
    let mut rows = 0;
    for line in file.lines() {
        let mut row: BTreeMap<String, Json> = serde_json::from_str(line).expect("each line is a JSON object");
        let template = row.remove("template").expect("each row has a template");
        let source = template.as_str().expect("a template is a text");
        let expected: BTreeMap<&str, String> = row
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        let found = outcome(source);
        if found != expected {
            failures.push(format!("{source:?}\n  gives   {found:?}\n  in Go   {expected:?}"));
        }
        rows += 1;
    }
    assert!(rows > 700, "the vector file has rows");
    assert!(
        failures.is_empty(),
        "{} of {rows} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
