//! Langevin Monte Carlo VAE: annealed unadjusted Langevin transitions (Thin et al. 2021, section 3). Paper, section 2.

use std::collections::BTreeMap;

use aais_distributions::Proposal;
use aais_importance::{effective_sample_size, iwae_bound, self_normalized, weights};
use aais_langevin::{Bridge, log_kernel, select, ula};
use candle_core::Result;
use serde::Deserialize;

use super::transitions::{Adaptation, Carried, Transitions, check_transitions, falling_adam};
use crate::error::require;
use crate::model::LatentModel;
use crate::objective::{Loss, Objective, Step, Update};
use crate::schedule::Progress;
use crate::train::TrainSettings;

/// Maximizes `E[log w]`, `w = p(x, z_K) / q(z_0 | x) prod_k l_k(z_k, z_{k-1}) / m_k(z_{k-1}, z_k)`, a lower bound of `log p(x)`.
///
/// `m_k` is an unadjusted Langevin move on the bridge from `q(z | x)` to `p(x, z)`, `l_k` the same move backwards.
/// The drift keeps its gradients, which are of second order in the decoder. Deviation 20.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lmcvae {
    /// Samples a row, `M`; several are weighed as in IWAE.
    pub n_samples: usize,
    /// Transitions, `K`.
    pub n_transitions: usize,
    /// Every transition's first step size; adapted ones stay within 0.001 and 0.5.
    pub step_size: f64,
    /// What the step sizes aim at.
    pub target_acceptance: f64,
    /// How they aim.
    #[serde(default)]
    pub adaptation: Adaptation,
    /// A move whose probability of acceptance is at most this is not made; `0` makes all.
    #[serde(default)]
    pub skip_below: f64,
    /// Epochs after which the learning rate falls to a quarter.
    #[serde(default)]
    pub learning_rate_falls: Vec<usize>,
    /// Longest gradient, see [`Update`]; none is too long by default.
    #[serde(default)]
    pub longest_gradient: Option<f64>,
    /// Empty at first.
    #[serde(skip)]
    pub carried: Carried,
}

impl Objective for Lmcvae {
    fn loss(&mut self, model: &LatentModel, step: &mut Step) -> Result<Loss> {
        let (n, h, latent) = (self.n_transitions, self.step_size, model.architecture().latent);
        let (adaptation, target) = (self.adaptation, self.target_acceptance);
        let transitions = self.carried.transitions(|| Transitions::new(n, h, latent, adaptation, target));

        let (proposal, joint) = (model.propose(step.batch)?, model.joint(step.batch));
        let bridge = Bridge::new(&proposal, &joint);
        let mut point = bridge.at(&proposal.sample(self.n_samples, step.noise)?)?;
        let mut log_weights = point.log_start.neg()?;
        for k in 0..transitions.n() {
            let (temperature, step_size) = (transitions.temperature(k), transitions.step_size(k)?);
            let score = point.score(temperature)?;
            let moved = ula(&point.z, &score, &step_size, step.noise)?; // m_k
            let mut next = bridge.at(&moved.z)?;
            let back = log_kernel(&next.z, &next.score(temperature)?, &point.z, &step_size)?; // l_k
            let mut log_ratio = (back - moved.log_kernel)?;

            let rise = (next.log_density(temperature)? - point.log_density(temperature)?)?;
            let acceptance = (rise + &log_ratio)?.detach().minimum(0.0)?.exp()?;
            if self.skip_below > 0.0 {
                let skipped = acceptance.le(self.skip_below)?;
                next = point.select(&skipped, &next)?;
                log_ratio = select(&skipped, &log_ratio.zeros_like()?, &log_ratio)?;
            }
            transitions.adapt(k, &acceptance, &score)?;
            log_weights = (log_weights + log_ratio)?;
            point = next;
        }
        let log_weights = (log_weights + point.log_end)?;

        let weights = weights(&log_weights.detach(), 1.0)?;
        let loss = step.batch.mean(&self_normalized(&weights, &log_weights)?)?.neg()?;
        Loss::new(loss)
            .with_value("acceptance", transitions.mean_acceptance())?
            .with("bound", step.batch, &iwae_bound(&log_weights.detach())?)?
            .with("ess", step.batch, &effective_sample_size(&weights)?)
    }

    fn check(&self, _epochs: usize) -> crate::Result<()> {
        require(self.n_samples > 0, "n_samples", "at least 1", self.n_samples)?;
        check_transitions(self.n_transitions, self.step_size, self.target_acceptance, self.longest_gradient)?;
        require((0.0..1.0).contains(&self.skip_below), "skip_below", "at least 0 and below 1", self.skip_below)
    }

    fn update(&self, progress: Progress, settings: &TrainSettings) -> Update {
        falling_adam(progress, settings, &self.learning_rate_falls, self.longest_gradient)
    }

    fn state(&self) -> BTreeMap<String, Vec<f32>> {
        self.carried.state()
    }

    fn restore(&mut self, state: BTreeMap<String, Vec<f32>>) -> crate::Result<()> {
        self.carried.restore(state, self.n_transitions)
    }
}
