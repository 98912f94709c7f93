//! A template of a stranger ends, in the memory and on the stack that a rendering may have.

use proptest::prelude::*;

use super::super::{MAX_DEPTH, MAX_SOURCE_BYTES};
use super::{Template, data, outcome};

fn nested(open: &str, inner: &str, close: &str, depth: usize) -> String {
    format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn the_length_of_a_template_is_bounded() {
    assert!(Template::parse("message", &"a".repeat(MAX_SOURCE_BYTES)).is_ok());
    let error = Template::parse("message", &"a".repeat(MAX_SOURCE_BYTES + 1)).map(drop);
    assert_eq!(
        error.map_err(|error| error.to_string()),
        Err("template: message:1: 65537 bytes are more than the 65536 allowed".to_owned())
    );
}

#[test]
fn the_depth_of_a_template_is_bounded() {
    let in_action = |depth| format!("{{{{{}}}}}", nested("print (", "1", ")", depth));
    let chain = |depth| format!("{{{{if 0}}}}{}{{{{end}}}}", "{{else if 0}}".repeat(depth));
    let rows = [
        (in_action(MAX_DEPTH), true),
        (in_action(MAX_DEPTH + 1), false),
        (nested("{{if 1}}", "x", "{{end}}", MAX_DEPTH), true),
        (nested("{{if 1}}", "x", "{{end}}", MAX_DEPTH + 1), false),
        (
            nested("{{range 1}}{{with 1}}", "x", "{{end}}{{end}}", MAX_DEPTH / 2),
            true,
        ),
        (nested("{{with 0}}{{else}}", "x", "{{end}}", MAX_DEPTH), true),
        (nested("{{with 0}}{{else}}", "x", "{{end}}", MAX_DEPTH + 1), false),
        (chain(MAX_DEPTH - 1), true),
        (chain(MAX_DEPTH), false),
        (nested("{{block \"b\" 1}}", "x", "{{end}}", MAX_DEPTH + 1), false),
        (nested("(", "", "", 60_000), true),
        (format!("{{{{{}", "(".repeat(60_000)), false),
    ];
    for (source, expected) in rows {
        let found = outcome(&source);
        let beginning = &source[..source.len().min(60)];
        assert_eq!(found.contains_key("out"), expected, "{beginning}: {found:?}");
    }
}

#[test]
fn templates_call_each_other_so_deep_and_no_deeper() {
    let ifs = nested(
        "{{if 1}}",
        "{{template \"x\" print (print (print 1))}}",
        "{{end}}",
        MAX_DEPTH - 3,
    );
    for source in [
        "{{define \"x\"}}{{template \"x\"}}{{end}}{{template \"x\"}}",
        "{{define \"x\"}}{{template \"y\"}}{{end}}{{define \"y\"}}{{template \"x\"}}{{end}}{{template \"x\"}}",
        &format!("{{{{define \"x\"}}}}{ifs}{{{{end}}}}{{{{template \"x\"}}}}"),
    ] {
        let error = outcome(source)
            .remove("render_error")
            .expect("it does not end by itself");
        assert!(error.ends_with("exceeded maximum template depth (200)"), "{error}");
    }
}

#[test]
fn the_deepest_template_fits_on_the_stack() {
    let ifs = nested("{{if 1}}", "{{template \"x\" 1}}", "{{end}}", MAX_DEPTH - 1);
    let calls = nested("print (", "1", ")", MAX_DEPTH - 1);
    let source = format!("{{{{define \"x\"}}}}{{{{{calls}}}}}{{{{end}}}}{ifs}");
    assert_eq!(outcome(&source)["out"], "1");
}

#[test]
fn what_does_not_end_is_ended() {
    let padding = "{{$x := printf \"%1000000d\" 1}}";
    let twice = "{{$x := \"ab\"}}{{range 60}}{{$x = print $x $x}}{{end}}";
    for source in [
        "{{range 1000000000000}}{{end}}",
        "{{range $i := 1000000000000}}{{$i = 1}}{{end}}",
        "{{range 1000000}}{{range 1000000}}{{break}}{{end}}{{end}}",
        "{{range 1000000}}{{continue}}{{end}}{{range 1000000}}{{index $.Tags 0 | len | print | len}}{{end}}{{range 9999999}}{{end}}",
        "{{printf \"%1000000d\" 1}}{{printf \"%1000000d\" 1}}",
        "{{printf \"%9999999d\" 1}}",
        "{{printf \"%.9999999d\" 1}}",
        "{{printf \"%.9999999f\" 1.5}}",
        "{{printf \"%.9999999U\" 1}}",
        "{{printf \"%9999999s\" \"\"}}",
        "{{$x := printf \"%1000000s\" \"\"}}{{html $x}}{{js $x}}",
        &padding.repeat(1000),
        &format!("{{{{printf \"{}\" 1}}}}", "%1000000[1]d".repeat(4000)),
        &format!(
            "{padding}{{{{$y := printf \"%1000000d\" 1}}}}{{{{range 1000000}}}}{{{{if eq $x $y}}}}{{{{end}}}}{{{{end}}}}"
        ),
        twice,
        &format!("{{{{range 200000}}}}{}{{{{end}}}}", "x".repeat(1000)),
    ] {
        let found = outcome(source);
        let error = found.get("render_error").map(String::as_str).unwrap_or_default();
        assert!(
            error.ends_with("the template asks for more than one rendering may do"),
            "{}: {}",
            &source[..source.len().min(80)],
            if error.is_empty() { "it ended" } else { error }
        );
    }
}

#[test]
fn a_long_message_is_no_problem() {
    let source = format!("{{{{range 1000}}}}{}{{{{end}}}}", "x".repeat(1000));
    assert_eq!(outcome(&source)["out"].len(), 1_000_000);
}

#[test]
fn errors_show_the_beginning_of_what_is_long() {
    let error = outcome(&format!("{{{{len (print 1 | len) `{}`}}}}", "é".repeat(20_000)));
    assert!(error["render_error"].len() < 5_000);
    let error = outcome("{{range printf \"%100000d\" 1}}{{end}}");
    assert!(error["render_error"].len() < 5_000);
}

/// Pieces that templates are made of, and some that do not belong there.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "{{- ",
    " -}}",
    " ",
    "\n",
    "\t",
    "(",
    ")",
    "|",
    ",",
    ":=",
    "=",
    ":",
    ".",
    "$",
    "$x",
    "$x :=",
    "$i, $e :=",
    ".AppName",
    ".Changes",
    ".Tags",
    ".Labels",
    ".Labels.none",
    ".Count",
    ".Grid",
    ".Point",
    ".Odd",
    ".X",
    ".Missing",
    "if",
    "else",
    "else if",
    "else with",
    "end",
    "range",
    "with",
    "define \"x\"",
    "template \"x\"",
    "block \"x\"",
    "break",
    "continue",
    "nil",
    "true",
    "false",
    "and",
    "or",
    "not",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "len",
    "index",
    "slice",
    "print",
    "printf",
    "println",
    "html",
    "js",
    "urlquery",
    "call",
    "1",
    "0",
    "-1",
    "1.5",
    "1e9",
    "0x1F",
    "99999999999999999999",
    "1i",
    "'a'",
    "'",
    "\"",
    "`",
    "\"a\"",
    "\"\\xff\"",
    "`raw`",
    "\"%d\"",
    "\"%[1]*.[2]*[3]f\"",
    "\"%#+v %x %q\"",
    "\"%100s\"",
    "/*",
    "*/",
    "é",
    "\u{200b}",
    "世",
    "text",
    "{{if .Ready}}",
    "{{range .Tags}}",
    "{{with .Point}}",
    "{{end}}",
    "{{else}}",
    "{{define \"x\"}}",
    "{{template \"x\" .}}",
    "{{break}}",
    "{{.}}",
    "{{range 9}}",
];

fn template() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// A call of a function with what may not fit it.
fn action() -> impl Strategy<Value = String> {
    let word = proptest::sample::select(PIECES);
    proptest::collection::vec(word, 1..6).prop_map(|words| format!("{{{{{}}}}}", words.join(" ")))
}

proptest! {
    #[test]
    fn any_text_is_a_template_or_none(source in template()) {
        if let Ok(template) = Template::parse("message", &source) {
            drop(template.render(&data()));
        }
    }

    #[test]
    fn any_action_has_an_answer_or_none(actions in proptest::collection::vec(action(), 1..4)) {
        if let Ok(template) = Template::parse("message", &actions.concat()) {
            drop(template.render(&data()));
        }
    }

    #[test]
    fn any_format_prints_something(format in "[%dsvqxXtTcUefgbop+# 0-9*.\\[\\]a-cé-]{0,20}") {
        for values in ["", "1", "\"a\" 1", "1 2 3", "1.5 -7 .Tags", "nil .Point .Labels"] {
            let source = format!("{{{{printf `{format}` {values}}}}}");
            let template = Template::parse("message", &source).expect("a call is a template");
            drop(template.render(&data()));
        }
    }
}
