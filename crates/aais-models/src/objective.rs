//! What a method is: a loss for one step.

use std::collections::BTreeMap;

use aais_distributions::Noise;
use candle_core::{DType, Result, Tensor};

use crate::adam::{AdamSettings, SgdSettings};
use crate::batch::Batch;
use crate::model::LatentModel;
use crate::schedule::Progress;
use crate::train::TrainSettings;

/// One step's batch, randomness and place in training.
pub struct Step<'a> {
    /// The rows.
    pub batch: &'a Batch,
    /// This step's own stream.
    pub noise: &'a mut Noise,
    /// How far training has come.
    pub progress: Progress,
}

/// A scalar to be minimized, and what is worth watching.
pub struct Loss {
    /// A scalar tensor with its graph.
    pub value: Tensor,
    /// Means over the batch by name, scalars in double precision, which stay on the device until they are read.
    means: Vec<(&'static str, Tensor)>,
    /// What the model's [`buffers`](crate::Model::buffers) become if the step is taken, in their order; empty for no change.
    pub buffers: Vec<Tensor>,
}

impl Loss {
    /// Without diagnostics.
    pub fn new(value: Tensor) -> Self {
        Self { value, means: Vec::new(), buffers: Vec::new() }
    }

    /// Adds the mean of a tensor over a batch.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn with(mut self, name: &'static str, batch: &Batch, values: &Tensor) -> Result<Self> {
        self.means.push((name, batch.mean(&values.detach())?.to_dtype(DType::F64)?));
        Ok(self)
    }

    /// Adds a number.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn with_value(mut self, name: &'static str, value: f64) -> Result<Self> {
        self.means.push((name, Tensor::new(value, self.value.device())?));
        Ok(self)
    }

    /// Means over the batch by name, read from the device.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn diagnostics(&self) -> Result<Vec<(&'static str, f64)>> {
        self.means.iter().map(|(name, mean)| Ok((*name, mean.to_scalar()?))).collect()
    }

    /// Names of the loss and all means, and their values `(1 + n,)` in double precision, where they are.
    pub(crate) fn all(&self) -> Result<(Vec<&'static str>, Tensor)> {
        let loss = self.value.detach().to_dtype(DType::F64)?;
        let values: Vec<&Tensor> = std::iter::once(&loss).chain(self.means.iter().map(|(_, mean)| mean)).collect();
        let names = std::iter::once("loss").chain(self.means.iter().map(|(name, _)| *name));
        Ok((names.collect(), Tensor::stack(&values, 0)?))
    }

    /// Says what the model's buffers become if the step is taken.
    #[must_use]
    pub fn with_buffers(mut self, buffers: Vec<Tensor>) -> Self {
        self.buffers = buffers;
        self
    }
}

/// How the parameters move in one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// The optimizer and its settings.
    pub rule: Rule,
    /// The gradients of all parameters together are shortened to this length if they are longer; infinity for never.
    pub longest_gradient: f64,
}

/// An optimizer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// See [`Adam`](crate::Adam).
    Adam(AdamSettings),
    /// Stochastic gradient descent with momentum, as in torch.
    Sgd(SgdSettings),
}

impl From<Rule> for Update {
    fn from(rule: Rule) -> Self {
        Self { rule, longest_gradient: f64::INFINITY }
    }
}

/// A training method; what it holds fixed is detached or frozen in its own file.
///
/// `M` is the model that it trains.
pub trait Objective<M = LatentModel>: Send {
    /// The loss of one step.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn loss(&mut self, model: &M, step: &mut Step) -> Result<Loss>;

    /// Whether the settings can train that many epochs; called before anything is trained.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for the first that is out of range.
    fn check(&self, _epochs: usize) -> crate::Result<()> {
        Ok(())
    }

    /// How the parameters move after this step; Adam throughout unless the method has its own schedule.
    fn update(&self, _progress: Progress, settings: &TrainSettings) -> Update {
        Rule::Adam(settings.adam()).into()
    }

    /// Whether the optimizer forgets its moments before this epoch, counted from 0.
    fn begins_anew(&self, _epoch: usize) -> bool {
        false
    }

    /// What the method carries from step to step, by name; it goes into checkpoints.
    fn state(&self) -> BTreeMap<String, Vec<f32>> {
        BTreeMap::new()
    }

    /// Takes back what [`state`](Self::state) gave.
    ///
    /// # Errors
    /// [`Error::Checkpoint`](crate::Error::Checkpoint) if something is missing.
    fn restore(&mut self, _state: BTreeMap<String, Vec<f32>>) -> crate::Result<()> {
        Ok(())
    }
}
