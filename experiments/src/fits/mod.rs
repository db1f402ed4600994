//! Rows that are fitted instead of trained, without epochs and checkpoints.

mod embedding;
mod exact_gaussian;
mod mixed_model;
mod saturated;

use std::collections::BTreeMap;

use aais_glmm::{Measures, bernoulli_measures};
use anyhow::Result;

use crate::cell::{Generated, Outcome, Rows};
use crate::config::Task;
use crate::task::{Answers, Prepared};

use embedding::Embedding;
use exact_gaussian::ExactGaussian;
use mixed_model::MixedModel;
use saturated::Saturated;

/// A model that is fitted to the data of one task.
pub trait Fit: Send {
    /// Fits it; the same data and seed give the same bits.
    ///
    /// # Errors
    /// If the data are those of another task, or the model cannot be fitted.
    fn fit(&self, prepared: &Prepared, seed: u64) -> Result<Outcome>;

    /// The task whose data it is fitted to.
    fn task(&self) -> Task {
        Task::Answers
    }

    /// Whether every seed gives the same, so that one cell is enough.
    fn is_without_chance(&self) -> bool {
        true
    }
}

/// Makes a fit from its table in a config.
type Constructor = fn(toml::Table) -> Result<Box<dyn Fit>, toml::de::Error>;

/// The models that can be fitted.
pub const FITS: &[(&str, Constructor)] = &[
    ("mixed-model", |table| table.try_into::<MixedModel>().map(|fit| Box::new(fit) as _)),
    ("exact-gaussian", |table| table.try_into::<ExactGaussian>().map(|fit| Box::new(fit) as _)),
    ("pca", |table| Ok(Box::new(Embedding::pca(table.try_into()?)))),
    ("pacmap", |table| Ok(Box::new(Embedding::pacmap(table.try_into()?)))),
    ("tsne", |table| Ok(Box::new(Embedding::tsne(table.try_into()?)))),
    ("umap", |table| Ok(Box::new(Embedding::umap(table.try_into()?)))),
    ("saturated", |table| table.try_into::<Saturated>().map(|fit| Box::new(fit) as _)),
];

/// What every row of Table 7 shows of fitted probabilities and a marginal likelihood.
pub(crate) fn measures(outcomes: &[f64], probabilities: &[f64], marginal_nll: f64) -> Result<BTreeMap<String, f64>> {
    let Measures { conditional_nll, squared_pearson, squared_deviance } = bernoulli_measures(outcomes, probabilities)?;
    Ok(BTreeMap::from([
        ("cnll".to_owned(), conditional_nll),
        ("sspr".to_owned(), squared_pearson),
        ("ssdr".to_owned(), squared_deviance),
        ("marginal_nll".to_owned(), marginal_nll),
    ]))
}

/// Of a fit that has no law of effects to show.
pub(crate) fn no_draws(answers: &Answers) -> Result<Generated> {
    Ok(Generated::Rows(Rows::new(answers.names().to_vec(), Vec::new())?))
}
