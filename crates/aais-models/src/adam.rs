//! Adam as in torch: L2 decay joins the gradient before the moments, and only where a mask allows it.

use serde::{Deserialize, Serialize};

/// Settings of [`Adam`]; the moments' rates are torch's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamSettings {
    /// Step length.
    pub learning_rate: f32,
    /// Factor of the parameters that is added to their gradients.
    pub weight_decay: f32,
    /// Added to the root of the second moment, [`AdamSettings::EPSILON`] in torch: a larger one shortens the steps of
    /// parameters whose gradients are small.
    pub epsilon: f32,
}

impl AdamSettings {
    /// torch's `eps`.
    pub const EPSILON: f32 = 1e-8;
}

/// Settings of stochastic gradient descent with momentum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SgdSettings {
    /// Step length.
    pub learning_rate: f32,
    /// Share of the last step's direction that is kept.
    pub momentum: f32,
    /// Factor of the parameters that is added to their gradients.
    pub weight_decay: f32,
}

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;

/// Moments of the gradients of several flat parameter vectors (Kingma and Ba 2015).
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    /// Steps taken.
    pub step: u64,
    /// First moments, one vector a parameter vector.
    pub first: Vec<Vec<f32>>,
    /// Second moments.
    pub second: Vec<Vec<f32>>,
}

impl Adam {
    /// Without moments, for vectors of these lengths.
    pub fn new(lengths: &[usize]) -> Self {
        let zeros = || lengths.iter().map(|&length| vec![0.0; length]).collect();
        Self { step: 0, first: zeros(), second: zeros() }
    }

    /// Begins a step; then call [`update`](Self::update) once for each vector.
    pub fn begin_step(&mut self) {
        self.step += 1;
    }

    /// Forgets all moments and steps.
    pub fn begin_anew(&mut self) {
        self.step = 0;
        self.first.iter_mut().chain(&mut self.second).for_each(|moments| moments.fill(0.0));
    }

    /// One step of stochastic gradient descent instead: the first moments hold its momentum.
    ///
    /// As in torch, weight decay joins the gradient before the momentum.
    pub fn descend(
        &mut self,
        vector: usize,
        settings: &SgdSettings,
        values: &mut [f32],
        gradient: &[f32],
        decays: &[bool],
    ) {
        let parts = values.iter_mut().zip(gradient).zip(decays).zip(&mut self.first[vector]);
        for (((value, gradient), decays), momentum) in parts {
            let gradient = gradient + if *decays { settings.weight_decay * *value } else { 0.0 };
            *momentum = settings.momentum * *momentum + gradient;
            *value -= settings.learning_rate * *momentum;
        }
    }

    /// Moves one vector against its gradient; `decays` says which values weight decay reaches.
    pub fn update(
        &mut self,
        vector: usize,
        settings: &AdamSettings,
        values: &mut [f32],
        gradient: &[f32],
        decays: &[bool],
    ) {
        let (step_size, root) = corrected(self.step, settings);
        let moments = self.first[vector].iter_mut().zip(&mut self.second[vector]);
        for (((value, gradient), decays), (first, second)) in values.iter_mut().zip(gradient).zip(decays).zip(moments) {
            let gradient = gradient + if *decays { settings.weight_decay * *value } else { 0.0 };
            *first = BETA_1 * *first + (1.0 - BETA_1) * gradient;
            *second = BETA_2 * *second + (1.0 - BETA_2) * gradient * gradient;
            *value -= step_size * *first / (second.sqrt() / root + settings.epsilon);
        }
    }
}

/// Step length and divisor of the second moment's root, corrected for moments that began at zero.
fn corrected(step: u64, settings: &AdamSettings) -> (f32, f32) {
    #[expect(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
    let correction = |beta: f32| 1.0 - f64::from(beta).powf(step as f64);
    #[expect(clippy::cast_possible_truncation, reason = "torch rounds these to single precision too")]
    let both = ((f64::from(settings.learning_rate) / correction(BETA_1)) as f32, correction(BETA_2).sqrt() as f32);
    both
}

/// The numbers of one step of [`Adam::update`].
pub(crate) struct Moves {
    pub step_size: f64,
    pub root: f64,
    /// Share of the first moment that is kept, and what the gradient adds to it.
    pub keep_first: f64,
    pub take_first: f64,
    /// The same of the second moment and the gradient's square.
    pub keep_second: f64,
    pub take_second: f64,
}

impl Moves {
    /// Those of step `step`, counted from 1.
    pub fn at(step: u64, settings: &AdamSettings) -> Self {
        let (step_size, root) = corrected(step, settings);
        let [step_size, root, keep_first, take_first, keep_second, take_second] =
            [step_size, root, BETA_1, 1.0 - BETA_1, BETA_2, 1.0 - BETA_2].map(f64::from);
        Self { step_size, root, keep_first, take_first, keep_second, take_second }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(learning_rate: f32, weight_decay: f32) -> AdamSettings {
        AdamSettings { learning_rate, weight_decay, epsilon: AdamSettings::EPSILON }
    }

    #[test]
    fn first_step_has_the_length_of_the_learning_rate() {
        let settings = settings(0.1, 0.0);
        let (mut adam, mut values) = (Adam::new(&[2]), [1.0, -2.0]);
        adam.begin_step();
        adam.update(0, &settings, &mut values, &[3.0, -0.01], &[true; 2]);
        assert!((values[0] - 0.9).abs() < 1e-6 && (values[1] + 1.9).abs() < 1e-6, "{values:?}");
    }

    #[test]
    fn epsilon_stands_beside_the_root_of_the_second_moment() {
        let settings = AdamSettings { epsilon: 0.01, ..settings(0.1, 0.0) };
        let (mut adam, mut values) = (Adam::new(&[2]), [0.0, 0.0]);
        adam.begin_step();
        adam.update(0, &settings, &mut values, &[0.01, -1.0], &[true; 2]);
        // A first step is the gradient over its size plus epsilon.
        assert!((values[0] + 0.05).abs() < 1e-7 && (values[1] - 0.1 / 1.01).abs() < 1e-7, "{values:?}");
    }

    #[test]
    fn decay_is_part_of_the_gradient_where_the_mask_allows_it() {
        let settings = settings(0.1, 0.5);
        let (mut adam, mut values) = (Adam::new(&[2]), [1.0, 1.0]);
        adam.begin_step();
        adam.update(0, &settings, &mut values, &[0.0, 0.0], &[true, false]);
        // Coupled: the step's length is the learning rate whatever the decay; decoupled would give 0.95.
        assert!((values[0] - 0.9).abs() < 1e-6, "{values:?}");
        assert_eq!(values[1], 1.0);
    }

    #[test]
    fn descent_follows_torchs_recursion() {
        let mut optimizer = Adam::new(&[1]);
        let settings = SgdSettings { learning_rate: 0.5, momentum: 0.1, weight_decay: 0.2 };
        let mut values = [1.0];
        optimizer.descend(0, &settings, &mut values, &[0.8], &[true]);
        // Gradient 0.8 + 0.2 = 1, the first momentum too.
        assert!((values[0] - 0.5f32).abs() < 1e-7);
        optimizer.descend(0, &settings, &mut values, &[0.0], &[false]);
        assert!((values[0] - (0.5f32 - 0.5 * 0.1)).abs() < 1e-7);
        optimizer.begin_anew();
        optimizer.descend(0, &settings, &mut values, &[0.0], &[false]);
        assert!((values[0] - 0.45f32).abs() < 1e-7);
    }

    #[test]
    fn two_steps_follow_the_recursion() {
        let settings = settings(0.01, 0.0);
        let (mut adam, mut values) = (Adam::new(&[1]), [0.0]);
        for gradient in [1.0, -0.5] {
            adam.begin_step();
            adam.update(0, &settings, &mut values, &[gradient], &[false]);
        }
        let first = (0.9 * 0.1 - 0.1 * 0.5) / (1.0 - 0.81);
        let second: f64 = (0.999 * 0.001 + 0.001 * 0.25) / (1.0 - 0.999_f64.powi(2));
        let expected = -0.01 - 0.01 * first / (second.sqrt() + 1e-8);
        assert!((f64::from(values[0]) - expected).abs() < 1e-7, "{values:?} {expected}");
    }
}
