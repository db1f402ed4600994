//! The estimators on a model whose posterior and marginal likelihood are known in closed form.
//!
//! `z ~ N(0, I₂)` and `x ∣ z ~ N(A z, s² I₃)`, so `x ~ N(0, A Aᵀ + s² I₃)`. The columns of `A` are orthogonal with
//! squared length 9 and `s² = 1/2`, hence the posterior is `N(Aᵀ x / 9.5, 1/19 I₂)`: its coordinates are independent.

#![allow(clippy::unwrap_used)]

use aais_importance::{effective_sample_size, iwae_bound, pareto_smooth, self_normalized, weights};
use candle_core::{D, Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

const N_SAMPLES: usize = 20_000;
const NOISE_VARIANCE: f64 = 0.5;
const LOADINGS: [[f64; 3]; 2] = [[1.0, 2.0, 2.0], [2.0, 1.0, -2.0]];
const OBSERVED: [f64; 3] = [0.7, -1.1, 0.4];
const LENGTH: f64 = 9.0;

/// Draws `(1, M, 2)` from the posterior, its standard deviation times `widening`, and their log weights `(1, M)`.
fn sample(n_samples: usize, widening: f64, seed: u64) -> (Tensor, Tensor) {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let noise = (0..2 * n_samples).map(|_| StandardNormal.sample(&mut generator)).collect::<Vec<f64>>();
    let noise = Tensor::from_vec(noise, (1, n_samples, 2), &Device::Cpu).unwrap();

    let std = widening * (NOISE_VARIANCE / (LENGTH + NOISE_VARIANCE)).sqrt();
    let mean = Tensor::new(&posterior_mean(), &Device::Cpu).unwrap();
    let z = (&noise * std).unwrap().broadcast_add(&mean).unwrap();

    let log_proposal = log_normal(&noise, 1.0).affine(1.0, -2.0 * std.ln()).unwrap();
    let log_joint = (log_likelihood(&z) + log_normal(&z, 1.0)).unwrap();
    (z, (log_joint - log_proposal).unwrap())
}

fn posterior_mean() -> [f64; 2] {
    LOADINGS.map(|column| dot(&column, &OBSERVED) / (LENGTH + NOISE_VARIANCE))
}

fn log_likelihood(z: &Tensor) -> Tensor {
    let loadings = Tensor::new(&LOADINGS, &Device::Cpu).unwrap();
    let observed = Tensor::new(&OBSERVED, &Device::Cpu).unwrap();
    log_normal(&z.broadcast_matmul(&loadings).unwrap().broadcast_sub(&observed).unwrap(), NOISE_VARIANCE)
}

/// Log density of independent centered normal coordinates, summed over the last dimension.
fn log_normal(residual: &Tensor, variance: f64) -> Tensor {
    let n_coordinates = residual.dim(D::Minus1).unwrap() as f64;
    let constant = -0.5 * n_coordinates * (2.0 * std::f64::consts::PI * variance).ln();
    residual.sqr().unwrap().sum(D::Minus1).unwrap().affine(-0.5 / variance, constant).unwrap()
}

/// `x` has variance `9 + s²` along the two columns of `A` and `s²` across them.
fn log_marginal() -> f64 {
    let along = LOADINGS.iter().map(|column| dot(column, &OBSERVED).powi(2) / LENGTH).sum::<f64>();
    let across = dot(&OBSERVED, &OBSERVED) - along;
    let variance = LENGTH + NOISE_VARIANCE;
    let log_determinant = 2.0 * variance.ln() + NOISE_VARIANCE.ln() + 3.0 * (2.0 * std::f64::consts::PI).ln();
    -0.5 * (log_determinant + along / variance + across / NOISE_VARIANCE)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn only(tensor: &Tensor) -> f64 {
    tensor.to_vec1::<f64>().unwrap()[0]
}

#[test]
fn every_sample_of_the_posterior_weighs_the_marginal() {
    let (_, log_weights) = sample(50, 1.0, 1);
    let log_weights = log_weights.to_vec2::<f64>().unwrap();
    assert!(log_weights[0].iter().all(|log_weight| (log_weight - log_marginal()).abs() < 1e-12));
}

#[test]
fn iwae_bound_reaches_the_marginal() {
    let (_, log_weights) = sample(N_SAMPLES, 1.3, 2);
    let gap = only(&iwae_bound(&log_weights).unwrap()) - log_marginal();
    // With r = 1.3 a weight's relative variance is (r² / √(2r² − 1))² − 1 = 0.200, so the bound's spread is 0.0032.
    assert!(gap.abs() < 4.0 * 0.0032, "gap {gap}");
}

#[test]
fn iwae_bound_grows_with_samples() {
    let mean_bound = |n_samples: usize| {
        let (_, log_weights) = sample(N_SAMPLES, 1.3, 3);
        let rows = log_weights.reshape((N_SAMPLES / n_samples, n_samples)).unwrap();
        iwae_bound(&rows).unwrap().mean_all().unwrap().to_scalar::<f64>().unwrap()
    };
    // Over the same weights, the mean of larger groups is larger by Jensen's inequality, whatever the draw.
    let bounds = [1, 5, 50, 1000].map(mean_bound);
    assert!(bounds.is_sorted(), "{bounds:?}");
}

#[test]
fn self_normalized_estimates_the_posterior_mean() {
    let (z, log_weights) = sample(N_SAMPLES, 1.3, 4);
    let weights = weights(&log_weights, 1.0).unwrap();
    for (j, expected) in posterior_mean().into_iter().enumerate() {
        let found = only(&self_normalized(&weights, &z.narrow(2, j, 1).unwrap().squeeze(2).unwrap()).unwrap());
        // The proposal's standard deviation, 1.3 / √19 = 0.298, over √20000 bounds the spread: 0.0021.
        assert!((found - expected).abs() < 4.0 * 0.0021, "coordinate {j}: {found} for {expected}");
    }
}

#[test]
fn effective_sample_size_has_its_expected_share() {
    let (_, log_weights) = sample(N_SAMPLES, 1.3, 5);
    let share = only(&effective_sample_size(&weights(&log_weights, 1.0).unwrap()).unwrap()) / N_SAMPLES as f64;
    // (2r² − 1) / r⁴ = 0.8333 in two coordinates; over 200 seeds the share spread by 0.0016.
    assert!((share - 0.8333).abs() < 4.0 * 0.0016, "share {share}");
}

#[test]
fn a_wide_proposal_is_reliable_and_a_narrow_one_is_not() {
    let k_hat = |widening| pareto_smooth(&sample(N_SAMPLES, widening, 6).1.to_vec2::<f64>().unwrap()[0]).unwrap();
    // The weights are bounded if the proposal is wider than the posterior. At half its width r, their tail has shape
    // 1 − r² = 0.75 but for a logarithm.
    let wide = k_hat(1.3);
    let narrow = k_hat(0.5);
    assert!(wide.is_reliable() && wide.k_hat < 0.0, "k-hat {}", wide.k_hat);
    assert!(narrow.k_hat > 0.5, "k-hat {}", narrow.k_hat);
}
