//! Every numbered deviation from the paper is explained.

use std::collections::BTreeSet;

use super::Finding;
use super::repository::{File, Repository};
use super::source::views;

const EXPLANATIONS: &str = "docs/deviations.md";

/// References to deviations that `docs/deviations.md` does not number; none before that file is there.
pub fn check(repository: &Repository) -> Vec<Finding> {
    let Some(explanations) = repository.file(EXPLANATIONS) else { return Vec::new() };
    let explained = explained(&explanations.text);
    repository.files.iter().flat_map(|file| unexplained(file, &explained)).collect()
}

fn unexplained(file: &File, explained: &BTreeSet<u32>) -> Vec<Finding> {
    let text = match file.path.rsplit_once('.') {
        Some((_, "rs")) => views(&file.text).comments,
        Some((_, "md" | "toml")) if file.path != EXPLANATIONS => file.text.clone(),
        _ => return Vec::new(),
    };
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for number in references(line).into_iter().filter(|number| !explained.contains(number)) {
            let wrong = format!("deviation {number} is not explained");
            findings.push(Finding::new(&file.path, at + 1, wrong, format!("add it to {EXPLANATIONS}")));
        }
    }
    findings
}

/// The numbers after the word, which has a capital letter: a standard one has none.
fn references(line: &str) -> Vec<u32> {
    let after = |word: &'static str| line.match_indices(word).map(move |(at, _)| &line[at + word.len()..]);
    after("Deviation ").chain(after("Deviations ")).filter_map(leading_number).collect()
}

/// The numbers that begin a heading, a list item, a table row or a bold phrase.
fn explained(text: &str) -> BTreeSet<u32> {
    let number = |line: &str| {
        let line = line.trim_start_matches(['#', '*', '-', '|', ' ']);
        leading_number(line.strip_prefix("Deviation ").unwrap_or(line))
    };
    text.lines().filter_map(number).collect()
}

fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        let explained =
            explained("# Deviations\n\n## 1. First\n\n2. Second\n\n| 3 | third |\n**Deviation 4.** Fourth\n");
        unexplained(&file, &explained).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn explained_deviations_pass() {
        assert_eq!(lines("a.rs", "x(); // Deviation 1.\n// Deviation 2, and Deviation 3.\n/// Deviation 4\n"), [0; 0]);
    }

    #[test]
    fn a_deviation_without_explanation_is_found() {
        assert_eq!(lines("a.rs", "f();\nx(); // Deviation 9.\n"), [2]);
        assert_eq!(lines("README.md", "See Deviation 12."), [1]);
    }

    #[test]
    fn a_standard_deviation_is_something_else() {
        assert_eq!(lines("a.rs", "// a standard deviation 9\nlet s = \"Deviation 9.\";\n"), [0; 0]);
    }
}
