//! Milliseconds a training step, against the most multiply-adds this processor does.

use std::time::Instant;

use aais_distributions::Noise;
use aais_kernels::{InstructionSet, peak};
use aais_models::{Architecture, Trainer};
use anyhow::{Context, Result};
use candle_core::Device;
use serde::Serialize;

use crate::config::{Config, TARGETS};
use crate::task::Prepared;

/// Epochs that are timed; the best of them counts.
const EPOCHS: usize = 6;

/// One measured training step.
#[derive(Debug, Serialize)]
pub struct StepTime {
    /// `exp`, `mix`, `circle`.
    pub task: String,
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
}

/// Billions of floating-point operations a second in registers, one thread, the best of some bursts.
pub fn peak_gflops() -> f64 {
    let mut best: f64 = 0.0;
    for _ in 0..20 {
        let started = Instant::now();
        let operations = peak::burn(InstructionSet::best(), 2_000_000);
        #[expect(clippy::cast_precision_loss, reason = "a speed")]
        let rate = operations as f64 / started.elapsed().as_secs_f64() / 1e9;
        best = best.max(rate);
    }
    best
}

/// Times the AAIS step of the targets whose architecture is `task`, or of all.
///
/// # Errors
/// If there is no such task.
pub fn step(task: Option<&str>) -> Result<Vec<StepTime>> {
    let mut times = Vec::new();
    for (target, _) in TARGETS {
        let config = Config::of(target)?;
        if task.is_none_or(|task| task == config.architecture) {
            times.push(time(&config)?);
        }
    }
    let known: Vec<String> = TARGETS.iter().filter_map(|(t, _)| Config::of(t).ok()).map(|c| c.architecture).collect();
    let found = (!times.is_empty()).then_some(times);
    found.with_context(|| format!("unknown task `{}`; known tasks are {}", task.unwrap_or(""), known.join(", ")))
}

#[expect(clippy::cast_precision_loss, reason = "speeds")]
fn time(config: &Config) -> Result<StepTime> {
    let method = config.methods.iter().find(|method| method.row == "aais").context("this target has no aais row")?;
    let samples = method.settings.get("n_samples").and_then(toml::Value::as_integer).unwrap_or(1);
    let samples = usize::try_from(samples)?;
    let (device, prepared) = (Device::Cpu, Prepared::new(config)?);
    let data = prepared.tensor(&device)?;
    let rows = config.train.batch_size;
    // Whole batches only, so that every step is alike.
    let n_steps = data.dim(0)? / rows;
    let data = data.narrow(0, 0, n_steps * rows)?.contiguous()?;
    let noise = Noise::new(1);
    let mut trainer =
        Trainer::new(prepared.model(1, &device)?, method.objective()?, config.train.settings(), data, noise)?;
    let mut best = f64::INFINITY;
    for _ in 0..EPOCHS {
        let started = Instant::now();
        trainer.run_epoch()?;
        best = best.min(started.elapsed().as_secs_f64() / n_steps as f64);
    }

    let architecture = Architecture::paper(&config.architecture)?;
    let weights = |spec: aais_kernels::MlpSpec| -> usize {
        spec.parameters().iter().filter(|p| p.shape.len() == 2).map(|p| p.range.len()).sum()
    };
    // A product forward, one for the input's gradient, one for the weights': two operations each.
    let operations = 6 * rows * (weights(architecture.encoder()) + samples * weights(architecture.decoder()));
    let gflops = operations as f64 / best / 1e9;
    let peak_gflops = peak_gflops();
    let milliseconds = best * 1e3;
    let task = config.architecture.clone();
    Ok(StepTime { task, rows, samples, milliseconds, gflops, peak_gflops, share_of_peak: gflops / peak_gflops })
}
