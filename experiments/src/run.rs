//! Cells: trained side by side, resumed where a run was cut off, never trained twice.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aais_distributions::Noise;
use aais_kernels::InstructionSet;
use aais_models::{Checkpoint, Error as ModelError, LatentModel, Model, Trainer};
use anyhow::{Context, Result, bail, ensure};
use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::cell::{Cell, EpochDiagnostics, Outcome, Protocol, Timing};
use crate::config::{Config, Method, Task};
use crate::evaluate::ModelNote;
use crate::fits::Fit;
use crate::report::{remove_with_partial, write_atomically};
use crate::task::{Prepared, with_error_of};

/// Points of a training history that a cell keeps.
const HISTORY: usize = 40;

/// Named in a cell in place of the processor's instructions.
const CUDA: &str = "cuda";

/// Seconds between two checkpoints, where nothing else is asked for.
pub const CHECKPOINT_SECONDS: u64 = 5;

/// A cell to train.
pub struct Job<'a> {
    /// `table2`, for example.
    pub target: &'a str,
    /// Settings, with `--quick` applied.
    pub config: &'a Config,
    /// The row.
    pub method: &'a Method,
    /// Training seed.
    pub seed: u64,
    /// Full, quick or reduced.
    pub protocol: Protocol,
    /// The target's folder.
    pub directory: &'a Path,
    /// Time between two checkpoints.
    pub checkpoint_every: Duration,
    /// Whether the trained model is kept in a file of its own, for `evaluate`.
    pub keeps_model: bool,
    /// Where networks are trained.
    pub device: Device,
}

/// What a run keeps in a checkpoint beside the trainer's state.
#[derive(Default, Serialize, Deserialize)]
struct Note {
    seconds: f64,
    history: Vec<EpochDiagnostics>,
}

impl Job<'_> {
    /// Where the finished cell lies.
    pub fn path(&self) -> PathBuf {
        self.directory.join("cells").join(&self.method.row).join(format!("{}.json", self.seed))
    }

    /// Where the trained model lies if it is kept.
    pub fn model_path(&self) -> PathBuf {
        model_path(self.directory, &self.method.row, self.seed)
    }

    /// Whether there is a finished cell, and its model where that is kept.
    ///
    /// # Errors
    /// As [`finished`](Self::finished).
    pub fn is_done(&self) -> Result<bool> {
        let has_model = !self.keeps_model || self.method.fit()?.is_some() || self.model_path().exists();
        Ok(self.finished()?.is_some() && has_model)
    }

    /// The finished cell, if it is there and of these settings.
    ///
    /// # Errors
    /// If the file is broken, or belongs to other settings.
    pub fn finished(&self) -> Result<Option<Cell>> {
        let path = self.path();
        if !path.exists() {
            return Ok(None);
        }
        let cell = Cell::read(&path)?;
        if cell.config_hash != self.config.hash(self.method)?
            || cell.method != self.method.row
            || cell.seed != self.seed
        {
            bail!("{} was trained with other settings; choose another --out or delete its folder", path.display());
        }
        Ok(Some(cell))
    }

    /// Trains the cell, or goes on from its checkpoint; `tell` hears of each epoch.
    ///
    /// # Errors
    /// If training meets a number that is not finite, a checkpoint is broken, or a file cannot be written.
    pub fn run(&self, prepared: &Prepared, tell: &dyn Fn(&EpochDiagnostics)) -> Result<Cell> {
        if let Some(fit) = self.method.fit()? {
            return self.run_fit(&*fit, prepared);
        }
        let (train, data) = (self.config.train_of(self.method).settings(), prepared.tensor(&self.device)?);
        if let Some(scvi) = self.method.scvi()? {
            let trainer = scvi.trainer(&data, train, self.seed)?;
            return self.train(trainer, prepared, &|model| prepared.evaluate_scvi(model, self.seed), tell);
        }
        let model = prepared.model(self.config.architecture_of(self.method)?, self.seed, &self.device)?;
        let trainer = Trainer::new(model, self.method.objective()?, train, data, Noise::new(self.seed).fork("train"))?;
        let evaluate =
            |model: &LatentModel| Ok(with_error_of(prepared.evaluate(model, self.seed)?, self.method.reconstruction));
        self.train(trainer, prepared, &evaluate, tell)
    }

    /// Trains to the last epoch, with checkpoints on the way.
    fn train<M: Model>(
        &self,
        mut trainer: Trainer<M>,
        prepared: &Prepared,
        evaluate: &dyn Fn(&M) -> Result<Outcome>,
        tell: &dyn Fn(&EpochDiagnostics),
    ) -> Result<Cell> {
        let epochs = self.config.train_of(self.method).epochs;
        let hash = self.config.hash(self.method)?;
        let fingerprint =
            format!("{hash} {} {} {}", self.seed, env!("CARGO_PKG_VERSION"), instruction_set(&self.device));
        let checkpoint_path = self.path().with_extension("checkpoint");
        let mut note = Note::default();
        if checkpoint_path.exists() {
            let mut read = || -> Result<Note> {
                let checkpoint = Checkpoint::from_bytes(&std::fs::read(&checkpoint_path)?)?;
                trainer.restore(&checkpoint, &fingerprint)?;
                Ok(serde_json::from_str(&checkpoint.note)?)
            };
            note = read().with_context(|| format!("resuming from {}", checkpoint_path.display()))?;
        }

        let started = Instant::now();
        let before = note.seconds;
        let mut saved = Instant::now();
        while trainer.epoch() < epochs {
            let means = match trainer.run_epoch() {
                Ok(means) => means,
                Err(error @ ModelError::NonFinite { .. }) => {
                    let path = self.path().with_extension("last-good.checkpoint");
                    write_atomically(&path, &trainer.checkpoint(&fingerprint, "{}")?.to_bytes()?)?;
                    return Err(error).with_context(|| format!("the last finite state is in {}", path.display()));
                }
                Err(error) => return Err(error.into()),
            };
            let diagnostics = EpochDiagnostics { epoch: means.epoch, values: means.values };
            tell(&diagnostics);
            if means.epoch % epochs.div_ceil(HISTORY) == 0 || means.epoch == epochs {
                note.history.push(diagnostics);
            }
            note.seconds = before + started.elapsed().as_secs_f64();
            if saved.elapsed() >= self.checkpoint_every && trainer.epoch() < epochs {
                let bytes = trainer.checkpoint(&fingerprint, &serde_json::to_string(&note)?)?.to_bytes()?;
                write_atomically(&checkpoint_path, &bytes)?;
                saved = Instant::now();
            }
        }

        let mut outcome = evaluate(trainer.model())?;
        let averaged = trainer.with_average(evaluate)?.transpose()?;
        if self.config.task == Task::Clusters {
            // Of the last epoch: whether the samples of a row had weights that differ.
            let ess = note.history.last().and_then(|epoch| epoch.values.get("ess"));
            outcome.metrics.extend(ess.map(|ess| ("ess".to_owned(), *ess)));
        }
        let seconds = before + started.elapsed().as_secs_f64();
        let cell = Cell { epochs, averaged, diagnostics: note.history, ..self.cell(prepared, outcome, seconds)? };
        let kept = self.finished()?;
        if let Some(kept) = &kept {
            let is_same = kept.outcome == cell.outcome && kept.averaged == cell.averaged;
            ensure!(is_same, "{}", other_cell(&self.path(), kept));
        }
        if self.keeps_model {
            let model = trainer.checkpoint(&fingerprint, &ModelNote::of(&cell).to_json()?)?.without_training();
            write_atomically(&self.model_path(), &model.to_bytes()?)?;
        }
        if kept.is_none() {
            write_atomically(&self.path(), format!("{}\n", serde_json::to_string_pretty(&cell)?).as_bytes())?;
        }
        remove_with_partial(&checkpoint_path)?;
        Ok(kept.unwrap_or(cell))
    }

    /// Fits the cell, which takes no epochs and keeps no checkpoint.
    fn run_fit(&self, fit: &dyn Fit, prepared: &Prepared) -> Result<Cell> {
        let started = Instant::now();
        let outcome = fit.fit(prepared, self.seed)?;
        let cell = self.cell(prepared, outcome, started.elapsed().as_secs_f64())?;
        write_atomically(&self.path(), format!("{}\n", serde_json::to_string_pretty(&cell)?).as_bytes())?;
        Ok(cell)
    }

    /// The cell of an outcome, of no epochs as yet.
    fn cell(&self, prepared: &Prepared, outcome: Outcome, seconds: f64) -> Result<Cell> {
        Ok(Cell {
            table: self.target.to_owned(),
            method: self.method.row.clone(),
            seed: self.seed,
            protocol: self.protocol,
            epochs: 0,
            config_hash: self.config.hash(self.method)?,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instruction_set: instruction_set(&self.device).to_owned(),
            machine: if self.device.is_cpu() { processor() } else { gpu() },
            data: prepared.source().map(ToOwned::to_owned),
            outcome,
            averaged: None,
            diagnostics: Vec::new(),
            timing: Timing { seconds },
        })
    }
}

/// Where a target's folder keeps a trained model.
pub fn model_path(directory: &Path, row: &str, seed: u64) -> PathBuf {
    directory.join("models").join(row).join(format!("{seed}.safetensors"))
}

/// A cell was trained again for its model, and is another one.
fn other_cell(path: &Path, kept: &Cell) -> String {
    format!(
        "trained again for its model, the cell has other numbers than {} has from version {} on {}; choose another --out",
        path.display(),
        kept.version,
        kept.instruction_set
    )
}

/// What decides the bits of a training: the fused operations' instructions, or that there are none on a GPU.
fn instruction_set(device: &Device) -> &'static str {
    if device.is_cpu() { InstructionSet::best().name() } else { CUDA }
}

/// The first GPU's name where the system tells it.
fn gpu() -> String {
    let folders = std::fs::read_dir("/proc/driver/nvidia/gpus").into_iter().flatten().flatten();
    let mut told: Vec<_> = folders.map(|folder| folder.path().join("information")).collect();
    told.sort();
    let text = told.first().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("Model:")).map(|name| name.trim().to_owned());
    name.unwrap_or_else(|| "NVIDIA GPU".to_owned())
}

/// The processor's name where the system tells it, else its architecture.
fn processor() -> String {
    let name = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        line.split(':').nth(1).map(|name| name.trim().to_owned())
    });
    name.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}
