//! What the tests of networks share.

#![allow(dead_code, reason = "each test uses some of it")]

use aais_kernels::{Activation, MlpSpec};
use candle_core::{DType, Device, Tensor};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

pub fn uniform(shape: &[usize], rng: &mut ChaCha8Rng) -> Tensor {
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-1.0..1.0)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

pub fn spec(n_in: usize, hidden: &[usize], n_out: usize, n_heads: usize, skip: bool) -> MlpSpec {
    MlpSpec { n_in, hidden: hidden.to_vec(), n_out, n_heads, skip, activation: Activation::NormPrelu }
}

pub fn softplus(n_in: usize, hidden: &[usize], n_out: usize, n_heads: usize, skip: bool) -> MlpSpec {
    MlpSpec { activation: Activation::Softplus, ..spec(n_in, hidden, n_out, n_heads, skip) }
}

/// The largest difference, relative to the largest exact value.
pub fn relative_error(value: &Tensor, exact: &Tensor) -> f64 {
    let flat = |t: &Tensor| t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let (value, exact) = (flat(value), flat(exact));
    assert_eq!(value.len(), exact.len());
    let scale = exact.iter().fold(1e-3f64, |most, e| most.max(e.abs()));
    value.iter().zip(&exact).fold(0.0, |most, (v, e)| f64::max(most, (v - e).abs() / scale))
}
