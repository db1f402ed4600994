//! Where the workspace is and which cargo runs it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the workspace's `Cargo.toml`.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// The cargo that started us, in the workspace's root.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Parses a path argument for a command that runs in the workspace's root.
///
/// A relative path stays as it is where both folders are the same, so that reports show what was typed.
pub fn path_from_here(path: &str) -> Result<PathBuf, std::io::Error> {
    if env::current_dir()? == root() { Ok(PathBuf::from(path)) } else { std::path::absolute(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_virtual_manifest() {
        let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }

    #[test]
    fn a_relative_path_keeps_its_meaning_in_another_folder() {
        // Tests run in the package's folder, not in the root.
        let path = path_from_here("results").unwrap();
        assert_eq!(path, env::current_dir().unwrap().join("results"));
    }
}
