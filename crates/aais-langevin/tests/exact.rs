//! Steps and bridges against laws that are known exactly.
#![allow(clippy::unwrap_used)]

use aais_distributions::{DiagonalGaussian, LogDensity, Noise, StandardNormal};
use aais_langevin::{Bridge, StepSize, log_kernel, mala_chain, metropolis, temperatures, ula, ula_chain};
use candle_core::{DType, Device, Tensor, Var};

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap()
}

/// Mean of the squares of one coordinate, and the mean.
fn moments(chains: &[Vec<f64>]) -> (f64, f64) {
    let n = chains.iter().map(Vec::len).sum::<usize>() as f64;
    let sum = |f: fn(f64) -> f64| chains.iter().flatten().map(|x| f(*x)).sum::<f64>() / n;
    (sum(|x| x), sum(|x| x * x))
}

fn gaussian(mean: &[f32], log_variance: &[f32]) -> DiagonalGaussian {
    let row = |values: &[f32]| Tensor::from_slice(values, (1, values.len()), &Device::Cpu).unwrap();
    DiagonalGaussian::new(row(mean), row(log_variance)).unwrap()
}

/// On `N(0, 1)` the unadjusted chain is `z' = (1 - h) z + sqrt(2 h) noise`, of stationary variance `2 / (2 - h)`.
#[test]
fn ula_has_its_own_stationary_variance() {
    let start = Tensor::zeros((1, 400, 1), DType::F32, &Device::Cpu).unwrap();
    let (h, mut noise) = (0.5, Noise::new(1));
    let chain = ula_chain(&StandardNormal, &start, &StepSize::new(h).unwrap(), 400, &mut noise).unwrap();
    let (mean, square) = moments(&chain.coordinate(0, 50).unwrap());
    // 140,000 draws, correlation 1/2 of neighbours: an effective sample of about 46,000; four standard errors.
    assert!(mean.abs() < 0.022 && (square - 2.0 / (2.0 - h)).abs() < 0.035, "{mean} {square}");
}

#[test]
fn mala_has_the_law_of_the_target() {
    let target = gaussian(&[1.0, -2.0], &[0.0, -2.0]);
    let start = Tensor::zeros((1, 400, 2), DType::F32, &Device::Cpu).unwrap();
    let steps = StepSize::of_each(vec![0.5, 0.07]).unwrap();
    let chain = mala_chain(&target, &start, &steps, 600, &mut Noise::new(2)).unwrap();
    assert!(chain.acceptance > 0.8, "{}", chain.acceptance);
    for (coordinate, (mean, variance)) in [(1.0, 1.0), (-2.0, (-2.0f64).exp())].into_iter().enumerate() {
        let (found, square) = moments(&chain.coordinate(coordinate, 100).unwrap());
        let found_variance = square - found * found;
        assert!((found - mean).abs() < 0.02 * variance.sqrt(), "{coordinate}: {found}");
        assert!((found_variance / variance - 1.0).abs() < 0.03, "{coordinate}: {found_variance}");
    }
}

#[test]
fn the_density_of_a_move_is_that_of_its_noise() {
    let z = Noise::new(3).standard_normal(&[2, 5, 3], &Device::Cpu).unwrap();
    let score = StandardNormal.score(&z).unwrap();
    for step_size in [StepSize::new(0.1).unwrap(), StepSize::of_each(vec![0.1, 0.2, 0.3]).unwrap()] {
        let step = ula(&z, &score, &step_size, &mut Noise::new(4)).unwrap();
        let again = log_kernel(&z, &score, &step.z, &step_size).unwrap();
        for (found, expected) in values(&again).iter().zip(values(&step.log_kernel)) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }
}

#[test]
fn a_bridge_is_its_ends_at_zero_and_one() {
    let (start, end) = (gaussian(&[0.5], &[0.3]), gaussian(&[-1.0], &[-0.7]));
    let z = Noise::new(5).standard_normal(&[1, 20, 1], &Device::Cpu).unwrap();
    let point = Bridge::new(&start, &end).at(&z).unwrap();
    for (temperature, density) in [(0.0, &start), (1.0, &end)] {
        assert_eq!(values(&point.log_density(temperature).unwrap()), values(&density.log_density(&z).unwrap()));
        assert_eq!(values(&point.score(temperature).unwrap()), values(&density.score(&z).unwrap()));
    }
    // Between them: the score is the gradient of the log density.
    let leaf = Var::from_tensor(&z).unwrap();
    let point = Bridge::new(&start, &end).at(&leaf).unwrap();
    let gradients = point.log_density(0.3).unwrap().sum_all().unwrap().backward().unwrap();
    for (found, expected) in values(&point.score(0.3).unwrap()).iter().zip(values(gradients.get(&leaf).unwrap())) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
    assert_eq!(temperatures(3), [0.0, 0.25, 0.5, 0.75, 1.0]);
}

#[test]
fn metropolis_accepts_as_often_as_it_says_and_never_nan() {
    let n = 100_000;
    let log_ratio = Tensor::full(-0.7f32, (1, n), &Device::Cpu).unwrap();
    let decision = metropolis(&log_ratio, &mut Noise::new(6)).unwrap();
    let share = values(&decision.accepted).iter().sum::<f64>() / n as f64;
    assert!((share - (-0.7f64).exp()).abs() < 0.007, "{share}");
    let probability = values(&decision.log_probability);
    for (accepted, found) in values(&decision.accepted).iter().zip(probability) {
        let expected = if *accepted > 0.0 { -0.7 } else { (1.0 - (-0.7f64).exp()).ln() };
        assert!((found - expected).abs() < 1e-5);
    }
    let certain = Tensor::new(&[[f32::NAN, 3.0, f32::NEG_INFINITY]], &Device::Cpu).unwrap();
    let decision = metropolis(&certain, &mut Noise::new(7)).unwrap();
    assert_eq!(decision.accepted.to_vec2::<u8>().unwrap(), [[0, 1, 0]]);
    assert_eq!(values(&decision.probability)[1..], [1.0, 0.0]);
}

#[test]
fn step_sizes_must_be_positive() {
    for wrong in [vec![], vec![0.0], vec![0.1, -0.1], vec![f64::NAN]] {
        assert!(StepSize::of_each(wrong.clone()).unwrap_err().to_string().contains("positive"), "{wrong:?}");
    }
}
