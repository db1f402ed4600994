//! An epoch whose numbers stay on the device: nothing is read back before its end.

use candle_core::{DType, Result, Tensor, Var};

use crate::adam::{Adam, AdamSettings, Moves, SgdSettings};
use crate::objective::{Loss, Rule, Update};
use crate::train::step::NORM_EPSILON;

/// The optimizer, the averages and the sums of an epoch as tensors.
pub(super) struct OnDevice {
    step: u64,
    first: Vec<Tensor>,
    second: Vec<Tensor>,
    /// One where weight decay reaches, zero elsewhere.
    decays: Vec<Tensor>,
    average: Option<Vec<Tensor>>,
    /// What is summed over rows, by name.
    names: Vec<&'static str>,
    sums: Option<Tensor>,
    /// Zero until a number is not finite, NaN from then on.
    health: Tensor,
}

impl OnDevice {
    /// As the optimizer and the averages are when an epoch begins.
    pub fn new(
        variables: &[(&str, &Var)],
        adam: &Adam,
        decay_masks: &[Vec<bool>],
        average: Option<&[Vec<f32>]>,
    ) -> Result<Self> {
        let upload = |vectors: &[Vec<f32>]| -> Result<Vec<Tensor>> {
            let each = vectors.iter().zip(variables);
            each.map(|(vector, (_, variable))| Tensor::from_slice(vector, vector.len(), variable.device())).collect()
        };
        let masks: Vec<Vec<f32>> =
            decay_masks.iter().map(|mask| mask.iter().map(|&decays| f32::from(u8::from(decays))).collect()).collect();
        Ok(Self {
            step: adam.step,
            first: upload(&adam.first)?,
            second: upload(&adam.second)?,
            decays: upload(&masks)?,
            average: average.map(upload).transpose()?,
            names: Vec::new(),
            sums: None,
            health: Tensor::zeros((), DType::F64, variables[0].1.device())?,
        })
    }

    /// One step down the gradients of a loss that is a mean over `n_rows` rows.
    pub fn step(
        &mut self,
        loss: &Loss,
        n_rows: f64,
        update: Update,
        variables: &[(&str, &Var)],
        buffers: &[(&str, &Var)],
        average_rate: f32,
    ) -> Result<()> {
        let gradients = loss.value.backward()?;
        let mut moved = Vec::with_capacity(variables.len());
        for (vector, (_, variable)) in variables.iter().enumerate() {
            let Some(gradient) = gradients.get(variable) else { continue };
            moved.push((vector, *variable, gradient.flatten_all()?));
        }
        self.look_at(std::iter::once(&loss.value).chain(moved.iter().map(|(_, _, gradient)| gradient)))?;
        self.look_at(&loss.buffers)?;

        let shortening = shortening(moved.iter().map(|(_, _, gradient)| gradient), update.longest_gradient)?;
        self.step += 1;
        for (vector, variable, gradient) in moved {
            let gradient = match &shortening {
                Some(factor) => gradient.broadcast_mul(factor)?,
                None => gradient,
            };
            let values = variable.as_detached_tensor();
            let values = match update.rule {
                Rule::Adam(settings) => self.adam(vector, &settings, &values, &gradient)?,
                Rule::Sgd(settings) => self.descend(vector, &settings, &values, &gradient)?,
            };
            variable.set(&values)?;
        }
        for (buffer, (_, variable)) in loss.buffers.iter().zip(buffers) {
            variable.set(&buffer.flatten_all()?.contiguous()?)?;
        }
        if let Some(average) = &mut self.average {
            #[expect(clippy::cast_precision_loss, reason = "only its size matters")]
            let rate = f64::from(average_rate.max(1.0 / self.step as f32));
            for (average, (_, variable)) in average.iter_mut().zip(variables) {
                *average = (&*average + ((variable.as_tensor() - &*average)? * rate)?)?.detach();
            }
        }

        let (names, values) = loss.all()?;
        let values = (values * n_rows)?;
        self.sums = Some(match &self.sums {
            Some(sums) => (sums + values)?,
            None => values,
        });
        self.names = names;
        Ok(())
    }

    /// What [`Adam::update`] does to one vector.
    fn adam(&mut self, vector: usize, settings: &AdamSettings, values: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let moves = Moves::at(self.step, settings);
        let gradient = self.decayed(vector, settings.weight_decay, values, gradient)?;
        let first = ((&self.first[vector] * moves.keep_first)? + (&gradient * moves.take_first)?)?;
        let second = ((&self.second[vector] * moves.keep_second)? + (gradient.sqr()? * moves.take_second)?)?;
        let away = ((second.sqrt()? / moves.root)? + f64::from(settings.epsilon))?;
        let values = (values - ((&first * moves.step_size)? / away)?)?;
        (self.first[vector], self.second[vector]) = (first, second);
        Ok(values)
    }

    /// What [`Adam::descend`] does to one vector.
    fn descend(&mut self, vector: usize, settings: &SgdSettings, values: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let gradient = self.decayed(vector, settings.weight_decay, values, gradient)?;
        let momentum = ((&self.first[vector] * f64::from(settings.momentum))? + gradient)?;
        let values = (values - (&momentum * f64::from(settings.learning_rate))?)?;
        self.first[vector] = momentum;
        Ok(values)
    }

    fn decayed(&self, vector: usize, weight_decay: f32, values: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        if weight_decay == 0.0 {
            return Ok(gradient.clone());
        }
        gradient + ((values * f64::from(weight_decay))? * &self.decays[vector])?
    }

    /// Takes note of a number that is not finite.
    fn look_at<'a>(&mut self, tensors: impl IntoIterator<Item = &'a Tensor>) -> Result<()> {
        for tensor in tensors {
            // Zero times infinity or NaN is NaN.
            let sum = (tensor.detach() * 0.0)?.sum_all()?.to_dtype(DType::F64)?;
            self.health = (&self.health + sum)?;
        }
        Ok(())
    }

    /// Whether all numbers were finite.
    pub fn is_finite(&self) -> Result<bool> {
        Ok(self.health.to_scalar::<f64>()?.is_finite())
    }

    /// Sums over rows of the loss and the diagnostics, by name.
    pub fn sums(&self) -> Result<Vec<(String, f64)>> {
        let Some(sums) = &self.sums else { return Ok(Vec::new()) };
        let names = self.names.iter().map(|name| (*name).to_owned());
        Ok(names.zip(sums.to_vec1::<f64>()?).collect())
    }

    /// The optimizer, and the averages.
    pub fn read(&self) -> Result<(Adam, Option<Vec<Vec<f32>>>)> {
        let download = |tensors: &[Tensor]| tensors.iter().map(Tensor::to_vec1::<f32>).collect::<Result<Vec<_>>>();
        let adam = Adam { step: self.step, first: download(&self.first)?, second: download(&self.second)? };
        Ok((adam, self.average.as_deref().map(download).transpose()?))
    }
}

/// What gradients are to be multiplied by, that together they are at most as long as `longest`; `None` for one.
fn shortening<'a>(gradients: impl Iterator<Item = &'a Tensor>, longest: f64) -> Result<Option<Tensor>> {
    if longest == f64::INFINITY {
        return Ok(None);
    }
    let squares = gradients.map(|gradient| gradient.to_dtype(DType::F64)?.sqr()?.sum_all());
    let Some(squares) = squares.reduce(|sum, square| sum? + square?) else { return Ok(None) };
    let factor = ((squares?.sqrt()? + NORM_EPSILON)?.recip()? * longest)?.minimum(1.0)?;
    Ok(Some(factor.to_dtype(DType::F32)?.reshape(1)?))
}
