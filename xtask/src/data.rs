//! `cargo xtask data`: fetch public data sets.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::experiments::{self, Device, Profile};
use crate::workspace::path_from_here;

/// Fetches data sets, checks them and says where they are.
#[derive(Args)]
pub struct Data {
    /// What to fetch
    name: Name,

    /// Data folder [default: the environment variable AAIS_DATA_DIR, else `aais` in your cache folder]
    #[arg(long, value_name = "DIR", value_parser = path_from_here)]
    data_dir: Option<PathBuf>,

    /// Replace files that are there and not the published ones
    #[arg(long)]
    force: bool,

    /// Fetch from here instead of the public addresses: a folder laid out like the data folder; may be given again
    #[arg(long, value_name = "URL")]
    mirror: Vec<String>,
}

/// A data set by name, or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Handwritten digits, 12 MB
    Mnist,
    /// Counts of genes in cells of mouse cortex, 124 MB
    Cortex,
    /// Answers on verbal aggression, 0.4 MB; also part of the program
    #[value(name = "verbagg")]
    VerbAgg,
    /// All of the above
    All,
}

impl Data {
    /// Hands over to the experiments binary.
    pub fn run(self) -> Result<ExitCode> {
        experiments::hand_over(experiments::command(Profile::Release, Device::Cpu, self.arguments()))
    }

    fn arguments(&self) -> Vec<OsString> {
        let name = self.name.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let mut arguments: Vec<OsString> = vec!["data".into(), name.into()];
        if let Some(data_dir) = &self.data_dir {
            arguments.extend(["--data-dir".into(), data_dir.into()]);
        }
        if self.force {
            arguments.push("--force".into());
        }
        for mirror in &self.mirror {
            arguments.extend(["--mirror".into(), mirror.into()]);
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        data: Data,
    }

    fn arguments(line: &str) -> Vec<OsString> {
        Line::try_parse_from(line.split(' ')).unwrap().data.arguments()
    }

    #[test]
    fn a_bare_name_leaves_every_choice_to_the_binary() {
        for name in ["mnist", "cortex", "verbagg", "all"] {
            assert_eq!(arguments(&format!("data {name}")), ["data", name]);
        }
    }

    #[test]
    fn every_flag_reaches_the_binary() {
        let line = "data all --data-dir /d --force --mirror http://a --mirror http://b/c";
        assert_eq!(arguments(line).join(" ".as_ref()), *line);
    }
}
