//! Step sizes of annealed Langevin transitions, which follow the acceptance from step to step. Thin et al. (2021).

use std::collections::BTreeMap;

use aais_langevin::{Spread, StepSize, by_spread, temperatures, toward_acceptance};
use candle_core::{D, Result, Tensor};
use serde::Deserialize;

use crate::adam::AdamSettings;
use crate::objective::{Rule, Update};
use crate::schedule::Progress;
use crate::train::TrainSettings;

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

    /// Three floats a number: what single precision keeps, and twice the rest.
    pub fn state(&self) -> BTreeMap<String, Vec<f32>> {
        let numbers = self.sizes.iter().flat_map(|size| std::iter::once(size.scale).chain(size.step_sizes.clone()));
        #[expect(clippy::cast_possible_truncation, reason = "the rest is the second number")]
        let split = |number: f64| {
            let first = number as f32;
            let second = (number - f64::from(first)) as f32;
            [first, second, (number - f64::from(first) - f64::from(second)) as f32]
        };
        BTreeMap::from([("step_sizes".to_owned(), numbers.flat_map(split).collect())])
    }

    pub fn restore(&mut self, state: &BTreeMap<String, Vec<f32>>) {
        let Some(numbers) = state.get("step_sizes") else { return };
        let mut numbers = numbers.chunks_exact(3).map(|parts| parts.iter().rev().map(|part| f64::from(*part)).sum());
        for size in &mut self.sizes {
            for number in std::iter::once(&mut size.scale).chain(&mut size.step_sizes) {
                *number = numbers.next().unwrap_or(*number);
            }
        }
    }
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
            transitions.restore(restored);
            transitions
        })
    }

    /// For a checkpoint.
    pub fn state(&self) -> BTreeMap<String, Vec<f32>> {
        self.transitions.as_ref().map_or_else(|| self.restored.clone(), Transitions::state)
    }

    /// From a checkpoint.
    pub fn restore(&mut self, state: BTreeMap<String, Vec<f32>>) {
        (self.transitions, self.restored) = (None, state);
    }
}

/// Adam whose learning rate falls to a quarter after each of some epochs.
pub(super) fn falling_adam(
    progress: Progress,
    settings: &TrainSettings,
    falls: &[usize],
    longest_gradient: Option<f64>,
) -> Update {
    let adam = settings.adam();
    let factor: f32 = falls.iter().filter(|fall| progress.epoch >= **fall).map(|_| 0.25).product();
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
            size.step_sizes = vec![0.1 / 3.0 + 1e-9 * k as f64, std::f64::consts::PI / 10.0];
            size.scale = 1.0 / 7.0;
        }
        let mut after = Transitions::new(2, 0.01, 2, Adaptation::Acceptance, 0.9);
        after.restore(&before.state());
        assert_eq!(after.sizes, before.sizes);
    }
}
