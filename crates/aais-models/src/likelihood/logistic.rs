//! Yes or no, whose log odds are a combination of the signal's coordinates.

use aais_distributions::Noise;
use aais_kernels::{bernoulli_log_likelihood, bernoulli_score, linear_predictor, scaled_covariates};
use candle_core::{Result, Tensor, bail};

use super::{Likelihood, bernoulli, doubles, with_outcomes};
use crate::batch::Batch;

/// `y ~ Bernoulli(sigmoid(w u))`: a row of the data is `(w, y)`, as many covariates as the signal has coordinates, and 0 or 1.
///
/// The fixed effects of Eq. 28 are the signal's mean, as in the authors' code. Deviation 29.
#[derive(Clone, Copy, Debug)]
pub struct Logistic;

/// A batch's rows taken apart: log odds `(B, M, 1)`, outcomes `(B, 1)`, covariates `(B, D)`.
fn log_odds(signal: &Tensor, batch: &Batch) -> Result<[Tensor; 3]> {
    let (rows, _, width) = signal.dims3()?;
    let (_, columns) = batch.observed.dims2()?;
    if columns != width + 1 {
        bail!("rows need {width} covariates and an outcome, got {columns} columns");
    }
    let covariates = batch.observed.narrow(1, 0, width)?;
    let none = Tensor::zeros(rows, signal.dtype(), signal.device())?;
    let log_odds = linear_predictor(signal, &none, &covariates)?.unsqueeze(2)?;
    Ok([log_odds, batch.observed.narrow(1, width, 1)?, covariates])
}

impl Likelihood for Logistic {
    fn log_likelihood(&self, signal: &Tensor, batch: &Batch, _: &Tensor) -> Result<Tensor> {
        let [log_odds, outcomes, _] = log_odds(signal, batch)?;
        bernoulli_log_likelihood(&log_odds, &outcomes)
    }

    fn score(&self, signal: &Tensor, batch: &Batch, _: &Tensor) -> Result<Tensor> {
        let [log_odds, outcomes, covariates] = log_odds(signal, batch)?;
        scaled_covariates(&bernoulli_score(&log_odds, &outcomes)?.squeeze(2)?, &covariates)
    }

    fn simulate(&self, signal: &Tensor, batch: &Batch, _: &Tensor, noise: &mut Noise) -> Result<Batch> {
        let [log_odds, ..] = log_odds(&signal.unsqueeze(1)?, batch)?;
        with_outcomes(batch, bernoulli::draw(&doubles(&log_odds)?, noise))
    }
}
