//! `cargo xtask check`: compare results with the paper's numbers.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Result;
use clap::Args;

use crate::experiments::{self, Device, Profile, Target};
use crate::workspace::path_from_here;

/// Applies the tolerances and ordering claims of the paper's table to results.
#[derive(Args)]
pub struct Check {
    /// What to check
    target: Target,

    /// Folder of results [default: experiments/results]
    #[arg(long, value_name = "DIR", value_parser = path_from_here)]
    results: Option<PathBuf>,

    /// Train this cell anew and compare it with the committed one
    #[arg(long, value_name = "METHOD/SEED", value_parser = cell)]
    retrain: Option<String>,

    /// Profile the binary is built with; CI takes `dev`, which its tests have built already
    #[arg(long, hide = true, default_value = "release")]
    profile: Profile,
}

impl Check {
    /// The check of committed results, with the profile of the tests.
    pub fn committed(target: Target, retrain: Option<&str>) -> Self {
        let results = Some(PathBuf::from("experiments/results"));
        Self { target, results, retrain: retrain.map(str::to_owned), profile: Profile::Dev }
    }

    /// Hands over to the experiments binary.
    pub fn run(self) -> Result<ExitCode> {
        experiments::hand_over(self.command())
    }

    /// The process that does the work.
    pub fn command(&self) -> Command {
        experiments::command(self.profile, Device::Cpu, self.arguments())
    }

    /// The same by the binary that the tests have built, if it is there.
    pub fn command_of_tests(&self) -> Option<Command> {
        experiments::command_of_tests(self.arguments())
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["check".into(), self.target.name().into()];
        if let Some(results) = &self.results {
            arguments.extend(["--results".into(), results.into()]);
        }
        if let Some(retrain) = &self.retrain {
            arguments.extend(["--retrain".into(), retrain.into()]);
        }
        arguments
    }
}

fn cell(text: &str) -> Result<String, String> {
    match text.split_once('/') {
        Some((method, seed)) if !method.is_empty() && seed.parse::<u64>().is_ok() => Ok(text.to_owned()),
        _ => Err("expected a method and a seed, as in `aais/1`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_of_ci_names_the_committed_results() {
        let check = Check::committed(Target::Table2, Some("aais/1"));
        let expected = ["check", "table2", "--results", "experiments/results", "--retrain", "aais/1"];
        assert_eq!(check.arguments(), expected);
    }

    #[test]
    fn a_cell_is_a_method_and_a_seed() {
        assert!(cell("iwae-published/10").is_ok());
        for wrong in ["aais", "aais/", "/1", "aais/one", "aais/1/2"] {
            assert!(cell(wrong).is_err(), "{wrong} passed");
        }
    }
}
