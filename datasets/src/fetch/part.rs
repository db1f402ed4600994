//! The part of a file that has come so far, and from where.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{digest, unwritable};
use crate::{Checksum, Error, Result};

/// `NAME.part`, and beside it `NAME.part.origin`.
pub(super) struct Part {
    path: PathBuf,
    file: File,
    len: u64,
    origin: Option<Origin>,
}

/// What a server said about the file of which there is a part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Origin {
    pub url: String,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    pub total: Option<u64>,
}

impl Part {
    /// What an earlier attempt has left of the file at this path, or nothing.
    pub(super) fn open(of: &Path) -> Result<Self> {
        let path = with_suffix(of, ".part");
        let options = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = options.map_err(|error| unwritable(&path, &error))?;
        let len = file.metadata().map_err(|error| unwritable(&path, &error))?.len();
        let origin = fs::read_to_string(with_suffix(&path, ".origin")).ok().and_then(|text| Origin::parse(&text));
        let mut part = Self { path, file, len, origin };
        if part.origin.is_none() && len > 0 {
            part.discard()?; // Nobody knows what it is a part of.
        }
        Ok(part)
    }

    /// Bytes that are there.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Where they come from.
    pub(super) fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref().filter(|_| self.len > 0)
    }

    /// Bytes of the whole file, if the server has said so.
    pub(super) fn origin_total(&self) -> Option<u64> {
        self.origin.as_ref()?.total
    }

    /// Forgets what is there.
    pub(super) fn discard(&mut self) -> Result<()> {
        self.file.set_len(0).map_err(|error| self.unwritable(&error))?;
        (self.len, self.origin) = (0, None);
        remove(&with_suffix(&self.path, ".origin"))
    }

    /// Begins anew with a file from there.
    pub(super) fn begin(&mut self, origin: Origin) -> Result<()> {
        self.discard()?;
        let path = with_suffix(&self.path, ".origin");
        fs::write(&path, origin.text()).map_err(|error| unwritable(&path, &error))?;
        self.origin = Some(origin);
        Ok(())
    }

    /// Appends what has come.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.seek(SeekFrom::Start(self.len)).and_then(|_| self.file.write_all(bytes));
        written.map_err(|error| self.unwritable(&error))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// The digest of all bytes.
    pub(super) fn digest(&self, kind: &Checksum) -> Result<String> {
        digest::of_file(&self.path, kind).map_err(|error| self.unwritable(&error))
    }

    /// Gives the part the file's name, in place of a file that bears it.
    pub(super) fn put_in_place(self, path: &Path) -> Result<()> {
        self.file.sync_all().map_err(|error| self.unwritable(&error))?;
        drop(self.file); // Windows renames no open file.
        fs::rename(&self.path, path).map_err(|error| unwritable(path, &error))?;
        remove(&with_suffix(&self.path, ".origin"))
    }

    /// Removes an empty part, which is good for nothing.
    pub(super) fn remove_if_empty(self) -> Result<()> {
        if self.len > 0 {
            return Ok(());
        }
        drop(self.file);
        remove(&with_suffix(&self.path, ".origin"))?;
        remove(&self.path)
    }

    fn unwritable(&self, error: &std::io::Error) -> Error {
        unwritable(&self.path, error)
    }
}

impl Origin {
    /// Whether the rest of this file may follow a part of the other.
    ///
    /// Two addresses name versions of a file by marks of their own, so between them only lengths are compared; in the
    /// end the checksum decides.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        let differ = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
        let is_other_length = self.total.is_some() && other.total.is_some() && self.total != other.total;
        let is_same_version = self.etag.is_some() && self.etag == other.etag;
        let is_other_version = differ(&self.etag, &other.etag) || differ(&self.last_modified, &other.last_modified);
        !(is_other_length || (self.url == other.url && is_other_version && !is_same_version))
    }

    /// The mark by which this address is asked for the rest of the same version only.
    pub(super) fn version(&self) -> Option<&str> {
        let strong = self.etag.as_deref().filter(|etag| !etag.starts_with("W/"));
        strong.or(self.last_modified.as_deref())
    }

    /// Four lines; what is not known is empty.
    fn text(&self) -> String {
        let total = self.total.map(|total| total.to_string());
        let lines = [Some(&self.url), self.etag.as_ref(), self.last_modified.as_ref(), total.as_ref()];
        lines.iter().map(|line| format!("{}\n", line.map_or("", String::as_str))).collect()
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().collect();
        let [url, etag, last_modified, total] = lines[..] else { return None };
        let known = |line: &str| (!line.is_empty()).then(|| line.to_owned());
        let total = known(total).map(|total| total.parse()).transpose().ok()?;
        Some(Self { url: url.to_owned(), etag: known(etag), last_modified: known(last_modified), total })
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Removes a file that may be there.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unwritable(path, &error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str, etag: &str, last_modified: &str, total: u64) -> Origin {
        let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let total = (total > 0).then_some(total);
        Origin { url: url.to_owned(), etag: known(etag), last_modified: known(last_modified), total }
    }

    #[test]
    fn an_origin_reads_back() {
        for origin in [origin("http://a", "\"x\"", "", 7), origin("http://b", "", "Mon, 1 Jan", 0)] {
            assert_eq!(Origin::parse(&origin.text()), Some(origin));
        }
        for text in ["", "http://a\n\n\nmany\n", "http://a\n\n"] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }

    #[test]
    fn versions_are_compared_at_one_address_and_lengths_at_all() {
        let first = origin("http://a", "\"x\"", "Mon", 7);
        assert!(first.agrees_with(&origin("http://a", "\"x\"", "Tue", 7)));
        assert!(first.agrees_with(&origin("http://a", "", "", 0)));
        assert!(first.agrees_with(&origin("http://b", "\"y\"", "Tue", 7)));
        assert!(!first.agrees_with(&origin("http://a", "\"y\"", "Mon", 7)));
        assert!(!first.agrees_with(&origin("http://a", "", "Tue", 7)));
        assert!(!first.agrees_with(&origin("http://b", "\"x\"", "Mon", 8)));
    }

    #[test]
    fn a_weak_mark_names_no_version() {
        assert_eq!(origin("", "W/\"x\"", "Mon", 0).version(), Some("Mon"));
        assert_eq!(origin("", "\"x\"", "Mon", 0).version(), Some("\"x\""));
        assert_eq!(origin("", "W/\"x\"", "", 0).version(), None);
    }
}
