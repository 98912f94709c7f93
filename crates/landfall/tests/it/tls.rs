//! TLS at the door: what is really negotiated, what becomes of certificates, and what is said of them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use landfall_harness::http::Request;
use landfall_harness::{free_port, wait};

use super::secured::{self, Client, Secured, dated, ecdsa, files, key_material, mount, rsa};
use super::world::PATIENCE;

/// What a handshake of openssl's came to: version, cipher suite and, where one was agreed on, protocol. `None` is no handshake.
fn handshake(host: &str, arguments: &[&str]) -> Option<(String, String, Option<String>)> {
    let output = Command::new("openssl")
        .args(["s_client", "-connect", host])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find_map(|line| line.strip_prefix("New, "))?;
    let (version, cipher) = line.split_once(", Cipher is ")?;
    let protocol = said.lines().find_map(|line| line.strip_prefix("ALPN protocol: "));
    (output.status.success() && cipher != "(NONE)")
        .then(|| (version.to_owned(), cipher.to_owned(), protocol.map(str::to_owned)))
}

#[test]
fn what_is_negotiated_is_what_was_asked_for() {
    const BOTH: [&str; 2] = ["--tlsminversion=1.2", "--tlsmaxversion=1.3"];
    const OLD: [&str; 2] = ["--tlsminversion=1.1", "--tlsmaxversion=tls1.2"];
    const CHOSEN: [&str; 3] = [
        "--tlsminversion=1.2",
        "--tlsmaxversion=1.2",
        "--tlsciphers=TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    ];
    let all = "ALL:@SECLEVEL=0";
    for (server, clients) in [
        (
            &[][..],
            &[
                (&["-tls1_3"][..], Some(("TLSv1.3", "TLS_AES_256_GCM_SHA384", None))),
                (&["-tls1_2"], None),
                (&["-tls1_1", "-cipher", all], None),
                (
                    &["-alpn", "h2,http/1.1"],
                    Some(("TLSv1.3", "TLS_AES_256_GCM_SHA384", Some("http/1.1"))),
                ),
                (&["-alpn", "h2"], None),
                (
                    &["-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"],
                    Some(("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256", None)),
                ),
            ][..],
        ),
        (
            &BOTH,
            &[
                (&["-tls1_3"], Some(("TLSv1.3", "TLS_AES_256_GCM_SHA384", None))),
                (&["-tls1_2"], Some(("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384", None))),
                (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"], None),
                (&["-tls1_1", "-cipher", all], None),
            ],
        ),
        (
            &OLD,
            &[
                (&["-tls1_2"], Some(("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384", None))),
                (&["-tls1_1", "-cipher", all], None),
                (&["-tls1_3"], None),
            ],
        ),
        (
            &CHOSEN,
            &[
                (
                    &["-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
                    Some(("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", None)),
                ),
                (
                    &["-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"],
                    Some(("TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305", None)),
                ),
                (&["-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"], None),
            ],
        ),
        (
            &["--tlsciphers=TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "--enable-http2"],
            &[
                (
                    &["-alpn", "h2,http/1.1"],
                    Some(("TLSv1.3", "TLS_AES_256_GCM_SHA384", Some("h2"))),
                ),
                (
                    &["-alpn", "http/1.1"],
                    Some(("TLSv1.3", "TLS_AES_256_GCM_SHA384", Some("http/1.1"))),
                ),
            ],
        ),
    ] {
        let landfall = Secured::with(server);
        for (client, expected) in clients {
            let expected = expected.map(|(version, cipher, protocol)| {
                (version.to_owned(), cipher.to_owned(), protocol.map(str::to_owned))
            });
            assert_eq!(handshake(&landfall.host, client), expected, "{server:?} {client:?}");
        }
        let warnings = landfall.log().matches(" WARN ").count();
        let expected = usize::from(server == OLD || server.contains(&"--enable-http2"));
        assert_eq!(warnings, expected, "{}", landfall.log());
    }
}

#[test]
fn keys_come_in_many_forms() {
    let pkcs1 = |folder: &Path| {
        rsa(folder, "localhost");
        secured::openssl(folder, &["rsa", "-traditional", "-in", "tls.key", "-out", "tls.key"]);
    };
    let sec1 = |folder: &Path| {
        secured::openssl(folder, &["ecparam", "-name", "secp384r1", "-genkey", "-out", "tls.key"]);
        let made = [
            "req",
            "-x509",
            "-key",
            "tls.key",
            "-out",
            "tls.crt",
            "-days",
            "9",
            "-subj",
            "/CN=localhost",
        ];
        secured::openssl(folder, &made);
    };
    let ed25519 = |folder: &Path| {
        let made = [
            "-keyout",
            "tls.key",
            "-out",
            "tls.crt",
            "-days",
            "9",
            "-subj",
            "/CN=localhost",
        ];
        secured::openssl(
            folder,
            &[&["req", "-x509", "-nodes", "-newkey", "ed25519"], &made[..]].concat(),
        );
    };
    for (beginning, make) in [
        (
            "-----BEGIN PRIVATE KEY",
            &(|folder: &Path| rsa(folder, "localhost")) as &dyn Fn(&Path),
        ),
        ("-----BEGIN RSA PRIVATE KEY", &pkcs1),
        ("-----BEGIN EC PARAMETERS", &sec1),
        ("-----BEGIN PRIVATE KEY", &ed25519),
    ] {
        let landfall = Secured::start(|folder| {
            make(folder);
            let key = fs::read_to_string(folder.join("tls.key")).unwrap();
            assert!(
                key.starts_with(beginning),
                "openssl wrote another form than {beginning}"
            );
            files(folder)
        });
        landfall.takes();
    }
}

#[test]
fn what_cannot_be_served_ends_the_start_and_names_the_file() {
    type Prepare = fn(&Path);
    let mismatched: Prepare = |folder| {
        ecdsa(folder, "localhost");
        fs::rename(folder.join("tls.crt"), folder.join("kept")).unwrap();
        ecdsa(folder, "localhost");
        fs::rename(folder.join("kept"), folder.join("tls.crt")).unwrap();
    };
    let torn: Prepare = |folder| {
        ecdsa(folder, "localhost");
        let key = fs::read_to_string(folder.join("tls.key")).unwrap();
        fs::write(folder.join("tls.key"), &key[..key.len() - 40]).unwrap();
    };
    let swapped: Prepare = |folder| {
        ecdsa(folder, "localhost");
        fs::copy(folder.join("tls.key"), folder.join("tls.crt")).unwrap();
    };
    for (prepare, file, words) in [
        (
            (|folder| dated(folder, "old", -90, -1)) as Prepare,
            "tls.crt",
            "certificate 1 (CN=old) expired at ",
        ),
        (
            |folder| dated(folder, "new", 1, 90),
            "tls.crt",
            "certificate 1 (CN=new) is not valid before ",
        ),
        (
            mismatched,
            "tls.key",
            "the private key does not belong to the certificate in ",
        ),
        (torn, "tls.key", "the file holds no private key in PEM that can be used"),
        (swapped, "tls.crt", "the file holds no certificate in PEM"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let mut command = secured::command(folder.path());
        let output = command
            .args(files(folder.path()))
            .arg(format!("--listen=127.0.0.1:{}", free_port().unwrap()))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let file = folder.path().join(file);
        let expected = format!("failed to load TLS certificate from {}: {words}", file.display());
        assert!(said.contains(&expected), "{said}");
        for line in key_material(folder.path()) {
            assert!(!said.contains(&line), "{said}");
        }
    }
}

#[test]
fn without_files_a_certificate_is_made() {
    let until = "until both are, a self-signed TLS certificate is served";
    for there in [None, Some("tls.crt"), Some("tls.key")] {
        let landfall = Secured::start(|folder| {
            ecdsa(folder, "localhost");
            for file in ["tls.crt", "tls.key"] {
                if there != Some(file) {
                    fs::remove_file(folder.join(file)).unwrap();
                }
            }
            files(folder)
        });
        assert_eq!(landfall.secured().subject(), "O=Argo CD Image Updater", "{there:?}");
        landfall.takes();
        let shown = landfall.probe("/healthz?verbose").unwrap().text();
        assert!(
            shown.contains("[+]certificate ok: 364 days left, self-signed"),
            "{shown}"
        );
        assert!(shown.contains(until), "{there:?}: {shown}");
        assert!(landfall.log().contains(until), "{there:?}: {}", landfall.log());
    }
}

#[test]
fn a_renewal_drops_no_connection_and_a_bad_one_changes_nothing() {
    let landfall = Secured::start(|folder| {
        let volume = folder.join("volume");
        mount(&volume, "..1", |data| ecdsa(data, "first"));
        files(&volume)
    });
    let volume = landfall.folder.path().join("volume");
    let healthz = Request::new("GET", "/healthz");
    let mut before = landfall.secured();
    assert_eq!(
        (before.subject(), before.ask(&healthz)),
        ("CN=first".to_owned(), (200, "OK".to_owned()))
    );
    mount(&volume, "..2", |data| ecdsa(data, "second"));
    let renewed = wait::until(PATIENCE, "the second certificate", || {
        (landfall.secured().subject() == "CN=second").then_some(())
    });
    renewed.unwrap_or_else(|error| panic!("{error}: {}", landfall.log()));
    assert_eq!(before.ask(&healthz), (200, "OK".to_owned()));

    let bad = mount(&volume, "..3", |data| dated(data, "third", -9, -1));
    let problem = "certificate 1 (CN=third) expired at ";
    let shown = wait::until(PATIENCE, "the problem to be shown", || {
        let shown = landfall.probe("/healthz?verbose")?.text();
        shown.contains(problem).then_some(shown)
    });
    let shown = shown.unwrap_or_else(|error| panic!("{error}: {}", landfall.log()));
    assert!(shown.contains("[+]certificate ok: 89 days left, from "), "{shown}");
    assert!(shown.contains("; what was served before still is"), "{shown}");
    assert_eq!(landfall.secured().subject(), "CN=second");
    assert_eq!(landfall.log().matches(problem).count(), 1, "{}", landfall.log());
    let (_, public) = landfall.secured().ask(&Request::new("GET", "/healthz?verbose"));
    assert_eq!(
        public,
        "[+]ping ok\n[+]certificate ok: 89 days left\nhealthz check passed\n"
    );

    mount(&volume, "..4", |data| ecdsa(data, "fourth"));
    let over = wait::until(PATIENCE, "the fourth certificate", || {
        (landfall.secured().subject() == "CN=fourth").then_some(())
    });
    over.unwrap_or_else(|error| panic!("{error}: {}", landfall.log()));
    let shown = landfall.probe("/healthz?verbose").unwrap().text();
    assert!(!shown.contains("CN=third"), "{shown}");
    assert_eq!(before.ask(&healthz), (200, "OK".to_owned()));
    for line in key_material(&bad) {
        assert!(!landfall.log().contains(&line) && !shown.contains(&line));
    }
}

#[test]
fn plain_http_is_told_what_is_spoken_here() {
    let landfall = Secured::with(&[]);
    for request in [
        "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    ] {
        let mut connection = landfall.connect();
        connection.send(request.as_bytes()).unwrap();
        let mut said = String::new();
        std::io::Read::read_to_string(&mut connection.stream, &mut said).unwrap();
        let expected = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
        assert_eq!(said, expected, "{request}");
    }
    let mut noise = landfall.connect();
    noise.send(&[0, 1, 2, 3]).unwrap();
    let mut said = Vec::new();
    // Whether the end comes as one or as a reset is the system's affair.
    let _ = std::io::Read::read_to_end(&mut noise.stream, &mut said);
    assert_eq!(said, b"");
    landfall.takes();
}

#[test]
fn where_tls_is_spoken_depends_on_who_can_come() {
    let port = || free_port().unwrap();
    for (listen, arguments, is_secure) in [
        (format!("127.0.0.1:{}", port()), &[][..], false),
        (format!("localhost:{}", port()), &[], false),
        (format!(":{}", port()), &[], true),
        (format!("0.0.0.0:{}", port()), &[], true),
        (format!(":{}", port()), &["--disable-tls"], false),
        (format!(":{}", port()), &["--disable-tls=false"], true),
        (format!("127.0.0.1:{}", port()), &["--tlsminversion=1.3"], true),
        (
            format!("127.0.0.1:{}", port()),
            &["--tlsminversion=1.3", "--disable-tls=true"],
            false,
        ),
    ] {
        let started = Secured::start(|_| {
            let arguments = arguments.iter().map(ToString::to_string);
            ["--listen".to_owned(), listen.clone()]
                .into_iter()
                .chain(arguments)
                .collect()
        });
        let port = listen.rsplit_once(':').unwrap().1;
        let host = format!("127.0.0.1:{port}");
        let healthz = Request::new("GET", "/healthz");
        let answer = if is_secure {
            Client {
                stream: secured::tls(&host, &[]),
            }
            .ask(&healthz)
        } else {
            Client {
                stream: secured::tcp(&host),
            }
            .ask(&healthz)
        };
        assert_eq!(
            answer,
            (200, "OK".to_owned()),
            "{listen} {arguments:?}: {}",
            started.log()
        );
    }
}

#[test]
fn probes_are_answered_beside_the_door_and_at_it() {
    let landfall = Secured::with(&[]);
    let (passed, ready) = ("[+]ping ok\n", "[+]resources ok\n[+]journal ok\nreadyz check passed\n");
    for (path, expected) in [("/readyz", "ok"), ("/readyz?verbose", ready)] {
        assert_eq!(landfall.probe(path).unwrap().text(), expected);
        assert_eq!(
            landfall.secured().ask(&Request::new("GET", path)),
            (200, expected.to_owned())
        );
    }
    assert_eq!(landfall.probe("/healthz").unwrap().text(), "ok");
    assert_eq!(
        landfall.secured().ask(&Request::new("DELETE", "/healthz")),
        (200, "OK".to_owned())
    );
    let verbose = landfall.probe("/healthz?verbose=1").unwrap().text();
    let file = landfall.folder.path().join("tls.crt");
    let certificate = format!("[+]certificate ok: 89 days left, from {}\n", file.display());
    assert_eq!(verbose, format!("{passed}{certificate}healthz check passed\n"));
    // Deliveries are not taken where nobody proves anything.
    assert_eq!(landfall.probe("/webhook").unwrap().status, 404);
}

#[test]
fn paths_with_a_slip_are_treated_as_go_treats_them() {
    let landfall = Secured::with(&[]);
    for (method, path, expected) in [
        ("POST", "//webhook?type=distribution", (307, String::new())),
        ("POST", "/./webhook", (307, String::new())),
        ("POST", "/webhook/", (404, "404 page not found\n".to_owned())),
        ("POST", "//nowhere", (404, "{}\n".to_owned())),
        ("GET", "/webhook", (405, "method not allowed: use POST\n".to_owned())),
    ] {
        assert_eq!(
            landfall.secured().ask(&Request::new(method, path)),
            expected,
            "{method} {path}"
        );
    }
    let mut head = landfall.secured();
    head.send(b"HEAD /webhook HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut head.stream, &mut said).unwrap();
    assert!(
        said.starts_with("HTTP/1.1 405 ") && said.contains("allow: POST") && said.ends_with("\r\n\r\n"),
        "{said}"
    );
}

#[test]
fn urls_of_receivers_say_https() {
    let landfall = Secured::start(|folder| {
        ecdsa(folder, "localhost");
        let manifests = folder.join("manifests");
        let project = landfall_harness::manifests::dockerhub_project("shop", "hub", "secret-of-the-tls-tests");
        landfall_harness::manifests::write(&manifests, "project.yaml", &project).unwrap();
        files(folder)
    });
    let output = Command::new(super::world::BINARY)
        .env_clear()
        .args(["receivers", "--data-dir"])
        .arg(landfall.folder.path().join("data"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains(&format!("https://{}/", landfall.host)), "{said}");
}
