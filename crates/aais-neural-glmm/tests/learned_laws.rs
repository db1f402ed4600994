//! Learned laws on simulated groups.

#![allow(clippy::unwrap_used)]

use aais_distributions::Noise;
use aais_glmm::{BinomialLink, Categorical, Data, Design, DesignOptions, Family, Formula, RandomTerm, marginal_nll};
use aais_neural_glmm::{Error, Method, Settings, neural_glmm};
use rand_distr::{Distribution, StandardNormal};

const LOGIT: Family = Family::Binomial(BinomialLink::Logit);

/// Answers of groups whose intercepts are drawn by `effect`.
fn answers(n_groups: usize, n_rows: usize, seed: u64, effect: impl Fn(&mut Noise) -> f64) -> Design {
    let mut noise = Noise::new(seed);
    let (mut id, mut x, mut y) = (Vec::new(), Vec::new(), Vec::new());
    for group in 0..n_groups {
        let b = effect(&mut noise);
        for _ in 0..n_rows {
            let covariate: f64 = StandardNormal.sample(&mut noise);
            let eta = 0.3 + 0.5 * covariate + b;
            let is_yes = f64::from(noise.uniform(0.0, 1.0)) < 1.0 / (1.0 + (-eta).exp());
            id.push(format!("{group:04}"));
            x.push(covariate);
            y.push(f64::from(u8::from(is_yes)));
        }
    }
    let data = Data::new().with("id", Categorical::from_values(&id)).unwrap();
    let data = data.with("x", x).unwrap().with("y", y).unwrap();
    let formula = Formula::parse("y ~ x + (1 | id)").unwrap();
    formula.design(&data, &DesignOptions::default()).unwrap().design
}

fn normal(noise: &mut Noise) -> f64 {
    StandardNormal.sample(noise)
}

/// Mean zero, standard deviation 1.5.
fn two_points(noise: &mut Noise) -> f64 {
    if noise.uniform(0.0, 1.0) < 0.7 { -0.982 } else { 2.291 }
}

fn small() -> Settings {
    Settings { n_steps: 400, n_samples: 40, n_folds: None, ..Settings::default() }
}

#[test]
fn two_points_are_told_from_a_normal_law() {
    let model = neural_glmm(&answers(200, 12, 1, two_points), LOGIT, &small(), &mut |_| ()).unwrap();
    // Ten would be a likelihood ratio of 22,000.
    let gain = model.log_likelihood.value - model.normal_log_likelihood.value;
    assert!(gain > 15.0 && model.log_likelihood.std_error < 1.0, "{gain} {:?}", model.log_likelihood);
    assert!(model.law.skewness[0] > 0.5, "{:?}", model.law.skewness); // 0.87 in truth, 0 for a normal law.
    let between = model.law.draws.iter().filter(|b| (0.0..1.2).contains(*b)).count();
    let share = between as f64 / model.law.draws.len() as f64;
    assert!(share < 0.2, "{share}"); // None in truth, 0.29 of a normal law.
}

#[test]
fn a_normal_truth_costs_nothing_on_new_groups_and_has_the_normal_law_s_errors() {
    let model = neural_glmm(&answers(200, 10, 2, normal), LOGIT, &small(), &mut |_| ()).unwrap();
    let new = answers(200, 10, 3, normal);
    let learned: f64 = model.log_marginals(&new).unwrap().iter().map(|group| group.value).sum();
    let quadrature = -marginal_nll(&new, LOGIT, &model.normal.parameters(), 25).unwrap();
    // The laws differ by about one unit of log-likelihood; a wrong one loses dozens.
    assert!((learned - quadrature).abs() < 6.0, "{learned} {quadrature}");
    for ((found, std_error), of_normal) in
        model.fixed.iter().zip(model.std_errors().unwrap()).zip(model.normal.std_errors())
    {
        assert!((0.75..1.33).contains(&(std_error / of_normal)), "{found}: {std_error} {of_normal}");
    }
}

#[test]
fn intervals_hold_the_truth_about_as_often_as_they_say() {
    let settings = Settings { n_steps: 150, ..small() };
    let mut held = [0; 2];
    for seed in 100..112 {
        let model = neural_glmm(&answers(80, 10, seed, two_points), LOGIT, &settings, &mut |_| ()).unwrap();
        for (held, ([low, high], truth)) in
            held.iter_mut().zip(model.intervals(0.95).unwrap().into_iter().zip([0.3, 0.5]))
        {
            *held += usize::from((low..high).contains(&truth));
        }
    }
    // Nine or more of twelve in 99.8 % of such counts; `cargo xtask laws` has fifty.
    assert!(held.iter().all(|n| *n >= 9), "{held:?} of 12");
}

#[test]
fn importance_sampling_of_the_normal_law_is_quadrature() {
    let design = answers(60, 8, 4, normal);
    let settings = Settings { n_steps: 5, ..small() };
    let model = neural_glmm(&design, LOGIT, &settings, &mut |_| ()).unwrap();
    let exact = -marginal_nll(&design, LOGIT, &model.normal.parameters(), 25).unwrap();
    let found = model.normal_log_likelihood;
    assert!((found.value - exact).abs() < 5.0 * found.std_error, "{found:?} {exact}");
    assert!(found.std_error < 0.1);
}

#[test]
fn a_linear_model_s_likelihood_is_exact() {
    let mut noise = Noise::new(5);
    let (mut id, mut y) = (Vec::new(), Vec::new());
    for group in 0..40 {
        let b: f64 = StandardNormal.sample(&mut noise);
        for _ in 0..5 {
            let e: f64 = StandardNormal.sample(&mut noise);
            id.push(format!("{group:02}"));
            y.push(1.0 + b + 0.5 * e);
        }
    }
    let data = Data::new().with("id", Categorical::from_values(&id)).unwrap().with("y", y).unwrap();
    let design = Formula::parse("y ~ 1 + (1 | id)").unwrap().design(&data, &DesignOptions::default()).unwrap().design;
    let model = neural_glmm(&design, Family::Gaussian, &small(), &mut |_| ()).unwrap();
    let found = model.normal_log_likelihood;
    assert!((found.value - model.normal.log_likelihood).abs() < 5.0 * found.std_error + 1e-6, "{found:?}");
    // A normal truth: what is learned stays near.
    assert!((model.log_likelihood.value - found.value).abs() < 5.0, "{:?} {found:?}", model.log_likelihood);
    assert!((model.dispersion.unwrap() / 0.5 - 1.0).abs() < 0.2, "{:?}", model.dispersion);
}

#[test]
fn a_seed_has_one_result() {
    let design = answers(40, 6, 6, two_points);
    let settings = Settings { n_steps: 30, method: Method::Iwae, n_folds: Some(2), ..small() };
    let [first, second] = [(), ()].map(|()| neural_glmm(&design, LOGIT, &settings, &mut |_| ()).unwrap());
    assert_eq!(first.fixed, second.fixed);
    assert_eq!(first.law, second.law);
    assert_eq!(first.groups, second.groups);
    assert_eq!(first.held_out, second.held_out);
    assert_eq!(first.to_string(), second.to_string());

    let held_out = first.held_out.unwrap();
    assert_eq!(held_out.groups.len(), 40);
    assert!(held_out.std_error() > 0.0 && (0.0..=1.0).contains(&held_out.p_value()));
    assert!(held_out.monte_carlo_error() < held_out.std_error());
}

#[test]
fn several_effects_have_a_joint_law() {
    let design = answers(60, 8, 7, normal);
    let two = Design {
        random: vec![RandomTerm {
            effects: design.fixed.clone(),
            effect_names: design.fixed_names.clone(),
            ..design.random[0].clone()
        }],
        ..design
    };
    let model = neural_glmm(&two, LOGIT, &Settings { n_steps: 40, ..small() }, &mut |_| ()).unwrap();
    assert_eq!(model.law.draws.dim(), (20_000, 2));
    assert_eq!(model.law.correlation.dim(), (2, 2));
    // Fixed effects take the means.
    assert!(model.law.mean.iter().all(|mean| mean.abs() < 1e-9), "{:?}", model.law.mean);
    assert!(model.groups.iter().all(|group| group.quantiles.iter().all(|q| q[0] <= q[1] && q[1] <= q[2])));
}

#[test]
fn what_cannot_be_learned_is_refused() {
    let learn = |design: &Design, settings: &Settings| neural_glmm(design, LOGIT, settings, &mut |_| ()).err().unwrap();
    let few = learn(&answers(10, 5, 8, normal), &small());
    assert!(few.to_string().contains("at least 20 groups, got 10"), "{few}");

    let design = answers(30, 4, 9, normal);
    let wrong = learn(&design, &Settings { hidden: vec![1], ..small() });
    assert!(matches!(wrong, Error::Setting { name: "hidden", .. }), "{wrong}");
    let folds = learn(&design, &Settings { n_folds: Some(16), ..small() });
    assert!(folds.to_string().contains("half the number of groups"), "{folds}");

    let other = RandomTerm { group: "item".into(), ..design.random[0].clone() };
    let crossed = Design { random: vec![design.random[0].clone(), other], ..design.clone() };
    let crossed = learn(&crossed, &small());
    assert!(crossed.to_string().contains("one grouping factor, got id, item"), "{crossed}");

    let none = learn(&Design { random: Vec::new(), ..design }, &small());
    assert!(none.to_string().contains("got none"), "{none}");
}
