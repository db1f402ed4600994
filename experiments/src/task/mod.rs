//! The data of an experiment as its model sees them, and what a trained model is judged by.

mod circle;
mod copula;
mod cortex;
mod images;
mod signal;
mod verbagg;

use std::path::Path;

use aais_distributions::Noise;
use aais_models::{
    Architecture, Batch, Bernoulli, LatentModel, Likelihood, Logistic, NegativeBinomial, Normal, Poisson, ScviModel,
};
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use ndarray::Array2;

use crate::cell::{Generated, Outcome};
use crate::config::{Bins, Config, Data, Evaluate};

use cortex::Cells;
use images::Unseen;
pub use images::with_error_of;
pub use verbagg::{AnswerCell, Answers};

/// A data set ready for training, with the truth to compare with.
pub struct Prepared {
    /// `(N, D)`, standardized where the task says so.
    observed: Array2<f64>,
    observation: Observation,
    truth: Box<dyn Truth>,
    evaluate: Evaluate,
    source: Option<String>,
}

/// How the data arise from a signal.
#[derive(Clone, Copy)]
enum Observation {
    Normal { variance: f64 },
    Poisson { n_fixed: usize },
    Logistic,
    NegativeBinomial { n_genes: usize },
    Bernoulli,
}

/// What is known of a signal, and what follows for a sample of it.
trait Truth: Send + Sync {
    /// Numbers and a summary of a sample `(n, D)` that a model generated.
    fn judge(&self, generated: &[Vec<f64>], model: &LatentModel, evaluate: &Evaluate) -> Result<Outcome>;

    /// The truth, summarized like a generated sample; none where it is not known.
    fn reference(&self, evaluate: &Evaluate) -> Result<Option<Generated>>;

    /// Rows of the same law that training has not seen, `(N, D)` as the model sees them; none where there are no such.
    fn test_rows(&self) -> Result<Option<Array2<f64>>> {
        Ok(None)
    }

    /// Answers of yes and no, where the data are such.
    fn answers(&self) -> Option<&Answers> {
        None
    }

    /// Classes of cells, where the data are such; a model of them is judged by its latent vectors, not by what it generates.
    fn cells(&self) -> Option<&Cells> {
        None
    }

    /// Images that training has not seen, where the data are images; a model of them is judged by their reconstruction.
    fn unseen(&self) -> Option<&Unseen> {
        None
    }
}

impl Prepared {
    /// Draws or reads the data of a config and brings them into the model's units. Deviation 13.
    ///
    /// # Errors
    /// If a setting of the data is out of range, or a file is not the data set it should be.
    pub fn new(config: &Config) -> Result<Self> {
        let evaluate = config.evaluate.clone();
        let mut prepared = match &config.data {
            Data::Exponential(settings) => signal::exponential(settings)?,
            Data::Mixture(settings) => signal::mixture(settings)?,
            Data::Circle(settings) => circle::prepare(settings)?,
            Data::Copula(settings) => copula::prepare(settings)?,
            Data::VerbAgg {} => verbagg::prepare()?,
            Data::Cortex(settings) => cortex::prepare(settings)?,
            Data::Mnist(settings) => images::prepare(settings, Architecture::paper(&config.architecture)?.observed)?,
        };
        prepared.evaluate = evaluate;
        Ok(prepared)
    }

    fn of(observed: Array2<f64>, observation: Observation, truth: impl Truth + 'static) -> Self {
        let evaluate = Evaluate::default();
        Self { observed, observation, truth: Box::new(truth), evaluate, source: None }
    }

    /// Where the data come from, where they are not always made here.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
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
        let likelihood: Box<dyn Likelihood> = match self.observation {
            Observation::Normal { variance } => Box::new(Normal { variance }),
            Observation::Poisson { n_fixed } => Box::new(Poisson { n_fixed }),
            Observation::Logistic => Box::new(Logistic),
            Observation::NegativeBinomial { n_genes } => Box::new(NegativeBinomial { n_genes }),
            Observation::Bernoulli => Box::new(Bernoulli),
        };
        Ok(LatentModel::new(architecture, likelihood, &Noise::new(seed).fork("init"), device)?)
    }

    /// Generates from a model and measures, Deviation 14, or clusters its latent vectors, or reconstructs images.
    ///
    /// # Errors
    /// If the model generates something that is not finite.
    pub fn evaluate(&self, model: &LatentModel, seed: u64) -> Result<Outcome> {
        if self.truth.cells().is_some() {
            return self.judge_latent(model.propose(&self.all_rows(model.device())?)?.mean(), seed);
        }
        if let Some(unseen) = self.truth.unseen() {
            return unseen.judge(model, seed, &self.evaluate);
        }
        let mut noise = Noise::new(seed).fork("generate");
        let generated = model.generate(self.evaluate.n_generated, &mut noise)?.to_vec2::<f32>()?;
        let wide: Vec<Vec<f64>> = generated.iter().map(|row| row.iter().copied().map(f64::from).collect()).collect();
        self.truth.judge(&wide, model, &self.evaluate)
    }

    /// Clusters the latent vectors that scVI has for all cells.
    ///
    /// # Errors
    /// If the data are no cells, or a latent vector is not finite.
    pub fn evaluate_scvi(&self, model: &ScviModel, seed: u64) -> Result<Outcome> {
        self.judge_latent(model.propose(&self.all_rows(model.device())?)?.mean(), seed)
    }

    /// Clusters a representation of the cells, `(N, d)`, and compares clusters and classes.
    ///
    /// # Errors
    /// If the data are no cells, or a coordinate is not finite.
    pub fn judge_representation(&self, points: &Array2<f64>, seed: u64) -> Result<Outcome> {
        self.truth.cells().context("these data are no cells of known classes")?.judge(points, seed, &self.evaluate)
    }

    fn judge_latent(&self, latent: &Tensor, seed: u64) -> Result<Outcome> {
        let values: Vec<f64> = latent.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f64::from).collect();
        self.judge_representation(&Array2::from_shape_vec(latent.dims2()?, values)?, seed)
    }

    fn all_rows(&self, device: &Device) -> Result<Batch> {
        Ok(Batch::of_rows(self.tensor(device)?, (0..self.observed.nrows()).collect()))
    }

    /// Rows of the same law that training has not seen, `(N, D)` as the model sees them.
    ///
    /// # Errors
    /// If there are no such, or they cannot be drawn.
    pub fn test_rows(&self) -> Result<Array2<f64>> {
        self.truth.test_rows()?.context("there is no test data here; choose `--data train` or `--data simulated`")
    }

    /// The data as they are, `(N, D)`.
    pub fn counts(&self) -> &Array2<f64> {
        &self.observed
    }

    /// The truth, summarized like a generated sample; none where it is not known.
    ///
    /// # Errors
    /// If the config says nothing of bins.
    pub fn reference(&self) -> Result<Option<Generated>> {
        self.truth.reference(&self.evaluate)
    }

    /// Answers of yes and no, for models that are fitted to them.
    ///
    /// # Errors
    /// If the data are something else.
    pub fn answers(&self) -> Result<&Answers> {
        self.truth.answers().context("these data are no answers of yes and no")
    }
}

/// Looks for the files of a config's data below a folder, and notes in the config what was found.
pub fn find_data(config: &mut Config, folder: Option<&Path>) {
    match &mut config.data {
        Data::Copula(copula) => copula::find(copula, folder),
        Data::Cortex(cortex) => cortex::find(cortex, folder),
        Data::Mnist(images) => images::find(images, folder),
        _ => (),
    }
}

/// The truth that reports are drawn with, for which no file of data is needed; none where it is not known.
///
/// # Errors
/// As [`Prepared::new`] and [`Prepared::reference`].
pub fn reference(config: &Config) -> Result<Option<Generated>> {
    match config.data {
        Data::Cortex(_) | Data::Mnist(_) => Ok(None),
        _ => Prepared::new(config)?.reference(),
    }
}

/// The seed of fresh draws, where one is needed beside that of the training data.
fn test_seed<T: From<u16> + PartialEq>(training: &T) -> T {
    let [first, second] = [1042, 1043].map(T::from);
    if *training == first { second } else { first }
}

fn bins(evaluate: &Evaluate) -> Result<Bins> {
    evaluate.histogram.context("a signal needs `evaluate.histogram`")
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_likelihood_has_unit_variance_in_the_datas_units() {
        // `sd² / 2` of the published `x` (Deviation 13), and `1 / (2 · 0.01)` on the circle.
        for (target, half_precision) in [("table2", 2.412_622), ("table3", 1.738_279), ("figure1", 50.0)] {
            let prepared = Prepared::new(&Config::of(target).unwrap()).unwrap();
            let Observation::Normal { variance } = prepared.observation else { panic!("{target} is not normal") };
            assert!((0.5 / variance - half_precision).abs() < 1e-6, "{target}");
        }
    }

    /// As many rows, none of them in the training data, of the same mean and spread.
    #[test]
    fn test_rows_are_other_rows_of_the_same_law() {
        for target in ["table2", "table3", "table4", "figure1"] {
            let mut config = Config::of(target).unwrap();
            find_data(&mut config, None);
            let prepared = Prepared::new(&config).unwrap();
            let (train, test) = (prepared.counts(), prepared.test_rows().unwrap());
            assert_eq!(test.dim(), train.dim(), "{target}");
            assert!(test.column(0).iter().all(|x| train.column(0).iter().all(|y| x != y)), "{target}");
            // The counts have so heavy a tail that a few of them make up their spread.
            let [test, train] = [&test, train].map(|rows| rows.mapv(f64::asinh));
            for (test, train) in test.columns().into_iter().zip(train.columns()) {
                let n = f64::from(u32::try_from(train.len()).unwrap());
                let error = train.std(1.0) * (2.0 / n).sqrt();
                let means = [test.mean().unwrap(), train.mean().unwrap()];
                assert!((means[0] - means[1]).abs() < 4.0 * error, "{target}: {means:?}");
                assert!((test.std(1.0) / train.std(1.0) - 1.0).abs() < 0.05, "{target}");
            }
        }
        let message = Prepared::new(&Config::of("table7").unwrap()).unwrap().test_rows().unwrap_err().to_string();
        assert!(message.contains("--data train"), "{message}");
    }

    #[test]
    fn a_histogram_counts_every_value_once() {
        let bins = Bins { low: 0.0, high: 1.0, bins: 4 };
        let expected = Generated::Histogram { low: 0.0, high: 1.0, below: 1, above: 2, counts: vec![2, 0, 1, 1] };
        assert_eq!(histogram(&[-0.1, 0.0, 0.2, 0.5, 0.99, 1.0, 7.0], bins), expected);
    }
}
