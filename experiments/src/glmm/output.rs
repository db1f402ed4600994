//! A fit for people and for programs.

use std::collections::BTreeMap;

use aais_glmm::{Dispersion, Fit, Profile, RandomEffects};
use anyhow::Result;
use serde_json::{Map, Value, json};

use super::learned::Learned;

/// What is told of a fit.
pub(super) struct Told<'a> {
    pub formula: &'a str,
    pub fit: &'a Fit,
    /// Of all parameters, where they were asked for.
    pub intervals: Option<&'a Profile>,
    /// The law beside the normal one, where one was asked for.
    pub learned: Option<&'a Learned>,
    /// About rows that are not in it.
    pub left_out: Option<String>,
    pub seconds: f64,
}

impl Told<'_> {
    /// The fit's own summary, which ends with what to be careful about, intervals, rows left out, and the time.
    pub fn text(&self) -> String {
        let mut text = format!("Formula: {}\n{}\n", self.formula, self.fit);
        if let Some(intervals) = self.intervals {
            text += &format!("\n{intervals}\n");
        }
        if let Some(left_out) = &self.left_out {
            text += &format!("\nnote: {left_out}\n");
        }
        text += &format!("\nfitted in {:.3} s\n", self.seconds);
        text + &self.learned.map_or_else(String::new, Learned::text)
    }

    /// `log_likelihood`, `deviance`, `fixed_effects`, `theta`, `random_effects`, `sigma`, `converged`, `warnings`,
    /// `seconds` and what belongs to them; documented in `docs/glmm.md`.
    pub fn json(&self) -> Result<String> {
        let fit = self.fit;
        let (sigma, dispersion) = match fit.dispersion {
            Dispersion::One => (None, None),
            Dispersion::ResidualStd(sigma) => (Some(sigma), None),
            Dispersion::Size(value) | Dispersion::Shape(value) => (None, Some(value)),
        };
        let diagnostics = fit.diagnostics.iter().map(ToString::to_string);
        let warnings: Vec<String> = diagnostics.chain(self.left_out.clone()).collect();
        let value = json!({
            "formula": self.formula,
            "log_likelihood": fit.log_likelihood,
            "deviance": fit.deviance,
            "aic": fit.aic,
            "bic": fit.bic,
            "n_rows": fit.n_rows,
            "n_parameters": fit.n_parameters,
            "fixed_effects": fixed_effects(fit),
            "theta": fit.theta,
            "theta_names": fit.theta_names,
            "random_effects": random_effects(&fit.random),
            "sigma": sigma,
            "dispersion": dispersion,
            "intervals": self.intervals.map(intervals),
            "converged": fit.converged,
            "warnings": warnings,
            "seconds": self.seconds,
            "learned": self.learned.map(Learned::json),
        });
        Ok(format!("{}\n", serde_json::to_string_pretty(&value)?))
    }
}

fn fixed_effects(fit: &Fit) -> Map<String, Value> {
    let errors = fit.std_errors().into_iter().zip(fit.std_errors_given_theta());
    let effects = fit.fixed_names.iter().zip(&fit.fixed).zip(errors);
    let value = |((name, estimate), (se, se_rx)): ((&String, &f64), (f64, f64))| {
        (name.clone(), json!({ "estimate": estimate, "se": se, "se_rx": se_rx }))
    };
    effects.map(value).collect()
}

/// Lower and upper end by name; `null` for an end that is not there.
fn intervals(profile: &Profile) -> Map<String, Value> {
    profile.intervals.iter().map(|i| (i.name.clone(), json!([i.lower, i.upper]))).collect()
}

/// By group; a group of several terms has `g`, `g.1` and so on, as in lme4.
fn random_effects(terms: &[RandomEffects]) -> Map<String, Value> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups = Map::new();
    for term in terms {
        let earlier = seen.entry(&term.group).or_default();
        let name = if *earlier == 0 { term.group.clone() } else { format!("{}.{earlier}", term.group) };
        *earlier += 1;
        let rows = |matrix: &ndarray::Array2<f64>| -> Vec<Vec<f64>> {
            matrix.rows().into_iter().map(|row| row.to_vec()).collect()
        };
        let modes: Map<String, Value> =
            term.levels.iter().zip(rows(&term.modes)).map(|(level, modes)| (level.clone(), json!(modes))).collect();
        let value = json!({
            "effects": term.effect_names,
            "std": term.std(),
            "correlation": rows(&term.correlation()),
            "n_levels": term.levels.len(),
            "modes": modes,
        });
        groups.insert(name, value);
    }
    groups
}
