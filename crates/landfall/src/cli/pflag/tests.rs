use clap::value_parser;

use super::*;

fn command() -> Command {
    grammar(
        Command::new("run").args([
            Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue),
            Arg::new("secure")
                .long("secure")
                .action(ArgAction::Set)
                .value_parser(value_parser!(bool))
                .default_value("true"),
            Arg::new("port").long("port").value_parser(number).default_value("8082"),
            Arg::new("interval")
                .long("interval")
                .value_parser(nanoseconds)
                .default_value("2m"),
            Arg::new("user").long("user").default_value("nobody"),
        ]),
    )
}

/// What the command makes of the words: dry-run, secure, port, interval in seconds, user, other words; or the error.
fn read(typed: &[&str]) -> String {
    let typed: Vec<OsString> = typed.iter().map(OsString::from).collect();
    match parse(&command(), &typed) {
        Err(error) => words(&error),
        Ok(matches) => {
            let truth = |name| *matches.get_one::<bool>(name).unwrap();
            let number = |name| *matches.get_one::<i64>(name).unwrap();
            let words = matches.get_many::<String>(WORDS).into_iter().flatten();
            format!(
                "{} {} {} {} {:?} {:?}",
                truth("dry-run"),
                truth("secure"),
                number("port"),
                number("interval") / 1_000_000_000,
                matches.get_one::<String>("user").unwrap(),
                words.collect::<Vec<_>>(),
            )
        }
    }
}

#[test]
fn flags_are_read_as_pflag_reads_them() {
    for (typed, expected) in [
        (&[][..], r#"false true 8082 120 "nobody" []"#),
        (&["--dry-run"], r#"true true 8082 120 "nobody" []"#),
        (&["--dry-run=true", "--secure=F"], r#"true false 8082 120 "nobody" []"#),
        (&["--dry-run=1", "--dry-run=f"], r#"false true 8082 120 "nobody" []"#),
        (&["--secure=0", "--secure"], r#"false true 8082 120 "nobody" []"#),
        (&["--dry-run", "false"], r#"true true 8082 120 "nobody" ["false"]"#),
        (&["--port", "1", "--port=0x1f92"], r#"false true 8082 120 "nobody" []"#),
        (&["--port", "-1"], r#"false true -1 120 "nobody" []"#),
        (&["--port=1_000"], r#"false true 1000 120 "nobody" []"#),
        (&["--interval", "-1s"], r#"false true 8082 -1 "nobody" []"#),
        (&["--interval=0"], r#"false true 8082 0 "nobody" []"#),
        (&["--user="], r#"false true 8082 120 "" []"#),
        (&["--user", ""], r#"false true 8082 120 "" []"#),
        (&["--user", "--dry-run"], r#"false true 8082 120 "--dry-run" []"#),
        (&["--user=a=b"], r#"false true 8082 120 "a=b" []"#),
        (
            &["a", "--dry-run", "-", "b"],
            r#"true true 8082 120 "nobody" ["a", "-", "b"]"#,
        ),
        (&["--", "--dry-run"], r#"false true 8082 120 "nobody" ["--dry-run"]"#),
        (&["--dry"], "unknown flag: --dry"),
        (&["--bogus=s3cret"], "unknown flag: --bogus"),
        (&["--no-secret", "s3cret"], "unknown flag: --no-secret"),
        (&["-x"], "unknown shorthand flag: 'x' in -x"),
        (&["--port"], "flag needs an argument: --port"),
        (
            &["--port=http"],
            r#"invalid argument "http" for "--port" flag: strconv.ParseInt: parsing "http": invalid syntax"#,
        ),
        (
            &["--port="],
            r#"invalid argument "" for "--port" flag: strconv.ParseInt: parsing "": invalid syntax"#,
        ),
        (
            &["--dry-run=yes"],
            r#"invalid argument "yes" for "--dry-run" flag: strconv.ParseBool: parsing "yes": invalid syntax"#,
        ),
        (
            &["--interval=5"],
            r#"invalid argument "5" for "--interval" flag: time: missing unit in duration "5""#,
        ),
    ] {
        assert_eq!(read(typed), expected, "{typed:?}");
    }
}
