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
use crate::leverage::Leverage;
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
        self.inverse.fill(self.pirls.curvature(), &self.pirls.problem.pattern);
        let leverage = Leverage::new(&self.pirls, &self.inverse);
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
            theta[index] +=
                through_mode[index] + 2.0 * leverage.products[entry.factor][entry.row * size + entry.column];
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
}

/// The size or shape; one where the family has none.
pub(crate) fn dispersion(parameters: &Point) -> f64 {
    parameters.log_dispersion.map_or(1.0, f64::exp)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{BinomialLink, Design, RandomTerm, Response};
    use ndarray::Array2;

    fn uniform(k: usize, step: f64) -> f64 {
        (0.5 + step * k as f64).fract()
    }

    fn term(n_rows: usize, n_levels: usize, n_effects: usize, shift: f64) -> RandomTerm {
        RandomTerm {
            group: format!("g{n_levels}"),
            levels: (0..n_levels).map(|level| level.to_string()).collect(),
            codes: (0..n_rows).map(|k| (uniform(k, shift) * n_levels as f64) as usize).collect(),
            effects: Array2::from_shape_fn((n_rows, n_effects), |(k, column)| {
                if column == 0 { 1.0 } else { uniform(k * (column + 2), 0.41) - 0.5 }
            }),
            effect_names: (0..n_effects).map(|column| column.to_string()).collect(),
        }
    }

    /// Sixty rows with two crossed factors, the first with a vector of effects.
    fn crossed(family: Family) -> Design {
        let n_rows = 60;
        let value = |k: usize| {
            let u = uniform(k * k, 0.618_034);
            match family {
                Family::Binomial(_) => f64::from(u8::from(u > 0.4)),
                Family::Gamma => 0.3 + 2.0 * u,
                _ => (5.0 * u * u).floor(),
            }
        };
        let fixed = Array2::from_shape_fn((n_rows, 2), |(k, column)| if column == 0 { 1.0 } else { uniform(k, 0.3) });
        Design {
            response: Response {
                name: "y".into(),
                values: (0..n_rows).map(value).collect(),
                weights: vec![1.0; n_rows],
            },
            fixed,
            fixed_names: vec!["a".into(), "b".into()],
            offset: (0..n_rows).map(|k| 0.2 * uniform(k, 0.77)).collect(),
            random: vec![term(n_rows, 6, 2, 0.137), term(n_rows, 4, 1, 0.391)],
        }
    }

    /// One factor of many equal groups, so that groups stand for several.
    fn repeated(family: Family) -> Design {
        let mut design = crossed(family);
        let mut term = term(60, 20, 2, 0.1);
        for row in 0..60 {
            term.codes[row] = row / 3;
            term.effects[(row, 1)] = (row % 3) as f64 - 1.0;
            design.fixed[(row, 1)] = (row % 3) as f64;
            design.offset[row] = 0.0;
            design.response.values[row] = match family {
                Family::Gamma => 1.0 + (row % 5) as f64 / 3.0,
                _ => f64::from(u8::from((2 * (row / 3) + row) % 4 > 1)),
            };
        }
        design.random = vec![term];
        design
    }

    #[test]
    fn the_gradient_is_the_difference_quotient() {
        let families = [
            Family::Binomial(BinomialLink::Logit),
            Family::Binomial(BinomialLink::Probit),
            Family::Binomial(BinomialLink::Cloglog),
            Family::Poisson,
            Family::NegativeBinomial,
            Family::Gamma,
        ];
        for family in families {
            for design in [crossed(family), repeated(family)] {
                for information in [Information::Expected, Information::Observed] {
                    for unknowns in [Unknowns::Random, Unknowns::Both] {
                        check_gradient(&design, family, information, unknowns);
                    }
                }
            }
        }
    }

    fn check_gradient(design: &Design, family: Family, information: Information, unknowns: Unknowns) {
        let problem = Problem::new(design).unwrap();
        let normalizer = Normalizer::new(family, &design.response);
        let mut laplace = Laplace::new(&problem, family, information, normalizer);
        let point = Point {
            theta: [0.8, -0.3, 0.5, 0.6][..problem.covariance.n_theta].to_vec(),
            beta: vec![0.2, -0.4],
            log_dispersion: family.has_dispersion().then_some(0.4),
        };
        laplace.deviance(&point, unknowns).unwrap();
        let gradient = laplace.gradient(&point, unknowns);
        let step = 1e-4;
        let mut quotient = |change: &dyn Fn(&mut Point, f64)| {
            let mut at = |sign: f64| {
                let mut moved = point.clone();
                change(&mut moved, sign * step);
                laplace.deviance(&moved, unknowns).unwrap()
            };
            (at(1.0) - at(-1.0)) / (2.0 * step)
        };
        // The quotient's own error: its step squared, and what the last Newton step leaves, over the step.
        let close = |found: f64, expected: f64| (found - expected).abs() < 1e-6 * expected.abs().max(1.0);
        for (index, found) in gradient.theta.iter().enumerate() {
            let expected = quotient(&|point, step| point.theta[index] += step);
            assert!(
                close(*found, expected),
                "{family:?} {information:?} {unknowns:?} theta {index}: {found} {expected}"
            );
        }
        for (index, found) in gradient.beta.iter().enumerate() {
            let expected = quotient(&|point, step| point.beta[index] += step);
            assert!(close(*found, expected), "{family:?} {information:?} beta {index}: {found} {expected}");
        }
        if let Some(found) = gradient.log_dispersion {
            let expected = quotient(&|point, step| point.log_dispersion = point.log_dispersion.map(|log| log + step));
            assert!(close(found, expected), "{family:?} {information:?} {unknowns:?} dispersion: {found} {expected}");
        }
    }
}
