//! Amortized adaptive importance sampling. Paper, Algorithm 3.

use aais_distributions::{LogDensity, Proposal, StandardNormal};
use aais_importance::{Fallback, effective_sample_size, self_normalized, stop_tail, weights_or_uniform};
use candle_core::Result;
use serde::Deserialize;

use crate::error::require;
use crate::model::LatentModel;
use crate::objective::{Loss, Objective, Step};
use crate::schedule::Schedule;

/// Which gradient the importance weights carry to the encoder. Deviation 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightGradient {
    /// That of the prior's factor only, as in the authors' code.
    Published,
    /// None; the encoder then matches the posterior's mean and variance.
    Stopped,
    /// That of every factor but the decoder's parameters.
    Full,
}

/// Maximizes `E_{p_η(z | x)}[log p_θ(x | z)] − β KL(q_φ ‖ p)`, Eq. 17, at `η = θ`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aais {
    /// Samples a row, `M`.
    pub n_samples: usize,
    /// Weight of the KL divergence.
    pub beta: Schedule,
    /// `λ` of Eq. 19: `1` is plain importance sampling, values toward `0` flatten the weights.
    pub power: f64,
    /// Log of a joint density below which a row's weights count as vanished, Eq. 18; `-inf` never.
    pub fallback_below: f64,
    /// What the weights pass on to the encoder.
    pub weight_gradient: WeightGradient,
    /// Share of each row's weight whose lightest samples give the decoder no gradient; `0` leaves out none.
    ///
    /// The loss stays as it is, and so does the gradient that the weights carry. The rest misses at most this share of
    /// its steepest sample. Wide decoders then work on the heavy samples only on the way back.
    #[serde(default)]
    pub weight_tail: f64,
}

impl Objective for Aais {
    fn loss(&mut self, model: &LatentModel, step: &mut Step) -> Result<Loss> {
        let proposal = model.propose(step.batch)?;
        let z = proposal.sample(self.n_samples, step.noise)?; // line 4

        let joint = model.joint(step.batch);
        let log_likelihood = joint.log_likelihood(&z)?;
        let log_prior = StandardNormal.log_density(&z)?;

        // log p_η(x, z) − log q(z | x) at η = θ_n, of which only some factors carry a gradient to φ.
        let log_weights = match self.weight_gradient {
            WeightGradient::Published => {
                ((log_likelihood.detach() + &log_prior)? - proposal.frozen().log_density(&z.detach())?)?
            }
            WeightGradient::Stopped => {
                ((log_likelihood.detach() + log_prior.detach())? - proposal.frozen().log_density(&z.detach())?)?
            }
            WeightGradient::Full => (joint.frozen().log_density(&z)? - proposal.log_density(&z)?)?,
        };
        let log_joint = (log_likelihood.detach() + log_prior.detach())?;
        let fallback = Fallback { threshold: self.fallback_below };
        let normalized = weights_or_uniform(&log_weights, &log_joint, self.power, &fallback)?; // Eq. 18, 19

        let heavy = stop_tail(&log_likelihood, &normalized.weights, self.weight_tail)?;
        let reconstruction = self_normalized(&normalized.weights, &heavy.values)?; // line 5, Eq. 16
        let kl = proposal.kl_to_standard_normal()?; // Eq. 5

        let loss = step.batch.mean(&((&kl * self.beta.at(step.progress))? - &reconstruction)?)?; // −Eq. 17; lines 6 and 7
        let ess = effective_sample_size(&normalized.weights.detach())?;
        let loss = Loss::new(loss)
            .with("fallback", step.batch, &normalized.fell_back)?
            .with("reconstruction", step.batch, &reconstruction)?
            .with("kl", step.batch, &kl)?
            .with("ess", step.batch, &ess)?;
        if self.weight_tail > 0.0 { loss.with("kept", step.batch, &heavy.kept) } else { Ok(loss) }
    }

    fn check(&self, _epochs: usize) -> crate::Result<()> {
        require(self.n_samples > 0, "n_samples", "at least 1", self.n_samples)?;
        let is_power = self.power.is_finite() && self.power >= 0.0;
        require(is_power, "power", "a finite number from 0 up", self.power)?;
        require(!self.fallback_below.is_nan(), "fallback_below", "a number or -inf", self.fallback_below)?;
        require((0.0..1.0).contains(&self.weight_tail), "weight_tail", "from 0 up and below 1", self.weight_tail)
    }
}
