//! ALMOND: the decoder by maximum likelihood over Langevin chains that start from a VAE's encoder (Qiu and Wang 2021).
//! Paper, section 2.

use std::collections::BTreeMap;

use aais_distributions::{LogDensity, Proposal};
use aais_langevin::{StepSize, ula};
use candle_core::{Result, Tensor};
use serde::Deserialize;

use super::Vae;
use crate::adam::SgdSettings;
use crate::batch::Batch;
use crate::error::{Error, require};
use crate::model::LatentModel;
use crate::objective::{Loss, Objective, Rule, Step, Update};
use crate::schedule::{Progress, Schedule};
use crate::train::TrainSettings;

/// Rows whose chains move together, so that what they need stays in the cache.
const ROWS_TOGETHER: usize = 20;

/// After `vae_epochs` of a VAE: maximizes `E_{p(z | x)}[log p(x | z)]`, the expectation by unadjusted Langevin chains
/// that each row keeps from one visit to the next. The encoder rests then. Deviation 22.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Almond {
    /// Chains a row, and samples of the VAE, `M`.
    pub n_samples: usize,
    /// Epochs of the VAE.
    pub vae_epochs: usize,
    /// Epochs of Adam after it, its moments begun anew; gradient descent follows.
    pub warmup_epochs: usize,
    /// Langevin steps a visit.
    pub n_steps: usize,
    /// Their size at first, `s`: in epoch `e` it is `max(s / 10, s / sqrt(e + 1))`.
    pub step_size: f64,
    /// Of gradient descent.
    pub momentum: f32,
    /// Of gradient descent.
    pub weight_decay: f32,
    /// The chains' states, row after row; none at first.
    #[serde(skip)]
    pub chains: Vec<f32>,
}

impl Almond {
    /// Epochs since the chains began; none while the VAE trains.
    fn epoch(&self, epoch: usize) -> Option<usize> {
        epoch.checked_sub(self.vae_epochs)
    }

    #[expect(clippy::cast_precision_loss, reason = "epochs are far below 2^52")]
    fn step_size(&self, epoch: usize) -> f64 {
        self.step_size * (0.1f64).max(1.0 / (epoch as f64 + 1.0).sqrt())
    }

    /// Moves the chains of some rows and keeps where they arrive, `(B, M, d)`.
    fn sample(&mut self, model: &LatentModel, step: &mut Step, epoch: usize) -> Result<Tensor> {
        let (latent, device) = (model.architecture().latent, model.device());
        let size = self.n_samples * latent;
        let step_size = StepSize::new(self.step_size(epoch))?;
        // Chains begin at the encoder's proposal, in the first epoch or where a row is new.
        let is_new = |row: &usize| self.chains.len() < (row + 1) * size;
        let begins = epoch == 0 || step.batch.rows.iter().any(is_new);
        let begin = |step: &mut Step| model.propose(step.batch)?.frozen().sample(self.n_samples, step.noise);
        let first = if begins { Some(begin(step)?) } else { None };

        let mut arrived = Vec::new();
        for start in (0..step.batch.rows.len()).step_by(ROWS_TOGETHER) {
            let n = ROWS_TOGETHER.min(step.batch.rows.len() - start);
            let rows = step.batch.rows[start..start + n].to_vec();
            let mut z = match &first {
                Some(first) => first.narrow(0, start, n)?.contiguous()?,
                None => {
                    let states = rows.iter().flat_map(|row| &self.chains[row * size..(row + 1) * size]);
                    Tensor::from_vec(states.copied().collect::<Vec<_>>(), (n, self.n_samples, latent), device)?
                }
            };
            let batch = Batch::of_rows(step.batch.observed.narrow(0, start, n)?.contiguous()?, rows);
            let joint = model.joint(&batch).frozen();
            for _ in 0..self.n_steps {
                z = ula(&z, &joint.score(&z)?, &step_size, step.noise)?.z;
            }
            let states = z.flatten_all()?.to_vec1::<f32>()?;
            for (row, states) in batch.rows.iter().zip(states.chunks_exact(size)) {
                let end = (row + 1) * size;
                if self.chains.len() < end {
                    self.chains.resize(end, 0.0);
                }
                self.chains[end - size..end].copy_from_slice(states);
            }
            arrived.push(z);
        }
        Tensor::cat(&arrived, 0)
    }
}

impl Objective for Almond {
    fn loss(&mut self, model: &LatentModel, step: &mut Step) -> Result<Loss> {
        let Some(epoch) = self.epoch(step.progress.epoch) else {
            let mut vae = Vae { n_samples: self.n_samples, beta: Schedule::Constant(1.0) };
            return vae.loss(model, step);
        };
        let z = self.sample(model, step, epoch)?;
        let reconstruction = model.joint(step.batch).log_likelihood(&z)?.mean(1)?;
        Loss::new(step.batch.mean(&reconstruction)?.neg()?).with("reconstruction", step.batch, &reconstruction)
    }

    fn check(&self, epochs: usize) -> crate::Result<()> {
        require(self.n_samples > 0, "n_samples", "at least 1", self.n_samples)?;
        require(self.vae_epochs < epochs, "vae_epochs", "fewer than all epochs", self.vae_epochs)?;
        require(self.n_steps > 0, "n_steps", "at least 1", self.n_steps)?;
        let is_size = self.step_size.is_finite() && self.step_size > 0.0;
        require(is_size, "step_size", "a positive number", self.step_size)?;
        require((0.0..1.0).contains(&self.momentum), "momentum", "at least 0 and below 1", self.momentum)?;
        let is_decay = self.weight_decay.is_finite() && self.weight_decay >= 0.0;
        require(is_decay, "weight_decay", "zero or a positive number", self.weight_decay)
    }

    fn update(&self, progress: Progress, settings: &TrainSettings) -> Update {
        let descent = self.epoch(progress.epoch).and_then(|epoch| epoch.checked_sub(self.warmup_epochs));
        let Some(epoch) = descent else { return Rule::Adam(settings.adam()).into() };
        #[expect(clippy::cast_precision_loss, reason = "epochs are far below 2^24")]
        let learning_rate = settings.learning_rate / (epoch as f32 + 1.0).sqrt();
        Rule::Sgd(SgdSettings { learning_rate, momentum: self.momentum, weight_decay: self.weight_decay }).into()
    }

    fn begins_anew(&self, epoch: usize) -> bool {
        epoch == self.vae_epochs || epoch == self.vae_epochs + self.warmup_epochs
    }

    fn state(&self) -> BTreeMap<String, Vec<f32>> {
        BTreeMap::from([("chains".to_owned(), self.chains.clone())])
    }

    fn restore(&mut self, mut state: BTreeMap<String, Vec<f32>>) -> crate::Result<()> {
        let missing = || Error::Checkpoint { problem: "has no `chains`".into() };
        self.chains = state.remove("chains").ok_or_else(missing)?;
        Ok(())
    }
}
