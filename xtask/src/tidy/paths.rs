//! No file names a folder of the machine it was written on.

use super::Finding;
use super::repository::Repository;

// In pieces, so that this file does not find itself.
const FOLDERS: &[&str] = &[
    concat!("/", "home/"),
    concat!("/", "root/"),
    concat!("/", "work/"),
    concat!("/", "Users/"),
    concat!("C:", "\\Users\\"),
];

/// Absolute paths of a machine, in any text file.
pub fn check(repository: &Repository) -> Vec<Finding> {
    repository.files.iter().flat_map(|file| machine_paths(&file.path, &file.text)).collect()
}

fn machine_paths(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if let Some(folder) = FOLDERS.iter().find(|folder| begins_with_folder(line, folder)) {
            let wrong = format!("a path of one machine, under `{folder}`");
            findings.push(Finding::new(path, at + 1, wrong, "write it relative to the repository"));
        }
    }
    findings
}

/// Whether the folder occurs where a path begins, and not inside a longer one.
fn begins_with_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = &line[..at];
        before.ends_with("file://") || !before.ends_with(|c: char| c.is_alphanumeric() || "/\\._-~${}<>)*".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n_found(pieces: &[&str]) -> usize {
        machine_paths("a.md", &pieces.concat()).len()
    }

    #[test]
    fn a_path_of_a_machine_is_found() {
        assert_eq!(n_found(&["see ", "/", "home/me/x"]), 1);
        assert_eq!(n_found(&["{\"out\": \"/", "work/main\"}"]), 1);
        assert_eq!(n_found(&["a\n/", "root/.cargo\nfile:///", "Users/me\n"]), 2);
    }

    #[test]
    fn a_folder_of_that_name_inside_another_passes() {
        assert_eq!(n_found(&["docs/", "work/notes.md and $HOME/", "root/x"]), 0);
    }

    #[test]
    fn this_file_does_not_find_itself() {
        assert_eq!(machine_paths("paths.rs", include_str!("paths.rs")), []);
    }
}
