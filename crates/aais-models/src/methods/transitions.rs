//! Step sizes of annealed Langevin transitions, which follow the acceptance from step to step. Thin et al. (2021).

use std::collections::BTreeMap;

use aais_langevin::{Spread, StepSize, by_spread, temperatures, toward_acceptance};
use candle_core::{D, Result, Tensor};
use serde::Deserialize;

use crate::adam::AdamSettings;
use crate::error::{Error, require};
use crate::objective::{Rule, Update};
use crate::schedule::Progress;
use crate::train::TrainSettings;

/// Name of the step sizes in a checkpoint.
const STEP_SIZES: &str = "step_sizes";

/// What a learning rate falls to.
const FALL: f32 = 0.25;

/// How step sizes follow the acceptance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adaptation {
    /// One for all coordinates, a little shorter or longer after every step.
    #[default]
    Acceptance,
    /// One a coordinate, shorter where the score spreads more.
    Spread,
}

/// Temperatures and step sizes of `K` transitions.
#[derive(Clone, Debug)]
pub(super) struct Transitions {
    temperatures: Vec<f64>,
    adaptation: Adaptation,
    target_acceptance: f64,
    sizes: Vec<Spread>,
    total_acceptance: f64,
}

impl Transitions {
    pub fn new(n: usize, step_size: f64, latent: usize, adaptation: Adaptation, target_acceptance: f64) -> Self {
        let sizes = vec![Spread::new(step_size, latent); n];
        Self { temperatures: temperatures(n), adaptation, target_acceptance, sizes, total_acceptance: 0.0 }
    }

    pub fn n(&self) -> usize {
        self.sizes.len()
    }

    /// Of transition `k` from 0, which leaves the density of that temperature invariant.
    pub fn temperature(&self, k: usize) -> f64 {
        self.temperatures[k + 1]
    }

    /// `b_{k+1} - b_k`, for `k` from 0 to `K`.
    pub fn rise(&self, k: usize) -> f64 {
        self.temperatures[k + 1] - self.temperatures[k]
    }

    pub fn step_size(&self, k: usize) -> Result<StepSize> {
        StepSize::of_each(self.sizes[k].step_sizes.clone())
    }

    /// After transition `k`: `acceptance` `(B, M)`, `score` `(B, M, d)` where it began.
    pub fn adapt(&mut self, k: usize, acceptance: &Tensor, score: &Tensor) -> Result<()> {
        let acceptance = f64::from(acceptance.mean_all()?.to_scalar::<f32>()?);
        if !acceptance.is_finite() {
            return Ok(()); // The loss will tell; the step sizes stay good.
        }
        self.total_acceptance += acceptance;
        let size = &mut self.sizes[k];
        match self.adaptation {
            Adaptation::Acceptance => {
                let next = toward_acceptance(size.step_sizes[0], acceptance, self.target_acceptance);
                size.step_sizes.fill(next);
            }
            Adaptation::Spread => {
                let score = score.detach().flatten_to(1)?;
                let std = score.var(D::Minus2)?.sqrt()?.to_vec1::<f32>()?;
                let std: Vec<f64> = std.into_iter().map(f64::from).collect();
                if std.iter().any(|std| !std.is_finite()) {
                    return Ok(());
                }
                *size = by_spread(size, &std, acceptance, self.target_acceptance);
            }
        }
        Ok(())
    }

    /// Mean acceptance over the transitions since the last call.
    pub fn mean_acceptance(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "few transitions")]
        let n = self.n().max(1) as f64;
        std::mem::take(&mut self.total_acceptance) / n
    }

    /// Four floats a number: sixteen bits each, which a float holds exactly.
    pub fn state(&self) -> BTreeMap<String, Vec<f32>> {
        let numbers = self.sizes.iter().flat_map(|size| std::iter::once(size.scale).chain(size.step_sizes.clone()));
        let split = |number: f64| number.to_le_bytes().chunks_exact(2).map(two_bytes).collect::<Vec<_>>();
        BTreeMap::from([(STEP_SIZES.to_owned(), numbers.flat_map(split).collect())])
    }

    /// Takes back as many numbers as it has.
    fn restore(&mut self, state: &[f32]) {
        let mut numbers = state.chunks_exact(4).map(|parts| {
            let mut bytes = [0; 8];
            for (two, part) in bytes.chunks_exact_mut(2).zip(parts) {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sixteen bits, checked")]
                two.copy_from_slice(&(*part as u16).to_le_bytes());
            }
            f64::from_le_bytes(bytes)
        });
        for size in &mut self.sizes {
            for number in std::iter::once(&mut size.scale).chain(&mut size.step_sizes) {
                *number = numbers.next().unwrap_or(*number);
            }
        }
    }
}

fn two_bytes(bytes: &[u8]) -> f32 {
    f32::from(u16::from_le_bytes([bytes[0], bytes[1]]))
}

/// Step sizes that a method carries from step to step: none before the first, or those of a checkpoint.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    transitions: Option<Transitions>,
    restored: BTreeMap<String, Vec<f32>>,
}

impl Carried {
    /// The step sizes, made by `new` at the first step.
    pub(super) fn transitions(&mut self, new: impl FnOnce() -> Transitions) -> &mut Transitions {
        let restored = &self.restored;
        self.transitions.get_or_insert_with(|| {
            let mut transitions = new();
            if let Some(step_sizes) = restored.get(STEP_SIZES) {
                transitions.restore(step_sizes);
            }
            transitions
        })
    }

    /// For a checkpoint.
    pub fn state(&self) -> BTreeMap<String, Vec<f32>> {
        self.transitions.as_ref().map_or_else(|| self.restored.clone(), Transitions::state)
    }

    /// From a checkpoint of a method with that many transitions; from nothing, begins anew.
    ///
    /// # Errors
    /// If the step sizes are not those of so many transitions.
    pub fn restore(&mut self, state: BTreeMap<String, Vec<f32>>, n_transitions: usize) -> crate::Result<()> {
        if let Some(step_sizes) = state.get(STEP_SIZES) {
            // A scale and at least one step size for each transition, four floats each.
            let fits = step_sizes.len() % (4 * n_transitions.max(1)) == 0 && step_sizes.len() >= 8 * n_transitions;
            let are_halves = step_sizes.iter().all(|part| (0.0..65536.0).contains(part) && part.fract() == 0.0);
            if !(fits && are_halves) {
                return Err(Error::Checkpoint { problem: format!("has no step sizes of {n_transitions} transitions") });
            }
        }
        (self.transitions, self.restored) = (None, state);
        Ok(())
    }
}

/// What both annealed methods want of their settings.
pub(super) fn check_transitions(
    n_transitions: usize,
    step_size: f64,
    target_acceptance: f64,
    longest_gradient: Option<f64>,
) -> crate::Result<()> {
    require(n_transitions > 0, "n_transitions", "at least 1", n_transitions)?;
    let is_size = step_size > 0.0 && step_size <= 0.5;
    require(is_size, "step_size", "above 0 and at most 0.5", step_size)?;
    let is_share = target_acceptance > 0.0 && target_acceptance < 1.0;
    require(is_share, "target_acceptance", "between 0 and 1", target_acceptance)?;
    let longest = longest_gradient.unwrap_or(f64::INFINITY);
    require(longest > 0.0, "longest_gradient", "a positive number", longest)
}

/// Adam whose learning rate falls to a quarter after each of some epochs.
pub(super) fn falling_adam(
    progress: Progress,
    settings: &TrainSettings,
    falls: &[usize],
    longest_gradient: Option<f64>,
) -> Update {
    let adam = settings.adam();
    let factor: f32 = falls.iter().filter(|fall| progress.epoch >= **fall).map(|_| FALL).product();
    Update {
        rule: Rule::Adam(AdamSettings { learning_rate: adam.learning_rate * factor, ..adam }),
        longest_gradient: longest_gradient.unwrap_or(f64::INFINITY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_keeps_every_bit() {
        let mut before = Transitions::new(2, 0.01, 2, Adaptation::Acceptance, 0.9);
        for (k, size) in before.sizes.iter_mut().enumerate() {
            size.step_sizes = vec![0.1 / 3.0 + 1e-9 * k as f64, f64::MIN_POSITIVE / 3.0];
            size.scale = 1e40 / 7.0;
        }
        let mut after = Transitions::new(2, 0.01, 2, Adaptation::Acceptance, 0.9);
        after.restore(&before.state()[STEP_SIZES]);
        assert_eq!(after.sizes, before.sizes);
    }
}
