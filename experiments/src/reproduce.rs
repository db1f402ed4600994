//! A target from its config to its report.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aais_kernels::InstructionSet;
use anyhow::{Context, Result, bail, ensure};
use candle_core::Device;
use candle_core::utils::cuda_is_available;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cell::Protocol;
use crate::config::{Config, Method, TARGETS};
use crate::finished::{folder, read_cells, write_report};
use crate::report;
use crate::reported::Reported;
use crate::run::{CHECKPOINT_SECONDS, Job};
use crate::task::Prepared;

/// What to reproduce and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// Number of seeds instead of the config's.
    pub seeds: Option<u64>,
    /// Rows to train; all where empty.
    pub methods: Vec<String>,
    /// Cells side by side.
    pub jobs: usize,
    /// Few epochs and seeds.
    pub quick: bool,
    /// Only rows of the paper's whole protocol, those that are trained on request among them.
    pub full: bool,
    /// A config file instead of the program's own.
    pub config: Option<PathBuf>,
    /// Folder of downloaded data.
    pub data: Option<PathBuf>,
    /// Where the target's folder lies.
    pub out: PathBuf,
    /// Time between two checkpoints of a cell.
    pub checkpoint_every: Duration,
    /// Whether trained models are kept, for `evaluate`.
    pub keep_models: bool,
    /// Where networks are trained.
    pub device: Device,
}

/// The targets that a name means.
///
/// # Errors
/// If there is none of that name.
pub fn targets(name: &str) -> Result<Vec<&'static str>> {
    if name == "all" {
        return Ok(TARGETS.iter().map(|(target, _)| *target).collect());
    }
    Config::of(name)?;
    Ok(TARGETS.iter().map(|(target, _)| *target).filter(|target| *target == name).collect())
}

/// Trains what is missing of a target and writes its report.
///
/// # Errors
/// If the config is wrong, a cell fails, or a file cannot be written; finished cells stay.
pub fn reproduce(target: &str, request: &Request) -> Result<()> {
    let config = settings(target, request)?;
    let published = Config::of(target)?.with_data(request.data.as_deref());
    let (target, shown_in) = Reported::shares_cells(target)?;
    let target = target.as_str();
    let directory = folder(&request.out, target, request.quick);

    let rows = chosen(&config, &request.methods, request.full)?;
    let prepared = Prepared::new(&config).with_context(|| match &request.config {
        Some(path) => format!("data of config {}", path.display()),
        None => format!("data of {target}"),
    })?;
    if let Some(source) = prepared.source() {
        eprintln!("data: {source}");
    }
    // Seeds in the outer loop: a table that is cut short has all its rows.
    let protocols: Vec<Protocol> =
        rows.iter().map(|&row| protocol(request.quick, &config, row, &published)).collect::<Result<_>>()?;
    let one_cell: Vec<bool> = config
        .methods
        .iter()
        .map(|method| Ok(method.fit()?.is_some_and(|fit| fit.is_without_chance())))
        .collect::<Result<_>>()?;
    let jobs: Vec<Job> = (1..=config.seeds)
        .flat_map(|seed| rows.iter().zip(&protocols).map(move |(&row, &protocol)| (seed, row, protocol)))
        .filter(|&(seed, row, _)| {
            let method = &config.methods[row];
            method.seeds.is_none_or(|seeds| seed <= seeds) && (seed == 1 || !one_cell[row])
        })
        .map(|(seed, row, protocol)| {
            let (method, config, directory) = (&config.methods[row], &config, directory.as_path());
            let (checkpoint_every, device) = (request.checkpoint_every, request.device.clone());
            let keeps_model = request.keep_models;
            Job { target, config, method, seed, protocol, directory, checkpoint_every, keeps_model, device }
        })
        .collect();
    let mut missing = Vec::new();
    for job in &jobs {
        if !job.is_done()? {
            missing.push(job);
        }
    }
    std::fs::create_dir_all(directory.join("cells"))
        .with_context(|| format!("making {}; choose a folder you may write to with --out", directory.display()))?;
    eprintln!(
        "{}: {} of {} cells to train, {} epochs{}, {} side by side",
        config.title,
        missing.len(),
        jobs.len(),
        epochs(&config, &missing),
        if request.quick { " (quick: not the paper's protocol)" } else { "" },
        request.jobs,
    );
    train(&missing, &prepared, request.jobs)?;
    for table in shown_in {
        write_report(table, &config, &directory, &folder(&request.out, table, request.quick))?;
    }
    Ok(())
}

/// `100`, or `12 to 100` where rows differ.
fn epochs(config: &Config, jobs: &[&Job]) -> String {
    let each = || jobs.iter().map(|job| config.train_of(job.method).epochs);
    match (each().min(), each().max()) {
        (Some(least), Some(most)) if least < most => format!("{least} to {most}"),
        (Some(all), _) => all.to_string(),
        (None, _) => config.train.epochs.to_string(),
    }
}

/// Full only for a row whose settings are those of the program's own config, down to the hash, and the paper's.
fn protocol(is_quick: bool, config: &Config, row: usize, published: &Config) -> Result<Protocol> {
    if is_quick {
        return Ok(Protocol::Quick);
    }
    let own = config.hash(&config.methods[row])?;
    let paper = published.methods.iter().filter(|method| method.reduced.is_none());
    let hashes = paper.map(|method| published.hash(method)).collect::<Result<Vec<_>>>()?;
    Ok(if hashes.contains(&own) { Protocol::Full } else { Protocol::Reduced })
}

/// The config that a request means, with `--quick` and `--seeds` applied.
fn settings(target: &str, request: &Request) -> Result<Config> {
    let published = Config::of(target)?;
    let config = match &request.config {
        Some(path) => {
            let config = Config::read(path)?;
            ensure!(config.task == published.task, "config {}: `task` is not that of {target}", path.display());
            config
        }
        None => published,
    };
    let config = if request.quick { config.quick()? } else { config };
    let mut config = config.with_data(request.data.as_deref());
    if let Some(seeds) = request.seeds {
        ensure!(seeds > 0, "--seeds must be at least 1");
        config.seeds = seeds;
        config.methods.iter_mut().for_each(|method| method.seeds = None);
    }
    Ok(config)
}

/// Positions of the chosen methods in the config; an averaged row means the method it averages.
///
/// Without names all rows that are not on request only, or with `full` all that are not reduced.
fn chosen(config: &Config, names: &[String], full: bool) -> Result<Vec<usize>> {
    let known: Vec<&str> = config.methods.iter().map(|method| method.row.as_str()).collect();
    if names.is_empty() {
        let wanted = |method: &Method| if full { method.reduced.is_none() } else { !method.on_request };
        return Ok((0..known.len()).filter(|&row| wanted(&config.methods[row])).collect());
    }
    let mut rows = Vec::new();
    for name in names {
        let base = name.strip_suffix("-ema").unwrap_or(name);
        match known.iter().position(|row| *row == base) {
            Some(row) if !rows.contains(&row) => rows.push(row),
            Some(_) => (),
            None => bail!("unknown method `{name}`; this target has {}", known.join(", ")),
        }
    }
    Ok(rows)
}

/// Trains jobs on `n` threads, in order; after a failure no further cell is begun.
fn train(jobs: &[&Job], prepared: &Prepared, n: usize) -> Result<()> {
    let bars = MultiProgress::new();
    if !std::io::stderr().is_terminal() {
        bars.set_draw_target(ProgressDrawTarget::hidden());
    }
    let queue = Mutex::new(jobs.iter());
    let failed = AtomicBool::new(false);
    let work = || -> Result<()> {
        loop {
            if failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            let Some(job) = queue.lock().ok().and_then(|mut queue| queue.next()) else { return Ok(()) };
            if let Err(error) = train_one(job, prepared, &bars) {
                failed.store(true, Ordering::Relaxed);
                return Err(error).with_context(|| format!("{} {}, seed {}", job.target, job.method.row, job.seed));
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..n.clamp(1, jobs.len().max(1))).map(|_| scope.spawn(work)).collect();
        let mut result = Ok(());
        for worker in workers {
            let outcome = worker.join().unwrap_or_else(|_| bail!("a training thread broke down; this is a bug"));
            result = result.and(outcome);
        }
        result
    })
}

fn train_one(job: &Job, prepared: &Prepared, bars: &MultiProgress) -> Result<()> {
    let bar = bars.add(ProgressBar::new(u64::try_from(job.config.train_of(job.method).epochs)?));
    bar.set_style(ProgressStyle::with_template("{prefix:18} {bar:30} {pos}/{len} epochs, {eta} left  {msg}")?);
    bar.set_prefix(format!("{} {}", job.method.row, job.seed));
    bar.enable_steady_tick(Duration::from_millis(500));
    let cell = job.run(prepared, &|epoch| {
        bar.set_position(u64::try_from(epoch.epoch).unwrap_or(u64::MAX));
        let value = |name: &str| epoch.values.get(name).copied();
        let ess = value("ess").map_or_else(String::new, |ess| format!(", ESS {ess:.0}"));
        bar.set_message(format!("loss {:.4}{ess}", value("loss").unwrap_or(f64::NAN)));
    })?;
    bar.finish_and_clear();
    let metrics: Vec<String> = cell.outcome.metrics.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
    let line =
        format!("{:16} seed {:2}  {}  ({:.0} s)", cell.method, cell.seed, metrics.join("  "), cell.timing.seconds);
    bars.suspend(|| eprintln!("{line}"));
    Ok(())
}

/// Trains one cell of a folder anew and compares it with what lies there.
///
/// # Errors
/// If the numbers differ: in any bit on an instruction set with the same bits, by more than the spread over seeds on another.
pub fn retrain(target: &str, directory: &Path, row: &str, seed: u64, data: Option<&Path>) -> Result<()> {
    let config = Config::of(target)?.with_data(data);
    let position = chosen(&config, &[row.to_owned()], false)?;
    let method = &config.methods[position[0]];
    let scratch = std::env::temp_dir().join(format!("aais-retrain-{}", std::process::id()));
    let protocol = protocol(false, &config, position[0], &config)?;
    let checkpoint_every = Duration::from_secs(CHECKPOINT_SECONDS);
    let keeps_model = false;
    let job = |directory| {
        let device = Device::Cpu;
        Job { target, config: &config, method, seed, protocol, directory, checkpoint_every, keeps_model, device }
    };
    let kept = job(directory).finished()?.with_context(|| {
        format!("{} has no cell {row}/{seed}; run `cargo xtask reproduce {target}`", directory.display())
    })?;
    let anew = job(&scratch).run(&Prepared::new(&config)?, &|_| ());
    let _ = std::fs::remove_dir_all(&scratch);
    let anew = anew?;

    if InstructionSet::best().has_bits_of(&kept.instruction_set) {
        let same =
            anew.outcome == kept.outcome && anew.averaged == kept.averaged && anew.diagnostics == kept.diagnostics;
        ensure!(
            same,
            "{row}/{seed} of {target}, trained anew, differs: {:?}, kept {:?}",
            anew.outcome.metrics,
            kept.outcome.metrics
        );
        println!("{row}/{seed} of {target}: trained anew, the same bits");
        return Ok(());
    }
    let cells = read_cells(directory)?;
    for (name, value) in &anew.outcome.metrics {
        let spread = report::summarize(&cells, row, name).and_then(|summary| summary.sd).unwrap_or(0.0);
        let difference = (value - kept.outcome.metrics[name]).abs();
        ensure!(
            difference <= spread,
            "{name} of {row}/{seed}, trained anew, differs by {difference}, more than the sd {spread}"
        );
    }
    println!("{row}/{seed} of {target}: trained anew on {}, within one sd", anew.instruction_set);
    Ok(())
}

/// The device of a name.
///
/// # Errors
/// If this build or machine has none.
pub fn device(name: &str) -> Result<Device> {
    match name {
        "cpu" => Ok(Device::Cpu),
        "cuda" if !cuda_is_available() => bail!(
            "--device cuda: this program was built without CUDA; build it with `--features cuda`, as `cargo xtask` does, \
             or leave out --device to use the CPU"
        ),
        "cuda" => Device::new_cuda(0).context(
            "--device cuda: no NVIDIA GPU answers; see whether `nvidia-smi` shows one, or leave out --device to use the CPU",
        ),
        _ => bail!("unknown device `{name}`; known devices are cpu, cuda"),
    }
}
