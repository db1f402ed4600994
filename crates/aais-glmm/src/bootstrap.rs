//! The parametric bootstrap: fits to responses drawn from a fit.

use std::fmt;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::refit::refit;
use crate::table::{Table, number};
use crate::{Design, Diagnostic, Error, Fit, Levels, Quantity, Result};

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootstrapSettings {
    /// How many responses are drawn and fitted.
    pub n_draws: usize,
    /// Draw `k` depends on this and on `k` alone.
    pub seed: u64,
    /// Where random effects come from: new draws for the uncertainty of parameters, the conditional modes for what
    /// only the rows add.
    pub levels: Levels,
}

/// Why a draw has no values.
#[derive(Debug, Clone, PartialEq)]
pub enum BootstrapFailure {
    /// It could not be drawn or fitted.
    Error(Error),
    /// The fit stopped although the deviance could fall further.
    NotConverged,
}

/// A statistic of fits to simulated responses.
#[derive(Debug, Clone, PartialEq)]
pub struct Bootstrap {
    /// What was drawn.
    pub settings: BootstrapSettings,
    /// Names of the statistic's entries.
    pub names: Vec<String>,
    /// The statistic of the fit itself.
    pub estimates: Vec<f64>,
    /// The draws that were fitted: their numbers, rising, and their statistics.
    pub draws: Vec<(usize, Vec<f64>)>,
    /// All other draws, and why.
    pub failures: Vec<(usize, BootstrapFailure)>,
    /// How many of the fitted draws are singular; they count like all others.
    pub n_singular: usize,
}

/// Bootstraps everything in [`Fit::quantities`]: standard deviations, correlations, dispersion and fixed effects.
///
/// Correlations with an effect that does not vary in a draw are not numbers; see [`Bootstrap::n_undefined`].
/// `design` is the one that was fitted.
///
/// # Errors
/// A design with other rows, fixed effects or random terms than the fit's. Draws that fail are in the result.
///
/// ```
/// use aais_glmm::{BootstrapSettings, Data, DesignOptions, Family, Formula, Levels, Settings, bootstrap, fit};
///
/// let data = Data::new().with("y", [1.0, 3.0, 2.0, 5.0, 4.0])?.with("x", [0.0, 1.0, 2.0, 3.0, 4.0])?;
/// let design = Formula::parse("y ~ x")?.design(&data, &DesignOptions::default())?.design;
/// let fit = fit(&design, Family::Gaussian, &Settings::default())?;
///
/// let settings = BootstrapSettings { n_draws: 100, seed: 1, levels: Levels::Redrawn };
/// let bootstrap = bootstrap(&design, &fit, &settings)?;
/// assert_eq!((bootstrap.names[2].as_str(), bootstrap.failures.len()), ("x", 0));
/// let [lower, upper] = bootstrap.intervals(0.9)[2];
/// assert!(lower < fit.fixed[1] && fit.fixed[1] < upper);
/// # Ok::<(), aais_glmm::Error>(())
/// ```
pub fn bootstrap(design: &Design, fit: &Fit, settings: &BootstrapSettings) -> Result<Bootstrap> {
    let quantities = fit.quantities();
    let of = |quantity: &Quantity| fit.quantity_name(*quantity).expect("a fit knows its quantities");
    let names = quantities.iter().map(of).collect();
    let statistic = |fit: &Fit| quantities.iter().map(|q| fit.estimate(*q).unwrap_or(f64::NAN)).collect();
    Ok(Bootstrap { names, ..bootstrap_statistic(design, fit, settings, statistic)? })
}

/// Bootstraps a statistic of one's own, whose entries are named by their places, from one.
///
/// # Errors
/// Those of [`bootstrap`].
pub fn bootstrap_statistic(
    design: &Design,
    fit: &Fit,
    settings: &BootstrapSettings,
    statistic: impl Fn(&Fit) -> Vec<f64>,
) -> Result<Bootstrap> {
    fit.check_design(design, "a bootstrap")?;
    let estimates = statistic(fit);
    let (mut draws, mut failures, mut n_singular) = (Vec::new(), Vec::new(), 0);
    for draw in 0..settings.n_draws {
        match bootstrap_draw(design, fit, settings, draw) {
            Err(error) => failures.push((draw, BootstrapFailure::Error(error))),
            Ok(fit) if has(&fit, |found| matches!(found, Diagnostic::NotConverged { .. })) => {
                failures.push((draw, BootstrapFailure::NotConverged));
            }
            Ok(fit) => {
                n_singular += usize::from(has(&fit, |found| matches!(found, Diagnostic::Singular { .. })));
                draws.push((draw, statistic(&fit)));
            }
        }
    }
    let names = (1..=estimates.len()).map(|place| place.to_string()).collect();
    Ok(Bootstrap { settings: *settings, names, estimates, draws, failures, n_singular })
}

/// The fit of one draw, the same alone as among all.
///
/// # Errors
/// Those of [`Fit::simulate`] and [`refit`].
pub fn bootstrap_draw(design: &Design, fit: &Fit, settings: &BootstrapSettings, draw: usize) -> Result<Fit> {
    let mut noise = ChaCha8Rng::seed_from_u64(settings.seed);
    noise.set_stream(draw as u64);
    let mut drawn = design.clone();
    drawn.response.values = fit.simulate_from(design, settings.levels, &mut noise)?;
    refit(&drawn, fit)
}

fn has(fit: &Fit, is: impl Fn(&Diagnostic) -> bool) -> bool {
    fit.diagnostics.iter().any(is)
}

impl Bootstrap {
    /// Means of the draws, entry by entry.
    pub fn means(&self) -> Vec<f64> {
        self.each(|values| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// Standard deviations of the draws: bootstrap standard errors.
    pub fn std_errors(&self) -> Vec<f64> {
        self.each(|values| {
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
        })
    }

    /// Percentile intervals: quantiles of the draws at `(1 ∓ level) / 2`, linear between order statistics as in R's
    /// `quantile`. Not numbers without draws.
    pub fn intervals(&self, level: f64) -> Vec<[f64; 2]> {
        let ends = [0.5 * (1.0 - level), 0.5 * (1.0 + level)];
        self.each(|values| {
            let mut sorted = values.to_vec();
            sorted.sort_by(f64::total_cmp);
            ends.map(|share| quantile(&sorted, share))
        })
    }

    /// In how many fitted draws each entry is not a finite number; the methods above leave these out.
    pub fn n_undefined(&self) -> Vec<usize> {
        self.each(<[f64]>::len).iter().map(|n_defined| self.draws.len() - n_defined).collect()
    }

    fn each<T>(&self, summary: impl Fn(&[f64]) -> T) -> Vec<T> {
        let of = |entry: usize| {
            let values = self.draws.iter().filter_map(|(_, values)| values.get(entry).copied());
            summary(&values.filter(|value| value.is_finite()).collect::<Vec<f64>>())
        };
        (0..self.names.len()).map(of).collect()
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let (Some(last), true) = (sorted.len().checked_sub(1), (0.0..=1.0).contains(&share)) else {
        return f64::NAN;
    };
    let place = share * last as f64;
    let below = place.floor();
    let at = |place: f64| sorted[(place as usize).min(last)];
    at(below) + (place - below) * (at(below + 1.0) - at(below))
}

impl fmt::Display for BootstrapFailure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::NotConverged => f.write_str("the fit stopped although the deviance could fall further"),
        }
    }
}

impl fmt::Display for Bootstrap {
    /// Estimates, means, standard errors and intervals of level 0.95; counts of draws; every failure.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(
            f,
            "Parametric bootstrap, {} draws: {} fitted ({} singular), {} failed",
            self.settings.n_draws,
            self.draws.len(),
            self.n_singular,
            self.failures.len()
        )?;
        let mut table = Table::new(1, &["", "estimate", "mean", "std. error", "2.5 %", "97.5 %"]);
        let (means, errors, ends) = (self.means(), self.std_errors(), self.intervals(0.95));
        for (entry, name) in self.names.iter().enumerate() {
            let [lower, upper] = ends[entry];
            let values = [self.estimates[entry], means[entry], errors[entry], lower, upper];
            table.push(std::iter::once(name.clone()).chain(values.map(number)).collect());
        }
        write!(f, "{table}")?;
        self.failures.iter().try_for_each(|(draw, failure)| write!(f, "\nfailed: draw {draw}: {failure}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_r() {
        // R 4.2.2: quantile(c(1, 2, 4, 8, 16), c(0.1, 0.5, 0.975)).
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
        for (share, expected) in [(0.1, 1.4), (0.5, 4.0), (0.975, 15.2), (1.0, 16.0)] {
            assert!((quantile(&sorted, share) - expected).abs() < 1e-13);
        }
        assert!(quantile(&[], 0.5).is_nan() && quantile(&sorted, 1.5).is_nan());
    }
}
