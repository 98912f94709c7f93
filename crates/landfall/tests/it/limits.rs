//! What clients may cost: slow ones, silent ones, thousands of them, and those that are there when the end comes.

use std::io::Read as _;
use std::net::TcpStream;
use std::process::Command;
use std::time::Instant;

use landfall_harness::wait;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::secured::{self, Client, Secured, delivery, ecdsa, files};
use super::world::{PATIENCE, PROOF, World, script};

/// Longer than anything takes here that works.
const FOREVER: &str = "--client-timeout=10m";
/// The first half of a handshake: a record that says how long it is, and ends before.
const HALF_A_HANDSHAKE: [u8; 9] = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc];
/// What memory may grow by for each connection, in KiB: its buffers, those of TLS, and the head of a request.
const EACH: u64 = 64;

/// The head of a request with a body of so many bytes that never comes.
fn announced(bytes: usize) -> Vec<u8> {
    let head = "POST /webhook?type=distribution HTTP/1.1\r\nHost: a\r\nAuthorization: ";
    format!("{head}{PROOF}\r\nContent-Length: {bytes}\r\n\r\n").into_bytes()
}

/// The same, whose sender is told when its body is awaited.
fn welcomed(bytes: usize) -> Vec<u8> {
    let mut head = announced(bytes);
    head.truncate(head.len() - 2);
    head.extend(b"Expect: 100-continue\r\n\r\n");
    head
}

/// Whether the other side has hung up by now, in whatever way.
fn has_ended(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut byte = [0; 4096];
    let ended = match stream.read(&mut byte) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    };
    stream.set_nonblocking(false).unwrap();
    ended
}

fn all_end(mut streams: Vec<TcpStream>, what: &str) {
    let ended = wait::until(PATIENCE, what, || {
        streams.retain_mut(|stream| !has_ended(stream));
        streams.is_empty().then_some(())
    });
    ended.unwrap_or_else(|error| panic!("{error}: {} of them do not", streams.len()));
}

#[test]
fn who_is_slow_over_tls_is_cut_off() {
    let landfall = Secured::with(&["--client-timeout=1s"]);
    let silent = secured::tcp(&landfall.host);
    let mut half_open = landfall.connect();
    half_open.send(&HALF_A_HANDSHAKE).unwrap();
    let idle = landfall.secured();
    let mut half_a_head = landfall.secured();
    half_a_head.send(b"POST /webhook HTTP/1.1\r\nHos").unwrap();
    let mut used = landfall.secured();
    assert_eq!(used.ask(&delivery()).0, 200);
    let mut no_body = landfall.secured();
    no_body.send(&announced(10)).unwrap();
    assert_eq!(
        no_body.answer().unwrap(),
        (408, "the request body did not arrive in time\n".to_owned())
    );
    let tls = [idle, half_a_head, used, no_body].map(|client| client.stream.sock);
    let plain = [silent, half_open.stream];
    all_end(plain.into_iter().chain(tls).collect(), "slow clients to be cut off");
    landfall.takes();
}

#[test]
fn silent_clients_do_not_keep_others_out() {
    let landfall = Secured::with(&[FOREVER, "--max-connections=8"]);
    let began = Instant::now();
    let mut silent: Vec<TcpStream> = (0..40).map(|_| secured::tcp(&landfall.host)).collect();
    landfall.takes();
    // Whoever has just come is not who leaves.
    let mut busy = landfall.secured();
    busy.send(&welcomed(10)).unwrap();
    // Before that it has said nothing, for all that landfall knows.
    assert_eq!(busy.answer().unwrap(), (100, String::new()));
    for _ in 0..3 {
        silent.extend((0..20).map(|_| secured::tcp(&landfall.host)));
        landfall.takes();
    }
    // It has been there the longest by now, and is answered: it has a request.
    busy.send(b"{\"ev").unwrap();
    busy.send(b"ents\":").unwrap();
    assert_eq!(busy.answer().unwrap().0, 400);
    assert!(began.elapsed() < PATIENCE, "it took {:?}", began.elapsed());
    wait::until(PATIENCE, "all but the last to be gone", || {
        (silent
            .iter_mut()
            .filter_map(|stream| (!has_ended(stream)).then_some(()))
            .count()
            <= 8)
            .then_some(())
    })
    .unwrap();
}

#[test]
fn who_announces_much_takes_nothing_from_others() {
    let landfall = Secured::with(&[FOREVER, "--disable-tls"]);
    // Together they announce more than all bodies may take.
    let announcing: Vec<_> = (0..300)
        .map(|_| {
            let mut client = landfall.connect();
            client.send(&announced(1 << 20)).unwrap();
            client
        })
        .collect();
    let answer = landfall.connect().ask(&delivery());
    assert_eq!(answer, (200, "Webhook received and processing".to_owned()));
    drop(announcing);
}

/// For how many connections this process has descriptors, up to `wanted`.
fn descriptors(wanted: u64) -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )
    .unwrap();
    // Other tests need some at the same time, and landfall itself a few.
    let free = maximum.unwrap_or(u64::MAX).saturating_sub(2_000);
    usize::try_from(free.min(wanted)).unwrap()
}

#[test]
fn thousands_who_say_little_cost_little() {
    let count = descriptors(10_000);
    println!("{count} connections at once, as the limit of open files allows");
    let places = format!("--max-connections={}", count + 10);
    let landfall = Secured::with(&[FOREVER, &places]);
    landfall.takes();
    let before = landfall.memory();
    let mut streams = Vec::with_capacity(count);
    for number in 0..count {
        let stream = match number % 10 {
            // Enough of these to see what a handshake costs, and few enough for a busy machine.
            0 => {
                let mut client = landfall.secured();
                client.send(b"POST /webhook HTTP/1.1\r\nHos").unwrap();
                client.stream.sock
            }
            1..5 => {
                let mut client = landfall.connect();
                client.send(&HALF_A_HANDSHAKE).unwrap();
                client.stream
            }
            _ => secured::tcp(&landfall.host),
        };
        streams.push(stream);
    }
    landfall.takes();
    let grown = landfall.memory().saturating_sub(before);
    println!("{grown} KiB for them, {} KiB each", grown / count as u64);
    assert!(grown < count as u64 * EACH, "{grown} KiB for {count} connections");
    let connected = streams
        .iter_mut()
        .filter_map(|stream| (!has_ended(stream)).then_some(()))
        .count();
    assert_eq!(connected, count, "some were cut off although there was room");
}

#[test]
fn thousands_who_send_slowly_are_bounded() {
    let count = descriptors(3_000);
    let landfall = Secured::with(&[FOREVER, "--disable-tls", "--max-connections=2000"]);
    let before = landfall.memory();
    // As much of a head as is taken before it is refused, and as much of a body as comes before the rest does not.
    let head = [b"POST /webhook HTTP/1.1\r\nX: ".as_slice(), &[b'a'; 30_000]].concat();
    let body = [announced(1 << 20), vec![b' '; 100_000]].concat();
    let mut clients: Vec<Client<TcpStream>> = Vec::with_capacity(count);
    for number in 0..count {
        let mut client = landfall.connect();
        // One who has had to leave for another cannot send any more.
        let _ = client.send(if number % 2 == 0 { &head } else { &body });
        clients.push(client);
    }
    let answer = landfall.connect().ask(&delivery());
    assert_eq!(answer, (200, "Webhook received and processing".to_owned()));
    let grown = landfall.memory().saturating_sub(before);
    println!("{grown} KiB for {count} clients at 2000 places");
    // Bodies have 256 MiB together, and twice that while they grow; heads have theirs for each place.
    let bound = 2 * (256 << 10) + 2000 * EACH;
    assert!(grown < bound, "{grown} KiB, and no more than {bound} were meant to be");
}

#[test]
fn few_descriptors_mean_fewer_connections() {
    let folder = tempfile::tempdir().unwrap();
    let script = script(folder.path(), "ulimit -Sn 300; ulimit -Hn 300");
    let world = World::running(&script, |builder| builder.arg(FOREVER));
    let crowd: Vec<TcpStream> = (0..600).map(|_| secured::tcp(&world.landfall.host())).collect();
    let answer = Client {
        stream: secured::tcp(&world.landfall.host()),
    }
    .ask(&delivery());
    assert_eq!(answer, (200, "Webhook received and processing".to_owned()));
    drop(crowd);
    let log = world.log();
    assert!(log.contains("raise its limit (ulimit -n)"), "{log}");
    assert!(!log.contains("could not be accepted"), "{log}");
}

#[test]
fn the_end_answers_what_has_begun_and_waits_for_nobody_else() {
    for arguments in [&[FOREVER][..], &[FOREVER, "--enable-http2"]] {
        let mut landfall = Secured::with(arguments);
        let request = delivery().to_bytes("localhost");
        let mut begun = landfall.secured();
        begun.send(&request[..request.len() - 5]).unwrap();
        let mut idle = landfall.secured();
        assert_eq!(idle.ask(&delivery()).0, 200);
        // That it has begun is known when another that came later is done.
        landfall.takes();
        landfall.terminate();
        wait::until(PATIENCE, "readiness to end", || {
            landfall
                .probe("/readyz")
                .is_none_or(|answer| answer.status == 503)
                .then_some(())
        })
        .unwrap();
        begun.send(&request[request.len() - 5..]).unwrap();
        assert_eq!(
            begun.answer().unwrap(),
            (200, "Webhook received and processing".to_owned())
        );
        assert!(landfall.ended().success(), "{}", landfall.log());
        assert!(!landfall.log().contains("cut off"), "{}", landfall.log());
    }
}

/// Whoever sends requests to a pod hears later than it that it ends: until then they are taken.
#[test]
fn the_door_stays_open_for_a_while_at_the_end() {
    let mut landfall = Secured::with(&["--shutdown-delay=2s"]);
    landfall.terminate();
    wait::until(PATIENCE, "readiness to end", || {
        landfall
            .probe("/readyz")
            .is_some_and(|answer| answer.status == 503)
            .then_some(())
    })
    .unwrap();
    landfall.takes();
    assert!(landfall.ended().success(), "{}", landfall.log());
}

#[test]
fn a_port_in_use_is_told() {
    let landfall = Secured::with(&[]);
    let door = "--listen or --webhook-port";
    for (flag, named, address) in [
        ("--listen", door, &landfall.host),
        ("--listen", door, &landfall.probes),
        (
            "--health-probe-bind-address",
            "--health-probe-bind-address",
            &landfall.host,
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        ecdsa(folder.path(), "localhost");
        let mut command: Command = secured::command(folder.path());
        command.args(files(folder.path())).env("LANDFALL_LISTEN", "127.0.0.1:0");
        let output = command.args([flag, address]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let expected = format!("landfall: {named} {address}: the address cannot be listened at: ");
        assert!(
            said.contains(&expected) && said.to_lowercase().contains("in use"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn http2_is_bounded_too() {
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let landfall = Secured::with(&["--client-timeout=2s", "--enable-http2"]);
    let host = landfall.host.clone();
    let stream = tokio::net::TcpStream::connect(&host).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let connector = tokio_rustls::TlsConnector::from(secured::credulous(&["h2"]));
    let stream = connector.connect(name, stream).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .handshake::<_, http_body_util::Full<bytes::Bytes>>(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let ask = |path: &str, filler: usize| {
        let delivery = delivery();
        hyper::Request::post(format!("https://localhost{path}"))
            .header("authorization", PROOF)
            .header("filler", "x".repeat(filler))
            .body(http_body_util::Full::from(delivery.body))
            .unwrap()
    };
    let path = "/webhook?type=distribution";
    // The first answer comes after the limits of the connection, by which the client goes from then on.
    assert_eq!(sender.send_request(ask(path, 0)).await.unwrap().status(), 200);
    let answers = (0..50).map(|_| sender.send_request(ask(path, 0)));
    let answers: Vec<_> = answers.collect();
    for answer in answers {
        assert_eq!(answer.await.unwrap().status(), 200);
    }
    assert_eq!(sender.send_request(ask("/nowhere", 0)).await.unwrap().status(), 404);
    // A head that is too large ends its request, or the connection: the protocol leaves it open.
    let refused = sender.send_request(ask(path, 60_000)).await;
    assert!(
        refused.as_ref().map_or(true, |answer| answer.status() == 431),
        "{refused:?}"
    );
    // The connection ends by itself, as it has no request any more.
    let ended = tokio::time::timeout(PATIENCE, connection).await.unwrap();
    drop(ended);
    landfall.takes();
}
