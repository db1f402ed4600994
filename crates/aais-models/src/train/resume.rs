//! A trainer's state to a checkpoint and back.

use std::collections::BTreeMap;

use candle_core::Var;

use super::{Trainer, set_values, values};
use crate::adam::Adam;
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::trainable::Model;

/// Front of the names that belong to the method.
const METHOD: &str = "method.";

/// Front of the names that belong to what the model does not train.
const BUFFER: &str = "buffer.";

/// Front of the names of exponential averages.
const AVERAGE: &str = "average.";

impl Checkpoint {
    /// Only the model: parameters, their averages where they are kept, and what follows training without a gradient.
    #[must_use]
    pub fn without_training(mut self) -> Self {
        self.vectors.retain(|name, _| !name.starts_with("adam.") && !name.starts_with(METHOD));
        Self { adam_step: 0, ..self }
    }

    /// Puts the parameters of the last iterate into a model of the same widths.
    ///
    /// # Errors
    /// If it is of another model, which is then unchanged.
    pub fn load_into<M: Model>(&self, model: &M) -> Result<()> {
        self.load("", model)
    }

    /// As [`load_into`](Self::load_into), the averaged parameters.
    ///
    /// # Errors
    /// If it is of another model or keeps no average.
    pub fn load_average_into<M: Model>(&self, model: &M) -> Result<()> {
        self.load(AVERAGE, model)
    }

    fn load<M: Model>(&self, prefix: &str, model: &M) -> Result<()> {
        let vectors = |prefix: &str, of: &[(&str, &Var)]| -> Result<Vec<Vec<f32>>> {
            of.iter().map(|(name, var)| self.vector(&format!("{prefix}{name}"), var.elem_count())).collect()
        };
        let (variables, buffers) = (model.variables(), model.buffers());
        let (values, of_buffers) = (vectors(prefix, &variables)?, vectors(BUFFER, &buffers)?);
        set_values(&variables, &values)?;
        set_values(&buffers, &of_buffers)
    }
}

impl<M: Model> Trainer<M> {
    /// Everything that the rest of the training depends on; `fingerprint` and `note` are the caller's.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn checkpoint(&self, fingerprint: &str, note: &str) -> Result<Checkpoint> {
        let mut vectors = BTreeMap::new();
        let variables = self.model.variables();
        for (index, ((name, _), values)) in variables.iter().zip(values(&variables)?).enumerate() {
            vectors.insert((*name).to_owned(), values);
            vectors.insert(format!("adam.first.{name}"), self.adam.first[index].clone());
            vectors.insert(format!("adam.second.{name}"), self.adam.second[index].clone());
            if let Some(average) = &self.average {
                vectors.insert(format!("{AVERAGE}{name}"), average[index].clone());
            }
        }
        let buffers = self.model.buffers();
        for ((name, _), values) in buffers.iter().zip(values(&buffers)?) {
            vectors.insert(format!("{BUFFER}{name}"), values);
        }
        for (name, values) in self.objective.state() {
            vectors.insert(format!("{METHOD}{name}"), values);
        }
        let (fingerprint, note) = (fingerprint.to_owned(), note.to_owned());
        Ok(Checkpoint { epoch: self.epoch, adam_step: self.adam.step, fingerprint, note, vectors })
    }

    /// Goes back to a checkpoint of the same settings.
    ///
    /// # Errors
    /// If it is of another model or another `fingerprint`; the trainer is then unchanged.
    pub fn restore(&mut self, checkpoint: &Checkpoint, fingerprint: &str) -> Result<()> {
        if checkpoint.fingerprint != fingerprint {
            return Err(Error::Checkpoint { problem: "belongs to other settings".into() });
        }
        let (variables, buffers) = (self.model.variables(), self.model.buffers());
        let vectors = |prefix: &str, of: &[(&str, &Var)]| -> Result<Vec<Vec<f32>>> {
            let vector =
                |(name, variable): &(&str, &Var)| checkpoint.vector(&format!("{prefix}{name}"), variable.elem_count());
            of.iter().map(vector).collect()
        };
        let values = vectors("", &variables)?;
        let (first, second) = (vectors("adam.first.", &variables)?, vectors("adam.second.", &variables)?);
        let average = if self.average.is_some() { Some(vectors(AVERAGE, &variables)?) } else { None };
        let buffer_values = vectors(BUFFER, &buffers)?;

        let of_method =
            checkpoint.vectors.iter().filter_map(|(name, values)| Some((name.strip_prefix(METHOD)?, values)));
        self.objective.restore(of_method.map(|(name, values)| (name.to_owned(), values.clone())).collect())?;
        set_values(&variables, &values)?;
        set_values(&buffers, &buffer_values)?;
        self.adam = Adam { step: checkpoint.adam_step, first, second };
        self.average = average;
        self.epoch = checkpoint.epoch;
        Ok(())
    }
}
