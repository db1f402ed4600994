//! Milliseconds a training step, against the most multiply-adds this processor does.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use aais_kernels::{InstructionSet, peak};
use anyhow::{Context, Result, ensure};
use candle_core::Device;
use serde::Serialize;

use super::peak_megabytes;
use super::subject::Subject;
use crate::config::{Config, TARGETS, Task};
use crate::reported::Reported;

/// Epochs that are timed; the best of them counts.
const EPOCHS: usize = 6;

/// Turns of a peer and us.
const ROUNDS: usize = 3;

/// The peer's program.
const PEER: &str = include_str!("../../peers/step.py");

/// One measured training step.
#[derive(Debug, Serialize)]
pub struct StepTime {
    /// `exp`, `mix`, `copula`, `verbagg`, `circle`, `mnist`, `cortex`.
    pub task: String,
    /// `aais`, `amcvae`, `lmcvae`; `aais-tail` with gradients of the heavy samples only.
    pub method: String,
    /// Rows and samples of a full batch.
    pub rows: usize,
    /// Samples a row.
    pub samples: usize,
    /// Wall milliseconds a step, the best epoch.
    pub milliseconds: f64,
    /// Share of the samples that pass a gradient on, where some do not.
    pub kept: Option<f64>,
    /// Of the matrix products, forward and backward, a second.
    pub gflops: f64,
    /// The processor's multiply-adds, measured in the same run; none on a GPU.
    pub peak_gflops: Option<f64>,
    /// `gflops / peak_gflops`.
    pub share_of_peak: Option<f64>,
    /// `milliseconds` over those of AAIS on the same task in the same run.
    pub times_aais: f64,
    /// The most memory that this process has had so far, the data's loading included, where the system tells it.
    pub peak_megabytes: Option<f64>,
    /// Wall milliseconds of the same step in PyTorch, the best of its steps, timed in turns with ours. It has no tail to
    /// leave out.
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

/// What is timed, and where.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The task with this architecture; all if none.
    pub task: Option<&'a str>,
    /// Threads of the operations on the processor, the peer's too.
    pub threads: usize,
    /// Where both train.
    pub device: &'a Device,
    /// A Python with PyTorch.
    pub peer: Option<&'a Path>,
    /// Data that are not made here.
    pub folder: Option<&'a Path>,
}

/// Times steps.
///
/// # Errors
/// If there is no such task, or its data are not there. Where all are asked for, those without data are left out and named.
pub fn step(request: &Request) -> Result<Vec<StepTime>> {
    let Request { task, device, folder, .. } = *request;
    let mut times = Vec::new();
    let mut known = Vec::new();
    let mut add = |name: &str, subjects: &dyn Fn() -> Result<Vec<Subject>>, needs_file: bool| -> Result<()> {
        known.push(name.to_owned());
        if task.is_some_and(|task| task != name) {
            return Ok(());
        }
        match subjects() {
            Err(error) if needs_file && task.is_none() => eprintln!("{name} is left out: {error:#}"),
            subjects => times.extend(compare(&subjects?, request)?),
        }
        Ok(())
    };
    for (target, _) in TARGETS {
        let config = Config::of(target)?;
        // A table that shows the cells of another trains nothing of its own; images come last, with two rows of AAIS.
        if Reported::of(target)?.cells.is_some() || config.task == Task::Images {
            continue;
        }
        let needs_file = config.task == Task::Clusters;
        let config = config.with_data(folder.filter(|_| needs_file));
        add(&config.architecture, &|| Subject::of(&config, device), needs_file)?;
    }
    add("mnist", &|| Subject::mnist(folder, device), true)?;
    ensure!(!times.is_empty(), "unknown task `{}`; known tasks are {}", task.unwrap_or_default(), known.join(", "));
    Ok(times)
}

/// Times rows of one task; the first is AAIS, whom the peer takes turns with.
fn compare(subjects: &[Subject], request: &Request) -> Result<Vec<StepTime>> {
    let mut times: Vec<StepTime> = subjects.iter().map(time).collect::<Result<_>>()?;
    if let (Some(python), Some(aais)) = (request.peer, subjects.first()) {
        for _ in 0..ROUNDS {
            let theirs = peer_step(python, aais, request)?;
            for (subject, found) in subjects.iter().zip(&mut times).filter(|(s, _)| s.transitions.is_none()) {
                let best = found.peer_milliseconds.map_or(theirs, |best| best.min(theirs));
                let again = time(subject)?;
                if again.milliseconds < found.milliseconds {
                    *found = again;
                }
                found.peer_milliseconds = Some(best);
            }
        }
    }
    let aais = times.first().map(|first| first.milliseconds);
    for found in &mut times {
        found.times_aais = found.milliseconds / aais.unwrap_or(found.milliseconds);
    }
    Ok(times)
}

/// The best of some steps of the same work in PyTorch.
fn peer_step(python: &Path, subject: &Subject, request: &Request) -> Result<f64> {
    let architecture = &subject.architecture;
    let task = serde_json::json!({
        "observed": architecture.observed, "signal": architecture.signal, "latent": architecture.latent,
        "hidden": architecture.hidden, "skip_encoder": architecture.skip_encoder,
        "skip_decoder": architecture.skip_decoder, "likelihood_parameters": architecture.likelihood_parameters,
        "likelihood": subject.likelihood, "variance": 0.3, "rows": subject.train.batch_size,
        "samples": subject.samples, "steps": subject.peer_steps, "threads": request.threads,
        "device": if request.device.is_cpu() { "cpu" } else { "cuda" },
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

fn time(subject: &Subject) -> Result<StepTime> {
    let mut trainer = subject.trainer()?;
    let n_steps = subject.n_steps()?;
    let (mut best, mut kept) = (f64::INFINITY, None);
    for _ in 0..EPOCHS {
        let started = Instant::now();
        let means = trainer.run_epoch()?;
        #[expect(clippy::cast_precision_loss, reason = "a speed")]
        let seconds = started.elapsed().as_secs_f64() / n_steps as f64;
        if seconds < best {
            (best, kept) = (seconds, means.values.get("kept").copied());
        }
    }
    let gflops = subject.operations(kept.unwrap_or(1.0))? / best / 1e9;
    let peak_gflops = if subject.data.device().is_cpu() { Some(peak_gflops()?) } else { None };
    Ok(StepTime {
        task: subject.task.clone(),
        method: subject.method.clone(),
        rows: subject.train.batch_size,
        samples: subject.samples,
        milliseconds: best * 1e3,
        kept,
        gflops,
        peak_gflops,
        share_of_peak: peak_gflops.map(|peak| gflops / peak),
        times_aais: 1.0,
        peak_megabytes: peak_megabytes(),
        peer_milliseconds: None,
    })
}
