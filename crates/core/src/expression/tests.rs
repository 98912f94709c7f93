//! What Go's own evaluator answered, what must not be possible, and what must hold for every source.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::template::Template;
use super::*;
use crate::expression::text;

const STEPS: u64 = 1_000_000;
const BYTES: u64 = 16 << 20;

fn vectors(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/vectors")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the vectors were measured with.
fn names() -> Vec<(&'static str, Value)> {
    let map = |entries: Vec<(&str, Value)>| {
        Value::map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect()).unwrap()
    };
    let body = Value::from_json(vectors("expr_body.json").as_bytes()).unwrap();
    let request = map(vec![("body", body), ("header", Value::Function("header"))]);
    let functions = template::FUNCTIONS.map(|name| (name, Value::Function(name)));
    [
        ("request", request),
        ("params", map(vec![("branch", Value::text("main"))])),
    ]
    .into_iter()
    .chain(functions)
    .collect()
}

fn call(name: &'static str, arguments: &[Value], budget: &mut Budget) -> Result<Value, ExpressionError> {
    match (name, arguments) {
        ("header", [Value::Text(name)]) => Ok(Value::text(if **name == *"X-Event" { "push" } else { "" })),
        _ => {
            template::call(name, arguments, budget).unwrap_or_else(|| Err(ExpressionError::failed("no such function")))
        }
    }
}

fn evaluated(source: &str) -> Result<Value, ExpressionError> {
    let environment = Environment {
        names: names(),
        call: &call,
    };
    Expression::compile(source)?.evaluate(&environment, &mut Budget::new(STEPS, BYTES))
}

/// A value with its type, as the vectors have it.
fn shown(value: &Value) -> Json {
    let mut budget = Budget::new(STEPS, BYTES);
    if let Value::Float(number) = value
        && !number.is_finite()
    {
        return json!({ "text": text::plain(value, &mut budget).unwrap() });
    }
    let json: Json = serde_json::from_str(&text::json(value, None, &mut budget).unwrap()).unwrap();
    match value {
        Value::Int(_) => json!({ "value": json, "type": "int" }),
        Value::Float(_) => json!({ "value": json.as_f64(), "type": "float64" }),
        _ => json!({ "value": json }),
    }
}

/// Where answers differ on purpose: Go's compiler looks at the types of literals, and refuses what is never evaluated.
const DIFFERENT: [&str; 6] = [
    "nil contains 'a'",
    "true or 1",
    "1 in nil",
    "'hello'[1]",
    "request[\"header\"](\"X-Event\")",
    "get(nil, \"a\")",
];

#[test]
fn expressions_evaluate_as_they_do_in_go() {
    let (mut failures, mut rows) = (Vec::new(), 0);
    for line in vectors("expr.jsonl").lines() {
        let mut row: Json = serde_json::from_str(line).unwrap();
        let source = row["in"].as_str().unwrap().to_owned();
        rows += 1;
        if DIFFERENT.contains(&source.as_str()) {
            continue;
        }
        row.as_object_mut().unwrap().remove("in");
        let number = match row["type"].as_str() {
            Some("float64") => row["value"].as_f64().map(|number| row["value"] = json!(number)),
            Some("int") => Some(()),
            _ => None,
        };
        if number.is_none() {
            row.as_object_mut().unwrap().remove("type");
        }
        let found = evaluated(&source);
        let same = match &found {
            // Go looks at the types of literals before it runs anything.
            Err(_) => !row["error"].is_null(),
            Ok(value) => shown(value) == row,
        };
        if !same {
            let found = found.map(|value| shown(&value));
            failures.push(format!("{source}\n    is {found:?}\n    not {row}"));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {rows}:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// What a request does not have is nil, and what is made of that is Go's; measured with the evaluator that Kargo has.
#[test]
fn what_is_missing_is_treated_as_in_go() {
    let mut failures = Vec::new();
    for (source, expected) in [
        (r#"request.body.nope startsWith "refs/""#, Some(r#"false"#)),
        (r#""a" startsWith request.body.nope"#, Some(r#"false"#)),
        (r#"request.body.nope endsWith "x""#, Some(r#"false"#)),
        (r#"request.body.nope contains "x""#, Some(r#"false"#)),
        (r#"request.body.nope matches "x""#, Some(r#"false"#)),
        (r#""x" matches request.body.nope"#, Some(r#"false"#)),
        (r#"not (request.body.title contains "wip")"#, Some(r#"true"#)),
        (r#"request.body.nope startsWith "refs/" or true"#, Some(r#"true"#)),
        (r#"first(request.body.nope)"#, Some(r#"null"#)),
        (r#"last(request.body.nope)"#, Some(r#"null"#)),
        (r#"first([])"#, Some(r#"null"#)),
        (r#"last([])"#, Some(r#"null"#)),
        (r#"len(request.body.nope)"#, None),
        (r#"upper(request.body.nope)"#, None),
        (r#"lower(request.body.nope)"#, None),
        (r#"trim(request.body.nope)"#, None),
        (r#"split(request.body.nope, ",")"#, None),
        (r#"request.body.nope in ["a"]"#, Some(r#"false"#)),
        (r#""a" in request.body.nope"#, Some(r#"false"#)),
        (r#"request.body.nope not in ["a"]"#, Some(r#"true"#)),
        (r#"request.body.nope.deeper"#, None),
        (r#"request.body.nope?.deeper"#, Some(r#"null"#)),
        (r#"request.body.nope ?? "d""#, Some(r#""d""#)),
        (r#"replace(request.body.nope,"a","b")"#, None),
        (r#"hasPrefix(request.body.nope,"a")"#, None),
        (r#"hasSuffix(request.body.nope,"a")"#, None),
        (r#"int(request.body.nope)"#, None),
        (r#"string(request.body.nope)"#, Some(r#""\u003cnil\u003e""#)),
        (r#"toJSON(request.body.nope)"#, Some(r#""null""#)),
        (r#"fromJSON(request.body.nope)"#, None),
        (r#"indexOf(request.body.nope,"a")"#, None),
        (r#"filter(request.body.nope, true)"#, None),
        (r#"any(request.body.nope, true)"#, None),
        (r#"map(request.body.nope, #)"#, None),
        (r#"count(request.body.nope, true)"#, None),
        (r#"request.body.nope + "a""#, None),
        (r#""a" + request.body.nope"#, None),
        (r#"request.body.nope > 1"#, None),
        (r#"request.body.nope == nil"#, Some(r#"true"#)),
        (r#"keys(request.body.nope)"#, None),
        (r#"trimPrefix(request.body.nope, "refs/")"#, None),
        (r#"join(request.body.nope, ",")"#, None),
        (r#"request.body.nope[0]"#, None),
        (r#"request.body.nope["a"]"#, None),
        (r#"request.body.nope[0:1]"#, None),
        (r#"-request.body.nope"#, None),
        (r#"not request.body.nope"#, None),
        (r#"request.body.nope ? 1 : 2"#, None),
        (r#"sum(request.body.nope)"#, None),
        (r#"max(request.body.nope)"#, Some(r#"null"#)),
        (r#"uniq(request.body.nope)"#, None),
        (r#"reverse(request.body.nope)"#, None),
        (r#"flatten(request.body.nope)"#, None),
        (r#"concat(request.body.nope)"#, None),
        (r#"take(request.body.nope,1)"#, None),
        (r#"abs(request.body.nope)"#, None),
        (r#"type(request.body.nope)"#, Some(r#""nil""#)),
        (r#"get(request.body.nope,"a")"#, Some(r#"null"#)),
        (r#"none(request.body.nope, true)"#, None),
        (r#"all(request.body.nope, true)"#, None),
        (r#"one(request.body.nope, true)"#, None),
        (r#"find(request.body.nope, true)"#, None),
        (r#"groupBy(request.body.nope, #)"#, None),
        (r#"sortBy(request.body.nope, #)"#, None),
        (r#"reduce(request.body.nope, #acc + #, 0)"#, None),
        (r#"request.body.nope..3"#, None),
    ] {
        let found = evaluated(source).ok().map(|value| shown(&value)["value"].clone());
        let expected = expected.map(|json| serde_json::from_str::<Json>(json).unwrap());
        if found != expected {
            failures.push(format!("{source} is {found:?}, not {expected:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn nothing_takes_more_than_it_may() {
    let doubling = format!(
        "let a0 = 'x'; {} a300",
        (1..=300)
            .fold(String::new(), |all, n| {
                if all.len() < 3900 {
                    format!("{all}let a{n} = a{0} + a{0}; ", n - 1)
                } else {
                    all
                }
            })
            .replace("a300", "")
    );
    let lists = |last: &str| {
        let names = (1..=60).fold(String::new(), |all, n| format!("{all}let a{n} = [a{0}, a{0}]; ", n - 1));
        format!("let a0 = [1]; {names}{last}")
    };
    let sources = [
        "1..1000000000".to_owned(),
        "0..9223372036854775807".to_owned(),
        "repeat('x', 1000000000)".to_owned(),
        "repeat('', 9223372036854775807) + repeat('x', 100000000)".to_owned(),
        "map(1..1000, map(1..1000, map(1..1000, #)))".to_owned(),
        "reduce(1..100, #acc + #acc, 'x')".to_owned(),
        "reduce(1..100000, [#acc], 1)".to_owned(),
        "reduce(1..100000, {a: #acc}, 1)".to_owned(),
        "replace(repeat('x', 1000000), '', repeat('y', 1000000))".to_owned(),
        "uniq(1..100000)".to_owned(),
        "sort(1..1000000)".to_owned(),
        "fromJSON(repeat('[', 100000))".to_owned(),
        lists("toJSON(a60)"),
        lists("flatten(a60)"),
        lists("string(a60)"),
        lists("a60 == [a59, a59, 1]") + " or a60 == a59 or [a60] == [a60]",
        lists("max(a60)"),
        doubling,
        "(".repeat(4000),
        "[".repeat(4000),
        "a[".repeat(2000),
        "-".repeat(4000),
        "not ".repeat(1000),
        "a ? ".repeat(1000),
        "a ?: ".repeat(800) + "1",
        "2 ** ".repeat(800) + "2",
        "if true { ".repeat(400),
        "{a: ".repeat(1000),
        "f(".repeat(2000),
        "map([1], ".repeat(400),
        "x".repeat(4097),
        "'x' matches '".to_owned() + &"(".repeat(2000),
        r"'x' matches '(\\pL{1000}){1000}'".to_owned(),
        r"repeat('x', 100000) matches 'x'".to_owned(),
        r"any(1..10000, repeat('a', 60000) matches '(a?){50}a{50}b')".to_owned(),
    ];
    for source in sources {
        let start: String = source.chars().take(60).collect();
        assert!(evaluated(&source).is_err(), "{start}");
    }
}

#[test]
fn what_is_long_but_flat_is_no_problem() {
    for (source, expected) in [
        ("1+".repeat(2000) + "1", json!({ "value": 2001, "type": "int" })),
        ("true and ".repeat(400) + "false", json!({ "value": false })),
        ("{a: 1}".to_owned() + &".b?.c".repeat(10), json!({ "value": null })),
        (
            "[1]".to_owned() + &" | map(# + 1)".repeat(300) + "[0]",
            json!({ "value": 301, "type": "int" }),
        ),
    ] {
        assert_eq!(evaluated(&source).map(|value| shown(&value)), Ok(expected));
    }
}

#[test]
fn errors_say_where_and_show_no_value() {
    for (source, expected) in [
        ("1 +", "column 4: the expression ends too early"),
        ("é == @", "column 6: \"@\" has no meaning here"),
        ("now()", "column 1: now: times and durations are not offered"),
        ("len(1, 2)", "column 1: len takes 1 arguments, not 2"),
        ("request.body.missing.more", "cannot fetch \"more\" from nil"),
        ("request.body.ref + 1", "+ does not go with a string and a whole number"),
        ("filter(request.body.ref, true)", "filter: a string is no list"),
        ("request.body.nobody('x')", "nil is called that is no function"),
        (
            "'x' matches request.body.commits",
            "matches does not go with a string and a list",
        ),
        ("1..10000000", "the expression takes more steps than it may"),
        ("repeat('x', 20000000)", "the expression takes more memory than it may"),
    ] {
        let said = evaluated(source).err().map(|error| error.to_string());
        assert_eq!(said.as_deref(), Some(expected), "{source}");
    }
}

#[test]
fn templates_become_what_they_become_with_kargo() {
    let not_a = |kind: &str| Err(format!("the result is {kind} and not a string; quote(…) makes it one"));
    for (template, expected) in [
        ("plain", Ok("plain".to_owned())),
        ("42", Ok("42".to_owned())),
        ("", Ok(String::new())),
        ("${{ params.branch }}", Ok("main".to_owned())),
        (
            "a-${{ params.branch }}-${% request.body.repo.name %}",
            Ok("a-main-api".to_owned()),
        ),
        ("${{ '}' + '}' }}", Ok("}}".to_owned())),
        ("${% '}}' %}", Ok("}}".to_owned())),
        ("${{ request.body.count }}", not_a("a number")),
        ("v${{ request.body.count }}", Ok("v3".to_owned())),
        ("${{ '1.0' }}", not_a("a number")),
        ("${{ '1_0' }}", not_a("a number")),
        ("${{ '1__0' }}", Ok("1__0".to_owned())),
        ("${{ 'inf' }}", not_a("a number")),
        ("${{ '0x1p4' }}", not_a("a number")),
        ("${{ '0x1' }}", Ok("0x1".to_owned())),
        ("${{ 't' }}", not_a("a boolean")),
        ("${{ true }}", not_a("a boolean")),
        ("${{ nil }}", not_a("JSON")),
        ("${{ [1] }}", not_a("JSON")),
        ("${{ '[1' }}", Ok("[1".to_owned())),
        ("${{ quote('1.0') }}", Ok("1.0".to_owned())),
        ("${{ quote(true) }}", Ok("true".to_owned())),
        ("${{ quote(request.body.count) }}", Ok("3".to_owned())),
        ("${{ unsafeQuote('a') }}", Ok("\"a\"".to_owned())),
        ("${{ quote('a\"b') }}", Ok("a\\\"b".to_owned())),
        ("\"${{ 1 }}\"", Ok("1".to_owned())),
        ("${{ asJSON({a: 1}) }}", Ok("{\n  \"a\": 1\n}\n".to_owned())),
        (
            "${{ asYAML({a: {b: [1, 'x', 'y']}, c: []}) }}",
            Ok("a:\n    b:\n        - 1\n        - x\n        - \"y\"\nc: []\n".to_owned()),
        ),
        ("${{ 'x' }}\n", Ok("x\n".to_owned())),
        ("a${{}}b${{ 1 }}", Ok("ab${{ 1 }}".to_owned())),
        (
            "${{ 1",
            Err("unclosed expression: expected \"}}\" but reached end of template".to_owned()),
        ),
        ("${{ 1 + }}", Err("column 6: the expression ends too early".to_owned())),
        ("${{ quote() }}", Err("quote takes one argument".to_owned())),
    ] {
        let environment = Environment {
            names: names(),
            call: &call,
        };
        let found = Template::compile(template)
            .and_then(|template| template.evaluate(&environment, &mut Budget::new(STEPS, BYTES)))
            .map_err(|error| error.to_string());
        assert_eq!(found, expected, "{template}");
    }
}

/// Pieces of sources, so that what is put together gets past the parser now and then.
fn any_source() -> impl Strategy<Value = String> {
    let pieces = proptest::sample::select(vec![
        "1",
        "2.5",
        "'a'",
        "\"b\"",
        "nil",
        "true",
        "request",
        ".body",
        ".commits",
        "?.",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ",",
        ":",
        "?",
        "+",
        "-",
        "*",
        "/",
        "%",
        "**",
        "..",
        "==",
        "<",
        "in",
        "not",
        "and",
        "or",
        "matches",
        "contains",
        "??",
        "|",
        "#",
        "#acc",
        "let a =",
        ";",
        "a",
        "if",
        "else",
        "map(",
        "filter(",
        "reduce(",
        "sortBy(",
        "len(",
        "split(",
        "toJSON(",
        "quote(",
        "repeat(",
        "flatten(",
        "groupBy(",
        "get(",
        "9223372036854775807",
        "-9223372036854775808",
        "'é'",
        "max(",
    ]);
    proptest::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #[test]
    fn any_text_is_compiled_without_a_panic(source in ".{0,200}") {
        let _ = evaluated(&source);
        let _ = Template::compile(&format!("${{{{{source}}}}}"));
    }

    #[test]
    fn any_source_is_evaluated_within_its_budget(source in any_source()) {
        let _ = evaluated(&source);
    }

    #[test]
    fn calls_take_any_arguments(
        name in proptest::sample::select(vec![
            "all", "count", "sum", "reduce", "sortBy", "groupBy", "len", "int", "float", "string", "toJSON", "fromJSON", "toBase64",
            "fromBase64", "toPairs", "fromPairs", "keys", "values", "get", "trim", "trimPrefix", "upper", "lower", "split",
            "splitAfter", "replace", "repeat", "indexOf", "hasPrefix", "join", "first", "take", "reverse", "uniq", "concat",
            "flatten", "sort", "abs", "ceil", "round", "max", "mean", "median", "bitand", "bitnot", "bitshl", "bitushr",
        ]),
        arguments in proptest::collection::vec(
            proptest::sample::select(vec![
                "1", "-1", "0", "9223372036854775807", "-9223372036854775807 - 1", "1.5", "0 / 0", "1 / 0", "'a'", "''", "'é,b'",
                "nil", "true", "[1, 2]", "['b', 'a']", "[]", "[[1], nil]", "{a: 1}", "{}", "#", "#acc", "request",
            ]),
            0..5,
        ),
    ) {
        let _ = evaluated(&format!("{name}({})", arguments.join(", ")));
        let _ = evaluated(&format!("map([1], {name}({}))", arguments.join(", ")));
    }
}
