//! The paper's mixed model without Laplace's approximation: normal effects for each row, integrated exactly.

use aais_glmm::GaussHermite;
use anyhow::{Result, ensure};
use ndarray::{Array1, Array2};
use serde::Deserialize;

use super::{Fit, measures, no_draws};
use crate::cell::Outcome;
use crate::task::{AnswerCell, Prepared};

/// `y ~ Bernoulli(sigmoid(x (β + u)))`, `u ~ N(0, L Lᵀ)` for each row.
///
/// A row has one answer, so `u` enters through `x u ~ N(0, |Lᵀ x|²)` alone, one dimension for each cell of covariates.
/// The likelihood is maximized over `β` and `L` by Fisher scoring with damping. Its maximum is not unique.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExactGaussian {
    /// Nodes of Gauss-Hermite quadrature.
    pub n_nodes: usize,
}

/// Rounds of scoring; far fewer are needed.
const MOST_ROUNDS: usize = 2000;

/// A gain in log-likelihood below this ends the search.
const TOLERANCE: f64 = 1e-11;

impl Fit for ExactGaussian {
    fn fit(&self, prepared: &Prepared, _: u64) -> Result<Outcome> {
        let answers = prepared.answers()?;
        ensure!((2..=200).contains(&self.n_nodes), "`n_nodes` must be 2 to 200, got {}", self.n_nodes);
        let rule = GaussHermite::new(self.n_nodes);
        let model = Model { cells: answers.cells(), rule: &rule };
        let (parameters, nll) = model.maximize();

        let expected: Vec<[f64; 2]> = model.cells.iter().map(|cell| model.expected_logits(cell, &parameters)).collect();
        let of_row = answers.cell_of_row().iter().zip(answers.outcomes());
        // As in the paper, the probability at the expected effects, not the expected probability.
        let probabilities: Vec<f64> =
            of_row.map(|(&cell, &y)| sigmoid(expected[cell][usize::from(y == 1.0)])).collect();
        let mut metrics = measures(answers.outcomes(), &probabilities, nll)?;
        for (name, estimate) in answers.names().iter().zip(&parameters) {
            metrics.insert(format!("beta_{name}"), *estimate);
        }
        Ok(Outcome { metrics, generated: no_draws(answers)? })
    }
}

/// The likelihood of counts in cells as a function of `β` and the lower triangle of `L`, column by column.
struct Model<'a> {
    cells: &'a [AnswerCell],
    rule: &'a GaussHermite,
}

/// A cell's probability of yes and its derivatives by mean and standard deviation of the log odds.
struct Probability {
    value: f64,
    by_mean: f64,
    by_std: f64,
}

impl Model<'_> {
    fn width(&self) -> usize {
        self.cells[0].covariates.len()
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.rule.nodes.iter().copied().zip(self.rule.weights.iter().copied())
    }

    /// From no fixed effects and unit variances.
    fn maximize(&self) -> (Vec<f64>, f64) {
        let width = self.width();
        let mut parameters = vec![0.0; width + width * (width + 1) / 2];
        for k in 0..width {
            parameters[width + place(width, k, k)] = 1.0;
        }
        let mut nll = self.nll(&parameters);
        let mut damping = 1.0;
        for _ in 0..MOST_ROUNDS {
            let (gradient, information) = self.gradient_and_information(&parameters);
            let step = solve(&information, damping, &gradient);
            let moved: Vec<f64> = parameters.iter().zip(&step).map(|(value, step)| value - step).collect();
            let found = self.nll(&moved);
            if found < nll {
                let gain = nll - found;
                (parameters, nll) = (moved, found);
                damping *= 0.3;
                if gain < TOLERANCE {
                    break;
                }
            } else {
                damping *= 4.0;
                if damping > 1e12 {
                    break;
                }
            }
        }
        (parameters, nll)
    }

    fn nll(&self, parameters: &[f64]) -> f64 {
        let of_cell = |cell: &AnswerCell| {
            let p = self.probability(cell, parameters).value;
            -cell.yes * p.ln() - cell.no * (-p).ln_1p()
        };
        self.cells.iter().map(of_cell).sum()
    }

    /// Of the negative log-likelihood: gradient, and Fisher's information.
    fn gradient_and_information(&self, parameters: &[f64]) -> (Array1<f64>, Array2<f64>) {
        let n = parameters.len();
        let (mut gradient, mut information) = (Array1::zeros(n), Array2::zeros((n, n)));
        for cell in self.cells {
            let Probability { value: p, by_mean, by_std } = self.probability(cell, parameters);
            let (mean, std) = self.jacobian(cell, parameters);
            let jacobian = mean * by_mean + std * by_std;
            let rows = cell.yes + cell.no;
            gradient.scaled_add(-(cell.yes - rows * p) / (p * (1.0 - p)), &jacobian);
            let weight = rows / (p * (1.0 - p));
            for i in 0..n {
                for k in 0..n {
                    information[(i, k)] += weight * jacobian[i] * jacobian[k];
                }
            }
        }
        (gradient, information)
    }

    /// `E sigmoid(m + s Z)`, `m = x β`, `s = |Lᵀ x|`.
    fn probability(&self, cell: &AnswerCell, parameters: &[f64]) -> Probability {
        let (mean, std) = (self.mean(cell, parameters), norm(&self.loadings(cell, parameters)));
        let mut found = Probability { value: 0.0, by_mean: 0.0, by_std: 0.0 };
        for (z, weight) in self.points() {
            let p = sigmoid(mean + std * z);
            let slope = weight * p * (1.0 - p);
            found.value += weight * p;
            found.by_mean += slope;
            found.by_std += slope * z;
        }
        found
    }

    fn mean(&self, cell: &AnswerCell, parameters: &[f64]) -> f64 {
        cell.covariates.iter().zip(parameters).map(|(x, beta)| x * beta).sum()
    }

    /// `Lᵀ x`.
    fn loadings(&self, cell: &AnswerCell, parameters: &[f64]) -> Vec<f64> {
        let width = self.width();
        let entry = |row: usize, column: usize| parameters[width + place(width, row, column)];
        (0..width).map(|column| (column..width).map(|row| entry(row, column) * cell.covariates[row]).sum()).collect()
    }

    /// Of `m` and of `s` by the parameters.
    fn jacobian(&self, cell: &AnswerCell, parameters: &[f64]) -> (Array1<f64>, Array1<f64>) {
        let (width, n) = (self.width(), parameters.len());
        let (mut mean, mut std) = (Array1::zeros(n), Array1::zeros(n));
        let loadings = self.loadings(cell, parameters);
        let length = norm(&loadings).max(f64::MIN_POSITIVE);
        for row in 0..width {
            mean[row] = cell.covariates[row];
            for column in 0..=row {
                std[width + place(width, row, column)] = loadings[column] * cell.covariates[row] / length;
            }
        }
        (mean, std)
    }

    /// `E[x (β + u) | y]` for `y` of 0 and 1.
    fn expected_logits(&self, cell: &AnswerCell, parameters: &[f64]) -> [f64; 2] {
        let (mean, std) = (self.mean(cell, parameters), norm(&self.loadings(cell, parameters)));
        [-1.0, 1.0].map(|sign| {
            let (mut total, mut sum) = (0.0, 0.0);
            for (z, weight) in self.points() {
                let logit = mean + std * z;
                let joint = weight * sigmoid(sign * logit);
                total += joint;
                sum += joint * logit;
            }
            sum / total
        })
    }
}

/// Where an entry of the lower triangle stands, column by column.
fn place(width: usize, row: usize, column: usize) -> usize {
    column * width - column * (column + 1) / 2 + row
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Solves `(A + damping I) x = b` for a matrix without negative eigenvalues, by Cholesky's factorization.
fn solve(matrix: &Array2<f64>, damping: f64, b: &Array1<f64>) -> Vec<f64> {
    let n = b.len();
    let mut factor = matrix.clone();
    for k in 0..n {
        factor[(k, k)] += damping;
    }
    for k in 0..n {
        for m in 0..k {
            let share = factor[(k, m)];
            for i in k..n {
                let other = factor[(i, m)];
                factor[(i, k)] -= other * share;
            }
        }
        let pivot = factor[(k, k)].max(f64::MIN_POSITIVE).sqrt();
        for i in k..n {
            factor[(i, k)] /= pivot;
        }
    }
    let mut x = b.to_vec();
    for i in 0..n {
        let known: f64 = (0..i).map(|k| factor[(i, k)] * x[k]).sum();
        x[i] = (x[i] - known) / factor[(i, i)];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| factor[(k, i)] * x[k]).sum();
        x[i] = (x[i] - known) / factor[(i, i)];
    }
    x
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn cells() -> Vec<AnswerCell> {
        let cell = |x: f64, yes, no| AnswerCell { covariates: vec![1.0, x], yes, no };
        vec![cell(0.0, 70.0, 30.0), cell(1.0, 45.0, 55.0), cell(2.0, 33.0, 67.0)]
    }

    #[test]
    fn a_damped_system_is_solved() {
        let matrix = ndarray::array![[4.0, 2.0], [2.0, 1.0]];
        let x = solve(&matrix, 0.5, &ndarray::array![1.0, -1.0]);
        assert!((4.5 * x[0] + 2.0 * x[1] - 1.0).abs() < 1e-12 && (2.0 * x[0] + 1.5 * x[1] + 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let (cells, rule) = (cells(), GaussHermite::new(40));
        let model = Model { cells: &cells, rule: &rule };
        let parameters = [0.4, -0.7, 0.9, -0.3, 0.6];
        let (gradient, _) = model.gradient_and_information(&parameters);
        for k in 0..parameters.len() {
            let shifted = |by: f64| {
                let mut moved = parameters;
                moved[k] += by;
                model.nll(&moved)
            };
            let difference = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
            assert!((gradient[k] - difference).abs() < 1e-5 * (1.0 + difference.abs()), "{k}: {gradient}");
        }
    }

    /// Two fixed effects and a covariance reach what a share for each of three cells does.
    #[test]
    fn enough_parameters_reach_the_saturated_likelihood() {
        let (cells, rule) = (cells(), GaussHermite::new(60));
        let (_, nll) = Model { cells: &cells, rule: &rule }.maximize();
        let share = |cell: &AnswerCell| cell.yes / (cell.yes + cell.no);
        let floor: f64 = cells.iter().map(|c| -c.yes * share(c).ln() - c.no * (1.0 - share(c)).ln()).sum();
        assert!(nll >= floor - 1e-9 && nll < floor + 1e-6, "{nll} {floor}");
    }
}
