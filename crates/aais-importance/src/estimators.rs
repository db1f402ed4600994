//! Expectations and marginal likelihoods from weighted samples.

use candle_core::{D, Result, Tensor};

/// Self-normalized estimate of an expectation under the target, weights and values `(B, M)` to `(B,)`.
///
/// `Σᵢ wᵢ fᵢ` with weights that sum to one. Paper, Eq. 16, where `fᵢ = log p_θ(x ∣ zᵢ)`.
/// Gradients reach both arguments; a method that holds the weights fixed detaches them.
/// A value of `−∞` makes its row `−∞` or, under a weight of exactly zero, NaN: neither is hidden.
///
/// # Errors
///
/// If the shapes or types of the two tensors differ.
pub fn self_normalized(weights: &Tensor, values: &Tensor) -> Result<Tensor> {
    (weights * values)?.sum(D::Minus1)
}

/// Lower bound on `log p(x)` from unnormalized log weights, `(B, M)` to `(B,)`.
///
/// `log (1/M Σᵢ exp(log wᵢ))`, whose expectation grows with `M` toward `log p(x)`. Burda, Grosse and Salakhutdinov
/// 2015, "Importance Weighted Autoencoders", Eq. 8. Its gradient in the log weights is the normalized weights.
/// A row in which every weight is zero gives `−∞`, and a NaN gradient.
///
/// # Errors
///
/// If there are no samples, or the tensor is a scalar or not of a float type.
pub fn iwae_bound(log_weights: &Tensor) -> Result<Tensor> {
    let n_samples = log_weights.dim(D::Minus1)?;

    // The shift cancels, so it needs no gradient. It stays finite: −∞ − (−∞) would be NaN where the bound is −∞.
    let limit = f64::from(f32::MAX);
    let shift = log_weights.detach().max_keepdim(D::Minus1)?.clamp(-limit, limit)?;
    let total = log_weights.broadcast_sub(&shift)?.exp()?.sum(D::Minus1)?;

    (total.log()? + shift.squeeze(D::Minus1)?)? - (n_samples as f64).ln()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;
    use crate::testing::{assert_gradient, rows};
    use crate::weights::weights;

    #[test]
    fn self_normalized_is_the_weighted_mean() {
        let estimate = self_normalized(&rows(&[[0.5, 0.25, 0.25]]), &rows(&[[2.0, -4.0, 8.0]])).unwrap();
        assert_eq!(estimate.to_vec1::<f64>().unwrap(), [2.0]);
    }

    #[test]
    fn self_normalized_passes_gradients_to_weights_and_values() {
        let log_weights = rows(&[[0.3, -1.2, 0.9], [2.0, 0.1, -0.4]]);
        let values = rows(&[[1.0, 0.5, -2.0], [0.2, 3.0, 0.7]]);
        assert_gradient(&log_weights, |lw| self_normalized(&weights(lw, 0.7)?, &values)?.sum_all());
        assert_gradient(&values, |v| self_normalized(&weights(&log_weights, 0.7)?, v)?.sum_all());
    }

    #[test]
    fn self_normalized_rejects_different_shapes() {
        assert!(self_normalized(&rows(&[[0.5, 0.5]]), &rows(&[[1.0, 2.0, 3.0]])).is_err());
    }

    #[test]
    fn iwae_bound_of_constant_weights_is_their_log() {
        let bound = iwae_bound(&rows(&[[-3.5; 7], [1e5; 7], [-1e5; 7]])).unwrap();
        for (found, expected) in bound.to_vec1::<f64>().unwrap().into_iter().zip([-3.5, 1e5, -1e5]) {
            // Two roundings at the size of the answer.
            assert!((found - expected).abs() <= 4.0 * f64::EPSILON * expected.abs(), "{found} for {expected}");
        }
    }

    #[test]
    fn iwae_bound_is_the_log_of_the_mean_weight() {
        let bound = iwae_bound(&rows(&[[1.0_f64.ln(), 2.0_f64.ln(), 6.0_f64.ln(), f64::NEG_INFINITY]])).unwrap();
        assert!((bound.to_vec1::<f64>().unwrap()[0] - 2.25_f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn iwae_bound_of_vanished_weights_is_minus_infinity() {
        for dtype in [DType::F32, DType::F64] {
            let log_weights = rows(&[[f64::NEG_INFINITY; 3], [0.0; 3]]).to_dtype(dtype).unwrap();
            let bound = iwae_bound(&log_weights).unwrap().to_dtype(DType::F64).unwrap().to_vec1::<f64>().unwrap();
            assert_eq!(bound[0], f64::NEG_INFINITY);
            assert!(bound[1].abs() < 1e-6, "the row beside it is untouched up to rounding in f32, got {}", bound[1]);
        }
    }

    #[test]
    fn iwae_bound_does_not_hide_nan() {
        let bound = iwae_bound(&rows(&[[0.0, f64::NAN, 1.0], [f64::NAN; 3], [f64::NEG_INFINITY, f64::NAN, 0.0]]));
        assert!(bound.unwrap().to_vec1::<f64>().unwrap().into_iter().all(f64::is_nan));
    }

    #[test]
    fn iwae_bound_has_the_gradient_of_finite_differences() {
        // The second row ties at its maximum, where candle's own `max` would count the gradient twice.
        assert_gradient(&rows(&[[0.3, -1.2, 0.9], [2.0, 2.0, -0.4]]), |lw| iwae_bound(lw)?.sum_all());
    }

    #[test]
    fn gradient_of_iwae_bound_is_the_weights() {
        let log_weights = Var::from_tensor(&rows(&[[700.0, 699.0, -800.0], [-900.0, -901.0, -902.0]])).unwrap();
        let gradients = iwae_bound(&log_weights).unwrap().sum_all().unwrap().backward().unwrap();
        let difference = (gradients.get(&log_weights).unwrap() - weights(&log_weights, 1.0).unwrap()).unwrap();
        let largest = difference.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
        assert!(largest < 1e-15, "difference {largest}");
    }

    #[test]
    fn iwae_bound_without_samples_is_an_error() {
        assert!(iwae_bound(&Tensor::zeros((2, 0), DType::F64, &Device::Cpu).unwrap()).is_err());
    }
}
