//! How a model is fitted, and where its objective is taken.

use crate::family::Information;
use crate::linear::Criterion;

/// How the integral over random effects is approximated where it has no closed form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Approximation {
    /// Laplace with the fixed effects taken at the joint mode: fast, biased toward zero. lme4's `nAGQ = 0`.
    ProfiledLaplace,
    /// Laplace, with the fixed effects among its parameters. lme4's `nAGQ = 1`.
    #[default]
    Laplace,
    /// Adaptive Gauss-Hermite quadrature, for one grouping factor with at most three effects. lme4's `nAGQ > 1`.
    Quadrature {
        /// Nodes in each dimension, 1 to 200.
        n_nodes: usize,
    },
}

/// How a model is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What a Gaussian model maximizes; no other family reads it.
    pub criterion: Criterion,
    /// What every other family does about its integral.
    pub approximation: Approximation,
    /// Which second derivatives curve the approximation where the link is not canonical.
    pub information: Information,
    /// Steps of one search at most.
    pub max_iterations: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            criterion: Criterion::default(),
            approximation: Approximation::default(),
            information: Information::default(),
            max_iterations: 500,
        }
    }
}

/// A point at which a model's objective is taken.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameters {
    /// Entries of the relative Cholesky factors, term by term, column by column of their lower triangles.
    pub theta: Vec<f64>,
    /// Fixed effects, `(p,)`; left empty where they are profiled out.
    pub fixed: Vec<f64>,
    /// Size of a negative binomial or shape of a gamma; no other family reads it.
    pub dispersion: Option<f64>,
}
