//! What the checks look at: the text files of the workspace and its packages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::workspace;

/// Folders that hold nothing of ours, besides those whose name begins with a dot.
const SKIPPED: &[&str] = &["target", "node_modules"];
/// The folders with a dot that are ours.
const HIDDEN: &[&str] = &[".cargo", ".ci", ".config", ".github"];

/// The workspace, read once.
#[derive(Default)]
pub struct Repository {
    /// Text files, sorted by path.
    pub files: Vec<File>,
    /// The workspace's packages.
    pub packages: Vec<Package>,
}

/// A text file.
pub struct File {
    /// Relative to the root, with `/` on every system.
    pub path: String,
    pub text: String,
}

/// A package of the workspace.
pub struct Package {
    pub name: String,
    /// Folder, relative to the root.
    pub folder: String,
    pub dependencies: Vec<Dependency>,
    /// The root files of its libraries and binaries, relative to the workspace's root.
    pub roots: Vec<String>,
}

/// A dependency as the manifest states it.
pub struct Dependency {
    pub name: String,
    pub is_dev: bool,
}

impl Repository {
    /// Reads the workspace this program was built from.
    pub fn read() -> Result<Self> {
        let root = workspace::root();
        let mut paths = Vec::new();
        collect(root, &mut paths)?;
        paths.sort();

        let mut files = Vec::new();
        for path in paths {
            let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            // What is not UTF-8 is data, not text.
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(File { path: relative(&path, root), text });
            }
        }
        Ok(Self { files, packages: packages(&metadata()?, root)? })
    }

    /// The file of this path, if it is there.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The files whose name ends so.
    pub fn with_extension(&self, extension: &str) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| file.path.rsplit_once('.').is_some_and(|(_, end)| end == extension))
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let entry = entry.with_context(|| format!("listing {}", folder.display()))?;
        let kind = entry.file_type().with_context(|| format!("looking at {}", entry.path().display()))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if kind.is_file() {
            paths.push(entry.path());
        } else if kind.is_dir()
            && !SKIPPED.contains(&name.as_ref())
            && (!name.starts_with('.') || HIDDEN.contains(&name.as_ref()))
        {
            collect(&entry.path(), paths)?;
        }
    }
    Ok(())
}

// Without the dependencies' own manifests, which cargo would download for every platform there is.
fn metadata() -> Result<Value> {
    let mut command = workspace::cargo();
    command.args(["metadata", "--format-version", "1", "--locked", "--no-deps"]);
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    serde_json::from_slice(&output.stdout).context("reading the output of cargo metadata")
}

fn packages(metadata: &Value, root: &Path) -> Result<Vec<Package>> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    Ok(packages.iter().map(|package| self::package(package, root)).collect())
}

fn package(value: &Value, root: &Path) -> Package {
    let manifest = Path::new(text(&value["manifest_path"]));
    Package {
        name: text(&value["name"]).to_owned(),
        folder: relative(manifest.parent().unwrap_or(root), root),
        dependencies: list(&value["dependencies"])
            .map(|dependency| Dependency {
                name: text(&dependency["name"]).to_owned(),
                is_dev: text(&dependency["kind"]) == "dev",
            })
            .collect(),
        roots: list(&value["targets"])
            .filter(|target| list(&target["kind"]).any(|kind| matches!(text(kind), "lib" | "bin" | "proc-macro")))
            .map(|target| relative(Path::new(text(&target["src_path"])), root))
            .collect(),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_package_is_read_from_the_metadata() {
        let metadata = json!({"packages": [{
            "name": "aais-metrics",
            "manifest_path": "/w/crates/aais-metrics/Cargo.toml",
            "dependencies": [{"name": "thiserror", "kind": null}, {"name": "proptest", "kind": "dev"}],
            "targets": [
                {"kind": ["lib"], "src_path": "/w/crates/aais-metrics/src/lib.rs"},
                {"kind": ["test"], "src_path": "/w/crates/aais-metrics/tests/t.rs"}
            ]
        }]});

        let packages = packages(&metadata, Path::new("/w")).unwrap();
        assert_eq!(packages[0].folder, "crates/aais-metrics");
        assert_eq!(packages[0].roots, ["crates/aais-metrics/src/lib.rs"]);
        assert_eq!(packages[0].dependencies.iter().map(|d| d.is_dev).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn this_workspace_can_be_read() {
        let repository = Repository::read().unwrap();
        assert!(repository.file("xtask/src/tidy/repository.rs").is_some());
        assert!(repository.packages.iter().any(|package| package.name == "xtask" && package.folder == "xtask"));
        assert!(!repository.files.iter().any(|file| file.path.starts_with("target/")));
    }
}
