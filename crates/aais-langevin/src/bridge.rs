//! The path of densities from a proposal to a target.

use aais_distributions::LogDensity;
use candle_core::{Result, Tensor};

use crate::step::select;

/// `log g_b = (1 - b) log start + b log end` for temperatures `b` from 0 to 1.
#[derive(Clone, Copy)]
pub struct Bridge<'a> {
    start: &'a dyn LogDensity,
    end: &'a dyn LogDensity,
}

impl<'a> Bridge<'a> {
    /// Between two densities.
    pub fn new(start: &'a dyn LogDensity, end: &'a dyn LogDensity) -> Self {
        Self { start, end }
    }

    /// Both densities and scores at a point: all temperatures share this one evaluation.
    ///
    /// # Errors
    /// If the shape does not fit, or a tensor operation fails.
    pub fn at(&self, z: &Tensor) -> Result<BridgePoint> {
        let (log_start, score_start) = self.start.log_density_and_score(z)?;
        let (log_end, score_end) = self.end.log_density_and_score(z)?;
        Ok(BridgePoint { z: z.clone(), log_start, log_end, score_start, score_end })
    }
}

/// A point that a chain has visited, with all that any temperature needs of it.
#[derive(Clone, Debug)]
pub struct BridgePoint {
    /// `(B, M, d)`.
    pub z: Tensor,
    /// `(B, M)`.
    pub log_start: Tensor,
    /// `(B, M)`.
    pub log_end: Tensor,
    score_start: Tensor,
    score_end: Tensor,
}

impl BridgePoint {
    /// `log g_b`, `(B, M)`.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn log_density(&self, temperature: f64) -> Result<Tensor> {
        (&self.log_start * (1.0 - temperature))? + (&self.log_end * temperature)?
    }

    /// `d log g_b / dz`, `(B, M, d)`, with the gradients that the densities' scores carry.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn score(&self, temperature: f64) -> Result<Tensor> {
        (&self.score_start * (1.0 - temperature))? + (&self.score_end * temperature)?
    }

    /// This point where `mask` (`(B, M)`, type `u8`) is set, else `other`.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn select(&self, mask: &Tensor, other: &Self) -> Result<Self> {
        Ok(Self {
            z: select(mask, &self.z, &other.z)?,
            log_start: select(mask, &self.log_start, &other.log_start)?,
            log_end: select(mask, &self.log_end, &other.log_end)?,
            score_start: select(mask, &self.score_start, &other.score_start)?,
            score_end: select(mask, &self.score_end, &other.score_end)?,
        })
    }
}

/// `n_transitions + 2` temperatures evenly spaced from 0 to 1: the ends, and one for each transition.
pub fn temperatures(n_transitions: usize) -> Vec<f64> {
    #[expect(clippy::cast_precision_loss, reason = "few transitions")]
    let at = |k: usize| k as f64 / (n_transitions + 1) as f64;
    (0..n_transitions + 2).map(at).collect()
}

/// As [`temperatures`], dense at both ends, where annealed densities change fastest (Grosse, Ghahramani and Adams 2015).
///
/// `(σ(δ (2t - 1)) - σ(-δ)) / (σ(δ) - σ(-δ))` of evenly spaced `t`, with the logistic function `σ` and their `δ = 4`.
pub fn sigmoid_temperatures(n_transitions: usize) -> Vec<f64> {
    const DELTA: f64 = 4.0;
    let sigmoid = |x: f64| (1.0 + (-x).exp()).recip();
    let (low, high) = (sigmoid(-DELTA), sigmoid(DELTA));
    temperatures(n_transitions).into_iter().map(|t| (sigmoid(DELTA * (2.0 * t - 1.0)) - low) / (high - low)).collect()
}
