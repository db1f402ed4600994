//! The importance-weighted autoencoder (Burda et al. 2015).

use aais_distributions::{LogDensity, Proposal, StandardNormal};
use aais_importance::{effective_sample_size, iwae_bound, self_normalized, stop_tail, weights};
use candle_core::Result;
use serde::Deserialize;

use crate::error::require;
use crate::model::LatentModel;
use crate::objective::{Loss, Objective, Step};

/// Which prior stands in the importance weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IwaePrior {
    /// `N(0, I)`, the model's own: the correct method.
    Standard,
    /// `N(0, 2 I)`, as in the authors' code, while data are generated from `N(0, I)`. Deviation 2.
    Published,
}

/// Maximizes `log 1/M sum_i p(x, z_i) / q(z_i | x)`, a lower bound of `log p(x)` that rises with `M`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Iwae {
    /// Samples a row, `M`.
    pub n_samples: usize,
    /// The prior of the weights.
    pub prior: IwaePrior,
    /// Share of each row's weight whose lightest samples give no gradient; `0` leaves out none.
    ///
    /// The bound stays as it is. Its gradient misses at most this share of its steepest sample.
    /// Wide decoders then work on the heavy samples only on the way back.
    #[serde(default)]
    pub weight_tail: f64,
}

impl Objective for Iwae {
    fn loss(&mut self, model: &LatentModel, step: &mut Step) -> Result<Loss> {
        let proposal = model.propose(step.batch)?;
        let z = proposal.sample(self.n_samples, step.noise)?;

        let log_likelihood = model.joint(step.batch).log_likelihood(&z)?;
        let log_prior = match self.prior {
            IwaePrior::Standard => StandardNormal.log_density(&z)?,
            // Half the exponent is the density of N(0, 2 I), up to its constant.
            IwaePrior::Published => (StandardNormal.log_density(&z)? * 0.5)?,
        };
        let log_weights = ((&log_likelihood + log_prior)? - proposal.log_density(&z)?)?;

        // Its gradient is the bound's: sum_i w_i d log w_i with the normalized weights w_i held fixed.
        let weights = weights(&log_weights.detach(), 1.0)?;
        let heavy = stop_tail(&log_weights, &weights, self.weight_tail)?;
        let loss = step.batch.mean(&self_normalized(&weights, &heavy.values)?)?.neg()?;

        let loss = Loss::new(loss)
            .with("bound", step.batch, &iwae_bound(&log_weights.detach())?)?
            .with("reconstruction", step.batch, &self_normalized(&weights, &log_likelihood.detach())?)?
            .with("kl", step.batch, &proposal.frozen().kl_to_standard_normal()?)?
            .with("ess", step.batch, &effective_sample_size(&weights)?)?;
        if self.weight_tail > 0.0 { loss.with("kept", step.batch, &heavy.kept) } else { Ok(loss) }
    }

    fn check(&self, _epochs: usize) -> crate::Result<()> {
        require(self.n_samples > 0, "n_samples", "at least 1", self.n_samples)?;
        require((0.0..1.0).contains(&self.weight_tail), "weight_tail", "from 0 up and below 1", self.weight_tail)
    }
}
