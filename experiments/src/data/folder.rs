//! Where downloaded data lie.

use std::ffi::OsString;
use std::path::PathBuf;

/// The data folder: the one that is given, else that of the environment variable `AAIS_DATA_DIR`, else `aais` in the
/// user's cache folder.
///
/// That is `$XDG_CACHE_HOME` or `~/.cache`; on macOS `~/Library/Caches`; on Windows `%LOCALAPPDATA%`. There is none
/// where the environment does not know the user's home either. It may not exist yet.
pub fn data_folder(given: Option<PathBuf>) -> Option<PathBuf> {
    given.or_else(|| from_environment(std::env::consts::OS, |name| std::env::var_os(name)))
}

fn from_environment(system: &str, variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    if let Some(folder) = folder("AAIS_DATA_DIR") {
        return Some(folder);
    }
    let cache = match system {
        "windows" => folder("LOCALAPPDATA"),
        "macos" => folder("HOME").map(|home| home.join("Library").join("Caches")),
        // The XDG base directory specification has relative paths ignored.
        _ => folder("XDG_CACHE_HOME")
            .filter(|cache| cache.is_absolute())
            .or_else(|| folder("HOME").map(|home| home.join(".cache"))),
    };
    cache.map(|cache| cache.join("aais"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(system: &str, variables: &[(&str, &str)]) -> Option<PathBuf> {
        from_environment(system, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn what_is_given_comes_first() {
        assert_eq!(data_folder(Some("mine".into())), Some("mine".into()));
    }

    #[test]
    fn the_environment_names_the_folder_or_the_cache_holds_it() {
        let all = [("AAIS_DATA_DIR", "/data"), ("XDG_CACHE_HOME", "/cache"), ("HOME", "/me")];
        assert_eq!(folder("linux", &all), Some("/data".into()));
        assert_eq!(folder("linux", &all[1..]), Some("/cache/aais".into()));
        assert_eq!(folder("linux", &all[2..]), Some("/me/.cache/aais".into()));
        assert_eq!(folder("linux", &[]), None);
        let empty = [("AAIS_DATA_DIR", ""), ("XDG_CACHE_HOME", "relative"), ("HOME", "/me")];
        assert_eq!(folder("freebsd", &empty), Some("/me/.cache/aais".into()));
    }

    #[test]
    fn each_system_has_its_cache_folder() {
        assert_eq!(folder("macos", &[("HOME", "/me")]), Some("/me/Library/Caches/aais".into()));
        let windows = folder("windows", &[("HOME", "/me"), ("LOCALAPPDATA", "/local")]);
        assert_eq!(windows, Some("/local/aais".into()));
    }
}
