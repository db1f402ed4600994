//! Standard normal points that fill space evenly: a randomly shifted lattice.

use candle_core::{Device, Result, Tensor};
use statrs::function::erf::erfc_inv;

use crate::Noise;

/// How samples of a proposal lie to each other; each alone has the same law.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampling {
    /// Independently.
    #[default]
    Independent,
    /// On a lattice, shifted at random for each row: means over the samples have less noise, most of all in few
    /// dimensions (Owen 2013, "Monte Carlo theory, methods and examples", chapter 17).
    Lattice,
}

/// `(B, M, d)` standard normal points.
///
/// Point `i` of a row is `Φ⁻¹(frac(i a + shift))`. The first coordinate of `a` is `1 / M`, so that each of `M` equal
/// intervals has one point; the others are powers of the inverse of the root of `xᵈ = x + 1`, which for `d = 2` is the
/// golden ratio.
pub(crate) fn lattice_normal(shape: [usize; 3], noise: &mut Noise, device: &Device) -> Result<Tensor> {
    let [rows, n_samples, latent] = shape;
    let generator = generator(n_samples, latent);
    let mut values = Vec::with_capacity(rows * n_samples * latent);
    for _ in 0..rows {
        let shift: Vec<f64> = (0..latent).map(|_| f64::from(noise.uniform(0.0, 1.0))).collect();
        for sample in 0..n_samples {
            let place = generator.iter().zip(&shift).map(|(a, shift)| (sample as f64 * a + shift).fract());
            values.extend(place.map(normal_quantile));
        }
    }
    Tensor::from_vec(values, (rows, n_samples, latent), device)
}

fn generator(n_samples: usize, latent: usize) -> Vec<f64> {
    let mut root: f64 = 2.0;
    for _ in 0..64 {
        // x = (1 + x)^(1/d) has the root as its attracting fixed point.
        root = (1.0 + root).powf(1.0 / latent as f64);
    }
    let first = 1.0 / n_samples as f64;
    std::iter::once(first).chain((1..latent.max(1)).map(|k| root.powi(-i32::try_from(k).unwrap_or(i32::MAX)))).collect()
}

/// `Φ⁻¹(u)`, within 5.2 of zero.
#[expect(clippy::cast_possible_truncation, reason = "samples are in single precision")]
fn normal_quantile(u: f64) -> f32 {
    (-std::f64::consts::SQRT_2 * erfc_inv(2.0 * u.clamp(1e-7, 1.0 - 1e-7))) as f32
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn points(n_samples: usize, latent: usize) -> Vec<f32> {
        let shape = [1, n_samples, latent];
        lattice_normal(shape, &mut Noise::new(1), &Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn moments_of_a_hundred_points_are_nearly_exact() {
        for latent in 1..=3 {
            let points = points(100, latent);
            for k in 0..latent {
                let column: Vec<f64> = points.iter().skip(k).step_by(latent).map(|z| f64::from(*z)).collect();
                let mean = column.iter().sum::<f64>() / 100.0;
                let square = column.iter().map(|z| z * z).sum::<f64>() / 100.0;
                // Independent ones have 0.1 and 0.14; these at most half.
                assert!(mean.abs() < 0.05 && (square - 1.0).abs() < 0.07, "{latent} {k}: {mean}, {square}");
            }
        }
    }

    #[test]
    fn coordinates_are_uncorrelated() {
        let points = points(200, 2);
        let product: f64 = points.chunks(2).map(|z| f64::from(z[0]) * f64::from(z[1])).sum::<f64>() / 200.0;
        assert!(product.abs() < 0.03, "{product}"); // Independent ones have 0.07.
    }

    #[test]
    fn each_point_has_the_normal_law() {
        let noise = Noise::new(3);
        let mut first: Vec<f64> = (0..4000)
            .map(|draw| {
                let z = lattice_normal([1, 7, 2], &mut noise.at(draw, 0), &Device::Cpu).unwrap();
                f64::from(z.to_vec3::<f32>().unwrap()[0][3][1])
            })
            .collect();
        first.sort_by(f64::total_cmp);
        let cdf = |z: f64| 0.5 * statrs::function::erf::erfc(-z / std::f64::consts::SQRT_2);
        let distance =
            first.iter().enumerate().map(|(k, z)| (cdf(*z) - (k as f64 + 0.5) / 4000.0).abs()).fold(0.0, f64::max);
        assert!(distance < 0.027, "{distance}"); // Kolmogorov's 1 % point, 1.63 / sqrt(4000), and half a step.
    }
}
