//! Counts with a five-dimensional signal of Clayton dependence. Paper, section 4.2.3.

use std::collections::BTreeMap;
use std::path::Path;

use aais_datasets::{Counts, SignalData, observe_counts, published_copula};
use aais_distributions::{Clayton, Noise, ShiftedGamma};
use aais_metrics::{KendallDistribution, clayton_lambda, ks_statistic_one_sample, wasserstein_1};
use aais_models::LatentModel;
use anyhow::{Result, ensure};
use ndarray::Array2;

use super::{Observation, Prepared, Truth, bins, histogram, test_seed};
use crate::cell::{Generated, Outcome};
use crate::config::{Bins, CopulaData, CopulaDraw, Evaluate};

/// Where the authors' file lies in a data folder, gzipped or not.
const FILES: [&str; 2] = ["synthetic/copula.csv.gz", "synthetic/copula.csv"];

/// The law of the signal, the draw of the training data, and the fixed effects.
struct Copula {
    /// `(N, D)`.
    signal: Array2<f64>,
    margin: ShiftedGamma,
    theta: f64,
    beta: Vec<f64>,
    /// What to draw for data that training has not seen.
    fresh: CopulaData,
}

/// Takes the authors' own draw where it is below the folder, else one of our own of the same law.
pub fn find(settings: &mut CopulaData, folder: Option<&Path>) {
    let file = folder.and_then(|folder| FILES.iter().map(|file| folder.join(file)).find(|path| path.is_file()));
    settings.draw = Some(if file.is_some() { CopulaDraw::Published } else { CopulaDraw::Own });
    settings.file = file;
}

pub(super) fn prepare(settings: &CopulaData) -> Result<Prepared> {
    let [shape, scale, shift] = settings.margin;
    let margin = ShiftedGamma::new(shape, scale, shift)?;
    let width = settings.dimension;
    let (data, source) = match &settings.file {
        Some(path) => (published_copula(path)?, "the authors' draw (copula.csv)".to_owned()),
        None => {
            let source = format!("a draw of our own from the same law (seed {})", settings.counts.seed);
            (own_draw(settings)?, source)
        }
    };
    let SignalData { observed, signal } = data;
    let beta = settings.counts.beta.clone();
    ensure!(
        observed.ncols() == beta.len() + width + 1 && signal.ncols() == width,
        "the data have {} columns, `dimension` and `beta` ask for {}",
        observed.ncols(),
        beta.len() + width + 1
    );
    let observation = Observation::Poisson { n_fixed: beta.len() };
    let counts = Counts { seed: test_seed(&settings.counts.seed), ..settings.counts.clone() };
    let fresh = CopulaData { counts, ..settings.clone() };
    let mut prepared =
        Prepared::of(observed, observation, Copula { signal, margin, theta: settings.theta, beta, fresh });
    prepared.source = Some(source);
    Ok(prepared)
}

/// Data of the settings' law by the settings' seed.
fn own_draw(settings: &CopulaData) -> Result<SignalData> {
    let [shape, scale, shift] = settings.margin;
    let (copula, margin) = (Clayton::new(settings.theta)?, ShiftedGamma::new(shape, scale, shift)?);
    let mut noise = Noise::new(settings.counts.seed).fork("signal");
    let signal = copula.sample(settings.n_rows, settings.dimension, &mut noise).mapv(|u| margin.quantile(u));
    Ok(observe_counts(signal, &settings.counts)?)
}

impl Truth for Copula {
    fn judge(&self, generated: &[Vec<f64>], model: &LatentModel, evaluate: &Evaluate) -> Result<Outcome> {
        let width = self.signal.ncols();
        let columns: Vec<Vec<f64>> = (0..width).map(|j| generated.iter().map(|row| row[j]).collect()).collect();
        let mut metrics = BTreeMap::new();
        let (mut ks_sum, mut wd_sum) = (0.0, 0.0);
        for (j, sample) in columns.iter().enumerate() {
            let ks = ks_statistic_one_sample(sample, |x| self.margin.cdf(x))?;
            let wd = wasserstein_1(sample, &self.signal.column(j).to_vec())?;
            (ks_sum, wd_sum) = (ks_sum + ks, wd_sum + wd);
            metrics.insert(format!("ks_{}", j + 1), ks);
            metrics.insert(format!("wd_{}", j + 1), wd);
        }
        #[expect(clippy::cast_precision_loss, reason = "few coordinates")]
        let n = width as f64;
        metrics.insert("ks".to_owned(), ks_sum / n);
        metrics.insert("wd".to_owned(), wd_sum / n);
        metrics.insert("l1".to_owned(), self.l1(&columns[0], &columns[1])?); // The paper's pair. Deviation 26.
        metrics.insert("l1_pairs".to_owned(), self.mean_l1(&columns)?);
        let beta = model.likelihood_parameters().to_vec1::<f32>()?;
        let squares = beta.iter().zip(&self.beta).map(|(found, truth)| (f64::from(*found) - truth).powi(2));
        metrics.insert("beta_error".to_owned(), squares.sum::<f64>().sqrt());
        Ok(Outcome { metrics, generated: histogram(&columns[0], bins(evaluate)?) })
    }

    fn test_rows(&self) -> Result<Option<Array2<f64>>> {
        Ok(Some(own_draw(&self.fresh)?.observed))
    }

    /// The counts that the margin's law expects, so that they do not depend on the draw at hand.
    fn reference(&self, evaluate: &Evaluate) -> Result<Option<Generated>> {
        let Bins { low, high, bins } = bins(evaluate)?;
        #[expect(clippy::cast_precision_loss, reason = "few bins")]
        let edge = |k: usize| low + (high - low) * k as f64 / bins as f64;
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts"
        )]
        let expected = |probability: f64| (probability * evaluate.n_generated as f64).round() as u64;
        let counts = (0..bins).map(|k| expected(self.margin.cdf(edge(k + 1)) - self.margin.cdf(edge(k)))).collect();
        let (below, above) = (expected(self.margin.cdf(low)), expected(1.0 - self.margin.cdf(high)));
        Ok(Some(Generated::Histogram { low, high, below, above, counts }))
    }
}

impl Copula {
    fn l1(&self, first: &[f64], second: &[f64]) -> Result<f64> {
        Ok(KendallDistribution::new(first, second)?.lambda_l1(|t| clayton_lambda(self.theta, t)))
    }

    fn mean_l1(&self, columns: &[Vec<f64>]) -> Result<f64> {
        let mut distances = Vec::new();
        for (k, second) in columns.iter().enumerate() {
            for first in &columns[..k] {
                distances.push(self.l1(first, second)?);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "few pairs")]
        Ok(distances.iter().sum::<f64>() / distances.len().max(1) as f64)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aais_models::Architecture;
    use candle_core::Device;

    use super::*;
    use crate::config::{Config, Data};

    fn settings() -> (CopulaData, Evaluate) {
        let config = Config::of("table4").unwrap();
        let Data::Copula(settings) = config.data else { panic!("table4 has other data") };
        (settings, config.evaluate)
    }

    /// Draws from the true law have the floors of every metric.
    #[test]
    fn the_truth_itself_is_at_the_noise_floor() {
        let (mut settings, evaluate) = settings();
        find(&mut settings, None);
        let model = {
            let architecture = Architecture::paper("copula").unwrap();
            prepare(&settings).unwrap().model(architecture, 1, &Device::Cpu).unwrap()
        };
        let truth = |seed| {
            let margin = ShiftedGamma::new(2.0, 1.0, -2.0).unwrap();
            Clayton::new(2.0).unwrap().sample(10_000, 5, &mut Noise::new(seed)).mapv(|u| margin.quantile(u))
        };
        let margin = ShiftedGamma::new(2.0, 1.0, -2.0).unwrap();
        let copula =
            Copula { signal: truth(1), margin, theta: 2.0, beta: settings.counts.beta.clone(), fresh: settings };
        let generated: Vec<Vec<f64>> = truth(2).rows().into_iter().map(|row| row.to_vec()).collect();
        let outcome = copula.judge(&generated, &model, &evaluate).unwrap();
        // KS of 10,000 draws has mean .0087; the mean of five dependent ones stays below .0195, one draw's 1 in 1,000.
        assert!(outcome.metrics["ks"] < 0.0195 && outcome.metrics["wd"] < 0.08, "{:?}", outcome.metrics);
        // .0018 +- .0003 over draws.
        assert!(outcome.metrics["l1"] < 0.004 && outcome.metrics["l1_pairs"] < 0.004, "{:?}", outcome.metrics);
        let Some(Generated::Histogram { counts, above, .. }) = copula.reference(&evaluate).unwrap() else { panic!() };
        let total = counts.iter().sum::<u64>() + above;
        assert!((9_980..=10_020).contains(&total), "{total}"); // Each bin is rounded.
    }

    #[test]
    fn a_plain_correlated_normal_is_further_away() {
        let (settings, evaluate) = settings();
        let margin = ShiftedGamma::new(2.0, 1.0, -2.0).unwrap();
        let copula = Copula {
            signal: Array2::zeros((10, 5)),
            margin,
            theta: 2.0,
            beta: settings.counts.beta.clone(),
            fresh: settings,
        };
        let normals = Noise::new(3).standard_normal(&[10_000, 3], &Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
        // Correlation .7, whose tau is that of theta 2.
        let pairs = normals.iter().map(|row| row.iter().copied().map(f64::from).collect::<Vec<_>>());
        let (root, rest) = (0.7_f64.sqrt(), 0.3_f64.sqrt());
        let (first, second): (Vec<f64>, Vec<f64>) =
            pairs.map(|z| (root * z[0] + rest * z[1], root * z[0] + rest * z[2])).unzip();
        let l1 = copula.l1(&first, &second).unwrap();
        assert!((l1 - 0.027).abs() < 0.004, "{l1}");
        assert!(evaluate.n_generated == 10_000);
    }
}
