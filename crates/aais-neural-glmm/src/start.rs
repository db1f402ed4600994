//! The model that training starts from: the law of the normal fit, its proposals around each group's mode.

use aais_distributions::{Noise, Sampling};
use aais_glmm::Fit;
use aais_models::{Architecture, Grouped, LatentModel, Parameters, SetEncoder};
use candle_core::Device;
use ndarray::Array2;

use crate::error::Result;
use crate::normal_law::{effects_covariance, lower_factor};
use crate::scaled_rows::{Scales, fit_dispersion, grouped_family};
use crate::settings::Settings;

/// Width of what the encoder averages over a group's rows.
const POOLED: usize = 16;

/// Least standard deviation of an effect at the start, on the scale of the linear predictor: a law that has shrunk to a
/// point would have nothing to grow from.
const LEAST_STD: f64 = 0.1;

/// torch's initial slope of a PReLU.
const SLOPE: f32 = 0.25;

/// Networks whose decoder is the linear map of the fitted covariance's Cholesky factor, with the fit's fixed effects.
pub(crate) fn start(scales: &Scales, fit: &Fit, settings: &Settings, noise: &Noise) -> Result<LatentModel> {
    let columns = scales.columns();
    let architecture = Architecture {
        observed: columns.width(),
        signal: columns.random,
        latent: scales.latent,
        hidden: settings.hidden.clone(),
        skip_encoder: false,
        skip_decoder: true,
        softplus: false,
        likelihood_parameters: likelihood_parameters(scales, fit).len(),
        set: Some(SetEncoder {
            anchors: scales.n_anchors(),
            features: columns.features - scales.n_anchors(),
            hidden: settings.hidden[..1].to_vec(),
            pooled: POOLED,
        }),
    };
    let family = grouped_family(fit.family);
    let likelihood = || Box::new(Grouped { family, columns });
    let device = Device::Cpu;
    let random = LatentModel::new(architecture.clone(), likelihood(), noise, &device)?.parameters()?;
    let parameters = Parameters {
        encoder: silent_heads(&architecture, random.encoder),
        decoder: linear_decoder(&architecture, random.decoder, &scales.factor),
        slope: SLOPE,
        likelihood: likelihood_parameters(scales, fit),
    };
    let model = LatentModel::with_parameters(architecture, likelihood(), parameters, &device)?;
    Ok(model.with_sampling(Sampling::Lattice))
}

/// Fixed effects on the scale of training, then the logarithm of the dispersion.
#[expect(clippy::cast_possible_truncation, reason = "training is in single precision")]
fn likelihood_parameters(scales: &Scales, fit: &Fit) -> Vec<f32> {
    let fixed = fit.fixed.iter().zip(&scales.fixed).map(|(beta, scale)| (beta * scale) as f32);
    let has_dispersion = grouped_family(fit.family).has_dispersion();
    fixed.chain(has_dispersion.then(|| fit_dispersion(fit).ln() as f32)).collect()
}

/// Lower Cholesky factor of the effects' covariance on a scale of its own for each, `(q, q)`.
pub(crate) fn scaled_factor(random: &[f64], fit: &Fit) -> Array2<f64> {
    let mut covariance = effects_covariance(fit);
    for (place, value) in covariance.indexed_iter_mut() {
        *value *= random[place.0] * random[place.1];
    }
    lower_factor(&covariance, LEAST_STD)
}

/// Flat parameters under which the encoder adds nothing to its anchors.
fn silent_heads(architecture: &Architecture, mut flat: Vec<f32>) -> Vec<f32> {
    let of_sets = architecture.encoder();
    let first = flat.len() - of_sets.n_parameters();
    for parameter in of_sets.parameters().iter().filter(|parameter| parameter.name.starts_with("head.")) {
        flat[first + parameter.range.start..first + parameter.range.end].fill(0.0);
    }
    flat
}

/// Flat parameters under which every block of the decoder is its bypass, and the whole is `z ↦ factor z`.
#[expect(clippy::cast_possible_truncation, reason = "training is in single precision")]
fn linear_decoder(architecture: &Architecture, mut flat: Vec<f32>, factor: &Array2<f64>) -> Vec<f32> {
    let spec = architecture.decoder();
    for parameter in spec.parameters() {
        let values = &mut flat[parameter.range.clone()];
        let is_head = parameter.name.starts_with("head.");
        if parameter.name.ends_with("linear_2.weight") || parameter.name.ends_with("skip.bias") {
            values.fill(0.0);
        } else if parameter.name.ends_with("skip.weight") {
            let n_in = parameter.shape[1];
            for (index, value) in values.iter_mut().enumerate() {
                let (out, from) = (index / n_in, index % n_in);
                *value = match is_head {
                    true => factor.get((out, from)).map_or(0.0, |factor| *factor as f32),
                    false => f32::from(u8::from(out == from)),
                };
            }
        }
    }
    flat
}
