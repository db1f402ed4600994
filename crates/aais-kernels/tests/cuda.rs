//! Every operation on a GPU against the fused one on the processor: values and gradients.
//!
//! `cargo test --features cuda -- --ignored cuda`
#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used)]

use aais_kernels::{
    Activation, MlpSpec, bernoulli_log_likelihood, bernoulli_score, gaussian_log_density, gaussian_score,
    linear_predictor, log_gamma, log_rising_factorial, mlp, mlp_with_pullback, negative_binomial_log_likelihood,
    negative_binomial_score, poisson_log_likelihood, poisson_score, reparameterize, scaled_covariates, segment_mean,
    softmax,
};
use candle_core::{DType, Device, Result, Tensor, Var};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn uniform(shape: &[usize], seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-2.0..2.0)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn counts(shape: &[usize], seed: u64) -> Tensor {
    (uniform(shape, seed).abs().unwrap() * 4.0).unwrap().round().unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Value and gradients of a random linear function of it, on a device; the first `n_leaves` inputs take gradients.
fn run(device: &Device, inputs: &[Tensor], n_leaves: usize, f: &dyn Fn(&[Tensor]) -> Result<Tensor>) -> Vec<Vec<f64>> {
    let inputs: Vec<Tensor> = inputs.iter().map(|input| input.to_device(device).unwrap()).collect();
    let leaves: Vec<Var> = inputs[..n_leaves].iter().map(|input| Var::from_tensor(input).unwrap()).collect();
    let arguments: Vec<Tensor> =
        leaves.iter().map(|leaf| leaf.as_tensor().clone()).chain(inputs[n_leaves..].iter().cloned()).collect();
    let y = f(&arguments).unwrap();
    let cotangent = uniform(y.dims(), 99).to_device(device).unwrap();
    let gradients = (&y * cotangent).unwrap().sum_all().unwrap().backward().unwrap();
    std::iter::once(flat(&y)).chain(leaves.iter().map(|leaf| flat(gradients.get(leaf).unwrap()))).collect()
}

fn assert_same(name: &str, inputs: &[Tensor], n_leaves: usize, f: &dyn Fn(&[Tensor]) -> Result<Tensor>) {
    let cuda = Device::new_cuda(0).unwrap();
    let (found, expected) = (run(&cuda, inputs, n_leaves, f), run(&Device::Cpu, inputs, n_leaves, f));
    for (found, expected) in found.iter().zip(&expected) {
        let scale = expected.iter().fold(1.0f64, |most, e| most.max(e.abs()));
        let error = found.iter().zip(expected).fold(0.0f64, |most, (f, e)| most.max((f - e).abs() / scale));
        // Single precision in another order; products of matrices in TensorFloat-32 would miss this by far.
        assert!(found.len() == expected.len() && error < 2e-5, "{name}: {error}");
    }
}

#[test]
#[ignore = "needs a GPU"]
fn cuda_gaussian_operations_equal_the_processors() {
    let (z, mean, spread) = (uniform(&[5, 33, 3], 1), uniform(&[5, 3], 2), uniform(&[5, 3], 3));
    assert_same("density", &[z.clone(), mean.clone(), spread.clone()], 3, &|x| {
        gaussian_log_density(&x[0], &x[1], &x[2])
    });
    assert_same("score", &[z.clone(), mean.clone(), spread.clone()], 3, &|x| gaussian_score(&x[0], &x[1], &x[2]));
    assert_same("samples", &[mean, spread, z], 2, &|x| reparameterize(&x[0], &x[1], &x[2]));
}

#[test]
#[ignore = "needs a GPU"]
fn cuda_likelihoods_equal_the_processors() {
    let (logits, y) = (uniform(&[4, 7, 20], 1), counts(&[4, 20], 2));
    let pixels = y.gt(3.0).unwrap().to_dtype(DType::F32).unwrap();
    let bernoulli = [logits.clone(), pixels];
    assert_same("bernoulli", &bernoulli, 1, &|x| bernoulli_log_likelihood(&x[0], &x[1]));
    assert_same("bernoulli score", &bernoulli, 1, &|x| bernoulli_score(&x[0], &x[1]));

    let (rate, y1) = (uniform(&[4, 7], 3), counts(&[4], 4));
    let poisson = [rate, y1.clone(), (&y1 * 0.5).unwrap()];
    assert_same("poisson", &poisson, 1, &|x| poisson_log_likelihood(&x[0], &x[1], &x[2], 1.5));
    assert_same("poisson score", &poisson, 1, &|x| poisson_score(&x[0], &x[1], 1.5));

    let sizes = y.sum(1).unwrap();
    let genes = [logits.clone(), uniform(&[20], 5), y, sizes];
    assert_same("negative binomial", &genes, 2, &|x| negative_binomial_log_likelihood(&x[0], &x[2], &x[3], &x[1]));
    assert_same("negative binomial score", &genes, 2, &|x| negative_binomial_score(&x[0], &x[2], &x[3], &x[1]));
    assert_same("softmax", &[logits], 1, &|x| softmax(&x[0]));
}

#[test]
#[ignore = "needs a GPU"]
fn cuda_gamma_functions_equal_the_processors() {
    let positive = (uniform(&[40], 1).abs().unwrap() * 5.0).unwrap().affine(1.0, 0.1).unwrap();
    assert_same("log gamma", std::slice::from_ref(&positive), 1, &|x| log_gamma(&x[0]));
    assert_same("rising factorial", &[positive, counts(&[3, 40], 2)], 1, &|x| log_rising_factorial(&x[0], &x[1]));
}

#[test]
#[ignore = "needs a GPU"]
fn cuda_predictors_equal_the_processors() {
    let inputs = [uniform(&[5, 33, 3], 1), uniform(&[5], 2), uniform(&[5, 3], 3)];
    assert_same("predictor", &inputs, 2, &|x| linear_predictor(&x[0], &x[1], &x[2]));
    assert_same("covariates", &[uniform(&[5, 33], 4), uniform(&[5, 3], 3)], 1, &|x| scaled_covariates(&x[0], &x[1]));
    assert_same("means", &[uniform(&[6, 2], 5)], 1, &|x| segment_mean(&x[0], &[1, 0, 3, 2]));
}

#[test]
#[ignore = "needs a GPU"]
fn cuda_networks_equal_the_processors() {
    let spec = |hidden: &[usize], n_heads, skip, activation| MlpSpec {
        n_in: 3,
        hidden: hidden.to_vec(),
        n_out: 5,
        n_heads,
        skip,
        activation,
    };
    let specs = [
        spec(&[20, 20, 20], 2, false, Activation::NormPrelu),
        spec(&[20, 20, 20], 1, true, Activation::NormPrelu),
        spec(&[256, 512], 1, false, Activation::NormPrelu),
        spec(&[16, 16], 1, false, Activation::Softplus),
    ];
    for spec in specs {
        let parameters = (uniform(&[spec.n_parameters()], 1) * 0.3).unwrap();
        let slope = Tensor::new(&[0.25f32], &Device::Cpu).unwrap();
        let inputs = [uniform(&[40, 3], 2), parameters, slope, uniform(&[40, 5], 3)];
        let name = format!("{:?}", spec.hidden);
        // Softplus has no slope to take a gradient.
        let n_leaves = if spec.activation == Activation::Softplus { 2 } else { 3 };
        assert_same(&name, &inputs, n_leaves, &|x| mlp(&spec, &x[0], &x[1], &x[2]));
        if spec.n_heads == 1 {
            assert_same(&format!("pullback of {name}"), &inputs, n_leaves, &|x| {
                let (value, pullback) = mlp_with_pullback(&spec, &x[0], &x[1], &x[2])?;
                // The pullback alone does not depend on all of the last bias.
                pullback.apply(&x[3])?.sum_all()?.broadcast_add(&value)
            });
        }
    }
}
