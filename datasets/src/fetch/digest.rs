//! Digests of files.

use std::fs::File;
use std::io::{Read, Result};
use std::path::Path;

use md5::Md5;
use sha2::{Digest, Sha256};

use crate::Checksum;

/// The digest of a file, of the kind of this one, in lower-case hexadecimal digits.
pub(super) fn of_file(path: &Path, kind: &Checksum) -> Result<String> {
    let file = File::open(path)?;
    match kind {
        Checksum::Sha256(_) => of_bytes::<Sha256>(file),
        Checksum::Md5(_) => of_bytes::<Md5>(file),
    }
}

fn of_bytes<D: Digest>(mut reader: impl Read) -> Result<String> {
    let mut hasher = D::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            n => hasher.update(&buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The digests of `abc` in RFC 1321, A.5, and FIPS 180-4's examples.
    #[test]
    fn digests_are_those_of_the_standards() {
        assert_eq!(of_bytes::<Md5>(&b"abc"[..]).unwrap(), "900150983cd24fb0d6963f7d28e17f72");
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_bytes::<Sha256>(&b"abc"[..]).unwrap(), sha256);
    }
}
