//! Objectives and optima of lme4 1.1-31; see `golden/README.md`.

#![allow(clippy::unwrap_used)]

mod support;

use aais_glmm::{
    Approximation, BinomialLink, Criterion, Design, Diagnostic, Family, Fit, Information, Parameters, Settings,
    deviance, fit,
};
use serde_json::Value;
use support::{Column, Table, fixed, golden, intercept, numbers, table7, term};

const GENERALIZED: [&str; 6] =
    ["verbagg_id", "verbagg_id_item", "cbpp_logit", "cbpp_probit", "grouseticks_location", "simpoisson_intercept"];

const LINEAR: [&str; 3] = ["sleepstudy_slope", "sleepstudy_intercept", "dyestuff2_singular"];

fn family(json: &Value) -> Family {
    match (json["family"].as_str().unwrap(), json["link"].as_str().unwrap()) {
        ("binomial", "logit") => Family::Binomial(BinomialLink::Logit),
        ("binomial", "probit") => Family::Binomial(BinomialLink::Probit),
        ("poisson", "log") => Family::Poisson,
        ("gaussian", "identity") => Family::Gaussian,
        other => panic!("{other:?}"),
    }
}

/// lme4's `nAGQ` or criterion, as the last part of a fit's name.
fn settings(name: &str) -> Settings {
    match name.rsplit('_').next().unwrap() {
        "REML" => Settings::default(),
        "ML" => Settings { criterion: Criterion::MaximumLikelihood, ..Settings::default() },
        "nAGQ0" => Settings { approximation: Approximation::ProfiledLaplace, ..Settings::default() },
        "nAGQ1" => Settings::default(),
        nodes => {
            let n_nodes = nodes.strip_prefix("nAGQ").unwrap().parse().unwrap();
            Settings { approximation: Approximation::Quadrature { n_nodes }, ..Settings::default() }
        }
    }
}

fn assert_close(what: &str, found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found} against {expected}");
}

fn assert_all_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_close(&format!("{what} {index}"), *found, *expected, tolerance);
    }
}

#[test]
fn objectives_are_those_of_lme4() {
    for name in GENERALIZED.into_iter().chain(LINEAR) {
        let (json, design) = golden(name);
        for (kind, points) in json["objective_points"].as_object().unwrap() {
            for (place, point) in points.as_object().unwrap() {
                let fixed = if point["beta"].is_array() { numbers(&point["beta"]) } else { Vec::new() };
                let parameters = Parameters { theta: numbers(&point["theta"]), fixed, dispersion: None };
                let mut found = deviance(&design, family(&json), &settings(kind), &parameters).unwrap();
                // lme4 leaves the saturated model's constant out where it uses quadrature.
                if matches!(settings(kind).approximation, Approximation::Quadrature { .. }) {
                    found += 2.0 * json["saturated_loglik"].as_f64().unwrap();
                }
                let expected = point["value"].as_f64().unwrap();
                assert_close(&format!("{name} {kind} {place}"), found, expected, 1e-8 * expected);
            }
        }
    }
}

#[test]
fn laplace_is_exact_for_a_vector_of_effects_on_every_row() {
    let json: Value = serde_json::from_str(include_str!("golden/verbagg_obs_paper_table7.json")).unwrap();
    let design = table7();
    for point in json["objective_points"].as_array().unwrap() {
        let parameters =
            Parameters { theta: numbers(&point["theta"]), fixed: numbers(&point["beta"]), dispersion: None };
        let found = deviance(&design, Family::Binomial(BinomialLink::Logit), &Settings::default(), &parameters);
        let expected = point["minus2_laplace_loglik"].as_f64().unwrap();
        assert_close("deviance", found.unwrap(), expected, 1e-8 * expected);
    }
}

/// Fits of a golden file by the names that are compared, each with its golden values.
fn fits(name: &str) -> Vec<(String, Value, Design, Fit)> {
    let (json, design) = golden(name);
    let fits = json["fits"].as_object().unwrap();
    let compared = fits.iter().filter(|(kind, _)| kind.starts_with("tight") || name == "dyestuff2_singular");
    compared
        .map(|(kind, values)| {
            let fit = fit(&design, family(&json), &settings(kind)).unwrap();
            (format!("{name} {kind}"), values.clone(), design.clone(), fit)
        })
        .collect()
}

#[test]
fn optima_are_those_of_lme4() {
    for name in GENERALIZED.into_iter().chain(LINEAR) {
        for (kind, expected, _, fit) in fits(name) {
            let log_likelihood = expected.get("full_loglik").unwrap_or(&expected["logLik"]).as_f64().unwrap();
            assert_close(&kind, fit.log_likelihood, log_likelihood, 1e-5);
            assert_all_close(&kind, &fit.fixed, &numbers(&expected["fixef"]), 1e-4);
            assert_all_close(&kind, &fit.theta, &numbers(&expected["theta"]), 1e-4);
            assert_eq!(fit.n_parameters as u64, expected["npar"].as_u64().unwrap(), "{kind}");
            assert!(fit.converged, "{kind}");
            // Both criteria differ from lme4's by the constant that it leaves out.
            let shift = 2.0 * (expected["logLik"].as_f64().unwrap() - log_likelihood);
            assert_close(&kind, fit.aic, expected["AIC"].as_f64().unwrap() + shift, 1e-4);
            assert_close(&kind, fit.bic, expected["BIC"].as_f64().unwrap() + shift, 1e-4);
        }
    }
}

#[test]
fn standard_errors_are_those_of_lme4() {
    for name in GENERALIZED.into_iter().chain(LINEAR) {
        for (kind, expected, _, fit) in fits(name) {
            let given_theta = expected.get("se_use_hessian_false").unwrap_or(&expected["se"]);
            for (found, expected) in fit.std_errors_given_theta().iter().zip(numbers(given_theta)) {
                assert_close(&kind, *found, expected, 1e-5 * expected);
            }
            // lme4 differentiates numerically twice.
            for (found, expected) in fit.std_errors().iter().zip(numbers(&expected["se"])) {
                assert_close(&kind, *found, expected, 5e-4 * expected);
            }
        }
    }
}

#[test]
fn random_effects_are_those_of_lme4() {
    for name in GENERALIZED.into_iter().chain(LINEAR) {
        for (kind, expected, _, fit) in fits(name) {
            for effects in &fit.random {
                let expected = &expected["ranef"][&effects.group];
                let modes = expected["first_modes"].as_array().unwrap();
                let variances = expected["first_condvar"].as_array().unwrap();
                let scale = effects.std().iter().copied().fold(1.0, f64::max);
                for (level, (modes, variances)) in modes.iter().zip(variances).enumerate() {
                    let found = effects.modes.row(level).to_vec();
                    assert_all_close(&kind, &found, &numbers(modes), 2e-4 * scale);
                    for (row, variances) in variances.as_array().unwrap().iter().enumerate() {
                        for (column, variance) in numbers(variances).into_iter().enumerate() {
                            let found = effects.conditional_covariance[(level, row, column)];
                            assert_close(&kind, found, variance, 2e-4 * scale * scale);
                        }
                    }
                }
            }
            assert_all_close(
                &kind,
                &fit.fitted[..10],
                &numbers(&expected["fitted_first10"]),
                1e-4 * fit.fitted[0].abs().max(1.0),
            );
            assert_close(
                &kind,
                fit.fitted.iter().sum(),
                expected["fitted_sum"].as_f64().unwrap(),
                1e-3 * fit.n_rows as f64 / 100.0,
            );
        }
    }
}

/// lme4's tight fits of models whose files are not kept here: log-likelihood, fixed effects and `θ`.
#[test]
fn further_optima_are_those_of_lme4() {
    let logit = Family::Binomial(BinomialLink::Logit);
    let (_, verbagg_id) = golden("verbagg_id");
    let table = support::verbagg();
    let by_person = |effects: &[Column]| {
        let random = vec![term("id", &table.column("id"), fixed(&table, effects))];
        Design { random, ..verbagg_id.clone() }
    };

    let slope = fit(&by_person(&[Column::Factor("mode", 2)]), logit, &Settings::default()).unwrap();
    assert_close("mode", slope.log_likelihood, -4080.903553, 1e-5);
    assert_all_close("mode", &slope.fixed, &[1.832522, -1.077351, -1.107924, -2.140354, -0.724192], 1e-4);
    assert_all_close("mode", &slope.theta, &[1.470631, -0.279086, 0.935555], 1e-4);

    // Five effects a person; lme4 ran with its default tolerances here.
    let all = fit(&by_person(&support::verbagg_columns()), logit, &Settings::default()).unwrap();
    assert_all_close("all", &all.fixed, &[2.2575, -1.3210, -1.3150, -2.5946, -0.8952], 1e-2);

    let table = Table::parse(include_str!("golden/grouseticks.csv"));
    let columns = fixed(&table, &[Column::Factor("YEAR", 3), Column::Number("cHEIGHT")]);
    let random = ["INDEX", "BROOD", "LOCATION"].map(|group| intercept(&table, group)).to_vec();
    let nested = fit(&support::design(table.column("TICKS"), columns, random), Family::Poisson, &Settings::default());
    let nested = nested.unwrap();
    assert_close("nested", nested.log_likelihood, -890.271330, 1e-5);
    assert_all_close("nested", &nested.fixed, &[0.372784, 1.180408, -0.978698, -0.023761], 1e-4);
    assert_all_close("nested", &nested.theta, &[0.541509, 0.750033, 0.528721], 1e-4);

    let (_, cbpp) = golden("cbpp_logit");
    let cloglog = Family::Binomial(BinomialLink::Cloglog);
    let expected = fit(&cbpp, cloglog, &Settings::default()).unwrap();
    assert_close("cloglog, expected information", expected.log_likelihood, -91.802038, 1e-5);
    let observed = Settings { information: Information::Observed, ..Settings::default() };
    let observed = fit(&cbpp, cloglog, &observed).unwrap();
    assert_close("cloglog, observed information", observed.log_likelihood, -91.758002, 1e-5);
}

#[test]
fn a_vanishing_variance_is_exactly_zero_and_named() {
    let (_, design) = golden("dyestuff2_singular");
    let fit = fit(&design, Family::Gaussian, &Settings::default()).unwrap();
    assert_eq!(fit.theta, [0.0]);
    let named = Diagnostic::Singular { group: "Batch".into(), effect: "(Intercept)".into() };
    assert_eq!(fit.diagnostics, [named]);
}

#[test]
fn equal_input_gives_equal_bits() {
    let (json, design) = golden("cbpp_probit");
    let nine = Settings { approximation: Approximation::Quadrature { n_nodes: 9 }, ..Settings::default() };
    let fits = [(); 2].map(|()| fit(&design, family(&json), &nine).unwrap());
    assert_eq!(fits[0], fits[1]);
}
