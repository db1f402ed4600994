//! What is done with a fit: predictions, simulation, comparison, tables, warnings and errors.

#![allow(clippy::unwrap_used)]

mod support;

use aais_glmm::{
    BinomialLink, Criterion, Design, Diagnostic, Error, Family, Fit, Levels, NewLevels, Settings, fit, likelihood_ratio,
};
use ndarray::Array2;
use support::{Column, Table, fixed, golden, intercept, term};

const LOGIT: Family = Family::Binomial(BinomialLink::Logit);

fn cbpp() -> (Design, Fit) {
    let (_, design) = golden("cbpp_logit");
    let fit = fit(&design, LOGIT, &Settings::default()).unwrap();
    (design, fit)
}

#[test]
fn predictions_of_the_fitted_rows_are_the_fitted_values() {
    let (design, fit) = cbpp();
    let predicted = fit.predict(&design, NewLevels::Refuse).unwrap();
    for (predicted, fitted) in predicted.iter().zip(&fit.fitted) {
        assert!((predicted - fitted).abs() < 1e-14);
    }
}

#[test]
fn a_new_level_is_what_was_asked_for() {
    let (design, fit) = cbpp();
    let mut new = design.clone();
    new.random[0].levels[2] = "a herd never seen".into();
    assert!(matches!(fit.predict(&new, NewLevels::Refuse), Err(Error::Unavailable { .. })));

    let population = fit.predict_population_linear(&new).unwrap();
    let predicted = fit.predict_linear(&new, NewLevels::Population).unwrap();
    let missing = fit.predict_linear(&new, NewLevels::Missing).unwrap();
    for (row, code) in new.random[0].codes.iter().enumerate() {
        assert_eq!(missing[row].is_nan(), *code == 2);
        assert_eq!(predicted[row] == population[row], *code == 2);
    }
}

#[test]
fn simulated_responses_have_the_fits_means() {
    let (design, fit) = cbpp();
    assert_eq!(fit.simulate(&design, Levels::Redrawn, 7), fit.simulate(&design, Levels::Redrawn, 7));
    assert_ne!(fit.simulate(&design, Levels::Redrawn, 7), fit.simulate(&design, Levels::Redrawn, 8));

    let n_draws = 4000;
    let mut totals = vec![0.0; fit.fitted.len()];
    for seed in 0..n_draws {
        let draw = fit.simulate(&design, Levels::Fitted, seed).unwrap();
        totals.iter_mut().zip(draw).for_each(|(total, y)| *total += y / n_draws as f64);
    }
    for (row, mean) in totals.iter().enumerate() {
        let p = fit.fitted[row];
        let std = (p * (1.0 - p) / design.response.weights[row] / n_draws as f64).sqrt();
        assert!((mean - p).abs() < 4.5 * std, "row {row}: {mean} {p}"); // 56 rows: 1 in 2000 by chance.
    }
}

#[test]
fn a_simulated_model_is_found_again() {
    // Dispersions and variances far from their starts, in every family that has them.
    let (n_groups, n_each) = (150_usize, 12_usize);
    let n_rows = n_groups * n_each;
    let x = |row: usize| (0.5 + 0.618_034 * row as f64).fract() - 0.5;
    let columns = Array2::from_shape_fn((n_rows, 2), |(row, column)| if column == 0 { 1.0 } else { x(row) });
    let codes: Vec<f64> = (0..n_rows).map(|row| (row / n_each) as f64).collect();
    let ones = (Array2::ones((n_rows, 1)), vec!["(Intercept)".to_string()]);
    let names = vec!["(Intercept)".to_string(), "x".to_string()];
    let start = support::design(vec![1.0; n_rows], (columns, names), vec![term("g", &codes, ones)]);

    for (family, truth) in [(Family::NegativeBinomial, 1.5), (Family::Gamma, 3.0), (Family::Gaussian, 0.7)] {
        let mut design = start.clone();
        // Any fit of the design carries the parameters to simulate from.
        design.response.values = (0..n_rows).map(|row| (1 + row % 3) as f64).collect();
        let mut model = fit(&design, family, &Settings::default()).unwrap();
        (model.fixed, model.theta) = (vec![1.0, -0.5], vec![0.6]);
        model.dispersion = match family {
            Family::NegativeBinomial => aais_glmm::Dispersion::Size(truth),
            Family::Gamma => aais_glmm::Dispersion::Shape(truth),
            _ => aais_glmm::Dispersion::ResidualStd(truth),
        };
        design.response.values = model.simulate(&design, Levels::Redrawn, 3).unwrap();
        let found = fit(&design, family, &Settings::default()).unwrap();
        let errors = found.fixed.iter().zip([1.0, -0.5]).zip(found.std_errors());
        for ((estimate, truth), std_error) in errors {
            assert!((estimate - truth).abs() < 3.5 * std_error, "{family}: {estimate} {truth} {std_error}");
        }
        let dispersion = match found.dispersion {
            aais_glmm::Dispersion::Size(value) | aais_glmm::Dispersion::Shape(value) => value,
            other => other.scale(),
        };
        // 1800 rows and 150 groups: relative standard errors near 5 and 6 %.
        assert!((dispersion / truth - 1.0).abs() < 0.15, "{family}: {dispersion}");
        assert!((found.theta[0] / 0.6 - 1.0).abs() < 0.2, "{family}: {:?}", found.theta);
    }
}

#[test]
fn a_likelihood_ratio_compares_nested_fits() {
    let (_, with_slope) = golden("sleepstudy_slope");
    let (_, without) = golden("sleepstudy_intercept");
    let settings = Settings { criterion: Criterion::MaximumLikelihood, ..Settings::default() };
    let [small, large] = [without, with_slope].map(|design| fit(&design, Family::Gaussian, &settings).unwrap());
    let test = likelihood_ratio(&small, &large).unwrap();
    // 2 (−875.969672 + 897.039322), and R's pchisq(42.1393, 2, lower.tail = FALSE) = exp(−42.1393 / 2).
    assert!((test.statistic - 42.1393).abs() < 1e-3, "{test:?}");
    assert_eq!(test.degrees_of_freedom, 2);
    assert!((test.p_value / (-0.5 * test.statistic).exp() - 1.0).abs() < 1e-9, "{test:?}");
    assert!(likelihood_ratio(&large, &small).is_err());
}

#[test]
fn the_table_shows_what_lme4_shows() {
    let (_, fit) = cbpp();
    let text = fit.to_string();
    for part in ["binomial (logit)", "Laplace", "herd", "0.64226", "-1.39853", "0.23247", "56 rows, 15 levels of herd"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn separated_responses_are_named() {
    let table = Table::parse("y,x,g\n0,0,0\n0,0,1\n0,0,2\n0,0,3\n1,1,0\n1,1,1\n1,1,2\n1,1,3\n0,0,0\n1,1,1\n");
    let design =
        support::design(table.column("y"), fixed(&table, &[Column::Number("x")]), vec![intercept(&table, "g")]);
    let fit = fit(&design, LOGIT, &Settings::default()).unwrap();
    let separated = |diagnostic: &Diagnostic| matches!(diagnostic, Diagnostic::Separation { name } if name == "x");
    assert!(fit.diagnostics.iter().any(separated), "{:?} {:?}", fit.fixed, fit.diagnostics);
}

#[test]
fn unscaled_predictors_are_named() {
    let (_, mut design) = golden("cbpp_logit");
    design.fixed.column_mut(2).mapv_inplace(|x| 1e5 * x);
    let fit = fit(&design, LOGIT, &Settings::default()).unwrap();
    let unscaled = |diagnostic: &Diagnostic| matches!(diagnostic, Diagnostic::Unscaled { .. });
    assert!(fit.diagnostics.iter().any(unscaled));
    // The likelihood does not know the scale.
    assert!((fit.log_likelihood - -92.026282).abs() < 1e-5, "{}", fit.log_likelihood);
}

fn negative_count(design: &mut Design) {
    design.response.values.fill(2.0);
    design.response.values[4] = -1.0;
}

#[test]
fn bad_designs_are_refused_with_their_place() {
    let (_, good) = golden("cbpp_logit");
    let refused = |change: &dyn Fn(&mut Design), family: Family| {
        let mut design = good.clone();
        change(&mut design);
        fit(&design, family, &Settings::default()).unwrap_err()
    };
    assert!(matches!(refused(&|d| d.response.values[3] = f64::NAN, LOGIT), Error::Response { row: 3, .. }));
    assert!(matches!(refused(&|d| d.response.values[4] = 1.5, LOGIT), Error::Response { row: 4, .. }));
    assert!(matches!(refused(&|d| negative_count(d), Family::Poisson), Error::Response { row: 4, .. }));
    assert!(matches!(refused(&|d| d.response.values[0] = 0.0, Family::Gamma), Error::Response { .. }));
    assert!(matches!(refused(&|d| d.response.weights[5] = -1.0, LOGIT), Error::Weight { row: 5, .. }));
    assert!(matches!(refused(&|d| d.response.weights[5] = 2.5, LOGIT), Error::Weight { row: 5, .. }));
    assert!(matches!(refused(&|d| d.fixed[(7, 1)] = f64::INFINITY, LOGIT), Error::NonFinite { row: 7, .. }));
    assert!(matches!(refused(&|d| d.offset[7] = f64::NAN, LOGIT), Error::NonFinite { row: 7, .. }));
    assert!(matches!(refused(&|d| d.random[0].effects[(2, 0)] = f64::NAN, LOGIT), Error::NonFinite { row: 2, .. }));
    let no_effects = |d: &mut Design| d.random[0].effects = Array2::zeros((56, 0));
    assert!(matches!(refused(&no_effects, LOGIT), Error::Size { .. }));
    assert!(matches!(refused(&|d| d.random[0].codes[0] = 99, LOGIT), Error::Size { .. }));
    assert!(matches!(refused(&|d| d.offset.truncate(3), LOGIT), Error::Size { .. }));

    let collinear = refused(&|d| d.fixed.column_mut(3).fill(2.0), LOGIT);
    assert_eq!(collinear, Error::Collinear { name: "period4".into() });
}

#[test]
fn a_model_may_have_no_fixed_effects() {
    let (_, mut design) = golden("sleepstudy_intercept");
    design.fixed = Array2::zeros((design.response.values.len(), 0));
    design.fixed_names.clear();
    let criteria = [Criterion::Reml, Criterion::MaximumLikelihood];
    let [reml, likelihood] = criteria
        .map(|criterion| fit(&design, Family::Gaussian, &Settings { criterion, ..Settings::default() }).unwrap());
    // Nothing is left out, so nothing is restricted.
    assert_eq!(reml.deviance, likelihood.deviance);

    let (_, mut design) = golden("cbpp_logit");
    design.fixed = Array2::zeros((design.response.values.len(), 0));
    design.fixed_names.clear();
    let free = fit(&design, LOGIT, &Settings::default()).unwrap();
    assert!(free.converged && free.n_parameters == 1 && free.theta[0] > 1.0, "{:?}", free.theta);
}

#[test]
fn rows_without_weight_change_nothing() {
    let (design, expected) = cbpp();
    let mut longer = design.clone();
    let last = design.response.values.len() - 1;
    longer.response.values.push(0.5);
    longer.response.weights.push(0.0);
    longer.offset.push(0.0);
    longer.fixed.push_row(design.fixed.row(last)).unwrap();
    longer.random[0].codes.push(3);
    longer.random[0].effects.push_row(design.random[0].effects.row(last)).unwrap();
    let found = fit(&longer, LOGIT, &Settings::default()).unwrap();
    assert_eq!((found.fixed, found.theta, found.deviance), (expected.fixed, expected.theta, expected.deviance));
}

#[test]
fn trials_may_be_rows_or_weights() {
    let (design, expected) = cbpp();
    let mut rows = Vec::new();
    for row in 0..design.response.values.len() {
        let trials = design.response.weights[row] as usize;
        let successes = (design.response.values[row] * trials as f64).round() as usize;
        rows.extend((0..trials).map(|trial| (row, f64::from(u8::from(trial < successes)))));
    }
    let of = |row: usize| rows[row].0;
    let mut long = design.clone();
    long.response.values = rows.iter().map(|row| row.1).collect();
    long.response.weights = vec![1.0; rows.len()];
    long.offset = vec![0.0; rows.len()];
    long.fixed = Array2::from_shape_fn((rows.len(), 4), |(row, column)| design.fixed[(of(row), column)]);
    long.random[0].codes = (0..rows.len()).map(|row| design.random[0].codes[of(row)]).collect();
    long.random[0].effects = Array2::ones((rows.len(), 1));
    let found = fit(&long, LOGIT, &Settings::default()).unwrap();
    for (found, expected) in found.fixed.iter().zip(&expected.fixed) {
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }
    assert!((found.theta[0] - expected.theta[0]).abs() < 1e-8);
}
