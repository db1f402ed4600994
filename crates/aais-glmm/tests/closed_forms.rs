//! Likelihoods against closed forms and against integrals taken by brute force.

#![allow(clippy::unwrap_used)]

mod support;

use aais_glmm::{
    Approximation, BinomialLink, Criterion, Design, Family, Information, Parameters, Settings, deviance, fit,
    marginal_nll,
};
use ndarray::Array2;
use proptest::prelude::*;

const FAMILIES: [Family; 6] = [
    Family::Binomial(BinomialLink::Logit),
    Family::Binomial(BinomialLink::Probit),
    Family::Binomial(BinomialLink::Cloglog),
    Family::Poisson,
    Family::NegativeBinomial,
    Family::Gamma,
];

/// A response that the family can have, from a number between 0 and 1 and a linear predictor's mean.
fn response(family: Family, uniform: f64) -> f64 {
    match family {
        Family::Gaussian => 4.0 * uniform - 2.0,
        Family::Binomial(_) => f64::from(u8::from(uniform > 0.5)),
        Family::Poisson | Family::NegativeBinomial => (6.0 * uniform * uniform).floor(),
        Family::Gamma => 0.2 + 3.0 * uniform,
    }
}

/// `log p(y | η)` with its constant, by the textbook formula.
fn log_density(family: Family, y: f64, eta: f64, dispersion: f64) -> f64 {
    use statrs::function::gamma::ln_gamma;
    let mean = family.mean(eta);
    match family {
        Family::Gaussian => unreachable!("a linear model has its own closed form"),
        Family::Binomial(_) => {
            if y == 1.0 {
                mean.ln()
            } else {
                (1.0 - mean).ln()
            }
        }
        Family::Poisson => y * eta - mean - ln_gamma(y + 1.0),
        Family::NegativeBinomial => {
            let size = dispersion;
            ln_gamma(y + size) - ln_gamma(size) - ln_gamma(y + 1.0)
                + size * (size / (size + mean)).ln()
                + y * (mean / (size + mean)).ln()
        }
        Family::Gamma => {
            let (shape, rate) = (dispersion, dispersion / mean);
            shape * rate.ln() - ln_gamma(shape) + (shape - 1.0) * y.ln() - rate * y
        }
    }
}

/// Rows `(group, x, uniform)` as a design with `n_effects` effects of each group: an intercept and a slope.
fn small_design(family: Family, rows: &[(usize, f64, f64)], n_effects: usize) -> Design {
    let n_rows = rows.len();
    let matrix =
        |n: usize| Array2::from_shape_fn((n_rows, n), |(row, column)| if column == 0 { 1.0 } else { rows[row].1 });
    let names = |n: usize| ["(Intercept)", "x"][..n].iter().map(|name| (*name).to_string()).collect::<Vec<_>>();
    let codes: Vec<f64> = rows.iter().map(|row| row.0 as f64).collect();
    let random = vec![support::term("g", &codes, (matrix(n_effects), names(n_effects)))];
    let values = rows.iter().map(|row| response(family, row.2)).collect();
    support::design(values, (matrix(2), names(2)), random)
}

/// The integral over each group's effects on a fixed fine grid: the trapezoid rule, exact to rounding for smooth
/// integrands that vanish at both ends.
fn brute_force_nll(family: Family, rows: &[(usize, f64, f64)], parameters: &Parameters, n_effects: usize) -> f64 {
    let step = 0.05;
    let grid: Vec<f64> = (-180..=180).map(|k| f64::from(k) * step).collect();
    let n_groups = rows.iter().map(|row| row.0).max().unwrap() + 1;
    let theta = &parameters.theta;
    let mut total = 0.0;
    for group in 0..n_groups {
        let own: Vec<_> = rows.iter().filter(|row| row.0 == group).collect();
        let height = |u: [f64; 2]| {
            let effects = if n_effects == 1 {
                [theta[0] * u[0], 0.0]
            } else {
                [theta[0] * u[0], theta[1] * u[0] + theta[2] * u[1]]
            };
            let log_likelihood: f64 = own
                .iter()
                .map(|(_, x, uniform)| {
                    let eta = parameters.fixed[0] + effects[0] + x * (parameters.fixed[1] + effects[1]);
                    log_density(family, response(family, *uniform), eta, parameters.dispersion.unwrap_or(1.0))
                })
                .sum();
            (log_likelihood - 0.5 * (u[0] * u[0] + u[1] * u[1])).exp()
        };
        let scale = step / std::f64::consts::TAU.sqrt();
        let integral = if n_effects == 1 {
            scale * grid.iter().map(|u| height([*u, 0.0])).sum::<f64>()
        } else {
            let coarse = || grid.iter().step_by(4);
            (4.0 * scale).powi(2) * coarse().flat_map(|u| coarse().map(move |v| [*u, *v])).map(height).sum::<f64>()
        };
        total -= integral.ln();
    }
    total
}

fn rows() -> impl Strategy<Value = Vec<(usize, f64, f64)>> {
    prop::collection::vec((0_usize..4, -1.0..1.0_f64, 0.0..1.0_f64), 6..30)
}

fn parameters(theta: Vec<f64>, dispersion: f64, family: Family) -> Parameters {
    let has_dispersion = matches!(family, Family::NegativeBinomial | Family::Gamma);
    Parameters { theta, fixed: vec![0.3, -0.5], dispersion: has_dispersion.then_some(dispersion) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn quadrature_is_the_integral(rows in rows(), std in 0.0..1.5_f64, dispersion in 0.5..5.0_f64) {
        prop_assume!(rows.iter().any(|row| row.1 != rows[0].1));
        for family in FAMILIES {
            let parameters = parameters(vec![std], dispersion, family);
            let found = marginal_nll(&small_design(family, &rows, 1), family, &parameters, 60).unwrap();
            let expected = brute_force_nll(family, &rows, &parameters, 1);
            prop_assert!((found - expected).abs() < 1e-8 * expected.abs().max(1.0), "{family:?}: {found} {expected}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn quadrature_is_the_integral_in_two_dimensions(rows in rows(), theta in [0.2..1.0_f64, -0.8..0.8_f64, 0.1..1.0_f64]) {
        prop_assume!(rows.iter().any(|row| row.1 != rows[0].1));
        for family in FAMILIES {
            let parameters = parameters(theta.to_vec(), 2.0, family);
            let found = marginal_nll(&small_design(family, &rows, 2), family, &parameters, 30).unwrap();
            let expected = brute_force_nll(family, &rows, &parameters, 2);
            prop_assert!((found - expected).abs() < 1e-7 * expected.abs().max(1.0), "{family:?}: {found} {expected}");
        }
    }
}

/// `−2 log N(y; Xβ, σ²(I + ZΛΛᵀZᵀ))` at its maximum in `β` and `σ`, or the restricted one, by dense matrices.
fn dense_linear_deviance(design: &Design, theta: &[f64], is_restricted: bool) -> f64 {
    let n = design.response.values.len();
    let x = &design.fixed;
    let mut covariance: Array2<f64> = Array2::eye(n);
    let mut theta = theta;
    for term in &design.random {
        let size = term.effects.ncols();
        let (own, rest) = theta.split_at(size * (size + 1) / 2);
        theta = rest;
        let scaled = term.effects.dot(&aais_glmm::relative_factor(own, size).unwrap());
        for (row, column) in (0..n).flat_map(|row| (0..n).map(move |column| (row, column))) {
            if term.codes[row] == term.codes[column] {
                covariance[(row, column)] += scaled.row(row).dot(&scaled.row(column));
            }
        }
    }
    let (inverse, log_det) = invert(&covariance);
    let information = x.t().dot(&inverse).dot(x);
    let (beta_covariance, information_log_det) = invert(&information);
    let y = ndarray::Array1::from(design.response.values.clone());
    let beta = beta_covariance.dot(&x.t().dot(&inverse).dot(&y));
    let residual = &y - &x.dot(&beta);
    let squares = residual.dot(&inverse.dot(&residual));
    let freedom = if is_restricted { n - x.ncols() } else { n } as f64;
    let profiled = freedom * (1.0 + (std::f64::consts::TAU * squares / freedom).ln());
    log_det + profiled + if is_restricted { information_log_det } else { 0.0 }
}

/// Inverse and log determinant by Gauss-Jordan elimination of a positive definite matrix.
fn invert(matrix: &Array2<f64>) -> (Array2<f64>, f64) {
    let n = matrix.nrows();
    let mut left = matrix.clone();
    let mut right = Array2::eye(n);
    let mut log_det = 0.0;
    for pivot in 0..n {
        let value: f64 = left[(pivot, pivot)];
        log_det += value.ln();
        for column in 0..n {
            left[(pivot, column)] /= value;
            right[(pivot, column)] /= value;
        }
        for row in (0..n).filter(|row| *row != pivot) {
            let factor = left[(row, pivot)];
            for column in 0..n {
                left[(row, column)] -= factor * left[(pivot, column)];
                right[(row, column)] -= factor * right[(pivot, column)];
            }
        }
    }
    (right, log_det)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_linear_model_has_the_normal_likelihood(
        rows in prop::collection::vec((0_usize..4, -1.0..1.0_f64, 0.0..1.0_f64, 0_usize..3), 8..25),
        theta in [0.0..2.0_f64, -1.0..1.0_f64, 0.0..2.0_f64, 0.0..2.0_f64],
    ) {
        prop_assume!(rows.iter().any(|row| row.1 != rows[0].1));
        let slopes: Vec<_> = rows.iter().map(|row| (row.0, row.1, row.2)).collect();
        let mut design = small_design(Family::Gaussian, &slopes, 2);
        let second: Vec<f64> = rows.iter().map(|row| row.3 as f64).collect();
        design.random.push(support::term("h", &second, (Array2::ones((rows.len(), 1)), vec!["(Intercept)".into()])));
        for criterion in [Criterion::Reml, Criterion::MaximumLikelihood] {
            let settings = Settings { criterion, ..Settings::default() };
            let parameters = Parameters { theta: theta.to_vec(), ..Parameters::default() };
            let found = deviance(&design, Family::Gaussian, &settings, &parameters).unwrap();
            let expected = dense_linear_deviance(&design, &theta, criterion == Criterion::Reml);
            prop_assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found} {expected}");
        }
    }
}

/// A fixed data set with four groups of eight rows.
fn fixed_rows() -> Vec<(usize, f64, f64)> {
    let uniform = |k: usize, step: f64| (0.5 + step * k as f64).fract();
    (0..96).map(|k| (k % 12, 2.0 * uniform(k, 0.618_034) - 1.0, uniform(k * k + k / 12, 0.324_718))).collect()
}

#[test]
fn every_family_ends_where_its_deviance_is_lowest() {
    for family in FAMILIES {
        for information in [Information::Expected, Information::Observed] {
            let design = small_design(family, &fixed_rows(), 1);
            let settings = Settings { information, ..Settings::default() };
            let fit = fit(&design, family, &settings).unwrap();
            let parameters = fit.parameters();
            let at = |parameters: &Parameters| deviance(&design, family, &settings, parameters).unwrap();
            assert!((at(&parameters) - fit.deviance).abs() < 1e-9 * fit.deviance.abs(), "{family:?}");
            let decrease = fit.curvature.possible_decrease().unwrap();
            assert!(decrease < 1e-9, "{family:?}: {decrease}");
            let mut neighbours = Vec::new();
            for step in [-0.02, 0.02] {
                neighbours.push(Parameters { theta: vec![fit.theta[0] + step], ..parameters.clone() });
                let fixed = vec![fit.fixed[0] + step, fit.fixed[1]];
                neighbours.push(Parameters { fixed, ..parameters.clone() });
                let dispersion = parameters.dispersion.map(|value| value * (1.0 + step));
                neighbours.extend(dispersion.map(|value| Parameters { dispersion: Some(value), ..parameters.clone() }));
            }
            for neighbour in neighbours {
                assert!(at(&neighbour) > fit.deviance, "{family:?} {information:?}: {neighbour:?}");
            }
        }
    }
}

#[test]
fn observed_information_is_nearer_to_the_integral_for_probit() {
    let (_, design) = support::golden("cbpp_probit");
    let family = Family::Binomial(BinomialLink::Probit);
    let observed =
        fit(&design, family, &Settings { information: Information::Observed, ..Settings::default() }).unwrap();
    // glmmTMB 1.1.5, which takes the observed information: logLik, fixed effects and standard deviation.
    assert!((observed.log_likelihood - -92.5833377032345).abs() < 1e-5, "{}", observed.log_likelihood);
    assert!((observed.fixed[0] - -0.83184999752263).abs() < 1e-4);
    assert!((observed.theta[0] - 0.338634475943329).abs() < 1e-4);
    let nll = marginal_nll(&design, family, &observed.parameters(), 40).unwrap();
    let expected = fit(&design, family, &Settings::default()).unwrap();
    let expected_nll = marginal_nll(&design, family, &expected.parameters(), 40).unwrap();
    assert!((observed.log_likelihood + nll).abs() < (expected.log_likelihood + expected_nll).abs());
}

#[test]
fn quadrature_with_one_node_is_laplace() {
    for family in FAMILIES {
        let design = small_design(family, &fixed_rows(), 2);
        let parameters = parameters(vec![0.6, -0.2, 0.3], 2.0, family);
        let one = Settings { approximation: Approximation::Quadrature { n_nodes: 1 }, ..Settings::default() };
        let laplace = deviance(&design, family, &Settings::default(), &parameters).unwrap();
        let quadrature = deviance(&design, family, &one, &parameters).unwrap();
        assert!((laplace - quadrature).abs() < 1e-10 * laplace.abs(), "{family:?}: {laplace} {quadrature}");
    }
}
