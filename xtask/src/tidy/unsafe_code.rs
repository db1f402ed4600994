//! Unsafe code lives in one crate.

use super::Finding;
use super::repository::Repository;
use super::source::{is_word, views};

const UNSAFE_CRATE: &str = "aais-kernels";

/// Every other crate forbids unsafe code and has none.
pub fn check(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in repository.packages.iter().filter(|package| package.name != UNSAFE_CRATE) {
        let folder = format!("{}/", package.folder);
        for file in repository.with_extension("rs").filter(|file| file.path.starts_with(&folder)) {
            findings.extend(uses(&file.path, &file.text));
            if package.roots.contains(&file.path) {
                findings.extend(permission(&file.path, &file.text));
            }
        }
    }
    findings
}

fn uses(path: &str, text: &str) -> Vec<Finding> {
    let code = views(text).code;
    let has_unsafe = |line: &str| line.split(|c| !is_word(c)).any(|word| word == "unsafe");
    let lines = code.lines().enumerate().filter(|(_, line)| has_unsafe(line));
    let remedy = format!("move it to {UNSAFE_CRATE} behind a safe function");
    lines.map(|(at, _)| Finding::new(path, at + 1, format!("unsafe code outside {UNSAFE_CRATE}"), &remedy)).collect()
}

fn permission(path: &str, text: &str) -> Option<Finding> {
    let code: String = views(text).code.split_whitespace().collect();
    let forbids = code.contains("#![forbid(unsafe_code");
    (!forbids).then(|| Finding::new(path, 1, "unsafe code is not forbidden here", "add `#![forbid(unsafe_code)]`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_code_is_found_on_its_line() {
        let findings = uses("a.rs", "fn f() {}\nfn g() { unsafe { h() } }\n");
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn the_word_in_a_comment_a_string_or_a_name_is_not_code() {
        assert!(uses("a.rs", "// unsafe\nlet s = \"unsafe\";\n#![forbid(unsafe_code)]\n").is_empty());
    }

    #[test]
    fn a_root_without_the_attribute_is_found() {
        assert!(permission("lib.rs", "//! Doc.\n#![forbid(unsafe_code)]\n").is_none());
        assert!(permission("lib.rs", "//! Doc.\n// #![forbid(unsafe_code)]\n").is_some());
    }
}
