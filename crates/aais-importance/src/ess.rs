//! How many samples the weights are worth.

use candle_core::{D, Result, Tensor};

/// Kish's effective sample size of normalized weights, `(B, M)` to `(B,)`.
///
/// `1 / Σᵢ wᵢ²`, between `1` (one sample carries all) and `M` (all weigh the same).
///
/// # Errors
///
/// If the tensor is a scalar or not of a float type.
pub fn effective_sample_size(weights: &Tensor) -> Result<Tensor> {
    weights.sqr()?.sum(D::Minus1)?.recip()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testing::rows;

    #[test]
    fn equal_weights_are_worth_all_samples() {
        let ess = effective_sample_size(&rows(&[[0.25; 4], [0.25; 4]])).unwrap();
        assert_eq!(ess.to_vec1::<f64>().unwrap(), [4.0, 4.0]);
    }

    #[test]
    fn one_heavy_sample_is_worth_one() {
        let ess = effective_sample_size(&rows(&[[0.0, 1.0, 0.0]])).unwrap();
        assert_eq!(ess.to_vec1::<f64>().unwrap(), [1.0]);
    }

    #[test]
    fn half_the_samples_at_weight_zero_do_not_count() {
        let ess = effective_sample_size(&rows(&[[0.5, 0.0, 0.5, 0.0]])).unwrap();
        assert_eq!(ess.to_vec1::<f64>().unwrap(), [2.0]);
    }
}
