//! `cargo xtask laws`: learned laws of random effects against known truth and on real data.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::experiments::{self, Device, Profile};
use crate::workspace::path_from_here;

/// Runs what is missing of the simulations and data sets, and writes their report.
#[derive(Args)]
pub struct Laws {
    /// Simulations of each of the six settings [default: 100]
    #[arg(long, value_name = "N")]
    simulations: Option<u64>,

    /// Only these settings, such as `logistic-normal`, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    settings: Vec<String>,

    /// Side by side [default: the number of cores]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,

    /// Folder for results [default: target/reproduce]
    #[arg(long, value_name = "DIR", value_parser = path_from_here)]
    out: Option<PathBuf>,

    /// Run nothing; fail if finished results break a claim
    #[arg(long)]
    check: bool,
}

impl Laws {
    /// Hands over to the experiments binary.
    pub fn run(self) -> Result<ExitCode> {
        experiments::hand_over(experiments::command(Profile::Release, Device::Cpu, self.arguments()))
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["laws".into()];
        let mut option = |name: &str, value: Option<OsString>| {
            if let Some(value) = value {
                arguments.extend([name.into(), value]);
            }
        };
        option("--simulations", self.simulations.map(|n| n.to_string().into()));
        option("--settings", (!self.settings.is_empty()).then(|| self.settings.join(",").into()));
        option("--jobs", self.jobs.map(|n| n.to_string().into()));
        option("--out", self.out.clone().map(Into::into));
        if self.check {
            arguments.push("--check".into());
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_reaches_the_binary() {
        let settings = vec!["logistic-normal".to_owned(), "poisson-skewed".to_owned()];
        let laws = Laws { simulations: Some(3), settings, jobs: Some(1), out: Some("r".into()), check: true };
        let expected = [
            "laws",
            "--simulations",
            "3",
            "--settings",
            "logistic-normal,poisson-skewed",
            "--jobs",
            "1",
            "--out",
            "r",
            "--check",
        ];
        assert_eq!(laws.arguments(), expected);
    }
}
