//! The Bernoulli likelihood: closed form, and a score that is its gradient.
#![allow(clippy::unwrap_used)]

use aais_distributions::Noise;
use aais_models::{Batch, Bernoulli, Likelihood};
use candle_core::{DType, Device, Tensor, Var};

#[test]
fn log_likelihood_is_that_of_every_pixel_and_score_its_gradient() {
    for width in [1, 7, 100] {
        let none = Tensor::zeros(0, DType::F32, &Device::Cpu).unwrap();
        let pixels: Vec<f32> = (0..2 * width).map(|k| f32::from(u8::from(k % 3 == 0))).collect();
        let observed = Tensor::from_vec(pixels.clone(), (2, width), &Device::Cpu).unwrap();
        let batch = Batch::of_rows(observed, vec![0, 1]);
        let signal = (Noise::new(2).standard_normal(&[2, 5, width], &Device::Cpu).unwrap() * 3.0).unwrap();
        let signal = Var::from_tensor(&signal).unwrap();

        let value = Bernoulli.log_likelihood(&signal, &batch, &none).unwrap();
        let (found, signals) = (value.to_vec2::<f32>().unwrap(), signal.to_vec3::<f32>().unwrap());
        for ((pixels, found), signals) in pixels.chunks(width).zip(&found).zip(&signals) {
            for (found, u) in found.iter().zip(signals) {
                let probability = |u: &f32| 1.0 / (1.0 + f64::from(-u).exp());
                let of = |(x, u): (&f32, &f32)| if *x == 1.0 { probability(u).ln() } else { (-probability(u)).ln_1p() };
                let exact: f64 = pixels.iter().zip(u).map(of).sum();
                // Single precision, of sums of up to 100 terms.
                assert!((f64::from(*found) - exact).abs() < 1e-5 * (1.0 + exact.abs()), "{found} {exact}");
            }
        }

        let gradients = value.sum_all().unwrap().backward().unwrap();
        let score = Bernoulli.score(&signal, &batch, &none).unwrap();
        let difference = (gradients.get(&signal).unwrap() - score).unwrap().abs().unwrap().max_all().unwrap();
        assert_eq!(difference.to_scalar::<f32>().unwrap(), 0.0); // The same products in the same order.
    }
}
