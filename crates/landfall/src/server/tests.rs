use axum::http::StatusCode;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

/// Serves routes at a free port, as the door is served.
async fn serve(routes: Router) -> std::net::SocketAddr {
    let address = ListenAddress::parse("127.0.0.1:0").unwrap();
    let bound = bind(&address).await.unwrap();
    let address = bound.address;
    tokio::spawn(bound.serve(routes, None, Limits::default(), std::future::pending()));
    address
}

/// Sends a request and reads its answer, whose body is `length` bytes long.
async fn ask(stream: &mut TcpStream, path: &str, length: usize) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let head = String::from_utf8(answer).unwrap();
    let status = head.split("\r\n").next().unwrap();
    format!("{status}: {}", String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn a_panic_costs_one_request() {
    async fn bug() -> StatusCode {
        panic!("a secret that nobody is to see")
    }
    let routes = Router::new()
        .route("/bug", get(bug))
        .route("/good", get(|| async { "good" }));
    let mut stream = TcpStream::connect(serve(panics::caught(routes)).await).await.unwrap();
    for _ in 0..2 {
        let broken = ask(&mut stream, "/bug", "internal error\n".len()).await;
        assert_eq!(broken, "HTTP/1.1 500 Internal Server Error: internal error\n");
        assert_eq!(ask(&mut stream, "/good", "good".len()).await, "HTTP/1.1 200 OK: good");
    }
}
