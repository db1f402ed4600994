//! Who fetches from the server of a test.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use aais_datasets::{Checksum, Error, FetchOptions, Fetched, Outcome, Problem, RemoteFile, Size, fetch_file};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::server::Server;

/// A file of so many bytes, none of which is like its neighbours.
pub fn content(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 31 % 251) as u8).collect()
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder to fetch into, and how.
pub struct Client {
    pub folder: TempDir,
    pub options: FetchOptions,
}

impl Client {
    pub fn new() -> Self {
        let options = FetchOptions {
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(20),
            pause: Duration::ZERO,
            attempts: 3,
            ..FetchOptions::default()
        };
        Self { folder: tempfile::tempdir().unwrap(), options }
    }

    /// The file of this content at these servers, the first asked first.
    pub fn file(bytes: &[u8], servers: &[&Server]) -> RemoteFile {
        RemoteFile {
            path: "set/data.bin".to_owned(),
            urls: servers.iter().map(|server| server.file("data.bin")).collect(),
            size: Size::Bytes(bytes.len() as u64),
            checksum: Checksum::Sha256(sha256(bytes)),
        }
    }

    pub fn fetch(&self, file: &RemoteFile) -> Result<Fetched, Error> {
        fetch_file(file, self.folder.path(), &self.options, &mut |_| ())
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("set/data.bin")
    }

    pub fn part(&self) -> PathBuf {
        self.folder.path().join("set/data.bin.part")
    }

    /// Names in the folder of the data set.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join("set")).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Fetches what must arrive; the file and nothing else is left.
    pub fn arrives(&self, file: &RemoteFile, bytes: &[u8]) {
        let fetched = self.fetch(file).unwrap();
        let expected = Fetched { path: self.path(), bytes: bytes.len() as u64, outcome: Outcome::Fetched };
        assert_eq!(fetched, expected);
        assert!(fs::read(self.path()).unwrap() == bytes);
        assert_eq!(self.names(), [".lock", "data.bin"]);
    }

    /// Fetches what must not arrive; why each address failed.
    pub fn fails(&self, file: &RemoteFile) -> Vec<Problem> {
        let error = self.fetch(file).unwrap_err();
        assert!(!self.path().exists());
        match error {
            Error::NotFetched { failures, .. } => failures.into_iter().map(|failure| failure.problem).collect(),
            other => panic!("{other}"),
        }
    }
}
