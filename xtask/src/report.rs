//! `cargo xtask report`: write the report of finished cells.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::experiments::{self, Device, Profile, Target};
use crate::workspace::path_from_here;

/// Writes tables and figures from the cells that are there.
#[derive(Args)]
pub struct Report {
    /// What to report
    target: Target,

    /// Folder of results [default: target/reproduce]
    #[arg(long, value_name = "DIR", value_parser = path_from_here)]
    out: Option<PathBuf>,

    /// The cells of `reproduce --quick`
    #[arg(long)]
    quick: bool,
}

impl Report {
    /// Hands over to the experiments binary.
    pub fn run(self) -> Result<ExitCode> {
        experiments::hand_over(experiments::command(Profile::Release, Device::Cpu, self.arguments()))
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["report".into(), self.target.name().into()];
        if let Some(out) = &self.out {
            arguments.extend(["--out".into(), out.into()]);
        }
        if self.quick {
            arguments.push("--quick".into());
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_reaches_the_binary() {
        let report = Report { target: Target::Figure3, out: Some("target/r".into()), quick: true };
        assert_eq!(report.arguments(), ["report", "table3", "--out", "target/r", "--quick"]);
    }
}
