//! The training loop, an epoch at a time.

mod device;
mod resume;
mod settings;
mod step;

use std::collections::BTreeMap;

use aais_distributions::Noise;
use candle_core::{Tensor, Var};

use crate::adam::Adam;
use crate::batch::{Batch, Observations};
use crate::error::{Error, Result, require};
use crate::model::LatentModel;
use crate::objective::{Loss, Objective, Step};
use crate::schedule::Progress;
use crate::trainable::Model;

pub use settings::TrainSettings;

use device::OnDevice;
use settings::check;

/// Means over the rows of one epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochMeans {
    /// Epochs finished, this one included.
    pub epoch: usize,
    /// By name: `loss` and the method's diagnostics.
    pub values: BTreeMap<String, f64>,
}

/// A model in training. Same seed, same bits: at any number of threads, with or without interruption.
pub struct Trainer<M = LatentModel> {
    model: M,
    objective: Box<dyn Objective<M>>,
    settings: TrainSettings,
    noise: Noise,
    data: Observations,
    adam: Adam,
    decay_masks: Vec<Vec<bool>>,
    average: Option<Vec<Vec<f32>>>,
    /// For each row the first one that is equal to it, where equal rows are joined.
    first_equal: Option<Vec<usize>>,
    epoch: usize,
    /// Whether an epoch's numbers are read only at its end: on a GPU, which would wait for each of them.
    checks_late: bool,
}

impl<M: Model> Trainer<M> {
    /// Ready for the first epoch on `data`: `(N, D)`, or [`Groups`](crate::Groups) of rows.
    ///
    /// # Errors
    /// If a setting is out of range, or the data do not fit the model.
    pub fn new(
        model: M,
        objective: Box<dyn Objective<M>>,
        settings: TrainSettings,
        data: impl Into<Observations>,
        noise: Noise,
    ) -> Result<Self> {
        check(&settings)?;
        let data = data.into();
        let (n_rows, width) = data.dims()?;
        if n_rows == 0 || width != model.observed() {
            let found = format!("({n_rows}, {width})");
            return Err(Error::Setting {
                name: "the data's shape",
                wanted: "(rows, observed width of the model)",
                found,
            });
        }
        let last = n_rows % settings.batch_size;
        if settings.batch_size < model.least_rows() || (1..model.least_rows()).contains(&last) {
            return Err(Error::Setting {
                name: "batch_size",
                wanted: "such that every batch, the last one too, has the rows that the model's normalization needs",
                found: format!("{} with {n_rows} rows", settings.batch_size),
            });
        }
        let parameters = values(&model.variables())?;
        let lengths: Vec<usize> = parameters.iter().map(Vec::len).collect();
        let average = (settings.average_rate > 0.0).then_some(parameters);
        let decay_masks = model.decay_masks();
        let first_equal = match &data {
            Observations::Rows(rows) if settings.join_equal_rows => Some(first_equal(rows)?),
            Observations::Groups(_) if settings.join_equal_rows => {
                let (wanted, found) = ("false for groups, which have counts of their own", "true".to_owned());
                return Err(Error::Setting { name: "join_equal_rows", wanted, found });
            }
            _ => None,
        };
        let adam = Adam::new(&lengths);
        let checks_late = model.variables().iter().any(|(_, variable)| !variable.device().is_cpu());
        Ok(Self {
            adam,
            decay_masks,
            average,
            first_equal,
            epoch: 0,
            checks_late,
            model,
            objective,
            settings,
            noise,
            data,
        })
    }

    /// Looks at numbers only at an epoch's end, instead of at every step; unless told otherwise so on a GPU, which would
    /// wait for each of them, and not on a CPU.
    ///
    /// An epoch in which a number is not finite is run again from its beginning with a look at every step, so that the
    /// error is the same. Sums are rounded in another order: results agree to rounding, not to the bit.
    #[must_use]
    pub fn with_late_checks(self, late: bool) -> Self {
        Self { checks_late: late, ..self }
    }

    /// Epochs finished.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// The model at its last iterate.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// Goes on with other data of the same shape, such as groups with features that follow the training.
    ///
    /// # Errors
    /// If there are more or fewer rows or groups, or they have another width.
    pub fn replace_data(&mut self, data: impl Into<Observations>) -> Result<()> {
        let data = data.into();
        let (found, own) = (data.dims()?, self.data.dims()?);
        require(found == own, "the data's shape", "that of the data before", format!("{found:?}"))?;
        self.data = data;
        Ok(())
    }

    /// The model at its last iterate, training being over.
    pub fn into_model(self) -> M {
        self.model
    }

    /// Runs `f` on the model with averaged parameters; `None` where none are kept.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn with_average<T>(&mut self, f: impl FnOnce(&M) -> T) -> Result<Option<T>> {
        let Some(average) = &self.average else { return Ok(None) };
        let last = values(&self.model.variables())?;
        set_values(&self.model.variables(), average)?;
        let result = f(&self.model);
        set_values(&self.model.variables(), &last)?;
        Ok(Some(result))
    }

    /// One pass over the data in a random order of its own. Deviation 10.
    ///
    /// # Errors
    /// [`Error::NonFinite`] at the first NaN or infinity, the parameters still those of the step before.
    pub fn run_epoch(&mut self) -> Result<EpochMeans> {
        let (n_rows, _) = self.data.dims()?;
        if self.objective.begins_anew(self.epoch) {
            self.adam.begin_anew();
        }
        let order = self.noise.fork("shuffle").at(self.epoch, 0).permutation(n_rows);
        let sums = if self.checks_late { self.epoch_on_device(&order)? } else { self.epoch_on_host(&order)? };
        self.epoch += 1;
        #[expect(clippy::cast_precision_loss, reason = "rows are far below 2^52")]
        let n = n_rows as f64;
        Ok(EpochMeans { epoch: self.epoch, values: sums.into_iter().map(|(name, sum)| (name, sum / n)).collect() })
    }

    /// Steps with every number looked at; returns sums over rows of loss and diagnostics.
    fn epoch_on_host(&mut self, order: &[usize]) -> Result<BTreeMap<String, f64>> {
        let mut sums: BTreeMap<String, f64> = BTreeMap::new();
        for (step, rows) in order.chunks(self.settings.batch_size).enumerate() {
            for (name, value) in self.run_step(step, rows)? {
                *sums.entry(name).or_default() += n_of(rows) * value;
            }
        }
        Ok(sums)
    }

    /// As [`epoch_on_host`](Self::epoch_on_host), but numbers are looked at once, at the epoch's end.
    ///
    /// If one is not finite, the epoch is run again with every number looked at, to tell where.
    fn epoch_on_device(&mut self, order: &[usize]) -> Result<BTreeMap<String, f64>> {
        let values_of = |variables: &[(&str, &Var)]| values(variables);
        let (before, buffers) = (values_of(&self.model.variables())?, values_of(&self.model.buffers())?);
        let state = self.objective.state();
        let mut device =
            OnDevice::new(&self.model.variables(), &self.adam, &self.decay_masks, self.average.as_deref())?;
        // An operation may refuse what is not finite; the second run tells where that came from.
        if self.steps_on_device(order, &mut device).is_ok() && device.is_finite()? {
            (self.adam, self.average) = device.read()?;
            return Ok(device.sums()?.into_iter().collect());
        }
        set_values(&self.model.variables(), &before)?;
        set_values(&self.model.buffers(), &buffers)?;
        self.objective.restore(state)?;
        self.epoch_on_host(order)
    }

    fn steps_on_device(&mut self, order: &[usize], device: &mut OnDevice) -> Result<()> {
        for (step, rows) in order.chunks(self.settings.batch_size).enumerate() {
            let (loss, progress) = self.loss(step, rows)?;
            let update = self.objective.update(progress, &self.settings);
            let (variables, buffers) = (self.model.variables(), self.model.buffers());
            device.step(&loss, n_of(rows), update, &variables, &buffers, self.settings.average_rate)?;
        }
        Ok(())
    }

    /// The loss of one batch.
    fn loss(&mut self, step: usize, rows: &[usize]) -> Result<(Loss, Progress)> {
        let batch = self.batch(rows)?;
        let mut noise = self.noise.fork("samples").at(self.epoch, step);
        let progress = Progress { epoch: self.epoch, step };
        let loss = self.objective.loss(&self.model, &mut Step { batch: &batch, noise: &mut noise, progress })?;
        Ok((loss, progress))
    }

    /// These rows or groups, or those of the rows that differ with their counts.
    fn batch(&self, rows: &[usize]) -> Result<Batch> {
        let data = match &self.data {
            Observations::Rows(data) => data,
            Observations::Groups(groups) => return Ok(groups.batch(rows)?),
        };
        let device = data.device();
        let (rows, counts) = match &self.first_equal {
            None => (rows.to_vec(), None),
            Some(first_equal) => {
                let mut counts: BTreeMap<usize, f32> = BTreeMap::new();
                rows.iter().for_each(|&row| *counts.entry(first_equal[row]).or_default() += 1.0);
                let (rows, counts): (Vec<usize>, Vec<f32>) = counts.into_iter().unzip();
                (rows, Some(counts))
            }
        };
        let index: Vec<u32> = rows.iter().map(|&row| u32::try_from(row).unwrap_or(u32::MAX)).collect();
        let index = Tensor::from_vec(index, rows.len(), device)?;
        Ok(Batch { counts, ..Batch::of_rows(data.index_select(&index, 0)?, rows) })
    }
}

/// Rows as a number to weigh by.
#[expect(clippy::cast_precision_loss, reason = "batches are far below 2^52")]
fn n_of(rows: &[usize]) -> f64 {
    rows.len() as f64
}

/// For each row of `(N, D)` the first one with the same bits.
fn first_equal(data: &Tensor) -> Result<Vec<usize>> {
    let mut first: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
    let rows = data.to_vec2::<f32>()?;
    let bits = rows.iter().map(|row| row.iter().map(|value| value.to_bits()).collect::<Vec<_>>());
    Ok(bits.enumerate().map(|(row, bits)| *first.entry(bits).or_insert(row)).collect())
}

fn values(variables: &[(&str, &Var)]) -> Result<Vec<Vec<f32>>> {
    variables.iter().map(|(_, variable)| Ok(variable.to_vec1::<f32>()?)).collect()
}

fn set_values(variables: &[(&str, &Var)], values: &[Vec<f32>]) -> Result<()> {
    for ((_, variable), values) in variables.iter().zip(values) {
        variable.set(&Tensor::from_slice(values, variable.shape(), variable.device())?)?;
    }
    Ok(())
}
