//! An encoder, a decoder and a likelihood, seen as log densities.

use aais_distributions::{DiagonalGaussian, LogDensity, Noise, Sampling, StandardNormal};
use candle_core::{Device, Result, Tensor, Var, bail};

use crate::architecture::Architecture;
use crate::batch::Batch;
use crate::evaluation::Simulated;
use crate::likelihood::Likelihood;
use crate::network::{Network, decay_mask, initial_parameters};
use crate::set_encoder::encode_sets;
use crate::trainable::Model;

/// Bounds of the encoder's log variance, as in the authors' code. Deviation 7.
const LOG_VARIANCE_BOUND: f64 = 20.0;

/// torch's initial slope of a PReLU. Deviation 6.
const INITIAL_SLOPE: f32 = 0.25;

/// Values of signals that are made at once where a likelihood is all that is wanted; rows of data are not torn.
///
/// They stay near between network and likelihood, and the allocator gives the same memory again for each part.
const SIGNALS_AT_ONCE: usize = 1 << 22;

/// Everything a model learns, in the order of each network's [`MlpSpec`](aais_kernels::MlpSpec).
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// The encoder's flat vector; that of an encoder of sets is the rows' network followed by the sets'.
    pub encoder: Vec<f32>,
    /// The decoder's flat vector.
    pub decoder: Vec<f32>,
    /// Slope of the PReLU that all blocks share.
    pub slope: f32,
    /// The likelihood's own; empty for one without.
    pub likelihood: Vec<f32>,
}

/// `p(z) p(x | u(z))` with a proposal `q(z | x)`.
pub struct LatentModel {
    architecture: Architecture,
    encoder_parameters: Var,
    decoder_parameters: Var,
    slope: Var,
    likelihood_parameters: Var,
    likelihood: Box<dyn Likelihood>,
    sampling: Sampling,
}

impl LatentModel {
    /// With torch's default initialization, drawn from `noise`.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub fn new(
        architecture: Architecture,
        likelihood: Box<dyn Likelihood>,
        noise: &Noise,
        device: &Device,
    ) -> Result<Self> {
        let of_rows = architecture.row_encoder().map(|spec| initial_parameters(&spec, &mut noise.fork("row encoder")));
        let of_encoder = initial_parameters(&architecture.encoder(), &mut noise.fork("encoder"));
        let parameters = Parameters {
            encoder: [of_rows.unwrap_or_default(), of_encoder].concat(),
            decoder: initial_parameters(&architecture.decoder(), &mut noise.fork("decoder")),
            slope: INITIAL_SLOPE,
            likelihood: likelihood.initial_parameters(&mut noise.fork("likelihood")),
        };
        Self::with_parameters(architecture, likelihood, parameters, device)
    }

    /// With parameters of your own: trained before, or known.
    ///
    /// # Errors
    /// If their number is not the architecture's.
    pub fn with_parameters(
        architecture: Architecture,
        likelihood: Box<dyn Likelihood>,
        parameters: Parameters,
        device: &Device,
    ) -> Result<Self> {
        let vector = |name: &str, expected: usize, values: Vec<f32>| {
            if values.len() != expected {
                bail!("the {name} has {expected} parameters, not {}", values.len());
            }
            Var::from_vec(values, expected, device)
        };
        let encoder: usize = architecture.encoders().map(|spec| spec.n_parameters()).sum();
        let decoder = architecture.decoder().n_parameters();
        Ok(Self {
            encoder_parameters: vector("encoder", encoder, parameters.encoder)?,
            decoder_parameters: vector("decoder", decoder, parameters.decoder)?,
            slope: vector("slope", 1, vec![parameters.slope])?,
            likelihood_parameters: vector("likelihood", architecture.likelihood_parameters, parameters.likelihood)?,
            architecture,
            likelihood,
            sampling: Sampling::default(),
        })
    }

    /// The same model, its proposals drawn from in another way.
    #[must_use]
    pub fn with_sampling(self, sampling: Sampling) -> Self {
        Self { sampling, ..self }
    }

    /// What it has learned so far.
    ///
    /// # Errors
    /// If a tensor cannot be read.
    pub fn parameters(&self) -> Result<Parameters> {
        let values = |variable: &Var| variable.to_vec1::<f32>();
        Ok(Parameters {
            encoder: values(&self.encoder_parameters)?,
            decoder: values(&self.decoder_parameters)?,
            slope: self.slope.get(0)?.to_scalar()?,
            likelihood: values(&self.likelihood_parameters)?,
        })
    }

    /// Its widths.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Where its tensors live.
    pub fn device(&self) -> &Device {
        self.slope.device()
    }

    /// `q(z | x)` for each row or group of a batch.
    ///
    /// # Errors
    /// If the batch does not fit the encoder.
    pub fn propose(&self, batch: &Batch) -> Result<DiagonalGaussian> {
        let latent = self.architecture.latent;
        let (parameters, slope) = (self.encoder_parameters.as_tensor(), self.slope.as_tensor());
        let moments = match self.architecture.row_encoder() {
            None => {
                Network::new(self.architecture.encoder(), parameters.clone(), slope.clone()).forward(&batch.observed)?
            }
            Some(of_rows) => {
                let (n, of_sets) = (of_rows.n_parameters(), self.architecture.encoder());
                let of_rows = Network::new(of_rows, parameters.narrow(0, 0, n)?, slope.clone());
                let own = parameters.narrow(0, n, of_sets.n_parameters())?;
                let anchors = self.architecture.set.as_ref().map_or(0, |set| set.anchors);
                encode_sets(anchors, &of_rows, &Network::new(of_sets, own, slope.clone()), batch)?
            }
        };
        let log_variance = moments.narrow(1, latent, latent)?.clamp(-LOG_VARIANCE_BOUND, LOG_VARIANCE_BOUND)?;
        Ok(DiagonalGaussian::new(moments.narrow(1, 0, latent)?, log_variance)?.with_sampling(self.sampling))
    }

    /// `p(x, z)` as a function of `z`, for each row or group of a batch.
    pub fn joint<'a>(&'a self, batch: &'a Batch) -> Joint<'a> {
        let parameters = self.likelihood_parameters.as_tensor().clone();
        Joint { decoder: self.decoder(), likelihood: &*self.likelihood, parameters, batch }
    }

    /// Signals at latent points: `(..., d)` to `(..., D)`.
    ///
    /// # Errors
    /// If the points have another dimension.
    pub fn decode(&self, z: &Tensor) -> Result<Tensor> {
        self.decoder().forward(z)
    }

    /// Signals of `n_rows` draws from the prior, `(n_rows, D)`.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn generate(&self, n_rows: usize, noise: &mut Noise) -> Result<Tensor> {
        let z = StandardNormal.sample(n_rows, self.architecture.latent, noise, self.device())?;
        Ok(self.decoder().frozen().forward(&z)?.detach())
    }

    /// A draw of every row from the model itself: a latent point from the prior, and observations given it.
    ///
    /// Covariates of the rows stay, and library sizes of counts.
    ///
    /// # Errors
    /// If the batch does not fit, or the likelihood draws no data.
    pub fn simulate(&self, batch: &Batch, noise: &Noise) -> Result<Simulated> {
        let mut of_latent = noise.fork("latent");
        let z = StandardNormal.sample(batch.rows.len(), self.architecture.latent, &mut of_latent, self.device())?;
        let signal = self.decoder().frozen().forward(&z)?.detach();
        let parameters = self.likelihood_parameters.as_tensor().detach();
        let batch = self.likelihood.simulate(&signal, batch, &parameters, &mut noise.fork("observed"))?;
        Ok(Simulated { batch, z })
    }

    fn decoder(&self) -> Network {
        let parameters = self.decoder_parameters.as_tensor().clone();
        Network::new(self.architecture.decoder(), parameters, self.slope.as_tensor().clone())
    }

    /// The likelihood's own trained parameters, such as fixed effects; empty for one without.
    pub fn likelihood_parameters(&self) -> &Tensor {
        self.likelihood_parameters.as_tensor()
    }

    /// Everything trained, in a fixed order, with its name.
    pub fn variables(&self) -> Vec<(&'static str, &Var)> {
        let networks =
            [("encoder", &self.encoder_parameters), ("decoder", &self.decoder_parameters), ("slope", &self.slope)];
        let own = ("likelihood", &self.likelihood_parameters);
        networks.into_iter().chain((own.1.elem_count() > 0).then_some(own)).collect()
    }
}

impl Model for LatentModel {
    fn observed(&self) -> usize {
        self.architecture.observed
    }

    fn variables(&self) -> Vec<(&'static str, &Var)> {
        self.variables()
    }

    fn decay_masks(&self) -> Vec<Vec<bool>> {
        let has_skips = self.architecture.skip_encoder || self.architecture.skip_decoder;
        let mask = |spec| decay_mask(&spec, has_skips);
        let own = vec![!has_skips; self.architecture.likelihood_parameters];
        let of_encoder = self.architecture.encoders().flat_map(mask).collect();
        let masks = [of_encoder, mask(self.architecture.decoder()), vec![!has_skips]];
        masks.into_iter().chain((!own.is_empty()).then_some(own)).collect()
    }
}

/// `log p(x, z)` of a batch's rows.
pub struct Joint<'a> {
    decoder: Network,
    likelihood: &'a dyn Likelihood,
    parameters: Tensor,
    batch: &'a Batch,
}

impl Joint<'_> {
    /// The same, the decoder's and the likelihood's parameters taking no gradient.
    #[must_use]
    pub fn frozen(&self) -> Self {
        let parameters = self.parameters.detach();
        Self { decoder: self.decoder.frozen(), likelihood: self.likelihood, parameters, batch: self.batch }
    }

    /// `log p(x | z)`: `(B, M, d)` to `(B, M)`.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn log_likelihood(&self, z: &Tensor) -> Result<Tensor> {
        let (rows, n_samples, _) = z.dims3()?;
        let rows_at_once = (SIGNALS_AT_ONCE / (n_samples * self.decoder.spec().n_out).max(1)).max(1);
        if rows <= rows_at_once {
            return self.likelihood.log_likelihood(&self.decoder.forward(z)?, self.batch, &self.parameters);
        }
        let parts = (0..rows).step_by(rows_at_once).map(|first| {
            let length = rows_at_once.min(rows - first);
            let signal = self.decoder.forward(&z.narrow(0, first, length)?)?;
            self.likelihood.log_likelihood(&signal, &self.batch.narrow(first, length)?, &self.parameters)
        });
        Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 0)
    }
}

impl LogDensity for Joint<'_> {
    fn log_density(&self, z: &Tensor) -> Result<Tensor> {
        self.log_likelihood(z)? + StandardNormal.log_density(z)?
    }

    fn score(&self, z: &Tensor) -> Result<Tensor> {
        Ok(self.frozen().log_density_and_score(&z.detach())?.1.detach())
    }

    fn log_density_and_score(&self, z: &Tensor) -> Result<(Tensor, Tensor)> {
        let (signal, pullback) = self.decoder.forward_with_pullback(z)?;
        let (log_prior, prior_score) = StandardNormal.log_density_and_score(z)?;
        let log_likelihood = self.likelihood.log_likelihood(&signal, self.batch, &self.parameters)?;
        let log_density = (log_likelihood + log_prior)?;
        let signal_score = self.likelihood.score(&signal, self.batch, &self.parameters)?;
        let score = (pullback.apply(&signal_score)? + prior_score)?;
        Ok((log_density, score))
    }
}
