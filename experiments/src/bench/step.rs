//! Milliseconds a training step, against the most multiply-adds this processor does.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use aais_distributions::Noise;
use aais_kernels::{InstructionSet, peak};
use aais_models::Trainer;
use anyhow::{Context, Result, bail, ensure};
use candle_core::{Device, Tensor};
use serde::Serialize;

use crate::config::{Config, Method, TARGETS, Task};
use crate::reported::Reported;
use crate::task::Prepared;

/// Epochs that are timed; the best of them counts.
const EPOCHS: usize = 6;

/// Turns of a peer and us.
const ROUNDS: usize = 3;

/// Steps of a peer in each turn.
const PEER_STEPS: usize = 30;

/// The peer's program.
const PEER: &str = include_str!("../../peers/step.py");

/// One measured training step.
#[derive(Debug, Serialize)]
pub struct StepTime {
    /// `exp`, `mix`, `copula`, `circle`.
    pub task: String,
    /// `aais`, `amcvae`, `lmcvae`.
    pub method: String,
    /// Rows and samples of a full batch.
    pub rows: usize,
    /// Samples a row.
    pub samples: usize,
    /// Wall milliseconds a step, the best epoch.
    pub milliseconds: f64,
    /// Of the matrix products, forward and backward, a second.
    pub gflops: f64,
    /// The processor's multiply-adds, measured in the same run.
    pub peak_gflops: f64,
    /// `gflops / peak_gflops`.
    pub share_of_peak: f64,
    /// `milliseconds` over those of AAIS on the same task in the same run.
    pub times_aais: f64,
    /// Wall milliseconds of the same step in PyTorch, the best of its steps, timed in turns with ours.
    pub peer_milliseconds: Option<f64>,
}

/// Billions of floating-point operations a second in registers, one thread, the best of some bursts.
///
/// # Errors
/// If the processor lacks its own instruction set, which cannot be.
pub fn peak_gflops() -> Result<f64> {
    let mut best: f64 = 0.0;
    for _ in 0..20 {
        let started = Instant::now();
        let operations = peak::burn(InstructionSet::best(), 2_000_000)?;
        #[expect(clippy::cast_precision_loss, reason = "a speed")]
        let rate = operations as f64 / started.elapsed().as_secs_f64() / 1e9;
        best = best.max(rate);
    }
    Ok(best)
}

/// Methods that are timed; AAIS first, for the others are compared with it.
const METHODS: [&str; 3] = ["aais", "amcvae", "lmcvae"];

/// Times the steps of the targets whose architecture is `task`, or of all.
///
/// # Errors
/// If there is no such task.
pub fn step(task: Option<&str>, threads: usize, peer: Option<&Path>) -> Result<Vec<StepTime>> {
    let mut times: Vec<StepTime> = Vec::new();
    for (target, _) in TARGETS {
        let config = Config::of(target)?.with_data(None);
        // A table that shows the cells of another trains nothing of its own; cells of the cortex and images need files.
        let is_of_others = Reported::of(target)?.cells.is_some();
        let needs_file = matches!(config.task, Task::Clusters | Task::Images);
        if task.is_some_and(|task| task != config.architecture) || is_of_others || needs_file {
            continue;
        }
        let mut aais = None;
        for name in METHODS {
            if let Some(method) = config.methods.iter().find(|method| method.row == name) {
                let mut found = time(&config, method)?;
                if let (Some(python), "aais") = (peer, name) {
                    for _ in 0..ROUNDS {
                        let theirs = peer_step(python, &config, method, threads)?;
                        found.peer_milliseconds = Some(found.peer_milliseconds.map_or(theirs, |best| best.min(theirs)));
                        let again = time(&config, method)?;
                        if again.milliseconds < found.milliseconds {
                            found = StepTime { peer_milliseconds: found.peer_milliseconds, ..again };
                        }
                    }
                }
                found.times_aais = found.milliseconds / *aais.get_or_insert(found.milliseconds);
                times.push(found);
            }
        }
    }
    let known: Vec<String> = TARGETS.iter().filter_map(|(t, _)| Config::of(t).ok()).map(|c| c.architecture).collect();
    let found = (!times.is_empty()).then_some(times);
    found.with_context(|| format!("unknown task `{}`; known tasks are {}", task.unwrap_or(""), known.join(", ")))
}

/// The best of some steps of the same work in PyTorch.
fn peer_step(python: &Path, config: &Config, method: &Method, threads: usize) -> Result<f64> {
    let architecture = config.architecture_of(method)?;
    let likelihood = match config.task {
        Task::Signal | Task::Circle => "normal",
        Task::Copula => "poisson",
        Task::Answers => "logistic",
        Task::Clusters | Task::Images => bail!("PyTorch is not timed on counts of genes and images"),
    };
    let task = serde_json::json!({
        "observed": architecture.observed, "signal": architecture.signal, "latent": architecture.latent,
        "hidden": architecture.hidden, "skip_encoder": architecture.skip_encoder,
        "skip_decoder": architecture.skip_decoder, "fixed_effects": architecture.likelihood_parameters,
        "likelihood": likelihood, "variance": 0.3, "rows": config.train_of(method).batch_size, "samples": n_samples(method)?,
        "steps": PEER_STEPS, "threads": threads,
    });
    let mut child = Command::new(python)
        .args(["-c", PEER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", python.display()))?;
    child.stdin.take().context("no way to the peer")?.write_all(task.to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{} failed; `--peer` needs a Python with PyTorch", python.display());
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).context("what the peer printed")?;
    found["best"].as_f64().context("the peer told no time")
}

fn n_samples(method: &Method) -> Result<usize> {
    Ok(usize::try_from(method.settings.get("n_samples").and_then(toml::Value::as_integer).unwrap_or(1))?)
}

/// How many rows have contents of their own.
fn n_distinct(data: &Tensor) -> Result<usize> {
    let bits = |row: Vec<f32>| row.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    Ok(data.to_vec2::<f32>()?.into_iter().map(bits).collect::<BTreeSet<_>>().len())
}

#[expect(clippy::cast_precision_loss, reason = "speeds")]
fn time(config: &Config, method: &Method) -> Result<StepTime> {
    let setting = |name: &str| method.settings.get(name).and_then(toml::Value::as_integer);
    let samples = n_samples(method)?;
    let (device, prepared) = (Device::Cpu, Prepared::new(config)?);
    let (architecture, train) = (config.architecture_of(method)?, config.train_of(method));
    let data = prepared.tensor(&device)?;
    let rows = train.batch_size;
    // Whole batches only, so that every step is alike.
    let n_steps = data.dim(0)? / rows;
    let data = data.narrow(0, 0, n_steps * rows)?.contiguous()?;
    let first_batch = data.narrow(0, 0, rows)?;
    let model = prepared.model(architecture.clone(), 1, &device)?;
    let mut trainer = Trainer::new(model, method.objective()?, train.settings(), data, Noise::new(1))?;
    let mut best = f64::INFINITY;
    for _ in 0..EPOCHS {
        let started = Instant::now();
        trainer.run_epoch()?;
        best = best.min(started.elapsed().as_secs_f64() / n_steps as f64);
    }

    let weights = |spec: aais_kernels::MlpSpec| -> usize {
        spec.parameters().iter().filter(|p| p.shape.len() == 2).map(|p| p.range.len()).sum()
    };
    // Matrix products, of two operations a weight each. Forward and backward: the value, the input's gradient, the
    // weights'. A visited point of a differentiated chain has a pullback, a tangent and a second product for the weights besides.
    let products = match setting("n_transitions") {
        None => 3,
        Some(transitions) => 6 * (usize::try_from(transitions)? + 1),
    };
    let per_sample = 2 * products * weights(architecture.decoder());
    let visited = if train.join_equal_rows { n_distinct(&first_batch)? } else { rows };
    let operations = visited * (6 * weights(architecture.encoder()) + samples * per_sample);
    let gflops = operations as f64 / best / 1e9;
    let peak_gflops = peak_gflops()?;
    Ok(StepTime {
        task: config.architecture.clone(),
        method: method.row.clone(),
        rows,
        samples,
        milliseconds: best * 1e3,
        gflops,
        peak_gflops,
        share_of_peak: gflops / peak_gflops,
        times_aais: 1.0,
        peer_milliseconds: None,
    })
}
