//! One request, and what comes of it.

use std::io::{self, Read};

use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::{Agent, Body, Timeout};

use super::part::{Origin, Part};
use super::{FetchOptions, Problem, Progress};
use crate::{Error, RemoteFile, Size};

/// Why there is not the whole file yet.
pub(super) enum Stop {
    /// It is the address; another attempt or another one may do.
    Problem(Problem),
    /// It is here.
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Asks an address for what the part lacks, and appends what comes.
pub(super) fn transfer(
    agent: &Agent,
    url: &str,
    file: &RemoteFile,
    part: &mut Part,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Stop> {
    if is_whole(file, part) {
        return Ok(()); // An earlier process ended just before it could check and rename it.
    }
    let received = part.len();
    let response = request(agent, url, part).map_err(|error| no_answer(error, received, options))?;
    let origin = origin(url, &response);
    match response.status() {
        StatusCode::OK => {
            check_length(&origin, file.size)?;
            part.begin(origin)?;
        }
        StatusCode::PARTIAL_CONTENT => {
            check_length(&origin, file.size)?;
            check_rest(&response, &origin, part)?;
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            part.discard()?;
            return Err(Problem::Changed.into());
        }
        status => return Err(Problem::Status { status: status.as_u16() }.into()),
    }

    let total = part.origin_total();
    progress(Progress::Started { file, url, resumed: part.len(), total });
    receive(response.into_body(), file, part, options, &mut |part| {
        progress(Progress::Received { file, bytes: part.len() });
    })?;
    match total.or(exact(file.size)) {
        Some(total) if part.len() < total => Err(Problem::Cut { received: part.len(), expected: Some(total) }.into()),
        _ => Ok(()),
    }
}

fn is_whole(file: &RemoteFile, part: &Part) -> bool {
    let total = exact(file.size).or(part.origin_total());
    part.len() > 0 && total == Some(part.len())
}

fn exact(size: Size) -> Option<u64> {
    match size {
        Size::Bytes(bytes) => Some(bytes),
        Size::About(_) => None,
    }
}

/// Asks for the whole file, or for the rest where there is a part.
fn request(agent: &Agent, url: &str, part: &Part) -> Result<Response<Body>, ureq::Error> {
    let mut request = agent.get(url);
    if let Some(origin) = part.origin() {
        request = request.header("Range", format!("bytes={}-", part.len()));
        if let Some(version) = origin.version().filter(|_| origin.url == url) {
            request = request.header("If-Range", version);
        }
    }
    request.call()
}

/// What the server says about the whole file.
fn origin(url: &str, response: &Response<Body>) -> Origin {
    let headers = response.headers();
    let total = match response.status() {
        StatusCode::PARTIAL_CONTENT => content_range(headers).and_then(|range| range.total),
        _ => text(headers, "content-length").and_then(|length| length.parse().ok()),
    };
    let [etag, last_modified] = ["etag", "last-modified"].map(|name| text(headers, name).map(str::to_owned));
    Origin { url: url.to_owned(), etag, last_modified, total }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// `bytes 10-99/100`, or `*` for a total that is not known.
struct ContentRange {
    first: u64,
    total: Option<u64>,
}

fn content_range(headers: &HeaderMap) -> Option<ContentRange> {
    let (range, total) = text(headers, "content-range")?.strip_prefix("bytes ")?.split_once('/')?;
    Some(ContentRange { first: range.split_once('-')?.0.trim().parse().ok()?, total: total.trim().parse().ok() })
}

fn check_length(origin: &Origin, size: Size) -> Result<(), Problem> {
    match origin.total {
        Some(total) if !size.allows(total) => Err(wrong_length(total.to_string(), size)),
        _ => Ok(()),
    }
}

fn wrong_length(found: String, size: Size) -> Problem {
    let expected = match size {
        Size::Bytes(bytes) => bytes.to_string(),
        Size::About(bytes) => format!("about {bytes}"),
    };
    Problem::Length { found, expected }
}

/// Whether the rest follows what is there; if not, that is given up.
fn check_rest(response: &Response<Body>, origin: &Origin, part: &mut Part) -> Result<(), Stop> {
    let first = content_range(response.headers()).map(|range| range.first);
    let is_rest = first == Some(part.len()) && part.origin().is_some_and(|known| origin.agrees_with(known));
    if is_rest {
        return Ok(());
    }
    part.discard()?;
    Err(Problem::Changed.into())
}

/// Appends the body to the part.
fn receive(
    body: Body,
    file: &RemoteFile,
    part: &mut Part,
    options: &FetchOptions,
    progress: &mut dyn FnMut(&Part),
) -> Result<(), Stop> {
    let mut reader = body.into_reader();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(error, part, options).into()),
        };
        if part.len() + n as u64 > file.size.at_most() {
            part.discard()?;
            return Err(wrong_length("more".to_owned(), file.size).into());
        }
        part.append(&buffer[..n])?;
        progress(part);
    }
}

/// What an error before the body means.
fn no_answer(error: ureq::Error, received: u64, options: &FetchOptions) -> Problem {
    match error {
        ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
            Problem::NoConnection { reason: format!("no answer for {} s", options.connect_timeout.as_secs_f64()) }
        }
        ureq::Error::Timeout(_) => stalled(received, options),
        ureq::Error::TooManyRedirects => Problem::Redirects { limit: options.redirects },
        ureq::Error::Io(error) => Problem::NoConnection { reason: error.to_string() },
        error => Problem::NoConnection { reason: error.to_string() },
    }
}

/// What an error in the middle of the body means.
fn broken(error: io::Error, part: &Part, options: &FetchOptions) -> Problem {
    match error.into() {
        ureq::Error::Timeout(_) => stalled(part.len(), options),
        _ => Problem::Cut { received: part.len(), expected: part.origin_total() },
    }
}

fn stalled(received: u64, options: &FetchOptions) -> Problem {
    Problem::Stalled { seconds: options.stall_timeout.as_secs_f64(), received }
}
