//! Fitting a design, and what a fit holds.

use ndarray::Array2;

use crate::border::Border;
use crate::covariance::theta_names;
use crate::diagnostics::{Diagnostic, diagnose};
use crate::family::{Family, Normalizer};
use crate::inference::{Curvature, fixed_covariance};
use crate::laplace::{Laplace, Point};
use crate::linear::Linear;
use crate::objective::prepare;
use crate::pirls::Unknowns;
use crate::problem::Problem;
use crate::quadrature::ProductRule;
use crate::random_effects::{RandomEffects, random_effects};
use crate::refit::Near;
use crate::settings::{Approximation, Parameters, Settings};
use crate::stages::{LaplaceStage, Outcome, fit_from, fit_laplace, fit_linear, fit_profiled};
use crate::{Design, Error, Result, quadrature_stage};

/// A fitted mixed model.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Distribution and link.
    pub family: Family,
    /// How it was fitted.
    pub settings: Settings,
    /// Names of the fixed effects.
    pub fixed_names: Vec<String>,
    /// Fixed effects, `(p,)`.
    pub fixed: Vec<f64>,
    /// Their covariance, `(p, p)`: from the Hessian of the deviance in all parameters, as lme4 reports it.
    ///
    /// The same as [`Self::fixed_covariance_given_theta`] for linear models and profiled fits, whose deviance has no
    /// fixed effects, and where the Hessian is not positive definite (a [`Diagnostic`] says so).
    pub fixed_covariance: Array2<f64>,
    /// Their covariance with the covariance parameters held, `σ² (R_XᵀR_X)⁻¹`, `(p, p)`.
    pub fixed_covariance_given_theta: Array2<f64>,
    /// Entries of the relative Cholesky factors, no diagonal below zero.
    pub theta: Vec<f64>,
    /// Their names as lme4 gives them.
    pub theta_names: Vec<String>,
    /// Covariances and conditional modes, term by term.
    pub random: Vec<RandomEffects>,
    /// What the family's variance is scaled by.
    pub dispersion: Dispersion,
    /// `o + Xβ + Zb` at the conditional modes, `(N,)`.
    pub linear_predictor: Vec<f64>,
    /// Its mean, `g⁻¹(o + Xβ + Zb)`, `(N,)`.
    pub fitted: Vec<f64>,
    /// `o + Xβ`, `(N,)`.
    pub population_predictor: Vec<f64>,
    /// Log-likelihood, or restricted log-likelihood, with every constant, whatever the number of nodes.
    pub log_likelihood: f64,
    /// `−2 log L`, what was minimized: REML criterion, deviance or its approximation.
    pub deviance: f64,
    /// `−2 log L + 2 k`.
    pub aic: f64,
    /// `−2 log L + k log N`.
    pub bic: f64,
    /// `k`: fixed effects, entries of `θ`, and a dispersion that was estimated.
    pub n_parameters: usize,
    /// `N`: rows with a positive weight.
    pub n_rows: usize,
    /// How often the deviance was computed.
    pub n_evaluations: usize,
    /// Whether the last search ended because nothing was left to gain.
    pub converged: bool,
    /// Slopes and curvature of the deviance at the optimum.
    pub curvature: Curvature,
    /// What a careful reader should know before using the fit.
    pub diagnostics: Vec<Diagnostic>,
}

/// What a family's variance is scaled by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Dispersion {
    /// Nothing: binomial and Poisson.
    One,
    /// `σ`, the standard deviation of a Gaussian row with weight one.
    ResidualStd(f64),
    /// `θ` of a negative binomial's variance `μ + μ²/θ`.
    Size(f64),
    /// `k` of a gamma's variance `μ²/k`.
    Shape(f64),
}

impl Dispersion {
    /// The standard deviation that multiplies `Λ`: `σ` of a linear model, one elsewhere.
    pub fn scale(self) -> f64 {
        match self {
            Self::ResidualStd(std) => std,
            _ => 1.0,
        }
    }

    /// Size or shape, where there is one.
    pub(crate) fn parameter(self) -> Option<f64> {
        match self {
            Self::Size(value) | Self::Shape(value) => Some(value),
            Self::One | Self::ResidualStd(_) => None,
        }
    }
}

impl Fit {
    /// Standard errors of the fixed effects, `(p,)`, from [`Self::fixed_covariance`].
    pub fn std_errors(&self) -> Vec<f64> {
        self.fixed_covariance.diag().iter().map(|variance| variance.sqrt()).collect()
    }

    /// Standard errors of the fixed effects with the covariance parameters held, `(p,)`.
    pub fn std_errors_given_theta(&self) -> Vec<f64> {
        self.fixed_covariance_given_theta.diag().iter().map(|variance| variance.sqrt()).collect()
    }

    /// Refuses a design with other rows, fixed effects or random terms than the fit's.
    pub(crate) fn check_design(&self, design: &Design, asked: &'static str) -> Result<()> {
        let terms = design.random.iter().map(|term| (&term.group, &term.levels, &term.effect_names));
        let own = self.random.iter().map(|term| (&term.group, &term.levels, &term.effect_names));
        let same = design.fixed_names == self.fixed_names && terms.eq(own);
        if same && design.fixed.nrows() == self.fitted.len() {
            return Ok(());
        }
        let reason = "the design has other rows, fixed effects or random terms than the one that was fitted".into();
        Err(Error::Unavailable { asked, reason })
    }

    /// The point that the fit ended at, for [`crate::deviance`].
    pub fn parameters(&self) -> Parameters {
        Parameters { theta: self.theta.clone(), fixed: self.fixed.clone(), dispersion: self.dispersion.parameter() }
    }
}

/// Fits a mixed model.
///
/// Gaussian models are linear mixed models by REML or maximum likelihood; all others maximize an approximation of
/// their likelihood, after [`Settings`]. Without random terms it is a generalized linear model.
/// Equal inputs give equal bits.
///
/// # Errors
/// A design whose parts do not fit together or are not finite, a response that the family cannot have, collinear
/// fixed effects, settings out of range, quadrature for more than one grouping factor or more than three effects,
/// or no finite mode.
pub fn fit(design: &Design, family: Family, settings: &Settings) -> Result<Fit> {
    fit_near(design, family, settings, None)
}

/// A fit that starts where another ended, if one is given.
pub(crate) fn fit_near(design: &Design, family: Family, settings: &Settings, near: Option<Near>) -> Result<Fit> {
    let problem = prepare(design, family, settings)?;
    match family {
        Family::Gaussian => {
            let mut linear = Linear::new(&problem, settings.criterion, &design.response.weights);
            let outcome = match near {
                Some(near) => fit_from(&mut linear, near.vector, near.inverse_hessian, settings.max_iterations)?,
                None => fit_linear(&mut linear, settings.max_iterations)?,
            };
            let dispersion = Dispersion::ResidualStd(linear.residual_std());
            let border = std::mem::take(&mut linear.border);
            let found = Found { outcome, dispersion, border, n_evaluations: linear.n_evaluations };
            let random = random_effects(design, &problem, &linear.lambda, &linear.modes, &linear.factor, dispersion);
            Ok(assemble(design, &problem, family, settings, found, random))
        }
        _ => {
            let mut laplace =
                Laplace::new(&problem, family, settings.information, Normalizer::new(family, &design.response));
            let outcome = search(&mut laplace, settings, near)?;
            let dispersion = match (family, outcome.point.log_dispersion) {
                (Family::NegativeBinomial, Some(log)) => Dispersion::Size(log.exp()),
                (Family::Gamma, Some(log)) => Dispersion::Shape(log.exp()),
                _ => Dispersion::One,
            };
            let diverged = || Error::Diverged { theta: outcome.point.theta.clone() };
            let border = laplace.pirls.fixed_border().ok_or_else(diverged)?;
            let found = Found { outcome, dispersion, border, n_evaluations: laplace.n_evaluations };
            let pirls = &laplace.pirls;
            let random = random_effects(design, &problem, &pirls.lambda, &pirls.modes, pirls.curvature(), dispersion);
            Ok(assemble(design, &problem, family, settings, found, random))
        }
    }
}

fn search(laplace: &mut Laplace, settings: &Settings, near: Option<Near>) -> Result<Outcome> {
    let (family, max_iterations) = (laplace.pirls.family, settings.max_iterations);
    let is_profiled = settings.approximation == Approximation::ProfiledLaplace;
    let rule = match settings.approximation {
        Approximation::Quadrature { n_nodes } => Some(ProductRule::new(laplace.pirls.problem, n_nodes)?),
        _ => None,
    };
    let outcome = match near {
        Some(near) => {
            laplace.pirls.beta = near.fixed;
            let unknowns = if is_profiled { Unknowns::Both } else { Unknowns::Random };
            fit_from(&mut LaplaceStage { laplace, unknowns }, near.vector, near.inverse_hessian, max_iterations)?
        }
        None if is_profiled => fit_profiled(laplace, family, max_iterations)?,
        None => fit_laplace(laplace, family, max_iterations)?,
    };
    match rule {
        Some(rule) => quadrature_stage::fit_quadrature(laplace, &rule, outcome, max_iterations),
        None => Ok(outcome),
    }
}

/// What the search of either kind of model has found.
struct Found {
    outcome: Outcome,
    dispersion: Dispersion,
    border: Border,
    n_evaluations: usize,
}

fn assemble(
    design: &Design,
    problem: &Problem,
    family: Family,
    settings: &Settings,
    found: Found,
    random: Vec<RandomEffects>,
) -> Fit {
    let Found { outcome, dispersion, border, n_evaluations } = found;
    let Point { theta, beta, .. } = outcome.point;
    let n_fixed = beta.len();
    let variance = dispersion.scale().powi(2);
    let given_theta = Array2::from_shape_vec((n_fixed, n_fixed), border.covariance(n_fixed));
    let given_theta = given_theta.expect("the covariance is square") * variance;
    let curvature = Curvature::new(theta.len(), outcome.gradient, outcome.hessian);
    let fixed_covariance =
        fixed_covariance(&curvature, problem, &theta, n_fixed).unwrap_or_else(|| given_theta.clone());

    let (population_predictor, linear_predictor) = predictors(design, &beta, &random);
    let n_rows = problem.rows.n_used;
    let is_estimated = !matches!(dispersion, Dispersion::One);
    let n_parameters = n_fixed + theta.len() + usize::from(is_estimated);
    let mut fit = Fit {
        family,
        settings: *settings,
        fixed_names: design.fixed_names.clone(),
        fixed: beta,
        fixed_covariance,
        fixed_covariance_given_theta: given_theta,
        theta,
        theta_names: theta_names(&design.random),
        random,
        dispersion,
        fitted: linear_predictor.iter().map(|eta| family.mean(*eta)).collect(),
        linear_predictor,
        population_predictor,
        log_likelihood: -0.5 * outcome.deviance,
        deviance: outcome.deviance,
        aic: outcome.deviance + 2.0 * n_parameters as f64,
        bic: outcome.deviance + n_parameters as f64 * (n_rows as f64).ln(),
        n_parameters,
        n_rows,
        n_evaluations,
        converged: outcome.converged,
        curvature,
        diagnostics: Vec::new(),
    };
    fit.diagnostics = diagnose(design, &fit);
    fit
}

/// `o + Xβ` and `o + Xβ + Zb` of the rows as they were.
fn predictors(design: &Design, beta: &[f64], random: &[RandomEffects]) -> (Vec<f64>, Vec<f64>) {
    let mut population = design.offset.clone();
    for (row, value) in population.iter_mut().enumerate() {
        *value += design.fixed.row(row).iter().zip(beta).map(|(x, beta)| x * beta).sum::<f64>();
    }
    let mut conditional = population.clone();
    for (term, effects) in design.random.iter().zip(random) {
        for (row, value) in conditional.iter_mut().enumerate() {
            let modes = effects.modes.row(term.codes[row]);
            *value += term.effects.row(row).iter().zip(modes).map(|(z, mode)| z * mode).sum::<f64>();
        }
    }
    (population, conditional)
}
