//! The logistic likelihood: closed form, and a score that is its gradient.
#![allow(clippy::unwrap_used)]

use aais_distributions::Noise;
use aais_models::{Batch, Likelihood, Logistic};
use candle_core::{Device, Tensor, Var};

/// Rows `(w1, w2, y)`.
const ROWS: [[f32; 3]; 3] = [[1.0, 0.0, 1.0], [1.0, 1.0, 0.0], [1.0, -2.0, 1.0]];

fn batch() -> Batch {
    Batch::of_rows(Tensor::new(&ROWS, &Device::Cpu).unwrap(), vec![0, 1, 2])
}

#[test]
fn log_likelihood_is_that_of_the_log_odds_and_score_its_gradient() {
    let none = Tensor::zeros(0, candle_core::DType::F32, &Device::Cpu).unwrap();
    let signal = (Noise::new(2).standard_normal(&[3, 5, 2], &Device::Cpu).unwrap() * 3.0).unwrap();
    let signal = Var::from_tensor(&signal).unwrap();
    let value = Logistic.log_likelihood(&signal, &batch(), &none).unwrap();
    let (found, signals) = (value.to_vec2::<f32>().unwrap(), signal.to_vec3::<f32>().unwrap());
    for ((row, found), signals) in ROWS.iter().zip(&found).zip(&signals) {
        for (found, u) in found.iter().zip(signals) {
            let log_odds = f64::from(row[0] * u[0]) + f64::from(row[1] * u[1]);
            let probability = 1.0 / (1.0 + (-log_odds).exp());
            let exact = if row[2] == 1.0 { probability.ln() } else { (-probability).ln_1p() };
            assert!((f64::from(*found) - exact).abs() < 1e-5 * (1.0 + exact.abs()), "{found} {exact}");
        }
    }
    let gradients = value.sum_all().unwrap().backward().unwrap();
    let score = Logistic.score(&signal, &batch(), &none).unwrap();
    let difference = (gradients.get(&signal).unwrap() - score).unwrap().abs().unwrap().max_all().unwrap();
    assert_eq!(difference.to_scalar::<f32>().unwrap(), 0.0); // The same products in the same order.
}

#[test]
fn rows_of_another_width_are_refused() {
    let none = Tensor::zeros(0, candle_core::DType::F32, &Device::Cpu).unwrap();
    let signal = Tensor::zeros((3, 1, 4), candle_core::DType::F32, &Device::Cpu).unwrap();
    let message = Logistic.log_likelihood(&signal, &batch(), &none).unwrap_err().to_string();
    assert!(message.contains("4 covariates and an outcome, got 3 columns"), "{message}");
}
