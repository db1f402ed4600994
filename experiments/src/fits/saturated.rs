//! A probability of its own for each pattern of covariates: what no model of them can exceed in marginal likelihood.

use anyhow::Result;
use serde::Deserialize;

use super::{Fit, measures, no_draws};
use crate::cell::Outcome;
use crate::task::Prepared;

/// The share of yes in each cell of covariates.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saturated {}

impl Fit for Saturated {
    fn fit(&self, prepared: &Prepared, _: u64) -> Result<Outcome> {
        let answers = prepared.answers()?;
        let shares: Vec<f64> = answers.cells().iter().map(|cell| cell.yes / (cell.yes + cell.no)).collect();
        let probabilities: Vec<f64> = answers.cell_of_row().iter().map(|&cell| shares[cell]).collect();
        let nll =
            answers.cells().iter().zip(&shares).map(|(cell, p)| -cell.yes * p.ln() - cell.no * (-p).ln_1p()).sum();
        Ok(Outcome { metrics: measures(answers.outcomes(), &probabilities, nll)?, generated: no_draws(answers)? })
    }
}
