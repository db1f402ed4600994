//! Pareto-smoothed importance sampling, and its diagnostic of whether the weights can be trusted.
//!
//! Vehtari, Simpson, Gelman, Yao and Gabry 2024, "Pareto Smoothed Importance Sampling", Journal of Machine Learning
//! Research 25 (first version 2015, arXiv 1507.02646), cited as PSIS below.

use crate::error::Error;
use crate::generalized_pareto::GeneralizedPareto;

/// Log weights whose largest have been smoothed, and the shape of their tail.
#[derive(Clone, Debug, PartialEq)]
pub struct ParetoSmoothed {
    /// In the order and on the scale of the input, unnormalized.
    pub log_weights: Vec<f64>,
    /// `k̂`: how heavy the tail of the weights is. Their variance is infinite from `0.5`, their mean from `1`.
    ///
    /// `+∞` when there is no tail to judge: fewer than five draws stand above the rest, or all of those are equal.
    pub k_hat: f64,
}

impl ParetoSmoothed {
    /// Whether `k̂` is below [`reliable_k_hat`] for this number of samples.
    pub fn is_reliable(&self) -> bool {
        self.k_hat < reliable_k_hat(self.log_weights.len())
    }
}

/// Below which `k̂` an estimate from so many samples can be trusted: `min(1 − 1/log₁₀ S, 0.7)`.
///
/// PSIS, from its 2022 revision on. Not positive for ten samples or fewer.
pub fn reliable_k_hat(n_samples: usize) -> f64 {
    (1.0 - 1.0 / (n_samples as f64).log10()).min(0.7)
}

/// Smooths the largest of one row's weights and tells by `k̂` whether they can be trusted.
///
/// The `⌈min(0.2 S, 3 √S)⌉` largest of `S` weights are fitted by a generalized Pareto distribution, and replaced by its
/// quantiles in the same order, none above the largest raw weight. Weights that tie with the first one outside the tail
/// are left out of it, as are those `10³⁰⁷` times smaller than the largest.
/// If fewer than five remain, or all of them are equal, the weights are returned unchanged with `k̂ = +∞`.
/// This includes constant weights, which need no smoothing.
///
/// # Errors
///
/// If there are no log weights, or one is NaN or `+∞`; the error tells its index.
pub fn pareto_smooth(log_weights: &[f64]) -> Result<ParetoSmoothed, Error> {
    if log_weights.is_empty() {
        return Err(Error::Empty);
    }
    if let Some(index) = log_weights.iter().position(|value| value.is_nan() || *value == f64::INFINITY) {
        return Err(Error::Invalid { index, value: log_weights[index] });
    }

    let mut smoothed = ParetoSmoothed { log_weights: log_weights.to_vec(), k_hat: f64::INFINITY };
    let Some(tail) = Tail::of(log_weights) else { return Ok(smoothed) };

    let fit = GeneralizedPareto::fit(&tail.excesses);
    let n = tail.excesses.len() as f64;
    let fit = GeneralizedPareto { shape: (n * fit.shape + PRIOR_DRAWS * PRIOR_SHAPE) / (n + PRIOR_DRAWS), ..fit };
    smoothed.k_hat = fit.shape;

    for (rank, &index) in tail.indices.iter().enumerate() {
        let excess = fit.quantile((rank as f64 + 0.5) / n);
        let log_ratio = (tail.threshold + excess).ln(); // to the largest weight
        smoothed.log_weights[index] = tail.largest + log_ratio.min(0.0);
    }
    Ok(smoothed)
}

/// The prior on `k` is worth ten draws at `0.5`, as in PSIS.
const PRIOR_DRAWS: f64 = 10.0;
const PRIOR_SHAPE: f64 = 0.5;

/// Fewer draws than this have no shape. PSIS's authors' choice in their software.
const FEWEST_TAIL_DRAWS: usize = 5;

/// The largest weights as multiples of the very largest, so that nothing overflows.
struct Tail {
    /// The largest log weight.
    largest: f64,
    /// The largest weight outside the tail.
    threshold: f64,
    /// Positions of the tail's weights, ascending by weight.
    indices: Vec<usize>,
    /// How far they exceed the threshold: positive, ascending.
    excesses: Vec<f64>,
}

impl Tail {
    fn of(log_weights: &[f64]) -> Option<Self> {
        let n = log_weights.len();
        let n_tail = n.div_ceil(5).min((3.0 * (n as f64).sqrt()).ceil() as usize);
        let mut indices = (0..n).collect::<Vec<_>>();
        indices.sort_by(|&a, &b| log_weights[a].total_cmp(&log_weights[b]));

        let largest = log_weights[*indices.last()?];
        let outside = log_weights[*indices.get((n - n_tail).checked_sub(1)?)?];
        // Subnormal excesses would overflow when the fit divides by them.
        let log_threshold = (outside - largest).max(f64::MIN_POSITIVE.ln());

        let in_tail = |&index: &usize| log_weights[index] - largest > log_threshold;
        let indices = indices.split_off(n - n_tail).into_iter().filter(in_tail).collect::<Vec<_>>();
        let threshold = log_threshold.exp();
        let excess = |&index: &usize| threshold * (log_weights[index] - largest - log_threshold).exp_m1();
        let excesses = indices.iter().map(excess).collect::<Vec<_>>();

        let judgeable = excesses.len() >= FEWEST_TAIL_DRAWS && excesses.first() < excesses.last();
        judgeable.then_some(Self { largest, threshold, indices, excesses })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    //! Golden values are from the Python package ArviZ 0.23.4 (NumPy 2.4.6, Python 3.11), for `lw` as the test says:
    //!
    //! ```text
    //! lw = -0.7 * np.log(((7919 * np.arange(1000)) % 1000 + 0.5) / 1000)
    //! smoothed, k = arviz.psislw(lw, normalize=False)
    //! np.log(np.exp(smoothed - smoothed.max()).sum()) + smoothed.max()
    //! ```

    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn log_sum_exp(values: &[f64]) -> f64 {
        let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        largest + values.iter().map(|value| (value - largest).exp()).sum::<f64>().ln()
    }

    /// Log weights whose exact tail is Pareto with shape `k`.
    fn pareto_weights(k: f64, n_samples: usize, seed: u64) -> Vec<f64> {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        (0..n_samples).map(|_| -k * (1.0 - generator.random::<f64>()).ln()).collect()
    }

    #[test]
    fn smoothing_agrees_with_arviz() {
        let pareto = |k: f64, shift: f64| {
            (0..1000).map(|i| -k * ((f64::from(7919 * i % 1000) + 0.5) / 1000.0).ln() + shift).collect::<Vec<_>>()
        };
        let sine = (0..500).map(|i| 3.0 * f64::from(i).sin()).collect::<Vec<_>>();
        let parabola = (0..200).map(|i| -0.5 * (f64::from(i) - 37.7).powi(2) / 900.0).collect::<Vec<_>>();
        let golden = [
            (pareto(0.7, 0.0), 0.6706577683143464, (0, 5.218191057752743), 8.029136593365616),
            (pareto(0.9, -500.0), 0.8442664334030523, (691, -496.84382765593375), -491.37528754807823),
            (sine, -1.4297362152736388, (259, 2.961146816414281), 7.8081184717699585),
            (parabola, -1.2793046187861505, (23, -0.12225643255075137), 4.216784995865695),
        ];
        for (log_weights, k_hat, (index, smoothed), total) in golden {
            let found = pareto_smooth(&log_weights).unwrap();
            // ArviZ works with differences of exponentials, in which half the digits may cancel.
            assert!((found.k_hat - k_hat).abs() < 1e-8, "k-hat {} for {k_hat}", found.k_hat);
            assert!((found.log_weights[index] - smoothed).abs() < 1e-8, "{} for {smoothed}", found.log_weights[index]);
            assert!((log_sum_exp(&found.log_weights) - total).abs() < 1e-8, "total for {total}");
        }
    }

    #[test]
    fn k_hat_recovers_the_shape_of_pareto_weights() {
        let n_samples = 100_000;
        for (seed, k) in [(1, 0.2), (2, 0.5), (3, 0.9)] {
            let found = pareto_smooth(&pareto_weights(k, n_samples, seed)).unwrap();
            // Four standard errors (1 + k)/√n of maximum likelihood for the tail's 949 draws; the prior is worth 10.
            let bound = 4.0 * (1.0 + k) / 949_f64.sqrt() + 10.0 / 949.0 * (k - 0.5).abs();
            assert!((found.k_hat - k).abs() < bound, "k-hat {} for {k}", found.k_hat);
            assert_eq!(found.is_reliable(), k < 0.7);
        }
    }

    #[test]
    fn smoothing_keeps_the_order_and_the_raw_maximum() {
        for seed in 0..20 {
            let raw = pareto_weights(1.2, 300, seed);
            let smoothed = pareto_smooth(&raw).unwrap().log_weights;
            let mut order = (0..raw.len()).collect::<Vec<_>>();
            order.sort_by(|&a, &b| raw[a].total_cmp(&raw[b]));

            assert!(order.windows(2).all(|pair| smoothed[pair[0]] <= smoothed[pair[1]]), "seed {seed}");
            assert!(smoothed[order[299]] <= raw[order[299]], "seed {seed}");
            // The tail is the ⌈3 √300⌉ = 52 largest.
            assert!(order[..248].iter().all(|&i| smoothed[i] == raw[i]), "seed {seed}");
            assert!(order[248..].iter().filter(|&&i| smoothed[i] != raw[i]).count() > 40, "seed {seed}");
        }
    }

    #[test]
    fn k_hat_does_not_depend_on_scale_or_order() {
        let raw = pareto_weights(0.6, 1000, 5);
        let k_hat = pareto_smooth(&raw).unwrap().k_hat;
        let moved = raw.iter().rev().map(|value| value - 4096.0).collect::<Vec<_>>();
        // Moving by 4096 rounds the log weights by 5e-13.
        assert!((pareto_smooth(&moved).unwrap().k_hat - k_hat).abs() < 1e-9);
    }

    #[test]
    fn weights_without_a_tail_are_left_alone() {
        let one_above = [[0.0; 99].as_slice(), &[1.0]].concat();
        let equal_tail = [[0.0; 90].as_slice(), &[1.0; 10]].concat();
        let four_above = [[0.0; 96].as_slice(), &[1.0, 2.0, 3.0, 4.0]].concat();
        let few = (0..20).map(f64::from).collect::<Vec<_>>();
        let one_carries_all = (0..100).map(|i| if i == 50 { 0.0 } else { -1000.0 - f64::from(i) }).collect::<Vec<_>>();
        let vanished = vec![f64::NEG_INFINITY; 50];
        for raw in [one_above, equal_tail, four_above, few, one_carries_all, vanished, vec![-3.0; 1000], vec![7.0]] {
            let found = pareto_smooth(&raw).unwrap();
            assert_eq!((found.k_hat, &found.log_weights), (f64::INFINITY, &raw));
            assert!(!found.is_reliable());
        }
    }

    #[test]
    fn zero_and_extreme_weights_give_finite_results() {
        let with_zeros = |raw: Vec<f64>| [raw, vec![f64::NEG_INFINITY; 400]].concat();
        let steep = (0..100).map(|i| -15.0 * f64::from(i)).collect::<Vec<_>>();
        let ties = (0..200).map(|i| f64::from(i / 4)).collect::<Vec<_>>();
        let far = (0..100).map(|i| f64::from(i) * 1e306 - 5e307).collect::<Vec<_>>();
        for raw in [with_zeros(pareto_weights(0.3, 100, 1)), with_zeros(pareto_weights(0.3, 30, 2)), steep, ties, far] {
            let found = pareto_smooth(&raw).unwrap();
            assert!(!found.k_hat.is_nan());
            assert!(found.log_weights.iter().zip(&raw).all(|(new, old)| new.is_finite() == old.is_finite()), "{raw:?}");
        }
    }

    #[test]
    fn bad_log_weights_are_errors_that_name_the_first() {
        assert_eq!(pareto_smooth(&[]), Err(Error::Empty));
        let infinite = pareto_smooth(&[0.0, f64::INFINITY, f64::NAN]).unwrap_err();
        assert_eq!(infinite, Error::Invalid { index: 1, value: f64::INFINITY });
        let nan = pareto_smooth(&[f64::NEG_INFINITY, 1.0, f64::NAN]).unwrap_err();
        assert!(nan.to_string().starts_with("log weight 2 is NaN"), "{nan}");
    }

    #[test]
    fn few_samples_need_a_lighter_tail() {
        assert_eq!(reliable_k_hat(100), 0.5);
        assert!((reliable_k_hat(1000) - 2.0 / 3.0).abs() < 1e-15);
        assert_eq!(reliable_k_hat(100_000), 0.7);
        assert!(reliable_k_hat(1) < 0.0 && reliable_k_hat(10) == 0.0);
    }
}
