//! Rows as tensors: covariates on one scale, features for the encoder.

use aais_glmm::{BinomialLink, Family, Fit};
use aais_models::{GroupedColumns, GroupedFamily, Groups};
use candle_core::{Device, Tensor};
use ndarray::{Array2, ArrayView1, Axis};

use crate::error::Result;
use crate::grouped_design::GroupedDesign;
use crate::normal_law::modes;
use crate::start::scaled_factor;

/// How rows become tensors; taken from the data of training and applied to any.
#[derive(Clone, Debug)]
pub(crate) struct Scales {
    /// The normal fit, for features and anchors.
    fit: Fit,
    /// Latent dimension `d`.
    pub latent: usize,
    /// Lower Cholesky factor of the fitted covariance on the scale of training, `(q, q)`.
    pub factor: Array2<f64>,
    /// Root mean square of each column of `X`: coefficients are trained on this scale.
    pub fixed: Vec<f64>,
    /// The same of `W`.
    pub random: Vec<f64>,
    /// Mean and standard deviation of each feature.
    features: Vec<[f64; 2]>,
}

impl Scales {
    pub fn new(design: &GroupedDesign, fit: &Fit, latent: Option<usize>) -> Self {
        let root_mean_square = |column: ArrayView1<f64>| {
            let mean = column.iter().map(|x| x * x).sum::<f64>() / column.len() as f64;
            if mean > 0.0 { mean.sqrt() } else { 1.0 }
        };
        let random: Vec<f64> = design.random.columns().into_iter().map(root_mean_square).collect();
        let mut scales = Self {
            latent: latent.unwrap_or(random.len()),
            factor: scaled_factor(&random, fit),
            fixed: design.fixed.columns().into_iter().map(root_mean_square).collect(),
            random,
            fit: fit.clone(),
            features: Vec::new(),
        };
        let moments = |column: ArrayView1<f64>| {
            let mean = column.mean().unwrap_or(0.0);
            let std = column.std(0.0);
            [mean, if std > 0.0 { std } else { 1.0 }]
        };
        scales.features = scales.raw_features(design).columns().into_iter().map(moments).collect();
        scales
    }

    /// What a row tells of its group's effects, `(R, features)`: its loadings, its linear predictor and response, and
    /// its score and information at the normal fit with effects of zero, whose sums a Newton step would start from.
    fn raw_features(&self, design: &GroupedDesign) -> Array2<f64> {
        let q = design.n_effects();
        let mut features = Array2::zeros((design.response.len(), q + 2 + q + q * (q + 1) / 2));
        for (row, mut to) in features.axis_iter_mut(Axis(0)).enumerate() {
            let beta = ndarray::aview1(&self.fit.fixed);
            let eta = design.offset[row] + design.fixed.row(row).dot(&beta);
            let (y, weight) = (design.response[row], design.weights[row]);
            let at_zero = self.fit.family.row(y, eta, fit_dispersion(&self.fit));
            let w: Vec<f64> = design.random.row(row).iter().zip(&self.random).map(|(w, scale)| w / scale).collect();
            let mut values = w.clone();
            values.extend([eta, y.asinh()]);
            // Counts may be large: what enters grows like a logarithm.
            values.extend(w.iter().map(|w| (weight * at_zero.score * w).asinh()));
            for (k, first) in w.iter().enumerate() {
                values.extend(w[..=k].iter().map(|second| (weight * at_zero.information * first * second).asinh()));
            }
            to.assign(&ndarray::aview1(&values));
        }
        features
    }

    pub fn columns(&self) -> GroupedColumns {
        GroupedColumns {
            features: self.n_anchors() + self.features.len(),
            fixed: self.fixed.len(),
            random: self.random.len(),
        }
    }

    /// Columns that hold the moments of proposals.
    pub fn n_anchors(&self) -> usize {
        2 * self.latent
    }

    /// Mean and log variance of each group's proposal at the start, `(G, 2 d)`: those of its posterior under the normal
    /// law around the mode; latent coordinates that the law does not read have the prior's.
    fn anchors(&self, design: &GroupedDesign) -> Array2<f64> {
        let q = self.random.len();
        let unscaled = &self.factor / &ndarray::aview1(&self.random).insert_axis(Axis(1));
        let modes = modes(design, &self.fit, &unscaled);
        Array2::from_shape_fn((design.sizes.len(), self.n_anchors()), |(group, column)| {
            let (moment, k) = (column / self.latent, column % self.latent);
            if k < q { modes[(group, moment * q + k)] } else { 0.0 }
        })
    }

    /// `(R, width)` rows for a [`Grouped`](aais_models::Grouped) likelihood.
    #[expect(clippy::cast_possible_truncation, reason = "training is in single precision")]
    pub fn groups(&self, design: &GroupedDesign, device: &Device) -> Result<Groups> {
        let (features, anchors) = (self.raw_features(design), self.anchors(design));
        let mut values: Vec<f32> = Vec::with_capacity(design.response.len() * self.columns().width());
        for (group, row) in
            design.spans().into_iter().enumerate().flat_map(|(group, rows)| rows.map(move |r| (group, r)))
        {
            values.extend(anchors.row(group).iter().map(|value| *value as f32));
            let of_features = features.row(row).into_iter().zip(&self.features);
            values.extend(of_features.map(|(value, [mean, std])| ((value - mean) / std) as f32));
            values.extend(design.fixed.row(row).iter().zip(&self.fixed).map(|(x, scale)| (x / scale) as f32));
            values.extend(design.random.row(row).iter().zip(&self.random).map(|(w, scale)| (w / scale) as f32));
            values.extend([design.offset[row], design.response[row], design.weights[row]].map(|value| value as f32));
        }
        let rows = Tensor::from_vec(values, (design.response.len(), self.columns().width()), device)?;
        Ok(Groups::new(rows, &design.sizes)?)
    }
}

/// Residual standard deviation, size or shape; one for a family without.
pub(crate) fn fit_dispersion(fit: &Fit) -> f64 {
    match fit.dispersion {
        aais_glmm::Dispersion::One => 1.0,
        aais_glmm::Dispersion::ResidualStd(value)
        | aais_glmm::Dispersion::Size(value)
        | aais_glmm::Dispersion::Shape(value) => value,
    }
}

/// The likelihood of a family's rows.
pub(crate) fn grouped_family(family: Family) -> GroupedFamily {
    fn probit(response: f64, eta: f64) -> [f64; 2] {
        let row = Family::Binomial(BinomialLink::Probit).row(response, eta, 1.0);
        [row.value, row.score]
    }
    fn cloglog(response: f64, eta: f64) -> [f64; 2] {
        let row = Family::Binomial(BinomialLink::Cloglog).row(response, eta, 1.0);
        [row.value, row.score]
    }
    match family {
        Family::Gaussian => GroupedFamily::Normal,
        Family::Binomial(BinomialLink::Logit) => GroupedFamily::Binomial,
        Family::Binomial(BinomialLink::Probit) => GroupedFamily::Other(probit),
        Family::Binomial(BinomialLink::Cloglog) => GroupedFamily::Other(cloglog),
        Family::Poisson => GroupedFamily::Poisson,
        Family::NegativeBinomial => GroupedFamily::NegativeBinomial,
        Family::Gamma => GroupedFamily::Gamma,
    }
}
