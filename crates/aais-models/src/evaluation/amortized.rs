//! What the evaluation needs to know of a model.

use aais_distributions::{DiagonalGaussian, LogDensity, Noise};
use candle_core::{Result, Tensor};

use crate::batch::Batch;
use crate::model::LatentModel;

/// A model `p(z) p(x | z)` with a standard normal prior and a proposal `q(z | x)`; nothing here takes a gradient.
pub trait Amortized {
    /// Latent dimension `d`.
    fn latent(&self) -> usize;

    /// Width of what the decoder makes of a latent point, which bounds how many points are worked on at once.
    fn width(&self) -> usize;

    /// `q(z | x)` for each row or group of a batch.
    ///
    /// # Errors
    /// If the batch does not fit the encoder.
    fn proposal(&self, batch: &Batch) -> Result<DiagonalGaussian>;

    /// `p(x, z)` as a function of `z`, for each row or group of a batch.
    fn joint_density<'a>(&'a self, batch: &'a Batch) -> Box<dyn LogDensity + 'a>;

    /// A draw of every row from the model itself, with the rows' covariates.
    ///
    /// # Errors
    /// If the batch does not fit, or the model draws no data.
    fn draw(&self, batch: &Batch, noise: &Noise) -> Result<Simulated>;
}

/// Rows that a model has drawn, and the latent points they come from: exact draws from `p(z | x)`.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// `B` rows.
    pub batch: Batch,
    /// `(B, d)`.
    pub z: Tensor,
}

impl Amortized for LatentModel {
    fn latent(&self) -> usize {
        self.architecture().latent
    }

    fn width(&self) -> usize {
        self.architecture().signal
    }

    fn proposal(&self, batch: &Batch) -> Result<DiagonalGaussian> {
        Ok(self.propose(batch)?.frozen())
    }

    fn joint_density<'a>(&'a self, batch: &'a Batch) -> Box<dyn LogDensity + 'a> {
        Box::new(self.joint(batch).frozen())
    }

    fn draw(&self, batch: &Batch, noise: &Noise) -> Result<Simulated> {
        self.simulate(batch, noise)
    }
}
