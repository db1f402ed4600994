//! `cargo xtask`: the commands of this workspace.
//!
//! This package starts processes and imports no crate of the workspace, so it builds in seconds
//! even when the crates do not build at all.

#![forbid(unsafe_code)]

mod bench;
mod check;
mod check_cuda;
mod ci;
mod data;
mod evaluate;
mod experiments;
mod laws;
mod report;
mod reproduce;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Reproduces the paper's tables and figures and keeps the workspace in order.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train what a table or figure needs, then write its report
    Reproduce(reproduce::Reproduce),
    /// Compare results with the paper's numbers; fails where they differ
    Check(check::Check),
    /// How likely a trained model finds data
    Evaluate(evaluate::Evaluate),
    /// Check types and lints of the CUDA path; needs no toolkit
    CheckCuda(check_cuda::CheckCuda),
    /// Fetch public data sets
    Data(data::Data),
    /// Write the report of finished cells again, without training
    Report(report::Report),
    /// Learned laws of random effects against known truth and on real data
    Laws(laws::Laws),
    /// Time one piece of the work
    Bench(bench::Bench),
    /// Everything CI checks: format, lints, tests, docs, layout, committed results
    Ci(ci::Ci),
    /// Check the layout: dependencies, unsafe code, links, commands, deviations
    Tidy,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Reproduce(reproduce) => reproduce.run(),
        Command::Check(check) => check.run(),
        Command::Evaluate(evaluate) => evaluate.run(),
        Command::CheckCuda(check) => check.run(),
        Command::Data(data) => data.run(),
        Command::Report(report) => report.run(),
        Command::Laws(laws) => laws.run(),
        Command::Bench(bench) => bench.run(),
        Command::Ci(ci) => ci.run(),
        Command::Tidy => tidy::run(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn bad_usage_exits_with_two() {
        let error = Cli::try_parse_from(["cargo xtask", "reproduce", "table99"]).err().expect("no such table");
        assert_eq!(error.exit_code(), 2);
    }
}
