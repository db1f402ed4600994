//! Gradients without the lightest samples: what stays, and how much is missed.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod common;

use aais_distributions::{Noise, Proposal};
use aais_models::methods::{Aais, Iwae, IwaePrior, WeightGradient};
use aais_models::{Architecture, Batch, Bernoulli, LatentModel, Loss, Objective, Progress, Schedule, Step};
use candle_core::{Device, Tensor};

use common::{A, B, NOISE_VARIANCE, OBSERVED, batch, model};

const N_SAMPLES: usize = 50;

/// Of the logarithm of the variance of the proposal.
const LOG_VARIANCE: f64 = 1.0;

fn aais(weight_gradient: WeightGradient, weight_tail: f64) -> Box<dyn Objective> {
    let (beta, fallback_below) = (Schedule::Constant(1.0), f64::NEG_INFINITY);
    Box::new(Aais { n_samples: N_SAMPLES, beta, power: 1.0, fallback_below, weight_gradient, weight_tail })
}

fn iwae(weight_tail: f64) -> Box<dyn Objective> {
    Box::new(Iwae { n_samples: N_SAMPLES, prior: IwaePrior::Standard, weight_tail })
}

fn noise() -> Noise {
    Noise::new(1).fork("tail")
}

fn loss(mut objective: Box<dyn Objective>, model: &LatentModel, batch: &Batch) -> Loss {
    let progress = Progress { epoch: 0, step: 0 };
    objective.loss(model, &mut Step { batch, noise: &mut noise(), progress }).unwrap()
}

/// Gradients of encoder and decoder, one after the other.
fn gradient(objective: Box<dyn Objective>, model: &LatentModel, batch: &Batch) -> Vec<f32> {
    let gradients = loss(objective, model, batch).value.backward().unwrap();
    let of = |k: usize| gradients.get(model.variables()[k].1).unwrap().to_vec1::<f32>().unwrap();
    [of(0), of(1)].concat()
}

/// Largest absolute derivatives of `log p(x | z)` over a row's samples, or of IWAE's log weight, by the encoder's four
/// and the decoder's two parameters; the mean over rows.
fn steepest(model: &LatentModel, of_log_weight: bool) -> [f64; 6] {
    let proposal = model.propose(&batch()).unwrap();
    let z = proposal.sample(N_SAMPLES, &mut noise()).unwrap().to_vec3::<f32>().unwrap();
    let mean = proposal.mean().to_vec2::<f32>().unwrap();
    let mut steepest = [0.0; 6];
    for ((x, z), mean) in OBSERVED.iter().zip(z).zip(mean) {
        let mut of_row = [0.0f64; 6];
        for z in z {
            let (z, deviation) = (f64::from(z[0]), f64::from(z[0] - mean[0]));
            let error = (x - A * z - B) / NOISE_VARIANCE;
            let prior = if of_log_weight { -z } else { 0.0 };
            let entropy = if of_log_weight { 0.5 } else { 0.0 };
            let by_mean = A * error + prior;
            let by_log_variance = by_mean * deviation / 2.0 + entropy;
            let slopes = [by_mean * x, by_mean, by_log_variance * x, by_log_variance, error * z, error];
            for (most, slope) in of_row.iter_mut().zip(slopes) {
                *most = most.max(slope.abs());
            }
        }
        for (mean, most) in steepest.iter_mut().zip(of_row) {
            *mean += most / OBSERVED.len() as f64;
        }
    }
    steepest
}

#[test]
fn the_gradient_misses_at_most_the_tail_of_the_steepest_sample() {
    let model = model(0.1, 0.3, LOG_VARIANCE);
    type Method = (&'static str, fn(f64) -> Box<dyn Objective>, bool);
    let methods: [Method; 4] = [
        ("published", |tail| aais(WeightGradient::Published, tail), false),
        ("stopped", |tail| aais(WeightGradient::Stopped, tail), false),
        ("full", |tail| aais(WeightGradient::Full, tail), false),
        ("iwae", iwae, true),
    ];
    for (name, method, of_log_weight) in methods {
        let (exact, steepest) = (gradient(method(0.0), &model, &batch()), steepest(&model, of_log_weight));
        for tail in [1e-4, 1e-2, 0.3] {
            let found = gradient(method(tail), &model, &batch());
            for ((found, exact), steepest) in found.iter().zip(&exact).zip(steepest) {
                let missed = f64::from((found - exact).abs());
                // Rounding of sums of 50 terms in single precision.
                assert!(missed <= tail * steepest + 2e-6 * steepest, "{name}, {tail}: {missed} of {steepest}");
            }
            assert!(tail < 0.01 || found != exact, "{name}, {tail}: nothing was left out");
        }
    }
}

#[test]
fn the_loss_and_what_is_watched_stay_as_they_are() {
    let model = model(0.1, 0.3, LOG_VARIANCE);
    for method in [|tail| aais(WeightGradient::Published, tail), iwae] {
        let (whole, cut) = (loss(method(0.0), &model, &batch()), loss(method(0.01), &model, &batch()));
        assert_eq!(whole.value.to_scalar::<f32>().unwrap(), cut.value.to_scalar::<f32>().unwrap());
        let (kept, rest): (Vec<_>, Vec<_>) =
            cut.diagnostics().unwrap().into_iter().partition(|(name, _)| *name == "kept");
        assert_eq!(whole.diagnostics().unwrap(), rest);
        assert!(kept[0].1 > 0.02 && kept[0].1 < 0.9, "{kept:?}");
    }
}

#[test]
fn tails_out_of_range_are_told() {
    for tail in [-0.1, 1.0, f64::NAN] {
        for method in [aais(WeightGradient::Published, tail), iwae(tail)] {
            let message = method.check(1).unwrap_err().to_string();
            assert!(message.contains("weight_tail must be from 0 up and below 1"), "{message}");
        }
    }
}

/// In a wide network rows without gradient are left out, of which the linear model has none.
#[test]
fn a_wide_decoder_misses_as_little() {
    let architecture =
        Architecture { latent: 2, observed: 20, signal: 20, hidden: vec![260, 256], ..common::architecture() };
    let model = LatentModel::new(architecture, Box::new(Bernoulli), &Noise::new(3), &Device::Cpu).unwrap();
    let observed: Vec<f32> = (0..60).map(|k| f32::from(u8::from(k % 3 == 0))).collect();
    let observed = Tensor::from_vec(observed, (3, 20), &Device::Cpu).unwrap();
    let batch = Batch::of_rows(observed, vec![0, 1, 2]);
    let of = |tail| gradient(aais(WeightGradient::Published, tail), &model, &batch);
    let (exact, found) = (of(0.0), of(0.05));
    assert_ne!(exact, found);
    let length = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    let missed = length(&mut exact.iter().zip(&found).map(|(a, b)| a - b));
    // The samples of a new network are much alike, so that none is steeper than twice their mean.
    assert!(missed < 2.0 * 0.05 * length(&mut exact.iter().copied()), "{missed}");
}
