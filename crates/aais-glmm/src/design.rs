//! What a mixed model is fitted to, once a formula has met its data: matrices of numbers, every row complete.

use ndarray::Array2;

/// The response, the fixed effects' matrix and the random terms of `N` rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    /// What is modelled.
    pub response: Response,
    /// `X`, `(N, p)`.
    pub fixed: Array2<f64>,
    /// Names of its columns, as R writes them: `(Intercept)`, `situself`, `x1:x2`.
    pub fixed_names: Vec<String>,
    /// Known part of the linear predictor, `(N,)`; zeros if the formula has none.
    pub offset: Vec<f64>,
    /// Random terms in the order of the formula; empty for a model without.
    pub random: Vec<RandomTerm>,
}

/// The response of `N` rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// Its name in the formula.
    pub name: String,
    /// Values; for binomial data the share of successes.
    pub values: Vec<f64>,
    /// Prior weights; for binomial data the trials. Ones if there are none.
    pub weights: Vec<f64>,
}

/// One term `(effects | group)`: every level of the group has a vector of effects of its own, and their covariance
/// is one unstructured matrix. A term written with `||` becomes several of these.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomTerm {
    /// Name of the grouping factor, `id` or `herd:year`.
    pub group: String,
    /// Its levels that occur.
    pub levels: Vec<String>,
    /// The level of each row as a position in `levels`, `(N,)`.
    pub codes: Vec<usize>,
    /// `(N, q)`: what a row multiplies its level's effects with.
    pub effects: Array2<f64>,
    /// Names of its columns, as R writes them.
    pub effect_names: Vec<String>,
}
