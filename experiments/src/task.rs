//! The data of an experiment as its model sees them, and what a trained model is judged by.

use std::collections::BTreeMap;

use aais_datasets::{Component, circle, exponential, mixture, standardize};
use aais_distributions::Noise;
use aais_metrics::{
    ks_statistic_one_sample, lower_edge, mean_radius_error, negative_share, share_inside, wasserstein_1,
};
use aais_models::{Architecture, LatentModel, Normal};
use anyhow::{Result, bail};
use candle_core::{Device, Tensor};
use ndarray::Array2;
use statrs::distribution::{ContinuousCDF, Exp, Normal as NormalLaw};

use crate::cell::{Generated, Outcome};
use crate::config::{Bins, Config, Data, Evaluate};

/// A data set ready for training, with the truth to compare with.
pub struct Prepared {
    /// `(N, D)`, standardized where the task says so.
    observed: Array2<f64>,
    noise_variance: f64,
    truth: Truth,
    evaluate: Evaluate,
}

enum Truth {
    Signal { values: Vec<f64>, law: Law, mean: f64, sd: f64 },
    Circle { points: Vec<[f64; 2]> },
}

/// The true law of a signal.
enum Law {
    Exponential(Exp),
    Mixture(Vec<(f64, NormalLaw)>),
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
        let part = |c: &Component| Ok((rows(c) / total, NormalLaw::new(c.mean, c.std)?));
        Ok(Self::Mixture(components.iter().map(part).collect::<Result<_>>()?))
    }
}

impl Prepared {
    /// Draws the data of a config and brings them into the model's units. Deviation 13.
    ///
    /// # Errors
    /// If a setting of the data is out of range.
    pub fn new(config: &Config) -> Result<Self> {
        let evaluate = config.evaluate.clone();
        let (data, law, noise_std) = match &config.data {
            Data::Exponential(settings) => {
                (exponential(settings)?, Law::Exponential(Exp::new(1.0 / settings.mean)?), settings.noise_std)
            }
            Data::Mixture(settings) => (mixture(settings)?, Law::mixture(&settings.components)?, settings.noise_std),
            Data::Circle(settings) => {
                let points = circle(&settings.draw())?.points;
                let truth = Truth::Circle { points: points.rows().into_iter().map(|row| [row[0], row[1]]).collect() };
                let noise_variance = settings.noise_variance;
                return Ok(Self { observed: points, noise_variance, truth, evaluate });
            }
        };
        let standardized = standardize(&data.observed)?;
        let (mean, sd) = (standardized.mean, standardized.sd);
        let truth = Truth::Signal { values: data.signal.iter().copied().collect(), law, mean, sd };
        let noise_variance = (noise_std / sd).powi(2);
        Ok(Self { observed: standardized.values, noise_variance, truth, evaluate })
    }

    /// The data, `(N, D)`, in single precision.
    ///
    /// # Errors
    /// If the tensor cannot be made.
    pub fn tensor(&self, device: &Device) -> Result<Tensor> {
        #[expect(clippy::cast_possible_truncation, reason = "training is in single precision")]
        let values: Vec<f32> = self.observed.iter().map(|value| *value as f32).collect();
        Ok(Tensor::from_vec(values, self.observed.dim(), device)?)
    }

    /// A freshly initialized model of a seed.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub fn model(&self, architecture: Architecture, seed: u64, device: &Device) -> Result<LatentModel> {
        let likelihood = Box::new(Normal { variance: self.noise_variance });
        Ok(LatentModel::new(architecture, likelihood, &Noise::new(seed).fork("init"), device)?)
    }

    /// Generates from a model and measures. Deviation 14.
    ///
    /// # Errors
    /// If the model generates something that is not finite.
    pub fn evaluate(&self, model: &LatentModel, seed: u64) -> Result<Outcome> {
        let mut noise = Noise::new(seed).fork("generate");
        let generated = model.generate(self.evaluate.n_generated, &mut noise)?.to_vec2::<f32>()?;
        match &self.truth {
            Truth::Signal { values, law, mean, sd } => {
                let sample: Vec<f64> = generated.iter().map(|row| f64::from(row[0]) * sd + mean).collect();
                let metrics = BTreeMap::from([
                    ("ks".to_owned(), ks_statistic_one_sample(&sample, |x| law.cdf(x))?),
                    ("wd".to_owned(), wasserstein_1(&sample, values)?),
                    ("fp".to_owned(), negative_share(&sample)?),
                    ("edge".to_owned(), lower_edge(&sample)?),
                ]);
                Ok(Outcome { metrics, generated: histogram(&sample, self.bins()?) })
            }
            Truth::Circle { .. } => {
                let points: Vec<[f64; 2]> =
                    generated.iter().map(|row| [f64::from(row[0]), f64::from(row[1])]).collect();
                let radius = self.evaluate.inside.unwrap_or_default();
                let metrics = BTreeMap::from([
                    ("radius_error".to_owned(), mean_radius_error(&points)?),
                    ("inside".to_owned(), share_inside(&points, radius)?),
                ]);
                Ok(Outcome { metrics, generated: some_points(&points, self.evaluate.n_points.unwrap_or_default()) })
            }
        }
    }

    /// The truth, summarized like a generated sample.
    ///
    /// # Errors
    /// If the config says nothing of bins.
    pub fn reference(&self) -> Result<Generated> {
        Ok(match &self.truth {
            Truth::Signal { values, .. } => histogram(values, self.bins()?),
            Truth::Circle { points } => {
                let n = self.evaluate.n_points.unwrap_or_default().max(1);
                let every = (points.len() / n).max(1);
                some_points(&points.iter().step_by(every).copied().collect::<Vec<_>>(), n)
            }
        })
    }

    fn bins(&self) -> Result<Bins> {
        let Some(bins) = self.evaluate.histogram else { bail!("a signal needs `evaluate.histogram`") };
        Ok(bins)
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "few bins")]
fn histogram(sample: &[f64], Bins { low, high, bins }: Bins) -> Generated {
    let (mut counts, mut below, mut above) = (vec![0; bins], 0, 0);
    for value in sample {
        if *value < low {
            below += 1;
        } else if *value >= high {
            above += 1;
        } else {
            let bin = ((value - low) / (high - low) * bins as f64) as usize;
            counts[bin.min(bins - 1)] += 1;
        }
    }
    Generated::Histogram { low, high, below, above, counts }
}

/// The first points, to four decimals.
fn some_points(points: &[[f64; 2]], n: usize) -> Generated {
    Generated::Points(points.iter().take(n).map(|point| point.map(|x| (x * 1e4).round() / 1e4)).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_likelihood_has_unit_variance_in_the_datas_units() {
        // `sd² / 2` of the published `x` (Deviation 13), and `1 / (2 · 0.01)` on the circle.
        for (target, half_precision) in [("table2", 2.412_622), ("table3", 1.738_279), ("figure1", 50.0)] {
            let prepared = Prepared::new(&Config::of(target).unwrap()).unwrap();
            assert!((0.5 / prepared.noise_variance - half_precision).abs() < 1e-6, "{target}");
        }
    }

    #[test]
    fn a_histogram_counts_every_value_once() {
        let bins = Bins { low: 0.0, high: 1.0, bins: 4 };
        let expected = Generated::Histogram { low: 0.0, high: 1.0, below: 1, above: 2, counts: vec![2, 0, 1, 1] };
        assert_eq!(histogram(&[-0.1, 0.0, 0.2, 0.5, 0.99, 1.0, 7.0], bins), expected);
    }
}
