//! IDX files: arrays of bytes behind a header that is big endian, gzipped or not.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use ndarray::{Array1, Array3};

use crate::{Error, Result};

/// What every gzip file begins with (RFC 1952, section 2.3.1).
const GZIP: &[u8] = &[0x1f, 0x8b];

/// First four bytes: two of zero, the type (8 is an unsigned byte), and the number of dimensions.
const IMAGES: u32 = 2051;
const LABELS: u32 = 2049;

/// Images from an IDX file of bytes with three dimensions, `(N, height, width)`.
///
/// Whether the file is gzipped is told by its first bytes, not by its name.
///
/// # Errors
/// A file that cannot be read, is no IDX file of images, or is shorter or longer than its header says.
pub fn read_idx_images(path: &Path) -> Result<Array3<u8>> {
    let (file, name) = open(path)?;
    read_idx_images_from(file, &name)
}

/// Reads images as [`read_idx_images`] does, from anything; `name` stands for the file in errors.
///
/// # Errors
/// Those of [`read_idx_images`].
///
/// ```
/// use aais_datasets::read_idx_images_from;
///
/// let file = [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 10, 20, 30, 40];
/// let images = read_idx_images_from(&file[..], "one image")?;
/// assert_eq!((images.dim(), images[[0, 1, 0]]), ((1, 2, 2), 30));
/// # Ok::<(), aais_datasets::Error>(())
/// ```
pub fn read_idx_images_from(reader: impl Read, name: &str) -> Result<Array3<u8>> {
    let (sizes, bytes) = read::<3>(reader, name, IMAGES)?;
    Ok(Array3::from_shape_vec(sizes, bytes).expect("as many bytes as the sizes say"))
}

/// Labels from an IDX file of bytes with one dimension, `(N,)`.
///
/// # Errors
/// A file that cannot be read, is no IDX file of labels, or is shorter or longer than its header says.
pub fn read_idx_labels(path: &Path) -> Result<Array1<u8>> {
    let (file, name) = open(path)?;
    read_idx_labels_from(file, &name)
}

/// Reads labels as [`read_idx_labels`] does, from anything; `name` stands for the file in errors.
///
/// # Errors
/// Those of [`read_idx_labels`].
pub fn read_idx_labels_from(reader: impl Read, name: &str) -> Result<Array1<u8>> {
    let ([n], bytes) = read(reader, name, LABELS)?;
    Ok(Array1::from_shape_vec(n, bytes).expect("as many bytes as the sizes say"))
}

fn open(path: &Path) -> Result<(File, String)> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| unreadable(&name, &error))?;
    Ok((file, name))
}

/// Sizes and bytes of a file that begins with this magic number.
fn read<const D: usize>(reader: impl Read, name: &str, magic: u32) -> Result<([usize; D], Vec<u8>)> {
    let mut reader = unzipped(reader).map_err(|error| unreadable(name, &error))?;
    let mut take = |bytes: u64| {
        let mut taken = Vec::new();
        reader.by_ref().take(bytes).read_to_end(&mut taken).map_err(|error| unreadable(name, &error))?;
        Ok(taken)
    };
    check_magic(&take(4)?, name, magic)?;

    let header = take(4 * D as u64)?;
    let mut sizes = [0; D];
    let too_short = |expected, found: &[u8]| Error::IdxLength {
        file: name.to_owned(),
        expected,
        found: format!("{} bytes", found.len()),
    };
    if header.len() < 4 * D {
        return Err(too_short(4 * D as u64, &header));
    }
    for (size, bytes) in sizes.iter_mut().zip(header.chunks_exact(4)) {
        *size = number(bytes) as usize;
    }

    // A header may say anything: memory is taken for bytes that come, not for those that are announced.
    let expected = if is_array(&sizes) { sizes.iter().product::<usize>() as u64 } else { u64::MAX };
    let bytes = take(expected.saturating_add(1))?;
    match bytes.len() as u64 {
        found if found < expected => Err(too_short(expected, &bytes)),
        found if found > expected => {
            Err(Error::IdxLength { file: name.to_owned(), expected, found: "more".to_owned() })
        }
        _ => Ok((sizes, bytes)),
    }
}

/// Whether there can be an array of these sizes; those of an empty one are bounded too.
fn is_array(sizes: &[usize]) -> bool {
    let product = sizes.iter().try_fold(1_usize, |product, size| product.checked_mul((*size).max(1)));
    product.is_some_and(|product| isize::try_from(product).is_ok())
}

/// The bytes, those of a gzip unpacked.
fn unzipped<'a>(reader: impl Read + 'a) -> std::io::Result<Box<dyn Read + 'a>> {
    let mut reader = BufReader::new(reader);
    let is_gzip = reader.fill_buf()?.starts_with(GZIP);
    Ok(if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(reader))) } else { Box::new(reader) })
}

fn check_magic(bytes: &[u8], name: &str, expected: u32) -> Result<()> {
    let found = match bytes.len() {
        4 if number(bytes) == expected => return Ok(()),
        4 => format!("{}{}", number(bytes), meaning(number(bytes))),
        n => format!("a file of {n} bytes"),
    };
    let wanted = if expected == IMAGES { "images" } else { "labels" };
    Err(Error::IdxMagic { file: name.to_owned(), wanted, expected, found })
}

/// What a magic number says, where it says something.
fn meaning(magic: u32) -> String {
    let [zero, zero_too, kind, dimensions] = magic.to_be_bytes();
    let kind = match kind {
        8 => "unsigned bytes",
        9 => "signed bytes",
        11 => "16-bit integers",
        12 => "32-bit integers",
        13 => "floats",
        14 => "doubles",
        _ => return ", which is not IDX".to_owned(),
    };
    match (zero, zero_too, magic) {
        (.., IMAGES) => ", which is IDX images".to_owned(),
        (.., LABELS) => ", which is IDX labels".to_owned(),
        (0, 0, _) => format!(", which is IDX {kind} with {dimensions} dimensions"),
        _ => ", which is not IDX".to_owned(),
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

fn unreadable(name: &str, error: &std::io::Error) -> Error {
    Error::Unreadable { file: name.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use std::io::Write;

    fn file(magic: u32, sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
        let words = [magic].into_iter().chain(sizes.iter().copied());
        words.flat_map(u32::to_be_bytes).chain(bytes.iter().copied()).collect()
    }

    fn zipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn images_error(bytes: &[u8]) -> String {
        read_idx_images_from(bytes, "f").unwrap_err().to_string()
    }

    #[test]
    fn gzip_is_told_by_its_first_bytes() {
        let plain = file(2051, &[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
        let images = read_idx_images_from(&plain[..], "f").unwrap();
        assert_eq!((images.dim(), images[[1, 0, 2]]), ((2, 1, 3), 6));
        assert_eq!(read_idx_images_from(&zipped(&plain)[..], "f").unwrap(), images);
    }

    #[test]
    fn another_magic_number_is_named() {
        let wanted = "f: expected IDX images, which begin with 2051, got ";
        let labels = file(2049, &[1], &[7]);
        assert_eq!(images_error(&labels), format!("{wanted}2049, which is IDX labels"));
        assert_eq!(images_error(b"<html>"), format!("{wanted}1013478509, which is not IDX"));
        assert_eq!(
            images_error(&file(0x0d02, &[], &[])),
            format!("{wanted}3330, which is IDX floats with 2 dimensions")
        );
        assert_eq!(images_error(&[0, 0]), format!("{wanted}a file of 2 bytes"));
        let images = file(2051, &[1, 1, 1], &[7]);
        let message = read_idx_labels_from(&images[..], "f").unwrap_err().to_string();
        assert_eq!(message, "f: expected IDX labels, which begin with 2049, got 2051, which is IDX images");
    }

    #[test]
    fn a_file_cut_short_or_with_more_behind_is_refused() {
        let ending = "; the file is damaged, fetch it anew";
        let short = images_error(&file(2051, &[2, 2, 2], &[1; 7]));
        assert_eq!(short, format!("f: expected 8 bytes by the header, got 7 bytes{ending}"));
        let long = images_error(&file(2051, &[2, 2, 2], &[1; 9]));
        assert_eq!(long, format!("f: expected 8 bytes by the header, got more{ending}"));
        let no_header = images_error(&file(2051, &[2, 2], &[]));
        assert_eq!(no_header, format!("f: expected 12 bytes by the header, got 8 bytes{ending}"));
        let whole = zipped(&file(2051, &[2, 2, 2], &[1; 8]));
        assert!(images_error(&whole[..whole.len() - 10]).starts_with("cannot read f: "));
    }

    #[test]
    fn a_header_beyond_memory_takes_none() {
        let message = images_error(&file(2051, &[u32::MAX, u32::MAX, u32::MAX], &[1, 2, 3]));
        assert!(message.contains("expected 18446744073709551615 bytes by the header, got 3 bytes"), "{message}");
        let message = images_error(&file(2051, &[0, u32::MAX, u32::MAX], &[]));
        assert!(message.contains("expected 18446744073709551615 bytes by the header, got 0 bytes"), "{message}");
    }

    #[test]
    fn no_images_are_images() {
        assert_eq!(read_idx_images_from(&file(2051, &[0, 28, 28], &[])[..], "f").unwrap().dim(), (0, 28, 28));
    }

    proptest! {
        #[test]
        fn labels_read_back(labels in prop::collection::vec(any::<u8>(), 0..300), is_zipped in any::<bool>()) {
            let plain = file(2049, &[u32::try_from(labels.len()).unwrap()], &labels);
            let bytes = if is_zipped { zipped(&plain) } else { plain };
            prop_assert_eq!(read_idx_labels_from(&bytes[..], "f").unwrap().to_vec(), labels);
        }

        #[test]
        fn any_bytes_are_images_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let header = file(2051, &[], &[]);
            let bytes = [&header[..], &bytes].concat();
            if let Ok(images) = read_idx_images_from(&bytes[..], "f") {
                prop_assert_eq!(images.len() + 16, bytes.len());
            }
        }
    }
}
