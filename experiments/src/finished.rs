//! Finished cells: where they lie, whether they have a config's settings, and their report.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::cell::{Cell, Protocol};
use crate::config::Config;
use crate::report::{self, ReportInput};
use crate::reported::Reported;
use crate::task::reference;

/// Where a target's results lie; quick ones have a folder of their own.
pub fn folder(out: &Path, target: &str, quick: bool) -> PathBuf {
    out.join(if quick { format!("{target}-quick") } else { target.to_owned() })
}

/// Where the cells lie that a target shows.
///
/// # Errors
/// If there is no such target.
pub fn cells_folder(out: &Path, target: &str, quick: bool) -> Result<PathBuf> {
    Ok(folder(out, &Reported::shares_cells(target)?.0, quick))
}

/// Every finished cell in a target's folder, by method and seed.
///
/// # Errors
/// If a file is no cell.
pub fn read_cells(directory: &Path) -> Result<Vec<Cell>> {
    let mut paths = Vec::new();
    let root = directory.join("cells");
    let list = |path: &Path| std::fs::read_dir(path).with_context(|| format!("reading {}", path.display()));
    for method in list(&root)? {
        let method = method?.path();
        if method.is_dir() {
            for file in list(&method)? {
                paths.push(file?.path());
            }
        }
    }
    // A run that was killed may have left a `1.partial.json`.
    let is_seed = |stem: &OsStr| stem.to_str().is_some_and(|stem| stem.parse::<u64>().is_ok());
    paths.retain(|path| path.extension() == Some("json".as_ref()) && path.file_stem().is_some_and(is_seed));
    let mut cells = paths.iter().map(|path| Cell::read(path)).collect::<Result<Vec<_>>>()?;
    cells.sort_by(|a, b| (&a.method, a.seed).cmp(&(&b.method, b.seed)));
    Ok(cells)
}

/// Writes a target's report from finished cells and prints its table; the cells may be those of another target.
///
/// # Errors
/// If there is no cell, or a file cannot be written.
pub fn write_report(target: &str, config: &Config, cells: &Path, directory: &Path) -> Result<()> {
    let folder = cells;
    let cells = read_cells(folder)?;
    ensure!(!cells.is_empty(), "no finished cell in {}; run `cargo xtask reproduce {target}`", folder.display());
    let has = |protocol| cells.iter().any(|cell| cell.protocol == protocol);
    let (protocol, note) = if has(Protocol::Quick) {
        (Protocol::Quick, "The epochs and seeds of each row stand under \"Where the numbers come from\".".to_owned())
    } else if has(Protocol::Reduced) {
        (Protocol::Reduced, why_reduced(config, &cells))
    } else {
        (Protocol::Full, String::new())
    };
    let (reported, reference) = (Reported::of(target)?, reference(config)?);
    let input = ReportInput {
        table: target,
        title: &config.title,
        protocol,
        note: &note,
        reported: &reported,
        cells: &cells,
        reference: reference.as_ref(),
    };
    report::write(directory, &input)?;
    println!("{}", report::terminal(&input, 120, std::io::stdout().is_terminal()));
    println!("report: {}", directory.join("report.html").display());
    Ok(())
}

/// What the config says of each row with reduced cells.
fn why_reduced(config: &Config, cells: &[Cell]) -> String {
    let is_reduced = |row: &str| cells.iter().any(|cell| cell.method == row && cell.protocol == Protocol::Reduced);
    let mut reasons = Vec::new();
    for method in config.methods.iter().filter(|method| is_reduced(&method.row)) {
        let other = "settings of its own, not those of the paper's protocol.";
        reasons.push(format!("{}: {}", method.row, method.reduced.as_deref().unwrap_or(other)));
    }
    reasons.join(" ")
}

/// Writes the report of cells that have the settings of the program's own config.
///
/// # Errors
/// If a cell has others, whose title and bins only their own config knows; and as [`write_report`].
pub fn rewrite_report(target: &str, out: &Path, quick: bool) -> Result<()> {
    let published = Config::of(target)?;
    let (config, option) = if quick { (published.quick()?, " --quick") } else { (published, "") };
    let config = config.with_data(None);
    let directory = cells_folder(out, target, quick)?;
    let cells = read_cells(&directory)?;
    if let Some(cell) = foreign(&config, &cells)? {
        bail!(
            "{} was made with other settings ({}/{}); `cargo xtask reproduce {target}{option} --config FILE --out {}` \
             writes its report again without training",
            directory.display(),
            cell.method,
            cell.seed,
            out.display()
        );
    }
    write_report(target, &config, &directory, &folder(out, target, quick))
}

/// The first cell whose settings are not those of its row in a config.
///
/// # Errors
/// If a setting cannot be hashed.
pub fn foreign<'a>(config: &Config, cells: impl IntoIterator<Item = &'a Cell>) -> Result<Option<&'a Cell>> {
    let configs = config.with_any_data();
    for cell in cells {
        let Some(method) = config.methods.iter().find(|method| method.row == cell.method) else {
            return Ok(Some(cell));
        };
        let hashes = configs.iter().map(|config| config.hash(method)).collect::<Result<Vec<_>>>()?;
        if !hashes.contains(&cell.config_hash) {
            return Ok(Some(cell));
        }
    }
    Ok(None)
}
