//! Layers of networks that are composed of candle operations: linear maps, batch normalization, dropout.

use aais_distributions::Noise;
use candle_core::{Device, Result, Tensor, Var, bail};

/// `x W^T + b`.
pub(crate) struct Linear {
    /// Row after row, `n_out * n_in`.
    pub weight: Var,
    pub bias: Var,
}

impl Linear {
    /// torch's default initialization: uniform within `1 / sqrt(n_in)`. Deviation 8.
    pub fn new(n_in: usize, n_out: usize, noise: &mut Noise, device: &Device) -> Result<Self> {
        #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^24")]
        let bound = 1.0 / (n_in as f32).sqrt();
        let mut uniform = |length: usize| {
            let values = (0..length).map(|_| noise.uniform(-bound, bound)).collect();
            Var::from_vec::<_, f32>(values, length, device)
        };
        Ok(Self { weight: uniform(n_out * n_in)?, bias: uniform(n_out)? })
    }

    /// `(B, n_in)` to `(B, n_out)`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, n_in) = x.dims2()?;
        x.matmul(&self.weight.reshape(((), n_in))?.t()?)?.broadcast_add(&self.bias)
    }
}

/// Normalization of each column over a batch (Ioffe and Szegedy 2015), as in torch.
pub(crate) struct BatchNorm {
    pub gain: Var,
    pub shift: Var,
    pub running_mean: Var,
    pub running_variance: Var,
    pub settings: BatchNormSettings,
}

#[derive(Clone, Copy)]
pub(crate) struct BatchNormSettings {
    /// Added to the variance.
    pub epsilon: f64,
    /// Share of a batch in the running moments.
    pub momentum: f64,
}

/// Values normalized by their batch's own moments.
pub(crate) struct Normalized {
    pub value: Tensor,
    /// Where the running mean and the running variance move.
    pub running: [Tensor; 2],
}

impl BatchNorm {
    pub fn new(width: usize, settings: BatchNormSettings, device: &Device) -> Result<Self> {
        let vector = |value: f32| Var::from_vec(vec![value; width], width, device);
        Ok(Self {
            gain: vector(1.0)?,
            shift: vector(0.0)?,
            running_mean: vector(0.0)?,
            running_variance: vector(1.0)?,
            settings,
        })
    }

    /// By the moments of the batch, `(B, width)` with at least two rows.
    ///
    /// Columns are divided by the biased standard deviation; the unbiased variance goes into the running one.
    pub fn train(&self, x: &Tensor) -> Result<Normalized> {
        let (rows, _) = x.dims2()?;
        if rows < 2 {
            bail!("a batch normalization trains on two rows or more, got {rows}; choose another `batch_size`");
        }
        let mean = x.mean_keepdim(0)?;
        let centred = x.broadcast_sub(&mean)?;
        let variance = centred.sqr()?.mean_keepdim(0)?;
        let value = self.scaled(&centred, &variance)?;

        #[expect(clippy::cast_precision_loss, reason = "batches are far below 2^52")]
        let unbiased = rows as f64 / (rows as f64 - 1.0);
        let BatchNormSettings { momentum, .. } = self.settings;
        let moved = |running: &Var, of_batch: &Tensor, factor: f64| {
            let of_batch = of_batch.detach().squeeze(0)?;
            (running.as_tensor().detach() * (1.0 - momentum))? + (of_batch * (factor * momentum))?
        };
        let running = [moved(&self.running_mean, &mean, 1.0)?, moved(&self.running_variance, &variance, unbiased)?];
        Ok(Normalized { value, running })
    }

    /// By the running moments.
    pub fn evaluate(&self, x: &Tensor) -> Result<Tensor> {
        let centred = x.broadcast_sub(&self.running_mean.as_tensor().detach())?;
        self.scaled(&centred, &self.running_variance.as_tensor().detach())
    }

    fn scaled(&self, centred: &Tensor, variance: &Tensor) -> Result<Tensor> {
        let std = (variance + self.settings.epsilon)?.sqrt()?;
        centred.broadcast_div(&std)?.broadcast_mul(&self.gain)?.broadcast_add(&self.shift)
    }
}

/// Each value is zero with probability `rate`, and `1 / (1 - rate)` times itself otherwise.
pub(crate) fn dropout(x: &Tensor, rate: f32, noise: &mut Noise) -> Result<Tensor> {
    if rate == 0.0 {
        return Ok(x.clone());
    }
    let kept = noise.uniform_tensor(x.dims(), x.device())?.ge(rate)?.to_dtype(x.dtype())?;
    x * (kept / (1.0 - f64::from(rate)))?
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SETTINGS: BatchNormSettings = BatchNormSettings { epsilon: 1e-3, momentum: 0.01 };

    fn norm(gain: f32, shift: f32) -> BatchNorm {
        let norm = BatchNorm::new(1, SETTINGS, &Device::Cpu).unwrap();
        norm.gain.set(&Tensor::new(&[gain], &Device::Cpu).unwrap()).unwrap();
        norm.shift.set(&Tensor::new(&[shift], &Device::Cpu).unwrap()).unwrap();
        norm
    }

    fn column(values: &[f32]) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap().unsqueeze(1).unwrap()
    }

    fn flat(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_batch_is_normalized_by_its_biased_variance_and_remembered_by_the_unbiased_one() {
        // Mean 4, sum of squares 8 + 8: variance 16/4 = 4 biased, 16/3 unbiased.
        let normalized = norm(2.0, 1.0).train(&column(&[2.0, 2.0, 6.0, 6.0])).unwrap();
        let step = 2.0 / 4.001f32.sqrt();
        for (found, exact) in flat(&normalized.value).iter().zip([-1.0, -1.0, 1.0, 1.0]) {
            assert!((found - (1.0 + 2.0 * step * exact)).abs() < 1e-6, "{found}");
        }
        let [mean, variance] = normalized.running.map(|tensor| flat(&tensor)[0]);
        assert!((mean - 0.04).abs() < 1e-8 && (variance - (0.99 + 0.01 * 16.0 / 3.0)).abs() < 1e-6);
    }

    #[test]
    fn evaluation_uses_the_running_moments() {
        let norm = norm(2.0, 1.0);
        norm.running_mean.set(&Tensor::new(&[4f32], &Device::Cpu).unwrap()).unwrap();
        norm.running_variance.set(&Tensor::new(&[9f32 - 1e-3], &Device::Cpu).unwrap()).unwrap();
        // One row is enough here.
        assert!((flat(&norm.evaluate(&column(&[7.0])).unwrap())[0] - 3.0).abs() < 1e-6);
    }

    #[test]
    fn one_row_has_no_variance_to_train_with() {
        let error = norm(1.0, 0.0).train(&column(&[1.0])).err().unwrap().to_string();
        assert!(error.contains("two rows or more, got 1"), "{error}");
    }

    #[test]
    fn gradients_of_a_normalization_are_those_of_finite_differences() {
        let x = [0.3f64, -1.2, 0.8, 2.0, 0.1];
        let cotangent = Tensor::new(&[0.7f64, -0.2, 0.4, 1.0, -0.9], &Device::Cpu).unwrap().unsqueeze(1).unwrap();
        let leaf = |value: f64| Var::from_vec(vec![value], 1, &Device::Cpu).unwrap();
        let norm = BatchNorm {
            gain: leaf(1.3),
            shift: leaf(-0.4),
            running_mean: leaf(0.0),
            running_variance: leaf(1.0),
            settings: SETTINGS,
        };
        let loss = |x: &Tensor| (norm.train(x).unwrap().value * &cotangent).unwrap().sum_all().unwrap();
        let at = |x: &[f64]| {
            let x = Tensor::new(x, &Device::Cpu).unwrap().unsqueeze(1).unwrap();
            loss(&x).to_scalar::<f64>().unwrap()
        };
        let leaf = Var::from_tensor(&Tensor::new(&x, &Device::Cpu).unwrap().unsqueeze(1).unwrap()).unwrap();
        let gradients = loss(&leaf).backward().unwrap();
        let exact = gradients.get(&leaf).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        for (k, exact) in exact.iter().enumerate() {
            let moved = |step: f64| {
                let mut x = x;
                x[k] += step;
                at(&x)
            };
            let found = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((found - exact).abs() < 1e-8, "{found} {exact}");
        }
    }

    #[test]
    fn dropout_keeps_the_mean_and_comes_from_its_noise() {
        let ones = Tensor::ones((100, 200), candle_core::DType::F32, &Device::Cpu).unwrap();
        let drop = |seed| flat(&dropout(&ones, 0.1, &mut Noise::new(seed)).unwrap());
        let found = drop(1);
        assert!(found.iter().all(|value| *value == 0.0 || (value - 1.0 / 0.9).abs() < 1e-6));
        // Five standard errors of a mean of 20,000 values with standard deviation 1/3.
        let mean = found.iter().sum::<f32>() / 20_000.0;
        assert!((mean - 1.0).abs() < 5.0 / 3.0 / 141.4, "{mean}");
        assert!(found == drop(1) && found != drop(2));
        assert_eq!(flat(&dropout(&ones, 0.0, &mut Noise::new(1)).unwrap()), flat(&ones));
    }

    #[test]
    fn a_linear_map_begins_as_torchs_does() {
        let linear = Linear::new(25, 40, &mut Noise::new(1), &Device::Cpu).unwrap();
        let weights = linear.weight.to_vec1::<f32>().unwrap();
        let most = weights.iter().fold(0.0f32, |most, weight| most.max(weight.abs()));
        assert!(weights.len() == 1000 && most <= 0.2 && most > 0.19, "{most}");
        assert_eq!(
            linear.forward(&Tensor::zeros((3, 25), candle_core::DType::F32, &Device::Cpu).unwrap()).unwrap().dims(),
            [3, 40]
        );
    }
}
