//! The Laplace approximation of `−2 log L` and its gradient.
//!
//! With `η = o + Xβ + ZΛu` at the mode `û`, `H = ΛᵀZᵀWZΛ + I` and `h_i` the diagonal of `ZΛH⁻¹ΛᵀZᵀ`,
//!
//! `D = −2 Σ ℓ_i + |û|² + log det H`.
//!
//! Its gradient moves the mode too. With `a = H_o⁻¹ΛᵀZᵀ(h∘w′)`, where `H_o` has the observed information, and
//! `e = h∘w′ − w_o∘ZΛa − 2s`, where `s` is the score and `w′` the slope of `W`,
//!
//! `∂D/∂β = Xᵀe`, `∂D/∂θ = (Zᵀe)ᵀ ∂Λ û + (Zᵀs)ᵀ ∂Λ a + 2 tr(ZᵀWZΛH⁻¹ ∂Λᵀ)`.
//!
//! Where `β` is profiled, the mode is joint and `a` comes from the bordered system.

use crate::dense;
use crate::family::{Family, Information, Normalizer};
use crate::pirls::{Pirls, Unknowns};
use crate::problem::Problem;
use crate::selected_inverse::SelectedInverse;

/// A point of the search: covariances, fixed effects and the logarithm of the size or shape, where there is one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    pub theta: Vec<f64>,
    pub beta: Vec<f64>,
    pub log_dispersion: Option<f64>,
}

/// The deviance as a function of the parameters, with its modes kept warm from call to call.
pub(crate) struct Laplace<'a> {
    pub pirls: Pirls<'a>,
    pub normalizer: Normalizer,
    inverse: SelectedInverse,
    /// Calls so far.
    pub n_evaluations: usize,
}

/// Derivatives of the deviance in each kind of parameter.
#[derive(Debug, Clone)]
pub(crate) struct Gradient {
    pub theta: Vec<f64>,
    pub beta: Vec<f64>,
    pub log_dispersion: Option<f64>,
}

/// What one pass over the rows with `H⁻¹` gives.
struct Leverage {
    /// `h`, `(M,)`.
    rows: Vec<f64>,
    /// `Σ w z (H⁻¹Λᵀz)ᵀ` of each factor, `(q, q)`.
    products: Vec<Vec<f64>>,
}

impl<'a> Laplace<'a> {
    pub(crate) fn new(problem: &'a Problem, family: Family, information: Information, normalizer: Normalizer) -> Self {
        let pirls = Pirls::new(problem, family, information);
        Self { pirls, normalizer, inverse: SelectedInverse::default(), n_evaluations: 0 }
    }

    /// `D`; with [`Unknowns::Both`] the fixed effects in `parameters` are ignored and profiled out.
    ///
    /// `None` where no finite mode is found.
    pub(crate) fn deviance(&mut self, parameters: &Point, unknowns: Unknowns) -> Option<f64> {
        self.n_evaluations += 1;
        let dispersion = dispersion(parameters);
        self.pirls.set(&parameters.theta, dispersion);
        if unknowns == Unknowns::Random {
            self.pirls.beta.clone_from(&parameters.beta);
        }
        self.pirls.converge(unknowns)?;
        let value = self.pirls.penalized() + self.pirls.curvature().log_det - 2.0 * self.normalizer.value(dispersion);
        value.is_finite().then_some(value)
    }

    /// The gradient where the last deviance was taken; nothing in `β` where it was profiled.
    pub(crate) fn gradient(&mut self, parameters: &Point, unknowns: Unknowns) -> Gradient {
        let leverage = self.leverage();
        let pirls = &self.pirls;
        let problem = pirls.problem;

        let weighted = self.weighted_slopes(&leverage.rows);
        let mut response = problem.random_products(&weighted);
        problem.scale_transposed(&pirls.lambda, &mut response);
        let mut fixed = match unknowns {
            Unknowns::Random => Vec::new(),
            Unknowns::Both => problem.fixed_products(&weighted),
        };
        match unknowns {
            Unknowns::Random => {
                pirls.newton.solve_lower(&problem.pattern, &mut response, 1);
                pirls.newton.solve_upper(&problem.pattern, &mut response, 1);
            }
            Unknowns::Both => pirls.border.solve(problem, &pirls.newton, &mut response, &mut fixed),
        }
        let moved = self.moved_predictor(&response, &fixed);

        let derivatives = &pirls.derivatives;
        let errors: Vec<f64> = (0..weighted.len())
            .map(|row| weighted[row] - derivatives.observed[row] * moved[row] - 2.0 * derivatives.score[row])
            .collect();
        let mut theta = problem.theta_products(&problem.random_products(&errors), &pirls.modes);
        let through_mode = problem.theta_products(&problem.random_products(&derivatives.score), &response);
        for (index, entry) in problem.entries.iter().enumerate() {
            let size = problem.factors[entry.factor].size;
            theta[index] += through_mode[index] + 2.0 * leverage.products[entry.factor][entry.row * size + entry.column];
        }
        let beta = match unknowns {
            Unknowns::Random => problem.fixed_products(&errors),
            Unknowns::Both => Vec::new(),
        };
        let log_dispersion =
            parameters.log_dispersion.map(|log| self.dispersion_slope(log.exp(), &leverage.rows, &moved));
        Gradient { theta, beta, log_dispersion }
    }

    /// `h∘w′`.
    fn weighted_slopes(&self, leverage: &[f64]) -> Vec<f64> {
        let rows = &self.pirls.problem.rows;
        let slope = |row: usize| {
            let slopes = self.pirls.likelihood.slopes(rows.response[row], self.pirls.eta[row]);
            if self.pirls.uses_expected() { slopes.expected } else { slopes.observed }
        };
        (0..rows.len()).map(|row| leverage[row] * rows.weights[row] * slope(row)).collect()
    }

    /// `ZΛa`, with `Xb` where the fixed effects move too.
    fn moved_predictor(&self, random: &[f64], fixed: &[f64]) -> Vec<f64> {
        let problem = self.pirls.problem;
        let mut effects = Vec::new();
        problem.scale(&self.pirls.lambda, random, &mut effects);
        let mut moved = match fixed {
            [] => vec![0.0; problem.rows.len()],
            _ => (0..problem.rows.len()).map(|row| dense::dot(problem.rows.fixed_row(row), fixed)).collect(),
        };
        problem.add_random(&effects, &mut moved);
        moved
    }

    /// `∂D / ∂ log(dispersion)`: of the log-likelihood, of `W`, and of the mode through the score.
    fn dispersion_slope(&self, dispersion: f64, leverage: &[f64], moved: &[f64]) -> f64 {
        let rows = &self.pirls.problem.rows;
        let row_slope = |row: usize| {
            let slopes = self.pirls.likelihood.dispersion_slopes(rows.response[row], self.pirls.eta[row]);
            let weight = if self.pirls.uses_expected() { slopes.expected } else { slopes.observed };
            let sum = -2.0 * slopes.value + leverage[row] * weight + moved[row] * slopes.score;
            rows.copies[row] * rows.weights[row] * sum
        };
        (0..rows.len()).map(row_slope).sum::<f64>() - 2.0 * self.normalizer.slope(dispersion)
    }

    fn leverage(&mut self) -> Leverage {
        let pirls = &self.pirls;
        let Problem { rows, pattern, factors, .. } = pirls.problem;
        self.inverse.fill(pirls.curvature(), pattern);
        let mut leverage = Leverage {
            rows: vec![0.0; rows.len()],
            products: factors.iter().map(|factor| vec![0.0; factor.size * factor.size]).collect(),
        };
        let n_factors = rows.n_factors;
        let n_places = n_factors * (n_factors + 1) / 2;
        let starts: Vec<usize> = factors
            .iter()
            .scan(0, |end, factor| {
                *end += factor.size;
                Some(*end - factor.size)
            })
            .collect();
        let (mut scaled, mut solved) = (vec![0.0; rows.n_effects], vec![0.0; rows.n_effects]);
        for (row, weight) in pirls.curvature_weights().iter().enumerate() {
            let effects = &rows.effects[row * rows.n_effects..(row + 1) * rows.n_effects];
            let places = &pattern.row_places[row * n_places..(row + 1) * n_places];
            scale_effects(pirls, &starts, effects, &mut scaled);
            self.multiply_inverse(&starts, places, &scaled, &mut solved);
            leverage.rows[row] = dense::dot(&scaled, &solved);
            let total = weight * rows.copies[row];
            for (product, (&start, factor)) in leverage.products.iter_mut().zip(starts.iter().zip(factors)) {
                for index in 0..factor.size {
                    let target = &mut product[index * factor.size..=index * factor.size + index];
                    dense::add_scaled(target, total * effects[start + index], &solved[start..]);
                }
            }
        }
        leverage
    }

    /// `H⁻¹ t` restricted to the effects of one row, for its `t = Λᵀz`.
    fn multiply_inverse(&self, starts: &[usize], places: &[u32], scaled: &[f64], solved: &mut [f64]) {
        let Problem { pattern, factors, .. } = self.pirls.problem;
        solved.fill(0.0);
        let mut places = places.iter();
        for later in 0..factors.len() {
            for (earlier, &place) in (0..=later).zip(&mut places) {
                let (rows, columns) = (factors[later].size, factors[earlier].size);
                let place = place as usize;
                let stride = if place < pattern.dense_start { columns } else { pattern.dense_order };
                for index in 0..rows {
                    let block = &self.inverse.values[place + index * stride..][..columns];
                    solved[starts[later] + index] += dense::dot(block, &scaled[starts[earlier]..][..columns]);
                    if later != earlier {
                        let value = scaled[starts[later] + index];
                        dense::add_scaled(&mut solved[starts[earlier]..][..columns], value, block);
                    }
                }
            }
        }
    }
}

/// `Λᵀz` of one row.
fn scale_effects(pirls: &Pirls, starts: &[usize], effects: &[f64], scaled: &mut [f64]) {
    for ((factor, &start), block) in pirls.problem.factors.iter().zip(starts).zip(&pirls.lambda.blocks) {
        let size = factor.size;
        for column in 0..size {
            let terms = (column..size).map(|row| block[row * size + column] * effects[start + row]);
            scaled[start + column] = terms.sum();
        }
    }
}

/// The size or shape; one where the family has none.
pub(crate) fn dispersion(parameters: &Point) -> f64 {
    parameters.log_dispersion.map_or(1.0, f64::exp)
}
