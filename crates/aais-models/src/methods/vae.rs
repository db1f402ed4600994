//! The variational autoencoder (Kingma and Welling 2014). Paper, section 3.1.

use aais_distributions::Proposal;
use candle_core::Result;
use serde::Deserialize;

use crate::error::require;
use crate::model::LatentModel;
use crate::objective::{Loss, Objective, Step};
use crate::schedule::Schedule;

/// Maximizes `E_q[log p(x | z)] - beta KL(q || p)`, Eq. 3 with Eq. 4.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vae {
    /// Samples a row, `M`.
    pub n_samples: usize,
    /// Weight of the KL divergence; `1` is the evidence lower bound.
    pub beta: Schedule,
}

impl Objective for Vae {
    fn loss(&mut self, model: &LatentModel, step: &mut Step) -> Result<Loss> {
        let proposal = model.propose(step.batch)?;
        let z = proposal.sample(self.n_samples, step.noise)?;

        let reconstruction = model.joint(step.batch).log_likelihood(&z)?.mean(1)?; // Eq. 4
        let kl = proposal.kl_to_standard_normal()?; // Eq. 5

        let loss = step.batch.mean(&((&kl * self.beta.at(step.progress))? - &reconstruction)?)?; // -Eq. 3
        Loss::new(loss).with("reconstruction", step.batch, &reconstruction)?.with("kl", step.batch, &kl)
    }

    fn check(&self, _epochs: usize) -> crate::Result<()> {
        require(self.n_samples > 0, "n_samples", "at least 1", self.n_samples)
    }
}
