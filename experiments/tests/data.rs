//! `data`, from the command line to the file; a server on this machine stands for the public ones.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "../../datasets/tests/server/mod.rs"]
mod server;

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use assert_cmd::prelude::*;
use common::{Scratch, program, refuse, succeed};
use flate2::read::GzDecoder;
use server::{Answer, Served, Server};

/// Where VerbAgg goes in a data folder.
const FILE: &str = "verbagg/VerbAgg.csv";

/// The published VerbAgg.csv, which the library brings along.
fn verbagg() -> Vec<u8> {
    let zipped = include_bytes!("../../datasets/data/VerbAgg.csv.gz");
    let mut bytes = Vec::new();
    GzDecoder::new(&zipped[..]).read_to_end(&mut bytes).unwrap();
    bytes
}

/// `data` with nothing of this machine's environment that says where to or by which way.
fn data(arguments: &[&str]) -> Command {
    let mut command = program(&["data"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.env_remove("SSL_CERT_FILE").env_remove("AAIS_DATA_DIR").args(arguments);
    command
}

/// `data verbagg` from this mirror into the folder `data`.
fn fetch_verbagg(scratch: &Scratch, mirror: &str) -> Command {
    let mut command = data(&["verbagg", "--mirror", mirror, "--data-dir"]);
    command.arg(scratch.path("data"));
    command
}

/// What a command that succeeds prints.
fn printed(command: &mut Command) -> String {
    String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
}

/// What a command says that could not have every file.
fn failed(command: &mut Command) -> String {
    String::from_utf8(command.assert().code(1).get_output().stderr.clone()).unwrap()
}

#[test]
fn a_data_set_arrives_over_a_line_that_breaks_and_is_fetched_once() {
    let (bytes, scratch) = (verbagg(), Scratch::new());
    let server = Server::new(Served::new(&bytes), &[Answer::Cut(200_000), Answer::Well]);

    let output = fetch_verbagg(&scratch, &server.url).assert().success().get_output().clone();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(fs::read(scratch.path("data").join(FILE)).unwrap() == bytes);
    assert_eq!(server.requests()[0].target, format!("/{FILE}"));
    assert_eq!(server.ranges(), ["-", "bytes=200000-"]);

    let place = scratch.path("data").join(FILE).display().to_string();
    for word in ["terms: part of the R package lme4", "353362  fetched", &place] {
        assert!(stdout.contains(word), "no `{word}` in: {stdout}");
    }
    let told = [
        "fetching 353362 bytes from http://127.0.0.1:",
        "50 %\n",
        "the connection broke after 200000 bytes of 353362",
        "going on after 200000 bytes",
        "100 %\n",
    ];
    for word in told {
        assert!(stderr.contains(word), "no `{word}` in: {stderr}");
    }

    assert!(printed(&mut fetch_verbagg(&scratch, &server.url)).contains("353362  was there"));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_killed_download_is_resumed() {
    let (bytes, scratch) = (verbagg(), Scratch::new());
    let server = Server::new(Served::new(&bytes), &[Answer::Stall(150_000), Answer::Well]);
    let mut child = fetch_verbagg(&scratch, &server.url).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (part, started) = (scratch.path("data").join(format!("{FILE}.part")), Instant::now());
    while !fs::metadata(&part).is_ok_and(|part| part.len() == 150_000) {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before it could be killed");
        assert!(started.elapsed() < Duration::from_secs(60), "no part of 150,000 bytes");
        sleep(Duration::from_millis(1));
    }
    child.kill().unwrap(); // SIGKILL on Unix.
    child.wait().unwrap();

    succeed(&mut fetch_verbagg(&scratch, &server.url));
    assert_eq!(server.ranges(), ["-", "bytes=150000-"]);
    assert!(fs::read(scratch.path("data").join(FILE)).unwrap() == bytes);
}

#[test]
fn two_processes_at_once_fetch_once() {
    let (bytes, scratch) = (verbagg(), Scratch::new());
    let server = Server::new(Served::new(&bytes), &[Answer::Well]);
    let start = || fetch_verbagg(&scratch, &server.url).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let children = [(); 3].map(|()| start());
    let outputs = children.map(|child| String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap());
    assert_eq!(outputs.iter().filter(|output| output.contains(" fetched ")).count(), 1, "{outputs:?}");
    assert_eq!(outputs.iter().filter(|output| output.contains(" was there ")).count(), 2, "{outputs:?}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_file_that_is_not_the_published_one_is_not_put_in_place() {
    let (bytes, scratch) = (verbagg(), Scratch::new());
    let server = Server::new(Served::new(&bytes), &[Answer::Corrupt]);
    let message = failed(&mut fetch_verbagg(&scratch, &server.url));
    let place = scratch.path("data").join(FILE).display().to_string();
    let words = ["SHA-256", "expected 4d3c3a0c4497e5a8", &server.file(FILE), "by hand at", &place, "1 of 1 files"];
    for word in words {
        assert!(message.contains(word), "no `{word}` in: {message}");
    }
    let left: Vec<_> =
        fs::read_dir(scratch.path("data/verbagg")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".lock"]);
}

#[test]
fn another_file_of_the_name_is_replaced_by_force_alone() {
    let (bytes, scratch) = (verbagg(), Scratch::new());
    let server = Server::new(Served::new(&bytes), &[Answer::Well]);
    fs::create_dir_all(scratch.path("data/verbagg")).unwrap();
    fs::write(scratch.path("data").join(FILE), "mine").unwrap();
    let message = failed(&mut fetch_verbagg(&scratch, &server.url));
    assert!(message.contains("VerbAgg.csv has SHA-256") && message.contains("--force"), "{message}");
    assert_eq!(fs::read(scratch.path("data").join(FILE)).unwrap(), b"mine");

    assert!(printed(fetch_verbagg(&scratch, &server.url).arg("--force")).contains("353362  replaced"));
    assert!(fs::read(scratch.path("data").join(FILE)).unwrap() == bytes);
}

#[test]
fn one_missing_file_keeps_no_other_from_being_tried() {
    let (scratch, server) = (Scratch::new(), Server::new(Served::default(), &[Answer::Status(404)]));
    let mut command = data(&["all", "--mirror", &server.url, "--data-dir"]);
    let message = failed(command.arg(scratch.path("data")));
    for word in ["mnist/train-images-idx3-ubyte.gz", "cortex/expression_mRNA_17-Aug-2014.txt", FILE, "status 404"] {
        assert!(message.contains(word), "no `{word}` in: {message}");
    }
    assert_eq!(server.requests().len(), 6);
}

#[test]
fn the_next_mirror_is_asked() {
    let (bytes, scratch) = (verbagg(), Scratch::new());
    let bad = Server::new(Served::default(), &[Answer::Status(404)]);
    let good = Server::new(Served::new(&bytes), &[Answer::Well]);
    succeed(fetch_verbagg(&scratch, &bad.url).args(["--mirror", &good.url]));
    assert_eq!((bad.requests().len(), good.requests().len()), (1, 1));
}

#[test]
fn the_environment_names_folder_and_proxy() {
    let (bytes, scratch) = (verbagg(), Scratch::new());
    let proxy = Server::new(Served::new(&bytes), &[Answer::Well]);
    let arguments = ["verbagg", "--mirror", "http://data.invalid/mirror"];
    succeed(data(&arguments).env("AAIS_DATA_DIR", scratch.path("named")).env("http_proxy", &proxy.url));
    assert!(scratch.path("named").join(FILE).is_file());
    assert_eq!(proxy.requests()[0].target, "data.invalid:80");
    assert_eq!(proxy.requests()[1].target, format!("/mirror/{FILE}"));

    let (home, cache) = (scratch.path("home"), if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" });
    let mut command = data(&["verbagg", "--mirror", &proxy.url]);
    command.env("HOME", &home).env("LOCALAPPDATA", home.join(cache)).env_remove("XDG_CACHE_HOME");
    succeed(&mut command);
    assert!(home.join(cache).join("aais").join(FILE).is_file());
}

#[test]
fn mistakes_are_told_before_anything_is_fetched() {
    let scratch = Scratch::new();
    refuse(&mut fetch_verbagg(&scratch, "lab/data"), &["--mirror lab/data", "http://"]);
    refuse(&mut data(&["mnits"]), &["mnits", "mnist, cortex, verbagg, all"]);
    let missing = scratch.path("none.pem");
    refuse(
        fetch_verbagg(&scratch, "http://localhost:1").env("SSL_CERT_FILE", &missing),
        &["SSL_CERT_FILE", "none.pem"],
    );
    assert!(!scratch.path("data").exists());
}
