//! The learned and the normal law on groups that neither has seen.

use aais_distributions::Noise;
use aais_glmm::{Design, Family};
use statrs::function::erf::erfc;

use crate::error::Result;
use crate::grouped_design::{GroupedDesign, of_groups};
use crate::marginal::LogMarginal;
use crate::neural_glmm::{Learned, fit_normal};
use crate::normal_law;
use crate::settings::Settings;

/// A group under both laws, each learned from other groups.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOutGroup {
    /// Its level.
    pub level: String,
    /// `log p(y_g)` under the learned law.
    pub learned: LogMarginal,
    /// `log p(y_g)` under the normal law.
    pub normal: LogMarginal,
}

/// Which law foretells new groups better: a test of the normal law against the learned one.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    /// Every group, held out once, in the order of the levels.
    pub groups: Vec<HeldOutGroup>,
    /// Parts that the groups were split into.
    pub n_folds: usize,
}

impl HeldOut {
    /// `Σ_g log p_learned(y_g) − log p_normal(y_g)`: positive where the learned law is better.
    pub fn difference(&self) -> f64 {
        self.differences().sum()
    }

    /// Its standard error, from the spread over groups; the error of importance sampling is part of that.
    pub fn std_error(&self) -> f64 {
        let n = self.groups.len() as f64;
        let mean = self.difference() / n;
        let squares: f64 = self.differences().map(|d| (d - mean).powi(2)).sum();
        (n * squares / (n - 1.0)).sqrt()
    }

    /// The part of [`Self::std_error`] that importance sampling makes.
    pub fn monte_carlo_error(&self) -> f64 {
        let squares = |g: &HeldOutGroup| g.learned.std_error.powi(2) + g.normal.std_error.powi(2);
        self.groups.iter().map(squares).sum::<f64>().sqrt()
    }

    /// The two-sided probability of a difference so far from zero if the laws foretold groups alike (Vuong 1989).
    pub fn p_value(&self) -> f64 {
        erfc((self.difference() / self.std_error()).abs() / std::f64::consts::SQRT_2)
    }

    fn differences(&self) -> impl Iterator<Item = f64> {
        self.groups.iter().map(|group| group.learned.value - group.normal.value)
    }
}

/// Splits the groups at random and foretells each part from the others.
pub(crate) fn hold_out(
    design: &Design,
    family: Family,
    settings: &Settings,
    n_folds: usize,
    noise: &Noise,
    done: &mut dyn FnMut(usize, f64),
) -> Result<HeldOut> {
    let levels = &design.random[0].levels;
    let order = noise.fork("split").permutation(levels.len());
    let mut found: Vec<Option<HeldOutGroup>> = vec![None; levels.len()];
    for fold in 0..n_folds {
        let is_out = |place: usize| place % n_folds == fold;
        let part = |out: bool| {
            let places = order.iter().enumerate().filter(|(place, _)| is_out(*place) == out);
            let mut groups: Vec<usize> = places.map(|(_, group)| *group).collect();
            groups.sort_unstable();
            groups
        };
        let (out, kept) = (part(true), part(false));
        let (training, held) = (of_groups(design, &kept)?, of_groups(design, &out)?);
        let normal = fit_normal(&training, family)?;
        let noise = noise.at(fold, 0);
        let grouped = GroupedDesign::new(&training, family)?;
        let learned = Learned::train(&grouped, &normal, settings, &noise, &mut |share| done(fold, share))?;

        let held = GroupedDesign::new(&held, family)?;
        let n_samples = settings.n_evaluation_samples;
        let of_learned = learned.log_marginals(&held, n_samples, &noise.fork("learned"))?;
        let of_normal = normal_law::log_marginals(&held, &normal, n_samples, &noise.fork("normal"))?;
        for ((group, learned), normal) in out.into_iter().zip(of_learned).zip(of_normal) {
            found[group] = Some(HeldOutGroup { level: levels[group].clone(), learned, normal });
        }
    }
    Ok(HeldOut { groups: found.into_iter().flatten().collect(), n_folds })
}
