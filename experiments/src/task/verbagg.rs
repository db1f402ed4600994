//! Answers of yes and no with random effects for each. Paper, section 4.4.

use std::collections::BTreeMap;

use aais_datasets::verbagg;
use aais_glmm::{Categorical, Data, DesignOptions, Formula};
use aais_models::LatentModel;
use anyhow::Result;
use ndarray::Array2;

use super::{Observation, Prepared, Truth};
use crate::cell::{Generated, Outcome, Rows};
use crate::config::Evaluate;
use crate::fits::measures;
use crate::glmm::columns;

/// The covariates of Eq. 28.
const FORMULA: &str = "r2 ~ situ + btype + mode";

/// The answers of VerbAgg, row by row and counted in the cells of their covariates.
pub struct Answers {
    names: Vec<String>,
    outcomes: Vec<f64>,
    covariates: Array2<f64>,
    cells: Vec<AnswerCell>,
    cell_of_row: Vec<usize>,
}

/// Rows with the same covariates.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerCell {
    /// The intercept and dummy variables.
    pub covariates: Vec<f64>,
    /// Answers of yes.
    pub yes: f64,
    /// Answers of no.
    pub no: f64,
}

impl Answers {
    /// From the data set that the program brings along.
    ///
    /// # Errors
    /// If its columns are not those of the paper's model.
    pub fn new() -> Result<Self> {
        let design = Formula::parse(FORMULA)?.design(&columns(verbagg())?, &DesignOptions::default())?.design;
        let names = design.fixed_names.iter().map(|name| name.trim_matches(['(', ')']).to_lowercase()).collect();
        let (mut cells, mut cell_of_row): (Vec<AnswerCell>, Vec<usize>) = (Vec::new(), Vec::new());
        for (row, outcome) in design.fixed.rows().into_iter().zip(&design.response.values) {
            let covariates = row.to_vec();
            let known = cells.iter().position(|cell| cell.covariates == covariates);
            let at = known.unwrap_or(cells.len());
            if known.is_none() {
                cells.push(AnswerCell { covariates, yes: 0.0, no: 0.0 });
            }
            cells[at].yes += outcome;
            cells[at].no += 1.0 - outcome;
            cell_of_row.push(at);
        }
        Ok(Self { names, outcomes: design.response.values, covariates: design.fixed, cells, cell_of_row })
    }

    /// Columns for formulas: those of VerbAgg, and `obs`, which numbers the rows.
    ///
    /// # Errors
    /// If a column cannot be taken.
    pub fn data(&self) -> Result<Data> {
        #[expect(clippy::cast_precision_loss, reason = "rows are far below 2^52")]
        let rows: Vec<f64> = (0..self.outcomes.len()).map(|row| row as f64).collect();
        Ok(columns(verbagg())?.with("obs", Categorical::from_numbers(&rows))?)
    }

    /// `intercept`, `situself`, `btypescold`, `btypeshout`, `modedo`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// 1 for yes, 0 for no, by row.
    pub fn outcomes(&self) -> &[f64] {
        &self.outcomes
    }

    /// Twelve cells of covariates.
    pub fn cells(&self) -> &[AnswerCell] {
        &self.cells
    }

    /// The cell of each row.
    pub fn cell_of_row(&self) -> &[usize] {
        &self.cell_of_row
    }
}

pub(super) fn prepare() -> Result<Prepared> {
    let answers = Answers::new()?;
    let width = answers.covariates.ncols();
    let observed = Array2::from_shape_fn((answers.outcomes.len(), width + 1), |(row, column)| {
        if column < width { answers.covariates[(row, column)] } else { answers.outcomes[row] }
    });
    Ok(Prepared::of(observed, Observation::Logistic, answers))
}

impl Truth for Answers {
    /// Predicts the effects of each row from draws that all rows share, `û = Σ p(y | u_j) u_j / Σ p(y | u_j)`.
    fn judge(&self, generated: &[Vec<f64>], _: &LatentModel, _: &Evaluate) -> Result<Outcome> {
        #[expect(clippy::cast_precision_loss, reason = "draws are far below 2^52")]
        let n = generated.len() as f64;
        let logit = |x: &[f64], u: &[f64]| -> f64 { x.iter().zip(u).map(|(x, u)| x * u).sum() };
        let sigmoid = |logit: f64| 1.0 / (1.0 + (-logit).exp());
        let mut marginal_nll = 0.0;
        // By cell the probability at the predicted effects, for answers of no and of yes.
        let mut predicted = Vec::new();
        for cell in &self.cells {
            let logits: Vec<f64> = generated.iter().map(|u| logit(&cell.covariates, u)).collect();
            predicted.push([-1.0, 1.0].map(|sign| {
                let likelihoods = logits.iter().map(|logit| sigmoid(sign * logit));
                let (total, sum) = likelihoods.zip(&logits).fold((0.0, 0.0), |(t, s), (p, l)| (t + p, s + p * l));
                marginal_nll -= if sign > 0.0 { cell.yes } else { cell.no } * (total / n).ln();
                sigmoid(sum / total) // x û = Σ p (x u) / Σ p.
            }));
        }
        let of_row = self.cell_of_row.iter().zip(&self.outcomes);
        let probabilities: Vec<f64> = of_row.map(|(&cell, &y)| predicted[cell][usize::from(y == 1.0)]).collect();
        let mut metrics = measures(&self.outcomes, &probabilities, marginal_nll)?;
        for (k, name) in self.names.iter().enumerate() {
            metrics.insert(format!("beta_{name}"), generated.iter().map(|u| u[k]).sum::<f64>() / n); // Deviation 29.
        }
        let some: Vec<Vec<f64>> = generated.iter().take(SHOWN).map(|u| self.centred(u, &metrics)).collect();
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        Ok(Outcome { metrics, generated: Generated::Rows(Rows::first(SHOWN, &names, &some)?) })
    }

    fn reference(&self, _: &Evaluate) -> Result<Option<Generated>> {
        Ok(None)
    }

    fn answers(&self) -> Option<&Answers> {
        Some(self)
    }
}

/// Draws that a figure shows.
const SHOWN: usize = 500;

impl Answers {
    /// Random effects: a draw less the fixed effects.
    fn centred(&self, u: &[f64], metrics: &BTreeMap<String, f64>) -> Vec<f64> {
        u.iter().zip(&self.names).map(|(u, name)| u - metrics[&format!("beta_{name}")]).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn there_are_twelve_cells_of_632_rows() {
        let answers = Answers::new().unwrap();
        assert_eq!(answers.names, ["intercept", "situself", "btypescold", "btypeshout", "modedo"]);
        assert_eq!(answers.cells.len(), 12);
        assert!(answers.cells.iter().all(|cell| cell.yes + cell.no == 632.0));
        assert_eq!(answers.outcomes.iter().sum::<f64>(), 3611.0);
    }
}
