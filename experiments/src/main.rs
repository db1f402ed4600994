//! `aais-experiments`: trains, reports and checks the paper's tables; `cargo xtask` starts it.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use aais_experiments::bench;
use aais_experiments::cell::Protocol;
use aais_experiments::check::check;
use aais_experiments::config::Config;
use aais_experiments::data::{Data, data_folder};
use aais_experiments::environment;
use aais_experiments::evaluate::Evaluate;
use aais_experiments::finished::{cells_folder, foreign, read_cells, rewrite_report};
use aais_experiments::glmm::Glmm;
use aais_experiments::laws::Laws;
use aais_experiments::reported::Reported;
use aais_experiments::reproduce::{self, Request, device, targets};
use aais_experiments::run::CHECKPOINT_SECONDS;
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train what is missing of a table or figure and write its report
    Reproduce(Reproduce),
    /// Write the report anew from finished cells
    Report {
        /// table2, table3, table4, table5, table6, table7, table9, figure1 or all
        target: String,
        /// Folder that holds the target's folder
        #[arg(long, default_value = "target/reproduce")]
        out: PathBuf,
        /// Of the quick run
        #[arg(long)]
        quick: bool,
    },
    /// Hold results against the paper's numbers
    Check {
        /// table2, table3, table4, table5, table6, table7, table9, figure1 or all
        target: String,
        /// Folder that holds the target's folder
        #[arg(long, default_value = "experiments/results")]
        results: PathBuf,
        /// Train this cell anew, METHOD/SEED, and compare it instead
        #[arg(long)]
        retrain: Option<String>,
    },
    /// How likely a trained model finds data: log-likelihoods by importance sampling and annealing
    Evaluate(Evaluate),
    /// Fetch public data sets
    Data(Data),
    /// Fit a mixed model to a table of your own
    Glmm(Glmm),
    /// Learned laws of random effects on data with known truth, and on real data
    Laws(Laws),
    /// Measure speed
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
}

#[derive(Subcommand)]
enum Bench {
    /// One training step of AAIS, AMCVAE and LMCVAE on each task
    Step {
        /// exp, mix, copula, verbagg, circle, mnist or cortex; if left out all whose data are there
        #[arg(long)]
        task: Option<String>,
        /// Threads of the fused operations
        #[arg(long, default_value_t = 1)]
        threads: usize,
        /// cpu or cuda, the peer too
        #[arg(long, default_value = "cpu")]
        device: String,
        /// A Python with PyTorch, whose step of AAIS is timed in turns with ours
        #[arg(long)]
        peer: Option<PathBuf>,
        /// Data folder; if left out the environment variable `AAIS_DATA_DIR`, and without that `aais` in your cache folder
        #[arg(long)]
        data_dir: Option<PathBuf>,
        /// JSON lines instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Fits of mixed models
    Glmm {
        /// An Rscript with lme4, whose fits of the same models are timed in the same run
        #[arg(long)]
        peer: Option<PathBuf>,
        /// JSON lines instead of a table
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct Reproduce {
    /// table2, table3, table4, table5, table6, table7, table9, figure1 or all
    target: String,
    /// Seeds 1 to N instead of the config's
    #[arg(long)]
    seeds: Option<u64>,
    /// Only these methods, separated by commas
    #[arg(long, value_delimiter = ',')]
    methods: Vec<String>,
    /// Cells side by side; the number of cores if left out
    #[arg(long)]
    jobs: Option<usize>,
    /// A few minutes instead of the paper's protocol
    #[arg(long)]
    quick: bool,
    /// Only rows of the paper's whole protocol, those too that take days and are trained on request
    #[arg(long, conflicts_with_all = ["quick", "methods"])]
    full: bool,
    /// cpu or cuda
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Data folder; if left out the environment variable `AAIS_DATA_DIR`, and without that `aais` in your cache folder
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Folder for results
    #[arg(long, default_value = "target/reproduce")]
    out: PathBuf,
    /// Settings from this file instead of the paper's
    #[arg(long)]
    config: Option<PathBuf>,
    /// Seconds between two checkpoints of a cell; 0 for one after every epoch
    #[arg(long, default_value_t = CHECKPOINT_SECONDS)]
    checkpoint_seconds: u64,
    /// Keep each trained model in a file of its own, for `evaluate`; finished cells without one are trained again
    #[arg(long)]
    keep_models: bool,
}

fn main() -> ExitCode {
    environment::settle();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Reproduce(args) => {
            ensure!(args.jobs != Some(0), "--jobs must be at least 1");
            let device = device(&args.device)?;
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            // Cells beside each other on one GPU only wait for each other.
            let jobs = args.jobs.unwrap_or(if device.is_cpu() { cores } else { 1 });
            use_threads(if jobs < cores { cores } else { 1 })?;
            if let Some(folder) = &args.data_dir {
                ensure!(folder.is_dir(), "--data-dir {} is no folder", folder.display());
            }
            let targets = targets(&args.target)?;
            ensure!(
                args.config.is_none() || targets.len() == 1,
                "--config holds one experiment; name its target, not all"
            );
            let request = Request {
                seeds: args.seeds,
                methods: args.methods,
                jobs,
                quick: args.quick,
                full: args.full,
                config: args.config,
                data: data_folder(args.data_dir),
                out: args.out,
                checkpoint_every: Duration::from_secs(args.checkpoint_seconds),
                keep_models: args.keep_models,
                device,
            };
            for target in targets {
                reproduce::reproduce(target, &request)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Report { target, out, quick } => {
            for target in targets(&target)? {
                rewrite_report(target, &out, quick)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Check { target, results, retrain } => {
            use_threads(std::thread::available_parallelism().map_or(1, usize::from))?;
            check_results(&target, &results, retrain.as_deref())
        }
        Command::Evaluate(evaluate) => {
            use_threads(1)?;
            evaluate.run()?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Data(data) => data.run(),
        Command::Glmm(glmm) => {
            glmm.run()?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Laws(laws) => {
            use_threads(1)?;
            laws.run()?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Bench { what: Bench::Glmm { peer, json } } => {
            bench::print_fits(&bench::glmm::glmm(peer.as_deref())?, json)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Bench { what: Bench::Step { task, threads, device: name, peer, data_dir, json } } => {
            use_threads(threads)?;
            let (folder, device) = (data_folder(data_dir), device(&name)?);
            let (task, peer, folder) = (task.as_deref(), peer.as_deref(), folder.as_deref());
            let request = bench::step::Request { task, threads, device: &device, peer, folder };
            bench::print_steps(&bench::step::step(&request)?, json)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Threads of the operations. Where cells take all cores, each keeps to its own.
fn use_threads(n: usize) -> Result<()> {
    rayon::ThreadPoolBuilder::new().num_threads(n).build_global().context("starting threads")
}

fn check_results(target: &str, results: &std::path::Path, retrain: Option<&str>) -> Result<ExitCode> {
    let mut passed = true;
    for target in targets(target)? {
        let directory = cells_folder(results, target, false)?;
        if let Some(cell) = retrain {
            let (row, seed) = cell.split_once('/').context("--retrain takes METHOD/SEED, such as aais/1")?;
            let seed = seed.parse().with_context(|| format!("the seed in --retrain {cell}"))?;
            reproduce::retrain(target, &directory, row, seed, data_folder(None).as_deref())?;
            continue;
        }
        let cells = read_cells(&directory)?;
        let full = cells.iter().filter(|cell| cell.protocol == Protocol::Full);
        if let Some(cell) = foreign(&Config::of(target)?, full)? {
            bail!(
                "{target} {}/{} was trained with other settings than the config has now; train it anew",
                cell.method,
                cell.seed
            );
        }
        let report = check(&Reported::of(target)?, &cells);
        println!("{target}\n{report}");
        ensure!(report.has_judged(), "no full cell of {target} in {}", directory.display());
        passed &= report.passed();
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
