//! What a response is distributed as once the random effects are known.

mod binomial;
mod counts;
mod gamma;
mod kernel;
mod normalizer;
mod response;

pub(crate) use kernel::{Derivatives, Likelihood, Observed};
pub(crate) use normalizer::Normalizer;
pub(crate) use response::check_response;

/// Distribution and link of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Normal around the linear predictor: a linear mixed model. Weights divide the variance.
    Gaussian,
    /// Successes among trials; the response is their share, the weights are the trials.
    Binomial(BinomialLink),
    /// Counts with variance `μ`, log link.
    Poisson,
    /// Counts with variance `μ + μ²/size`, log link; the size is estimated.
    NegativeBinomial,
    /// Positive values with variance `μ²/shape`, log link; the shape is estimated. Weights multiply the shape.
    Gamma,
}

/// What the linear predictor of binomial data is of the probability `μ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinomialLink {
    /// `log(μ / (1 − μ))`, the canonical one.
    Logit,
    /// `Φ⁻¹(μ)`.
    Probit,
    /// `log(−log(1 − μ))`.
    Cloglog,
}

/// A row's log-likelihood and its derivatives in the linear predictor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowLikelihood {
    /// `ℓ(η)`, up to a constant.
    pub value: f64,
    /// `∂ℓ/∂η`.
    pub score: f64,
    /// `−∂²ℓ/∂η²`.
    pub information: f64,
}

/// Which second derivatives of the log-likelihood enter the Laplace approximation.
///
/// The two are equal for logit and Poisson, whose links are canonical, and for the Gaussian.
/// Elsewhere they are two different approximations of one integral; the mode is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Information {
    /// Their expectation over responses, Fisher's information: what lme4 does.
    #[default]
    Expected,
    /// Themselves, at the response seen: Laplace's method proper, and usually nearer to the integral.
    Observed,
}

impl Family {
    /// The mean at a linear predictor, `g⁻¹(η)`.
    pub fn mean(self, linear_predictor: f64) -> f64 {
        // The mean does not depend on the dispersion.
        self.likelihood(1.0).mean(linear_predictor)
    }

    /// The linear predictor at a mean, `g(μ)`.
    pub fn link(self, mean: f64) -> f64 {
        match self {
            Self::Gaussian => mean,
            Self::Binomial(BinomialLink::Logit) => (mean / (1.0 - mean)).ln(),
            Self::Binomial(BinomialLink::Probit) => {
                -std::f64::consts::SQRT_2 * statrs::function::erf::erfc_inv(2.0 * mean)
            }
            Self::Binomial(BinomialLink::Cloglog) => (-(-mean).ln_1p()).ln(),
            Self::Poisson | Self::NegativeBinomial | Self::Gamma => mean.ln(),
        }
    }

    /// Twice the log-likelihood lost by fitting `mean` instead of the response itself, for a weight of one.
    ///
    /// `dispersion` is the size of a negative binomial; no other family reads it.
    pub fn unit_deviance(self, response: f64, mean: f64, dispersion: f64) -> f64 {
        let (y, mu) = (response, mean);
        match self {
            Self::Gaussian => (y - mu).powi(2),
            Self::Binomial(_) => 2.0 * (y_log_ratio(y, mu) + y_log_ratio(1.0 - y, 1.0 - mu)),
            Self::Poisson => 2.0 * (y_log_ratio(y, mu) - (y - mu)),
            Self::NegativeBinomial => {
                let size = dispersion;
                2.0 * (y_log_ratio(y, mu) - (y + size) * ((y + size) / (mu + size)).ln())
            }
            Self::Gamma => 2.0 * ((y - mu) / mu - (y / mu).ln()),
        }
    }

    /// The signed root of the deviance of one response: `sign(y − μ) √(w d(y, μ))`.
    pub fn deviance_residual(self, response: f64, mean: f64, weight: f64, dispersion: f64) -> f64 {
        let deviance = weight * self.unit_deviance(response, mean, dispersion).max(0.0);
        (response - mean).signum() * deviance.sqrt()
    }

    /// One row's log-likelihood as a function of its linear predictor, for a weight of one.
    ///
    /// `dispersion` is the residual standard deviation, the size or the shape; the other families do not read it.
    /// Constants of the response are left out, and what depends on the dispersion alone.
    pub fn row(self, response: f64, linear_predictor: f64, dispersion: f64) -> RowLikelihood {
        let precision = if self == Self::Gaussian { dispersion.powi(-2) } else { 1.0 };
        let curves = self.likelihood(dispersion).curves(response, linear_predictor);
        RowLikelihood {
            value: precision * curves.value,
            score: precision * curves.score,
            information: precision * curves.observed,
        }
    }

    /// Whether a parameter beside the coefficients and the covariances is estimated with them.
    pub(crate) fn has_dispersion(self) -> bool {
        matches!(self, Self::NegativeBinomial | Self::Gamma)
    }

    /// Whether expected and observed information are the same.
    pub(crate) fn is_canonical(self) -> bool {
        matches!(self, Self::Gaussian | Self::Binomial(BinomialLink::Logit) | Self::Poisson)
    }

    /// The log-likelihood of a row, less its constant, at a size or shape.
    pub(crate) fn likelihood(self, dispersion: f64) -> Box<dyn Likelihood> {
        match self {
            Self::Gaussian => Box::new(kernel::Normal),
            Self::Binomial(BinomialLink::Logit) => Box::new(binomial::Logit),
            Self::Binomial(BinomialLink::Probit) => Box::new(binomial::Probit),
            Self::Binomial(BinomialLink::Cloglog) => Box::new(binomial::Cloglog),
            Self::Poisson => Box::new(counts::Poisson),
            Self::NegativeBinomial => Box::new(counts::NegativeBinomial { size: dispersion }),
            Self::Gamma => Box::new(gamma::Gamma { shape: dispersion }),
        }
    }
}

/// `y log(y / μ)`, zero at `y = 0`.
fn y_log_ratio(y: f64, mu: f64) -> f64 {
    if y == 0.0 { 0.0 } else { y * (y / mu).ln() }
}
