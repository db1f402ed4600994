//! The negative binomial likelihood with trained dispersions: closed form, score, a method trained on it.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use aais_distributions::Noise;
use aais_models::methods::{Aais, WeightGradient};
use aais_models::{Architecture, Batch, LatentModel, Likelihood, NegativeBinomial, Schedule, TrainSettings, Trainer};
use candle_core::{Device, Tensor, Var};
use statrs::distribution::{Discrete, NegativeBinomial as Law};

const COUNTS: [[f32; 3]; 2] = [[4.0, 0.0, 90.0], [1.0, 1.0, 0.0]];
const LOG_INVERSE_DISPERSIONS: [f32; 3] = [0.3, -1.0, 2.0];

fn batch() -> Batch {
    Batch::of_rows(Tensor::new(&COUNTS, &Device::Cpu).unwrap(), vec![0, 1])
}

fn signals() -> Tensor {
    Noise::new(2).standard_normal(&[2, 5, 3], &Device::Cpu).unwrap()
}

#[test]
fn means_are_shares_of_the_rows_sum() {
    let rho = Tensor::new(&LOG_INVERSE_DISPERSIONS, &Device::Cpu).unwrap();
    let found = NegativeBinomial { n_genes: 3 }.log_likelihood(&signals(), &batch(), &rho).unwrap();
    for (row, (found, signals)) in
        found.to_vec2::<f32>().unwrap().iter().zip(signals().to_vec3::<f32>().unwrap()).enumerate()
    {
        for (found, signal) in found.iter().zip(signals) {
            let total: f64 = signal.iter().map(|u| f64::from(*u).exp()).sum();
            let library: f64 = COUNTS[row].iter().copied().map(f64::from).sum();
            let of_gene = |gene: usize| {
                let mean = library * f64::from(signal[gene]).exp() / total;
                let r = f64::from(LOG_INVERSE_DISPERSIONS[gene]).exp();
                Law::new(r, r / (r + mean)).unwrap().ln_pmf(COUNTS[row][gene] as u64)
            };
            let exact: f64 = (0..3).map(of_gene).sum();
            // Single precision of a count of 90 times logarithms of a few units.
            assert!((f64::from(*found) - exact).abs() < 1e-4, "{found} {exact}");
        }
    }
}

#[test]
fn score_is_the_gradient_by_the_signal() {
    let signals = Var::from_tensor(&signals()).unwrap();
    let rho = Tensor::new(&LOG_INVERSE_DISPERSIONS, &Device::Cpu).unwrap();
    let likelihood = NegativeBinomial { n_genes: 3 };
    let value = likelihood.log_likelihood(&signals, &batch(), &rho).unwrap();
    let gradients = value.sum_all().unwrap().backward().unwrap();
    let score = likelihood.score(&signals, &batch(), &rho).unwrap();
    let difference = (gradients.get(&signals).unwrap() - score).unwrap().abs().unwrap().max_all().unwrap();
    // Single precision of terms of up to 90.
    assert!(difference.to_scalar::<f32>().unwrap() < 1e-4);
}

/// The settings of Table 6, on a small model of its kind: weights and KL divergence scaled by 1e-4, no fallback.
#[test]
fn the_settings_of_cells_train_networks_and_dispersions() {
    let architecture = Architecture {
        observed: 12,
        signal: 12,
        latent: 2,
        hidden: vec![8, 16],
        skip_encoder: false,
        skip_decoder: false,
        softplus: false,
        likelihood_parameters: 12,
        set: None,
    };
    let likelihood = Box::new(NegativeBinomial { n_genes: 12 });
    let model = LatentModel::new(architecture, likelihood, &Noise::new(1).fork("init"), &Device::Cpu).unwrap();
    assert_eq!(model.likelihood_parameters().to_vec1::<f32>().unwrap(), [0.0; 12]);
    let method = Aais {
        n_samples: 5,
        beta: Schedule::Cyclical { low: 0.0, high: 1e-4, period: 25, ramp: 12 },
        power: 1e-4,
        fallback_below: f64::NEG_INFINITY,
        weight_gradient: WeightGradient::Published,
        weight_tail: 0.0,
    };
    let settings = TrainSettings {
        batch_size: 16,
        learning_rate: 3e-3,
        weight_decay: 0.0,
        average_rate: 0.0,
        join_equal_rows: false,
    };
    // Odd rows express the first genes, even rows the last, with the Poisson-like spread of a fixed pattern.
    let counts: Vec<f32> = (0..40 * 12)
        .map(|k| {
            let (row, gene) = (k / 12, k % 12);
            let is_high = (gene < 6) == (row % 2 == 0);
            (((row * 7 + gene * 5) % 6) * if is_high { 9 } else { 1 }) as f32
        })
        .collect();
    let data = Tensor::from_vec(counts, (40, 12), &Device::Cpu).unwrap();
    let mut trainer = Trainer::new(model, Box::new(method), settings, data, Noise::new(1).fork("train")).unwrap();
    let losses: Vec<_> = (0..60).map(|_| trainer.run_epoch().unwrap().values).collect();
    let (first, last) = (&losses[0], &losses[59]);
    assert!(last["reconstruction"] > first["reconstruction"] + 3.0, "{first:?} {last:?}");
    // A power of 1e-4 flattens the weights to uniform, and nothing falls back.
    assert!(last["ess"] > 4.99 && last["fallback"] == 0.0, "{last:?}");
    let moved = trainer.model().likelihood_parameters().to_vec1::<f32>().unwrap();
    assert!(moved.iter().all(|rho| rho.abs() > 0.01), "{moved:?}");
}
