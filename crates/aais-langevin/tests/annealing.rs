//! Annealed importance sampling against the linear-Gaussian model, whose normalizing constants are known.
#![allow(clippy::unwrap_used)]

use aais_distributions::{DiagonalGaussian, LogDensity, Noise, Proposal, StandardNormal};
use aais_langevin::{AnnealedPath, Bridge, Spreads, StepSize, anneal, anneal_back, sigmoid_temperatures, temperatures};
use candle_core::{Device, Result, Tensor};

/// Of the decoder `x | z ~ N(A z, NOISE)`, and what is observed: a row near the prior's middle and one in its tail.
const A: f64 = 1.5;
const NOISE: f64 = 0.1;
const OBSERVED: [f64; 2] = [0.3, -3.2];

/// `p(x, z)`, unnormalized as a density of `z`.
struct Joint;

impl LogDensity for Joint {
    fn log_density(&self, z: &Tensor) -> Result<Tensor> {
        let residual = (z.squeeze(2)? * -A)?.broadcast_add(&observed())?;
        let constant = -0.5 * (std::f64::consts::TAU * NOISE).ln();
        ((residual.sqr()? * (-0.5 / NOISE))? + constant)? + StandardNormal.log_density(z)?
    }

    fn score(&self, z: &Tensor) -> Result<Tensor> {
        let residual = (z * -A)?.broadcast_add(&observed().unsqueeze(2)?)?;
        (residual * (A / NOISE))? - z
    }
}

fn observed() -> Tensor {
    Tensor::from_slice(&OBSERVED, (2, 1), &Device::Cpu).unwrap()
}

/// `log p(x)`.
fn log_evidence(x: f64) -> f64 {
    let variance = A * A + NOISE;
    -0.5 * (x * x / variance + (std::f64::consts::TAU * variance).ln())
}

/// `p(z | x)`.
fn posterior() -> DiagonalGaussian {
    let variance = posterior_variance();
    let mean = (observed() * (variance * A / NOISE)).unwrap();
    DiagonalGaussian::new(mean.clone(), mean.zeros_like().unwrap().affine(1.0, variance.ln()).unwrap()).unwrap()
}

fn posterior_variance() -> f64 {
    1.0 / (1.0 + A * A / NOISE)
}

fn prior(n_chains: usize, noise: &mut Noise) -> Tensor {
    let zero = Tensor::zeros((2, 1), candle_core::DType::F64, &Device::Cpu).unwrap();
    DiagonalGaussian::new(zero.clone(), zero).unwrap().sample(n_chains, noise).unwrap()
}

fn spreads() -> Spreads {
    Spreads { start: vec![vec![1.0]; 2], end: vec![vec![posterior_variance()]; 2] }
}

fn path(temperatures: Vec<f64>) -> AnnealedPath {
    let bridge = Bridge::new(&StandardNormal, &Joint);
    let pilot = prior(16, &mut Noise::new(1));
    AnnealedPath::adapted(&bridge, temperatures, 1, &spreads(), &pilot, &mut Noise::new(2)).unwrap()
}

/// Mean and standard error of `exp(sign log w - sign log p(x))`, row by row: of something whose expectation is one.
fn ratios(log_weights: &Tensor, sign: f64) -> Vec<(f64, f64)> {
    let rows = log_weights.to_vec2::<f64>().unwrap();
    rows.iter()
        .zip(OBSERVED)
        .map(|(row, x)| moments(row.iter().map(|w| (sign * (w - log_evidence(x))).exp())))
        .collect()
}

fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    (mean, (values.map(|value| (value - mean).powi(2)).sum::<f64>() / (n * (n - 1.0))).sqrt())
}

/// Mean log weight less `log p(x)` and its standard error.
fn gap(log_weights: &Tensor, row: usize) -> (f64, f64) {
    moments(log_weights.to_vec2::<f64>().unwrap()[row].iter().map(|w| w - log_evidence(OBSERVED[row])))
}

#[test]
fn weights_forward_have_the_mean_of_the_evidence() {
    let bridge = Bridge::new(&StandardNormal, &Joint);
    for temperatures in [sigmoid_temperatures(30), temperatures(10)] {
        let start = prior(20_000, &mut Noise::new(3));
        let found = anneal(&bridge, &path(temperatures), &start, &mut Noise::new(4)).unwrap();
        for (mean, error) in ratios(&found.log_weights, 1.0) {
            assert!(error < 0.05 && (mean - 1.0).abs() < 4.0 * error, "{mean} +- {error}");
        }
    }
}

#[test]
fn inverse_weights_back_from_the_posterior_have_the_mean_of_the_inverse_evidence() {
    let bridge = Bridge::new(&StandardNormal, &Joint);
    for temperatures in [sigmoid_temperatures(100), temperatures(200)] {
        let start = posterior().sample(20_000, &mut Noise::new(3)).unwrap();
        let found = anneal_back(&bridge, &path(temperatures), &start, &mut Noise::new(4)).unwrap();
        for (mean, error) in ratios(&found.log_weights, -1.0) {
            assert!(error < 0.05 && (mean - 1.0).abs() < 4.0 * error, "{mean} +- {error}");
        }
        // Back in the prior, roughly: the start's own chains would be exactly there.
        let z = found.z.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let (_, error) = moments(z.iter().copied());
        assert!((error * (z.len() as f64).sqrt() - 1.0).abs() < 0.2, "{error}");
    }
}

/// Mean log weights lie below `log p(x)` forward and above it back, and come nearer with every temperature.
#[test]
fn the_evidence_lies_between_the_bounds_and_the_gap_closes() {
    let bridge = Bridge::new(&StandardNormal, &Joint);
    let mut last = [f64::INFINITY; 2];
    for n in [4, 16, 64, 256] {
        let path = path(sigmoid_temperatures(n));
        let forth = anneal(&bridge, &path, &prior(1000, &mut Noise::new(5)), &mut Noise::new(6)).unwrap();
        let exact = posterior().sample(1000, &mut Noise::new(7)).unwrap();
        let back = anneal_back(&bridge, &path, &exact, &mut Noise::new(8)).unwrap();
        for (row, last) in last.iter_mut().enumerate() {
            let (below, above) = (gap(&forth.log_weights, row), gap(&back.log_weights, row));
            assert!(below.0 < 4.0 * below.1 && above.0 > -4.0 * above.1, "{n}: {below:?} {above:?}");
            let gap = above.0 - below.0;
            assert!(gap > 0.0 && gap < 0.6 * *last, "{n} temperatures: {gap} after {last}");
            *last = gap;
        }
    }
    assert!(last[0] < 0.15 && last[1] < 0.3, "{last:?}");
}

#[test]
fn pilot_chains_find_steps_that_are_accepted_as_they_should_be() {
    let bridge = Bridge::new(&StandardNormal, &Joint);
    // Spreads that are far too wide for one row and far too narrow for the other.
    let wrong =
        Spreads { end: vec![vec![30.0 * posterior_variance()], vec![posterior_variance() / 100.0]], ..spreads() };
    let pilot = prior(16, &mut Noise::new(1));
    for n in [20, 500] {
        let path =
            AnnealedPath::adapted(&bridge, sigmoid_temperatures(n), 1, &wrong, &pilot, &mut Noise::new(2)).unwrap();
        let found = anneal(&bridge, &path, &prior(200, &mut Noise::new(3)), &mut Noise::new(4)).unwrap();
        assert!((found.acceptance - 0.574).abs() < 0.1, "{n}: {}", found.acceptance);
    }
}

/// Without inner temperatures there is nothing to move: plain importance sampling from the start.
#[test]
fn two_temperatures_are_importance_sampling() {
    let bridge = Bridge::new(&StandardNormal, &Joint);
    let start = prior(50, &mut Noise::new(3));
    let found = anneal(&bridge, &path(temperatures(0)), &start, &mut Noise::new(4)).unwrap();
    let expected = (Joint.log_density(&start).unwrap() - StandardNormal.log_density(&start).unwrap()).unwrap();
    assert_eq!(found.log_weights.to_vec2::<f64>().unwrap(), expected.to_vec2::<f64>().unwrap());
    assert_eq!(found.acceptance, 1.0);
}

#[test]
fn sigmoid_temperatures_are_dense_at_both_ends() {
    let found = sigmoid_temperatures(99);
    assert_eq!((found[0], found[100], found.len()), (0.0, 1.0, 101));
    assert!((found[50] - 0.5).abs() < 1e-12);
    assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
    let step = |k: usize| found[k + 1] - found[k];
    // The logistic function's slope at the end, over that in the middle: σ(4) (1 - σ(4)) / (1 / 4) = .0707.
    assert!((step(0) / step(50) - 0.0707).abs() < 0.004 && (step(99) / step(49) - 0.0707).abs() < 0.004);
}

#[test]
fn paths_that_lead_nowhere_are_refused() {
    let one = || StepSize::new(0.1).unwrap();
    let refused = |temperatures: Vec<f64>, step_sizes, n_moves, word: &str| {
        let message = AnnealedPath::new(temperatures, step_sizes, n_moves).unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    };
    refused(vec![0.0, 0.5], vec![], 1, "rise from 0 to 1");
    refused(vec![0.0, 0.7, 0.6, 1.0], vec![one(), one()], 1, "rise from 0 to 1");
    refused(vec![], vec![], 1, "rise from 0 to 1");
    refused(vec![0.0, 0.5, 1.0], vec![], 1, "need 1 step sizes");
    refused(vec![0.0, 0.5, 1.0], vec![one()], 0, "at least one move");
    assert!(StepSize::of_rows(&[vec![0.1], vec![0.1, 0.2]]).unwrap_err().to_string().contains("1 and 2 step sizes"));
    assert!(StepSize::of_rows(&[]).is_err() && StepSize::of_rows(&[vec![0.0]]).is_err());
}
