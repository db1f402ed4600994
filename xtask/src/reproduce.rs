//! `cargo xtask reproduce`: train a table or figure and report it.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::experiments::{self, Device, Profile, Target};
use crate::workspace::path_from_here;

/// Trains the cells of a target that are not there yet, then writes its report.
#[derive(Args)]
pub struct Reproduce {
    /// What to reproduce
    target: Target,

    /// Number of seeds for each method [default: the config's]
    #[arg(long, value_name = "N")]
    seeds: Option<NonZero<u32>>,

    /// Only these methods, separated by commas [default: the config's]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    methods: Vec<String>,

    /// Cells trained side by side [default: the number of cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZero<u32>>,

    /// A small version of the protocol, in minutes; its numbers are not the paper's
    #[arg(long)]
    quick: bool,

    /// Only rows of the paper's whole protocol, those too that take days and are trained on request
    #[arg(long, conflicts_with_all = ["quick", "methods"])]
    full: bool,

    /// Where tensors live
    #[arg(long, default_value = "cpu")]
    device: Device,

    /// Data folder [default: the environment variable AAIS_DATA_DIR, else `aais` in your cache folder]
    #[arg(long, value_name = "DIR", value_parser = path_from_here)]
    data_dir: Option<PathBuf>,

    /// Folder of results [default: target/reproduce]
    #[arg(long, value_name = "DIR", value_parser = path_from_here)]
    out: Option<PathBuf>,

    /// Settings from this file instead of the paper's; for one target, not all
    #[arg(long, value_name = "FILE", value_parser = path_from_here)]
    config: Option<PathBuf>,

    /// Seconds between two checkpoints of a cell, 0 for one after every epoch; nothing is saved on CTRL-C [default: 5]
    #[arg(long, value_name = "N")]
    checkpoint_seconds: Option<u64>,

    /// Keep each trained model in a file of its own, for `evaluate`
    #[arg(long)]
    keep_models: bool,
}

impl Reproduce {
    /// Hands over to the experiments binary.
    pub fn run(self) -> Result<ExitCode> {
        experiments::hand_over(experiments::command(Profile::Release, self.device, self.arguments()))
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["reproduce".into(), self.target.name().into()];
        if let Some(seeds) = self.seeds {
            arguments.extend(["--seeds".into(), seeds.to_string().into()]);
        }
        if !self.methods.is_empty() {
            arguments.extend(["--methods".into(), self.methods.join(",").into()]);
        }
        if let Some(jobs) = self.jobs {
            arguments.extend(["--jobs".into(), jobs.to_string().into()]);
        }
        if self.quick {
            arguments.push("--quick".into());
        }
        if self.full {
            arguments.push("--full".into());
        }
        if self.device == Device::Cuda {
            arguments.extend(["--device".into(), "cuda".into()]);
        }
        if let Some(data_dir) = &self.data_dir {
            arguments.extend(["--data-dir".into(), data_dir.into()]);
        }
        if let Some(out) = &self.out {
            arguments.extend(["--out".into(), out.into()]);
        }
        if let Some(config) = &self.config {
            arguments.extend(["--config".into(), config.into()]);
        }
        if let Some(seconds) = self.checkpoint_seconds {
            arguments.extend(["--checkpoint-seconds".into(), seconds.to_string().into()]);
        }
        if self.keep_models {
            arguments.push("--keep-models".into());
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
        reproduce: Reproduce,
    }

    fn arguments(line: &str) -> Vec<OsString> {
        Line::try_parse_from(line.split(' ')).unwrap().reproduce.arguments()
    }

    #[test]
    fn a_bare_target_leaves_every_choice_to_the_binary() {
        assert_eq!(arguments("reproduce figure2"), ["reproduce", "table2"]);
    }

    #[test]
    fn every_flag_reaches_the_binary() {
        let line = "reproduce table3 --seeds 2 --methods aais,vae --jobs 4 --quick --device cuda \
                    --data-dir /d --out /o --config /c --checkpoint-seconds 0 --keep-models";
        assert_eq!(arguments(line).join(" ".as_ref()), *line);
        assert_eq!(arguments("reproduce figure5 --full"), ["reproduce", "table5", "--full"]);
        assert!(Line::try_parse_from(["reproduce", "table5", "--full", "--quick"]).is_err());
    }

    #[test]
    fn no_seeds_at_all_is_bad_usage() {
        assert!(Line::try_parse_from(["reproduce", "table2", "--seeds", "0"]).is_err());
    }
}
