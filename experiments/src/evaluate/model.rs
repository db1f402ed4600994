//! Trained models in files of their own.

use std::path::{Path, PathBuf};

use aais_distributions::Noise;
use aais_models::{Amortized, Checkpoint, Model, ScviModel, ScviWidths};
use anyhow::{Context, Result, bail, ensure};
use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::cell::{Cell, Protocol};
use crate::config::{Config, Method};
use crate::finished::cells_folder;
use crate::run::model_path;
use crate::task::Prepared;

/// What a model's file says of itself, beside its parameters by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelNote {
    /// `table2`, for example.
    pub table: String,
    /// Row name.
    pub method: String,
    /// Training seed.
    pub seed: u64,
    /// Full, quick or reduced.
    pub protocol: Protocol,
    /// Epochs trained.
    pub epochs: usize,
    /// That of its cell.
    pub config_hash: String,
    /// Version of the program.
    pub version: String,
    /// `avx512`, `avx2` or `portable`.
    pub instruction_set: String,
}

impl ModelNote {
    /// Of the model that a cell was measured on.
    pub fn of(cell: &Cell) -> Self {
        Self {
            table: cell.table.clone(),
            method: cell.method.clone(),
            seed: cell.seed,
            protocol: cell.protocol,
            epochs: cell.epochs,
            config_hash: cell.config_hash.clone(),
            version: cell.version.clone(),
            instruction_set: cell.instruction_set.clone(),
        }
    }

    /// One line.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }
}

/// Which parameters of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// Those of the last iterate.
    Last,
    /// Their exponential averages.
    Averaged,
}

/// A row and seed of a table, as `aais/1`; `aais-ema/1` for averaged parameters.
pub struct CellName {
    /// Row name.
    pub row: String,
    /// Training seed.
    pub seed: u64,
    /// Which parameters.
    pub which: Which,
}

impl CellName {
    /// From the command line.
    ///
    /// # Errors
    /// If it has another form.
    pub fn parse(text: &str) -> Result<Self> {
        let parts = text.split_once('/').and_then(|(row, seed)| Some((row, seed.parse().ok()?)));
        let (row, seed) =
            parts.with_context(|| format!("`{text}` names no cell; METHOD/SEED is wanted, such as aais/1"))?;
        let (row, which) = row.strip_suffix("-ema").map_or((row, Which::Last), |row| (row, Which::Averaged));
        Ok(Self { row: row.to_owned(), seed, which })
    }

    /// Where its model is kept below a folder of results.
    ///
    /// # Errors
    /// If there is no such target, the row is none of it or is not trained, or its model has not been kept.
    pub fn path(&self, target: &str, results: &Path, quick: bool) -> Result<PathBuf> {
        let config = Config::of(target)?;
        let mut trained = Vec::new();
        for method in &config.methods {
            if method.fit()?.is_none() {
                trained.push(method.row.as_str());
            }
        }
        if !trained.contains(&self.row.as_str()) {
            let is_fitted = config.methods.iter().any(|method| method.row == self.row);
            let what = if is_fitted { "is fitted or computed, and has no latent-variable model" } else { "is no row" };
            bail!("`{}` {what} of {target}; rows that are trained are {}", self.row, trained.join(", "));
        }
        let path = model_path(&cells_folder(results, target, quick)?, &self.row, self.seed);
        let (row, seed, option) = (&self.row, self.seed, if quick { " --quick" } else { "" });
        ensure!(
            path.exists(),
            "there is no model {}; train it by `cargo xtask reproduce {target}{option} --methods {row} --seeds {seed} \
             --keep-models --out {}`",
            path.display(),
            results.display()
        );
        Ok(path)
    }
}

/// A model with the data it was trained on.
pub struct KeptModel {
    /// What its file says.
    pub note: ModelNote,
    /// Its table's data.
    pub prepared: Prepared,
    config: Config,
    method: Method,
    which: Which,
    checkpoint: Checkpoint,
}

impl KeptModel {
    /// Reads a model's file, and prepares the data of its table: by the program's own config, or the one it was trained by.
    ///
    /// # Errors
    /// If the file is broken, the settings or data are others than the model was trained with, or it has no such parameters.
    pub fn read(path: &Path, which: Which, config: Option<&Path>, data: Option<&Path>) -> Result<Self> {
        let read = || -> Result<(Checkpoint, ModelNote)> {
            let checkpoint = Checkpoint::from_bytes(&std::fs::read(path)?)?;
            let note =
                serde_json::from_str(&checkpoint.note).context("it is no model that `--keep-models` has kept")?;
            Ok((checkpoint, note))
        };
        let (checkpoint, note) = read().with_context(|| format!("reading model {}", path.display()))?;
        let config = match config {
            Some(path) => Config::read(path)?,
            None => Config::of(&note.table)?,
        };
        let config = if note.protocol == Protocol::Quick { config.quick()? } else { config }.with_data(data);
        let method = config.methods.iter().find(|method| method.row == note.method).cloned();
        let method =
            method.with_context(|| format!("the config has no row `{}`, of which the model is", note.method))?;
        ensure!(
            config.hash(&method)? == note.config_hash,
            "{} was trained with other settings or data than these; name its config by --config, and the folder of its \
             data by --data-dir",
            path.display()
        );
        let has_average = checkpoint.vectors.keys().any(|name| name.starts_with("average."));
        ensure!(
            which == Which::Last || has_average,
            "{} keeps no averaged parameters: `average_rate` is 0 for `{}`",
            path.display(),
            note.method
        );
        let prepared = Prepared::new(&config).with_context(|| format!("data of {}", note.table))?;
        Ok(Self { note, prepared, config, method, which, checkpoint })
    }

    /// Which parameters it is evaluated with.
    pub fn which(&self) -> Which {
        self.which
    }

    /// The model itself; each thread has its own.
    ///
    /// # Errors
    /// If the file's parameters are not those of the model.
    pub fn build(&self) -> Result<Box<dyn Amortized>> {
        let device = Device::Cpu;
        if let Some(row) = self.method.scvi()? {
            let widths = ScviWidths { genes: self.prepared.counts().ncols(), hidden: row.hidden, latent: row.latent };
            return Ok(Box::new(self.load(ScviModel::new(widths, &Noise::new(0), &device)?)?));
        }
        let model = self.prepared.model(self.config.architecture_of(&self.method)?, self.note.seed, &device)?;
        Ok(Box::new(self.load(model)?))
    }

    fn load<M: Model>(&self, model: M) -> Result<M> {
        match self.which {
            Which::Last => self.checkpoint.load_into(&model)?,
            Which::Averaged => self.checkpoint.load_average_into(&model)?,
        }
        Ok(model)
    }
}
