//! Standard errors of predictions against closed forms and Henderson's equations in full.

#![allow(clippy::unwrap_used)]

mod support;

use aais_glmm::{
    Approximation, BinomialLink, Design, Error, Family, Fit, NewLevels, Settings, fit, prediction_std_errors,
};
use ndarray::{Array2, s};
use support::{golden, term};

const LOGIT: Family = Family::Binomial(BinomialLink::Logit);

fn fraction(row: usize, step: f64) -> f64 {
    (0.5 + step * row as f64).fract()
}

/// `m` groups of `n` rows around one mean.
fn one_way(m: usize, n: usize) -> Design {
    let ones = || (Array2::ones((m * n, 1)), vec!["(Intercept)".to_string()]);
    let codes: Vec<f64> = (0..m * n).map(|row| (row / n) as f64).collect();
    let value = |row: usize| 3.0 * fraction(row / n, 0.37) + fraction(row, 0.618_034);
    support::design((0..m * n).map(value).collect(), ones(), vec![term("g", &codes, ones())])
}

#[test]
fn a_balanced_one_way_model_has_its_closed_form() {
    let (m, n) = (7, 5);
    let design = one_way(m, n);
    let fit = fit(&design, Family::Gaussian, &Settings::default()).unwrap();
    let (between, within) = (fit.random[0].covariance[(0, 0)], fit.dispersion.scale().powi(2) / n as f64);
    assert!(between > 0.1);
    // The prediction is (1 − λ) ȳ + λ ȳ_i; its error's coefficients of b_i, ē_i, and of those of each other group:
    let lambda = between / (between + within);
    let other = (1.0 - lambda) / m as f64;
    let (own_effect, own_error) = (other + lambda - 1.0, other + lambda);
    let others = (m - 1) as f64 * other * other;
    let expected = (between * (own_effect * own_effect + others) + within * (own_error * own_error + others)).sqrt();
    for found in prediction_std_errors(&design, &fit, &design, NewLevels::Refuse).unwrap() {
        assert!((found - expected).abs() < 1e-12 * expected, "{found} {expected}");
    }
    let population = ((between + within) / m as f64).sqrt();
    assert!(fit.population_std_errors(&design).unwrap().iter().all(|found| (found - population).abs() < 1e-12));

    // A new group has the mean's error and its own effect's.
    let mut new = design.clone();
    new.random[0].levels[2] = "never seen".into();
    assert!(matches!(prediction_std_errors(&design, &fit, &new, NewLevels::Refuse), Err(Error::Unavailable { .. })));
    let found = prediction_std_errors(&design, &fit, &new, NewLevels::Population).unwrap();
    let missing = prediction_std_errors(&design, &fit, &new, NewLevels::Missing).unwrap();
    for row in 0..m * n {
        let expected = if row / n == 2 { (population.powi(2) + between).sqrt() } else { expected };
        assert!((found[row] - expected).abs() < 1e-12 * expected);
        assert_eq!(missing[row].is_nan(), row / n == 2);
    }
}

/// Roots of `qᵀ M⁻¹ q` for every row `q = (x, z)`, with `M = [X Z]ᵀ W [X Z] + diag(0, Σ⁻¹)`.
fn henderson(design: &Design, fit: &Fit, weights: &[f64]) -> Vec<f64> {
    let n_fixed = fit.fixed.len();
    let n = n_fixed + fit.random.iter().map(|term| term.modes.len()).sum::<usize>();
    let mut rows = Array2::<f64>::zeros((design.fixed.nrows(), n));
    rows.slice_mut(s![.., ..n_fixed]).assign(&design.fixed);
    let mut matrix = Array2::<f64>::zeros((n, n));
    let mut first = n_fixed;
    for (term, own) in design.random.iter().zip(&fit.random) {
        let size = own.effect_names.len();
        let precision = inverse(&own.covariance);
        for level in 0..term.levels.len() {
            let at = first + level * size;
            matrix.slice_mut(s![at..at + size, at..at + size]).assign(&precision);
        }
        for (row, code) in term.codes.iter().enumerate() {
            let at = first + code * size;
            rows.slice_mut(s![row, at..at + size]).assign(&term.effects.row(row));
        }
        first += size * term.levels.len();
    }
    let weighted = Array2::from_shape_fn(rows.dim(), |(row, column)| weights[row] * rows[(row, column)]);
    let inverse = inverse(&(matrix + rows.t().dot(&weighted)));
    rows.rows().into_iter().map(|row| row.dot(&inverse.dot(&row)).sqrt()).collect()
}

/// By Gauss and Jordan, for positive definite matrices.
fn inverse(matrix: &Array2<f64>) -> Array2<f64> {
    let n = matrix.nrows();
    let mut left = matrix.clone();
    let mut right = Array2::<f64>::eye(n);
    for pivot in 0..n {
        let scale = left[(pivot, pivot)];
        for side in [&mut left, &mut right] {
            side.row_mut(pivot).mapv_inplace(|entry| entry / scale);
        }
        for row in (0..n).filter(|row| *row != pivot) {
            let share = left[(row, pivot)];
            for side in [&mut left, &mut right] {
                let above = side.row(pivot).to_owned();
                side.row_mut(row).scaled_add(-share, &above);
            }
        }
    }
    right
}

fn check(design: &Design, fit: &Fit, weights: &[f64]) {
    let expected = henderson(design, fit, weights);
    let found = prediction_std_errors(design, fit, design, NewLevels::Refuse).unwrap();
    assert_eq!(found.len(), expected.len());
    for (row, (found, expected)) in found.iter().zip(&expected).enumerate() {
        // Elimination without pivots, of condition numbers up to a million.
        assert!((found - expected).abs() < 1e-9 * expected, "{row}: {found} {expected}");
    }
}

#[test]
fn linear_models_have_hendersons_variances() {
    let (_, design) = golden("sleepstudy_slope");
    let slopes = fit(&design, Family::Gaussian, &Settings::default()).unwrap();
    check(&design, &slopes, &vec![slopes.dispersion.scale().powi(-2); 180]);

    // Two crossed factors, a predictor, and weights.
    let mut crossed = one_way(8, 6);
    let codes: Vec<f64> = (0..48).map(|row| (row * 5 % 11 % 4) as f64).collect();
    crossed.random.push(term("h", &codes, (Array2::ones((48, 1)), vec!["(Intercept)".into()])));
    crossed.fixed = Array2::from_shape_fn((48, 2), |(row, column)| if column == 0 { 1.0 } else { fraction(row, 0.3) });
    crossed.fixed_names.push("x".into());
    crossed.response.weights = (0..48).map(|row| 0.5 + fraction(row, 0.9)).collect();
    for (row, value) in crossed.response.values.iter_mut().enumerate() {
        *value += codes[row];
    }
    let fit = fit(&crossed, Family::Gaussian, &Settings::default()).unwrap();
    assert!(fit.theta.iter().all(|theta| *theta > 0.1));
    let weights: Vec<f64> = crossed.response.weights.iter().map(|w| w / fit.dispersion.scale().powi(2)).collect();
    check(&crossed, &fit, &weights);
}

#[test]
fn generalized_models_have_the_curvature_at_their_modes() {
    let (_, design) = golden("cbpp_logit");
    // Where the fixed effects are profiled, their covariance is that of the curvature.
    let profiled = Settings { approximation: Approximation::ProfiledLaplace, ..Settings::default() };
    let quick = fit(&design, LOGIT, &profiled).unwrap();
    let weights = |fit: &Fit| -> Vec<f64> {
        fit.fitted.iter().zip(&design.response.weights).map(|(p, trials)| trials * p * (1.0 - p)).collect()
    };
    check(&design, &quick, &weights(&quick));

    // Elsewhere it is that of the Hessian: the two differ by as much as the fixed effects' standard errors do.
    let full = fit(&design, LOGIT, &Settings::default()).unwrap();
    let found = prediction_std_errors(&design, &full, &design, NewLevels::Refuse).unwrap();
    for (found, other) in found.iter().zip(henderson(&design, &full, &weights(&full))) {
        assert!(found != &other && (found / other - 1.0).abs() < 0.02, "{found} {other}");
    }
}

#[test]
fn equal_groups_that_are_solved_once_have_their_own_variances() {
    // Three kinds of groups, each three times: no, two and four successes of four.
    let (m, n) = (9, 4);
    let mut design = one_way(m, n);
    for (row, value) in design.response.values.iter_mut().enumerate() {
        *value = f64::from(u8::from(row % n < 2 * (row / n % 3)));
    }
    let profiled = Settings { approximation: Approximation::ProfiledLaplace, ..Settings::default() };
    let fit = fit(&design, LOGIT, &profiled).unwrap();
    assert!(fit.theta[0] > 0.5, "{:?}", fit.theta);
    check(&design, &fit, &fit.fitted.iter().map(|p| p * (1.0 - p)).collect::<Vec<f64>>());
}

#[test]
fn another_design_is_refused() {
    let (_, design) = golden("cbpp_logit");
    let fit = fit(&design, LOGIT, &Settings::default()).unwrap();
    let (_, other) = golden("sleepstudy_slope");
    let error = prediction_std_errors(&other, &fit, &design, NewLevels::Refuse).unwrap_err();
    assert!(error.to_string().contains("other rows"), "{error}");
    assert!(prediction_std_errors(&design, &fit, &other, NewLevels::Refuse).is_err());
    assert!(fit.population_std_errors(&other).is_err());
}
