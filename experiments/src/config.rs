//! An experiment as its TOML file says it.

use std::path::Path;

use aais_models::{Architecture, TrainSettings};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::task::find_data;

mod data;
mod limits;
mod method;

pub use data::{CircleData, CopulaData, CopulaDraw, CortexData, CortexTable, Data, ImageData};
pub use method::{Differing, Method, Reconstruction};

/// The tables and figures that can be reproduced, with their configs.
pub const TARGETS: &[(&str, &str)] = &[
    ("table2", include_str!("../configs/table2.toml")),
    ("table3", include_str!("../configs/table3.toml")),
    ("table4", include_str!("../configs/table4.toml")),
    ("table7", include_str!("../configs/table7.toml")),
    ("table9", include_str!("../configs/table7.toml")),
    ("figure1", include_str!("../configs/figure1.toml")),
    // Last, for they need files that the program does not make: `all` has the others by then.
    ("table5", include_str!("../configs/table5.toml")),
    ("table6", include_str!("../configs/table6.toml")),
];

/// A whole experiment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Heading of the report.
    pub title: String,
    /// What is done with a trained model.
    pub task: Task,
    /// A model of the paper by name.
    pub architecture: String,
    /// Training seeds are `1..=seeds`.
    pub seeds: u64,
    /// The data set.
    pub data: Data,
    /// How models are trained.
    pub train: Train,
    /// How they are judged.
    pub evaluate: Evaluate,
    /// What `--quick` changes.
    pub quick: Quick,
    /// Rows to train.
    pub methods: Vec<Method>,
}

/// What is done with a trained model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Recover the law of a signal from noisy observations.
    Signal,
    /// Generate points on a circle.
    Circle,
    /// Recover the joint law of a signal from counts.
    Copula,
    /// Explain answers of yes and no.
    Answers,
    /// Find classes of cells in a representation of their counts.
    Clusters,
    /// Generate images, and reconstruct those that training has not seen.
    Images,
}

/// How models are trained.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Passes over the data.
    pub epochs: usize,
    /// Rows of a batch.
    pub batch_size: usize,
    /// Adam's step length.
    pub learning_rate: f32,
    /// Coupled L2 decay.
    pub weight_decay: f32,
    /// Rate of the parameters' exponential average; `0` for none.
    pub average_rate: f32,
    /// Equal rows of a batch are visited once, with their count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub join_equal_rows: bool,
}

impl Train {
    /// What the training loop takes.
    pub fn settings(&self) -> TrainSettings {
        TrainSettings {
            batch_size: self.batch_size,
            learning_rate: self.learning_rate,
            weight_decay: self.weight_decay,
            average_rate: self.average_rate,
            join_equal_rows: self.join_equal_rows,
        }
    }
}

/// How models are judged.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluate {
    /// Draws from the trained model; none for what is not judged by them. Images are shown, not judged.
    #[serde(default)]
    pub n_generated: usize,
    /// Bins that are kept of a signal.
    pub histogram: Option<Bins>,
    /// Points that are kept of a plane.
    pub n_points: Option<usize>,
    /// Radius of the hole that a circle should have.
    pub inside: Option<f64>,
    /// Starts of k-means, of whose results the best is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<usize>,
    /// Latent samples of a row that is reconstructed, `M`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_samples: Option<usize>,
    /// Rows that are shown as they are reconstructed, the first ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_reconstructed: Option<usize>,
}

/// Equal bins.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bins {
    /// Left end.
    pub low: f64,
    /// Right end.
    pub high: f64,
    /// How many.
    pub bins: usize,
}

/// What `--quick` changes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quick {
    /// Epochs instead of the paper's.
    pub epochs: usize,
    /// Seeds instead of the paper's.
    pub seeds: u64,
    /// Images to train on and to reconstruct, the first ones of each file, instead of all.
    pub images: Option<[usize; 2]>,
}

impl Config {
    /// The config of a target that the program brings along.
    ///
    /// # Errors
    /// If there is no such target.
    pub fn of(target: &str) -> Result<Self> {
        let Some((_, text)) = TARGETS.iter().find(|(name, _)| *name == target) else {
            let known: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
            bail!("unknown target `{target}`; known targets are {}, all", known.join(", "));
        };
        Self::parse(text).with_context(|| format!("config of {target}"))
    }

    /// A config from a file.
    ///
    /// # Errors
    /// If it cannot be read or is wrong; the message shows the line.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("config {}", path.display()))
    }

    /// A config from text, every setting checked, those of `quick` tables too.
    ///
    /// # Errors
    /// On unknown keys, wrong types, values out of range, unknown methods.
    pub fn parse(text: &str) -> Result<Self> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        config.clone().quick()?;
        Ok(config)
    }

    /// The same with the data that a folder holds, where files are looked for.
    #[must_use]
    pub fn with_data(mut self, folder: Option<&Path>) -> Self {
        find_data(&mut self, folder);
        self
    }

    /// The same with every file or draw of the data that a finished cell may have been trained on.
    pub fn with_any_data(&self) -> Vec<Self> {
        let with = |data| Self { data, ..self.clone() };
        match &self.data {
            Data::Copula(copula) => [CopulaDraw::Published, CopulaDraw::Own]
                .map(|draw| with(Data::Copula(CopulaData { draw: Some(draw), ..copula.clone() })))
                .into(),
            Data::Cortex(cortex) => [CortexTable::Published, CortexTable::Extract]
                .map(|table| with(Data::Cortex(CortexData { table: Some(table), ..cortex.clone() })))
                .into(),
            _ => vec![self.clone()],
        }
    }

    /// With the epochs and seeds of `--quick`.
    ///
    /// # Errors
    /// If a `quick` table holds what is no setting or out of range.
    pub fn quick(mut self) -> Result<Self> {
        self.train.epochs = self.quick.epochs;
        self.seeds = self.quick.seeds;
        if let (Some([train, test]), Data::Mnist(images)) = (self.quick.images, &mut self.data) {
            (images.train_rows, images.test_rows) = (train, test);
        }
        for method in &mut self.methods {
            method.quicken(self.quick.epochs)?;
        }
        self.check().context("with the settings of `quick`")?;
        Ok(self)
    }

    /// How a method is trained: the table's settings, and what differs.
    pub fn train_of(&self, method: &Method) -> Train {
        let own = method.train.clone().unwrap_or_default();
        Train {
            epochs: own.epochs.unwrap_or(self.train.epochs),
            batch_size: own.batch_size.unwrap_or(self.train.batch_size),
            learning_rate: own.learning_rate.unwrap_or(self.train.learning_rate),
            weight_decay: own.weight_decay.unwrap_or(self.train.weight_decay),
            average_rate: own.average_rate.unwrap_or(self.train.average_rate),
            join_equal_rows: self.train.join_equal_rows,
        }
    }

    /// The model that a method trains.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn architecture_of(&self, method: &Method) -> Result<Architecture> {
        Ok(Architecture::paper(method.architecture.as_ref().unwrap_or(&self.architecture))?)
    }

    /// SHA-256 of all that a cell of this method depends on beside its seed and the program.
    ///
    /// # Errors
    /// If a setting cannot be written as JSON.
    pub fn hash(&self, method: &Method) -> Result<String> {
        let train = self.train_of(method);
        let text = match method.fit()? {
            Some(fit) if fit.is_without_chance() => serde_json::to_string(&(&self.data, method))?,
            Some(_) => serde_json::to_string(&(&self.data, &self.evaluate, method))?,
            None => serde_json::to_string(&(&self.architecture, &self.data, &train, &self.evaluate, method))?,
        };
        Ok(Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn message(from: &str, to: &str) -> String {
        let text = TARGETS[0].1;
        assert!(text.contains(from));
        format!("{:#}", Config::parse(&text.replace(from, to)).unwrap_err())
    }

    #[test]
    fn every_target_has_a_valid_config() {
        for (target, _) in TARGETS {
            Config::of(target).unwrap();
        }
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        assert!(message("batch_size", "batchsize").contains("batchsize"));
        assert!(message("epochs = 1000", "epochs = -5").contains("epochs = -5"));
        assert!(message("epochs = 1000", "epochs = \"many\"").contains("epochs = \"many\""));
        assert!(
            message("name = \"vae\"", "name = \"vea\"")
                .contains("known methods are vae, iwae, amcvae, lmcvae, almond, aais, scvi")
        );
        assert!(message("prior = \"published\"", "prior = \"wide\"").contains("wide"));
        assert!(message("power = 1.0", "powr = 1.0").contains("powr"));
        assert!(message("learning_rate = 1e-4", "learning_rate = 1e-4\nrate = 2").contains("rate"));
    }

    #[test]
    fn the_hash_names_settings() {
        let config = Config::of("table2").unwrap();
        let hash = |config: &Config, k: usize| config.hash(&config.methods[k]).unwrap();
        assert_eq!(hash(&config, 0), hash(&config, 0));
        assert_ne!(hash(&config, 0), hash(&config, 1));
        assert_ne!(hash(&config, 0), hash(&config.clone().quick().unwrap(), 0));
    }
}
