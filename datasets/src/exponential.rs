//! The exponential signal. Paper, Section 4.2.2.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, positive};
use crate::mt19937::LegacyRandom;
use crate::signals::{SignalData, observe};

/// `u ~ Exp(mean)`, `x = u + e` with `e ~ N(0, noise_std²)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    /// Mean of the signal, which is also numpy's `scale`.
    pub mean: f64,
    /// Observations.
    pub n_rows: usize,
    /// Standard deviation of the noise.
    pub noise_std: f64,
    /// Seed of the legacy generator.
    pub seed: u32,
}

impl Exponential {
    /// The published draw: 5,000 rows, mean 2, standard normal noise, seed 42.
    #[must_use]
    pub const fn paper() -> Self {
        Self { mean: 2.0, n_rows: 5000, noise_std: 1.0, seed: 42 }
    }

    fn check(&self) -> Result<()> {
        positive("mean", self.mean)?;
        positive("noise_std", self.noise_std)?;
        if self.n_rows == 0 { Err(Error::NoRows) } else { Ok(()) }
    }
}

/// Draws the exponential signal, all of it, and then the noise.
///
/// # Errors
/// No rows, or a scale that is not positive and finite.
pub fn exponential(settings: &Exponential) -> Result<SignalData> {
    Ok(draw(settings)?.0)
}

/// Draws the data and hands on the generator, from which another draw may continue.
pub(crate) fn draw(settings: &Exponential) -> Result<(SignalData, LegacyRandom)> {
    settings.check()?;
    let mut random = LegacyRandom::new(settings.seed);
    let signal = (0..settings.n_rows).map(|_| settings.mean * random.standard_exponential()).collect();
    let data = observe(signal, settings.noise_std, &mut random);
    Ok((data, random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signal_has_its_mean_and_the_noise_its_scale() {
        let settings = Exponential { mean: 3.0, n_rows: 200_000, noise_std: 0.5, seed: 1 };
        let data = exponential(&settings).expect("the settings are good");
        let mean = data.signal.mean().expect("there are rows");
        let noise_std = (&data.observed - &data.signal).std(0.0);
        assert!((mean - 3.0).abs() < 0.034, "{mean}"); // Five standard errors, 3 / √200,000 each.
        assert!((noise_std - 0.5).abs() < 0.004, "{noise_std}"); // Five of 0.5 / √400,000.
    }

    #[test]
    fn bad_settings_are_refused() {
        let paper = Exponential::paper();
        let negative = exponential(&Exponential { noise_std: -1.0, ..paper });
        assert_eq!(negative, Err(Error::NotPositive { name: "noise_std", value: -1.0 }));
        assert!(exponential(&Exponential { noise_std: f64::NAN, ..paper }).is_err());
        assert!(exponential(&Exponential { mean: 0.0, ..paper }).is_err());
        assert_eq!(exponential(&Exponential { n_rows: 0, ..paper }), Err(Error::NoRows));
    }
}
