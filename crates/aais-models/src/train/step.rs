//! One step with every number looked at.

use candle_core::Tensor;

use super::{Trainer, values};
use crate::error::{Error, Result};
use crate::objective::Rule;
use crate::trainable::Model;

/// Added to the gradients' length before it divides, as in torch.
pub(super) const NORM_EPSILON: f64 = 1e-6;

impl<M: Model> Trainer<M> {
    /// One batch forward and backward and one step of the optimizer on everything; returns loss and diagnostics. Deviation 5.
    pub(super) fn run_step(&mut self, step: usize, rows: &[usize]) -> Result<Vec<(String, f64)>> {
        let (loss, progress) = self.loss(step, rows)?;
        let non_finite = |what: &str, value: f32| Error::NonFinite {
            what: what.to_owned(),
            value,
            epoch: progress.epoch + 1,
            step: step + 1,
            rows: rows.to_vec(),
        };
        let value = loss.value.to_scalar::<f32>()?;
        if !value.is_finite() {
            return Err(non_finite("loss", value));
        }

        let gradients = loss.value.backward()?;
        // What the loss does not depend on has no gradient and stays where it is.
        let mut updates = Vec::with_capacity(self.decay_masks.len());
        for (vector, (name, variable)) in self.model.variables().into_iter().enumerate() {
            let Some(gradient) = gradients.get(variable) else { continue };
            let gradient = gradient.flatten_all()?.to_vec1::<f32>()?;
            if let Some(value) = gradient.iter().find(|value| !value.is_finite()) {
                return Err(non_finite(&format!("the gradient of the {name}"), *value));
            }
            updates.push((vector, variable, gradient));
        }
        let mut buffers = Vec::with_capacity(loss.buffers.len());
        for (buffer, (name, variable)) in loss.buffers.iter().zip(self.model.buffers()) {
            let buffer = buffer.flatten_all()?.to_vec1::<f32>()?;
            if let Some(value) = buffer.iter().find(|value| !value.is_finite()) {
                return Err(non_finite(name, *value));
            }
            buffers.push((variable, buffer));
        }

        let update = self.objective.update(progress, &self.settings);
        shorten(updates.iter_mut().map(|(_, _, gradient)| gradient.as_mut_slice()), update.longest_gradient);
        self.adam.begin_step();
        for (vector, variable, gradient) in updates {
            let mut values = variable.to_vec1::<f32>()?;
            let decays = &self.decay_masks[vector];
            match update.rule {
                Rule::Adam(settings) => self.adam.update(vector, &settings, &mut values, &gradient, decays),
                Rule::Sgd(settings) => self.adam.descend(vector, &settings, &mut values, &gradient, decays),
            }
            variable.set(&Tensor::from_vec(values, variable.shape(), variable.device())?)?;
        }
        for (variable, values) in buffers {
            variable.set(&Tensor::from_vec(values, variable.shape(), variable.device())?)?;
        }
        if let Some(average) = &mut self.average {
            for (average, values) in average.iter_mut().zip(values(&self.model.variables())?) {
                move_average(average, &values, self.settings.average_rate, self.adam.step);
            }
        }

        let diagnostics = loss.diagnostics()?.into_iter().map(|(name, value)| (name.to_owned(), value));
        Ok(std::iter::once(("loss".to_owned(), f64::from(value))).chain(diagnostics).collect())
    }
}

/// Scales gradients that are together longer than `longest` to that length, as torch does.
fn shorten<'a>(gradients: impl Iterator<Item = &'a mut [f32]>, longest: f64) {
    if longest == f64::INFINITY {
        return;
    }
    let mut gradients: Vec<&mut [f32]> = gradients.collect();
    let squares: f64 = gradients.iter().flat_map(|g| g.iter()).map(|g| f64::from(*g).powi(2)).sum();
    let factor = longest / (squares.sqrt() + NORM_EPSILON);
    if factor < 1.0 {
        #[expect(clippy::cast_possible_truncation, reason = "gradients are in single precision")]
        gradients.iter_mut().flat_map(|g| g.iter_mut()).for_each(|g| *g *= factor as f32);
    }
}

/// The plain mean for the first `1 / rate` steps, exponential from then on. Deviation 15.
fn move_average(average: &mut [f32], values: &[f32], rate: f32, step: u64) {
    #[expect(clippy::cast_precision_loss, reason = "only its size matters")]
    let rate = rate.max(1.0 / step as f32);
    for (average, value) in average.iter_mut().zip(values) {
        *average += rate * (value - *average);
    }
}
