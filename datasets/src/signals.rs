//! What signal recovery starts from: a signal seen through noise. Paper, Sections 4.2.2 and 4.2.3.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::error::{Result, finite, positive};
use crate::mt19937::LegacyRandom;

/// A signal and what was observed of it; rows are observations.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalData {
    /// What a model is trained on: `x = u + e`, `(N, 1)`; for counts covariates and count, `(N, p + D + 1)`.
    pub observed: Array2<f64>,
    /// `u`, `(N, D)`: what the decoder should recover, and never sees.
    pub signal: Array2<f64>,
}

/// Rows drawn from one normal distribution of a stratified mixture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Exactly so many rows, not so many on average.
    pub n_rows: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub std: f64,
}

impl Component {
    pub(crate) fn check(&self) -> Result<()> {
        finite("mean", self.mean)?;
        positive("std", self.std)
    }

    /// Draws the rows. numpy's `normal` and its one-dimensional `multivariate_normal` both compute this.
    pub(crate) fn draw(&self, random: &mut LegacyRandom) -> Vec<f64> {
        (0..self.n_rows).map(|_| self.mean + self.std * random.standard_normal()).collect()
    }
}

/// Adds normal noise to a signal that has been drawn in full before.
pub(crate) fn observe(signal: Vec<f64>, noise_std: f64, random: &mut LegacyRandom) -> SignalData {
    let signal = column(signal);
    let observed = signal.map(|value| value + noise_std * random.standard_normal());
    SignalData { observed, signal }
}

fn column(values: Vec<f64>) -> Array2<f64> {
    let n_rows = values.len();
    Array2::from_shape_vec((n_rows, 1), values).expect("a vector is a column of its own length")
}
