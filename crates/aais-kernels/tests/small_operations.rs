//! Sampling, Gaussian, Poisson and Bernoulli densities, linear predictors and softmax against their references: values and gradients.

#![allow(clippy::unwrap_used)]

use aais_kernels::softmax::{reference, softmax};
use aais_kernels::{
    bernoulli, bernoulli_log_likelihood, bernoulli_score, gaussian, gaussian_log_density, gaussian_score,
    linear_predictor, poisson, poisson_log_likelihood, poisson_score, predictor, reparameterize, scaled_covariates,
};
use candle_core::{DType, Device, Result, Tensor, Var};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn uniform(shape: &[usize], seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-2.0..2.0)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Value and the gradients of a random linear function of it, flat, in double precision.
fn run(dtype: DType, inputs: &[Tensor], f: impl Fn(&[Var]) -> Result<Tensor>) -> Vec<Vec<f64>> {
    let leaves: Vec<Var> = inputs.iter().map(|t| Var::from_tensor(&t.to_dtype(dtype).unwrap()).unwrap()).collect();
    let y = f(&leaves).unwrap();
    let cotangent = uniform(y.dims(), 99).to_dtype(dtype).unwrap();
    let gradients = (&y * cotangent).unwrap().sum_all().unwrap().backward().unwrap();
    let flat = |t: &Tensor| t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    std::iter::once(flat(&y)).chain(leaves.iter().map(|leaf| flat(gradients.get(leaf).unwrap()))).collect()
}

fn assert_close(found: &[Vec<f64>], exact: &[Vec<f64>]) {
    for (found, exact) in found.iter().zip(exact) {
        let scale = exact.iter().fold(1.0f64, |most, e| most.max(e.abs()));
        let error = found.iter().zip(exact).fold(0.0f64, |most, (f, e)| most.max((f - e).abs() / scale));
        assert!(found.len() == exact.len() && error < 1e-5, "{error}"); // Single precision, sums of up to 100.
    }
}

#[test]
fn reparameterized_samples_equal_the_reference() {
    for (rows, n_samples, width) in [(1, 1, 1), (7, 100, 1), (5, 33, 3)] {
        let inputs = [uniform(&[rows, width], 1), uniform(&[rows, width], 2)];
        let noise = uniform(&[rows, n_samples, width], 3);
        let fused = run(DType::F32, &inputs, |x| reparameterize(&x[0], &x[1], &noise));
        let wide = noise.to_dtype(DType::F64).unwrap();
        assert_close(&fused, &run(DType::F64, &inputs, |x| gaussian::reparameterize_reference(&x[0], &x[1], &wide)));
    }
}

#[test]
fn gaussian_log_density_equals_the_reference() {
    for (rows, n_samples, width) in [(1, 1, 1), (7, 100, 1), (5, 33, 3)] {
        let inputs = [uniform(&[rows, n_samples, width], 1), uniform(&[rows, width], 2), uniform(&[rows, width], 3)];
        let fused = run(DType::F32, &inputs, |x| gaussian_log_density(&x[0], &x[1], &x[2]));
        let exact = run(DType::F64, &inputs, |x| gaussian::gaussian_log_density_reference(&x[0], &x[1], &x[2]));
        assert_close(&fused, &exact);
    }
}

#[test]
fn gaussian_score_equals_the_reference() {
    for (rows, n_samples, width) in [(1, 1, 1), (7, 100, 1), (5, 33, 3)] {
        let inputs = [uniform(&[rows, n_samples, width], 1), uniform(&[rows, width], 2), uniform(&[rows, width], 3)];
        let fused = run(DType::F32, &inputs, |x| gaussian_score(&x[0], &x[1], &x[2]));
        let exact = run(DType::F64, &inputs, |x| gaussian::gaussian_score_reference(&x[0], &x[1], &x[2]));
        assert_close(&fused, &exact);
    }
}

#[test]
fn linear_predictor_equals_the_reference() {
    for (rows, n_samples, width) in [(1, 1, 1), (7, 100, 5), (5, 33, 3)] {
        let (effects, offset) = (uniform(&[rows, n_samples, width], 1), uniform(&[rows], 2));
        // Not contiguous, as columns of a data set are.
        let covariates = uniform(&[rows, width + 2], 3).narrow(1, 1, width).unwrap();
        let wide = covariates.to_dtype(DType::F64).unwrap();
        let inputs = [effects.clone(), offset];
        let fused = run(DType::F32, &inputs, |x| linear_predictor(&x[0], &x[1], &covariates));
        let exact = run(DType::F64, &inputs, |x| predictor::linear_predictor_reference(&x[0], &x[1], &wide));
        assert_close(&fused, &exact);

        let scales = [effects.narrow(2, 0, 1).unwrap().squeeze(2).unwrap()];
        let fused = run(DType::F32, &scales, |x| scaled_covariates(&x[0], &covariates));
        let exact = run(DType::F64, &scales, |x| predictor::scaled_covariates_reference(&x[0], &wide));
        assert_close(&fused, &exact);
    }
}

#[test]
fn poisson_log_likelihood_and_its_score_equal_the_reference() {
    for (rows, n_samples) in [(1, 1), (7, 100), (3, 33)] {
        // Log rates from -2 to 2 against a bound of 1.5: on either side of it.
        let log_rates = [uniform(&[rows, n_samples], 1)];
        let counts: Vec<f32> = (0..rows).map(|row| [0.0, 1.0, 7.0][row % 3]).collect();
        let counts = Tensor::from_vec(counts, rows, &Device::Cpu).unwrap();
        let log_factorials = uniform(&[rows], 4);
        let wide = [&counts, &log_factorials].map(|t| t.to_dtype(DType::F64).unwrap());
        let fused = run(DType::F32, &log_rates, |x| poisson_log_likelihood(&x[0], &counts, &log_factorials, 1.5));
        let exact =
            run(DType::F64, &log_rates, |x| poisson::poisson_log_likelihood_reference(&x[0], &wide[0], &wide[1], 1.5));
        assert_close(&fused, &exact);

        let fused = run(DType::F32, &log_rates, |x| poisson_score(&x[0], &counts, 1.5));
        assert_close(&fused, &run(DType::F64, &log_rates, |x| poisson::poisson_score_reference(&x[0], &wide[0], 1.5)));
    }
}

#[test]
fn poisson_score_is_the_gradient_of_the_log_likelihood() {
    let log_rate = Var::from_tensor(&(uniform(&[2, 50], 1) * 3.0).unwrap()).unwrap();
    let counts = Tensor::new(&[3f32, 0.0], &Device::Cpu).unwrap();
    let value = poisson_log_likelihood(&log_rate, &counts, &counts, 4.0).unwrap();
    let gradients = value.sum_all().unwrap().backward().unwrap();
    let score = poisson_score(&log_rate, &counts, 4.0).unwrap();
    let difference = (gradients.get(&log_rate).unwrap() - score).unwrap().abs().unwrap();
    assert_eq!(difference.max_all().unwrap().to_scalar::<f32>().unwrap(), 0.0);
}

fn outcomes(rows: usize, width: usize) -> Tensor {
    let values: Vec<f32> = (0..rows * width).map(|k| if k % 3 == 0 { 1.0 } else { 0.0 }).collect();
    Tensor::from_vec(values, (rows, width), &Device::Cpu).unwrap()
}

#[test]
fn bernoulli_log_likelihood_and_its_score_equal_the_reference() {
    for (rows, n_samples, width) in [(1, 1, 1), (7, 100, 1), (5, 33, 11), (3, 7, 16), (2, 5, 784), (2, 3, 45)] {
        let logits = [(uniform(&[rows, n_samples, width], 1) * 3.0).unwrap()];
        let outcomes = outcomes(rows, width);
        let wide = outcomes.to_dtype(DType::F64).unwrap();
        let fused = run(DType::F32, &logits, |x| bernoulli_log_likelihood(&x[0], &outcomes));
        let exact = run(DType::F64, &logits, |x| bernoulli::bernoulli_log_likelihood_reference(&x[0], &wide));
        assert_close(&fused, &exact);
        let fused = run(DType::F32, &logits, |x| bernoulli_score(&x[0], &outcomes));
        assert_close(&fused, &run(DType::F64, &logits, |x| bernoulli::bernoulli_score_reference(&x[0], &wide)));
    }
}

#[test]
fn bernoulli_log_likelihood_holds_at_extreme_logits() {
    let logits = Tensor::new(&[[[200f32], [-200.0], [0.0], [f32::NAN]]], &Device::Cpu).unwrap();
    let of = |outcome: f32| {
        let outcomes = Tensor::new(&[[outcome]], &Device::Cpu).unwrap();
        bernoulli_log_likelihood(&logits, &outcomes).unwrap().to_vec2::<f32>().unwrap()[0].clone()
    };
    let (yes, no) = (of(1.0), of(0.0));
    assert_eq!((yes[0], yes[1], no[0], no[1]), (0.0, -200.0, -200.0, 0.0));
    assert!((yes[2] + std::f32::consts::LN_2).abs() < 1e-7 && yes[3].is_nan());
}

#[test]
fn bernoulli_rows_of_vectors_hold_at_extreme_logits() {
    let mut logits = vec![0f32; 21];
    (logits[0], logits[1], logits[18], logits[19]) = (200.0, -200.0, 200.0, -200.0);
    let of = |outcome: f32, logits: Vec<f32>| {
        let outcomes = Tensor::full(outcome, (1, logits.len()), &Device::Cpu).unwrap();
        let logits = Tensor::from_vec(logits, (1, 1, 21), &Device::Cpu).unwrap();
        bernoulli_log_likelihood(&logits, &outcomes).unwrap().to_vec2::<f32>().unwrap()[0][0]
    };
    let expected = -400.0 - 17.0 * std::f32::consts::LN_2;
    // Four roundings of the sum.
    assert!((of(1.0, logits.clone()) - expected).abs() < 1.3e-4 && (of(0.0, logits.clone()) - expected).abs() < 1.3e-4);
    for at in [3, 20] {
        let mut spoiled = logits.clone();
        spoiled[at] = f32::NAN;
        assert!(of(1.0, spoiled).is_nan());
    }
}

#[test]
fn samples_without_a_gradient_pass_none_on() {
    let logits = Var::from_tensor(&uniform(&[2, 3, 20], 1)).unwrap();
    let value = bernoulli_log_likelihood(&logits, &outcomes(2, 20)).unwrap();
    let weights = Tensor::new(&[[0f32, 2.0, 0.0], [1.0, 0.0, 0.0]], &Device::Cpu).unwrap();
    let gradients = (value * &weights).unwrap().sum_all().unwrap().backward().unwrap();
    let expected = bernoulli_score(&logits, &outcomes(2, 20)).unwrap().broadcast_mul(&weights.unsqueeze(2).unwrap());
    let difference = (gradients.get(&logits).unwrap() - expected.unwrap()).unwrap().abs().unwrap();
    assert_eq!(difference.max_all().unwrap().to_scalar::<f32>().unwrap(), 0.0);
}

#[test]
fn softmax_equals_the_reference() {
    for shape in [&[1][..], &[4, 7], &[3, 2, 100]] {
        let inputs = [(uniform(shape, 5) * 20.0).unwrap()];
        let fused = run(DType::F32, &inputs, |x| softmax(&x[0]));
        assert_close(&fused, &run(DType::F64, &inputs, |x| reference(&x[0])));
    }
}

#[test]
fn softmax_keeps_nan_and_gives_it_for_rows_without_weight() {
    let logits = [[f32::NEG_INFINITY, f32::NEG_INFINITY], [0.0, f32::NAN], [0.0, f32::NEG_INFINITY]];
    let found = softmax(&Tensor::new(&logits, &Device::Cpu).unwrap()).unwrap().to_vec2::<f32>().unwrap();
    assert!(found[0].iter().chain(&found[1]).all(|w| w.is_nan()));
    assert_eq!(found[2], [1.0, 0.0]);
}

#[test]
fn standard_normal_has_its_known_density_at_zero() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let value = gaussian_log_density(&zeros(&[1, 1, 2]), &zeros(&[1, 2]), &zeros(&[1, 2])).unwrap();
    assert!((value.to_vec2::<f32>().unwrap()[0][0] + (2.0 * std::f32::consts::PI).ln()).abs() < 1e-6);
}

#[test]
fn shapes_that_do_not_fit_are_told() {
    let error = reparameterize(&uniform(&[2, 3], 1), &uniform(&[2, 3], 1), &uniform(&[2, 5, 4], 1)).unwrap_err();
    assert!(error.to_string().contains("(2, 4)"), "{error}");
}
