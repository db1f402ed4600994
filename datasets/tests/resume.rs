//! Going on where a connection broke, and beginning anew where the file is another one.

#![cfg(feature = "download")]
#![allow(clippy::unwrap_used)]

mod client;
mod server;

use std::fs;
use std::time::{Duration, Instant};

use aais_datasets::{Problem, Progress, RemoteFile, Size, fetch_file};
use client::{Client, content};
use server::{Answer, Served, Server};

#[test]
fn a_broken_connection_is_resumed_where_it_broke() {
    let bytes = content(200_000);
    let (server, client) = (Server::new(Served::new(&bytes), &[Answer::Cut(70_000), Answer::Well]), Client::new());
    client.arrives(&Client::file(&bytes, &[&server]), &bytes);
    assert_eq!(server.ranges(), ["-", "bytes=70000-"]);
    assert_eq!(server.requests()[1].header("if-range"), Some("\"0-200000\""));
}

#[test]
fn a_stalled_connection_is_resumed() {
    let bytes = content(200_000);
    let (server, mut client) =
        (Server::new(Served::new(&bytes), &[Answer::Stall(80_000), Answer::Well]), Client::new());
    client.options.stall_timeout = Duration::from_secs(1);
    let started = Instant::now();
    client.arrives(&Client::file(&bytes, &[&server]), &bytes);
    assert_eq!(server.ranges(), ["-", "bytes=80000-"]);
    assert!(started.elapsed() < Duration::from_secs(30), "the server would have stalled for a minute");
}

#[test]
fn a_part_is_resumed_by_the_next_call() {
    let bytes = content(200_000);
    let (server, client) = (Server::new(Served::new(&bytes), &[Answer::Cut(50_000)]), Client::new());
    let file = Client::file(&bytes, &[&server]);
    // Each attempt sends 50,000 bytes more; the third leaves a part.
    let problems = client.fails(&file);
    assert_eq!(problems, [Problem::Cut { received: 150_000, expected: Some(200_000) }]);
    assert_eq!(client.names(), [".lock", "data.bin.part", "data.bin.part.origin"]);

    server.change(Served::new(&bytes), &[Answer::Well]);
    let mut resumed_at = None;
    fetch_file(&file, client.folder.path(), &client.options, &mut |progress| {
        if let Progress::Started { resumed, total, .. } = progress {
            resumed_at = Some((resumed, total));
        }
    })
    .unwrap();
    assert_eq!(resumed_at, Some((150_000, Some(200_000))));
    assert!(fs::read(client.path()).unwrap() == bytes);
    assert_eq!(client.names(), [".lock", "data.bin"]);
}

#[test]
fn a_server_that_ignores_ranges_begins_anew() {
    let bytes = content(200_000);
    let served = Served { ignores_range: true, ..Served::new(&bytes) };
    let (server, client) = (Server::new(served, &[Answer::Cut(70_000), Answer::Well]), Client::new());
    client.arrives(&Client::file(&bytes, &[&server]), &bytes);
    assert_eq!(server.ranges(), ["-", "bytes=70000-"]);
}

/// A part of one version, then another version of the same length.
fn another_version(change: impl Fn(Served) -> Served) -> (Server, Client, Vec<u8>) {
    let bytes = content(200_000);
    let older: Vec<u8> = bytes.iter().map(|byte| byte ^ 1).collect();
    let older =
        change(Served { last_modified: Some("Mon, 05 Oct 2026 10:00:00 GMT".to_owned()), ..Served::new(&older) });
    let newer =
        change(Served { last_modified: Some("Tue, 06 Oct 2026 10:00:00 GMT".to_owned()), ..Served::new(&bytes) });
    let (server, mut client) = (Server::new(older, &[Answer::Cut(70_000)]), Client::new());
    client.options.attempts = 1;
    client.fails(&Client::file(&bytes, &[&server]));
    server.change(newer, &[Answer::Well]);
    client.options.attempts = 3;
    (server, client, bytes)
}

#[test]
fn a_file_that_has_changed_begins_anew() {
    let (server, client, bytes) = another_version(|served| served);
    client.arrives(&Client::file(&bytes, &[&server]), &bytes);
    assert_eq!(server.ranges(), ["-", "bytes=70000-"]); // The server saw that the version is another one.
}

#[test]
fn a_changed_file_is_noticed_where_the_server_does_not_notice() {
    let (server, client, bytes) = another_version(|served| Served { ignores_if_range: true, ..served });
    client.arrives(&Client::file(&bytes, &[&server]), &bytes);
    assert_eq!(server.ranges(), ["-", "bytes=70000-", "-"]);

    let (server, client, bytes) = another_version(|served| Served { ignores_if_range: true, etag: None, ..served });
    client.arrives(&Client::file(&bytes, &[&server]), &bytes);
    assert_eq!(server.ranges(), ["-", "bytes=70000-", "-"]);
}

#[test]
fn a_changed_file_is_noticed_by_its_checksum_at_last() {
    let unmarked = |served| Served { etag: None, last_modified: None, ..served };
    let (server, client, bytes) = another_version(unmarked);
    client.arrives(&Client::file(&bytes, &[&server]), &bytes);
    assert_eq!(server.ranges(), ["-", "bytes=70000-", "-"]);
}

#[test]
fn a_file_that_has_shrunk_below_its_part_begins_anew() {
    let bytes = content(50_000);
    let longer = Served { etag: None, ..Served::new(&content(200_000)) };
    let (server, mut client) = (Server::new(longer, &[Answer::Cut(70_000)]), Client::new());
    let file = RemoteFile { size: Size::About(150_000), ..Client::file(&bytes, &[&server]) };
    client.options.attempts = 1;
    client.fails(&file);
    server.change(Served { etag: None, ..Served::new(&bytes) }, &[Answer::Well]);
    client.options.attempts = 3;
    client.arrives(&file, &bytes);
    assert_eq!(server.ranges(), ["-", "bytes=70000-", "-"]);
}

#[test]
fn a_range_that_was_not_asked_for_is_not_taken() {
    let bytes = content(200_000);
    let answers = [Answer::Cut(70_000), Answer::WrongRange, Answer::Well];
    let (server, client) = (Server::new(Served::new(&bytes), &answers), Client::new());
    client.arrives(&Client::file(&bytes, &[&server]), &bytes);
    assert_eq!(server.ranges(), ["-", "bytes=70000-", "-"]);

    let (server, client) = (Server::new(Served::new(&bytes), &[Answer::WrongRange]), Client::new());
    assert_eq!(client.fails(&Client::file(&bytes, &[&server])), [Problem::Changed]);
}

#[test]
fn a_part_of_nobody_knows_what_is_not_resumed() {
    let bytes = content(1000);
    let (server, client) = (Server::new(Served::new(&bytes), &[Answer::Well]), Client::new());
    fs::create_dir(client.folder.path().join("set")).unwrap();
    fs::write(client.part(), &bytes[..500]).unwrap();
    client.arrives(&Client::file(&bytes, &[&server]), &bytes);
    assert_eq!(server.ranges(), ["-"]);
}

#[test]
fn a_whole_part_needs_no_server() {
    let bytes = content(1000);
    let (server, client) = (Server::new(Served::new(&bytes), &[Answer::Status(500)]), Client::new());
    fs::create_dir(client.folder.path().join("set")).unwrap();
    fs::write(client.part(), &bytes).unwrap();
    fs::write(client.folder.path().join("set/data.bin.part.origin"), format!("{}\n\n\n1000\n", server.url)).unwrap();
    client.arrives(&Client::file(&bytes, &[&server]), &bytes);
    assert!(server.requests().is_empty());
}

#[test]
fn another_address_continues_what_one_has_begun() {
    let bytes = content(200_000);
    let first = Server::new(Served::new(&bytes), &[Answer::Cut(70_000), Answer::Status(404)]);
    let other = Served { etag: Some("\"mine\"".to_owned()), ..Served::new(&bytes) };
    let (second, client) = (Server::new(other, &[Answer::Well]), Client::new());
    client.arrives(&Client::file(&bytes, &[&first, &second]), &bytes);
    assert_eq!(second.ranges(), ["bytes=70000-"]);
    assert_eq!(second.requests()[0].header("if-range"), None); // The mark is the first server's.
}

#[test]
fn a_line_that_breaks_often_but_gets_on_arrives() {
    let bytes = content(7 << 20);
    let cut = Answer::Cut((1 << 20) + 100_000);
    let (server, client) = (Server::new(Served::new(&bytes), &[cut]), Client::new());
    client.arrives(&Client::file(&bytes, &[&server]), &bytes);
    assert_eq!(server.requests().len(), 7); // With three attempts.
}

#[test]
fn a_line_that_begins_anew_each_time_is_given_up() {
    let bytes = content(4 << 20);
    let served = Served { ignores_range: true, ..Served::new(&bytes) };
    let (server, client) = (Server::new(served, &[Answer::Cut(3 << 20)]), Client::new());
    let problems = client.fails(&Client::file(&bytes, &[&server]));
    assert_eq!(problems, [Problem::Cut { received: 3 << 20, expected: Some(4 << 20) }]);
    assert_eq!(server.requests().len(), 4); // The first brought a mebibyte; three more did not.
}
