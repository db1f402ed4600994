//! How a law is learned and judged.

use crate::error::{Result, require};

/// Which objective trains the model; both have the gradient of the marginal likelihood for the law.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// Amortized adaptive importance sampling, the weights taking no gradient. Paper, Algorithm 3.
    #[default]
    Aais,
    /// The importance-weighted bound (Burda et al. 2015).
    Iwae,
}

/// How a law is learned and judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The objective.
    pub method: Method,
    /// Samples a group in each step of training.
    pub n_samples: usize,
    /// Widths of the networks' hidden layers; the encoder of rows has one of the first width.
    pub hidden: Vec<usize>,
    /// Latent dimension; the number of random effects if none.
    pub latent: Option<usize>,
    /// Steps of the optimizer.
    pub n_steps: usize,
    /// Groups in a step.
    pub batch_size: usize,
    /// Adam's step length at the start. It falls to zero over the second half of the steps.
    pub learning_rate: f64,
    /// Samples a group for marginal likelihoods and posteriors.
    pub n_evaluation_samples: usize,
    /// Draws that the law is given by.
    pub n_draws: usize,
    /// Parts that the groups are split into, each held out once, to compare the learned law with the normal one; none
    /// without comparison. Each part takes a training of its own.
    pub n_folds: Option<usize>,
    /// Of all randomness.
    pub seed: u64,
}

impl Default for Settings {
    /// Chosen on simulated data with normal, skewed and two-point effects: more steps, samples or width changed the
    /// laws by less than their sampling error.
    fn default() -> Self {
        Self {
            method: Method::default(),
            n_samples: 100,
            hidden: vec![32],
            latent: None,
            n_steps: 1500,
            batch_size: 64,
            learning_rate: 5e-3,
            n_evaluation_samples: 1000,
            n_draws: 20_000,
            n_folds: Some(5),
            seed: 1,
        }
    }
}

impl Settings {
    pub(crate) fn check(&self, n_effects: usize) -> Result<()> {
        let numbers = [("n_samples", self.n_samples), ("n_steps", self.n_steps), ("batch_size", self.batch_size)];
        for (name, number) in numbers {
            require(number > 0, name, "at least 1", number)?;
        }
        require(self.n_evaluation_samples >= 100, "n_evaluation_samples", "at least 100", self.n_evaluation_samples)?;
        let draws = self.n_draws;
        require(draws >= 100 && draws.is_multiple_of(2), "n_draws", "an even number from 100 up", draws)?;
        let is_rate = self.learning_rate.is_finite() && self.learning_rate > 0.0;
        require(is_rate, "learning_rate", "a positive number", self.learning_rate)?;
        let latent = self.latent.unwrap_or(n_effects);
        require(latent >= n_effects, "latent", "at least the number of random effects", latent)?;
        let is_wide = !self.hidden.is_empty() && self.hidden.iter().all(|width| *width >= latent.max(2));
        require(
            is_wide,
            "hidden",
            "one or more widths, none below the latent dimension or 2",
            format!("{:?}", self.hidden),
        )?;
        let folds = self.n_folds.unwrap_or(2);
        require(folds >= 2, "n_folds", "at least 2", folds)
    }
}
