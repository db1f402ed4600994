//! A signal of one coordinate seen through Gaussian noise. Paper, section 4.2.2.

use std::collections::BTreeMap;

use aais_datasets::{Component, Exponential, Mixture, SignalData, Stream, standardize};
use aais_metrics::{ks_statistic_one_sample, lower_edge, negative_share, wasserstein_1};
use aais_models::LatentModel;
use anyhow::Result;
use ndarray::Array2;
use statrs::distribution::{ContinuousCDF, Exp, Normal};

use super::{Observation, Prepared, Truth, bins, histogram, test_seed};
use crate::cell::{Generated, Outcome};
use crate::config::Evaluate;

/// The signal of the training data, its law, and how the data were standardized.
struct Signal {
    values: Vec<f64>,
    law: Law,
    mean: f64,
    sd: f64,
    fresh: Fresh,
}

/// What to draw for data of the same law that training has not seen.
enum Fresh {
    Exponential(Exponential),
    Mixture(Mixture),
}

/// The true law of a signal.
enum Law {
    Exponential(Exp),
    Mixture(Vec<(f64, Normal)>),
}

impl Law {
    fn cdf(&self, x: f64) -> f64 {
        match self {
            Self::Exponential(law) => law.cdf(x),
            Self::Mixture(parts) => parts.iter().map(|(share, law)| share * law.cdf(x)).sum(),
        }
    }

    fn mixture(components: &[Component]) -> Result<Self> {
        #[expect(clippy::cast_precision_loss, reason = "rows are far below 2^52")]
        let rows = |component: &Component| component.n_rows as f64;
        let total: f64 = components.iter().map(rows).sum();
        let part = |c: &Component| Ok((rows(c) / total, Normal::new(c.mean, c.std)?));
        Ok(Self::Mixture(components.iter().map(part).collect::<Result<_>>()?))
    }
}

pub(super) fn exponential(settings: &Exponential) -> Result<Prepared> {
    let law = Law::Exponential(Exp::new(1.0 / settings.mean)?);
    let fresh = Fresh::Exponential(Exponential { seed: test_seed(&settings.seed), ..*settings });
    prepare(&aais_datasets::exponential(settings)?, law, settings.noise_std, fresh)
}

pub(super) fn mixture(settings: &Mixture) -> Result<Prepared> {
    let seed = match &settings.stream {
        Stream::Seed(seed) => test_seed(seed),
        Stream::After(before) => test_seed(&before.seed),
    };
    let fresh = Fresh::Mixture(Mixture { stream: Stream::Seed(seed), ..settings.clone() });
    prepare(&aais_datasets::mixture(settings)?, Law::mixture(&settings.components)?, settings.noise_std, fresh)
}

fn prepare(data: &SignalData, law: Law, noise_std: f64, fresh: Fresh) -> Result<Prepared> {
    let standardized = standardize(&data.observed)?;
    let (mean, sd) = (standardized.mean, standardized.sd);
    let truth = Signal { values: data.signal.iter().copied().collect(), law, mean, sd, fresh };
    let variance = (noise_std / sd).powi(2);
    Ok(Prepared::of(standardized.values, Observation::Normal { variance }, truth))
}

impl Truth for Signal {
    fn judge(&self, generated: &[Vec<f64>], _: &LatentModel, evaluate: &Evaluate) -> Result<Outcome> {
        let sample: Vec<f64> = generated.iter().map(|row| row[0] * self.sd + self.mean).collect();
        let metrics = BTreeMap::from([
            ("ks".to_owned(), ks_statistic_one_sample(&sample, |x| self.law.cdf(x))?),
            ("wd".to_owned(), wasserstein_1(&sample, &self.values)?),
            ("fp".to_owned(), negative_share(&sample)?),
            ("edge".to_owned(), lower_edge(&sample)?),
        ]);
        Ok(Outcome { metrics, generated: histogram(&sample, bins(evaluate)?) })
    }

    /// In the units of the training data.
    fn test_rows(&self) -> Result<Option<Array2<f64>>> {
        let data = match &self.fresh {
            Fresh::Exponential(settings) => aais_datasets::exponential(settings)?,
            Fresh::Mixture(settings) => aais_datasets::mixture(settings)?,
        };
        Ok(Some(data.observed.mapv(|x| (x - self.mean) / self.sd)))
    }

    fn reference(&self, evaluate: &Evaluate) -> Result<Option<Generated>> {
        Ok(Some(histogram(&self.values, bins(evaluate)?)))
    }
}
