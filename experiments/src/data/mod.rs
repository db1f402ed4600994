//! `data`: fetches public data sets into the data folder.

mod folder;
mod show;
mod way;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aais_datasets::{DataSet, Existing, FetchOptions, RemoteFile, catalogue, fetch_file};
use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

pub use folder::data_folder;
use show::{Row, Show, table};

/// Which data sets, and where to.
#[derive(Args, Clone, Debug)]
pub struct Data {
    /// What to fetch
    pub name: Name,
    /// Data folder; if left out the environment variable `AAIS_DATA_DIR`, and without that `aais` in your cache folder
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Replace files that are there and not the published ones
    #[arg(long)]
    pub force: bool,
    /// Fetch from here instead of the public addresses: a folder laid out like the data folder; may be given again
    #[arg(long, value_name = "URL")]
    pub mirror: Vec<String>,
}

/// A data set by name, or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Name {
    /// Handwritten digits, 12 MB
    Mnist,
    /// Counts of genes in cells of mouse cortex, 124 MB
    Cortex,
    /// Answers on verbal aggression, 0.4 MB; also part of this program
    #[value(name = "verbagg")]
    VerbAgg,
    /// All of the above
    All,
}

impl Data {
    /// Fetches what is missing, and prints where everything is; fails if a file could not be had.
    ///
    /// # Errors
    /// If no data folder is known, or a setting of the environment cannot be used.
    pub fn run(&self) -> Result<ExitCode> {
        for mirror in &self.mirror {
            let is_http = ["http://", "https://"].iter().any(|scheme| mirror.to_lowercase().starts_with(scheme));
            ensure!(is_http, "--mirror {mirror}: expected an address that begins with http:// or https://");
        }
        let folder = data_folder(self.data_dir.clone())
            .context("no folder for data; name one by --data-dir or the environment variable AAIS_DATA_DIR")?;
        let existing = if self.force { Existing::Replace } else { Existing::Keep };
        let (proxies, certificates) = (way::proxies(), way::certificates()?);
        let options = FetchOptions { existing, proxies, certificates, ..FetchOptions::default() };

        let rows: Vec<Row> =
            self.sets().iter().flat_map(|set| fetch_set(set, &self.mirror, &folder, &options)).collect();
        println!("{}", table(&rows));
        println!("data folder: {}", folder.display());
        let n_failed = rows.iter().filter(|row| row.fetched.is_none()).count();
        if n_failed > 0 {
            eprintln!("error: {n_failed} of {} files could not be had", rows.len());
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }

    fn sets(&self) -> Vec<DataSet> {
        let mut sets = catalogue();
        let name = self.name.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        sets.retain(|set| self.name == Name::All || set.name == name);
        sets
    }
}

/// A file that cannot be had does not keep the others from being fetched.
fn fetch_set(set: &DataSet, mirrors: &[String], folder: &Path, options: &FetchOptions) -> Vec<Row> {
    println!("{}: {}\n  terms: {}", set.name, set.title, set.terms);
    set.files.iter().map(|file| fetch_one(&at(file, mirrors), folder, options)).collect()
}

fn at(file: &RemoteFile, mirrors: &[String]) -> RemoteFile {
    if mirrors.is_empty() { file.clone() } else { file.at_mirrors(mirrors) }
}

fn fetch_one(file: &RemoteFile, folder: &Path, options: &FetchOptions) -> Row {
    let mut show = Show::new(&file.path);
    let result = fetch_file(file, folder, options, &mut |progress| show.tell(&progress));
    show.finish();
    let path = file.path.clone();
    match result {
        Ok(fetched) => Row { path, fetched: Some(fetched) },
        Err(error) => {
            eprintln!("error: {error}");
            Row { path, fetched: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_set_has_its_name_on_the_command_line() {
        let data = |name| Data { name, data_dir: None, force: false, mirror: vec![] };
        let names: Vec<String> = data(Name::All).sets().into_iter().map(|set| set.name).collect();
        let known = Name::value_variants().iter().filter(|name| **name != Name::All);
        let single: Vec<String> = known.flat_map(|name| data(*name).sets()).map(|set| set.name).collect();
        assert_eq!(single, names);
    }
}
