//! Black and white images: generated, and reconstructed where training has not seen them. Paper, section 4.3.1.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aais_datasets::{mnist, read_idx_images};
use aais_distributions::{LogDensity, Noise, Proposal, StandardNormal};
use aais_importance::{effective_sample_size, self_normalized, weights};
use aais_models::{Batch, LatentModel};
use anyhow::{Context, Result, bail, ensure};
use candle_core::{Device, Tensor};
use ndarray::{Array2, Array3, Axis};
use sha2::{Digest, Sha256};

use super::{Observation, Prepared, Truth};
use crate::cell::{Generated, Gray, Images, Outcome};
use crate::config::{Evaluate, ImageData, Reconstruction};

/// Rows that are reconstructed at once.
const ROWS_AT_ONCE: usize = 100;

/// The one seed whose images are kept; figures show no other.
const SHOWN_SEED: u64 = 1;

/// Images that training has not seen.
pub(super) struct Unseen {
    /// `(N, height · width)`, zeros and ones.
    pixels: Array2<u8>,
    /// Height and width.
    size: [usize; 2],
}

/// Sums over rows.
#[derive(Default)]
struct Sums {
    proposal: f64,
    weighted: f64,
    ess: f64,
}

/// Notes the folder, and what files of one's own hold.
pub fn find(settings: &mut ImageData, folder: Option<&Path>) {
    settings.folder = folder.map(Path::to_path_buf);
    settings.sha256 = settings.files.as_ref().zip(folder).and_then(|([train, test], folder)| {
        let hash = |file: &str| Some(hex(&Sha256::digest(fs::read(folder.join(file)).ok()?)));
        Some([hash(train)?, hash(test)?])
    });
}

pub(super) fn prepare(settings: &ImageData, width: usize) -> Result<Prepared> {
    let folder = settings
        .folder
        .as_deref()
        .context("no folder for data; name one by --data-dir or the environment variable AAIS_DATA_DIR")?;
    let (train, test) = match &settings.files {
        None => {
            let images = mnist(folder)?;
            (images.train.pixels, images.test.pixels)
        }
        Some([train, test]) => (read_idx_images(&folder.join(train))?, read_idx_images(&folder.join(test))?),
    };
    let (_, height, image_width) = train.dim();
    ensure!(
        height * image_width == width && test.dim() == (test.dim().0, height, image_width),
        "images to train on are {height} x {image_width} and images to reconstruct {} x {}; the architecture takes {width} pixels",
        test.dim().1,
        test.dim().2,
    );
    let observed = binarized(&train, settings.train_rows).context("`train_rows`")?.mapv(f64::from);
    let pixels = binarized(&test, settings.test_rows).context("`test_rows`")?;
    let name = match (&settings.files, &settings.sha256) {
        (Some([train, test]), Some([of_train, of_test])) => {
            format!("{train}, SHA-256 {of_train}; {test}, SHA-256 {of_test}")
        }
        _ => "MNIST".to_owned(),
    };
    let unseen = Unseen { pixels, size: [height, image_width] };
    let mut prepared = Prepared::of(observed, Observation::Bernoulli, unseen);
    prepared.source = Some(format!(
        "{name}; {} of {} images to train on, {} of {} to reconstruct",
        settings.train_rows,
        train.dim().0,
        settings.test_rows,
        test.dim().0
    ));
    Ok(prepared)
}

/// The first images, `round(v / 255)` a pixel: 1 from 128 on and else 0.
fn binarized(pixels: &Array3<u8>, n_rows: usize) -> Result<Array2<u8>> {
    let (found, height, width) = pixels.dim();
    ensure!(n_rows <= found, "{n_rows} images are asked for, the file has {found}");
    let first = pixels.view().split_at(Axis(0), n_rows).0;
    let values = first.iter().map(|pixel| u8::from(*pixel >= 128)).collect();
    Ok(Array2::from_shape_vec((n_rows, height * width), values)?)
}

impl Unseen {
    /// The reconstruction errors of a model, and some images of the shown seed. Deviation 37.
    ///
    /// `re_proposal` is the mean over rows of `-1/M sum_i log p(x | z_i)`, Eq. 4, and `re_weighted` that of
    /// `-sum_i w_i log p(x | z_i)`, Eq. 16 with the model's own prior, of the same draws `z_i ~ q(z | x)`.
    pub(super) fn judge(&self, model: &LatentModel, seed: u64, evaluate: &Evaluate) -> Result<Outcome> {
        let n_samples = evaluate.n_samples.context("images need `evaluate.n_samples`")?;
        let n_shown = if seed == SHOWN_SEED { evaluate.n_reconstructed.unwrap_or_default() } else { 0 };
        let noise = Noise::new(seed).fork("reconstruct");
        let (mut sums, mut reconstructions) = (Sums::default(), Vec::new());
        let n_rows = self.pixels.nrows();
        for (part, first) in (0..n_rows).step_by(ROWS_AT_ONCE).enumerate() {
            let rows: Vec<usize> = (first..n_rows.min(first + ROWS_AT_ONCE)).collect();
            let batch = Batch::of_rows(self.tensor(&rows, model.device())?, rows);
            let proposal = model.propose(&batch)?.frozen();
            let z = proposal.sample(n_samples, &mut noise.at(0, part))?;
            let log_likelihood = model.joint(&batch).frozen().log_likelihood(&z)?;
            let log_joint = (&log_likelihood + StandardNormal.log_density(&z)?)?;
            let weights = weights(&(log_joint - proposal.log_density(&z)?)?, 1.0)?;

            sums.proposal -= sum(&log_likelihood.mean(1)?)?;
            sums.weighted -= sum(&self_normalized(&weights, &log_likelihood)?)?;
            sums.ess += sum(&effective_sample_size(&weights)?)?;
            let wanted = n_shown.saturating_sub(first).min(batch.rows.len());
            if wanted > 0 {
                let signal = model.decode(&z.narrow(0, 0, wanted)?)?.detach();
                reconstructions.extend(expected_images(&signal, &weights.narrow(0, 0, wanted)?)?);
            }
        }

        let n_generated = if seed == SHOWN_SEED { evaluate.n_generated } else { 0 };
        let originals = (0..reconstructions.len()).map(|row| Gray::of(self.pixels.row(row).iter().map(|&x| x.into())));
        let originals = originals.collect::<Result<_>>()?;
        let images = Images::new(self.size, generated_images(model, seed, n_generated)?, originals, reconstructions)?;
        #[expect(clippy::cast_precision_loss, reason = "rows are far below 2^52")]
        let mean = |sum: f64| sum / n_rows as f64;
        let metrics = BTreeMap::from([
            ("re_proposal".to_owned(), mean(sums.proposal)),
            ("re_weighted".to_owned(), mean(sums.weighted)),
            ("ess".to_owned(), mean(sums.ess)),
        ]);
        Ok(Outcome { metrics, generated: Generated::Images(images) })
    }

    fn tensor(&self, rows: &[usize], device: &Device) -> Result<Tensor> {
        let values: Vec<f32> = self.pixels.select(Axis(0), rows).iter().copied().map(f32::from).collect();
        Ok(Tensor::from_vec(values, (rows.len(), self.pixels.ncols()), device)?)
    }
}

/// With `re`, the estimate that a row of the table is judged by.
pub fn with_error_of(mut outcome: Outcome, reconstruction: Option<Reconstruction>) -> Outcome {
    let name = match reconstruction {
        None => return outcome,
        Some(Reconstruction::Proposal) => "re_proposal",
        Some(Reconstruction::Weighted) => "re_weighted",
    };
    if let Some(&value) = outcome.metrics.get(name) {
        outcome.metrics.insert("re".to_owned(), value);
    }
    outcome
}

/// Probabilities of ink at draws from the prior.
fn generated_images(model: &LatentModel, seed: u64, n: usize) -> Result<Vec<Gray>> {
    if n == 0 {
        return Ok(Vec::new());
    }
    let signals = model.generate(n, &mut Noise::new(seed).fork("generate"))?.to_vec2::<f32>()?;
    signals.into_iter().map(|row| Gray::of(row.into_iter().map(probability))).collect()
}

/// Weighted means of the probabilities of ink: signals `(B, M, D)`, weights `(B, M)`.
fn expected_images(signal: &Tensor, weights: &Tensor) -> Result<Vec<Gray>> {
    let weights = weights.to_vec2::<f32>()?;
    let of_row = |(samples, weights): (Vec<Vec<f32>>, Vec<f32>)| {
        let mut mean = vec![0.0; samples.first().map_or(0, Vec::len)];
        for (sample, weight) in samples.into_iter().zip(weights) {
            for (mean, logit) in mean.iter_mut().zip(sample) {
                *mean += f64::from(weight) * probability(logit);
            }
        }
        // The weights sum to one but for rounding.
        Gray::of(mean.into_iter().map(|share: f64| share.min(1.0)))
    };
    signal.to_vec3::<f32>()?.into_iter().zip(weights).map(of_row).collect()
}

fn probability(logit: f32) -> f64 {
    1.0 / (1.0 + (-f64::from(logit)).exp())
}

fn sum(rows: &Tensor) -> Result<f64> {
    Ok(rows.to_vec1::<f32>()?.into_iter().map(f64::from).sum())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Truth for Unseen {
    fn judge(&self, _: &[Vec<f64>], _: &LatentModel, _: &Evaluate) -> Result<Outcome> {
        bail!("images are judged by the reconstruction of others, not by what a model generates")
    }

    fn reference(&self, _: &Evaluate) -> Result<Option<Generated>> {
        Ok(None)
    }

    fn test_rows(&self) -> Result<Option<Array2<f64>>> {
        Ok(Some(self.pixels.mapv(f64::from)))
    }

    fn unseen(&self) -> Option<&Unseen> {
        Some(self)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aais_models::{Architecture, Bernoulli, Parameters};

    use super::*;

    /// A model of four pixels whose decoder says the same log odds whatever `z` is, and whose proposal is `N(shift, 1)`.
    fn model(logit: f32, shift: f32) -> LatentModel {
        let architecture = Architecture {
            observed: 4,
            signal: 4,
            latent: 1,
            hidden: vec![2],
            ..Architecture::paper("mnist").unwrap()
        };
        let fill = |spec: aais_kernels::MlpSpec, last: &[f32]| {
            let mut values = vec![0.0; spec.n_parameters()];
            let bias = values.len() - last.len();
            values[bias..].copy_from_slice(last);
            values
        };
        let parameters = Parameters {
            encoder: fill(architecture.encoder(), &[shift, 0.0, 0.0, 0.0]),
            decoder: fill(architecture.decoder(), &[logit; 4]),
            slope: 0.25,
            likelihood: Vec::new(),
        };
        LatentModel::with_parameters(architecture, Box::new(Bernoulli), parameters, &Device::Cpu).unwrap()
    }

    fn unseen() -> Unseen {
        // More rows than are reconstructed at once: three of each four pixels are ink.
        let pixels = Array2::from_shape_fn((ROWS_AT_ONCE + 7, 4), |(row, pixel)| u8::from(row % 4 != pixel));
        Unseen { pixels, size: [2, 2] }
    }

    fn evaluate() -> Evaluate {
        let (n_samples, n_reconstructed) = (Some(40), Some(5));
        Evaluate { n_generated: 3, n_samples, n_reconstructed, ..Evaluate::default() }
    }

    #[test]
    fn a_decoder_without_a_signal_has_the_error_of_its_constant() {
        let outcome = unseen().judge(&model(1.5, 0.0), 1, &evaluate()).unwrap();
        // Three pixels of ink and one of paper, softplus(u) - x u each.
        let expected = 4.0 * (1.0 + 1.5_f64.exp()).ln() - 3.0 * 1.5;
        for name in ["re_proposal", "re_weighted"] {
            assert!((outcome.metrics[name] - expected).abs() < 1e-5, "{name} {}", outcome.metrics[name]);
        }
        // The proposal is the prior, and so the posterior.
        assert!((outcome.metrics["ess"] - 40.0).abs() < 1e-3);
        let Generated::Images(images) = outcome.generated else { panic!() };
        // sigmoid(1.5) is 12.3 fifteenths.
        assert_eq!(images.generated(), vec![Gray::of([12.0 / 15.0; 4]).unwrap(); 3]);
        assert_eq!(images.reconstructions(), vec![Gray::of([12.0 / 15.0; 4]).unwrap(); 5]);
        assert_eq!(images.originals()[1], Gray::of([1.0, 0.0, 1.0, 1.0]).unwrap());
    }

    #[test]
    fn weights_are_those_of_the_models_own_prior() {
        let far = unseen().judge(&model(1.5, 2.0), 2, &evaluate()).unwrap();
        // Of the weights exp(-2 z) under N(2, 1), E[w]^2 / E[w^2] is exp(-4): few of 40 samples count.
        assert!(far.metrics["ess"] < 10.0, "{}", far.metrics["ess"]);
        assert!(matches!(far.generated, Generated::Images(images) if images.is_empty()));
    }

    #[test]
    fn a_row_is_judged_by_its_own_estimate() {
        let outcome = unseen().judge(&model(1.5, 2.0), 2, &evaluate()).unwrap();
        let re = |reconstruction| with_error_of(outcome.clone(), reconstruction).metrics.get("re").copied();
        assert_eq!(re(Some(Reconstruction::Proposal)), Some(outcome.metrics["re_proposal"]));
        assert_eq!(re(Some(Reconstruction::Weighted)), Some(outcome.metrics["re_weighted"]));
        assert_eq!(re(None), None);
    }

    #[test]
    fn more_images_than_there_are_cannot_be_had() {
        let message = binarized(&Array3::zeros((3, 2, 2)), 4).unwrap_err().to_string();
        assert!(message.contains("4 images are asked for, the file has 3"), "{message}");
    }
}
