//! A fit for people and for programs.

use std::collections::BTreeMap;

use aais_glmm::{Dispersion, Fit, RandomEffects};
use anyhow::Result;
use serde_json::{Map, Value, json};

/// The fit's own summary, then what to be careful about, then the time.
pub(super) fn text(formula: &str, fit: &Fit, warnings: &[String], seconds: f64) -> String {
    let mut text = format!("Formula: {formula}\n{fit}");
    for warning in warnings {
        text += &format!("\nwarning: {warning}");
    }
    if !warnings.is_empty() {
        text.push('\n');
    }
    text + &format!("\nfitted in {seconds:.3} s\n")
}

/// `log_likelihood`, `deviance`, `fixed_effects`, `theta`, `random_effects`, `sigma`, `converged`, `warnings`, `seconds`
/// and what belongs to them; documented in `docs/glmm.md`.
pub(super) fn json(formula: &str, fit: &Fit, warnings: &[String], seconds: f64) -> Result<String> {
    let (se, se_rx) = (fit.std_errors(), fit.std_errors_given_theta());
    let mut fixed = Map::new();
    for (k, name) in fit.fixed_names.iter().enumerate() {
        fixed.insert(name.clone(), json!({ "estimate": fit.fixed[k], "se": se[k], "se_rx": se_rx[k] }));
    }
    let sigma = match fit.dispersion {
        Dispersion::ResidualStd(sigma) => Some(sigma),
        _ => None,
    };
    let dispersion = match fit.dispersion {
        Dispersion::Size(value) | Dispersion::Shape(value) => Some(value),
        _ => None,
    };
    let value = json!({
        "formula": formula,
        "log_likelihood": fit.log_likelihood,
        "deviance": fit.deviance,
        "aic": fit.aic,
        "bic": fit.bic,
        "n_rows": fit.n_rows,
        "n_parameters": fit.n_parameters,
        "fixed_effects": fixed,
        "theta": fit.theta,
        "theta_names": fit.theta_names,
        "random_effects": random_effects(&fit.random),
        "sigma": sigma,
        "dispersion": dispersion,
        "converged": fit.converged,
        "warnings": warnings,
        "seconds": seconds,
    });
    Ok(format!("{}\n", serde_json::to_string_pretty(&value)?))
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
