//! Profile likelihood intervals: closed forms, and searches of another kind.

#![allow(clippy::unwrap_used)]

mod support;

use aais_glmm::{
    Approximation, BinomialLink, Criterion, Design, Dispersion, Error, Family, Fit, Parameters, Quantity, Settings,
    deviance, fit, profile, profile_interval, signed_root,
};
use bobyqa::{Bobyqa, Config};
use support::{Column, Table, fixed, golden};

const LOGIT: Family = Family::Binomial(BinomialLink::Logit);

/// The normal quantile of a level of 0.95: R's `qnorm(0.975)`.
const Z: f64 = 1.959963984540054;

const LIKELIHOOD: Settings = Settings {
    criterion: Criterion::MaximumLikelihood,
    approximation: Approximation::Laplace,
    information: aais_glmm::Information::Expected,
    max_iterations: 500,
};

fn fitted(name: &str, family: Family) -> (Design, Fit) {
    let (_, design) = golden(name);
    let fit = fit(&design, family, &LIKELIHOOD).unwrap();
    (design, fit)
}

#[test]
fn a_linear_model_without_random_effects_has_its_closed_form() {
    let table = Table::parse(include_str!("golden/sleepstudy.csv"));
    let design = support::design(table.column("Reaction"), fixed(&table, &[Column::Number("Days")]), Vec::new());
    let n = design.response.values.len() as f64;
    // REML or not, the profile is that of the likelihood.
    for settings in [LIKELIHOOD, Settings::default()] {
        let fit = fit(&design, Family::Gaussian, &settings).unwrap();
        let found = profile(&design, &fit, 0.95).unwrap().intervals;
        assert_eq!(found.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["sigma", "(Intercept)", "Days"]);

        let variance = fit.dispersion.scale().powi(2);
        let squares: f64 = design.response.values.iter().zip(&fit.fitted).map(|(y, mean)| (y - mean).powi(2)).sum();
        for (interval, index) in found[1..].iter().zip(0..) {
            // n log(1 + (b − b̂)² / (v S)) = z².
            let unit = fit.fixed_covariance[(index, index)] / variance;
            let half = (unit * squares * (Z * Z / n).exp_m1()).sqrt();
            let errors =
                [interval.lower.unwrap() - fit.fixed[index] + half, interval.upper.unwrap() - fit.fixed[index] - half];
            // Ends are found to 1e-8 standard errors, searches leave 1e-9 of the deviance.
            assert!(errors.iter().all(|error| error.abs() < 1e-7 * half), "{index}: {errors:?}");
        }
        let ends = [found[0].lower.unwrap(), found[0].upper.unwrap()];
        for end in ends {
            // n (x − 1 − log x) = z² with x = σ̂² / σ².
            let x = squares / n / (end * end);
            assert!((n * (x - 1.0 - x.ln()) - Z * Z).abs() < 1e-6, "{end}");
        }
        let estimate = (squares / n).sqrt();
        assert!(ends[0] < estimate && estimate < ends[1] && (found[0].estimate - estimate).abs() < 1e-9 * estimate);
    }
}

/// `−2 log L` of a linear model with one grouping factor from the densities of its groups, by dense elimination.
fn dense_deviance(design: &Design, covariance: &[[f64; 2]; 2], variance: f64, beta: &[f64]) -> f64 {
    let term = &design.random[0];
    let size = term.effects.ncols();
    let mut total = 0.0;
    for level in 0..term.levels.len() {
        let rows: Vec<usize> = (0..term.codes.len()).filter(|row| term.codes[*row] == level).collect();
        let n = rows.len();
        let mut matrix = vec![vec![0.0; n + 1]; n];
        for (i, &row) in rows.iter().enumerate() {
            for (j, &column) in rows.iter().enumerate() {
                let pairs = (0..size).flat_map(|a| (0..size).map(move |b| (a, b)));
                let product =
                    |(a, b): (usize, usize)| term.effects[(row, a)] * covariance[a][b] * term.effects[(column, b)];
                matrix[i][j] = pairs.map(product).sum::<f64>() + if i == j { variance } else { 0.0 };
            }
            matrix[i][n] =
                design.response.values[row] - (0..beta.len()).map(|k| design.fixed[(row, k)] * beta[k]).sum::<f64>();
        }
        let residuals: Vec<f64> = matrix.iter().map(|row| row[n]).collect();
        for pivot in 0..n {
            total += (std::f64::consts::TAU * matrix[pivot][pivot]).ln();
            for row in pivot + 1..n {
                let share = matrix[row][pivot] / matrix[pivot][pivot];
                let above = matrix[pivot].clone();
                matrix[row].iter_mut().zip(&above).skip(pivot).for_each(|(entry, above)| *entry -= share * above);
            }
        }
        let mut solved = vec![0.0; n];
        for row in (0..n).rev() {
            let known: f64 = (row + 1..n).map(|column| matrix[row][column] * solved[column]).sum();
            solved[row] = (matrix[row][n] - known) / matrix[row][row];
        }
        total += residuals.iter().zip(&solved).map(|(a, b)| a * b).sum::<f64>();
    }
    total
}

/// The least value over everything but one coordinate, by a search without gradients in steps of `scales`.
fn least(start: &[f64], scales: &[f64], held: usize, mut value: impl FnMut(&[f64]) -> f64) -> f64 {
    let free: Vec<usize> = (0..start.len()).filter(|index| *index != held).collect();
    let n = free.len();
    let mut config = Config::new(n);
    (config.rho_begin, config.rho_end, config.max_fun) = (0.5, 1e-6, 5000);
    let mut point = vec![0.0; n];
    let mut lowest = f64::INFINITY;
    let outcome = Bobyqa::new(n, config).unwrap().minimize(
        |z| {
            let mut full = start.to_vec();
            free.iter().zip(z).for_each(|(index, z)| full[*index] += scales[*index] * z);
            let found = value(&full);
            lowest = lowest.min(found);
            found
        },
        &mut point,
        &vec![-30.0; n],
        &vec![30.0; n],
    );
    assert_eq!(outcome.status, bobyqa::Status::Converged);
    lowest
}

#[test]
fn linear_profiles_are_those_of_a_search_without_gradients() {
    let (design, fit) = fitted("sleepstudy_slope", Family::Gaussian);
    let quantities = fit.quantities();
    // Standard deviations, correlation, residual standard deviation, fixed effects: all seven of them free but one.
    let value = |v: &[f64]| {
        let mixed = v[0] * v[1].tanh() * v[2];
        dense_deviance(&design, &[[v[0] * v[0], mixed], [mixed, v[2] * v[2]]], v[3] * v[3], &v[4..])
    };
    let mut at: Vec<f64> = quantities.iter().map(|quantity| fit.estimate(*quantity).unwrap()).collect();
    at[1] = at[1].atanh();
    assert!((value(&at) - fit.deviance).abs() < 1e-8);
    let scales = [5.0, 0.3, 1.2, 1.5, 6.6, 1.5];
    for (index, quantity) in quantities.into_iter().enumerate() {
        for away in [-2.5, 1.7] {
            let mut start = at.clone();
            start[index] += away * scales[index];
            let held = if index == 1 { start[1].tanh() } else { start[index] };
            let root = signed_root(&design, &fit, quantity, held).unwrap();
            let expected = (least(&start, &scales, index, value) - fit.deviance).sqrt() * away.signum();
            // The search without gradients ends within 1e-8 of the deviance, over twice a root above one.
            assert!((root - expected).abs() < 1e-7, "{quantity:?} {away}: {root} {expected}");
        }
    }
}

#[test]
fn a_vanished_variance_comes_back_where_the_profile_wants_it() {
    // At the estimate the batches do not vary; they do where the mean is held far from it.
    let (design, fit) = fitted("dyestuff2_singular", Family::Gaussian);
    assert_eq!(fit.theta, [0.0]);
    let interval = profile_interval(&design, &fit, Quantity::Fixed { index: 0 }, 0.95).unwrap();
    let value = |v: &[f64]| dense_deviance(&design, &[[v[0] * v[0], 0.0], [0.0; 2]], v[1] * v[1], &v[2..]);
    for end in [interval.lower.unwrap(), interval.upper.unwrap()] {
        let excess = least(&[0.5, 3.6, end], &[0.5, 0.5, 1.0], 2, value) - fit.deviance;
        assert!((excess - Z * Z).abs() < 1e-6, "{end}: {excess}");
        let without = value(&[0.0, ((fit.deviance - value(&[0.0, 1.0, end])).abs() / 30.0).sqrt(), end]) - fit.deviance;
        assert!(without > Z * Z + 1e-3, "{without}");
    }
}

#[test]
fn ends_of_a_generalized_model_are_those_of_a_search_without_gradients() {
    let (_, design) = golden("cbpp_logit");
    for (approximation, tolerance) in [(Approximation::Laplace, 1e-6), (Approximation::Quadrature { n_nodes: 5 }, 1e-6)]
    {
        let settings = Settings { approximation, ..LIKELIHOOD };
        let fit = fit(&design, LOGIT, &settings).unwrap();
        let profile = profile(&design, &fit, 0.9).unwrap();
        let mut at = fit.theta.clone();
        at.extend(&fit.fixed);
        let value = |v: &[f64]| {
            let parameters = Parameters { theta: vec![v[0].abs()], fixed: v[1..].to_vec(), dispersion: None };
            deviance(&design, LOGIT, &settings, &parameters).unwrap()
        };
        for (index, interval) in profile.intervals.iter().enumerate().filter(|(index, _)| [0, 2].contains(index)) {
            for end in [interval.lower.unwrap(), interval.upper.unwrap()] {
                let mut start = at.clone();
                start[index] = end;
                let excess = least(&start, &[0.2, 0.3, 0.3, 0.3, 0.4], index, value) - fit.deviance;
                // R's qnorm(0.95)².
                assert!((excess - 1.644853626951472_f64.powi(2)).abs() < tolerance, "{}: {excess}", interval.name);
            }
        }
    }
}

#[test]
fn an_estimated_size_has_an_interval_on_its_own_scale() {
    let (_, design) = golden("grouseticks_location");
    let fit = fit(&design, Family::NegativeBinomial, &LIKELIHOOD).unwrap();
    let Dispersion::Size(size) = fit.dispersion else { panic!("{:?}", fit.dispersion) };
    let interval = profile_interval(&design, &fit, Quantity::Dispersion, 0.95).unwrap();
    assert_eq!((interval.name.as_str(), interval.estimate), ("size", size));
    let mut at = fit.theta.clone();
    at.extend(&fit.fixed);
    for end in [interval.lower.unwrap(), interval.upper.unwrap()] {
        let value = |v: &[f64]| {
            let parameters = Parameters { theta: vec![v[0].abs()], fixed: v[1..4].to_vec(), dispersion: Some(v[4]) };
            deviance(&design, Family::NegativeBinomial, &LIKELIHOOD, &parameters).unwrap()
        };
        let start = [at.as_slice(), &[end]].concat();
        let excess = least(&start, &[0.15, 0.2, 0.1, 0.1, 1.0], 4, value) - fit.deviance;
        assert!((excess - Z * Z).abs() < 1e-6, "{end}: {excess}");
    }
}

#[test]
fn what_does_not_exist_is_said() {
    // All responses at `x = 1` are successes: the deviance falls toward infinity.
    let table = Table::parse("y,x,g\n0,0,0\n0,0,1\n1,0,2\n1,0,3\n1,1,0\n1,1,1\n1,1,2\n1,1,3\n1,0,0\n0,0,1\n");
    let random = vec![support::intercept(&table, "g")];
    let design = support::design(table.column("y"), fixed(&table, &[Column::Number("x")]), random);
    let separated = fit(&design, LOGIT, &LIKELIHOOD).unwrap();
    let interval = profile_interval(&design, &separated, Quantity::Fixed { index: 1 }, 0.95).unwrap();
    assert!(interval.lower.is_some_and(|lower| lower < 5.0) && interval.upper.is_none(), "{interval:?}");

    let (design, fit) = fitted("cbpp_logit", LOGIT);
    let unavailable = |error: Error, words: &str| {
        assert!(matches!(&error, Error::Unavailable { .. }) && error.to_string().contains(words), "{error}");
    };
    unavailable(profile_interval(&design, &fit, Quantity::Dispersion, 0.95).unwrap_err(), "no such quantity");
    unavailable(profile(&golden("sleepstudy_slope").1, &fit, 0.95).unwrap_err(), "other rows");
    let mut other = design.clone();
    other.response.values[0] = 0.0;
    unavailable(profile(&other, &fit, 0.95).unwrap_err(), "other numbers");
    let mut early = fit.clone();
    early.fixed[1] += 0.05;
    let parameters = early.parameters();
    early.deviance = deviance(&design, LOGIT, &LIKELIHOOD, &parameters).unwrap();
    unavailable(profile(&design, &early, 0.95).unwrap_err(), "not at its minimum");
    let profiled = Settings { approximation: Approximation::ProfiledLaplace, ..LIKELIHOOD };
    let quick = aais_glmm::fit(&design, LOGIT, &profiled).unwrap();
    unavailable(profile(&design, &quick, 0.95).unwrap_err(), "Approximation::Laplace");
    for level in [0.0, 1.0, f64::NAN] {
        assert!(matches!(profile(&design, &fit, level), Err(Error::Setting { name: "level", .. })));
    }
    let std = Quantity::Std { term: 0, effect: 0 };
    for value in [-0.1, f64::NAN, f64::INFINITY] {
        assert!(matches!(signed_root(&design, &fit, std, value), Err(Error::Setting { .. })), "{value}");
    }
}

#[test]
fn correlations_with_what_does_not_vary_may_be_anything() {
    let (_, mut slope_last) = golden("sleepstudy_slope");
    // Every subject has the same slope and the same noise: the slopes do not vary.
    for (row, value) in slope_last.response.values.iter_mut().enumerate() {
        let noise = (0.5 + 0.618_034 * (row % 10) as f64).fract();
        *value = slope_last.fixed[(row, 1)] + (row / 10) as f64 + noise;
    }
    let mut slope_first = slope_last.clone();
    slope_first.random[0].effects.invert_axis(ndarray::Axis(1));
    // The first effect's variance is zero; the second's is what rounding leaves along the first.
    for (design, slope, level) in [(slope_first, 0, 1), (slope_last, 1, 0)] {
        let fit = fit(&design, Family::Gaussian, &LIKELIHOOD).unwrap();
        let of = |quantity| profile_interval(&design, &fit, quantity, 0.95).unwrap();
        let [slope, level] = [slope, level].map(|effect| of(Quantity::Std { term: 0, effect }));
        let correlation = of(Quantity::Correlation { term: 0, effect: 1, other: 0 });
        assert!(slope.estimate < 1e-9 && slope.lower == Some(0.0) && slope.upper.unwrap() > 0.0, "{slope:?}");
        assert!(level.lower.unwrap() > 0.0, "{level:?}");
        assert_eq!((correlation.lower, correlation.upper), (Some(-1.0), Some(1.0)), "{correlation:?}");
    }
}

#[test]
fn the_same_profile_has_the_same_bits() {
    let (design, fit) = fitted("cbpp_logit", LOGIT);
    let first = profile(&design, &fit, 0.95).unwrap();
    assert_eq!(first, profile(&design, &fit, 0.95).unwrap());
    // Each interval alone, up to where the modes were left by the one before.
    let alone = profile_interval(&design, &fit, Quantity::Fixed { index: 2 }, 0.95).unwrap();
    assert!((alone.upper.unwrap() - first.intervals[3].upper.unwrap()).abs() < 1e-7);
}
