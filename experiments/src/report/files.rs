//! Files that are there whole or not at all.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// Writes a file so that a reader, or a killed run, never sees half of it; makes its folder.
///
/// # Errors
/// If the folder cannot be made or written to.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically_with(path, |partial| Ok(fs::write(partial, bytes)?))
}

/// As [`write_atomically`], for a writer that wants a path; it is given one in the same folder with the same extension.
///
/// # Errors
/// If the folder cannot be made or written to, or `write` fails.
pub fn write_atomically_with(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let advice =
        || format!("writing {}; check that its folder may be written to and the disk has room", path.display());

    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(advice)?;
    }
    let partial = partial_of(path);
    let written = write(&partial).and_then(|()| Ok(fs::rename(&partial, path)?));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&partial);
    }
    written.with_context(advice)
}

/// Removes a file that is of no use any more, and what a killed run may have left of a new one.
///
/// # Errors
/// If one is there and cannot be removed.
pub fn remove_with_partial(path: &Path) -> Result<()> {
    for path in [path, &partial_of(path)] {
        if path.exists() {
            fs::remove_file(path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

/// Image writers choose the format by the extension, so the mark goes before it.
fn partial_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path.file_stem().unwrap_or_default());
    name.push(".partial");
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn what_a_killed_run_left_goes_with_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("1.checkpoint");
        for name in ["1.checkpoint", "1.partial.checkpoint", "1.json"] {
            fs::write(directory.path().join(name), "x").unwrap();
        }
        remove_with_partial(&path).unwrap();
        remove_with_partial(&path).unwrap();
        let left: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["1.json"]);
    }

    #[test]
    fn a_file_replaces_the_old_one_and_leaves_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/er/results.json");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_writer_leaves_the_old_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("figure2.png");
        write_atomically(&path, b"old").unwrap();
        let error = write_atomically_with(&path, |partial| {
            assert_eq!(partial.extension().unwrap(), "png");
            fs::write(partial, b"ha")?;
            bail!("the writer stopped half way")
        });
        assert!(format!("{:#}", error.unwrap_err()).contains("half way"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_error_names_the_path_and_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), "").unwrap();
        let message = format!("{:#}", write_atomically(&directory.path().join("file/results.json"), b"").unwrap_err());
        assert!(message.contains("results.json") && message.contains("check that its folder"), "{message}");
    }
}
