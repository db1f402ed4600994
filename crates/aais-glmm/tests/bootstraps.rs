//! The parametric bootstrap: against theory, and draw by draw.

#![allow(clippy::unwrap_used)]

mod support;

use aais_glmm::{
    Approximation, BinomialLink, BootstrapFailure, BootstrapSettings, Criterion, Design, Diagnostic, Error, Family,
    Fit, Levels, Settings, bootstrap, bootstrap_draw, bootstrap_statistic, fit, refit,
};
use support::golden;

const LOGIT: Family = Family::Binomial(BinomialLink::Logit);

fn draws(n_draws: usize) -> BootstrapSettings {
    BootstrapSettings { n_draws, seed: 11, levels: Levels::Redrawn }
}

fn fitted(name: &str, family: Family) -> (Design, Fit) {
    let (_, design) = golden(name);
    let fit = fit(&design, family, &Settings::default()).unwrap();
    (design, fit)
}

#[test]
fn a_linear_model_has_the_means_and_standard_errors_of_theory() {
    let (design, fit) = fitted("sleepstudy_slope", Family::Gaussian);
    let n_draws = 1000;
    let bootstrap = bootstrap(&design, &fit, &draws(n_draws)).unwrap();
    assert_eq!(bootstrap.failures, []);
    assert_eq!(bootstrap.draws.len(), n_draws);
    let (means, errors) = (bootstrap.means(), bootstrap.std_errors());
    let n = n_draws as f64;
    for (index, std_error) in fit.std_errors().into_iter().enumerate() {
        let at = 4 + index;
        assert_eq!(bootstrap.names[at], fit.fixed_names[index]);
        // The design is balanced: fixed effects are unbiased and their variance is that of the fit, exactly. Four
        // standard deviations of a mean and of a standard deviation of so many normal draws.
        assert!(
            (means[at] - fit.fixed[index]).abs() < 4.0 * std_error / n.sqrt(),
            "{} {}",
            means[at],
            fit.fixed[index]
        );
        assert!((errors[at] / std_error - 1.0).abs() < 4.0 / (2.0 * n).sqrt(), "{} {std_error}", errors[at]);
        // Percentiles of normal draws, whose standard deviation at 2.5 % is 2.67 / √n standard errors.
        let [lower, upper] = bootstrap.intervals(0.95)[at];
        let normal = [-1.959963984540054, 1.959963984540054].map(|z| fit.fixed[index] + z * std_error);
        for (found, expected) in [lower, upper].into_iter().zip(normal) {
            assert!((found - expected).abs() < 4.0 * 2.67 * std_error / n.sqrt(), "{found} {expected}");
        }
    }
    // σ² has 180 − 36 degrees of freedom given the subjects' own lines, and REML is near that.
    let relative = errors[3] / fit.dispersion.scale();
    assert!((relative * (2.0 * 144.0_f64).sqrt() - 1.0).abs() < 0.1, "{relative}");
}

#[test]
fn a_generalized_model_has_about_the_standard_errors_of_its_hessian() {
    let (design, fit) = fitted("grouseticks_location", Family::Poisson);
    let bootstrap = bootstrap(&design, &fit, &draws(300)).unwrap();
    assert_eq!(bootstrap.failures, []);
    for (index, std_error) in fit.std_errors().into_iter().enumerate() {
        let found = bootstrap.std_errors()[1 + index];
        // Four standard deviations of a standard deviation of 300 draws, 16 %; the Hessian's is right to a few percent.
        assert!((found / std_error - 1.0).abs() < 0.2, "{index}: {found} {std_error}");
    }
}

#[test]
fn refits_end_where_fits_do() {
    let quadrature = Settings { approximation: Approximation::Quadrature { n_nodes: 5 }, ..Settings::default() };
    let profiled = Settings { approximation: Approximation::ProfiledLaplace, ..Settings::default() };
    let likelihood = Settings { criterion: Criterion::MaximumLikelihood, ..Settings::default() };
    let cases = [
        ("cbpp_logit", LOGIT, Settings::default(), 60),
        ("cbpp_logit", LOGIT, profiled, 30),
        ("cbpp_logit", LOGIT, quadrature, 5),
        ("sleepstudy_slope", Family::Gaussian, likelihood, 60),
        ("grouseticks_location", Family::NegativeBinomial, Settings::default(), 10),
        ("verbagg_id_item", LOGIT, Settings::default(), 1),
    ];
    let mut n_singular = 0;
    for (name, family, settings, n_draws) in cases {
        let (_, mut design) = golden(name);
        let first = fit(&design, family, &settings).unwrap();
        for seed in 0..n_draws {
            design.response.values = first.simulate(&design, Levels::Redrawn, seed).unwrap();
            let (again, anew) = (refit(&design, &first).unwrap(), fit(&design, family, &settings).unwrap());
            n_singular += usize::from(again.theta.contains(&0.0));
            // Both searches stop at a gain of 1e-8 and take Newton's step from there.
            assert!(
                (again.deviance - anew.deviance).abs() < 1e-7,
                "{name} {seed}: {} {}",
                again.deviance,
                anew.deviance
            );
            for (index, (a, b)) in again.fixed.iter().zip(&anew.fixed).enumerate() {
                let std_error = anew.std_errors_given_theta()[index];
                assert!((a - b).abs() < 1e-4 * std_error, "{name} {seed}: {a} {b}");
            }
        }
    }
    // Draws without variance are among them, and found from a start with variance.
    assert!(n_singular > 0);
}

#[test]
fn a_draw_alone_is_the_draw_among_all() {
    let (design, fit) = fitted("cbpp_logit", LOGIT);
    let all = bootstrap(&design, &fit, &draws(12)).unwrap();
    assert_eq!(all, bootstrap(&design, &fit, &draws(12)).unwrap());
    let other = bootstrap(&design, &fit, &BootstrapSettings { seed: 12, ..draws(12) }).unwrap();
    assert_ne!(all.draws, other.draws);

    let (number, values) = &all.draws[7];
    let alone = bootstrap_draw(&design, &fit, &draws(1), *number).unwrap();
    let expected: Vec<f64> = alone.quantities().iter().map(|quantity| alone.estimate(*quantity).unwrap()).collect();
    assert_eq!(values, &expected);
    // Draw zero is what the seed simulates.
    let mut drawn = design.clone();
    drawn.response.values = fit.simulate(&design, Levels::Redrawn, 11).unwrap();
    assert_eq!(bootstrap_draw(&design, &fit, &draws(1), 0).unwrap(), refit(&drawn, &fit).unwrap());
}

#[test]
fn any_statistic_can_be_drawn() {
    let (design, fit) = fitted("cbpp_logit", LOGIT);
    let ratio = |fit: &Fit| vec![fit.fixed[1] / fit.fixed[2], if fit.theta[0] > 0.5 { 1.0 } else { f64::NAN }];
    let own = bootstrap_statistic(&design, &fit, &draws(30), ratio).unwrap();
    let all = bootstrap(&design, &fit, &draws(30)).unwrap();
    assert_eq!(own.names, ["1", "2"]);
    assert_eq!(own.estimates, ratio(&fit));
    for ((_, own), (_, all)) in own.draws.iter().zip(&all.draws) {
        assert_eq!(own[0], all[2] / all[3]);
    }
    let small = all.draws.iter().filter(|(_, values)| values[0] <= 0.5).count();
    assert!(small > 0);
    assert_eq!(own.n_undefined(), [0, small]);
    assert_eq!(own.means()[1], 1.0);
}

#[test]
fn failures_are_kept_with_their_reasons() {
    let (design, mut fit) = fitted("cbpp_logit", LOGIT);
    fit.fixed[0] = f64::NAN;
    let found = bootstrap(&design, &fit, &draws(3)).unwrap();
    assert_eq!((found.draws.len(), found.failures.len()), (0, 3));
    assert!(
        found.failures.iter().all(|(_, failure)| matches!(failure, BootstrapFailure::Error(Error::Setting { .. })))
    );
    assert!(found.intervals(0.95)[0][0].is_nan());
    let text = found.to_string();
    assert!(text.starts_with("Parametric bootstrap, 3 draws: 0 fitted (0 singular), 3 failed"), "{text}");
    assert!(text.contains("failed: draw 2: expected a mean its family can have"), "{text}");
}

#[test]
fn draws_that_stop_early_are_failures() {
    let (design, mut fit) = fitted("cbpp_logit", LOGIT);
    fit.settings.max_iterations = 1;
    let found = bootstrap(&design, &fit, &draws(10)).unwrap();
    assert_eq!(found.draws.len() + found.failures.len(), 10);
    assert!(!found.failures.is_empty());
    for (draw, failure) in &found.failures {
        assert_eq!(failure, &BootstrapFailure::NotConverged);
        let alone = bootstrap_draw(&design, &fit, &draws(0), *draw).unwrap();
        assert!(alone.diagnostics.iter().any(|found| matches!(found, Diagnostic::NotConverged { .. })));
    }
}
