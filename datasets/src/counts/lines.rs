//! Text line by line, gzip or not, with the place of what is wrong in it.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::{Error, Result};

/// What every gzip file begins with (RFC 1952, section 2.3.1).
const GZIP: &[u8] = &[0x1f, 0x8b];

/// What some programs put in front of UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Bytes read at a time.
const BUFFER: usize = 1 << 16;

/// Where in a file something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, with the data set in it where it holds several.
    pub file: String,
    /// The line, from one.
    pub line: Option<usize>,
    /// The column, from one.
    pub column: Option<usize>,
}

/// The lines of a text.
pub(crate) struct Lines<'a> {
    reader: Box<dyn BufRead + 'a>,
    file: String,
    number: usize,
    zipped: bool,
    bytes: Vec<u8>,
    /// The line read last is to be given once more.
    again: bool,
}

/// A line without its end.
pub(crate) struct Line<'a> {
    pub text: &'a str,
    file: &'a str,
    number: usize,
}

impl Line<'_> {
    pub(crate) fn place(&self) -> Place {
        Place::new(self.file).line(self.number)
    }
}

impl Place {
    pub(crate) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), line: None, column: None }
    }

    pub(crate) fn line(&self, line: usize) -> Self {
        Self { line: Some(line), ..self.clone() }
    }

    pub(crate) fn column(&self, column: usize) -> Self {
        Self { column: Some(column), ..self.clone() }
    }

    pub(crate) fn malformed(&self, expected: &str, found: &str) -> Error {
        Error::Malformed { place: self.clone(), expected: expected.to_owned(), found: found.to_owned() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.file)?;
        self.line.map_or(Ok(()), |line| write!(out, ", line {line}"))?;
        self.column.map_or(Ok(()), |column| write!(out, ", column {column}"))
    }
}

impl<'a> Lines<'a> {
    /// Of a file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let file =
            File::open(path).map_err(|error| Error::Unreadable { file: name.clone(), reason: error.to_string() })?;
        Self::new(file, &name)
    }

    /// Of anything; `file` is what errors call it.
    pub(crate) fn new(mut reader: impl Read + 'a, file: &str) -> Result<Self> {
        let mut magic = Vec::new();
        let read = reader.by_ref().take(2).read_to_end(&mut magic);
        read.map_err(|error| Error::Unreadable { file: file.to_owned(), reason: error.to_string() })?;
        let zipped = magic == GZIP;
        let whole = BufReader::with_capacity(BUFFER, Cursor::new(magic).chain(reader));
        let reader: Box<dyn BufRead + 'a> = match zipped {
            true => Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(whole))),
            false => Box::new(whole),
        };
        Ok(Self { reader, file: file.to_owned(), number: 0, zipped, bytes: Vec::new(), again: false })
    }

    /// The next line, if there is one.
    ///
    /// # Errors
    /// Bytes that cannot be read or unzipped, or are not UTF-8.
    pub(crate) fn next(&mut self) -> Result<Option<Line<'_>>> {
        if !std::mem::take(&mut self.again) && !self.read()? {
            return Ok(None);
        }
        let text = std::str::from_utf8(&self.bytes).map_err(|error| {
            let column = (error.valid_up_to() + 1).to_string();
            Error::NotUtf8 { file: self.file.clone(), line: self.number, column }
        })?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        let text = if self.number == 1 { text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text) } else { text };
        Ok(Some(Line { text, file: &self.file, number: self.number }))
    }

    /// Gives the line read last once more.
    pub(crate) fn again(&mut self) {
        self.again = true;
    }

    /// Reads the next line, or finds that there is none.
    fn read(&mut self) -> Result<bool> {
        self.bytes.clear();
        let read = self.reader.read_until(b'\n', &mut self.bytes).map_err(|error| {
            let gzip = if self.zipped { "as gzip, " } else { "" };
            let reason = format!("{gzip}after line {}: {error}; the file may be cut short", self.number);
            Error::Unreadable { file: self.file.clone(), reason }
        })?;
        self.number += usize::from(read > 0);
        Ok(read > 0)
    }

    /// Where the line is that was read last.
    pub(crate) fn place(&self) -> Place {
        Place::new(&self.file).line(self.number)
    }

    /// What errors call the text.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }
}

/// A count as text: a whole number, with or without zeros behind a point.
pub(crate) fn count(text: &str, place: impl FnOnce() -> Place) -> Result<u32> {
    // Nearly all counts are a digit or two.
    if let Ok(count) = text.parse() {
        return Ok(count);
    }
    let whole = text.trim().parse().ok().and_then(whole_number);
    whole.ok_or_else(|| Error::NotACount { place: place(), found: text.to_owned() })
}

/// A count kept as a float.
pub(crate) fn whole_number(value: f64) -> Option<u32> {
    let whole = value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and in range")]
    whole.then_some(value as u32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn all(bytes: &[u8]) -> Result<Vec<String>> {
        let mut lines = Lines::new(bytes, "t.txt")?;
        let mut texts = Vec::new();
        while let Some(line) = lines.next()? {
            texts.push(line.text.to_owned());
        }
        Ok(texts)
    }

    #[test]
    fn line_ends_and_marks_are_no_part_of_a_line() {
        assert_eq!(all("\u{feff}a\r\n\nb".as_bytes()).unwrap(), ["a", "", "b"]);
        assert_eq!(all(b"").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn gzip_reads_as_its_text_and_says_where_it_is_cut() {
        let text: String = (0..5000).map(|line| format!("line {}\n", line * line)).collect();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        let zipped = encoder.finish().unwrap();
        assert_eq!(all(&zipped), all(text.as_bytes()));

        let message = all(&zipped[..zipped.len() / 2]).unwrap_err().to_string();
        assert!(message.starts_with("cannot read t.txt: as gzip, after line "), "{message}");
        assert!(message.ends_with("; the file may be cut short"), "{message}");
        let mut altered = zipped.clone();
        let middle = altered.len() / 2;
        altered[middle] ^= 0xff;
        assert!(matches!(all(&altered), Err(Error::Unreadable { .. })));
    }

    #[test]
    fn other_bytes_than_utf8_are_placed() {
        let message = all(b"ok\nab\xff\n").unwrap_err().to_string();
        assert_eq!(message, "t.txt, line 2, column 3: expected UTF-8, got other bytes; save the file as UTF-8");
    }

    #[test]
    fn counts_are_whole_numbers() {
        let count = |text| count(text, || Place::new("t.txt").line(3).column(2));
        assert_eq!([count("0"), count(" 17"), count("3.0"), count("1e3")].map(Result::unwrap), [0, 17, 3, 1000]);
        assert_eq!(count("4294967295"), Ok(u32::MAX));
        for text in ["-1", "0.5", "4294967296", "NaN", "inf", "", "x", "1 2"] {
            let message = count(text).unwrap_err().to_string();
            let expected = "t.txt, line 3, column 2: expected a raw count, a whole number from 0 to 4294967295";
            assert_eq!(message, format!("{expected}, got `{text}`"));
        }
    }
}
