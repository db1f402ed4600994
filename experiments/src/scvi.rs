//! scVI as a row of a table: the model, its method, and which cells it is trained on.

use aais_distributions::Noise;
use aais_models::methods::Scvi;
use aais_models::{Objective, ScviModel, ScviWidths, Split, TrainSettings, Trainer};
use anyhow::{Result, ensure};
use candle_core::Tensor;
use serde::Deserialize;

/// Settings of scvi-tools, and those of its method.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScviRow {
    /// Width of the hidden layers.
    pub hidden: usize,
    /// Latent dimension.
    pub latent: usize,
    /// Share of the cells that is trained on.
    pub train_share: f64,
    /// Dropout, warm-up, optimizer.
    pub objective: Scvi,
}

impl ScviRow {
    /// Refuses settings out of range before anything is trained.
    ///
    /// # Errors
    /// For the first that is.
    pub fn check(&self, epochs: usize) -> Result<()> {
        ensure!(self.hidden > 0 && self.latent > 0, "`hidden` and `latent` must be at least 1");
        Split::random(1, self.train_share, &mut Noise::new(0))?;
        Ok(self.objective.check(epochs)?)
    }

    /// Ready for the first epoch on a random share of `counts`, `(N, D)`.
    ///
    /// # Errors
    /// If a setting is out of range, or a last batch has one row only.
    pub fn trainer(&self, counts: &Tensor, settings: TrainSettings, seed: u64) -> Result<Trainer<ScviModel>> {
        let (n_rows, genes) = counts.dims2()?;
        let device = counts.device();
        let noise = Noise::new(seed);
        let split = Split::random(n_rows, self.train_share, &mut noise.fork("split"))?;
        let rows = split.train.into_iter().map(u32::try_from).collect::<Result<Vec<_>, _>>()?;
        let n_train = rows.len();
        let train = counts.index_select(&Tensor::from_vec(rows, n_train, device)?, 0)?;

        let widths = ScviWidths { genes, hidden: self.hidden, latent: self.latent };
        let model = ScviModel::new(widths, &noise.fork("init"), device)?;
        Ok(Trainer::new(model, Box::new(self.objective.clone()), settings, train, noise.fork("train"))?)
    }
}
