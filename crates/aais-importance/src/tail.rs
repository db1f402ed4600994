//! Gradients without those samples whose weights hardly count.

use candle_core::{DType, Device, Result, Tensor, bail};

/// Values whose gradient passes through the heavy samples only.
#[derive(Clone, Debug)]
pub struct TailStopped {
    /// `(B, M)`, the values as they were.
    pub values: Tensor,
    /// Share of each row's samples that pass a gradient on, `(B,)`.
    pub kept: Tensor,
}

/// The same values, of which only the fewest samples that carry all but `tail` of their row's weight pass a gradient on.
///
/// Values and weights, normalized, are `(B, M)`. Of equal weights the first samples are kept; a row with a NaN keeps all.
/// A gradient `Σᵢ wᵢ ∇fᵢ` then misses at most `tail · maxᵢ |∇fᵢ|`, row by row and for every norm, and the work of the
/// samples that are left out can be saved: the gradient of their values is exactly zero.
/// At `tail = 0` nothing changes, not even for samples without weight.
///
/// # Errors
///
/// If `tail` is not in `[0, 1)`, or the shapes differ or are not `(B, M)`.
pub fn stop_tail(values: &Tensor, weights: &Tensor, tail: f64) -> Result<TailStopped> {
    let (n_rows, n_samples) = weights.dims2()?;
    if !(0.0..1.0).contains(&tail) {
        bail!("the tail of the weights is {tail}; expected a share from 0 up and below 1")
    }
    if values.dims() != weights.dims() {
        bail!("values are {:?} and weights {:?}; expected one shape", values.dims(), weights.dims())
    }
    if tail == 0.0 {
        let kept = Tensor::ones(n_rows, weights.dtype(), weights.device())?;
        return Ok(TailStopped { values: values.clone(), kept });
    }

    let rows: Vec<Vec<f64>> = weights.detach().to_dtype(DType::F64)?.to_vec2()?;
    let heavy: Vec<u8> = rows.iter().flat_map(|weights| heavy(weights, tail)).collect();
    let heavy = Tensor::from_vec(heavy, (n_rows, n_samples), &Device::Cpu)?.to_device(values.device())?;
    let kept = heavy.to_dtype(weights.dtype())?.mean(1)?;
    Ok(TailStopped { values: heavy.where_cond(values, &values.detach())?, kept })
}

/// One for each sample that is kept of a row, zero for the others.
fn heavy(weights: &[f64], tail: f64) -> Vec<u8> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| weights[a].total_cmp(&weights[b]).then(b.cmp(&a)));

    let most = tail * weights.iter().sum::<f64>();
    let mut heavy = vec![1; weights.len()];
    let mut left_out = 0.0;
    for sample in order {
        left_out += weights[sample];
        if left_out <= most {
            heavy[sample] = 0;
        } else {
            break; // Or one of them is NaN.
        }
    }
    heavy
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use candle_core::Var;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::rows;
    use crate::{self_normalized, weights};

    /// Which samples pass a gradient on.
    fn passing(weights: &Tensor, tail: f64) -> Vec<Vec<f64>> {
        let values = Var::from_tensor(&weights.ones_like().unwrap()).unwrap();
        let stopped = stop_tail(&values, weights, tail).unwrap();
        stopped.values.sum_all().unwrap().backward().unwrap().get(&values).unwrap().to_vec2().unwrap()
    }

    #[test]
    fn the_fewest_samples_that_carry_the_rest_are_kept() {
        let weights = rows(&[[0.05, 0.6, 0.05, 0.3], [0.25, 0.25, 0.25, 0.25]]);
        assert_eq!(passing(&weights, 0.04), [[1.0; 4], [1.0; 4]]);
        assert_eq!(passing(&weights, 0.07), [[1.0, 1.0, 0.0, 1.0], [1.0; 4]]); // Of two equal ones the first.
        assert_eq!(passing(&weights, 0.26), [[0.0, 1.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0]]);
        assert_eq!(passing(&weights, 0.99), [[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]);
    }

    #[test]
    fn values_stay_and_the_kept_share_is_told() {
        let (values, weights) = (rows(&[[1.0, -2.0, 3.0, 4.0]]), rows(&[[0.05, 0.6, 0.05, 0.3]]));
        let stopped = stop_tail(&values, &weights, 0.2).unwrap();
        assert_eq!(stopped.values.to_vec2::<f64>().unwrap(), values.to_vec2::<f64>().unwrap());
        assert_eq!(stopped.kept.to_vec1::<f64>().unwrap(), [0.5]);
    }

    #[test]
    fn no_tail_keeps_samples_without_weight() {
        assert_eq!(passing(&rows(&[[0.0, 1.0]]), 0.0), [[1.0, 1.0]]);
        assert_eq!(passing(&rows(&[[0.0, 1.0]]), 1e-9), [[0.0, 1.0]]);
    }

    #[test]
    fn a_row_with_nan_keeps_all() {
        assert_eq!(passing(&rows(&[[0.1, f64::NAN, 0.0], [0.1, 0.9, 0.0]]), 0.2), [[1.0; 3], [0.0, 1.0, 0.0]]);
    }

    #[test]
    fn tails_and_shapes_that_cannot_be_are_told() {
        let weights = rows(&[[0.5, 0.5]]);
        for tail in [-0.1, 1.0, f64::NAN] {
            let error = stop_tail(&weights, &weights, tail).unwrap_err();
            assert!(error.to_string().contains("below 1"), "{error}");
        }
        assert!(stop_tail(&rows(&[[1.0, 2.0, 3.0]]), &weights, 0.1).is_err());
    }

    proptest! {
        #[test]
        fn the_gradient_misses_at_most_the_tail_of_the_longest(
            logs in prop::collection::vec(-12.0..0.0f64, 20),
            slopes in prop::collection::vec(-5.0..5.0f64, 20),
            tail in 1e-6..0.5f64,
        ) {
            let weights = weights(&Tensor::from_vec(logs, (1, 20), &Device::Cpu).unwrap(), 1.0).unwrap();
            let slopes = Tensor::from_vec(slopes, (1, 20), &Device::Cpu).unwrap();
            let x = Var::from_tensor(&rows(&[[0.3]])).unwrap();
            let gradient = |tail: f64| {
                let values = slopes.broadcast_mul(&x).unwrap();
                let values = stop_tail(&values, &weights, tail).unwrap().values;
                let estimate = self_normalized(&weights, &values).unwrap().sum_all().unwrap();
                estimate.backward().unwrap().get(&x).unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap()
            };
            let steepest = slopes.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
            let missed = (gradient(0.0) - gradient(tail)).abs();
            // Roundings of 20 terms of order one.
            prop_assert!(missed <= tail * steepest + 1e-13, "{missed} of {}", tail * steepest);
        }
    }
}
