//! Annealed Monte Carlo VAE: annealed importance sampling with Metropolis-adjusted Langevin transitions
//! (Thin et al. 2021, section 4). Paper, section 2.

use std::collections::BTreeMap;

use aais_distributions::Proposal;
use aais_langevin::{Bridge, log_kernel, metropolis, ula};
use candle_core::{D, Result, Tensor};
use serde::Deserialize;

use super::transitions::{Adaptation, Carried, Transitions, check_transitions, falling_adam};
use crate::error::require;
use crate::model::LatentModel;
use crate::objective::{Loss, Objective, Step, Update};
use crate::schedule::Progress;
use crate::train::TrainSettings;

/// Maximizes `E[log w]`, `log w = sum_k (b_{k+1} - b_k) (log p(x, z_k) - log q(z_k | x))`, a lower bound of `log p(x)`.
///
/// Acceptances are not differentiable: their score function enters with the other samples of a row as control variate. Deviation 20.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amcvae {
    /// Samples a row, `M`, which are averaged.
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
    /// Lets the score function enter over the first ten epochs.
    #[serde(default)]
    pub score_annealing: bool,
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

impl Objective for Amcvae {
    fn loss(&mut self, model: &LatentModel, step: &mut Step) -> Result<Loss> {
        let (n, h, latent) = (self.n_transitions, self.step_size, model.architecture().latent);
        let (adaptation, target) = (self.adaptation, self.target_acceptance);
        let transitions = self.carried.transitions(|| Transitions::new(n, h, latent, adaptation, target));

        let (proposal, joint) = (model.propose(step.batch)?, model.joint(step.batch));
        let bridge = Bridge::new(&proposal, &joint);
        let mut point = bridge.at(&proposal.sample(self.n_samples, step.noise)?)?;
        let mut log_weights = ((&point.log_end - &point.log_start)? * transitions.rise(0))?;
        let mut log_decisions = log_weights.zeros_like()?;
        for k in 0..transitions.n() {
            let (temperature, step_size) = (transitions.temperature(k), transitions.step_size(k)?);
            let score = point.score(temperature)?;
            let moved = ula(&point.z, &score, &step_size, step.noise)?;
            let next = bridge.at(&moved.z)?;
            let back = log_kernel(&next.z, &next.score(temperature)?, &point.z, &step_size)?;
            let rise = (next.log_density(temperature)? - point.log_density(temperature)?)?;
            let decision = metropolis(&(rise + (back - moved.log_kernel)?)?, step.noise)?;

            point = next.select(&decision.accepted, &point)?;
            log_decisions = (log_decisions + decision.log_probability)?;
            log_weights = (log_weights + ((&point.log_end - &point.log_start)? * transitions.rise(k + 1))?)?;
            transitions.adapt(k, &decision.probability, &score)?;
        }

        #[expect(clippy::cast_precision_loss, reason = "only the first epochs matter")]
        let share = if self.score_annealing { (0.1 * step.progress.epoch as f64).min(1.0) } else { 1.0 };
        let score_function = step.batch.mean(&(advantage(&log_weights.detach())? * log_decisions)?)?;
        let loss = (step.batch.mean(&log_weights)? + (score_function * share)?)?.neg()?;
        Loss::new(loss).with_value("acceptance", transitions.mean_acceptance())?.with("bound", step.batch, &log_weights)
    }

    fn check(&self, _epochs: usize) -> crate::Result<()> {
        require(self.n_samples > 0, "n_samples", "at least 1", self.n_samples)?;
        check_transitions(self.n_transitions, self.step_size, self.target_acceptance, self.longest_gradient)
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

/// Each sample's log weight less the mean of the row's others; `(B, M)`.
fn advantage(log_weights: &Tensor) -> Result<Tensor> {
    let (_, n_samples) = log_weights.dims2()?;
    if n_samples == 1 {
        return Ok(log_weights.clone());
    }
    #[expect(clippy::cast_precision_loss, reason = "few samples")]
    let n = n_samples as f64;
    let mean = log_weights.mean_keepdim(D::Minus1)?;
    // x - (n mean - x) / (n - 1) = (x - mean) n / (n - 1).
    log_weights.broadcast_sub(&mean)? * (n / (n - 1.0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn an_advantage_is_over_the_rows_other_samples() {
        let log_weights = Tensor::new(&[[1.0f32, 2.0, 6.0]], &Device::Cpu).unwrap();
        assert_eq!(advantage(&log_weights).unwrap().to_vec2::<f32>().unwrap(), [[-3.0, -1.5, 4.5]]);
        let alone = Tensor::new(&[[1.5f32]], &Device::Cpu).unwrap();
        assert_eq!(advantage(&alone).unwrap().to_vec2::<f32>().unwrap(), [[1.5]]);
    }
}
