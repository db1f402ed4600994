//! What is timed: a task, a method, and the data they take.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use aais_datasets::mnist;
use aais_distributions::Noise;
use aais_kernels::MlpSpec;
use aais_models::methods::{Aais, WeightGradient};
use aais_models::{Architecture, Bernoulli, LatentModel, Objective, Schedule, TrainSettings, Trainer};
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};

use crate::config::{Config, Method, Task};
use crate::task::Prepared;

/// Rows of configs that are timed; AAIS first, for the others are compared with it.
const METHODS: [&str; 3] = ["aais", "amcvae", "lmcvae"];

/// Share of the weight that a second row of AAIS leaves out on MNIST. The weights of cells are too equal for that.
const WEIGHT_TAIL: f64 = 1e-4;

/// Batches of an epoch where networks are wide, on a processor.
const WIDE_BATCHES: usize = 4;

/// On a GPU, where an epoch ends with its numbers being read.
const GPU_BATCHES: usize = 64;

/// Steps of the peer in each turn; where networks are wide.
const PEER_STEPS: [usize; 2] = [30, 8];

/// A fresh model and its objective.
type Make = Box<dyn Fn() -> Result<(LatentModel, Box<dyn Objective>)>>;

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
    make: Make,
}

impl Subject {
    /// The rows of a config that are timed, AAIS first.
    ///
    /// # Errors
    /// If its data cannot be made, or are not there.
    pub fn of(config: &Config, device: &Device) -> Result<Vec<Self>> {
        let prepared = Rc::new(Prepared::new(config)?);
        let methods = METHODS.iter().filter_map(|name| config.methods.iter().find(|method| method.row == *name));
        methods.map(|method| Self::of_row(config, method.clone(), &prepared, device)).collect()
    }

    fn of_row(config: &Config, method: Method, prepared: &Rc<Prepared>, device: &Device) -> Result<Self> {
        let setting = |name: &str| method.settings.get(name).and_then(toml::Value::as_integer).map(usize::try_from);
        let (architecture, train) = (config.architecture_of(&method)?, config.train_of(&method).settings());
        let is_wide = config.task == Task::Clusters;
        let most = if is_wide { wide_batches(device) } else { usize::MAX };
        let data = whole_batches(&prepared.tensor(device)?, train.batch_size, most)?;
        let (prepared, networks, device) = (prepared.clone(), architecture.clone(), device.clone());
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
                Task::Clusters => "negative-binomial",
                Task::Images => "bernoulli",
            },
            peer_steps: PEER_STEPS[usize::from(is_wide)],
            make: Box::new(move || Ok((prepared.model(networks.clone(), 1, &device)?, method.objective()?))),
        })
    }

    /// AAIS on the first images of MNIST, black and white, whole and without the tail of the weights. Table 8.
    ///
    /// # Errors
    /// If the images are not there.
    pub fn mnist(folder: Option<&Path>, device: &Device) -> Result<Vec<Self>> {
        let folder =
            folder.context("no folder for data; name one by --data-dir or the environment variable AAIS_DATA_DIR")?;
        let train = TrainSettings {
            batch_size: 128,
            learning_rate: 1e-3,
            weight_decay: 0.0,
            average_rate: 0.0,
            join_equal_rows: false,
        };
        let images = mnist(folder)?.train.binarized();
        let shape = (wide_batches(device) * train.batch_size, images.ncols());
        let pixels: Vec<f32> = images.iter().take(shape.0 * shape.1).copied().map(f32::from).collect();
        let data = Tensor::from_vec(pixels, shape, device)?;
        let row = |method: &str, weight_tail: f64| -> Result<Self> {
            let architecture = Architecture::paper("mnist")?;
            let aais = Aais {
                n_samples: 100,
                beta: Schedule::Cyclical { low: 0.0, high: 1.0, period: 25, ramp: 12 },
                power: 1.0,
                fallback_below: f64::NEG_INFINITY,
                weight_gradient: WeightGradient::Published,
                weight_tail,
            };
            let (networks, device) = (architecture.clone(), device.clone());
            Ok(Self {
                task: "mnist".to_owned(),
                method: method.to_owned(),
                architecture,
                train: train.clone(),
                data: data.clone(),
                samples: aais.n_samples,
                transitions: None,
                likelihood: "bernoulli",
                peer_steps: PEER_STEPS[1],
                make: Box::new(move || {
                    let noise = Noise::new(1).fork("init");
                    let model = LatentModel::new(networks.clone(), Box::new(Bernoulli), &noise, &device)?;
                    Ok((model, Box::new(aais.clone())))
                }),
            })
        };
        Ok(vec![row("aais", 0.0)?, row("aais-tail", WEIGHT_TAIL)?])
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
        let weights = |spec: MlpSpec| -> usize {
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

fn wide_batches(device: &Device) -> usize {
    if device.is_cpu() { WIDE_BATCHES } else { GPU_BATCHES }
}

/// The first whole batches, `most` of them at the most.
fn whole_batches(data: &Tensor, batch_size: usize, most: usize) -> Result<Tensor> {
    let n_batches = (data.dim(0)? / batch_size).min(most);
    data.narrow(0, 0, n_batches * batch_size)?.contiguous().context("whole batches")
}

/// How many rows have contents of their own.
fn n_distinct(data: &Tensor) -> Result<usize> {
    let bits = |row: Vec<f32>| row.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    Ok(data.to_vec2::<f32>()?.into_iter().map(bits).collect::<BTreeSet<_>>().len())
}
