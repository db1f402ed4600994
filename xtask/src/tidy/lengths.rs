//! The longest files, for the eye: a long one may hold a second concept.

use std::cmp::Reverse;

use super::repository::Repository;

/// The `n` longest Rust files with their lines.
pub fn longest(repository: &Repository, n: usize) -> String {
    let mut files: Vec<(usize, &str)> =
        repository.with_extension("rs").map(|file| (file.text.lines().count(), file.path.as_str())).collect();
    files.sort_by_key(|&(lines, path)| (Reverse(lines), path));
    files.iter().take(n).map(|(lines, path)| format!("{path} ({lines})")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::repository::File;
    use super::*;

    #[test]
    fn the_longest_come_first() {
        let file = |path: &str, n| File { path: path.to_owned(), text: "x\n".repeat(n) };
        let files = vec![file("a.rs", 1), file("b.rs", 3), file("c.rs", 2), file("d.md", 9)];
        let repository = Repository { files, ..Repository::default() };
        assert_eq!(longest(&repository, 2), "b.rs (3), c.rs (2)");
    }
}
