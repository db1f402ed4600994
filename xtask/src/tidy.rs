//! `cargo xtask tidy`: what a machine can check of the architecture and the documentation.
//!
//! Each check is a pure function of texts, so that its tests need no workspace of their own.

mod commands;
mod dependencies;
mod deviations;
mod lengths;
mod links;
mod markdown;
mod paths;
mod repository;
mod source;
mod unsafe_code;

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;

use repository::Repository;

/// One thing to mend.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    file: String,
    /// Counted from one.
    line: usize,
    wrong: String,
    remedy: String,
}

impl Finding {
    fn new(file: &str, line: usize, wrong: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, wrong: wrong.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.file, self.line, self.wrong, self.remedy)
    }
}

/// Prints the findings and fails when there are any.
pub fn run() -> Result<ExitCode> {
    Ok(if is_tidy()? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the findings and says whether there were none.
pub fn is_tidy() -> Result<bool> {
    let repository = Repository::read()?;
    let findings: Vec<Finding> = [
        dependencies::check(&repository),
        unsafe_code::check(&repository),
        links::check(&repository),
        commands::check(&repository),
        paths::check(&repository),
        deviations::check(&repository),
    ]
    .into_iter()
    .flatten()
    .collect();

    for finding in &findings {
        println!("{finding}");
    }
    println!("longest Rust files: {}", lengths::longest(&repository, 10));
    match findings.len() {
        0 => println!("tidy: {} files, no findings", repository.files.len()),
        n => println!("tidy: {} files, findings: {n}", repository.files.len()),
    }
    Ok(findings.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_where_what_and_what_to_do() {
        let finding = Finding::new("README.md", 3, "link to `a.md`, which is not there", "mend the link");
        assert_eq!(finding.to_string(), "README.md:3: link to `a.md`, which is not there; mend the link");
    }
}
