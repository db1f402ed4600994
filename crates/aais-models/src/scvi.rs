//! The model of single-cell variational inference (Lopez et al. 2018), as scvi-tools has it.

mod joint;

use aais_distributions::{DiagonalGaussian, Noise};
use aais_kernels::{log_gamma, log_rising_factorial, softmax};
use candle_core::{D, Device, Result, Tensor, Var};
use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::layers::{self, BatchNorm, BatchNormSettings, Linear, Normalized};
use crate::trainable::Model;

/// scvi-tools' normalization; its momentum is torch's, the share of a new batch.
const NORMALIZATION: BatchNormSettings = BatchNormSettings { epsilon: 1e-3, momentum: 0.01 };

/// Least variance of a proposal.
const LEAST_VARIANCE: f64 = 1e-4;

/// Added to means and inverse dispersions before their logarithms.
const COUNT_EPSILON: f64 = 1e-8;

/// Widths of an [`ScviModel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScviWidths {
    /// Columns of the data.
    pub genes: usize,
    /// Of the one hidden layer of encoder and decoder, 128 in scvi-tools.
    pub hidden: usize,
    /// Latent dimension, 10 in scvi-tools.
    pub latent: usize,
}

/// Encoder and decoder with a batch-normalized hidden layer each, and negative binomial counts.
///
/// `q(z | x)`: `Linear - BatchNorm - ReLU - Dropout`, then a linear head for the mean and one for the log of the variance,
/// to which 1e-4 is added. `p(x | z)`: `Linear - BatchNorm - ReLU - Linear - softmax`, times the row's sum, is the mean; the
/// inverse dispersions are one for each gene. Raw counts go in.
pub struct ScviModel {
    widths: ScviWidths,
    encoder: Hidden,
    mean: Linear,
    log_variance: Linear,
    decoder: Hidden,
    scale: Linear,
    log_inverse_dispersion: Var,
}

/// What a part of the model gives in training.
pub struct Trained<T> {
    /// A proposal, or log-likelihoods.
    pub value: T,
    /// Where the running mean and the running variance of this part move.
    pub running: [Tensor; 2],
}

impl ScviModel {
    /// With the initialization of torch and scvi-tools, drawn from `noise`.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub fn new(widths: ScviWidths, noise: &Noise, device: &Device) -> Result<Self> {
        let ScviWidths { genes, hidden, latent } = widths;
        let linear = |name: &str, n_in, n_out| Linear::new(n_in, n_out, &mut noise.fork(name), device);
        let block = |linear| {
            Ok::<_, candle_core::Error>(Hidden { linear, norm: BatchNorm::new(hidden, NORMALIZATION, device)? })
        };
        let dispersion = noise.fork("dispersion").standard_normal(&[genes], device)?;
        Ok(Self {
            widths,
            encoder: block(linear("encoder", genes, hidden)?)?,
            mean: linear("mean", hidden, latent)?,
            log_variance: linear("log_variance", hidden, latent)?,
            decoder: block(linear("decoder", latent, hidden)?)?,
            scale: linear("scale", hidden, genes)?,
            log_inverse_dispersion: Var::from_tensor(&dispersion)?,
        })
    }

    /// Its widths.
    pub fn widths(&self) -> ScviWidths {
        self.widths
    }

    /// Where its tensors live.
    pub fn device(&self) -> &Device {
        self.log_inverse_dispersion.device()
    }

    /// `q(z | x)` for each row of a batch, by running moments and without dropout.
    ///
    /// Its means are the latent space that cells are clustered in.
    ///
    /// # Errors
    /// If the batch does not fit the model.
    pub fn propose(&self, batch: &Batch) -> Result<DiagonalGaussian> {
        self.heads(&self.encoder.evaluate(&batch.observed)?)
    }

    /// [`propose`](Self::propose) by the batch's moments, hidden values dropped with probability `dropout`.
    ///
    /// # Errors
    /// If the batch does not fit the model, or has one row only.
    pub fn propose_in_training(
        &self,
        batch: &Batch,
        dropout: f32,
        noise: &mut Noise,
    ) -> Result<Trained<DiagonalGaussian>> {
        let Trained { value: hidden, running } = self.encoder.train(&batch.observed)?;
        let hidden = layers::dropout(&hidden, dropout, noise)?;
        Ok(Trained { value: self.heads(&hidden)?, running })
    }

    fn heads(&self, hidden: &Tensor) -> Result<DiagonalGaussian> {
        let variance = (self.log_variance.forward(hidden)?.exp()? + LEAST_VARIANCE)?;
        DiagonalGaussian::new(self.mean.forward(hidden)?, variance.log()?)
    }

    /// `log p(x | z)` of one latent point a row, `(B, d)` to `(B,)`, by running moments.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn log_likelihood(&self, z: &Tensor, batch: &Batch) -> Result<Tensor> {
        self.log_probability(&self.decoder.evaluate(z)?, batch)
    }

    /// [`log_likelihood`](Self::log_likelihood) by the batch's moments.
    ///
    /// # Errors
    /// If the shapes do not fit, or there is one row only.
    pub fn log_likelihood_in_training(&self, z: &Tensor, batch: &Batch) -> Result<Trained<Tensor>> {
        let Trained { value: hidden, running } = self.decoder.train(z)?;
        Ok(Trained { value: self.log_probability(&hidden, batch)?, running })
    }

    fn log_probability(&self, hidden: &Tensor, batch: &Batch) -> Result<Tensor> {
        let library_sizes = batch.observed.sum_keepdim(D::Minus1)?;
        let means = softmax(&self.scale.forward(hidden)?)?.broadcast_mul(&library_sizes)?;
        log_probability(&batch.observed, &means, &self.log_inverse_dispersion.exp()?)
    }
}

/// Of counts `(B, G)` with means `(B, G)` and inverse dispersions `(G,)`, to `(B,)`.
fn log_probability(counts: &Tensor, means: &Tensor, inverse_dispersions: &Tensor) -> Result<Tensor> {
    let log_total = (means.broadcast_add(inverse_dispersions)? + COUNT_EPSILON)?.log()?;
    let log_dispersion = (inverse_dispersions + COUNT_EPSILON)?.log()?;
    let log_mean = (means + COUNT_EPSILON)?.log()?;
    let by_dispersion = log_total.neg()?.broadcast_add(&log_dispersion)?.broadcast_mul(inverse_dispersions)?;
    let by_count = ((log_mean - log_total)? * counts)?;
    let coefficient = (log_rising_factorial(inverse_dispersions, counts)? - log_gamma(&(counts + 1.0)?)?)?;
    ((by_dispersion + by_count)? + coefficient)?.sum(D::Minus1)
}

impl Model for ScviModel {
    fn observed(&self) -> usize {
        self.widths.genes
    }

    fn variables(&self) -> Vec<(&'static str, &Var)> {
        vec![
            ("encoder.weight", &self.encoder.linear.weight),
            ("encoder.bias", &self.encoder.linear.bias),
            ("encoder.norm.weight", &self.encoder.norm.gain),
            ("encoder.norm.bias", &self.encoder.norm.shift),
            ("mean.weight", &self.mean.weight),
            ("mean.bias", &self.mean.bias),
            ("log_variance.weight", &self.log_variance.weight),
            ("log_variance.bias", &self.log_variance.bias),
            ("decoder.weight", &self.decoder.linear.weight),
            ("decoder.bias", &self.decoder.linear.bias),
            ("decoder.norm.weight", &self.decoder.norm.gain),
            ("decoder.norm.bias", &self.decoder.norm.shift),
            ("scale.weight", &self.scale.weight),
            ("scale.bias", &self.scale.bias),
            ("log_inverse_dispersion", &self.log_inverse_dispersion),
        ]
    }

    /// All of them: scvi-tools gives its optimizer one decay for everything.
    fn decay_masks(&self) -> Vec<Vec<bool>> {
        self.variables().iter().map(|(_, variable)| vec![true; variable.elem_count()]).collect()
    }

    /// Those of the encoder, then those of the decoder.
    fn buffers(&self) -> Vec<(&'static str, &Var)> {
        vec![
            ("encoder.running_mean", &self.encoder.norm.running_mean),
            ("encoder.running_variance", &self.encoder.norm.running_variance),
            ("decoder.running_mean", &self.decoder.norm.running_mean),
            ("decoder.running_variance", &self.decoder.norm.running_variance),
        ]
    }

    // Deviation 34.
    fn least_rows(&self) -> usize {
        2
    }
}

/// `Linear - BatchNorm - ReLU`.
struct Hidden {
    linear: Linear,
    norm: BatchNorm,
}

impl Hidden {
    fn train(&self, x: &Tensor) -> Result<Trained<Tensor>> {
        let Normalized { value, running } = self.norm.train(&self.linear.forward(x)?)?;
        Ok(Trained { value: value.relu()?, running })
    }

    fn evaluate(&self, x: &Tensor) -> Result<Tensor> {
        self.norm.evaluate(&self.linear.forward(x)?)?.relu()
    }
}
