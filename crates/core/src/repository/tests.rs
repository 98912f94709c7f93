//! What Kargo's own code answered, what the types refuse, and what must hold for every text.

use proptest::prelude::*;

use super::*;

const VECTORS: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../fixtures/vectors/kargo_urls.jsonl"
));

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "in")]
    text: String,
    git: String,
    image: String,
    chart: String,
    sanitized: String,
}

fn rows() -> Vec<Row> {
    VECTORS
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

#[test]
fn normal_forms_are_kargos() {
    let rows = rows();
    assert!(!rows.is_empty());
    let mut failures = Vec::new();
    for row in &rows {
        let answers = [
            ("git", normalize_git(&row.text).into_string(), &row.git),
            ("image", normalize_image(&row.text).into_string(), &row.image),
            ("chart", normalize_chart(&row.text).into_string(), &row.chart),
            ("sanitized", sanitize_url(&row.text).into_owned(), &row.sanitized),
        ];
        for (what, answer, expected) in answers {
            if answer != *expected {
                failures.push(format!("{what} of {:?}: {answer:?} instead of {expected:?}", row.text));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Whatever a type takes must compare as it does in Kargo, so its canonical form is Kargo's.
#[test]
fn an_image_repository_is_kargos_canonical_form() {
    for row in rows() {
        if let Ok(repository) = ImageRepository::parse(&row.text) {
            assert_eq!(repository.as_str(), row.image, "{:?}", row.text);
        }
    }
}

#[test]
fn canonical_forms_parse_to_themselves() {
    for row in rows() {
        check_canonical(&row.text).unwrap_or_else(|error| panic!("{:?}: {error}", row.text));
    }
}

#[test]
fn image_repositories() {
    let rows = [
        ("nginx", "nginx", "docker.io", "library/nginx"),
        ("NGINX:1.27", "nginx", "docker.io", "library/nginx"),
        ("docker.io/library/nginx", "nginx", "docker.io", "library/nginx"),
        ("index.docker.io/team/app", "team/app", "docker.io", "team/app"),
        ("registry-1.docker.io/team/app", "team/app", "docker.io", "team/app"),
        ("GHCR.io/Team/App:v1", "ghcr.io/team/app", "ghcr.io", "team/app"),
        ("localhost/app", "localhost/app", "localhost", "app"),
        ("localhost:5000/x", "", "", ""),
        ("localhost:5000/app", "localhost:5000/app", "localhost:5000", "app"),
        ("[::1]:5000/app", "[::1]:5000/app", "[::1]:5000", "app"),
        (
            "my_registry:5000/a/b",
            "my_registry:5000/a/b",
            "my_registry:5000",
            "a/b",
        ),
        (
            "ghcr.io/a__b/c---d.e_f",
            "ghcr.io/a__b/c---d.e_f",
            "ghcr.io",
            "a__b/c---d.e_f",
        ),
    ];
    for (text, canonical, host, path) in rows {
        match ImageRepository::parse(text) {
            Ok(repository) => {
                let parts = (repository.as_str(), repository.registry_host(), &*repository.path());
                assert_eq!(parts, (canonical, host, path), "{text}");
            }
            Err(error) => assert_eq!((error, canonical), (NotARepository::NotAnImage, ""), "{text}"),
        }
    }
}

#[test]
fn what_no_registry_could_be_asked_for_is_no_image_repository() {
    let long = "a".repeat(256);
    let longer = "a".repeat(2049);
    let long_with_library = "a".repeat(248);
    let long_host = format!("{}.io/app", "a".repeat(256));
    let rows = [
        ("", NotARepository::Empty),
        (" \u{200b} ", NotARepository::Empty),
        (long.as_str(), NotARepository::NotAnImage),
        (long_with_library.as_str(), NotARepository::TooLong { limit: 255 }),
        (longer.as_str(), NotARepository::TooLong { limit: 2048 }),
        (long_host.as_str(), NotARepository::TooLong { limit: 255 }),
        ("ghcr.io/team/app:", NotARepository::NotAnImage),
        ("ghcr.io/team/a b", NotARepository::NotAnImage),
        ("user:pass@ghcr.io/team/app", NotARepository::NotAnImage),
        ("ghcr.io/team/app/", NotARepository::Path),
        ("ghcr.io//team/app", NotARepository::Path),
        ("ghcr.io/team/../app", NotARepository::Path),
        ("ghcr.io/team/-app", NotARepository::Path),
        ("ghcr.io/team/a.-b", NotARepository::Path),
        ("ghcr.io/team/a___b", NotARepository::Path),
        ("library/", NotARepository::Path),
        ("ghcr.io:/team/app", NotARepository::Port),
        ("ghcr.io:65536/team/app", NotARepository::Port),
        ("ghcr.io:0/team/app", NotARepository::Port),
        ("gh..io/team/app", NotARepository::Host),
        ("ghcr.io./team/app", NotARepository::Host),
        ("-ghcr.io/team/app", NotARepository::Host),
        ("ü.example/team/app", NotARepository::Host),
        ("::1/team/app", NotARepository::Host),
        ("docker.io/library/x", NotARepository::DockerHub),
        ("library/library/nginx", NotARepository::DockerHub),
        ("docker.io/ghcr.io/team/app", NotARepository::DockerHub),
    ];
    for (text, expected) in rows {
        assert_eq!(ImageRepository::parse(text), Err(expected), "{text:?}");
    }
    for text in ["https://ghcr.io/team/app", "oci://ghcr.io/team/app"] {
        assert!(
            matches!(ImageRepository::parse(text), Err(NotARepository::Scheme { .. })),
            "{text}"
        );
    }
}

#[test]
fn chart_repositories() {
    let rows = [
        ("OCI://GHCR.io/Team/Chart:1.0", Ok("ghcr.io/team/chart"), true),
        (
            "oci://registry-1.docker.io/bitnamicharts/redis",
            Ok("bitnamicharts/redis"),
            true,
        ),
        ("ghcr.io/team/chart", Ok("ghcr.io/team/chart"), true),
        ("oci://10.1.2.3:5000/charts", Ok("10.1.2.3:5000/charts"), true),
        (
            "HTTPS://Charts.Example.com:443/Stable/",
            Ok("https://charts.example.com:443/stable/"),
            false,
        ),
        ("http://localhost/", Ok("http://localhost/"), false),
        ("oci://", Err(NotARepository::Empty), false),
        ("oci://ghcr.io/team/chart/", Err(NotARepository::Path), false),
        (
            "https://user:pass@charts.example.com/",
            Err(NotARepository::Credentials),
            false,
        ),
        ("https:///stable", Err(NotARepository::Host), false),
        (
            "https://charts.example.com/%zz",
            Err(NotARepository::Url(UrlError::Escape)),
            false,
        ),
        (
            "s3://bucket/charts",
            Err(NotARepository::Scheme {
                expected: "oci://, https:// or http://",
            }),
            false,
        ),
    ];
    for (text, expected, on_registry) in rows {
        let parsed = ChartRepository::parse(text);
        assert_eq!(
            parsed.as_ref().map(ChartRepository::as_str).map_err(|error| *error),
            expected,
            "{text}"
        );
        let repository = parsed.ok().and_then(|chart| chart.on_registry());
        assert_eq!(repository.is_some(), on_registry, "{text}");
    }
}

#[test]
fn a_charts_query_is_compared_and_not_shown() {
    let with_token = ChartRepository::parse("https://charts.example.com/stable?token=abc").unwrap();
    assert_eq!(with_token.as_str(), "https://charts.example.com/stable?token=abc");
    assert_eq!(with_token.to_string(), "https://charts.example.com/stable");
    assert_eq!(
        format!("{with_token:?}"),
        "ChartRepository(https://charts.example.com/stable)"
    );
}

#[test]
fn git_repositories() {
    let rows = [
        (
            "https://user:pass@GitHub.com/Team/App.git/",
            Ok("https://github.com/team/app"),
        ),
        ("git@github.com:Team/App.git", Ok("ssh://git@github.com/team/app")),
        (
            "ssh://git:pass@github.com:22/team/app.git",
            Ok("ssh://git@github.com:22/team/app"),
        ),
        ("https://h/a.git.git", Ok("https://h/a")),
        ("https://h/a.git//", Ok("https://h/a")),
        ("https://h/Ü", Ok("https://h/%c3%bc")),
        ("https://h/%C3%BC", Ok("https://h/%c3%bc")),
        ("git@h:ü", Ok("ssh://git@h/%c3%bc")),
        ("https://ö.example/a", Ok("https://%C3%B6.example/a")),
        ("https://h/a%2Fb.git", Ok("https://h/a/b")),
        ("", Err(NotARepository::Empty)),
        ("main", Err(NotARepository::NoPath)),
        ("https://h/.git", Err(NotARepository::NoPath)),
        ("git@h:", Err(NotARepository::NoPath)),
        ("https:///a", Err(NotARepository::Host)),
        ("ssh://-oProxyCommand=x/a", Err(NotARepository::Host)),
        ("-x@h:a", Err(NotARepository::Host)),
        ("https://h/a?b=c", Err(NotARepository::Query)),
        ("git@h:a?b=c", Err(NotARepository::Query)),
        ("git@h:2222:a/b", Err(NotARepository::NotGit)),
        // What is before the second colon reads as a scheme, so that Kargo has `ssh://a.b` for all of them.
        ("a.b:c:d/e.git", Err(NotARepository::NoPath)),
        ("a.b:c:another/one.git", Err(NotARepository::NoPath)),
        ("github.com/team/app", Err(NotARepository::NotGit)),
        ("/srv/git/app", Err(NotARepository::NotGit)),
        ("https://h:x/a", Err(NotARepository::Url(UrlError::Port))),
        (
            "git://h/a",
            Err(NotARepository::Scheme {
                expected: "https://, http:// or ssh://",
            }),
        ),
    ];
    for (text, expected) in rows {
        let parsed = GitRepository::parse(text);
        assert_eq!(
            parsed.as_ref().map(GitRepository::as_str).map_err(|error| *error),
            expected,
            "{text}"
        );
    }
    let endless = format!("https://h/a{}", ".git".repeat(400));
    assert_eq!(GitRepository::parse(&endless), Err(NotARepository::Endings));
}

#[test]
fn errors_never_repeat_the_text() {
    for text in [
        "https://u:hunter2@h:x/a",
        "oci://u:hunter2@h/a",
        "u:hunter2@h",
        "ssh://u:hunter2@-h/",
        "x://hunter2",
    ] {
        let errors = [
            ImageRepository::parse(text).err(),
            ChartRepository::parse(text).err(),
            GitRepository::parse(text).err(),
        ];
        for error in errors.into_iter().flatten() {
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}

#[test]
fn reading_json_checks_again() {
    let repository = Repository::Image(ImageRepository::parse("ghcr.io/team/app").unwrap());
    let json = serde_json::to_string(&repository).unwrap();
    assert_eq!(json, r#"{"image":"ghcr.io/team/app"}"#);
    assert_eq!(serde_json::from_str::<Repository>(&json).unwrap(), repository);
    assert!(serde_json::from_str::<ImageRepository>(r#""https://ghcr.io/a""#).is_err());
    assert!(serde_json::from_str::<GitRepository>(r#""main""#).is_err());
    assert!(serde_json::from_str::<ChartRepository>(r#""s3://x""#).is_err());
}

fn check_canonical(text: &str) -> Result<(), TestCaseError> {
    for normalized in [normalize_git(text), normalize_image(text), normalize_chart(text)] {
        prop_assert!(normalized.as_str().len() <= 9 * text.len() + "ssh://".len());
    }
    if let Ok(image) = ImageRepository::parse(text) {
        let again = ImageRepository::parse(image.as_str());
        prop_assert_eq!(again.as_ref(), Ok(&image));
        prop_assert_eq!(normalize_image(text), Normalized::Canonical(image.as_str().to_owned()));
        let whole = format!("{}/{}", image.registry_host(), image.path());
        prop_assert_eq!(ImageRepository::parse(&whole), Ok(image));
    }
    if let Ok(chart) = ChartRepository::parse(text) {
        prop_assert_eq!(ChartRepository::parse(chart.as_str()), Ok(chart));
    }
    if let Ok(git) = GitRepository::parse(text) {
        prop_assert_eq!(GitRepository::parse(git.as_str()), Ok(git.clone()));
        // Equal for Kargo means equal here.
        prop_assert_eq!(GitRepository::parse(normalize_git(text).as_str()), Ok(git));
    }
    Ok(())
}

/// Texts that look like repositories, put together from the pieces where their rules differ.
fn pieces() -> impl Strategy<Value = String> {
    const PIECES: [&str; 52] = [
        "https://",
        "http://",
        "ssh://",
        "oci://",
        "git@",
        "user:pass@",
        "@",
        "ghcr.io",
        "docker.io",
        "index.docker.io",
        "registry-1.docker.io",
        "localhost",
        "GitHub.com",
        "h",
        "[::1]",
        "[fe80::1%25e]",
        ":",
        ":443",
        ":22",
        "/",
        "//",
        "library/",
        "library",
        "team",
        "App",
        "nginx",
        "x",
        ".git",
        ".git/",
        "-",
        "_",
        "__",
        ".",
        "..",
        "%2F",
        "%c3%9c",
        "%zz",
        "%41",
        "Ü",
        "İ",
        "Σ",
        " ",
        "\u{200b}",
        "?",
        "?a=b",
        "#f",
        "*",
        "{",
        "&;",
        ":v1",
        "~",
        "\\",
    ];
    proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 0..9).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, ..ProptestConfig::default() })]

    #[test]
    fn every_text_of_pieces_has_one_canonical_form(text in pieces()) {
        check_canonical(&text)?;
    }

    #[test]
    fn every_text_has_one_canonical_form(text in "\\PC{0,60}") {
        check_canonical(&text)?;
    }
}
