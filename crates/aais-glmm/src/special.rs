//! Special functions where a plain formula would overflow, vanish or cancel.

/// `log √(2π)`.
pub(crate) const LN_SQRT_2_PI: f64 = 0.918_938_533_204_672_8;

/// `log(1 + eˣ)`.
pub(crate) fn log_1p_exp(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `log Φ(x)` and `log Φ(−x)` of the standard normal distribution, each with a relative error near rounding.
///
/// The error functions of statrs 0.19 are off by up to 1e-10, too much beside derivatives.
pub(crate) fn log_normal_tails(x: f64) -> (f64, f64) {
    let distance = x.abs();
    let log_density = -0.5 * x * x - LN_SQRT_2_PI;
    let log_small = if distance < CENTRE {
        (0.5 - log_density.exp() * central_series(distance)).ln()
    } else {
        log_density - mills_denominator(distance).ln()
    };
    let log_large = (-log_small.exp()).ln_1p();
    if x < 0.0 { (log_small, log_large) } else { (log_large, log_small) }
}

/// Where the series of the centre, which cancels in the tail, meets the fraction of the tail, which is slow inside.
const CENTRE: f64 = 2.5;

/// `(Φ(x) − 1/2) / φ(x) = x + x³/3 + x⁵/(3·5) + …`. Abramowitz and Stegun, 26.2.11.
fn central_series(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    let mut odd = 3.0;
    while term > sum * f64::EPSILON / 4.0 {
        term *= x * x / odd;
        sum += term;
        odd += 2.0;
    }
    sum
}

/// `φ(x) / Φ(−x) = x + 1/(x + 2/(x + 3/(x + …)))`. Abramowitz and Stegun, 26.2.14.
fn mills_denominator(x: f64) -> f64 {
    // 60 levels leave less than rounding from 2.5 on, 12 from 10 on.
    let levels = if x < 10.0 { 60 } else { 12 };
    (1..=levels).rev().fold(x, |tail, level| x + f64::from(level) / tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_tail_is_exact_far_out() {
        // Abramowitz and Stegun, Table 26.2: −log₁₀ Q(x) to the digits printed there.
        for (x, digits) in [(10.0, 23.11805), (20.0, 88.56010), (40.0, 349.43701), (100.0, 2173.87154)] {
            let computed = -log_normal_tails(-x).0 / std::f64::consts::LN_10;
            assert!((computed - digits).abs() < 5.5e-6, "{x}: {computed}"); // Half a unit of the last digit.
        }
    }

    #[test]
    fn the_normal_tails_are_exact_in_the_centre() {
        // log(erfc(x / √2) / 2) by Python 3.11's math.
        let known = [
            (0.5, -1.1759117615936188),
            (1.0, -1.8410216450092634),
            (2.0, -3.783184333682031),
            (2.4999, -5.081366007354046),
            (2.5, -5.08164827727869),
            (8.0, -35.013437159914545),
        ];
        for (x, expected) in known {
            let (small, large) = log_normal_tails(-x);
            assert!((small - expected).abs() < 5e-14 * expected.abs(), "{x}: {small}"); // Rounding over a tail of 0.006.
            assert_eq!(log_normal_tails(x), (large, small));
            assert!((small.exp() + large.exp() - 1.0).abs() < 1e-15);
        }
    }

    #[test]
    fn softplus_does_not_overflow() {
        assert_eq!(log_1p_exp(1e4), 1e4);
        assert_eq!(log_1p_exp(-1e4), 0.0);
        assert!((log_1p_exp(0.0) - std::f64::consts::LN_2).abs() < 1e-16);
    }
}
