//! Files of others, fetched once: resumed where a connection broke, checked as a whole, and only then put in place.

mod agent;
mod digest;
mod options;
mod part;
mod problem;
mod transfer;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread::sleep;

pub use options::{Certificates, Existing, FetchOptions, Proxies};
pub(crate) use problem::listed;
pub use problem::{Failure, Problem};

use crate::{DataSet, Error, RemoteFile, Result};
use part::Part;
use transfer::{Stop, transfer};

/// A line that breaks this far from the last break, in bytes, is worth as many attempts again.
const HEADWAY: u64 = 1 << 20;

/// What happens during [`fetch`].
#[derive(Debug)]
pub enum Progress<'a> {
    /// Another process is fetching into the same folder; this one goes on when that one is done.
    Waiting {
        /// The file to fetch.
        file: &'a RemoteFile,
    },
    /// The server sends.
    Started {
        /// The file.
        file: &'a RemoteFile,
        /// Its address.
        url: &'a str,
        /// Bytes that an earlier attempt has left.
        resumed: u64,
        /// Bytes of the whole file, if the server says so.
        total: Option<u64>,
    },
    /// Bytes have come.
    Received {
        /// The file.
        file: &'a RemoteFile,
        /// All that are there, those of earlier attempts among them.
        bytes: u64,
    },
    /// An attempt has failed; there may be another one, or another address.
    Failed {
        /// The file.
        file: &'a RemoteFile,
        /// The address.
        url: &'a str,
        /// Why.
        problem: &'a Problem,
    },
}

/// A file that is there and the published one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where it is.
    pub path: PathBuf,
    /// How long it is.
    pub bytes: u64,
    /// How it came there.
    pub outcome: Outcome,
}

/// How a file came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was there before.
    Present,
    /// It was fetched.
    Fetched,
    /// It was fetched in place of another one.
    Replaced,
}

/// Fetches what is missing of a data set into a data folder, and stops at the first file that cannot be had.
///
/// # Errors
/// Those of [`fetch_file`].
pub fn fetch(
    set: &DataSet,
    data_folder: &Path,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Fetched>> {
    set.files.iter().map(|file| fetch_file(file, data_folder, options, progress)).collect()
}

/// Fetches a file into a data folder, unless it is there.
///
/// Bytes go to `NAME.part` beside the file, which is renamed when its checksum is right, so that the file is never there
/// in part. A part that is left, because the process ended or all attempts failed, is continued by the next call if the
/// server still has the same file. Processes that fetch into one folder take turns by its file `.lock`.
///
/// # Errors
/// [`Error::NotFetched`] if no address has the file, [`Error::WrongChecksum`] if another file of that name is there and
/// [`Existing::Keep`] is asked for, and what is wrong with folder, proxy or certificates.
pub fn fetch_file(
    file: &RemoteFile,
    data_folder: &Path,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Fetched> {
    let path = data_folder.join(&file.path);
    if let Some(fetched) = present(file, &path, options.existing)? {
        return Ok(fetched);
    }
    let folder = path.parent().unwrap_or(data_folder);
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    let _locked = lock(folder, &mut || progress(Progress::Waiting { file }))?;
    if let Some(fetched) = present(file, &path, options.existing)? {
        return Ok(fetched); // Another process has fetched it meanwhile.
    }

    let outcome = if path.exists() { Outcome::Replaced } else { Outcome::Fetched };
    let mut part = Part::open(&path)?;
    if let Err(error) = download(file, &path, &mut part, options, progress) {
        part.remove_if_empty()?;
        return Err(error);
    }
    let bytes = part.len();
    part.put_in_place(&path)?;
    Ok(Fetched { path, bytes, outcome })
}

/// The file, if it is there and the published one.
fn present(file: &RemoteFile, path: &Path, existing: Existing) -> Result<Option<Fetched>> {
    if !path.is_file() {
        return Ok(None);
    }
    let unreadable =
        |error: std::io::Error| Error::Unreadable { file: path.display().to_string(), reason: error.to_string() };
    let found = digest::of_file(path, &file.checksum).map_err(unreadable)?;
    if found == file.checksum.digits() {
        let bytes = fs::metadata(path).map_err(unreadable)?.len();
        return Ok(Some(Fetched { path: path.to_owned(), bytes, outcome: Outcome::Present }));
    }
    match existing {
        Existing::Replace => Ok(None),
        Existing::Keep => Err(Error::WrongChecksum {
            file: path.display().to_string(),
            kind: file.checksum.kind(),
            expected: file.checksum.digits().to_owned(),
            found,
        }),
    }
}

/// Waits until no other process fetches into the folder. The lock ends with the process, however that ends.
fn lock(folder: &Path, waiting: &mut dyn FnMut()) -> Result<File> {
    let path = folder.join(".lock");
    // The file stays: removed, it could be locked by one process while another makes and locks a new one.
    let file = File::options().create(true).append(true).open(&path).map_err(|error| unwritable(&path, &error))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => waiting(),
        Err(TryLockError::Error(error)) => return Err(unwritable(&path, &error)),
    }
    file.lock().map_err(|error| unwritable(&path, &error))?;
    Ok(file)
}

/// Fills the part with the published file, from one address or another.
fn download(
    file: &RemoteFile,
    path: &Path,
    part: &mut Part,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<()> {
    let mut failures = Vec::new();
    for url in &file.urls {
        match download_from(url, file, part, options, progress) {
            Ok(()) => return Ok(()),
            Err(Stop::Problem(problem)) => failures.push(Failure { url: url.clone(), problem }),
            Err(Stop::Error(error)) => return Err(error),
        }
    }
    Err(Error::NotFetched { file: file.path.clone(), path: path.display().to_string(), failures })
}

/// Tries one address until the part is whole, or trying on is no use.
fn download_from(
    url: &str,
    file: &RemoteFile,
    part: &mut Part,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress),
) -> std::result::Result<(), Stop> {
    let agent = agent::agent(url, options)?;
    let (mut attempts, mut furthest) = (0, part.len());
    loop {
        let resumed = part.len();
        let problem = match transfer(&agent, url, file, part, options, progress).and_then(|()| check(file, part)) {
            Ok(()) => return Ok(()),
            Err(Stop::Problem(problem)) => problem,
            Err(stop) => return Err(stop),
        };
        progress(Progress::Failed { file, url, problem: &problem });

        attempts += 1;
        if part.len() >= furthest + HEADWAY {
            (attempts, furthest) = (0, part.len());
        }
        // A wrong file may come of two that were joined; one that came in one piece comes so again.
        let may_pass = problem.may_pass() || (matches!(problem, Problem::Checksum { .. }) && resumed > 0);
        if !may_pass || attempts >= options.attempts {
            return Err(Stop::Problem(problem));
        }
        sleep(options.pause);
    }
}

/// Compares the whole part with the published checksum; a wrong one is emptied.
fn check(file: &RemoteFile, part: &mut Part) -> std::result::Result<(), Stop> {
    let found = part.digest(&file.checksum)?;
    if found == file.checksum.digits() {
        return Ok(());
    }
    part.discard()?;
    let (kind, expected) = (file.checksum.kind(), file.checksum.digits().to_owned());
    Err(Stop::Problem(Problem::Checksum { kind, expected, found }))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    let reason = format!("{error}; choose a folder you may write to with `--data-dir`");
    Error::Unwritable { file: path.display().to_string(), reason }
}
