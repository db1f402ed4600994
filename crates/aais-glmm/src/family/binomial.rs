//! Binomial data: the share of successes `y` at a probability `μ = g⁻¹(η)`.

use super::kernel::{Curves, Kernel, Slopes};
use crate::special::{LN_SQRT_2_PI, log_normal_tails};

/// `μ = 1 / (1 + e^−η)`.
pub(crate) struct Logit;

impl Kernel for Logit {
    #[inline]
    fn curves(&self, y: f64, eta: f64) -> Curves {
        let small = (-eta.abs()).exp();
        let larger = 1.0 / (1.0 + small);
        let mean = if eta >= 0.0 { larger } else { small * larger };
        let variance = small * larger * larger;
        // log(1 + e^η) = max(η, 0) + log(1 + e^−|η|).
        let value = y * eta - eta.max(0.0) - small.ln_1p();
        Curves { value, score: y - mean, observed: variance, expected: variance }
    }

    #[inline]
    fn value(&self, y: f64, eta: f64) -> f64 {
        y * eta - eta.max(0.0) - (-eta.abs()).exp().ln_1p()
    }

    fn slopes(&self, _y: f64, eta: f64) -> Slopes {
        let small = (-eta.abs()).exp();
        let larger = 1.0 / (1.0 + small);
        // μ (1 − μ) (1 − 2μ), and 1 − 2μ = −sign(η) (1 − e^−|η|) / (1 + e^−|η|).
        let slope = -eta.signum() * small * larger.powi(3) * (1.0 - small);
        Slopes { observed: slope, expected: slope }
    }

    fn mean(&self, eta: f64) -> f64 {
        let small = (-eta.abs()).exp();
        if eta >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) }
    }
}

/// `μ = Φ(η)`.
pub(crate) struct Probit;

/// `log Φ(η)`, `log Φ(−η)` and the ratios of the density to both, which stay finite where all three vanish.
struct Tails {
    log_below: f64,
    log_above: f64,
    below: f64,
    above: f64,
}

fn tails(eta: f64) -> Tails {
    let log_density = -0.5 * eta * eta - LN_SQRT_2_PI;
    let (log_below, log_above) = log_normal_tails(eta);
    Tails { log_below, log_above, below: (log_density - log_below).exp(), above: (log_density - log_above).exp() }
}

impl Kernel for Probit {
    fn curves(&self, y: f64, eta: f64) -> Curves {
        let Tails { log_below, log_above, below, above } = tails(eta);
        Curves {
            value: mix(y, log_below, log_above),
            score: y * below - (1.0 - y) * above,
            observed: y * below * (eta + below) + (1.0 - y) * above * (above - eta),
            expected: below * above,
        }
    }

    fn value(&self, y: f64, eta: f64) -> f64 {
        let (log_below, log_above) = log_normal_tails(eta);
        mix(y, log_below, log_above)
    }

    fn slopes(&self, y: f64, eta: f64) -> Slopes {
        let Tails { below, above, .. } = tails(eta);
        let (below_slope, above_slope) = (-below * (eta + below), above * (above - eta));
        let success = below_slope * (eta + below) + below * (1.0 + below_slope);
        let failure = above_slope * (above - eta) + above * (above_slope - 1.0);
        Slopes { observed: y * success + (1.0 - y) * failure, expected: below * above * (above - below - 2.0 * eta) }
    }

    fn mean(&self, eta: f64) -> f64 {
        log_normal_tails(eta).0.exp()
    }
}

/// `μ = 1 − exp(−e^η)`.
pub(crate) struct Cloglog;

impl Cloglog {
    /// `λ = e^η`, kept finite, and `λ / (e^λ − 1)`, the score of a success.
    fn hazard(eta: f64) -> (f64, f64) {
        let hazard = eta.min(700.0).exp();
        (hazard, if hazard < 1e-300 { 1.0 } else { hazard / hazard.exp_m1() })
    }

    /// `λ / (1 − e^−λ) − 1`, by its series where the difference would cancel.
    fn excess(hazard: f64, ratio: f64) -> f64 {
        if hazard < 1e-2 {
            let square = hazard * hazard;
            hazard / 2.0 + square / 12.0 * (1.0 - square / 60.0)
        } else {
            ratio + hazard - 1.0
        }
    }
}

impl Kernel for Cloglog {
    fn curves(&self, y: f64, eta: f64) -> Curves {
        let (hazard, ratio) = Self::hazard(eta);
        Curves {
            value: self.value(y, eta),
            score: y * ratio - (1.0 - y) * hazard,
            observed: y * ratio * Self::excess(hazard, ratio) + (1.0 - y) * hazard,
            expected: hazard * ratio,
        }
    }

    fn value(&self, y: f64, eta: f64) -> f64 {
        let hazard = eta.min(700.0).exp();
        // log(1 − e^−λ) = η + O(λ), the only form left once e^η has vanished.
        let log_success = if hazard < 1e-300 { eta } else { log_1m_exp(hazard) };
        mix(y, log_success, -hazard)
    }

    fn slopes(&self, y: f64, eta: f64) -> Slopes {
        let (hazard, ratio) = Self::hazard(eta);
        let excess = Self::excess(hazard, ratio);
        let ratio_slope = -ratio * excess;
        Slopes {
            observed: y * (ratio_slope * excess + ratio * (ratio_slope + hazard)) + (1.0 - y) * hazard,
            expected: hazard * ratio * (1.0 - excess),
        }
    }

    fn mean(&self, eta: f64) -> f64 {
        -(-eta.exp()).exp_m1()
    }
}

/// `log(1 − e^−λ)` for `λ > 0`.
fn log_1m_exp(hazard: f64) -> f64 {
    if hazard < std::f64::consts::LN_2 { (-(-hazard).exp_m1()).ln() } else { (-(-hazard).exp()).ln_1p() }
}

/// `y a + (1 − y) b`, where a share of zero does not meet an infinite logarithm.
fn mix(y: f64, success: f64, failure: f64) -> f64 {
    if y == 0.0 {
        failure
    } else if y == 1.0 {
        success
    } else {
        y * success + (1.0 - y) * failure
    }
}
