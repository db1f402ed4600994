//! Bytes as columns of cells.

use std::io::Read;

use csv::{ByteRecord, ReaderBuilder, StringRecord};
use flate2::read::MultiGzDecoder;

use super::Delimiter;
use crate::{Error, Result};

/// What every gzip file begins with (RFC 1952, section 2.3.1).
const GZIP: &[u8] = &[0x1f, 0x8b];

/// What some programs put in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// A column's name and its cells.
type Column = (String, Vec<String>);

/// The columns of a table.
pub(super) fn read(reader: impl Read, file: &str, delimiter: Delimiter) -> Result<Vec<Column>> {
    let bytes = unzipped(reader, file)?;
    let text = Text { bytes: bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes), file };
    // Lengths are compared here, where the message can say what it wanted.
    let mut builder = ReaderBuilder::new();
    let mut reader = builder.delimiter(delimiter.byte(file)).has_headers(false).flexible(true).from_reader(text.bytes);
    let mut next =
        |record: &mut ByteRecord| reader.read_byte_record(record).map_err(|error| unreadable(file, &error.to_string()));

    let mut record = ByteRecord::new();
    if !next(&mut record)? {
        return Err(Error::EmptyFile { file: file.to_owned() });
    }
    let header = text.utf8(&record, &[])?;
    let mut columns: Vec<Column> = names(&header, file)?.into_iter().map(|name| (name, Vec::new())).collect();

    while next(&mut record)? {
        let (expected, found) = (columns.len(), record.len());
        if found != expected {
            return Err(Error::RaggedRow { file: file.to_owned(), line: text.line(&record), expected, found });
        }
        let cells = text.utf8(&record, &columns)?;
        columns.iter_mut().zip(&cells).for_each(|((_, column), cell)| column.push(cell.to_owned()));
    }
    match columns.iter().all(|(_, cells)| cells.is_empty()) {
        true => Err(Error::NoTableRows { file: file.to_owned() }),
        false => Ok(columns),
    }
}

impl Delimiter {
    pub(crate) fn byte(self, file: &str) -> u8 {
        let lower = file.to_lowercase();
        let name = lower.strip_suffix(".gz").unwrap_or(&lower);
        match self {
            Self::FromExtension if name.ends_with(".tsv") || name.ends_with(".tab") => b'\t',
            Self::FromExtension | Self::Comma => b',',
            Self::Tab => b'\t',
            Self::Semicolon => b';',
        }
    }
}

/// All bytes, those of a gzip unpacked.
fn unzipped(mut reader: impl Read, file: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|error| unreadable(file, &error.to_string()))?;
    if !bytes.starts_with(GZIP) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    let unzip = MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked);
    unzip.map_err(|error| unreadable(file, &format!("as gzip: {error}")))?;
    Ok(unpacked)
}

fn names(header: &StringRecord, file: &str) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for (at, name) in header.iter().enumerate() {
        let name = match name.trim() {
            "" => format!("column{}", at + 1),
            name => name.to_owned(),
        };
        if let Some(first) = names.iter().position(|known| *known == name) {
            let columns = [first + 1, at + 1];
            return Err(Error::DuplicateColumn { file: file.to_owned(), column: name, columns });
        }
        names.push(name);
    }
    Ok(names)
}

/// The whole text, to tell where in it something is wrong.
struct Text<'a> {
    bytes: &'a [u8],
    file: &'a str,
}

impl Text<'_> {
    /// The record as text; `columns` have the names for the error, if they are known.
    fn utf8(&self, record: &ByteRecord, columns: &[Column]) -> Result<StringRecord> {
        StringRecord::from_byte_record(record.clone()).map_err(|error| {
            let at = error.utf8_error().field();
            let column = columns.get(at).map_or_else(|| (at + 1).to_string(), |(name, _)| format!("`{name}`"));
            Error::NotUtf8 { file: self.file.to_owned(), line: self.line(record), column }
        })
    }

    /// The line in which a record begins, from one.
    fn line(&self, record: &ByteRecord) -> usize {
        let byte = record.position().map_or(0, csv::Position::byte);
        let before = usize::try_from(byte).unwrap_or(usize::MAX).min(self.bytes.len());
        // The position is where the reader stood, before any empty lines.
        let is_break = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let skipped = self.bytes[before..].iter().take_while(is_break).count();
        1 + self.bytes[..before + skipped].iter().filter(|byte| **byte == b'\n').count()
    }
}

fn unreadable(file: &str, reason: &str) -> Error {
    Error::Unreadable { file: file.to_owned(), reason: reason.to_owned() }
}
