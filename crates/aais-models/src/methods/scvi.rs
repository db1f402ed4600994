//! Single-cell variational inference (Lopez et al. 2018), trained as scvi-tools does. Paper, Table 6.

use aais_distributions::Proposal;
use candle_core::{Result, bail};
use serde::Deserialize;

use crate::adam::AdamSettings;
use crate::error::require;
use crate::objective::{Loss, Objective, Rule, Step, Update};
use crate::schedule::{Progress, Schedule};
use crate::scvi::ScviModel;
use crate::train::TrainSettings;

/// Maximizes `E_q[log p(x | z)] - kl_weight KL(q || p)` with one sample a row.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scvi {
    /// Probability that a value of the encoder's hidden layer is dropped; 0.1 in scvi-tools.
    pub dropout: f32,
    /// Weight of the KL divergence; in scvi-tools it rises from 0 to 1 in 400 epochs.
    pub kl_weight: Schedule,
    /// Adam's epsilon; 0.01 in scvi-tools.
    pub adam_epsilon: f32,
}

impl Objective<ScviModel> for Scvi {
    fn loss(&mut self, model: &ScviModel, step: &mut Step) -> Result<Loss> {
        if step.batch.counts.is_some() {
            bail!("a batch normalization takes rows one by one; turn `join_equal_rows` off");
        }
        let mut dropped = step.noise.fork("dropout");
        let proposal = model.propose_in_training(step.batch, self.dropout, &mut dropped)?;
        let z = proposal.value.sample(1, step.noise)?.squeeze(1)?;

        let log_likelihood = model.log_likelihood_in_training(&z, step.batch)?;
        let kl = proposal.value.kl_to_standard_normal()?;

        let loss = step.batch.mean(&((&kl * self.kl_weight.at(step.progress))? - &log_likelihood.value)?)?;
        Loss::new(loss)
            .with_buffers([proposal.running, log_likelihood.running].concat())
            .with("reconstruction", step.batch, &log_likelihood.value)?
            .with("kl", step.batch, &kl)
    }

    fn check(&self, _epochs: usize) -> crate::Result<()> {
        require((0.0..1.0).contains(&self.dropout), "dropout", "at least 0 and below 1", self.dropout)?;
        let is_epsilon = self.adam_epsilon.is_finite() && self.adam_epsilon > 0.0;
        require(is_epsilon, "adam_epsilon", "a positive number", self.adam_epsilon)
    }

    fn update(&self, _: Progress, settings: &TrainSettings) -> Update {
        Rule::Adam(AdamSettings { epsilon: self.adam_epsilon, ..settings.adam() }).into()
    }
}
