//! `cargo xtask bench`: time one piece of the work.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::experiments::{self, Device, Profile};
use crate::workspace::path_from_here;

/// Benchmarks of the optimized build.
#[derive(Args)]
pub struct Bench {
    #[command(subcommand)]
    piece: Piece,
}

#[derive(Subcommand)]
enum Piece {
    /// One training step of AAIS, AMCVAE and LMCVAE on each task
    Step(Step),
    /// Fits of mixed models
    Glmm(Glmm),
}

#[derive(Args)]
struct Glmm {
    /// An Rscript with lme4, to time its fits of the same models in the same run
    #[arg(long, value_name = "RSCRIPT")]
    peer: Option<PathBuf>,

    /// Print JSON for programs
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Step {
    /// Task whose networks and batch are timed: exp, mix, copula, verbagg, circle, mnist or cortex [default: all whose data are there]
    #[arg(long)]
    task: Option<String>,

    /// Threads of the kernels [default: 1]
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<u32>>,

    /// Where to train, the peer too
    #[arg(long, value_enum, default_value_t = Device::Cpu)]
    device: Device,

    /// A Python with PyTorch, to time its step of AAIS in turns with ours
    #[arg(long, value_name = "PYTHON")]
    peer: Option<PathBuf>,

    /// Data folder [default: the environment variable AAIS_DATA_DIR, else `aais` in your cache folder]
    #[arg(long, value_name = "DIR", value_parser = path_from_here)]
    data_dir: Option<PathBuf>,

    /// Print JSON for programs
    #[arg(long)]
    json: bool,
}

impl Bench {
    /// Hands over to the experiments binary.
    pub fn run(self) -> Result<ExitCode> {
        let (device, arguments) = match &self.piece {
            Piece::Step(step) => (step.device, step.arguments()),
            Piece::Glmm(glmm) => (Device::Cpu, glmm.arguments()),
        };
        experiments::hand_over(experiments::command(Profile::Release, device, arguments))
    }
}

impl Glmm {
    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["bench".into(), "glmm".into()];
        if let Some(peer) = &self.peer {
            arguments.extend(["--peer".into(), peer.into()]);
        }
        if self.json {
            arguments.push("--json".into());
        }
        arguments
    }
}

impl Step {
    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["bench".into(), "step".into()];
        if let Some(task) = &self.task {
            arguments.extend(["--task".into(), task.into()]);
        }
        if let Some(threads) = self.threads {
            arguments.extend(["--threads".into(), threads.to_string().into()]);
        }
        if self.device == Device::Cuda {
            arguments.extend(["--device".into(), "cuda".into()]);
        }
        if let Some(peer) = &self.peer {
            arguments.extend(["--peer".into(), peer.into()]);
        }
        if let Some(folder) = &self.data_dir {
            arguments.extend(["--data-dir".into(), folder.into()]);
        }
        if self.json {
            arguments.push("--json".into());
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_reaches_the_binary() {
        let peer = Some("python3".into());
        let data_dir = Some("mine".into());
        let (task, threads, device) = (Some("exp".into()), NonZero::new(2), Device::Cuda);
        let step = Step { task, threads, device, peer, data_dir, json: true };
        let expected = "bench step --task exp --threads 2 --device cuda --peer python3 --data-dir mine --json";
        assert_eq!(step.arguments(), expected.split(' ').collect::<Vec<_>>());

        let glmm = Glmm { peer: Some("Rscript".into()), json: true };
        assert_eq!(glmm.arguments(), ["bench", "glmm", "--peer", "Rscript", "--json"]);
    }
}
