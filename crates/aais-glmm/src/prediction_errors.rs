//! Standard errors of predictions, on the scale of the linear predictor.
//! Henderson (1975), doi:10.2307/2529430.

use crate::border::Border;
use crate::check::check;
use crate::cholesky::Cholesky;
use crate::covariance::RelativeFactor;
use crate::dense;
use crate::family::Normalizer;
use crate::laplace::{Laplace, Point};
use crate::linear::Linear;
use crate::objective::prepare;
use crate::pirls::Unknowns;
use crate::problem::Problem;
use crate::{Design, Error, Family, Fit, NewLevels, Result};

impl Fit {
    /// Standard errors of [`Self::predict_population_linear`], `√(xᵀ V x)` with [`Self::fixed_covariance`], `(N,)`.
    ///
    /// # Errors
    /// Those of [`Self::predict_population_linear`].
    pub fn population_std_errors(&self, rows: &Design) -> Result<Vec<f64>> {
        self.predict_population_linear(rows)?;
        Ok((0..rows.fixed.nrows()).map(|row| self.fixed_variance(&rows.fixed.row(row).to_vec()).sqrt()).collect())
    }

    /// `xᵀ V x`.
    fn fixed_variance(&self, x: &[f64]) -> f64 {
        let x = ndarray::aview1(x);
        x.dot(&self.fixed_covariance.dot(&x))
    }
}

/// Standard errors of [`Fit::predict_linear`]: roots of the variance of `xᵀβ̂ + zᵀb̂ − xᵀβ − zᵀb` over the rows, `(N,)`.
///
/// With `V` the fixed effects' covariance, `C` the modes' covariance given the data and the fixed effects, and
/// `G = −∂b̂/∂β`, the variance is `zᵀ C z + (x − Gᵀz)ᵀ V (x − Gᵀz)`. It holds the covariance parameters at their
/// estimates. For linear models that is the prediction error variance of Henderson's equations; elsewhere
/// `C` is the curvature at the modes, `V` is [`Fit::fixed_covariance`], and both are right in large samples only.
/// A new level, where [`NewLevels::Population`] predicts with effects of zero, adds their own variance `zᵀ Σ z`.
/// What a new response scatters around its mean is not included.
///
/// `fitted` is the design that was fitted, `rows` the one to predict. The time for each row is that of one triangular
/// solve with the factor of the whole fit.
///
/// # Errors
/// Another fitted design than the fit's, and those of [`Fit::predict_linear`].
pub fn prediction_std_errors(fitted: &Design, fit: &Fit, rows: &Design, new_levels: NewLevels) -> Result<Vec<f64>> {
    fit.check_design(fitted, "standard errors of predictions")?;
    fit.predict_linear(rows, new_levels)?;
    check(rows)?;
    let problem = prepare(fitted, fit.family, &fit.settings)?;
    let solution = Solution::new(&problem, fitted, fit)?;
    let known: Vec<Vec<Option<usize>>> = rows
        .random
        .iter()
        .zip(&fit.random)
        .map(|(term, own)| term.levels.iter().map(|level| own.levels.iter().position(|other| other == level)).collect())
        .collect();
    Ok((0..rows.fixed.nrows()).map(|row| solution.variance(fit, rows, row, &known, new_levels).sqrt()).collect())
}

/// The factors of the normal equations at a fit.
struct Solution<'a> {
    problem: &'a Problem,
    lambda: RelativeFactor,
    factor: Cholesky,
    border: Border,
}

impl<'a> Solution<'a> {
    fn new(problem: &'a Problem, fitted: &Design, fit: &Fit) -> Result<Self> {
        let diverged = || Error::Diverged { theta: fit.theta.clone() };
        if fit.family == Family::Gaussian {
            let mut linear = Linear::new(problem, fit.settings.criterion, &fitted.response.weights);
            linear.solve(&fit.theta).ok_or_else(diverged)?;
            return Ok(Self { problem, lambda: linear.lambda, factor: linear.factor, border: linear.border });
        }
        let normalizer = Normalizer::new(fit.family, &fitted.response);
        let mut laplace = Laplace::new(problem, fit.family, fit.settings.information, normalizer);
        let log_dispersion = fit.dispersion.parameter().map(f64::ln);
        let point = Point { theta: fit.theta.clone(), beta: fit.fixed.clone(), log_dispersion };
        laplace.deviance(&point, Unknowns::Random).ok_or_else(diverged)?;
        let mut pirls = laplace.pirls;
        let border = pirls.fixed_border().ok_or_else(diverged)?;
        Ok(Self { problem, factor: pirls.curvature().clone(), lambda: pirls.lambda, border })
    }

    /// With `t = L⁻¹Λᵀz`: `σ² |t|² + (x − R_ZXᵀ t)ᵀ V (x − R_ZXᵀ t)`, and `zᵀ Σ z` of new levels.
    fn variance(&self, fit: &Fit, rows: &Design, row: usize, known: &[Vec<Option<usize>>], new: NewLevels) -> f64 {
        let pattern = &self.problem.pattern;
        let mut scaled = vec![0.0; pattern.n_scalars()];
        let mut variance = 0.0;
        for (index, (term, block)) in rows.random.iter().zip(&self.problem.covariance.terms).enumerate() {
            let effects = term.effects.row(row);
            match known[index][term.codes[row]] {
                Some(level) => {
                    let group = self.problem.factors[block.factor].group_of_level[level] as usize;
                    let first = pattern.starts[pattern.first_node[block.factor] + group] + block.first_effect;
                    scaled[first..first + block.size].iter_mut().zip(effects).for_each(|(entry, z)| *entry += z);
                }
                None if new == NewLevels::Missing => return f64::NAN,
                None => variance += effects.dot(&fit.random[index].covariance.dot(&effects)),
            }
        }
        self.problem.scale_transposed(&self.lambda, &mut scaled);
        self.factor.solve_lower(pattern, &mut scaled, 1);
        variance += fit.dispersion.scale().powi(2) * dense::dot(&scaled, &scaled);

        let mut fixed = rows.fixed.row(row).to_vec();
        let width = fixed.len().max(1);
        for (entry, mixed) in scaled.iter().zip(self.border.mixed.chunks(width)) {
            dense::add_scaled(&mut fixed, -entry, mixed);
        }
        variance + fit.fixed_variance(&fixed)
    }
}
