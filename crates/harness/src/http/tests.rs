use std::net::TcpListener;

use super::*;

/// A request as the server read it: head and body.
type Seen = (Head, Vec<u8>);

/// A server that reads one request per answer, on one connection, and gives back what it read.
fn server(answers: &'static [&'static str]) -> (String, std::thread::JoinHandle<Vec<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let serving = std::thread::spawn(move || {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        let mut seen = Vec::new();
        for answer in answers {
            let head = wire::read_head(&mut stream).unwrap().unwrap();
            let framing = Framing::declared(&head.headers, Framing::Length(0)).unwrap();
            seen.push((head, wire::read_body(&mut stream, framing).unwrap()));
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
        seen
    });
    (host, serving)
}

#[test]
fn one_connection_serves_many_requests() {
    let (host, serving) = server(&[
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\nto the end",
    ]);
    let mut connection = Connection::open(&host, TIMEOUT).unwrap();
    let mut answers = Vec::new();
    for request in [
        Request::new("POST", "/a?b")
            .header("Content-Type", "text/plain")
            .body("hello"),
        Request::new("HEAD", "/"),
        Request::new("PUT", "/c").body("chunks").sending(Sending::Chunked(4)),
        Request::new("POST", "/empty"),
        Request::new("GET", "/last"),
    ] {
        assert!(connection.is_reusable());
        let response = connection.send(&request).unwrap();
        answers.push((response.status, response.text()));
    }
    assert!(!connection.is_reusable());
    let expected = [(200, "ok"), (200, ""), (404, "abc"), (204, ""), (200, "to the end")];
    // The last answer ends with the connection, which the server closes when its thread ends.
    let seen = serving.join().unwrap();
    assert_eq!(answers, expected.map(|(status, body)| (status, body.to_owned())));
    assert_eq!(seen[0].0.start_line, "POST /a?b HTTP/1.1");
    let headers = [
        ("Host", host.as_str()),
        ("Content-Type", "text/plain"),
        ("Content-Length", "5"),
    ];
    assert_eq!(
        seen[0].0.headers,
        headers.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    let bodies: Vec<_> = seen.iter().map(|(_, body)| String::from_utf8_lossy(body)).collect();
    assert_eq!(bodies, ["hello", "", "chunks", "", ""]);
    assert_eq!(wire::header(&seen[3].0.headers, "content-length"), Some("0"));
}

#[test]
fn a_request_in_pieces() {
    let (host, serving) = server(&["HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]);
    let mut connection = Connection::open(&host, TIMEOUT).unwrap();
    for byte in Request::new("POST", "/slow").body("abc").to_bytes(&host) {
        connection.send_raw(&[byte]).unwrap();
    }
    assert_eq!(connection.receive("POST").unwrap().status, 200);
    assert!(!connection.is_reusable());
    assert_eq!(serving.join().unwrap()[0].1, b"abc");
}

#[test]
fn errors_say_who() {
    let (host, serving) = server(&["nonsense\r\n\r\n"]);
    let error = get(&format!("http://{host}/")).unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        format!("no answer from {host}: \"nonsense\" is no status line")
    );
    serving.join().unwrap();
    let error = post(&format!("http://{host}"), &[], b"").unwrap_err();
    assert_eq!(error.to_string(), format!("cannot connect to {host}"));
    assert!(get("https://127.0.0.1/").is_err());
    assert!(get("http://nowhere").is_err());
}

#[test]
fn a_silent_server_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let mut connection = Connection::open(&host, Duration::from_millis(50)).unwrap();
    assert!(connection.send(&Request::new("GET", "/")).is_err());
}

#[test]
fn urls() {
    for (url, expected) in [
        ("http://127.0.0.1:80/a/b?c", ("127.0.0.1:80", "/a/b?c")),
        ("http://127.0.0.1:80", ("127.0.0.1:80", "/")),
        ("http://h/", ("h", "/")),
    ] {
        assert_eq!(split_url(url).unwrap(), expected, "{url}");
    }
}
