//! An HTTP server for tests, on a port of this machine, that answers well or badly as it is told.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A file as a server holds it.
#[derive(Clone, Debug, Default)]
pub struct Served {
    pub bytes: Vec<u8>,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    /// Answers a request for a range with the whole file.
    pub ignores_range: bool,
    /// Answers a request for a range without looking at `If-Range`.
    pub ignores_if_range: bool,
    /// Does not say how long the file is, and ends it by closing the connection.
    pub hides_length: bool,
}

/// How a request is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// As one should.
    Well,
    /// As one should, but the connection breaks after so many bytes of the body.
    Cut(usize),
    /// As one should, but nothing comes after so many bytes of the body.
    Stall(usize),
    /// Not at all.
    Silence,
    /// With this status and nothing else.
    Status(u16),
    /// With a redirect to this address.
    Redirect(String),
    /// With other bytes of the same number.
    Corrupt,
    /// With more bytes than there should be, of a length not told.
    Endless,
    /// A part that was not asked for.
    WrongRange,
    /// Bytes that are no HTTP.
    Nonsense,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub target: String,
    pub head: String,
}

/// A server that runs until the test ends.
pub struct Server {
    pub url: String,
    state: Arc<Mutex<State>>,
}

struct State {
    file: Served,
    /// What to do, for the next request first; the last one stays.
    answers: Vec<Answer>,
    requests: Vec<Request>,
}

impl Served {
    pub fn new(bytes: &[u8]) -> Self {
        let etag = Some(format!("\"{:x}-{}\"", bytes.first().unwrap_or(&0), bytes.len()));
        Self { bytes: bytes.to_vec(), etag, ..Self::default() }
    }
}

impl Server {
    /// Serves the file under every path.
    pub fn new(file: Served, answers: &[Answer]) -> Self {
        Self::behind(file, answers, "http://127.0.0.1", |stream| stream)
    }

    /// Serves the file under every path, each connection wrapped as it is told.
    pub fn behind<S: Read + Write + 'static>(
        file: Served,
        answers: &[Answer],
        host: &str,
        wrap: fn(TcpStream) -> S,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{host}:{}", listener.local_addr().unwrap().port());
        let state = Arc::new(Mutex::new(State { file, answers: answers.to_vec(), requests: Vec::new() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                // A client that goes away is no failure of the server.
                thread::spawn(move || serve(&mut wrap(stream.unwrap()), &shared).ok());
            }
        });
        Self { url, state }
    }

    /// The address of a file.
    pub fn file(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }

    /// What has been asked for.
    pub fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The ranges that have been asked for, `-` where it was the whole file.
    pub fn ranges(&self) -> Vec<String> {
        self.requests().iter().map(|request| request.header("range").unwrap_or("-").to_owned()).collect()
    }

    /// Changes file and answers.
    pub fn change(&self, file: Served, answers: &[Answer]) {
        let mut state = self.state.lock().unwrap();
        (state.file, state.answers) = (file, answers.to_vec());
    }
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

fn serve(stream: &mut (impl Read + Write), state: &Mutex<State>) -> std::io::Result<()> {
    let mut request = read_request(stream)?;
    if request.head.starts_with("CONNECT ") {
        // As a proxy it plays every server there is.
        state.lock().unwrap().requests.push(request);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        request = read_request(stream)?;
    }
    let (file, answer) = {
        let mut state = state.lock().unwrap();
        state.requests.push(request.clone());
        let answer = if state.answers.len() > 1 { state.answers.remove(0) } else { state.answers[0].clone() };
        (state.file.clone(), answer)
    };
    answer_with(stream, &request, &file, &answer)?;
    stream.flush()
}

fn read_request(stream: &mut impl Read) -> std::io::Result<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    Ok(Request { target: head.split(' ').nth(1).unwrap_or_default().to_owned(), head })
}

fn answer_with(stream: &mut impl Write, request: &Request, file: &Served, answer: &Answer) -> std::io::Result<()> {
    match answer {
        Answer::Well => send(stream, request, file, file.bytes.len()),
        Answer::Cut(after) => send(stream, request, file, *after),
        Answer::Stall(after) => {
            send(stream, request, file, *after)?;
            thread::sleep(Duration::from_secs(60));
            Ok(())
        }
        Answer::Silence => {
            thread::sleep(Duration::from_secs(60));
            Ok(())
        }
        Answer::Status(status) => write!(stream, "HTTP/1.1 {status} Told So\r\nContent-Length: 0\r\n\r\n"),
        Answer::Redirect(to) => write!(stream, "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"),
        Answer::Corrupt => {
            let bytes = file.bytes.iter().map(|byte| !byte).collect();
            send(stream, request, &Served { bytes, ..file.clone() }, file.bytes.len())
        }
        Answer::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[7; 4096])?;
            }
        }
        Answer::WrongRange => {
            let total = file.bytes.len();
            write!(stream, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-{}/{total}\r\n", total - 1)?;
            write!(stream, "Content-Length: {}\r\n\r\n", total - 1)?;
            stream.write_all(&file.bytes[1..])
        }
        Answer::Nonsense => stream.write_all(b"220 ready for mail\r\n\r\n"),
    }
}

/// Sends the file or the range that was asked for, but of the body no more than so many bytes.
fn send(stream: &mut impl Write, request: &Request, file: &Served, at_most: usize) -> std::io::Result<()> {
    let total = file.bytes.len();
    let version = file.etag.as_ref().or(file.last_modified.as_ref());
    let is_same = file.ignores_if_range
        || request.header("if-range").is_none_or(|asked| version.is_some_and(|version| version == asked));
    let first = request.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let first: Option<usize> = first.filter(|_| is_same && !file.ignores_range);

    let mut head = match first {
        Some(first) if first >= total => {
            return write!(stream, "HTTP/1.1 416 Range\r\nContent-Range: bytes */{total}\r\nContent-Length: 0\r\n\r\n");
        }
        Some(first) => {
            format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{}/{total}\r\n", total - 1)
        }
        None => "HTTP/1.1 200 OK\r\n".to_owned(),
    };
    let body = &file.bytes[first.unwrap_or(0)..];
    let headers = [("ETag", &file.etag), ("Last-Modified", &file.last_modified)];
    for (name, value) in headers.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !file.hides_length {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    write!(stream, "{head}Connection: close\r\n\r\n")?;
    stream.write_all(&body[..at_most.min(body.len())])?;
    stream.flush()
}
