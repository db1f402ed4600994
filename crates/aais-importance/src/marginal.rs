//! The log of a mean weight in double precision, with the error of the estimate.

use crate::error::Error;

/// `log p(x)` of one row, estimated from the weights of its samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogMarginal {
    /// `log (1/M Σᵢ exp(log wᵢ))`. Its expectation lies below `log p(x)`, by `std_error² / 2` to first order.
    pub value: f64,
    /// `sd(w) / (mean(w) √M)`, the delta method's; `+∞` for a single weight and where all are zero.
    pub std_error: f64,
    /// `(Σ w)² / Σ w²`, Kish's; zero where all weights are.
    pub ess: f64,
}

/// [`LogMarginal`] of unnormalized log weights, one a sample.
///
/// The samples are independent. Where they are not, such as chains from one start, the value is as good and the error
/// is too small.
///
/// # Errors
///
/// If there are no log weights, or one is NaN or `+∞`; the error tells its index.
pub fn log_marginal(log_weights: &[f64]) -> Result<LogMarginal, Error> {
    if log_weights.is_empty() {
        return Err(Error::Empty);
    }
    if let Some(index) = log_weights.iter().position(|value| value.is_nan() || *value == f64::INFINITY) {
        return Err(Error::Invalid { index, value: log_weights[index] });
    }
    let largest = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return Ok(LogMarginal { value: largest, std_error: f64::INFINITY, ess: 0.0 });
    }

    let n = log_weights.len() as f64;
    let weights = log_weights.iter().map(|value| (value - largest).exp());
    let (sum, squares) = weights.clone().fold((0.0, 0.0), |(sum, squares), w| (sum + w, squares + w * w));
    let mean = sum / n;
    let variance = weights.map(|w| (w - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let std_error = if log_weights.len() == 1 { f64::INFINITY } else { (variance / n).sqrt() / mean };
    Ok(LogMarginal { value: largest + mean.ln(), std_error, ess: sum * sum / squares })
}

/// `log(share eᵃ + (1 - share) eᵇ)`, the log density of a mixture of two; a share of zero or one is `b` or `a` itself.
pub fn log_mixture(share: f64, a: f64, b: f64) -> f64 {
    if share == 0.0 {
        return b;
    }
    if share == 1.0 {
        return a;
    }
    let top = a.max(b);
    if top == f64::NEG_INFINITY {
        return top;
    }
    top + (share * (a - top).exp() + (1.0 - share) * (b - top).exp()).ln()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn equal_weights_have_no_error() {
        for shift in [0.0, 1e5, -1e5] {
            let found = log_marginal(&[shift; 8]).unwrap();
            assert_eq!((found.value, found.std_error, found.ess), (shift, 0.0, 8.0));
        }
    }

    #[test]
    fn the_value_is_the_log_of_the_mean_weight() {
        let found = log_marginal(&[1.0_f64.ln(), 2.0_f64.ln(), 6.0_f64.ln(), f64::NEG_INFINITY]).unwrap();
        assert!((found.value - 2.25_f64.ln()).abs() < 1e-15);
        // Weights 1, 2, 6, 0: mean 9/4, squared deviations 83/4 in all, so sd² = 83/12.
        assert!((found.std_error - (83.0 / 48.0_f64).sqrt() / 2.25).abs() < 1e-15);
        assert!((found.ess - 81.0 / 41.0).abs() < 1e-14);
    }

    /// Weights `exp(s ε - s²/2)` have mean one; the estimates' spread is what each of them says of itself.
    #[test]
    fn the_error_is_the_spread_over_repetitions() {
        let (s, n, repetitions) = (0.7, 400, 2000);
        let mut generator = ChaCha8Rng::seed_from_u64(3);
        let mut normal = || {
            let [u, v]: [f64; 2] = [1.0 - generator.random::<f64>(), generator.random()];
            (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
        };
        let mut draw = || (0..n).map(|_| s * normal() - 0.5 * s * s).collect::<Vec<_>>();
        let found: Vec<LogMarginal> = (0..repetitions).map(|_| log_marginal(&draw()).unwrap()).collect();

        let mean = |f: &dyn Fn(&LogMarginal) -> f64| found.iter().map(f).sum::<f64>() / f64::from(repetitions);
        let (value, said) = (mean(&|m| m.value), mean(&|m| m.std_error));
        let spread = mean(&|m| (m.value - value).powi(2)).sqrt();
        let exact = ((s * s).exp_m1() / f64::from(n)).sqrt(); // Variance of the weights: exp(s²) - 1.
        // Three standard errors of a standard deviation of 2,000 values are 5 %.
        assert!((spread / exact - 1.0).abs() < 0.05 && (said / exact - 1.0).abs() < 0.05, "{spread} {said} {exact}");
        // The bias is -exact² / 2 = -.0008; its standard error .0009.
        assert!((value + 0.5 * exact * exact).abs() < 3.0 * exact / f64::from(repetitions).sqrt(), "{value}");
    }

    #[test]
    fn one_weight_and_no_weight_have_no_known_error() {
        assert_eq!(log_marginal(&[-3.0]).unwrap().std_error, f64::INFINITY);
        let vanished = log_marginal(&[f64::NEG_INFINITY; 3]).unwrap();
        assert_eq!((vanished.value, vanished.ess), (f64::NEG_INFINITY, 0.0));
    }

    #[test]
    fn a_mixture_lies_between_its_parts() {
        let found = log_mixture(0.25, 2.0_f64.ln() + 800.0, 6.0_f64.ln() + 800.0);
        assert!((found - (5.0_f64.ln() + 800.0)).abs() < 1e-12, "{found}");
        // What has no share is not looked at, whatever it is.
        assert_eq!((log_mixture(0.0, f64::NAN, -3.0), log_mixture(1.0, -3.0, f64::INFINITY)), (-3.0, -3.0));
        assert_eq!(log_mixture(0.5, f64::NEG_INFINITY, f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert_eq!(log_mixture(0.5, f64::NEG_INFINITY, 0.0), 0.5_f64.ln());
    }

    #[test]
    fn what_is_no_weight_is_named() {
        assert_eq!(log_marginal(&[]), Err(Error::Empty));
        let infinite = log_marginal(&[0.0, f64::INFINITY]).unwrap_err();
        assert_eq!(infinite, Error::Invalid { index: 1, value: f64::INFINITY });
        assert!(log_marginal(&[f64::NAN]).is_err());
    }
}
