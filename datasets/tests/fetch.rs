//! Fetching from servers that truncate, corrupt, redirect, refuse or say nothing.

#![cfg(feature = "download")]
#![allow(clippy::unwrap_used)]

mod client;
mod server;

use std::fs;
use std::path::Path;
use std::time::Duration;

use aais_datasets::{
    Certificates, Checksum, Error, Existing, Outcome, Problem, Progress, Proxies, RemoteFile, Size, fetch_file,
};
use client::{Client, content, sha256};
use server::{Answer, Served, Server};

#[test]
fn a_file_arrives_whole_and_alone() {
    let bytes = content(300_000);
    let (server, client) = (Server::new(Served::new(&bytes), &[Answer::Well]), Client::new());
    client.arrives(&Client::file(&bytes, &[&server]), &bytes);
    let request = &server.requests()[0];
    assert_eq!((request.target.as_str(), request.header("range")), ("/data.bin", None));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert!(request.header("user-agent").unwrap().starts_with("aais-datasets/"));
}

#[test]
fn an_empty_file_and_one_of_unknown_length_arrive() {
    for n in [0, 1, 70_000] {
        let bytes = content(n);
        let served = Served { hides_length: true, ..Served::new(&bytes) };
        let (server, client) = (Server::new(served, &[Answer::Well]), Client::new());
        let file = RemoteFile { size: Size::About(80_000), ..Client::file(&bytes, &[&server]) };
        client.arrives(&file, &bytes);
    }
}

#[test]
fn a_file_that_is_there_is_not_asked_for() {
    let bytes = content(1000);
    let (server, client) = (Server::new(Served::new(&bytes), &[Answer::Well]), Client::new());
    fs::create_dir(client.folder.path().join("set")).unwrap();
    fs::write(client.path(), &bytes).unwrap();
    let fetched = client.fetch(&Client::file(&bytes, &[&server])).unwrap();
    assert_eq!((fetched.outcome, fetched.bytes), (Outcome::Present, 1000));
    assert!(server.requests().is_empty());
    // A folder that is only to be read would not take a lock either.
    assert_eq!(client.names(), ["data.bin"]);
}

#[test]
fn another_file_of_the_name_stays_unless_it_is_to_be_replaced() {
    let bytes = content(1000);
    let (server, mut client) = (Server::new(Served::new(&bytes), &[Answer::Well]), Client::new());
    let file = Client::file(&bytes, &[&server]);
    fs::create_dir(client.folder.path().join("set")).unwrap();
    fs::write(client.path(), "mine").unwrap();

    let message = client.fetch(&file).unwrap_err().to_string();
    for word in ["data.bin has SHA-256", &sha256(b"mine"), &sha256(&bytes), "--force"] {
        assert!(message.contains(word), "no {word} in: {message}");
    }
    assert_eq!(fs::read(client.path()).unwrap(), b"mine");
    assert!(server.requests().is_empty());

    client.options.existing = Existing::Replace;
    assert_eq!(client.fetch(&file).unwrap().outcome, Outcome::Replaced);
    assert!(fs::read(client.path()).unwrap() == bytes);
}

#[test]
fn what_cannot_be_replaced_yet_stays() {
    let bytes = content(1000);
    let (server, mut client) = (Server::new(Served::new(&bytes), &[Answer::Status(404)]), Client::new());
    fs::create_dir(client.folder.path().join("set")).unwrap();
    fs::write(client.path(), "mine").unwrap();
    client.options.existing = Existing::Replace;
    client.fetch(&Client::file(&bytes, &[&server])).unwrap_err();
    assert_eq!(fs::read(client.path()).unwrap(), b"mine");
}

#[test]
fn corrupt_bytes_are_reported_and_removed() {
    let bytes = content(100_000);
    let (server, client) = (Server::new(Served::new(&bytes), &[Answer::Corrupt]), Client::new());
    let file = Client::file(&bytes, &[&server]);
    let corrupt: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
    let (expected, found) = (sha256(&bytes), sha256(&corrupt));
    assert_eq!(
        client.fails(&file),
        [Problem::Checksum { kind: "SHA-256", expected: expected.clone(), found: found.clone() }]
    );
    assert_eq!((client.names(), server.requests().len()), (vec![".lock".to_owned()], 1));

    let message = client.fetch(&file).unwrap_err().to_string();
    let place = client.path().display().to_string();
    for word in ["set/data.bin", &server.file("data.bin"), &expected, &found, "by hand at", &place] {
        assert!(message.contains(word), "no {word} in: {message}");
    }
}

#[test]
fn an_md5_is_checked_too() {
    let bytes = b"abc".to_vec();
    let server = Server::new(Served::new(&bytes), &[Answer::Well]);
    let md5 = |digits: &str| Checksum::Md5(digits.to_owned());
    // RFC 1321, A.5.
    let right = RemoteFile { checksum: md5("900150983cd24fb0d6963f7d28e17f72"), ..Client::file(&bytes, &[&server]) };
    Client::new().arrives(&right, &bytes);
    let wrong = RemoteFile { checksum: md5("900150983cd24fb0d6963f7d28e17f73"), ..right };
    assert!(matches!(Client::new().fails(&wrong)[..], [Problem::Checksum { kind: "MD5", .. }]));
}

#[test]
fn the_next_address_is_asked_when_one_fails() {
    let bytes = content(100_000);
    let good = Server::new(Served::new(&bytes), &[Answer::Well]);
    let bad = [Answer::Status(404), Answer::Status(500), Answer::Corrupt, Answer::Silence, Answer::Nonsense];
    for answer in bad {
        let (bad, mut client) = (Server::new(Served::new(&bytes), &[answer]), Client::new());
        (client.options.stall_timeout, client.options.attempts) = (Duration::from_secs(1), 1);
        client.arrives(&Client::file(&bytes, &[&bad, &good]), &bytes);
    }
}

#[test]
fn statuses_are_told_and_only_passing_ones_tried_again() {
    let bytes = content(10);
    for (status, n_requests) in [(403, 1), (404, 1), (410, 1), (429, 3), (500, 3), (503, 3)] {
        let (server, client) = (Server::new(Served::new(&bytes), &[Answer::Status(status)]), Client::new());
        assert_eq!(client.fails(&Client::file(&bytes, &[&server])), [Problem::Status { status }]);
        assert_eq!((server.requests().len(), client.names()), (n_requests, vec![".lock".to_owned()]));
    }
}

#[test]
fn every_address_is_named_with_its_trouble() {
    let bytes = content(10);
    let [first, second] = [404, 503].map(|status| Server::new(Served::new(&bytes), &[Answer::Status(status)]));
    let message = Client::new().fetch(&Client::file(&bytes, &[&first, &second])).unwrap_err().to_string();
    let (first, second) = (first.file("data.bin"), second.file("data.bin"));
    let expected =
        format!("{first}: the server answered with status 404; {second}: the server answered with status 503");
    assert!(message.contains(&expected), "{message}");
}

#[test]
fn redirects_are_followed_up_to_a_limit() {
    let bytes = content(100_000);
    let (home, client) = (Server::new(Served::new(&bytes), &[Answer::Cut(30_000), Answer::Well]), Client::new());
    let gate = Server::new(Served::default(), &[Answer::Redirect(home.file("elsewhere"))]);
    client.arrives(&Client::file(&bytes, &[&gate]), &bytes);
    assert_eq!(home.requests()[0].target, "/elsewhere");
    assert_eq!(home.ranges(), ["-", "bytes=30000-"]);

    let (circle, mut client) =
        (Server::new(Served::default(), &[Answer::Redirect("/again".to_owned())]), Client::new());
    client.options.redirects = 5;
    assert_eq!(client.fails(&Client::file(&bytes, &[&circle])), [Problem::Redirects { limit: 5 }]);
    assert_eq!(circle.requests().len(), 6);
}

#[test]
fn a_length_that_is_not_the_published_one_is_not_fetched() {
    let bytes = content(1000);
    let (server, client) = (Server::new(Served::new(&bytes[..999]), &[Answer::Well]), Client::new());
    let length = Problem::Length { found: "999".to_owned(), expected: "1000".to_owned() };
    assert_eq!(client.fails(&Client::file(&bytes, &[&server])), [length]);
}

#[test]
fn a_file_without_end_ends() {
    let bytes = content(1000);
    let (server, client) = (Server::new(Served::default(), &[Answer::Endless]), Client::new());
    let file = Client::file(&bytes, &[&server]);
    let more = |expected: &str| Problem::Length { found: "more".to_owned(), expected: expected.to_owned() };
    assert_eq!(client.fails(&file), [more("1000")]);
    assert_eq!(client.fails(&RemoteFile { size: Size::About(50_000), ..file }), [more("about 50000")]);
    assert_eq!(client.names(), [".lock"]);
}

#[test]
fn a_hidden_length_that_falls_short_is_noticed() {
    let bytes = content(1000);
    let served = Served { hides_length: true, ..Served::new(&bytes) };
    let (server, mut client) = (Server::new(served, &[Answer::Cut(400)]), Client::new());
    client.options.attempts = 1;
    let cut = Problem::Cut { received: 400, expected: Some(1000) };
    assert_eq!(client.fails(&Client::file(&bytes, &[&server])), [cut]);
}

#[test]
fn silence_and_closed_doors_are_told() {
    let bytes = content(10);
    let (server, mut client) = (Server::new(Served::new(&bytes), &[Answer::Silence]), Client::new());
    (client.options.stall_timeout, client.options.attempts) = (Duration::from_secs(1), 1);
    assert_eq!(client.fails(&Client::file(&bytes, &[&server])), [Problem::Stalled { seconds: 1.0, received: 0 }]);

    // A port that was free a moment ago has no server.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let closed = RemoteFile { urls: vec![format!("http://127.0.0.1:{port}/x")], ..Client::file(&bytes, &[]) };
    assert!(matches!(client.fails(&closed)[..], [Problem::NoConnection { .. }]));
    let odd = RemoteFile { urls: vec!["no address".to_owned()], ..Client::file(&bytes, &[]) };
    assert!(matches!(client.fails(&odd)[..], [Problem::NoConnection { .. }]));
    assert_eq!(client.fails(&Client::file(&bytes, &[])), []);
}

#[test]
fn two_at_once_fetch_once() {
    let bytes = content(500_000);
    let (server, client) = (Server::new(Served::new(&bytes), &[Answer::Well]), Client::new());
    let file = Client::file(&bytes, &[&server]);
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| client.fetch(&file).unwrap().outcome)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Fetched).count(), 1);
    assert_eq!(server.requests().len(), 1);
    assert!(fs::read(client.path()).unwrap() == bytes);
}

#[test]
fn who_waits_for_another_process_says_so() {
    let bytes = content(1000);
    let (server, client) = (Server::new(Served::new(&bytes), &[Answer::Well]), Client::new());
    fs::create_dir(client.folder.path().join("set")).unwrap();
    let lock = fs::File::create(client.folder.path().join("set/.lock")).unwrap();
    lock.lock().unwrap();
    let mut lock = Some(lock);
    let mut waited = 0;
    fetch_file(&Client::file(&bytes, &[&server]), client.folder.path(), &client.options, &mut |progress| {
        if let Progress::Waiting { file } = progress {
            assert_eq!(file.path, "set/data.bin");
            waited += 1;
            lock.take(); // The other process is done.
        }
    })
    .unwrap();
    assert_eq!(waited, 1);
}

#[test]
fn progress_tells_what_happens() {
    let bytes = content(200_000);
    let (server, client) = (Server::new(Served::new(&bytes), &[Answer::Cut(70_000), Answer::Well]), Client::new());
    let mut told = Vec::new();
    let mut highest = 0;
    fetch_file(
        &Client::file(&bytes, &[&server]),
        client.folder.path(),
        &client.options,
        &mut |progress| match progress {
            Progress::Started { resumed, total, url, .. } => {
                assert_eq!(url, server.file("data.bin"));
                told.push(format!("from {resumed} of {total:?}"));
            }
            Progress::Failed { problem, .. } => told.push(problem.to_string()),
            Progress::Received { bytes, .. } => {
                assert!(bytes > highest);
                highest = bytes;
            }
            Progress::Waiting { .. } => told.push("waiting".to_owned()),
        },
    )
    .unwrap();
    let expected =
        ["from 0 of Some(200000)", "the connection broke after 70000 bytes of 200000", "from 70000 of Some(200000)"];
    assert_eq!((told, highest), (expected.map(str::to_owned).to_vec(), 200_000));
}

#[test]
fn a_folder_that_cannot_be_is_named() {
    let bytes = content(10);
    let (server, client) = (Server::new(Served::new(&bytes), &[Answer::Well]), Client::new());
    fs::write(client.folder.path().join("set"), "a file").unwrap();
    let error = client.fetch(&Client::file(&bytes, &[&server])).unwrap_err();
    assert!(matches!(&error, Error::Unwritable { file, .. } if Path::new(file).ends_with("set")), "{error}");
    assert!(error.to_string().contains("choose a folder you may write to"));
    assert!(server.requests().is_empty());
}

#[test]
fn a_proxy_is_asked_for_the_server_behind_it() {
    let bytes = content(1000);
    let (proxy, mut client) = (Server::new(Served::new(&bytes), &[Answer::Well]), Client::new());
    // No such host: only the proxy can know it.
    let urls = vec!["http://data.invalid/data.bin".to_owned()];
    let file = RemoteFile { urls, ..Client::file(&bytes, &[]) };
    client.options.proxies = Proxies { http: Some(proxy.url.clone()), ..Proxies::default() };
    client.arrives(&file, &bytes);
    assert_eq!(proxy.requests()[0].target, "data.invalid:80");
    assert_eq!(proxy.requests()[1].target, "/data.bin");
}

#[test]
fn settings_that_cannot_be_used_are_told() {
    let bytes = content(10);
    let (server, mut client) = (Server::new(Served::new(&bytes), &[Answer::Well]), Client::new());
    let file = Client::file(&bytes, &[&server]);
    client.options.proxies.http = Some("socks5://localhost:1".to_owned());
    let message = client.fetch(&file).unwrap_err().to_string();
    assert_eq!(message, "cannot use proxy socks5://localhost:1: expected one that begins with http: or https:");
    client.options.proxies.http = Some("http://me:secret@:::".to_owned());
    let message = client.fetch(&file).unwrap_err().to_string();
    assert!(message.starts_with("cannot use proxy ") && !message.contains("secret"), "{message}");

    client.options.proxies = Proxies::default();
    client.options.certificates = Certificates::Pem(b"none".to_vec());
    let message = client.fetch(&file).unwrap_err().to_string();
    assert_eq!(message, "cannot use certificates: expected certificates in PEM form, found none");
    assert_eq!(client.names(), [".lock"]);
}
