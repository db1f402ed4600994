//! A learned law of random effects, given by draws.

use ndarray::{Array1, Array2, Axis};

/// The law of the random effects, less their means where a fixed effect takes these.
#[derive(Debug, Clone, PartialEq)]
pub struct Law {
    /// Names of the effects.
    pub effect_names: Vec<String>,
    /// `(n, q)`; each with its mirror image in latent space.
    pub draws: Array2<f64>,
    /// `(q,)`; zero where a fixed effect of the same covariate takes the mean.
    pub mean: Vec<f64>,
    /// `(q,)`.
    pub std: Vec<f64>,
    /// `E[(b − mean)³] / std³`, `(q,)`; zero for a normal law.
    pub skewness: Vec<f64>,
    /// `E[(b − mean)⁴] / std⁴ − 3`, `(q,)`; zero for a normal law.
    pub excess_kurtosis: Vec<f64>,
    /// `(q, q)`.
    pub correlation: Array2<f64>,
}

impl Law {
    pub(crate) fn new(effect_names: Vec<String>, draws: Array2<f64>) -> Self {
        let n = draws.nrows() as f64;
        let mean = draws.mean_axis(Axis(0)).expect("a law has draws");
        let centred = &draws - &mean;
        let covariance = centred.t().dot(&centred) / n;
        let std: Vec<f64> = covariance.diag().iter().map(|variance| variance.sqrt()).collect();
        let standardized = |power: i32| {
            let moment = |(column, std): (ndarray::ArrayView1<f64>, &f64)| {
                column.iter().map(|b| (b / std).powi(power)).sum::<f64>() / n
            };
            centred.columns().into_iter().zip(&std).map(moment).collect::<Vec<f64>>()
        };
        let (skewness, kurtosis) = (standardized(3), standardized(4));
        let correlation = Array2::from_shape_fn(covariance.dim(), |(row, column)| {
            if row == column { 1.0 } else { covariance[(row, column)] / (std[row] * std[column]) }
        });
        Self {
            effect_names,
            mean: mean.to_vec(),
            skewness,
            excess_kurtosis: kurtosis.into_iter().map(|value| value - 3.0).collect(),
            correlation,
            std,
            draws,
        }
    }

    /// The draws of one effect, `(n,)`.
    pub fn effect(&self, effect: usize) -> Array1<f64> {
        self.draws.column(effect).to_owned()
    }
}
