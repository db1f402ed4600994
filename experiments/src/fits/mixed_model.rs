//! Generalized linear mixed models of the answers, by formula.

use aais_distributions::Noise;
use aais_glmm::{
    Approximation, BinomialLink, Design, DesignOptions, Family, Formula, Parameters, Settings, marginal_nll,
};
use anyhow::{Context, Result};
use candle_core::Device;
use ndarray::Array2;
use serde::Deserialize;

use super::{Fit, measures, no_draws};
use crate::cell::{Generated, Outcome, Rows};
use crate::task::Prepared;

/// Nodes of the quadrature that integrates over random effects, in each dimension.
const NODES: usize = 25;

/// A formula over the columns of VerbAgg and `obs`, the number of the row.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixedModel {
    /// As in lme4.
    pub formula: String,
    /// Draws of the random effects' law that are kept for a figure.
    #[serde(default)]
    pub n_draws: usize,
}

impl Fit for MixedModel {
    fn fit(&self, prepared: &Prepared, _: u64) -> Result<Outcome> {
        let answers = prepared.answers()?;
        let formula: Formula = self.formula.parse()?;
        let design = formula.design(&answers.data()?, &DesignOptions::default())?.design;
        let family = Family::Binomial(BinomialLink::Logit);
        let settings = Settings { approximation: Approximation::Laplace, ..Settings::default() };
        let fit = aais_glmm::fit(&design, family, &settings).with_context(|| format!("fitting {}", self.formula))?;

        let nll = exact_nll(&design, family, &fit.parameters())?.unwrap_or(-fit.log_likelihood);
        let mut metrics = measures(&design.response.values, &fit.fitted, nll)?;
        let std_errors = fit.std_errors_given_theta();
        for ((name, estimate), std_error) in fit.fixed_names.iter().zip(&fit.fixed).zip(std_errors) {
            let name = name.trim_matches(['(', ')']).to_lowercase();
            metrics.insert(format!("beta_{name}"), *estimate);
            metrics.insert(format!("se_{name}"), std_error);
        }
        let generated = match fit.random.first().filter(|_| self.n_draws > 0) {
            Some(effects) => draws(&effects.covariance, &effects.effect_names, self.n_draws)?,
            None => no_draws(answers)?,
        };
        Ok(Outcome { metrics, generated })
    }
}

/// The likelihood without approximation, where quadrature can give it: one grouping factor with few effects, or a
/// group for each row.
fn exact_nll(design: &Design, family: Family, parameters: &Parameters) -> Result<Option<f64>> {
    match marginal_nll(design, family, parameters, NODES) {
        Ok(nll) => Ok(Some(nll)),
        Err(aais_glmm::Error::Unavailable { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Rows of `N(0, covariance)`, which may be singular.
fn draws(covariance: &Array2<f64>, names: &[String], n: usize) -> Result<Generated> {
    let width = names.len();
    let root = root(covariance);
    let normals = Noise::new(1).fork("figure").standard_normal(&[n, width], &Device::Cpu)?.to_vec2::<f32>()?;
    let row = |z: &Vec<f32>| (0..width).map(|i| (0..=i).map(|k| root[(i, k)] * f64::from(z[k])).sum()).collect();
    let sample: Vec<Vec<f64>> = normals.iter().map(row).collect();
    Ok(Generated::Rows(Rows::first(n, &names.iter().map(String::as_str).collect::<Vec<_>>(), &sample)?))
}

/// The lower Cholesky factor; a direction without variance has a column of zeros.
fn root(covariance: &Array2<f64>) -> Array2<f64> {
    let n = covariance.nrows();
    let mut root = Array2::zeros((n, n));
    for k in 0..n {
        let pivot = covariance[(k, k)] - (0..k).map(|m| root[(k, m)] * root[(k, m)]).sum::<f64>();
        if pivot <= 1e-12 * covariance[(k, k)] {
            continue;
        }
        root[(k, k)] = pivot.sqrt();
        for i in k + 1..n {
            let rest = covariance[(i, k)] - (0..k).map(|m| root[(i, m)] * root[(k, m)]).sum::<f64>();
            root[(i, k)] = rest / root[(k, k)];
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_times_its_transpose_is_the_covariance() {
        let covariance = ndarray::array![[4.0, 2.0, 2.0], [2.0, 1.0, 1.0], [2.0, 1.0, 5.0]];
        let root = root(&covariance);
        let difference = &root.dot(&root.t()) - &covariance;
        assert!(difference.iter().all(|d| d.abs() < 1e-12), "{difference}");
        assert_eq!(root[(1, 1)], 0.0);
    }
}
