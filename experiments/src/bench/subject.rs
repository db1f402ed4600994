//! What is timed: a task, a method, and the data they take.

use std::collections::BTreeSet;
use std::path::Path;

use aais_datasets::{cortex, highly_variable_genes, mnist};
use aais_distributions::Noise;
use aais_models::methods::{Aais, WeightGradient};
use aais_models::{
    Architecture, Bernoulli, LatentModel, Likelihood, NegativeBinomial, Objective, Schedule, TrainSettings, Trainer,
};
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use ndarray::Array2;

use crate::config::{Config, Method, Task};
use crate::task::Prepared;

/// Tasks of wide networks, which no table trains yet.
pub const WIDE: [&str; 2] = ["mnist", "cortex"];

/// Batches of an epoch of a wide task.
const WIDE_BATCHES: usize = 4;

/// Rows of their batches. Table 8.
const WIDE_ROWS: usize = 128;

/// Genes of the cortex that vary most. Table 8.
const N_GENES: usize = 1200;

/// Share of the weight that the second row of AAIS leaves out on wide tasks.
const WEIGHT_TAIL: f64 = 1e-4;

/// One row of the table: how it trains, and what its work is.
pub struct Subject {
    /// Name of the architecture.
    pub task: String,
    /// The row.
    pub method: String,
    /// The networks.
    pub architecture: Architecture,
    /// The optimizer and the batch.
    pub train: TrainSettings,
    /// Whole batches, so that every step is alike.
    pub data: Tensor,
    /// Samples a row.
    pub samples: usize,
    /// Points that a chain visits behind the first, each with its score; none for methods without chains.
    pub transitions: Option<usize>,
    /// As the peer calls it.
    pub likelihood: &'static str,
    /// Steps of the peer in each turn.
    pub peer_steps: usize,
    make: Box<dyn Fn() -> Result<(LatentModel, Box<dyn Objective>)>>,
}

impl Subject {
    /// A row of a target.
    ///
    /// # Errors
    /// If its data cannot be made.
    pub fn of(config: &Config, method: &Method) -> Result<Self> {
        let setting = |name: &str| method.settings.get(name).and_then(toml::Value::as_integer).map(usize::try_from);
        let prepared = Prepared::new(config)?;
        let (architecture, train) = (config.architecture_of(method)?, config.train_of(method).settings());
        let data = whole_batches(&prepared.tensor(&Device::Cpu)?, train.batch_size)?;
        let (own, networks) = (method.clone(), architecture.clone());
        Ok(Self {
            task: config.architecture.clone(),
            method: method.row.clone(),
            architecture,
            train,
            data,
            samples: setting("n_samples").transpose()?.unwrap_or(1),
            transitions: setting("n_transitions").transpose()?,
            likelihood: match config.task {
                Task::Signal | Task::Circle => "normal",
                Task::Copula => "poisson",
                Task::Answers => "logistic",
            },
            peer_steps: 30,
            make: Box::new(move || Ok((prepared.model(networks.clone(), 1, &Device::Cpu)?, own.objective()?))),
        })
    }

    /// AAIS on a task of wide networks, whole and without the tail of the weights, on data from a folder.
    ///
    /// # Errors
    /// If the data are not there.
    pub fn wide(task: &str, folder: &Path) -> Result<[Self; 2]> {
        let n_rows = WIDE_BATCHES * WIDE_ROWS;
        let (data, power, high) = match task {
            "mnist" => (mnist(folder)?.train.binarized().mapv(f32::from), 1.0, 1.0),
            _ => (cells(folder, n_rows)?, 1e-4, 1e-4),
        };
        let likelihood = if task == "mnist" { "bernoulli" } else { "negative-binomial" };
        let values: Vec<f32> = data.rows().into_iter().take(n_rows).flatten().copied().collect();
        let data = Tensor::from_vec(values, (n_rows, data.ncols()), &Device::Cpu)?;
        let subject = |method: &str, weight_tail: f64| -> Result<Self> {
            let architecture = Architecture::paper(task)?;
            let aais = Aais {
                n_samples: 100,
                beta: Schedule::Cyclical { low: 0.0, high, period: 25, ramp: 12 },
                power,
                fallback_below: f64::NEG_INFINITY,
                weight_gradient: WeightGradient::Published,
                weight_tail,
            };
            let networks = architecture.clone();
            let make = move || -> Result<(LatentModel, Box<dyn Objective>)> {
                let observation: Box<dyn Likelihood> = match networks.likelihood_parameters {
                    0 => Box::new(Bernoulli),
                    n_genes => Box::new(NegativeBinomial { n_genes }),
                };
                let noise = Noise::new(1).fork("init");
                let model = LatentModel::new(networks.clone(), observation, &noise, &Device::Cpu)?;
                Ok((model, Box::new(aais.clone())))
            };
            Ok(Self {
                task: task.to_owned(),
                method: method.to_owned(),
                architecture,
                train: TrainSettings {
                    batch_size: WIDE_ROWS,
                    learning_rate: 1e-3,
                    weight_decay: 0.0,
                    average_rate: 0.0,
                    join_equal_rows: false,
                },
                data: data.clone(),
                samples: 100,
                transitions: None,
                likelihood,
                peer_steps: 8,
                make: Box::new(make),
            })
        };
        Ok([subject("aais", 0.0)?, subject("aais-tail", WEIGHT_TAIL)?])
    }

    /// Ready for the first epoch.
    ///
    /// # Errors
    /// If the settings are out of range.
    pub fn trainer(&self) -> Result<Trainer> {
        let (model, objective) = (self.make)()?;
        Ok(Trainer::new(model, objective, self.train.clone(), self.data.clone(), Noise::new(1))?)
    }

    /// Steps of an epoch.
    ///
    /// # Errors
    /// If the data have no rows.
    pub fn n_steps(&self) -> Result<usize> {
        Ok(self.data.dim(0)? / self.train.batch_size)
    }

    /// Floating-point operations of the matrix products of one step, where `kept` of the samples are visited on the way back.
    ///
    /// Two operations a weight. Forward and backward: the value, the input's gradient, the weights'. A visited point of a
    /// differentiated chain has a pullback, a tangent and a second product for the weights besides.
    ///
    /// # Errors
    /// If the data are no matrix.
    #[expect(clippy::cast_precision_loss, reason = "a speed")]
    pub fn operations(&self, kept: f64) -> Result<f64> {
        let weights = |spec: aais_kernels::MlpSpec| -> usize {
            spec.parameters().iter().filter(|p| p.shape.len() == 2).map(|p| p.range.len()).sum()
        };
        let products = match self.transitions {
            None => 1.0 + 2.0 * kept,
            Some(transitions) => 6.0 * (transitions + 1) as f64,
        };
        let first_batch = self.data.narrow(0, 0, self.train.batch_size)?;
        let visited = if self.train.join_equal_rows { n_distinct(&first_batch)? } else { self.train.batch_size };
        let decoder = 2.0 * products * (self.samples * weights(self.architecture.decoder())) as f64;
        Ok(visited as f64 * (decoder + 6.0 * weights(self.architecture.encoder()) as f64))
    }
}

/// Counts of the genes that vary most in the first cells.
fn cells(folder: &Path, n_rows: usize) -> Result<Array2<f32>> {
    let counts = cortex(folder)?.counts;
    let counts = counts.select_genes(&highly_variable_genes(&counts, N_GENES)?)?;
    Ok(counts.dense_rows(&(0..n_rows).collect::<Vec<_>>())?)
}

fn whole_batches(data: &Tensor, batch_size: usize) -> Result<Tensor> {
    let n_rows = data.dim(0)? / batch_size * batch_size;
    data.narrow(0, 0, n_rows)?.contiguous().context("whole batches")
}

/// How many rows have contents of their own.
fn n_distinct(data: &Tensor) -> Result<usize> {
    let bits = |row: Vec<f32>| row.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    Ok(data.to_vec2::<f32>()?.into_iter().map(bits).collect::<BTreeSet<_>>().len())
}
