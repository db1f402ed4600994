//! One row of a table: a method and what is its own.

use aais_models::Objective;
use aais_models::methods::{Aais, Almond, Amcvae, Iwae, Lmcvae, Vae};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::fits::{FITS, Fit};
use crate::scvi::ScviRow;

/// Makes a method from its table in a config.
type Constructor = fn(toml::Table) -> Result<Box<dyn Objective>, toml::de::Error>;

/// The methods that can be trained.
const METHODS: &[(&str, Constructor)] = &[
    ("vae", |table| table.try_into::<Vae>().map(|method| Box::new(method) as _)),
    ("iwae", |table| table.try_into::<Iwae>().map(|method| Box::new(method) as _)),
    ("amcvae", |table| table.try_into::<Amcvae>().map(|method| Box::new(method) as _)),
    ("lmcvae", |table| table.try_into::<Lmcvae>().map(|method| Box::new(method) as _)),
    ("almond", |table| table.try_into::<Almond>().map(|method| Box::new(method) as _)),
    ("aais", |table| table.try_into::<Aais>().map(|method| Box::new(method) as _)),
];

/// The method whose model is no latent model of ours.
const SCVI: &str = "scvi";

/// One row to train: its name in tables, its method, the method's settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Method {
    /// Row name, such as `iwae-published`.
    pub row: String,
    /// Method name, such as `iwae`.
    pub name: String,
    /// A model of its own by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// What differs in its training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<Differing>,
    /// Fewer training seeds than the table's, unless `--seeds` asks for more.
    #[serde(skip_serializing)]
    pub seeds: Option<u64>,
    /// Why and how it is trained by less than the paper's protocol; its cells are marked as reduced.
    #[serde(skip_serializing)]
    pub reduced: Option<String>,
    /// Trained only where `--full` or `--methods` asks for it.
    #[serde(default, skip_serializing)]
    pub on_request: bool,
    /// How its reconstruction error is taken, where images are reconstructed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconstruction: Option<Reconstruction>,
    /// Settings that `--quick` changes, `train` among them.
    #[serde(skip_serializing)]
    pub quick: Option<toml::Table>,
    /// Everything else.
    #[serde(flatten)]
    pub settings: toml::Table,
}

/// An estimate of the reconstruction error from samples of the proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reconstruction {
    /// Their mean, Eq. 4: the proposal is taken for the posterior.
    Proposal,
    /// Their importance-weighted mean, Eq. 16.
    Weighted,
}

/// Settings of training that one method has for itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differing {
    /// Instead of the table's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Instead of the table's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Instead of the table's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f32>,
    /// Instead of the table's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f32>,
    /// Instead of the table's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_rate: Option<f32>,
}

impl Method {
    /// The method itself.
    ///
    /// # Errors
    /// If there is no such method, or its settings are not its own.
    pub fn objective(&self) -> Result<Box<dyn Objective>> {
        let Some((_, make)) = METHODS.iter().find(|(name, _)| *name == self.name) else {
            let known = METHODS.iter().map(|(name, _)| *name).chain([SCVI]).chain(FITS.iter().map(|(name, _)| *name));
            bail!("unknown method `{}`; known methods are {}", self.name, known.collect::<Vec<_>>().join(", "));
        };
        make(self.settings.clone()).with_context(|| format!("settings of method `{}`", self.row))
    }

    /// The model, where it is one that is fitted instead of trained.
    ///
    /// # Errors
    /// If its settings are not its own.
    pub fn fit(&self) -> Result<Option<Box<dyn Fit>>> {
        let Some((_, make)) = FITS.iter().find(|(name, _)| *name == self.name) else { return Ok(None) };
        let fit = make(self.settings.clone()).with_context(|| format!("settings of method `{}`", self.row))?;
        Ok(Some(fit))
    }

    /// scVI, whose model is one of its own.
    ///
    /// # Errors
    /// If its settings are not its own.
    pub fn scvi(&self) -> Result<Option<ScviRow>> {
        if self.name != SCVI {
            return Ok(None);
        }
        let row = self.settings.clone().try_into().with_context(|| format!("settings of method `{}`", self.row))?;
        Ok(Some(row))
    }

    /// With what `quick` changes; without epochs of its own there, at most the table's quick epochs.
    pub(super) fn quicken(&mut self, epochs: usize) -> Result<()> {
        if let Some(train) = &mut self.train {
            train.epochs = train.epochs.map(|own| own.min(epochs));
        }
        let Some(mut quick) = self.quick.take() else { return Ok(()) };
        if let Some(train) = quick.remove("train") {
            let changed: Differing = train.try_into().with_context(|| format!("`quick` of method `{}`", self.row))?;
            let train = self.train.get_or_insert_default();
            train.epochs = changed.epochs.or(train.epochs);
            train.batch_size = changed.batch_size.or(train.batch_size);
            train.learning_rate = changed.learning_rate.or(train.learning_rate);
            train.weight_decay = changed.weight_decay.or(train.weight_decay);
            train.average_rate = changed.average_rate.or(train.average_rate);
        }
        self.settings.extend(quick);
        Ok(())
    }
}
