//! The signal with two modes. Paper, Section 4.2.2.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, positive};
use crate::exponential::{self, Exponential};
use crate::mt19937::LegacyRandom;
use crate::signals::{Component, SignalData, observe};

/// `u` from a stratified mixture of normal distributions, `x = u + e` with `e ~ N(0, noise_std²)`. Deviation 12.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mixture {
    /// The mixture; rows come in this order, and in these numbers exactly.
    pub components: Vec<Component>,
    /// Standard deviation of the noise.
    pub noise_std: f64,
    /// Where the random numbers come from.
    pub stream: Stream,
}

/// Where a draw's random numbers start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Stream {
    /// At the beginning of a stream of its own.
    Seed(u32),
    /// Where another draw stopped, as in the paper's script.
    After(Exponential),
}

impl Mixture {
    /// The published draw: 2,000 rows of `N(0, 0.5²)`, 3,000 of `N(3, 0.5²)`, standard normal noise, on the stream of
    /// [`Exponential::paper`].
    #[must_use]
    pub fn paper() -> Self {
        let low = Component { n_rows: 2000, mean: 0.0, std: 0.5 };
        let high = Component { n_rows: 3000, mean: 3.0, std: 0.5 };
        Self { components: vec![low, high], noise_std: 1.0, stream: Stream::After(Exponential::paper()) }
    }

    fn check(&self) -> Result<()> {
        self.components.iter().try_for_each(Component::check)?;
        positive("noise_std", self.noise_std)?;
        if self.components.iter().all(|component| component.n_rows == 0) { Err(Error::NoRows) } else { Ok(()) }
    }
}

/// Draws the signal component by component, and then the noise.
///
/// # Errors
/// No rows, a mean that is not finite, or a scale that is not positive and finite.
pub fn mixture(settings: &Mixture) -> Result<SignalData> {
    settings.check()?;
    let mut random = match &settings.stream {
        Stream::Seed(seed) => LegacyRandom::new(*seed),
        Stream::After(earlier) => exponential::draw(earlier)?.1,
    };
    let signal = settings.components.iter().flat_map(|component| component.draw(&mut random)).collect();
    Ok(observe(signal, settings.noise_std, &mut random))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn rows_are_stratified() {
        let signal = mixture(&Mixture::paper()).unwrap().signal;
        assert_eq!(signal.dim(), (5000, 1));
        // 1.5 is three standard deviations from either mean.
        let strays = signal.iter().enumerate().filter(|(row, u)| (*row < 2000) != (**u < 1.5)).count();
        assert!(strays < 25, "{strays} rows lie across the middle"); // 6.7 expected, sd 2.6.
    }

    #[test]
    fn a_stream_of_its_own_is_another_draw() {
        let own = Mixture { stream: Stream::Seed(42), ..Mixture::paper() };
        assert_ne!(mixture(&own).unwrap(), mixture(&Mixture::paper()).unwrap());
    }

    #[test]
    fn settings_are_read_from_a_table() {
        let table = r#"{
            "components": [{"n_rows": 2000, "mean": 0, "std": 0.5}, {"n_rows": 3000, "mean": 3, "std": 0.5}],
            "noise_std": 1,
            "stream": {"after": {"mean": 2, "n_rows": 5000, "noise_std": 1, "seed": 42}}
        }"#;
        assert_eq!(serde_json::from_str::<Mixture>(table).unwrap(), Mixture::paper());

        let unknown = table.replace("noise_std", "noise");
        assert!(serde_json::from_str::<Mixture>(&unknown).is_err());
    }

    #[test]
    fn bad_settings_are_refused() {
        let with = |component| mixture(&Mixture { components: vec![component], ..Mixture::paper() });
        let good = Component { n_rows: 1, mean: 0.0, std: 1.0 };
        assert!(with(good).is_ok());
        assert_eq!(with(Component { std: 0.0, ..good }), Err(Error::NotPositive { name: "std", value: 0.0 }));
        let infinite = Component { mean: f64::INFINITY, ..good };
        assert_eq!(with(infinite), Err(Error::NotFinite { name: "mean", value: f64::INFINITY }));
        assert_eq!(with(Component { n_rows: 0, ..good }), Err(Error::NoRows));

        assert_eq!(mixture(&Mixture { components: vec![], ..Mixture::paper() }), Err(Error::NoRows));
        assert!(mixture(&Mixture { noise_std: -1.0, ..Mixture::paper() }).is_err());
        let empty = Stream::After(Exponential { n_rows: 0, ..Exponential::paper() });
        assert_eq!(mixture(&Mixture { stream: empty, ..Mixture::paper() }), Err(Error::NoRows));
    }
}
