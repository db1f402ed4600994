//! `glmm --random-effects learned`: the law of the random effects, its figure and the comparison on groups held out.

use std::path::{Path, PathBuf};
use std::time::Instant;

use aais_glmm::{Design, Family};
use aais_neural_glmm::{GroupPosterior, HeldOut, Law, LogMarginal, NeuralGlmm, QUANTILES, Settings, neural_glmm};
use anyhow::{Context, Result, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use crate::cell::{Generated, Rows};
use crate::figures::save_pairs;

/// How a law is learned.
#[derive(Args, Clone, Debug)]
pub struct LearnedArgs {
    /// Steps of training [default: 1500]
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,
    /// Parts that the groups are split into to compare the laws, each held out once; 0 for no comparison [default: 5]
    #[arg(long, value_name = "N")]
    pub folds: Option<usize>,
    /// Of all randomness [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Write figures of the law, SVG and PNG, to this folder
    #[arg(long, value_name = "FOLDER")]
    pub figures: Option<PathBuf>,
}

/// A learned law, and how long it took.
pub struct Learned {
    pub model: NeuralGlmm,
    pub seconds: f64,
}

/// Progress of all trainings together, in thousandths.
const BAR: f64 = 1000.0;

impl LearnedArgs {
    /// Refuses options of a learned law where none is learned.
    ///
    /// # Errors
    /// If there are any.
    pub fn refuse(&self) -> Result<()> {
        let given = [self.steps.is_some(), self.folds.is_some(), self.seed.is_some(), self.figures.is_some()];
        ensure!(!given.contains(&true), "--steps, --folds, --seed and --figures are for --random-effects learned");
        Ok(())
    }

    /// Learns the law, with a bar on a terminal.
    ///
    /// # Errors
    /// What [`neural_glmm`] refuses.
    pub fn learn(&self, design: &Design, family: Family) -> Result<Learned> {
        let default = Settings::default();
        let settings = Settings {
            n_steps: self.steps.unwrap_or(default.n_steps),
            n_folds: self.folds.map_or(default.n_folds, |folds| (folds > 0).then_some(folds)),
            seed: self.seed.unwrap_or(default.seed),
            ..default
        };
        let started = Instant::now();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number of thousandths")]
        let thousandths = |share: f64| (BAR * share) as u64;
        let bar = ProgressBar::new(thousandths(1.0));
        bar.set_style(ProgressStyle::with_template("{msg:24} {bar:30} {percent} %, {eta} left")?);
        let model = neural_glmm(design, family, &settings, &mut |progress| {
            let part = progress.training;
            bar.set_message(if part == 0 { "all groups".into() } else { format!("part {part} held out") });
            bar.set_position(thousandths((part as f64 + progress.share) / progress.of as f64));
        })?;
        bar.finish_and_clear();
        Ok(Learned { model, seconds: started.elapsed().as_secs_f64() })
    }
}

impl Learned {
    /// Summary and time.
    pub fn text(&self) -> String {
        format!("\n{}\n\nlearned in {:.1} s\n", self.model, self.seconds)
    }

    /// Documented in `docs/glmm.md`.
    pub fn json(&self) -> Value {
        let model = &self.model;
        let (errors, intervals) = (model.std_errors(), model.intervals(0.95));
        let fixed = |(k, name): (usize, &String)| {
            let se = errors.as_ref().map(|errors| errors[k]);
            let degrees = model.fixed_covariance.as_ref().map(|found| found.degrees_of_freedom[k]);
            let interval = intervals.as_ref().map(|intervals| intervals[k]);
            let effect = json!({ "estimate": model.fixed[k], "se": se, "df": degrees, "interval_95": interval });
            (name.clone(), effect)
        };
        let groups: Map<String, Value> =
            model.groups.iter().map(|group| (group.level.clone(), of_group(group))).collect();
        json!({
            "log_likelihood": of_marginal(model.log_likelihood),
            "normal_log_likelihood": of_marginal(model.normal_log_likelihood),
            "fixed_effects": model.fixed_names.iter().enumerate().map(fixed).collect::<Map<String, Value>>(),
            "dispersion": model.dispersion,
            "law": of_law(&model.law),
            "groups": groups,
            "held_out": model.held_out.as_ref().map(of_held_out),
            "notes": model.notes(),
            "seconds": self.seconds,
        })
    }

    /// Draws the law: the density of each effect, and a scatter plot of each pair.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn draw(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let law = &self.model.law;
        let names: Vec<&str> = law.effect_names.iter().map(String::as_str).collect();
        let draws: Vec<Vec<f64>> = law.draws.rows().into_iter().map(|row| row.to_vec()).collect();
        let rows = Rows::first(SHOWN, &names, &draws)?;
        let remarks: Vec<String> =
            law.effect_names.iter().zip(&law.std).map(|(n, sd)| format!("{n}: sd {sd:.3}")).collect();
        save_pairs(folder, "learned-law", "Learned law of the random effects", remarks, &Generated::Rows(rows))
    }
}

/// Draws that a figure shows.
const SHOWN: usize = 2000;

fn of_marginal(marginal: LogMarginal) -> Value {
    json!({ "value": marginal.value, "monte_carlo_error": marginal.std_error })
}

fn of_law(law: &Law) -> Value {
    let quantiles = |column: ndarray::ArrayView1<f64>| -> Vec<f64> {
        let mut sorted = column.to_vec();
        sorted.sort_by(f64::total_cmp);
        (1..100).map(|percent| sorted[percent * sorted.len() / 100]).collect()
    };
    json!({
        "effects": law.effect_names,
        "mean": law.mean,
        "std": law.std,
        "skewness": law.skewness,
        "excess_kurtosis": law.excess_kurtosis,
        "correlation": law.correlation.rows().into_iter().map(|row| row.to_vec()).collect::<Vec<_>>(),
        "percentiles": law.draws.columns().into_iter().map(quantiles).collect::<Vec<_>>(),
    })
}

fn of_group(group: &GroupPosterior) -> Value {
    let quantiles: Map<String, Value> = QUANTILES
        .iter()
        .enumerate()
        .map(|(k, p)| (p.to_string(), json!(group.quantiles.iter().map(|of_effect| of_effect[k]).collect::<Vec<_>>())))
        .collect();
    json!({
        "mean": group.mean,
        "std": group.std,
        "quantiles": quantiles,
        "effective_sample_size": group.effective_sample_size,
        // Infinite where there is no tail to judge.
        "k_hat": group.k_hat.is_finite().then_some(group.k_hat),
        "log_marginal": of_marginal(group.log_marginal),
    })
}

/// Sums over groups, and each group's two values.
pub fn of_held_out(held_out: &HeldOut) -> Value {
    let groups: Map<String, Value> = held_out
        .groups
        .iter()
        .map(|group| (group.level.clone(), json!([group.learned.value, group.normal.value])))
        .collect();
    json!({
        "difference": held_out.difference(),
        "std_error": held_out.std_error(),
        "monte_carlo_error": held_out.monte_carlo_error(),
        "p_value": held_out.p_value(),
        "n_folds": held_out.n_folds,
        "groups": groups,
    })
}
