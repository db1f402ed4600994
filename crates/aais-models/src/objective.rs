//! What a method is: a loss for one step.

use aais_distributions::Noise;
use candle_core::{Result, Tensor};

use crate::model::{Batch, LatentModel};
use crate::schedule::Progress;

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
    /// Means over the batch by name.
    pub diagnostics: Vec<(&'static str, f64)>,
}

impl Loss {
    /// Without diagnostics.
    pub fn new(value: Tensor) -> Self {
        Self { value, diagnostics: Vec::new() }
    }

    /// Adds the mean of a tensor over the batch.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn with(self, name: &'static str, values: &Tensor) -> Result<Self> {
        let mean = values.detach().mean_all()?.to_scalar::<f32>()?;
        Ok(self.with_value(name, f64::from(mean)))
    }

    /// Adds a number.
    #[must_use]
    pub fn with_value(mut self, name: &'static str, value: f64) -> Self {
        self.diagnostics.push((name, value));
        self
    }
}

/// A training method; what it holds fixed is detached or frozen in its own file.
pub trait Objective: Send {
    /// The loss of one step.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn loss(&mut self, model: &LatentModel, step: &mut Step) -> Result<Loss>;
}
