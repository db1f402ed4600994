//! Marginal likelihoods of groups under the normal law of a fit, by importance sampling around each group's mode.

use aais_distributions::Noise;
use aais_glmm::{Family, Fit};
use aais_importance::log_mixture;
use ndarray::{Array1, Array2, ArrayView1};
use rand_distr::{Distribution, StandardNormal};

use crate::dense::{block_mut, cholesky, rows, solve, solve_lower, solve_upper};
use crate::error::Result;
use crate::grouped_design::GroupedDesign;
use crate::marginal::LogMarginal;
use crate::scaled_rows::fit_dispersion;

/// Share of draws from the prior itself, so that no weight is larger than five times a likelihood.
const PRIOR_SHARE: f64 = 0.2;

/// Newton steps to a mode at most, and the score at which it is reached.
const MAX_STEPS: usize = 100;
const FLAT: f64 = 1e-8;

/// One group's integrand in spherical effects `z`, `b = Λ z`.
struct Group<'a> {
    family: Family,
    dispersion: f64,
    /// `o + Xβ`.
    base: Array1<f64>,
    /// `W Λ`.
    loadings: Array2<f64>,
    response: &'a [f64],
    weights: &'a [f64],
}

/// `log p(y_g)` of every group at the fit's parameters.
///
/// For Gaussian rows the proposal is the posterior, and the estimate exact but for rounding and the prior's share.
pub(crate) fn log_marginals(
    design: &GroupedDesign,
    fit: &Fit,
    n_samples: usize,
    noise: &Noise,
) -> Result<Vec<LogMarginal>> {
    let factor = lower_factor(&effects_covariance(fit), 0.0);
    let each = design.spans().into_iter().enumerate().map(|(group, span)| {
        let integrand = Group::new(design, fit, &factor, span);
        let constant = design.constants[group] + integrand.dispersion_constant();
        LogMarginal::new(&design.levels[group], &integrand.log_weights(n_samples, &mut noise.at(group, 0)), constant)
    });
    each.collect()
}

/// Mode and log variances of each group's posterior in spherical effects, `b = factor z`, `(G, 2 q)`.
pub(crate) fn modes(design: &GroupedDesign, fit: &Fit, factor: &Array2<f64>) -> Array2<f64> {
    let q = factor.ncols();
    let mut moments = Array2::zeros((design.sizes.len(), 2 * q));
    for (group, span) in design.spans().into_iter().enumerate() {
        let (mode, root) = Group::new(design, fit, factor, span).mode();
        let inverse = solve(&root, &Array2::eye(q));
        let log_variance = inverse.diag().mapv(f64::ln);
        moments.row_mut(group).assign(&ndarray::concatenate![ndarray::Axis(0), mode, log_variance]);
    }
    moments
}

/// The covariance of all effects, `(q, q)`, zero between terms.
pub(crate) fn effects_covariance(fit: &Fit) -> Array2<f64> {
    let q = fit.random.iter().map(|term| term.covariance.nrows()).sum();
    let mut covariance = Array2::zeros((q, q));
    let mut at = 0;
    for term in &fit.random {
        let size = term.covariance.nrows();
        block_mut(&mut covariance, at..at + size, at..at + size).assign(&term.covariance);
        at += size;
    }
    covariance
}

/// Lower Cholesky factor with no pivot below the least; a column of zeros where a pivot is zero.
pub(crate) fn lower_factor(covariance: &Array2<f64>, least: f64) -> Array2<f64> {
    let q = covariance.nrows();
    let mut factor = Array2::<f64>::zeros((q, q));
    for row in 0..q {
        for column in 0..=row {
            let known: f64 = (0..column).map(|k| factor[(row, k)] * factor[(column, k)]).sum();
            let rest = covariance[(row, column)] - known;
            let pivot = factor[(column, column)];
            factor[(row, column)] = match row == column {
                true => rest.max(least * least).sqrt(),
                false if pivot > 0.0 => rest / pivot,
                false => 0.0,
            };
        }
    }
    factor
}

impl<'a> Group<'a> {
    fn new(design: &'a GroupedDesign, fit: &Fit, factor: &Array2<f64>, span: std::ops::Range<usize>) -> Self {
        let offset = ndarray::aview1(&design.offset[span.clone()]);
        Self {
            family: fit.family,
            dispersion: fit_dispersion(fit),
            base: &offset + &rows(&design.fixed, span.clone()).dot(&ndarray::aview1(&fit.fixed)),
            loadings: rows(&design.random, span.clone()).dot(factor),
            response: &design.response[span.clone()],
            weights: &design.weights[span],
        }
    }

    /// What the rows' likelihood has beside [`Family::row`]: the part that depends on the dispersion alone.
    fn dispersion_constant(&self) -> f64 {
        let rows = self.response.iter().zip(self.weights);
        rows.map(|(y, weight)| dispersion_constant(self.family, *y, *weight, self.dispersion)).sum()
    }

    /// Log-likelihood, its gradient and minus its second derivative in `z`.
    fn derivatives(&self, z: ArrayView1<f64>) -> (f64, Array1<f64>, Array2<f64>) {
        let q = z.len();
        let (mut value, mut score, mut information) = (0.0, Array1::zeros(q), Array2::zeros((q, q)));
        let eta = &self.base + &self.loadings.dot(&z);
        for (row, eta) in eta.iter().enumerate() {
            let at = self.family.row(self.response[row], *eta, self.dispersion);
            let (loading, weight) = (self.loadings.row(row), self.weights[row]);
            value += weight * at.value;
            score.scaled_add(weight * at.score, &loading);
            for k in 0..q {
                information.row_mut(k).scaled_add(weight * at.information * loading[k], &loading);
            }
        }
        (value, score, information)
    }

    /// The mode of the posterior and the Cholesky factor of the curvature there.
    fn mode(&self) -> (Array1<f64>, Array2<f64>) {
        let q = self.loadings.ncols();
        let mut z = Array1::<f64>::zeros(q);
        let mut factor = Array2::eye(q);
        let height = |z: &Array1<f64>| self.derivatives(z.view()).0 - 0.5 * z.dot(z);
        for _ in 0..MAX_STEPS {
            let (value, score, information) = self.derivatives(z.view());
            let score = score - &z;
            // A likelihood that is not concave here leaves the prior's curvature.
            factor = cholesky(&(information + Array2::<f64>::eye(q))).unwrap_or_else(|| Array2::eye(q));
            if score.iter().all(|s| s.abs() < FLAT) {
                break;
            }
            let mut step = solve_upper(&factor, solve_lower(&factor, score.view()).view());
            let now = value - 0.5 * z.dot(&z);
            for _ in 0..30 {
                if height(&(&z + &step)) >= now {
                    break;
                }
                step *= 0.5;
            }
            z += &step;
        }
        (z, factor)
    }

    /// `log p(y, z) − log r(z)` with `r` a mixture of the normal at the mode and the prior.
    fn log_weights(&self, n_samples: usize, noise: &mut Noise) -> Vec<f64> {
        let (mode, factor) = self.mode();
        let q = mode.len();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
        let n_prior = (PRIOR_SHARE * n_samples as f64) as usize;
        let prior_share = n_prior as f64 / n_samples as f64;
        let log_det: f64 = factor.diag().iter().map(|pivot| pivot.ln()).sum();
        (0..n_samples)
            .map(|sample| {
                let standard: Array1<f64> = (0..q).map(|_| StandardNormal.sample(noise)).collect();
                let z = if sample < n_prior { standard } else { &mode + &solve_upper(&factor, standard.view()) };
                // (L^T (z - mode)) is standard normal under the proposal.
                let away = factor.t().dot(&(&z - &mode));
                // The factor (2 π)^(-q/2) is in both.
                let (log_prior, log_normal) = (-0.5 * z.dot(&z), log_det - 0.5 * away.dot(&away));
                let log_proposal = log_mixture(prior_share, log_prior, log_normal);
                self.derivatives(z.view()).0 + log_prior - log_proposal
            })
            .collect()
    }
}

/// What a row's log-likelihood adds for its dispersion, beside [`Family::row`] and the constant of the data.
fn dispersion_constant(family: Family, response: f64, weight: f64, dispersion: f64) -> f64 {
    use statrs::function::gamma::ln_gamma;
    match family {
        Family::Gaussian => -dispersion.ln(),
        // y log(μ / θ) has −y log θ, which the row leaves out.
        Family::NegativeBinomial => {
            weight * (ln_gamma(response + dispersion) - ln_gamma(dispersion) - response * dispersion.ln())
        }
        Family::Gamma => {
            let shape = weight * dispersion;
            shape * (shape * response).ln() - ln_gamma(shape)
        }
        Family::Binomial(_) | Family::Poisson => 0.0,
    }
}
