//! A disk that is full while every sender posts at once: each is asked to come again, and what it then sends is taken, once.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;

use landfall_core::receiver::Sender;
use landfall_harness::http::{self, Request, Response};
use serde_json::Value;

use crate::journal::{assert_asked_to_come_again, limit_files, ready_when};
use crate::sender_pages::variable;
use crate::world::{World, delivery_id, fixtures, request, script};

/// The secret of all fixtures.
const SECRET: &str = "only-for-fixtures";
/// How often each sender tries while there is no space.
const TRIES: usize = 5;

/// The senders that have a type.
fn senders() -> impl Iterator<Item = Sender> {
    Sender::ALL.into_iter().filter(|sender| sender.type_name().is_some())
}

/// The first fixture of a sender, by name, that tells of an event at the door by type.
fn delivery(sender: Sender) -> Request {
    let folder = fixtures().join(sender.path_segment());
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let is_taken = |file: &Path| {
        let yields: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        yields["entrance"] == "type" && yields["reports"].as_array().is_some_and(|reports| !reports.is_empty())
    };
    let name = files.iter().find_map(|file| {
        let name = file.to_str()?.strip_suffix(".yields.json")?;
        is_taken(file).then(|| name.to_owned())
    });
    let name = name.unwrap_or_else(|| panic!("{sender} has no fixture of an event at the door by type"));
    request(&fs::read(format!("{name}.http")).unwrap())
}

/// What every sender is answered, where all post at once and each so often in a row.
fn posted(world: &World, times: usize) -> Vec<(Sender, Response)> {
    let host = world.landfall.host();
    thread::scope(|scope| {
        let posting = senders().map(|sender| {
            let (host, request) = (&host, delivery(sender));
            let send = move || http::send(host, &request).unwrap_or_else(|error| panic!("{sender}: {error}"));
            scope.spawn(move || (0..times).map(|_| (sender, send())).collect::<Vec<_>>())
        });
        // All begin before the first is waited for.
        let posting: Vec<_> = posting.collect();
        posting.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn every_sender_is_asked_to_come_again_and_is_taken_then() {
    let folder = tempfile::tempdir().unwrap();
    // A write beyond the limit then fails as on a full disk, instead of ending the process.
    let script = script(folder.path(), "trap '' XFSZ");
    let world = World::running(&script, |landfall| {
        let secrets = senders().map(variable);
        secrets.fold(landfall, |landfall, variable| landfall.env(&variable, SECRET))
    });
    let process = world.landfall.process_id();
    limit_files(&world, Some(0));
    for (sender, answer) in posted(&world, TRIES) {
        println!("{sender}: {}", answer.status);
        assert_asked_to_come_again(&answer);
    }
    limit_files(&world, None);
    ready_when(&world, (200, "ok"));
    assert!(world.deliveries().is_empty(), "what was refused is not there");
    let mut taken = BTreeSet::new();
    for (sender, answer) in posted(&world, 1) {
        assert_eq!(answer.status, 200, "{sender}: {}", answer.text());
        taken.insert((
            delivery_id(&answer),
            sender.path_segment().to_owned(),
            "accepted".to_owned(),
        ));
    }
    let word = |delivery: &Value, field: &str| delivery[field].as_str().unwrap_or_default().to_owned();
    let kept: BTreeSet<_> = world
        .deliveries()
        .iter()
        .map(|delivery| {
            (
                word(delivery, "id"),
                word(delivery, "sender"),
                word(delivery, "verdict"),
            )
        })
        .collect();
    assert_eq!(kept, taken);
    assert_eq!(kept.len(), senders().count());
    assert_eq!(world.landfall.process_id(), process);
}
