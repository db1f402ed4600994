//! Learning a law.

use aais_distributions::Noise;
use aais_glmm::{Approximation, Design, Family, Fit, fit};
use aais_models::{Groups, LatentModel};
use candle_core::{Device, Tensor};
use ndarray::Array2;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::adaptation::adapted;
use crate::error::{Error, Result, require};
use crate::grouped_design::GroupedDesign;
use crate::groups_told::GroupPosterior;
use crate::held_out::{HeldOut, hold_out};
use crate::law::Law;
use crate::marginal::{LogMarginal, total};
use crate::normal_law;
use crate::posterior::{Draws, each_posterior};
use crate::scaled_rows::{Scales, fit_dispersion, grouped_family};
use crate::settings::Settings;
use crate::start::start;
use crate::std_errors::{FixedCovariance, RowDerivatives, Scores};
use crate::training::train;

/// Groups that a law can be learned from.
const LEAST_GROUPS: usize = 20;

/// Nodes a dimension of the quadrature that fits the normal law, where there are few enough effects for one.
const NODES: usize = 9;

/// Rounds of adaptation before a group is evaluated, and draws in each.
const N_ROUNDS: usize = 5;
const SAMPLES_A_ROUND: usize = 300;

/// Draws of a group's posterior that standard errors read.
const DRAWS_FOR_ERRORS: usize = 300;

/// A mixed model whose random effects have a learned law.
pub struct NeuralGlmm {
    /// The model with the normal law, from which training started.
    pub normal: Fit,
    /// Names of the fixed effects.
    pub fixed_names: Vec<String>,
    /// Fixed effects, `(p,)`; each has in it the mean of a random effect of the same covariate.
    pub fixed: Vec<f64>,
    /// How far they are known: the jackknife over groups of efficient scores, dispersion held; `None` where these are
    /// collinear or one group alone tells a coefficient.
    pub fixed_covariance: Option<FixedCovariance>,
    /// Residual standard deviation, size or shape, where the family has one.
    pub dispersion: Option<f64>,
    /// The law of the random effects.
    pub law: Law,
    /// The groups' effects given their rows.
    pub groups: Vec<GroupPosterior>,
    /// Marginal log-likelihood of all groups under the learned law.
    pub log_likelihood: LogMarginal,
    /// The same under the normal law.
    pub normal_log_likelihood: LogMarginal,
    /// The two laws on groups that neither has seen, if that was asked for.
    pub held_out: Option<HeldOut>,
    learned: Learned,
    settings: Settings,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Trainings finished.
    pub training: usize,
    /// Trainings in all.
    pub of: usize,
    /// Share of the present training that is done.
    pub share: f64,
}

/// A trained model with what is needed to apply it to rows.
pub(crate) struct Learned {
    family: Family,
    model: LatentModel,
    scales: Scales,
    /// Fixed effects as trained, before they take the means.
    beta: Vec<f64>,
    dispersion: f64,
}

/// Fits a mixed model with one grouping factor, and learns the law of its random effects by importance sampling.
///
/// The same design and family as [`aais_glmm::fit`], from whose fit training starts. Equal inputs give equal bits.
/// `progress` is told after every epoch.
///
/// # Errors
/// What [`aais_glmm::fit`] refuses, several grouping factors, fewer than twenty groups, settings out of range, or a
/// training that meets a NaN.
pub fn neural_glmm(
    design: &Design,
    family: Family,
    settings: &Settings,
    progress: &mut dyn FnMut(Progress),
) -> Result<NeuralGlmm> {
    let grouped = check(design, family, settings)?;
    let of = 1 + settings.n_folds.unwrap_or(0);
    let noise = Noise::new(settings.seed);
    let normal = fit_normal(design, family)?;
    let learned = Learned::train(&grouped, &normal, settings, &noise.fork("all"), &mut |share| {
        progress(Progress { training: 0, of, share })
    })?;

    let (law, shift) = learned.law(&grouped, settings, &noise.fork("law"))?;
    let (groups, scores) = learned.posteriors(&grouped, settings, &shift, &noise.fork("posteriors"))?;
    let n_samples = settings.n_evaluation_samples;
    let normal_log_likelihood = total(normal_law::log_marginals(&grouped, &normal, n_samples, &noise.fork("normal"))?);
    let held_out = match settings.n_folds {
        None => None,
        Some(n_folds) => {
            Some(hold_out(design, family, settings, n_folds, &noise.fork("folds"), &mut |training, share| {
                progress(Progress { training: training + 1, of, share });
            })?)
        }
    };
    Ok(NeuralGlmm {
        fixed_names: normal.fixed_names.clone(),
        fixed: learned.centred_fixed(&grouped, &shift),
        fixed_covariance: scores.fixed_covariance(),
        dispersion: grouped_family(family).has_dispersion().then_some(learned.dispersion),
        law,
        log_likelihood: total(groups.iter().map(|group| group.log_marginal)),
        normal_log_likelihood,
        groups,
        held_out,
        normal,
        learned,
        settings: settings.clone(),
    })
}

fn check(design: &Design, family: Family, settings: &Settings) -> Result<GroupedDesign> {
    let grouped = GroupedDesign::new(design, family)?;
    settings.check(grouped.n_effects())?;
    let found = grouped.sizes.iter().filter(|size| **size > 0).count();
    if found < LEAST_GROUPS {
        return Err(Error::FewGroups { wanted: LEAST_GROUPS, found });
    }
    let folds = settings.n_folds.unwrap_or(2);
    require(folds <= found / 2, "n_folds", "at most half the number of groups", folds)?;
    Ok(grouped)
}

/// The best fit of the normal law: by quadrature where there are at most three effects, else by Laplace.
pub(crate) fn fit_normal(design: &Design, family: Family) -> Result<Fit> {
    let n_effects: usize = design.random.iter().map(|term| term.effect_names.len()).sum();
    let approximation = match (family, n_effects) {
        (Family::Gaussian, _) | (_, 4..) => Approximation::Laplace,
        _ => Approximation::Quadrature { n_nodes: NODES },
    };
    let settings = aais_glmm::Settings {
        approximation,
        criterion: aais_glmm::Criterion::MaximumLikelihood,
        ..aais_glmm::Settings::default()
    };
    Ok(fit(design, family, &settings)?)
}

impl Learned {
    pub fn train(
        design: &GroupedDesign,
        normal: &Fit,
        settings: &Settings,
        noise: &Noise,
        done: &mut dyn FnMut(f64),
    ) -> Result<Self> {
        let scales = Scales::new(design, normal, settings.latent);
        let model = start(&scales, normal, settings, &noise.fork("init"))?;
        let groups = scales.groups(design, &Device::Cpu)?;
        let trainer = train(model, groups, settings, noise, done)?;
        let parameters = trainer.model().likelihood_parameters().to_vec1::<f32>()?;
        let beta = parameters.iter().zip(&scales.fixed).map(|(beta, scale)| f64::from(*beta) / scale).collect();
        let dispersion = match grouped_family(normal.family).has_dispersion() {
            true => f64::from(parameters[scales.fixed.len()]).exp(),
            false => fit_dispersion(normal),
        };
        Ok(Self { family: normal.family, model: trainer.into_model(), scales, beta, dispersion })
    }

    /// Latent draws from the prior, each with its mirror image, `(n, d)`, and their effects, `(n, q)`.
    fn prior(&self, settings: &Settings, noise: &Noise) -> Result<[Array2<f64>; 2]> {
        let latent = self.model.architecture().latent;
        let z = noise.clone().standard_normal(&[settings.n_draws / 2, latent], &Device::Cpu)?;
        let z = Tensor::cat(&[&z, &z.neg()?], 0)?;
        let effects = self.model.decode(&z)?.detach();
        let matrix = |tensor: &Tensor| -> Result<Array2<f64>> {
            let rows = tensor.to_vec2::<f32>()?;
            Ok(Array2::from_shape_fn(tensor.dims2()?, |(row, column)| f64::from(rows[row][column])))
        };
        let scales = ndarray::aview1(&self.scales.random);
        Ok([matrix(&z)?, matrix(&effects)? / scales])
    }

    /// The law and the means that fixed effects take from it.
    fn law(&self, design: &GroupedDesign, settings: &Settings, noise: &Noise) -> Result<(Law, Vec<f64>)> {
        let [_, mut draws] = self.prior(settings, noise)?;
        let q = design.n_effects();
        let mut shift = vec![0.0; q];
        for (k, mut column) in draws.columns_mut().into_iter().enumerate() {
            if design.twins[k].is_some() {
                shift[k] = column.mean().unwrap_or(0.0);
                column.mapv_inplace(|b| b - shift[k]);
            }
        }
        Ok((Law::new(design.effect_names.clone(), draws), shift))
    }

    fn centred_fixed(&self, design: &GroupedDesign, shift: &[f64]) -> Vec<f64> {
        let mut fixed = self.beta.clone();
        for (twin, shift) in design.twins.iter().zip(shift) {
            if let Some(column) = twin {
                fixed[*column] += shift;
            }
        }
        fixed
    }

    /// Every group's posterior, and the scores that standard errors come from.
    fn posteriors(
        &self,
        design: &GroupedDesign,
        settings: &Settings,
        shift: &[f64],
        noise: &Noise,
    ) -> Result<(Vec<GroupPosterior>, Scores)> {
        let mut scores = Scores::new(design, self.prior(settings, &noise.fork("prior"))?.each_ref());
        let mut told = Vec::with_capacity(design.sizes.len());
        let groups = self.proposals(design, noise)?;
        let (spans, constants) = (design.spans(), &design.constants);
        each_posterior(&self.model, &groups, settings.n_evaluation_samples, noise, |group, draws| {
            let level = &design.levels[group];
            told.push(GroupPosterior::new(level, &draws, constants[group], &self.scales.random, shift)?);
            let some = some(&draws);
            let effects = &some.effects / &ndarray::aview1(&self.scales.random);
            let at = self.row_derivatives(design, spans[group].clone(), &effects);
            scores.add(design, spans[group].clone(), &some, &effects, &at);
            Ok(())
        })?;
        Ok((told, scores))
    }

    /// Groups with proposals that have found their posteriors.
    fn proposals(&self, design: &GroupedDesign, noise: &Noise) -> Result<Groups> {
        let groups = self.scales.groups(design, &Device::Cpu)?;
        adapted(&self.model, groups, N_ROUNDS, SAMPLES_A_ROUND, &noise.fork("adapt"))
    }

    /// `log p(y_g)` of groups that need not be those of training.
    pub fn log_marginals(&self, design: &GroupedDesign, n_samples: usize, noise: &Noise) -> Result<Vec<LogMarginal>> {
        let groups = self.proposals(design, noise)?;
        let mut marginals = Vec::with_capacity(design.sizes.len());
        each_posterior(&self.model, &groups, n_samples, noise, |group, draws| {
            marginals.push(LogMarginal::new(&design.levels[group], &draws.log_weights, design.constants[group])?);
            Ok(())
        })?;
        Ok(marginals)
    }

    /// At effects `(M, q)`.
    fn row_derivatives(
        &self,
        design: &GroupedDesign,
        rows: std::ops::Range<usize>,
        effects: &Array2<f64>,
    ) -> RowDerivatives {
        let beta = ndarray::aview1(&self.beta);
        let shape = (rows.len(), effects.nrows());
        let mut at = RowDerivatives { score: Array2::zeros(shape), information: Array2::zeros(shape) };
        for (k, row) in rows.enumerate() {
            let base = design.offset[row] + design.fixed.row(row).dot(&beta);
            let (y, weight) = (design.response[row], design.weights[row]);
            for (draw, effect) in effects.rows().into_iter().enumerate() {
                let of_row = self.family.row(y, base + design.random.row(row).dot(&effect), self.dispersion);
                at.score[(k, draw)] = weight * of_row.score;
                at.information[(k, draw)] = weight * of_row.information;
            }
        }
        at
    }
}

/// As many draws as standard errors need, evenly spread over proposal and prior.
fn some(draws: &Draws) -> Draws {
    let n = draws.log_weights.len();
    let step = n.div_ceil(DRAWS_FOR_ERRORS);
    let kept: Vec<usize> = (0..n).step_by(step).collect();
    Draws {
        log_weights: kept.iter().map(|&draw| draws.log_weights[draw]).collect(),
        z: draws.z.select(ndarray::Axis(0), &kept),
        effects: draws.effects.select(ndarray::Axis(0), &kept),
    }
}

impl NeuralGlmm {
    /// Standard errors of the fixed effects, `(p,)`.
    pub fn std_errors(&self) -> Option<Vec<f64>> {
        self.fixed_covariance.as_ref().map(|found| found.matrix.diag().iter().map(|v| v.sqrt()).collect())
    }

    /// Intervals that hold the true fixed effects with a probability such as 0.95, `(p,)` of lower and upper ends, by
    /// Student's t with the degrees of freedom of each variance.
    pub fn intervals(&self, probability: f64) -> Option<Vec<[f64; 2]>> {
        let degrees = &self.fixed_covariance.as_ref()?.degrees_of_freedom;
        let errors = self.std_errors()?;
        let interval = |((estimate, error), degrees): ((&f64, f64), &f64)| {
            let half = StudentsT::new(0.0, 1.0, *degrees).ok()?.inverse_cdf(0.5 + probability / 2.0) * error;
            Some([estimate - half, estimate + half])
        };
        self.fixed.iter().zip(errors).zip(degrees).map(interval).collect()
    }

    /// `log p(y_g)` of the groups of any design with the same columns, in the order of its levels.
    ///
    /// # Errors
    /// A design with several grouping factors or other columns.
    pub fn log_marginals(&self, design: &Design) -> Result<Vec<LogMarginal>> {
        let grouped = GroupedDesign::new(design, self.learned.family)?;
        let names = (&design.fixed_names, &grouped.effect_names);
        if names != (&self.fixed_names, &self.law.effect_names) {
            let reason = format!("the model has the fixed effects {:?}", self.fixed_names);
            return Err(aais_glmm::Error::Unavailable { asked: "a marginal likelihood", reason }.into());
        }
        let noise = Noise::new(self.settings.seed).fork("new groups");
        self.learned.log_marginals(&grouped, self.settings.n_evaluation_samples, &noise)
    }

    /// Groups whose importance weights are too uneven to be trusted: `k̂` beyond its limit, and an effective sample size
    /// below half the draws. Nearly equal weights need no tail to be judged by.
    pub fn n_unreliable(&self) -> usize {
        let n_samples = self.settings.n_evaluation_samples;
        let limit = aais_importance::reliable_k_hat(n_samples);
        let is_uneven = |size: f64| size < 0.5 * n_samples as f64;
        self.groups.iter().filter(|group| group.k_hat >= limit && is_uneven(group.effective_sample_size)).count()
    }

    /// Standard deviations of the effects over all groups' posteriors, `(q,)`: at the maximum of the likelihood those of
    /// the law.
    pub fn posterior_std(&self) -> Vec<f64> {
        let n = self.groups.len() as f64;
        let of_effect = |k: usize| {
            let mean = self.groups.iter().map(|group| group.mean[k]).sum::<f64>() / n;
            let squares = self.groups.iter().map(|group| (group.mean[k] - mean).powi(2) + group.std[k].powi(2));
            (squares.sum::<f64>() / n).sqrt()
        };
        (0..self.law.std.len()).map(of_effect).collect()
    }
}
