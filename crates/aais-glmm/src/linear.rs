//! Linear mixed models: `θ` is all there is to search, since the fixed effects and `σ` follow from it.
//! Bates et al. (2015), Sections 3.4 and 3.5, doi:10.18637/jss.v067.i01.

use crate::border::{Border, scale_rows};
use crate::cholesky::Cholesky;
use crate::covariance::RelativeFactor;
use crate::crossproducts::Crossproducts;
use crate::dense;
use crate::problem::Problem;
use crate::selected_inverse::SelectedInverse;

/// What a linear mixed model maximizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Criterion {
    /// The likelihood of what the fixed effects leave: variances without the bias of estimating these.
    #[default]
    Reml,
    /// The likelihood: to compare models with other fixed effects.
    MaximumLikelihood,
}

/// The profiled criterion of a linear mixed model and its solution at one `θ`.
pub(crate) struct Linear<'a> {
    pub problem: &'a Problem,
    pub criterion: Criterion,
    pub lambda: RelativeFactor,
    pub factor: Cholesky,
    pub border: Border,
    /// Spherical random effects, on the scale of the response.
    pub modes: Vec<f64>,
    pub beta: Vec<f64>,
    pub eta: Vec<f64>,
    /// `r² = Σ w (y − η)² + |u|²`.
    pub penalized: f64,
    pub n_evaluations: usize,
    products: Crossproducts,
    /// `ZᵀWy` and `XᵀWy`, with the offset taken off.
    pub random_response: Vec<f64>,
    fixed_response: Vec<f64>,
    /// `Σ log w`, over rows as they were.
    pub log_weights: f64,
    inverse: SelectedInverse,
}

impl<'a> Linear<'a> {
    /// Takes the crossproducts, which no `θ` changes. `weights` are those of all rows before any were joined.
    pub(crate) fn new(problem: &'a Problem, criterion: Criterion, weights: &[f64]) -> Self {
        let Problem { rows, pattern, .. } = problem;
        let mut products = Crossproducts::default();
        products.fill_random(rows, pattern, &rows.weights);
        products.fill_fixed(rows, pattern, &rows.weights);
        let weighted: Vec<f64> =
            (0..rows.len()).map(|row| rows.weights[row] * (rows.response[row] - rows.offset[row])).collect();
        Self {
            problem,
            criterion,
            lambda: problem.covariance.relative_factor(&problem.covariance.identity()),
            factor: Cholesky::default(),
            border: Border::default(),
            modes: Vec::new(),
            beta: Vec::new(),
            eta: Vec::new(),
            penalized: 0.0,
            n_evaluations: 0,
            products,
            random_response: problem.random_products(&weighted),
            fixed_response: problem.fixed_products(&weighted),
            log_weights: weights.iter().filter(|weight| **weight > 0.0).map(|weight| weight.ln()).sum(),
            inverse: SelectedInverse::default(),
        }
    }

    /// `log det H + ν (1 + log(2π r² / ν)) − Σ log w`, plus `log det R_XᵀR_X` for REML, where `ν` is `N` or `N − p`.
    ///
    /// `None` if the factors are not finite.
    pub(crate) fn deviance(&mut self, theta: &[f64]) -> Option<f64> {
        self.solve(theta)?;
        let freedom = self.freedom();
        let profiled = freedom * (1.0 + (std::f64::consts::TAU * self.penalized / freedom).ln());
        let fixed = match self.criterion {
            Criterion::Reml => self.border.log_det(self.problem.rows.n_fixed),
            Criterion::MaximumLikelihood => 0.0,
        };
        let deviance = self.factor.log_det + fixed + profiled - self.log_weights;
        deviance.is_finite().then_some(deviance)
    }

    /// Modes and fixed effects that minimize `r²`.
    pub(crate) fn solve(&mut self, theta: &[f64]) -> Option<()> {
        self.n_evaluations += 1;
        self.lambda = self.problem.covariance.relative_factor(theta);
        self.factor.factor(&self.products.random, &self.lambda, &self.problem.pattern)?;
        self.border.factor(self.problem, &self.products, &self.lambda, &self.factor)?;

        self.modes.clone_from(&self.random_response);
        self.problem.scale_transposed(&self.lambda, &mut self.modes);
        self.beta.clone_from(&self.fixed_response);
        self.border.solve(self.problem, &self.factor, &mut self.modes, &mut self.beta);
        self.set_residuals();
        Some(())
    }

    /// `N` for the likelihood, `N − p` for REML.
    pub(crate) fn freedom(&self) -> f64 {
        let rows = &self.problem.rows;
        match self.criterion {
            Criterion::Reml => rows.n_used as f64 - rows.n_fixed as f64,
            Criterion::MaximumLikelihood => rows.n_used as f64,
        }
    }

    /// `σ`, the standard deviation of a row with weight one.
    pub(crate) fn residual_std(&self) -> f64 {
        (self.penalized / self.freedom()).sqrt()
    }

    /// The gradient where the last deviance was taken.
    ///
    /// `∂ log det H = 2 tr(ZᵀWZΛH⁻¹ ∂Λᵀ)`, `∂r² = −2 rᵀWZ ∂Λ u`, and with `T = H⁻¹ΛᵀZᵀWX` and `R = ZᵀW(X − ZΛT)`
    /// `∂ log det R_XᵀR_X = −2 tr(Rᵀ ∂Λ T (R_XᵀR_X)⁻¹)`.
    pub(crate) fn gradient(&mut self) -> Vec<f64> {
        let mut slopes = self.slopes(self.penalized / self.freedom());
        if self.criterion == Criterion::Reml && self.problem.rows.n_fixed > 0 {
            self.add_fixed_slopes(&mut slopes);
        }
        slopes
    }

    /// `∂ log det H + ∂r² / σ²`, at a variance `σ²` of one's own.
    pub(crate) fn slopes(&mut self, variance: f64) -> Vec<f64> {
        let Problem { rows, pattern, entries, .. } = self.problem;
        self.inverse.fill(&self.factor, pattern);
        let mut traces = vec![0.0; entries.len()];
        self.add_traces(&mut traces);

        let residuals: Vec<f64> =
            (0..rows.len()).map(|row| rows.weights[row] * (rows.response[row] - self.eta[row])).collect();
        let products = self.problem.random_products(&residuals);
        let through_residuals = self.problem.theta_products(&products, &self.modes);
        for (trace, residual) in traces.iter_mut().zip(through_residuals) {
            *trace = 2.0 * *trace - 2.0 * residual / variance;
        }
        traces
    }

    pub(crate) fn set_residuals(&mut self) {
        let rows = &self.problem.rows;
        let mut effects = Vec::new();
        self.problem.scale(&self.lambda, &self.modes, &mut effects);
        self.eta = self.problem.fixed_predictor(&self.beta);
        self.problem.add_random(&effects, &mut self.eta);
        let squares: f64 = (0..rows.len())
            .map(|row| rows.copies[row] * rows.weights[row] * (rows.response[row] - self.eta[row]).powi(2))
            .sum();
        self.penalized = squares + rows.within + self.problem.inner(&self.modes, &self.modes);
    }

    /// `tr(ZᵀWZΛH⁻¹ ∂Λᵀ)`, block by block of `ZᵀWZ`.
    fn add_traces(&self, traces: &mut [f64]) {
        let pattern = &self.problem.pattern;
        let mut products: Vec<Vec<f64>> = self.lambda.blocks.iter().map(|block| vec![0.0; block.len()]).collect();
        for earlier in 0..pattern.n_listed {
            self.add_block(earlier, earlier, pattern.diagonal[earlier], &mut products);
            for index in pattern.below_starts[earlier]..pattern.below_starts[earlier + 1] {
                let (later, place) = (pattern.below[index] as usize, pattern.below_places[index] as usize);
                self.add_block(later, earlier, place, &mut products);
            }
        }
        for later in pattern.n_listed..pattern.n_nodes() {
            for earlier in pattern.n_listed..=later {
                self.add_block(later, earlier, pattern.place(later, earlier), &mut products);
            }
        }
        for (trace, entry) in traces.iter_mut().zip(&self.problem.entries) {
            let size = self.problem.factors[entry.factor].size;
            *trace = products[entry.factor][entry.row * size + entry.column];
        }
    }

    /// Adds `A_ab Λ_b H⁻¹_ba` to the product of `a`'s factor, and the transposed block's to that of `b`'s.
    fn add_block(&self, later: usize, earlier: usize, place: usize, products: &mut [Vec<f64>]) {
        let pattern = &self.problem.pattern;
        let (rows, columns, stride) = (pattern.sizes[later], pattern.sizes[earlier], pattern.stride(earlier));
        let (row_factor, column_factor) = (pattern.factors[later], pattern.factors[earlier]);
        let copies = pattern.copies[earlier];
        let entry = |i: usize, k: usize| {
            let (i, k) = if later == earlier && k > i { (k, i) } else { (i, k) };
            self.products.random[place + i * stride + k]
        };
        let inverse = |i: usize, k: usize| self.inverse.values[place + i * stride + k];
        if rows == 1 && columns == 1 {
            let product = copies * entry(0, 0) * inverse(0, 0);
            products[row_factor][0] += product * self.lambda.blocks[column_factor][0];
            if later != earlier {
                products[column_factor][0] += product * self.lambda.blocks[row_factor][0];
            }
            return;
        }
        for (i, j) in (0..rows).flat_map(|i| (0..rows).map(move |j| (i, j))) {
            let block = &self.lambda.blocks[column_factor];
            let scaled = |c: usize| (c..columns).map(|k| entry(i, k) * block[k * columns + c]).sum::<f64>();
            products[row_factor][i * rows + j] += copies * (0..columns).map(|c| scaled(c) * inverse(j, c)).sum::<f64>();
        }
        if later != earlier {
            for (i, j) in (0..columns).flat_map(|i| (0..columns).map(move |j| (i, j))) {
                let block = &self.lambda.blocks[row_factor];
                let scaled = |c: usize| (c..rows).map(|k| entry(k, i) * block[k * rows + c]).sum::<f64>();
                products[column_factor][i * columns + j] += (0..rows).map(|c| scaled(c) * inverse(c, j)).sum::<f64>();
            }
        }
    }

    /// Adds `∂ log det R_XᵀR_X`, one fixed effect at a time.
    fn add_fixed_slopes(&self, slopes: &mut [f64]) {
        let Problem { rows, pattern, .. } = self.problem;
        let n_fixed = rows.n_fixed;
        let mut effects = Vec::new();
        let mut solved = self.products.mixed.clone();
        scale_rows(self.problem, &self.lambda, &mut solved, n_fixed);
        self.factor.solve_lower(pattern, &mut solved, n_fixed);
        self.factor.solve_upper(pattern, &mut solved, n_fixed);
        let covariance = self.border.covariance(n_fixed);
        for column in 0..n_fixed {
            let one: Vec<f64> = solved.iter().skip(column).step_by(n_fixed).copied().collect();
            self.problem.scale(&self.lambda, &one, &mut effects);
            let mut explained = vec![0.0; rows.len()];
            self.problem.add_random(&effects, &mut explained);
            let remaining: Vec<f64> =
                (0..rows.len()).map(|row| rows.weights[row] * (rows.fixed_row(row)[column] - explained[row])).collect();
            let products = self.problem.random_products(&remaining);
            let weights = &covariance[column * n_fixed..(column + 1) * n_fixed];
            let weighted: Vec<f64> = solved.chunks(n_fixed).map(|row| dense::dot(row, weights)).collect();
            for (slope, product) in slopes.iter_mut().zip(self.problem.theta_products(&products, &weighted)) {
                *slope -= 2.0 * product;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Design, RandomTerm, Response};
    use ndarray::Array2;

    fn uniform(k: usize, step: f64) -> f64 {
        (0.5 + step * k as f64).fract()
    }

    fn term(n_levels: usize, n_effects: usize, shift: f64) -> RandomTerm {
        RandomTerm {
            group: "g".into(),
            levels: (0..n_levels).map(|level| level.to_string()).collect(),
            codes: (0..50).map(|k| (uniform(k, shift) * n_levels as f64) as usize).collect(),
            effects: Array2::from_shape_fn((50, n_effects), |(k, column)| 1.0 + column as f64 * uniform(k, 0.77)),
            effect_names: vec![String::new(); n_effects],
        }
    }

    #[test]
    fn the_gradient_is_the_difference_quotient() {
        let mut design = Design {
            response: Response {
                name: "y".into(),
                values: (0..50).map(|k| 3.0 * uniform(k * k, 0.618_034)).collect(),
                weights: (0..50).map(|k| 0.5 + uniform(k, 0.9)).collect(),
            },
            fixed: Array2::from_shape_fn((50, 2), |(k, column)| if column == 0 { 1.0 } else { uniform(k, 0.3) }),
            fixed_names: vec!["a".into(), "b".into()],
            offset: vec![0.1; 50],
            random: vec![term(6, 2, 0.137), term(4, 1, 0.391)],
        };
        check(&design, &[0.8, -0.3, 0.5, 0.6]);
        design.random.pop();
        check(&design, &[0.8, -0.3, 0.5]);
    }

    fn check(design: &Design, theta: &[f64]) {
        let problem = Problem::new(design).unwrap();
        for criterion in [Criterion::Reml, Criterion::MaximumLikelihood] {
            let mut linear = Linear::new(&problem, criterion, &design.response.weights);
            linear.deviance(theta).unwrap();
            let gradient = linear.gradient();
            for (index, found) in gradient.into_iter().enumerate() {
                let mut at = |step: f64| {
                    let mut moved = theta.to_vec();
                    moved[index] += step;
                    linear.deviance(&moved).unwrap()
                };
                let expected = (at(1e-5) - at(-1e-5)) / 2e-5;
                // Rounding of values near 150 over the step.
                assert!((found - expected).abs() < 1e-7 * expected.abs().max(1.0), "{index}: {found} {expected}");
            }
        }
    }
}
