//! The model as a log density of latent points.

use aais_distributions::{DiagonalGaussian, LogDensity, Noise, StandardNormal};
use aais_kernels::{log_gamma, log_rising_factorial, softmax};
use candle_core::{D, Result, Tensor, Var};

use super::{COUNT_EPSILON, ScviModel};
use crate::batch::Batch;
use crate::evaluation::{Amortized, Simulated};
use crate::likelihood::negative_binomial;

/// `log p(x, z)` of a batch's rows by running moments, in composed operations.
struct Joint<'a> {
    model: &'a ScviModel,
    batch: &'a Batch,
}

impl ScviModel {
    /// Means of the counts at latent points `(B, M, d)`, for the library sizes of the batch: `(B, M, G)`.
    fn means(&self, z: &Tensor, batch: &Batch) -> Result<Tensor> {
        let (rows, n_samples, latent) = z.dims3()?;
        let hidden = self.decoder.evaluate(&z.reshape((rows * n_samples, latent))?)?;
        let shares = softmax(&self.scale.forward(&hidden)?)?.reshape((rows, n_samples, ()))?;
        shares.broadcast_mul(&batch.library_sizes()?.reshape((rows, 1, 1))?)
    }
}

impl LogDensity for Joint<'_> {
    fn log_density(&self, z: &Tensor) -> Result<Tensor> {
        let counts = &self.batch.observed;
        let dispersions = self.model.log_inverse_dispersion.as_tensor().detach().exp()?;
        let means = self.model.means(z, self.batch)?;
        let log_total = (means.broadcast_add(&dispersions)? + COUNT_EPSILON)?.log()?;
        let log_mean = (means + COUNT_EPSILON)?.log()?;
        let log_dispersion = (&dispersions + COUNT_EPSILON)?.log()?;
        let by_dispersion = log_total.neg()?.broadcast_add(&log_dispersion)?.broadcast_mul(&dispersions)?;
        let by_count = (log_mean - log_total)?.broadcast_mul(&counts.unsqueeze(1)?)?;
        let coefficient = (log_rising_factorial(&dispersions, counts)? - log_gamma(&(counts + 1.0)?)?)?;
        let by_point = (by_dispersion + by_count)?.sum(D::Minus1)?;
        by_point.broadcast_add(&coefficient.sum_keepdim(D::Minus1)?)? + StandardNormal.log_density(z)?
    }

    fn score(&self, z: &Tensor) -> Result<Tensor> {
        Ok(self.log_density_and_score(z)?.1)
    }

    fn log_density_and_score(&self, z: &Tensor) -> Result<(Tensor, Tensor)> {
        let leaf = Var::from_tensor(&z.detach())?;
        let log_density = self.log_density(&leaf)?;
        let gradients = log_density.sum_all()?.backward()?;
        let score = gradients.get(&leaf).map_or_else(|| leaf.zeros_like(), |score| Ok(score.detach()))?;
        Ok((log_density.detach(), score))
    }
}

impl Amortized for ScviModel {
    fn latent(&self) -> usize {
        self.widths.latent
    }

    fn width(&self) -> usize {
        self.widths.genes
    }

    fn proposal(&self, batch: &Batch) -> Result<DiagonalGaussian> {
        Ok(self.propose(batch)?.frozen())
    }

    fn joint_density<'a>(&'a self, batch: &'a Batch) -> Box<dyn LogDensity + 'a> {
        Box::new(Joint { model: self, batch })
    }

    fn draw(&self, batch: &Batch, noise: &Noise) -> Result<Simulated> {
        let (device, rows) = (batch.observed.device(), batch.rows.len());
        let z = StandardNormal.sample(rows, self.widths.latent, &mut noise.fork("latent"), device)?;
        let means = self.means(&z.unsqueeze(1)?, batch)?.flatten_all()?.to_vec1::<f32>()?;
        let dispersions = self.log_inverse_dispersion.exp()?.to_vec1::<f32>()?;
        let mut noise = noise.fork("observed");
        let draw = |(place, mean): (usize, f32)| {
            negative_binomial(f64::from(mean), f64::from(dispersions[place % self.widths.genes]), &mut noise)
        };
        let counts: Vec<f32> = means.into_iter().enumerate().map(draw).collect();
        let observed = Tensor::from_vec(counts, (rows, self.widths.genes), device)?;
        let drawn_library_sizes = Some(batch.library_sizes()?);
        Ok(Simulated { batch: Batch { observed, drawn_library_sizes, ..batch.clone() }, z })
    }
}
