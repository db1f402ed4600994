//! The direction of dependencies, and one ndarray.

use super::Finding;
use super::repository::{Package, Repository};

/// Which crates of the workspace a crate may import, as `docs/architecture.md` draws it.
enum Imports {
    Only(&'static [&'static str]),
    /// Nothing of ours, and no tensors.
    Leaf,
    Everything,
    /// Nothing of ours.
    Nothing,
}

const IMPORTS: &[(&str, Imports)] = &[
    ("aais-kernels", Imports::Nothing),
    ("aais-distributions", Imports::Only(&["aais-kernels"])),
    ("aais-importance", Imports::Only(&["aais-kernels", "aais-distributions"])),
    ("aais-langevin", Imports::Only(&["aais-kernels", "aais-distributions"])),
    ("aais-models", Imports::Only(&["aais-kernels", "aais-distributions", "aais-importance", "aais-langevin"])),
    (
        "aais-neural-glmm",
        Imports::Only(&[
            "aais-kernels",
            "aais-distributions",
            "aais-importance",
            "aais-langevin",
            "aais-models",
            "aais-glmm",
        ]),
    ),
    ("aais-metrics", Imports::Leaf),
    ("aais-glmm", Imports::Leaf),
    ("aais-embedding", Imports::Leaf),
    ("aais-datasets", Imports::Leaf),
    ("aais-experiments", Imports::Everything),
    ("xtask", Imports::Nothing),
];

/// Crates of which two versions would be two sets of types that do not mix.
const SINGLE: &[&str] = &["ndarray"];

/// Dependencies against the architecture, and duplicates in `Cargo.lock`.
pub fn check(repository: &Repository) -> Vec<Finding> {
    let manifest = |package: &Package| {
        let path = format!("{}/Cargo.toml", package.folder);
        let text = repository.file(&path).map(|file| file.text.as_str()).unwrap_or_default();
        (path, text)
    };
    let mut findings = Vec::new();
    for package in &repository.packages {
        let (path, text) = manifest(package);
        findings.extend(direction(package, &path, text));
    }
    if let Some(lock) = repository.file("Cargo.lock") {
        findings.extend(SINGLE.iter().flat_map(|name| duplicates(&lock.text, name)));
    }
    findings
}

fn direction(package: &Package, path: &str, manifest: &str) -> Vec<Finding> {
    let Some(imports) = imports(&package.name) else {
        let wrong = format!("crate `{}` has no place in the architecture", package.name);
        return vec![Finding::new(path, 1, wrong, "add it to `IMPORTS` in xtask/src/tidy/dependencies.rs")];
    };
    let mut findings = Vec::new();
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        let line = 1 + manifest.lines().position(|line| declares(line, name)).unwrap_or(0);
        if matches!(imports, Imports::Leaf) && name.starts_with("candle") {
            let wrong = format!("`{}` is a leaf and imports `{name}`", package.name);
            findings.push(Finding::new(path, line, wrong, "keep tensors in the crates above, pass slices"));
        }
        // Tests may compare with a leaf: it brings no crate of ours along.
        let is_test_oracle = dependency.is_dev && matches!(self::imports(name), Some(Imports::Leaf));
        let is_ours = self::imports(name).is_some() && name != package.name;
        if is_ours && !is_test_oracle && !imports.allow(name) {
            let wrong = format!("`{}` imports `{name}`, against the direction of dependencies", package.name);
            findings.push(Finding::new(path, line, wrong, "move what both need to a crate that both may import"));
        }
    }
    findings
}

fn imports(name: &str) -> Option<&'static Imports> {
    IMPORTS.iter().find(|(known, _)| *known == name).map(|(_, imports)| imports)
}

impl Imports {
    fn allow(&self, name: &str) -> bool {
        match self {
            Imports::Only(names) => names.contains(&name),
            Imports::Leaf | Imports::Nothing => false,
            Imports::Everything => name != "xtask",
        }
    }
}

/// Whether a line of a manifest declares this dependency: `name = ..`, `name.workspace = ..` or `[dependencies.name]`.
fn declares(line: &str, name: &str) -> bool {
    let is_entry = |rest: &str| rest.starts_with(['.', '=']) || rest.trim_start().starts_with('=');
    line.strip_prefix(name).is_some_and(is_entry) || line.trim_end().ends_with(&format!("dependencies.{name}]"))
}

fn duplicates(lock: &str, name: &str) -> Vec<Finding> {
    let entry = format!("name = \"{name}\"");
    let lines: Vec<&str> = lock.lines().collect();
    let found: Vec<(usize, &str)> = (0..lines.len())
        .filter(|&at| lines[at] == entry)
        .map(|at| (at + 1, lines.get(at + 1).map_or("", |line| line.trim_start_matches("version = "))))
        .collect();

    let remedy = format!("keep one: `cargo tree -i {name}@VERSION` shows who asks, `cargo update` moves it");
    let later = found.iter().skip(1);
    later
        .map(|(line, version)| Finding::new("Cargo.lock", *line, format!("a second {name}, {version}"), &remedy))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::repository::Dependency;
    use super::*;

    fn wrongs(name: &str, normal: &[&str], dev: &[&str]) -> Vec<String> {
        let dependency = |name: &&str, is_dev| Dependency { name: name.to_string(), is_dev };
        let mut dependencies: Vec<_> = normal.iter().map(|name| dependency(name, false)).collect();
        dependencies.extend(dev.iter().map(|name| dependency(name, true)));
        let package = Package { name: name.to_owned(), folder: String::new(), dependencies, roots: vec![] };
        direction(&package, "Cargo.toml", "").into_iter().map(|finding| finding.wrong).collect()
    }

    #[test]
    fn imports_along_the_arrows_pass() {
        assert!(wrongs("aais-models", &["aais-importance", "candle-core"], &["aais-metrics"]).is_empty());
        assert!(wrongs("aais-experiments", &["aais-models", "aais-datasets"], &[]).is_empty());
        assert!(wrongs("aais-metrics", &["thiserror"], &["aais-datasets"]).is_empty());
    }

    #[test]
    fn an_import_against_the_arrows_is_found() {
        assert_eq!(wrongs("aais-distributions", &["aais-models"], &[]).len(), 1);
        assert_eq!(wrongs("aais-importance", &["aais-langevin"], &[]).len(), 1);
        assert_eq!(wrongs("aais-models", &["aais-metrics"], &[]).len(), 1);
        assert_eq!(wrongs("aais-kernels", &[], &["aais-distributions"]).len(), 1);
        assert_eq!(wrongs("xtask", &["aais-experiments"], &[]).len(), 1);
        assert_eq!(wrongs("aais-experiments", &["xtask"], &[]).len(), 1);
    }

    #[test]
    fn a_leaf_with_tensors_is_found() {
        assert_eq!(
            wrongs("aais-metrics", &["candle-core"], &[]),
            ["`aais-metrics` is a leaf and imports `candle-core`"]
        );
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        assert_eq!(wrongs("aais-new", &[], &[]), ["crate `aais-new` has no place in the architecture"]);
    }

    #[test]
    fn the_finding_points_at_the_line() {
        let package = Package {
            name: "aais-kernels".to_owned(),
            folder: String::new(),
            dependencies: vec![Dependency { name: "aais-models".to_owned(), is_dev: false }],
            roots: vec![],
        };
        let findings =
            direction(&package, "Cargo.toml", "[dependencies]\naais-models-x = \"1\"\naais-models.workspace = true\n");
        assert_eq!(findings[0].line, 3);
    }

    #[test]
    fn a_second_ndarray_is_found() {
        let one = "[[package]]\nname = \"ndarray\"\nversion = \"0.16.1\"\n";
        assert!(duplicates(one, "ndarray").is_empty());

        let two = format!("{one}\n[[package]]\nname = \"ndarray\"\nversion = \"0.17.2\"\n");
        let findings = duplicates(&two, "ndarray");
        assert_eq!((findings.len(), findings[0].line), (1, 6));
        assert_eq!(findings[0].wrong, "a second ndarray, \"0.17.2\"");
    }
}
