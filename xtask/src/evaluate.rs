//! `cargo xtask evaluate`: how likely a trained model finds data.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::experiments::{self, Device, Profile};
use crate::workspace::path_from_here;

/// Log-likelihoods of rows by importance sampling, and bounds on them by annealing.
#[derive(Args)]
pub struct Evaluate {
    /// A table or figure, or the file of a model that `reproduce --keep-models` has kept
    target: String,

    /// METHOD/SEED of the target, such as aais/1; aais-ema/1 for averaged parameters
    cell: Option<String>,

    /// Which rows [default: test]
    #[arg(long)]
    data: Option<Data>,

    /// Importance samples of each row [default: 5000]
    #[arg(long, value_name = "N")]
    samples: Option<usize>,

    /// So many rows, chosen at random by the seed [default: all]
    #[arg(long, value_name = "N")]
    rows: Option<usize>,

    /// Multiply the proposal's standard deviations by this [default: 1]
    #[arg(long, value_name = "FACTOR")]
    widen: Option<f64>,

    /// Share of the samples that come from the prior [default: 0]
    #[arg(long, value_name = "SHARE")]
    prior_share: Option<f64>,

    /// Bounds by annealed importance sampling too: from below, and on simulated data from above
    #[arg(long)]
    ais: bool,

    /// Temperatures of --ais, 0 and 1 among them [default: 500]
    #[arg(long, value_name = "N", requires = "ais")]
    temperatures: Option<usize>,

    /// Chains of --ais, of each row [default: 16]
    #[arg(long, value_name = "N", requires = "ais")]
    chains: Option<usize>,

    /// Where chains of --ais come from [default: prior]
    #[arg(long, requires = "ais")]
    start: Option<Start>,

    /// Of all random numbers of the evaluation [default: 1]
    #[arg(long)]
    seed: Option<u64>,

    /// Averaged parameters of a model's file
    #[arg(long)]
    averaged: bool,

    /// Print JSON for programs
    #[arg(long)]
    json: bool,

    /// Write a line for each row to this CSV file
    #[arg(long, value_name = "FILE", value_parser = path_from_here)]
    out: Option<PathBuf>,

    /// Folder that holds the target's folder [default: target/reproduce]
    #[arg(long, value_name = "DIR", value_parser = path_from_here)]
    results: Option<PathBuf>,

    /// The model of the quick run
    #[arg(long)]
    quick: bool,

    /// The config that the model was trained by, if not the program's own
    #[arg(long, value_name = "FILE", value_parser = path_from_here)]
    config: Option<PathBuf>,

    /// Data folder [default: the environment variable AAIS_DATA_DIR, else `aais` in your cache folder]
    #[arg(long, value_name = "DIR", value_parser = path_from_here)]
    data_dir: Option<PathBuf>,

    /// Threads [default: the number of cores]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

/// Rows to evaluate.
#[derive(Clone, Copy, ValueEnum)]
enum Data {
    /// Of the same law, not seen in training
    Test,
    /// Those that the model was trained on
    Train,
    /// Drawn from the model itself
    Simulated,
}

/// Where annealed chains come from.
#[derive(Clone, Copy, ValueEnum)]
enum Start {
    /// The prior
    Prior,
    /// The encoder's proposal
    Proposal,
}

impl Evaluate {
    /// Hands over to the experiments binary.
    pub fn run(self) -> Result<ExitCode> {
        experiments::hand_over(experiments::command(Profile::Release, Device::Cpu, self.arguments()?))
    }

    fn arguments(&self) -> Result<Vec<OsString>> {
        // A model's file is a path; a target is not.
        let target = match self.cell {
            Some(_) => self.target.clone().into(),
            None => path_from_here(&self.target)?.into_os_string(),
        };
        let mut arguments: Vec<OsString> = vec!["evaluate".into(), target];
        arguments.extend(self.cell.clone().map(Into::into));
        let mut option = |name: &str, value: Option<OsString>| {
            if let Some(value) = value {
                arguments.extend([name.into(), value]);
            }
        };
        let text = |value: Option<String>| value.map(OsString::from);
        option("--data", text(self.data.and_then(named)));
        option("--samples", text(self.samples.map(|n| n.to_string())));
        option("--rows", text(self.rows.map(|n| n.to_string())));
        option("--widen", text(self.widen.map(|factor| factor.to_string())));
        option("--prior-share", text(self.prior_share.map(|share| share.to_string())));
        option("--temperatures", text(self.temperatures.map(|n| n.to_string())));
        option("--chains", text(self.chains.map(|n| n.to_string())));
        option("--start", text(self.start.and_then(named)));
        option("--seed", text(self.seed.map(|seed| seed.to_string())));
        option("--out", self.out.clone().map(Into::into));
        option("--results", self.results.clone().map(Into::into));
        option("--config", self.config.clone().map(Into::into));
        option("--data-dir", self.data_dir.clone().map(Into::into));
        option("--jobs", text(self.jobs.map(|n| n.to_string())));
        let flags =
            [("--ais", self.ais), ("--averaged", self.averaged), ("--json", self.json), ("--quick", self.quick)];
        arguments.extend(flags.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name.into()));
        Ok(arguments)
    }
}

/// As the command line names it.
fn named(value: impl ValueEnum) -> Option<String> {
    value.to_possible_value().map(|value| value.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        evaluate: Evaluate,
    }

    fn arguments(line: &str) -> Vec<OsString> {
        Line::try_parse_from(line.split(' ')).unwrap().evaluate.arguments().unwrap()
    }

    #[test]
    fn every_flag_reaches_the_binary() {
        let line = "evaluate table2 aais/1 --data simulated --samples 100 --rows 7 --widen 1.5 --prior-share 0.1 \
                    --temperatures 50 --chains 4 --start proposal --seed 3 --out /o.csv --results /r --config /c \
                    --data-dir /d --jobs 2 --ais --averaged --json --quick";
        assert_eq!(arguments(line).join(" ".as_ref()), *line);
        assert_eq!(arguments("evaluate table2 vae/3"), ["evaluate", "table2", "vae/3"]);
    }

    #[test]
    fn a_file_keeps_its_meaning_in_another_folder() {
        let here = std::env::current_dir().unwrap().join("1.safetensors");
        assert_eq!(arguments("evaluate 1.safetensors"), ["evaluate".into(), here.into_os_string()]);
    }

    #[test]
    fn annealing_has_no_settings_without_itself() {
        assert!(Line::try_parse_from(["evaluate", "table2", "aais/1", "--chains", "4"]).is_err());
    }
}
