//! Penalized iteratively reweighted least squares: the modes of the random effects, alone or with the fixed effects.

use crate::border::Border;
use crate::cholesky::Cholesky;
use crate::covariance::RelativeFactor;
use crate::crossproducts::Crossproducts;
use crate::dense;
use crate::family::{Derivatives, Family, Information, Likelihood, Observed};
use crate::problem::Problem;

/// Squared length of the last Newton step, in the norm of the Hessian, for up to fifty effects. Since the error of every
/// group is squared by a step, what remains is far below the differences that an optimizer or a difference quotient
/// looks at; lme4's default leaves `log det` a step behind.
pub(crate) const LAST_STEP: f64 = 1e-8;

/// The same where only a start is looked for: `log det` is then right to about its root.
pub(crate) const ROUGH_LAST_STEP: f64 = 1e-4;

/// Steps shorter than this are rounding and not taken.
const NO_STEP: f64 = 1e-20;

/// Newton steps before giving up. Log-concave likelihoods need about ten; separated data creep toward infinity.
const MAX_STEPS: usize = 60;

/// Halvings of one step; after these it is below rounding.
const MAX_HALVINGS: usize = 40;

/// What the iterations solve for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknowns {
    /// The random effects, with the fixed ones given.
    Random,
    /// Both.
    Both,
}

/// The state of the iterations: where they stand and the factors at that point.
pub(crate) struct Pirls<'a> {
    pub problem: &'a Problem,
    pub family: Family,
    pub information: Information,
    pub likelihood: Box<dyn Likelihood>,
    pub lambda: RelativeFactor,
    /// Spherical random effects `u`, where `b = Λ u`.
    pub modes: Vec<f64>,
    pub beta: Vec<f64>,
    pub eta: Vec<f64>,
    pub derivatives: Derivatives,
    /// `Σ ℓ`, less constants.
    pub log_likelihood: f64,
    /// Factor of the Hessian in `u`: observed information.
    pub newton: Cholesky,
    newton_products: Crossproducts,
    /// The same with expected information, where the family and the settings tell them apart.
    expected: Cholesky,
    expected_products: Crossproducts,
    pub border: Border,
    /// Newton steps end with one shorter than this.
    pub last_step: f64,
    fixed_predictor: Vec<f64>,
    effects: Vec<f64>,
}

impl<'a> Pirls<'a> {
    pub(crate) fn new(problem: &'a Problem, family: Family, information: Information) -> Self {
        Self {
            problem,
            family,
            information,
            likelihood: family.likelihood(1.0),
            lambda: problem.covariance.relative_factor(&problem.covariance.identity()),
            modes: vec![0.0; problem.pattern.n_scalars()],
            beta: vec![0.0; problem.rows.n_fixed],
            eta: Vec::new(),
            derivatives: Derivatives::default(),
            log_likelihood: 0.0,
            newton: Cholesky::default(),
            newton_products: Crossproducts::default(),
            expected: Cholesky::default(),
            expected_products: Crossproducts::default(),
            border: Border::default(),
            last_step: LAST_STEP,
            fixed_predictor: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// Sets the parameters that the iterations hold.
    pub(crate) fn set(&mut self, theta: &[f64], dispersion: f64) {
        self.lambda = self.problem.covariance.relative_factor(theta);
        self.likelihood = self.family.likelihood(dispersion);
    }

    /// Iterates to the mode from where it stands, or from zero random effects if the log-likelihood is not finite there.
    ///
    /// `None` if that is not finite either. Leaves the factors at the mode.
    pub(crate) fn converge(&mut self, unknowns: Unknowns) -> Option<()> {
        self.fixed_predictor = self.problem.fixed_predictor(&self.beta);
        let mut penalized = self.evaluate();
        if !penalized.is_finite() {
            self.modes.fill(0.0);
            penalized = self.evaluate();
        }
        if !penalized.is_finite() {
            return None;
        }
        let enough = self.last_step * (self.modes.len() as f64 / 50.0).max(1.0);
        let mut last = f64::INFINITY;
        for _ in 0..MAX_STEPS {
            self.factor(unknowns)?;
            if last <= enough {
                break;
            }
            let (random, fixed) = self.gradient(unknowns);
            let (step, fixed_step) = self.newton_step(unknowns, &random, &fixed);
            let decrement = self.problem.inner(&random, &step) + dense::dot(&fixed, &fixed_step);
            if decrement <= NO_STEP {
                break;
            }
            let (reached, length) = self.search(penalized, &step, &fixed_step);
            penalized = reached;
            last = if length == 1.0 { decrement } else { f64::INFINITY };
            if length == 0.0 {
                break;
            }
        }
        if self.uses_expected() {
            self.factor_expected()?;
        }
        Some(())
    }

    /// The factor whose determinant is in the Laplace approximation.
    pub(crate) fn curvature(&self) -> &Cholesky {
        if self.uses_expected() { &self.expected } else { &self.newton }
    }

    /// Its row weights.
    pub(crate) fn curvature_weights(&self) -> &[f64] {
        if self.uses_expected() { &self.derivatives.expected } else { &self.derivatives.observed }
    }

    pub(crate) fn uses_expected(&self) -> bool {
        self.information == Information::Expected && !self.family.is_canonical()
    }

    /// `−2 ℓ + |u|²` at the mode, less constants.
    pub(crate) fn penalized(&self) -> f64 {
        -2.0 * self.log_likelihood + self.problem.inner(&self.modes, &self.modes)
    }

    /// The fixed effects' part of the factor at the mode, under the weights of [`Self::curvature`].
    pub(crate) fn fixed_border(&mut self) -> Option<Border> {
        let mut products = Crossproducts::default();
        products.fill_fixed(&self.problem.rows, &self.problem.pattern, self.curvature_weights());
        let mut border = Border::default();
        border.factor(self.problem, &products, &self.lambda, self.curvature())?;
        Some(border)
    }

    /// Linear predictor, log-likelihood and derivatives where the state stands; returns the penalized deviance.
    fn evaluate(&mut self) -> f64 {
        self.problem.scale(&self.lambda, &self.modes, &mut self.effects);
        self.eta.clone_from(&self.fixed_predictor);
        self.problem.add_random(&self.effects, &mut self.eta);
        let rows = &self.problem.rows;
        let observed = Observed { response: &rows.response, weights: &rows.weights, copies: &rows.copies };
        self.log_likelihood = self.likelihood.fill(observed, &self.eta, &mut self.derivatives);
        self.penalized()
    }

    fn factor(&mut self, unknowns: Unknowns) -> Option<()> {
        let Problem { rows, pattern, .. } = self.problem;
        self.newton_products.fill_random(rows, pattern, &self.derivatives.observed);
        self.newton.factor(&self.newton_products.random, &self.lambda, pattern)?;
        if unknowns == Unknowns::Both {
            self.newton_products.fill_fixed(rows, pattern, &self.derivatives.observed);
            self.border.factor(self.problem, &self.newton_products, &self.lambda, &self.newton)?;
        }
        Some(())
    }

    fn factor_expected(&mut self) -> Option<()> {
        let Problem { rows, pattern, .. } = self.problem;
        self.expected_products.fill_random(rows, pattern, &self.derivatives.expected);
        self.expected.factor(&self.expected_products.random, &self.lambda, pattern)
    }

    /// Half the gradient of the penalized log-likelihood: `ΛᵀZᵀs − u` and `Xᵀs`.
    fn gradient(&self, unknowns: Unknowns) -> (Vec<f64>, Vec<f64>) {
        let mut random = self.problem.random_products(&self.derivatives.score);
        self.problem.scale_transposed(&self.lambda, &mut random);
        dense::add_scaled(&mut random, -1.0, &self.modes);
        let fixed = match unknowns {
            Unknowns::Random => Vec::new(),
            Unknowns::Both => self.problem.fixed_products(&self.derivatives.score),
        };
        (random, fixed)
    }

    fn newton_step(&self, unknowns: Unknowns, random: &[f64], fixed: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (mut random, mut fixed) = (random.to_vec(), fixed.to_vec());
        match unknowns {
            Unknowns::Random => {
                self.newton.solve_lower(&self.problem.pattern, &mut random, 1);
                self.newton.solve_upper(&self.problem.pattern, &mut random, 1);
            }
            Unknowns::Both => self.border.solve(self.problem, &self.newton, &mut random, &mut fixed),
        }
        (random, fixed)
    }

    /// Takes the step, halved until the penalized deviance does not rise; returns it and the share of the step taken.
    fn search(&mut self, before: f64, step: &[f64], fixed_step: &[f64]) -> (f64, f64) {
        let (modes, beta) = (self.modes.clone(), self.beta.clone());
        // Rounding of the sum, so that the last step of all is not refused.
        let slack = 1e-13 * before.abs();
        let mut length = 1.0;
        for _ in 0..MAX_HALVINGS {
            self.move_to(&modes, &beta, length, (step, fixed_step));
            let penalized = self.evaluate();
            if penalized <= before + slack {
                return (penalized, length);
            }
            length /= 2.0;
        }
        self.move_to(&modes, &beta, 0.0, (step, fixed_step));
        (self.evaluate(), 0.0)
    }

    fn move_to(&mut self, modes: &[f64], beta: &[f64], length: f64, (step, fixed_step): (&[f64], &[f64])) {
        self.modes.copy_from_slice(modes);
        dense::add_scaled(&mut self.modes, length, step);
        if !fixed_step.is_empty() {
            self.beta.copy_from_slice(beta);
            dense::add_scaled(&mut self.beta, length, fixed_step);
            self.fixed_predictor = self.problem.fixed_predictor(&self.beta);
        }
    }
}
