//! Normalized weights from log weights, and the paper's way out when all of them vanish.

use candle_core::{DType, Result, Tensor, bail};

/// Normalized importance weights of each row, `(B, M)` to `(B, M)`; rows sum to one and gradients flow.
///
/// `wᵢ^λ / Σⱼ wⱼ^λ` with `λ = power`, computed from `log wᵢ` so that nothing underflows for the row as a whole.
/// Paper, Eq. 16 at `power = 1` and Eq. 19 below; toward `0` the weights become uniform.
/// A row that is `−∞` throughout, or holds NaN or `+∞`, becomes NaN.
///
/// # Errors
///
/// If `power` is negative or not finite, there are no samples, or the tensor is not of a float type.
pub fn weights(log_weights: &Tensor, power: f64) -> Result<Tensor> {
    if !(power.is_finite() && power >= 0.0) {
        bail!("power of the weights is {power}; expected a finite number from 0 up, at most 1 for Eq. 19")
    }
    aais_kernels::softmax(&(log_weights * power)?)
}

/// When a row's weights count as vanished, so that plain Monte Carlo takes over. Paper, Eq. 18; Deviation 4.
///
/// In log space the weights never vanish: a row's largest survives normalization however small it is.
/// The paper's computation is not in log space, and falls back where every `(p(x ∣ zᵢ) p(zᵢ))^λ` underflows to zero.
/// That is its rule on outliers, so it is kept, as an explicit threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fallback {
    /// A row falls back if `maxᵢ λ (log p(x ∣ zᵢ) + log p(zᵢ))` is below this.
    pub threshold: f64,
}

impl Fallback {
    /// Where `exp` underflows in double precision, as in the paper's computation: the least double is `exp(−744.44)`,
    /// and below `−745.13` the exponential rounds to zero.
    pub const UNDERFLOW: f64 = -745.0;

    /// No row falls back.
    pub const NEVER: f64 = f64::NEG_INFINITY;
}

/// Normalized weights, and the rows that have none of their own.
#[derive(Clone, Debug)]
pub struct FallbackWeights {
    /// `(B, M)`; rows sum to one.
    pub weights: Tensor,
    /// `(B,)`: one where a row weighs all its samples `1/M`, zero elsewhere.
    pub fell_back: Tensor,
}

impl FallbackWeights {
    /// How many rows weigh all their samples `1/M`.
    ///
    /// # Errors
    ///
    /// If the rows cannot be read.
    pub fn n_fallback_rows(&self) -> Result<usize> {
        let rows = self.fell_back.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        Ok(rows.into_iter().filter(|row| *row > 0.0).count())
    }
}

/// [`weights`], but constant `1/M` in the rows that `fallback` calls vanished; both tensors `(B, M)`.
///
/// Paper, Eq. 18: such a row's estimate is the plain mean over its samples. Its weights take no gradient.
/// `log_joint` is `log p(x ∣ z) + log p(z)`, without the proposal; only its values are read.
/// A row with NaN in either tensor does not fall back: it stays NaN and stops the training.
///
/// # Errors
///
/// If the shapes differ or are not `(B, M)`, or as for [`weights`].
pub fn weights_or_uniform(
    log_weights: &Tensor,
    log_joint: &Tensor,
    power: f64,
    fallback: &Fallback,
) -> Result<FallbackWeights> {
    if log_weights.dims2()? != log_joint.dims2()? {
        bail!("log weights are {:?} and log joint is {:?}; expected one shape", log_weights.dims(), log_joint.dims())
    }

    let (n_rows, device) = (log_weights.dim(0)?, log_weights.device());
    let vanished = if fallback.threshold == Fallback::NEVER {
        None
    } else if device.is_cpu() {
        let vanished = vanished_rows(log_weights, log_joint, power, fallback.threshold)?;
        let any = vanished.contains(&true);
        let mask = vanished.into_iter().map(u8::from).collect::<Vec<_>>();
        any.then(|| Tensor::from_vec(mask, n_rows, device)).transpose()?
    } else {
        Some(vanished_rows_reference(log_weights, log_joint, power, fallback.threshold)?)
    };
    let Some(vanished) = vanished else {
        let fell_back = Tensor::zeros(n_rows, log_weights.dtype(), device)?;
        return Ok(FallbackWeights { weights: weights(log_weights, power)?, fell_back });
    };

    // Equal log weights are uniform weights. Replacing them before the normalization, not the weights after it, keeps
    // the NaN that a row of −∞ would give out of the gradient as well.
    let equal = log_weights.zeros_like()?;
    let mask = vanished.unsqueeze(1)?.broadcast_as(log_weights.shape())?;
    let weights = weights(&mask.where_cond(&equal, log_weights)?, power)?;
    Ok(FallbackWeights { weights, fell_back: vanished.to_dtype(log_weights.dtype())? })
}

/// [`vanished_rows`] by composed operations, which leave the values where they are: `(B,)` of ones and zeros.
fn vanished_rows_reference(log_weights: &Tensor, log_joint: &Tensor, power: f64, threshold: f64) -> Result<Tensor> {
    let (log_weights, log_joint) = (log_weights.detach(), log_joint.detach().to_dtype(DType::F64)?);
    // A comparison with NaN is false, and NaN is all that differs from itself.
    let below = (log_joint * power)?.lt(threshold)?.min(1)?;
    let numbers = log_weights.eq(&log_weights)?.min(1)?;
    below.minimum(&numbers)
}

/// For each row, whether every sample lies below the threshold and none is NaN.
fn vanished_rows(log_weights: &Tensor, log_joint: &Tensor, power: f64, threshold: f64) -> Result<Vec<bool>> {
    // Row by row in plain code: candle's `max` skips NaN, and a comparison with NaN is false as it should be.
    let below = |row: &Vec<f64>| row.iter().all(|value| power * value < threshold);
    let mut vanished = values(log_joint)?.iter().map(below).collect::<Vec<_>>();

    if vanished.contains(&true) {
        for (row, log_weights) in vanished.iter_mut().zip(values(log_weights)?) {
            *row &= !log_weights.iter().any(|value| value.is_nan());
        }
    }
    Ok(vanished)
}

fn values(tensor: &Tensor) -> Result<Vec<Vec<f64>>> {
    tensor.detach().to_dtype(DType::F64)?.to_vec2()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use candle_core::{Device, Var};

    use candle_core::D;

    use super::*;
    use crate::testing::{assert_gradient, rows};

    const UNDERFLOW: Fallback = Fallback { threshold: Fallback::UNDERFLOW };

    fn assert_close(found: &Tensor, expected: &Tensor, tolerance: f64) {
        let difference = (found - expected).unwrap().abs().unwrap().flatten_all().unwrap();
        let difference = difference.to_vec1::<f64>().unwrap();
        assert!(difference.iter().all(|d| *d <= tolerance), "{found} is not {expected}");
    }

    #[test]
    fn weights_are_proportional_to_powers_of_the_ratios() {
        let log_weights = rows(&[[1.0_f64.ln(), 4.0_f64.ln(), 9.0_f64.ln(), f64::NEG_INFINITY]]);
        let plain = weights(&log_weights, 1.0).unwrap();
        assert_close(&plain, &rows(&[[1.0 / 14.0, 4.0 / 14.0, 9.0 / 14.0, 0.0]]), 1e-15);
        let powered = weights(&log_weights, 0.5).unwrap();
        assert_close(&powered, &rows(&[[1.0 / 6.0, 2.0 / 6.0, 3.0 / 6.0, 0.0]]), 1e-15);
    }

    #[test]
    fn weights_sum_to_one_however_small_they_are() {
        let log_weights = rows(&[[-1e6, -1e6 - 1.0, -1e6 + 2.0], [0.0, 1e6, 3.0], [700.0, 720.0, 710.0]]);
        let sums = weights(&log_weights, 0.9).unwrap().sum(D::Minus1).unwrap().to_vec1::<f64>().unwrap();
        assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-15), "sums {sums:?}");
    }

    #[test]
    fn a_shift_of_the_log_weights_changes_nothing() {
        let log_weights = rows(&[[0.25, -1.5, 3.0], [8.0, 0.125, -2.0]]);
        let shifted = (&log_weights - 1024.0).unwrap(); // Exact in binary, so the weights are the same bits.
        assert_close(&weights(&log_weights, 1.0).unwrap(), &weights(&shifted, 1.0).unwrap(), 0.0);
    }

    #[test]
    fn a_power_toward_zero_makes_weights_uniform() {
        let log_weights = rows(&[[100.0, -50.0, 3.0, 0.0]]);
        let uniform = rows(&[[0.25; 4]]);
        // Weights differ from 1/M by no more than power · range / M = 1e-10 · 150 / 4.
        assert_close(&weights(&log_weights, 1e-10).unwrap(), &uniform, 4e-9);
        assert_close(&weights(&log_weights, 0.0).unwrap(), &uniform, 0.0);
    }

    #[test]
    fn weights_have_the_gradient_of_finite_differences() {
        let direction = rows(&[[1.0, -2.0, 0.5], [0.3, 0.7, -1.1]]);
        for power in [1.0, 0.3] {
            // The second row ties at its maximum.
            assert_gradient(&rows(&[[0.3, -1.2, 0.9], [2.0, 2.0, -0.4]]), |log_weights| {
                (weights(log_weights, power)? * &direction)?.sum_all()
            });
        }
    }

    #[test]
    fn bad_arguments_are_errors() {
        let log_weights = rows(&[[0.0, 1.0]]);
        for power in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(weights(&log_weights, power).is_err(), "power {power}");
        }
        assert!(weights_or_uniform(&log_weights, &rows(&[[0.0, 1.0, 2.0]]), 1.0, &UNDERFLOW).is_err());
        let no_samples = Tensor::zeros((2, 0), DType::F64, &Device::Cpu).unwrap();
        assert!(weights(&no_samples, 1.0).is_err());
        assert!(weights_or_uniform(&no_samples, &no_samples, 1.0, &UNDERFLOW).is_err());
    }

    #[test]
    fn no_row_falls_back_while_one_sample_is_above_the_threshold() {
        let log_joint = rows(&[[-2000.0, -744.0], [-1.0, -3.0]]);
        let log_weights = (&log_joint + 5.0).unwrap();
        let found = weights_or_uniform(&log_weights, &log_joint, 1.0, &UNDERFLOW).unwrap();
        assert_eq!(found.n_fallback_rows().unwrap(), 0);
        assert_close(&found.weights, &weights(&log_weights, 1.0).unwrap(), 0.0);
    }

    #[test]
    fn vanished_rows_are_uniform_and_counted() {
        let log_joint = rows(&[[-800.0, -900.0], [-1.0, -3.0], [f64::NEG_INFINITY; 2]]);
        let found = weights_or_uniform(&log_joint, &log_joint, 1.0, &UNDERFLOW).unwrap();
        assert_eq!(found.n_fallback_rows().unwrap(), 2);
        let second = weights(&rows(&[[-1.0, -3.0]]), 1.0).unwrap();
        let uniform = rows(&[[0.5, 0.5]]);
        assert_close(&found.weights, &Tensor::cat(&[&uniform, &second, &uniform], 0).unwrap(), 0.0);
    }

    #[test]
    fn the_power_enters_the_threshold() {
        let log_joint = rows(&[[-800.0, -900.0]]);
        assert_eq!(weights_or_uniform(&log_joint, &log_joint, 0.9, &UNDERFLOW).unwrap().n_fallback_rows().unwrap(), 0);
        assert_eq!(weights_or_uniform(&log_joint, &log_joint, 0.95, &UNDERFLOW).unwrap().n_fallback_rows().unwrap(), 1);
    }

    #[test]
    fn a_threshold_of_minus_infinity_disables_the_fallback() {
        let log_joint = rows(&[[-1e9, -1e9 + 1.0]]);
        let found = weights_or_uniform(&log_joint, &log_joint, 1.0, &Fallback { threshold: Fallback::NEVER }).unwrap();
        assert_eq!(found.n_fallback_rows().unwrap(), 0);
        assert_close(&found.weights, &weights(&rows(&[[0.0, 1.0]]), 1.0).unwrap(), 0.0);
    }

    #[test]
    fn vanished_rows_take_no_gradient_and_spoil_no_other() {
        let values = [[-800.0, -900.0], [-1.0, -3.0], [f64::NEG_INFINITY; 2]];
        let log_joint = Var::from_tensor(&rows(&values)).unwrap();
        let found = weights_or_uniform(&log_joint, &log_joint, 1.0, &UNDERFLOW).unwrap();
        let loss = (&found.weights * rows(&[[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])).unwrap().sum_all().unwrap();
        let gradient = loss.backward().unwrap().get(&log_joint).unwrap().to_vec2::<f64>().unwrap();

        // For two weights the gradient of w₁ + 2 w₂ is (−w₁ w₂, w₁ w₂).
        let slope = found.weights.to_vec2::<f64>().unwrap()[1].iter().product::<f64>();
        assert_eq!([&gradient[0], &gradient[2]], [&vec![0.0, 0.0]; 2]);
        assert!((gradient[1][0] + slope).abs() < 1e-15 && (gradient[1][1] - slope).abs() < 1e-15, "{gradient:?}");
    }

    #[test]
    fn nan_is_not_hidden_by_the_fallback() {
        let nan_joint = rows(&[[-900.0, f64::NAN], [-900.0, -950.0], [f64::NAN; 2]]);
        let nan_proposal = rows(&[[-900.0, f64::NAN], [f64::NAN, -950.0], [f64::NAN; 2]]);
        for (log_joint, n_fallback_rows) in [(&nan_joint, 1), (&rows(&[[-900.0; 2]; 3]), 0)] {
            let log_weights = if n_fallback_rows == 1 { &nan_joint } else { &nan_proposal };
            let found = weights_or_uniform(log_weights, log_joint, 1.0, &UNDERFLOW).unwrap();
            assert_eq!(found.n_fallback_rows().unwrap(), n_fallback_rows);
            let composed = vanished_rows_reference(log_weights, log_joint, 1.0, UNDERFLOW.threshold).unwrap();
            assert_eq!(composed.to_vec1::<u8>().unwrap(), [0, u8::try_from(n_fallback_rows).unwrap(), 0]);
            let weights = found.weights.to_vec2::<f64>().unwrap();
            assert!(weights[0].iter().chain(&weights[2]).all(|weight| weight.is_nan()), "{weights:?}");
        }
    }

    #[test]
    fn single_precision_works_on_strided_views() {
        let log_joint = rows(&[[-1.0, -900.0, -2.0], [-3.0, -800.0, 0.0]]).to_dtype(DType::F32).unwrap().t().unwrap();
        let found = weights_or_uniform(&log_joint, &log_joint, 1.0, &UNDERFLOW).unwrap();
        assert_eq!((found.n_fallback_rows().unwrap(), found.weights.dims()), (1, &[3, 2][..]));
        assert_eq!(found.weights.to_vec2::<f32>().unwrap()[1], [0.5, 0.5]);
    }
}
