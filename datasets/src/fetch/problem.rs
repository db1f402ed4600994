//! Why an address did not give a file.

/// An address and why it did not give the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The address.
    pub url: String,
    /// What went wrong when it was last tried.
    pub problem: Problem,
}

/// Why an address did not give a file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// No server was found, or it did not answer as one does.
    #[error("no connection: {reason}")]
    NoConnection {
        /// What the system says.
        reason: String,
    },
    /// The server refuses.
    #[error("the server answered with status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// From one redirect to the next.
    #[error("more than {limit} redirects")]
    Redirects {
        /// How many were followed.
        limit: u32,
    },
    /// Nothing came for too long.
    #[error("nothing came for {seconds} s, after {received} bytes")]
    Stalled {
        /// How long.
        seconds: f64,
        /// Bytes that are there.
        received: u64,
    },
    /// The connection ended before the file did.
    #[error("the connection broke after {received} bytes{}", of(*.expected))]
    Cut {
        /// Bytes that are there.
        received: u64,
        /// Bytes of the whole file, if known.
        expected: Option<u64>,
    },
    /// The server has a longer or shorter file.
    #[error("the server has {found} bytes, expected {expected}")]
    Length {
        /// What it has.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// The rest of the file is not that of the part which is there.
    #[error("the file has changed on the server; the part that was there is given up")]
    Changed,
    /// The whole file is not the published one.
    #[error("the file that came has {kind} {found}, expected {expected}")]
    Checksum {
        /// SHA-256 or MD5.
        kind: &'static str,
        /// That of the published file.
        expected: String,
        /// That of the file which came.
        found: String,
    },
    /// The address begins with `https:`, and there is no cryptography for this processor.
    #[error("https needs an x86-64 processor with AES, AVX2 and ADX, or an AArch64 one with AES and SHA2")]
    NoCryptography,
}

impl Problem {
    /// Whether it may be otherwise in a moment.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::NoConnection { .. } | Self::Stalled { .. } | Self::Cut { .. } | Self::Changed => true,
            // Too slow a request, too early, too many; or the server's own trouble.
            Self::Status { status } => matches!(status, 408 | 425 | 429 | 500..),
            Self::Redirects { .. } | Self::Length { .. } | Self::Checksum { .. } | Self::NoCryptography => false,
        }
    }
}

/// Failures in one line.
pub(crate) fn listed(failures: &[Failure]) -> String {
    if failures.is_empty() {
        return "it has no address".to_owned();
    }
    failures.iter().map(|failure| format!("{}: {}", failure.url, failure.problem)).collect::<Vec<_>>().join("; ")
}

fn of(expected: Option<u64>) -> String {
    expected.map_or_else(String::new, |expected| format!(" of {expected}"))
}
