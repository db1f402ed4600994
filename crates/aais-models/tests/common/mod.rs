//! The linear-Gaussian model, where every quantity is known: `z ~ N(0, 1)`, `x | z ~ N(a z + b, s2)`.

#![allow(dead_code, reason = "each test uses some of it")]

use aais_models::{Architecture, Batch, LatentModel, Normal, Parameters};
use candle_core::{Device, Tensor};

/// Slope `a`, shift `b` and noise variance of the decoder.
pub const A: f64 = 1.5;
pub const B: f64 = 0.25;
pub const NOISE_VARIANCE: f64 = 0.5;

/// The two observations that the tests look at.
pub const OBSERVED: [f64; 2] = [1.2, -0.4];

/// Without blocks: encoder and decoder are affine maps.
pub fn architecture() -> Architecture {
    Architecture {
        observed: 1,
        signal: 1,
        latent: 1,
        hidden: Vec::new(),
        skip_encoder: false,
        skip_decoder: false,
        softplus: false,
        likelihood_parameters: 0,
        set: None,
    }
}

/// Proposes `N(weight x + bias, exp(log_variance))`.
pub fn model(weight: f64, bias: f64, log_variance: f64) -> LatentModel {
    let encoder = [weight, bias, 0.0, log_variance].map(|value| value as f32).to_vec();
    let decoder = vec![A as f32, B as f32];
    let parameters = Parameters { encoder, decoder, slope: 0.25, likelihood: Vec::new() };
    LatentModel::with_parameters(
        architecture(),
        Box::new(Normal { variance: NOISE_VARIANCE }),
        parameters,
        &Device::Cpu,
    )
    .unwrap()
}

/// `Var(z | x)`.
pub fn posterior_variance() -> f64 {
    1.0 / (1.0 + A * A / NOISE_VARIANCE)
}

/// `E[z | x] = weight x + bias`.
pub fn posterior_mean() -> (f64, f64) {
    let weight = posterior_variance() * A / NOISE_VARIANCE;
    (weight, -weight * B)
}

/// `log p(x)`.
pub fn log_evidence(x: f64) -> f64 {
    let variance = A * A + NOISE_VARIANCE;
    -0.5 * ((x - B).powi(2) / variance + (2.0 * std::f64::consts::PI * variance).ln())
}

/// Both observations as a batch.
pub fn batch() -> Batch {
    let values: Vec<f32> = OBSERVED.iter().map(|x| *x as f32).collect();
    let observed = Tensor::from_vec(values, (OBSERVED.len(), 1), &Device::Cpu).unwrap();
    Batch::of_rows(observed, (0..OBSERVED.len()).collect())
}
