//! The Poisson likelihood with fixed effects: closed form, gradients, and methods trained on it.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

use aais_distributions::{LogDensity, Noise};
use aais_models::methods::{Adaptation, Carried, Iwae, IwaePrior, Lmcvae};
use aais_models::{Architecture, Batch, LatentModel, Likelihood, Objective, Parameters, Poisson, Progress, Step};
use candle_core::{Device, Tensor, Var};
use statrs::distribution::{Discrete, Poisson as Law};

const BETA: [f32; 2] = [0.7, -0.4];

/// Rows `(x1, x2, w1, w2, w3, y)`.
const ROWS: [[f32; 6]; 3] =
    [[0.5, -1.0, 0.3, 0.0, -0.2, 0.0], [1.0, 2.0, -0.5, 0.4, 1.5, 4.0], [0.0, 0.0, 2.0, 2.0, 2.0, 190.0]];

fn batch() -> Batch {
    Batch::of_rows(Tensor::new(&ROWS, &Device::Cpu).unwrap(), vec![0, 1, 2])
}

fn signals() -> Tensor {
    (Noise::new(2).standard_normal(&[3, 4, 3], &Device::Cpu).unwrap() * 1.2).unwrap()
}

fn log_rates(signals: &Tensor) -> Vec<Vec<f64>> {
    let signals = signals.to_vec3::<f32>().unwrap();
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let of_row = |(row, signals): (&[f32; 6], &Vec<Vec<f32>>)| {
        signals.iter().map(|signal| dot(&row[..2], &BETA) + dot(&row[2..5], signal)).collect()
    };
    ROWS.iter().zip(&signals).map(of_row).collect()
}

#[test]
fn log_likelihood_is_that_of_the_poisson_law() {
    let signals = signals();
    let beta = Tensor::new(&BETA, &Device::Cpu).unwrap();
    let found = Poisson { n_fixed: 2 }.log_likelihood(&signals, &batch(), &beta).unwrap().to_vec2::<f32>().unwrap();
    for ((found, log_rates), row) in found.iter().zip(log_rates(&signals)).zip(&ROWS) {
        for (found, log_rate) in found.iter().zip(log_rates) {
            let exact = Law::new(log_rate.exp()).unwrap().ln_pmf(row[5] as u64);
            // Single precision of terms of that size.
            assert!((f64::from(*found) - exact).abs() < 1e-6 * (1000.0 + exact.abs()), "{found} {exact}");
        }
    }
}

#[test]
fn a_linear_predictor_beyond_its_bounds_is_held_there() {
    let signal = (Tensor::ones((3, 1, 3), candle_core::DType::F32, &Device::Cpu).unwrap() * 1e4).unwrap();
    let signal = Var::from_tensor(&signal).unwrap();
    let beta = Tensor::new(&BETA, &Device::Cpu).unwrap();
    let likelihood = Poisson { n_fixed: 2 };
    let value = likelihood.log_likelihood(&signal, &batch(), &beta).unwrap();
    let last = f64::from(value.to_vec2::<f32>().unwrap()[2][0]);
    let exact = Law::new(10f64.exp()).unwrap().ln_pmf(190);
    assert!((last / exact - 1.0).abs() < 1e-6, "{last} {exact}");
    let gradients = value.sum_all().unwrap().backward().unwrap();
    assert_eq!(gradients.get(&signal).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap(), 0.0);
}

#[test]
fn score_is_the_gradient_by_the_signal() {
    let signals = Var::from_tensor(&signals()).unwrap();
    let beta = Tensor::new(&BETA, &Device::Cpu).unwrap();
    let likelihood = Poisson { n_fixed: 2 };
    let value = likelihood.log_likelihood(&signals, &batch(), &beta).unwrap();
    let gradients = value.sum_all().unwrap().backward().unwrap();
    let score = likelihood.score(&signals, &batch(), &beta).unwrap();
    let difference = (gradients.get(&signals).unwrap() - score).unwrap().abs().unwrap().max_all().unwrap();
    // Both compute the same products, in the same order.
    assert_eq!(difference.to_scalar::<f32>().unwrap(), 0.0);
}

#[test]
fn rows_of_another_width_are_refused() {
    let beta = Tensor::new(&BETA, &Device::Cpu).unwrap();
    let narrow = Batch::of_rows(Tensor::zeros((3, 5), candle_core::DType::F32, &Device::Cpu).unwrap(), vec![]);
    let message = Poisson { n_fixed: 2 }.log_likelihood(&signals(), &narrow, &beta).unwrap_err().to_string();
    assert!(message.contains("2 + 3 covariates and a count, got 5 columns"), "{message}");
}

/// An affine encoder and decoder of one latent coordinate; two fixed effects.
fn model() -> LatentModel {
    let architecture = Architecture {
        observed: 6,
        signal: 3,
        latent: 1,
        hidden: Vec::new(),
        skip_encoder: false,
        skip_decoder: false,
        softplus: false,
        likelihood_parameters: 2,
        set: None,
    };
    let parameters = Parameters {
        encoder: (0..14).map(|k| 0.05 * (k as f32 - 6.0)).collect(),
        decoder: vec![0.5, -0.3, 0.8, 0.1, 0.0, -0.2],
        slope: 0.25,
        likelihood: BETA.to_vec(),
    };
    LatentModel::with_parameters(architecture, Box::new(Poisson { n_fixed: 2 }), parameters, &Device::Cpu).unwrap()
}

/// Two ordinary rows; a count of 190 would swamp a finite difference.
fn ordinary() -> Batch {
    let both = batch();
    Batch::of_rows(both.observed.narrow(0, 0, 2).unwrap().contiguous().unwrap(), vec![0, 1])
}

/// The bound over samples and its gradients by decoder and fixed effects, at the same noise every time.
fn run(objective: &mut dyn Objective, model: &LatentModel) -> (f64, Vec<f64>) {
    let (mut noise, progress) = (Noise::new(1), Progress { epoch: 0, step: 0 });
    let loss = objective.loss(model, &mut Step { batch: &ordinary(), noise: &mut noise, progress }).unwrap();
    let bound = loss.diagnostics().unwrap().into_iter().find(|(name, _)| *name == "bound").unwrap().1;
    let gradients = loss.value.backward().unwrap();
    let of = |variable: &Tensor| gradients.get(variable).unwrap().to_vec1::<f32>().unwrap();
    let variables = model.variables();
    (bound, [of(variables[1].1), of(variables[3].1)].concat().into_iter().map(f64::from).collect())
}

fn lmcvae() -> Lmcvae {
    Lmcvae {
        n_samples: 500,
        n_transitions: 2,
        step_size: 0.05,
        target_acceptance: 0.9,
        adaptation: Adaptation::Acceptance,
        skip_below: 0.0,
        learning_rate_falls: Vec::new(),
        longest_gradient: None,
        carried: Carried::default(),
    }
}

/// LMCVAE differentiates through the score, so this holds the gradient of the score to account as well.
#[test]
fn gradients_by_decoder_and_fixed_effects_are_those_of_finite_differences() {
    let method = |name: &str| -> Box<dyn Objective> {
        match name {
            "iwae" => Box::new(Iwae { n_samples: 500, prior: IwaePrior::Standard, weight_tail: 0.0 }),
            _ => Box::new(lmcvae()),
        }
    };
    for name in ["iwae", "lmcvae"] {
        let (_, gradient) = run(&mut *method(name), &model());
        let shifted = |variable: usize, place: usize, by: f32| {
            let model = model();
            let variables = model.variables();
            let variable = variables[variable].1;
            let mut values = variable.to_vec1::<f32>().unwrap();
            values[place] += by;
            variable.set(&Tensor::from_vec(values, variable.shape(), variable.device()).unwrap()).unwrap();
            run(&mut *method(name), &model).0
        };
        let places = (0..6).map(|place| (1, place)).chain((0..2).map(|place| (3, place)));
        for ((variable, place), found) in places.zip(gradient) {
            let h = 0.02;
            let difference = (shifted(variable, place, h) - shifted(variable, place, -h)) / (2.0 * f64::from(h));
            // The curvature over a step of .02, and single precision.
            assert!((found + difference).abs() < 0.01 * difference.abs().max(0.3), "{name}: {found} {difference}");
        }
    }
}

#[test]
fn a_frozen_joint_passes_nothing_to_the_fixed_effects() {
    let model = model();
    let (batch, z) = (ordinary(), Noise::new(3).standard_normal(&[2, 5, 1], &Device::Cpu).unwrap());
    let z = Var::from_tensor(&z).unwrap();
    let value = model.joint(&batch).frozen().log_density(&z).unwrap().sum_all().unwrap();
    let gradients = value.backward().unwrap();
    assert!(gradients.get(&z).is_some());
    assert!(model.variables().iter().all(|(_, variable)| gradients.get(variable).is_none()));
}
