//! `evaluate`: how likely a trained model finds data.

mod model;
mod told;
mod work;

use std::path::{Path, PathBuf};

use aais_distributions::Noise;
use aais_kernels::InstructionSet;
use aais_models::{AnnealedImportance, Batch, ChainStart, Importance, Simulated};
use anyhow::{Context, Result, bail, ensure};
use candle_core::{Device, Tensor};
use clap::{Args, ValueEnum};
use ndarray::Array2;
use serde::Serialize;

use crate::data::data_folder;
use crate::report::write_atomically;

pub use model::ModelNote;
use model::{CellName, KeptModel, Which};
use told::{AnnealedTold, ImportanceTold, Told, csv};
use work::by_parts;

/// Rows of importance sampling that a thread takes at once; their results do not depend on it.
const SAMPLED_AT_ONCE: usize = 8;

/// Rows whose chains go together. Their random numbers belong to all of them, so it is part of a result.
const ANNEALED_AT_ONCE: usize = 64;

/// Most of samples, chains or temperatures: far more than any use, and few enough that a slip does not take all memory.
const MOST: usize = 10_000_000;

/// Which model, which data, and how well.
#[derive(Args, Clone, Debug)]
pub struct Evaluate {
    /// table2 to table7 or figure1; or the file of a model that `reproduce --keep-models` has kept
    pub target: String,
    /// METHOD/SEED of the target, such as aais/1; aais-ema/1 for averaged parameters
    pub cell: Option<String>,
    /// Which rows
    #[arg(long, value_enum, default_value_t = DataName::Test)]
    pub data: DataName,
    /// Importance samples of each row
    #[arg(long, value_name = "N", default_value_t = 5000)]
    pub samples: usize,
    /// So many rows, chosen at random by the seed [default: all]
    #[arg(long, value_name = "N")]
    pub rows: Option<usize>,
    /// Multiply the proposal's standard deviations by this
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub widen: f64,
    /// Share of the samples that come from the prior instead of the proposal
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub prior_share: f64,
    /// Bounds by annealed importance sampling too: from below, and on simulated data from above
    #[arg(long)]
    pub ais: bool,
    /// Temperatures of `--ais`, 0 and 1 among them
    #[arg(long, value_name = "N", default_value_t = 500, requires = "ais")]
    pub temperatures: usize,
    /// Chains of `--ais`, of each row
    #[arg(long, value_name = "N", default_value_t = 16, requires = "ais")]
    pub chains: usize,
    /// Where chains of `--ais` come from
    #[arg(long, value_enum, default_value_t = StartName::Prior, requires = "ais")]
    pub start: StartName,
    /// Of all random numbers of the evaluation
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Averaged parameters of a model's file
    #[arg(long)]
    pub averaged: bool,
    /// JSON instead of a table
    #[arg(long)]
    pub json: bool,
    /// Write a line for each row to this CSV file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Folder that holds the target's folder
    #[arg(long, value_name = "DIR", default_value = "target/reproduce")]
    pub results: PathBuf,
    /// The model of the quick run
    #[arg(long)]
    pub quick: bool,
    /// The config that the model was trained by, if not the program's own
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data folder; if left out the environment variable `AAIS_DATA_DIR`, and without that `aais` in your cache folder
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Threads; the number of cores if left out. The result does not depend on it
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
}

/// Rows to evaluate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DataName {
    /// Of the same law, not seen in training
    Test,
    /// Those that the model was trained on
    Train,
    /// Drawn from the model itself, with the covariates of the training data
    Simulated,
}

/// Where annealed chains come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StartName {
    /// The prior, which knows nothing of the encoder
    Prior,
    /// The encoder's proposal
    Proposal,
}

impl Evaluate {
    /// Evaluates, prints, and writes the CSV file if one is asked for.
    ///
    /// # Errors
    /// If an option or the model's file is wrong, or a row has no log-likelihood; nothing is written then.
    pub fn run(&self) -> Result<()> {
        let (importance, annealed) = self.settings()?;
        let (path, which) = self.model()?;
        let folder = data_folder(self.data_dir.clone());
        let kept = KeptModel::read(&path, which, self.config.as_deref(), folder.as_deref())?;
        let (batch, exact, n_rows_of_all) = self.rows(&kept)?;
        let n_rows = batch.rows.len();
        let jobs = self.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));

        let noise = Noise::new(self.seed).fork("evaluate");
        let of_importance = noise.fork("importance");
        let sampled =
            by_parts("importance sampling", &kept, n_rows, SAMPLED_AT_ONCE, jobs, &|model, first, length| {
                Ok(importance.log_likelihoods(model, &batch.narrow(first, length)?, &of_importance)?)
            })?;
        let of_chains = noise.fork("annealed");
        let anneal = |settings: &AnnealedImportance| {
            by_parts("annealing", &kept, n_rows, ANNEALED_AT_ONCE, jobs, &|model, first, length| {
                let exact = exact.as_ref().map(|exact| exact.narrow(0, first, length)).transpose()?;
                Ok(settings.bounds(model, &batch.narrow(first, length)?, exact.as_ref(), &of_chains)?)
            })
        };
        let bounds = annealed.as_ref().map(anneal).transpose()?;

        let told = Told {
            parameters: kept.which(),
            data: self.data,
            source: kept.prepared.source().map(ToOwned::to_owned),
            n_rows,
            n_rows_of_all,
            seed: self.seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instruction_set: InstructionSet::best().name().to_owned(),
            importance: ImportanceTold::new(&importance, &sampled),
            annealed: annealed.zip(bounds.as_ref()).map(|(settings, bounds)| AnnealedTold::new(&settings, bounds)),
            model: kept.note,
        };
        if let Some(path) = &self.out {
            write_atomically(path, csv(&batch.rows, &sampled, bounds.as_deref()).as_bytes())?;
        }
        println!("{}", if self.json { told.json()? } else { told.text().trim_end().to_owned() });
        Ok(())
    }

    /// What is estimated how.
    fn settings(&self) -> Result<(Importance, Option<AnnealedImportance>)> {
        for (name, value) in [("samples", self.samples), ("temperatures", self.temperatures), ("chains", self.chains)] {
            ensure!(value <= MOST, "--{name} must be at most {MOST}, got {value}");
        }
        ensure!(self.jobs != Some(0), "--jobs must be at least 1");
        ensure!(self.rows != Some(0), "--rows must be at least 1");
        let Self { samples: n_samples, widen, prior_share, .. } = *self;
        let importance = Importance { n_samples, widen, prior_share };
        importance.check()?;
        let start = match self.start {
            StartName::Prior => ChainStart::Prior,
            StartName::Proposal => ChainStart::Proposal,
        };
        let (n_temperatures, n_chains) = (self.temperatures, self.chains);
        let annealed = self.ais.then_some(AnnealedImportance { n_temperatures, n_chains, n_moves: 1, start });
        annealed.map_or(Ok(()), |annealed| annealed.check())?;
        Ok((importance, annealed))
    }

    /// The model's file, and which of its parameters.
    fn model(&self) -> Result<(PathBuf, Which)> {
        let which = if self.averaged { Which::Averaged } else { Which::Last };
        let file = Path::new(&self.target);
        match &self.cell {
            Some(cell) => {
                let name = CellName::parse(cell)?;
                let which = if self.averaged { which } else { name.which };
                Ok((name.path(&self.target, &self.results, self.quick)?, which))
            }
            None if file.is_file() => Ok((file.to_owned(), which)),
            None if self.target.ends_with(".safetensors") => bail!("there is no file {}", file.display()),
            None => bail!(
                "`{}` is no file of a model; name one, or a target and METHOD/SEED, such as `evaluate table2 aais/1`",
                self.target
            ),
        }
    }

    /// The rows with their positions, the posterior draws they come from where they are simulated, and how many there are
    /// to choose from.
    fn rows(&self, kept: &KeptModel) -> Result<(Batch, Option<Tensor>, usize)> {
        let all = match self.data {
            DataName::Test => kept.prepared.test_rows().with_context(|| kept.note.table.clone())?,
            DataName::Train | DataName::Simulated => kept.prepared.counts().clone(),
        };
        let (noise, n) = (Noise::new(self.seed), all.nrows());
        let wanted = self.rows.unwrap_or(n);
        ensure!(wanted <= n, "--rows {wanted}: there are only {n}");
        let mut positions = noise.fork("rows").permutation(n);
        positions.truncate(wanted);
        positions.sort_unstable();
        let batch = Batch::of_rows(tensor(&all, &positions)?, positions);
        if self.data != DataName::Simulated {
            return Ok((batch, None, n));
        }
        let Simulated { batch, z } = kept.build()?.draw(&batch, &noise.fork("simulated"))?;
        Ok((batch, Some(z), n))
    }
}

/// Some rows in single precision.
fn tensor(all: &Array2<f64>, positions: &[usize]) -> Result<Tensor> {
    #[expect(clippy::cast_possible_truncation, reason = "models are in single precision")]
    let values: Vec<f32> = positions.iter().flat_map(|&row| all.row(row).to_vec()).map(|value| value as f32).collect();
    Ok(Tensor::from_vec(values, (positions.len(), all.ncols()), &Device::Cpu)?)
}
