//! `cargo xtask ci`: everything CI checks, in order, up to the first failure.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::check::Check;
use crate::experiments::{self, Device, Profile, Target, exit_code};
use crate::{check_cuda, tidy, workspace};

/// Runs the steps of CI.
#[derive(Args)]
pub struct Ci {
    /// Run these steps only, separated by commas
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    only: Vec<Step>,

    /// Leave these steps out, separated by commas
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    skip: Vec<Step>,
}

/// The steps, in the order they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Formatting
    Fmt,
    /// Lints, as errors
    Clippy,
    /// Unit and integration tests, by nextest where it is installed
    Test,
    /// Examples in the documentation
    DocTest,
    /// The documentation builds without warnings
    Doc,
    /// Types and lints of the CUDA path
    CheckCuda,
    /// Layout, links and commands
    Tidy,
    /// Committed results of table 2 against the paper
    CheckTable2,
    /// Committed results of table 3 against the paper
    CheckTable3,
    /// Committed results of table 4
    CheckTable4,
    /// Committed results of table 6
    CheckTable6,
    /// Committed results of table 7
    CheckTable7,
    /// Committed results of table 9
    CheckTable9,
    /// Committed results of figure 1
    CheckFigure1,
    /// Committed simulations of learned laws
    CheckLaws,
    /// One committed cell trained anew
    Retrain,
}

impl Ci {
    /// Runs the chosen steps and answers with the exit code of the first that fails.
    pub fn run(self) -> Result<ExitCode> {
        let steps = self.steps();
        if steps.is_empty() {
            bail!("no step is left to run; `--skip` took all of them");
        }

        let start = Instant::now();
        let mut seconds = Vec::new();
        let mut is_tested = false;
        for step in steps {
            println!("== {}: {}", step.name(), step.title(is_tested));
            let step_start = Instant::now();
            let code = step.run(is_tested)?;
            let step_seconds = step_start.elapsed().as_secs_f64();
            if code != 0 {
                let name = step.name();
                println!("== {name}: FAILED with exit code {code} after {step_seconds:.1} s");
                println!("ci: failed at `{name}`; run it again with `cargo xtask ci --only {name}`");
                return Ok(code.into());
            }
            println!("== {}: ok, {step_seconds:.1} s", step.name());
            seconds.push(format!("{} {step_seconds:.1}", step.name()));
            is_tested |= step == Step::Test;
        }
        println!("ci: ok in {:.1} s ({})", start.elapsed().as_secs_f64(), seconds.join(", "));
        Ok(ExitCode::SUCCESS)
    }

    fn steps(&self) -> Vec<Step> {
        let chosen = |step: &Step| (self.only.is_empty() || self.only.contains(step)) && !self.skip.contains(step);
        Step::value_variants().iter().copied().filter(chosen).collect()
    }
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn title(self, is_tested: bool) -> String {
        match self.command(is_tested) {
            Some(command) => {
                let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
                let words = command.get_args().map(|word| word.to_string_lossy());
                words.fold(program.to_string_lossy().into_owned(), |line, word| line + " " + &word)
            }
            None => format!("cargo xtask {}", self.name()),
        }
    }

    fn run(self, is_tested: bool) -> Result<u8> {
        match self.command(is_tested) {
            Some(mut command) => {
                let status = command.status().with_context(|| format!("starting {command:?}"))?;
                Ok(exit_code(status))
            }
            None if self == Step::CheckCuda => {
                Ok(exit_code(check_cuda::command()?.status().context("starting cargo")?))
            }
            None => Ok(u8::from(!tidy::is_tidy()?)),
        }
    }

    /// The process of a step; `CheckCuda` makes its own, `Tidy` runs in this one. `is_tested` says that the tests have just been built.
    fn command(self, is_tested: bool) -> Option<Command> {
        let cargo = |line: &str| {
            let mut command = workspace::cargo();
            command.args(line.split(' '));
            command
        };
        let check = |target, retrain| {
            let check = Check::committed(target, retrain);
            // One package alone would be built again, with features of its own.
            let tested = is_tested.then(|| check.command_of_tests()).flatten();
            tested.unwrap_or_else(|| check.command())
        };
        let command = match self {
            Step::Fmt => cargo("fmt --all --check"),
            Step::Clippy => cargo("clippy --workspace --all-targets --locked -- -D warnings"),
            Step::Test if has_nextest() => cargo("nextest run --workspace --locked"),
            Step::Test => cargo("test --workspace --locked --lib --bins --tests"),
            Step::DocTest => cargo("test --workspace --doc --locked"),
            Step::Doc => {
                let mut command = cargo("doc --workspace --no-deps --locked");
                command.env("RUSTDOCFLAGS", "-D warnings");
                command
            }
            Step::CheckCuda | Step::Tidy => return None,
            Step::CheckTable2 => check(Target::Table2, None),
            Step::CheckTable3 => check(Target::Table3, None),
            Step::CheckTable4 => check(Target::Table4, None),
            Step::CheckTable6 => check(Target::Table6, None),
            Step::CheckTable7 => check(Target::Table7, None),
            Step::CheckTable9 => check(Target::Table9, None),
            Step::CheckFigure1 => check(Target::Figure1, None),
            Step::CheckLaws => {
                let arguments = || ["laws", "--check", "--out", "experiments/results"].map(Into::into).to_vec();
                let tested = is_tested.then(|| experiments::command_of_tests(arguments())).flatten();
                tested.unwrap_or_else(|| experiments::command(Profile::Dev, Device::Cpu, arguments()))
            }
            Step::Retrain => check(Target::Table2, Some("aais/1")),
        };
        Some(command)
    }
}

fn has_nextest() -> bool {
    let mut command = workspace::cargo();
    command.args(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_steps_run_unless_told_otherwise() {
        let ci = Ci { only: vec![], skip: vec![] };
        assert_eq!(ci.steps(), Step::value_variants());
    }

    #[test]
    fn only_and_skip_choose_without_changing_the_order() {
        let ci = Ci { only: vec![Step::Tidy, Step::Fmt, Step::Doc], skip: vec![Step::Doc] };
        assert_eq!(ci.steps(), [Step::Fmt, Step::Tidy]);
    }

    #[test]
    fn the_title_is_the_command() {
        assert_eq!(Step::Fmt.title(false), "cargo fmt --all --check");
        assert_eq!(
            Step::Retrain.title(false),
            "cargo run --locked --package aais-experiments -- check table2 --results experiments/results --retrain aais/1"
        );
    }
}
