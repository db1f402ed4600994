//! What an evaluation says: a table for people, JSON for programs, a line for each row of the data.

use std::fmt::Write;

use aais_models::{AnnealedBounds, AnnealedImportance, ChainStart, Importance, MeanLogLikelihood, RowLogLikelihood};
use anyhow::Result;
use serde::Serialize;

use super::DataName;
use super::model::{ModelNote, Which};

/// All that an evaluation has found; a function of model, data and settings, without times.
#[derive(Debug, Serialize)]
pub struct Told {
    /// Which model.
    pub model: ModelNote,
    /// Which of its parameters.
    pub parameters: Which,
    /// Which data.
    pub data: DataName,
    /// Where the table's data come from, where they are not always made by the program.
    pub source: Option<String>,
    /// Rows that were evaluated.
    pub n_rows: usize,
    /// Rows that they were chosen from.
    pub n_rows_of_all: usize,
    /// Of the evaluation.
    pub seed: u64,
    /// Version of the program.
    pub version: String,
    /// `avx512`, `avx2` or `portable`.
    pub instruction_set: String,
    /// By importance sampling.
    pub importance: ImportanceTold,
    /// By annealing.
    pub annealed: Option<AnnealedTold>,
}

/// A mean over rows and its errors.
#[derive(Debug, Serialize)]
pub struct Mean {
    mean: f64,
    /// What sampling adds; none where draws of a row depend on each other.
    monte_carlo_error: Option<f64>,
    /// From the spread over rows.
    std_error: f64,
}

/// Of importance sampling.
#[derive(Debug, Serialize)]
pub struct ImportanceTold {
    n_samples: usize,
    widen: f64,
    prior_share: f64,
    log_likelihood: Mean,
    ess_median: f64,
    ess_least: f64,
    k_hat_median: f64,
    n_unreliable: usize,
}

/// Of annealing.
#[derive(Debug, Serialize)]
pub struct AnnealedTold {
    n_temperatures: usize,
    n_chains: usize,
    n_moves: usize,
    start: &'static str,
    acceptance: f64,
    lower: Mean,
    upper: Option<Mean>,
    /// Upper less lower bounds, row by row.
    gap: Option<Mean>,
}

impl Mean {
    fn new(values: &[f64], std_errors: &[f64]) -> Self {
        let MeanLogLikelihood { mean, monte_carlo_error, std_error } = MeanLogLikelihood::new(values, std_errors);
        Self { mean, monte_carlo_error: Some(monte_carlo_error), std_error }
    }

    fn of_dependent(values: &[f64]) -> Self {
        Self { monte_carlo_error: None, ..Self::new(values, &[]) }
    }
}

impl ImportanceTold {
    /// Of all rows.
    pub fn new(settings: &Importance, rows: &[RowLogLikelihood]) -> Self {
        let of = |f: fn(&RowLogLikelihood) -> f64| rows.iter().map(f).collect::<Vec<f64>>();
        let ess = of(|row| row.ess);
        Self {
            n_samples: settings.n_samples,
            widen: settings.widen,
            prior_share: settings.prior_share,
            log_likelihood: Mean::new(&of(|row| row.value), &of(|row| row.std_error)),
            ess_least: ess.iter().copied().fold(f64::INFINITY, f64::min),
            ess_median: median(ess),
            k_hat_median: median(of(|row| row.k_hat)),
            n_unreliable: rows.iter().filter(|row| row.is_unreliable()).count(),
        }
    }
}

impl AnnealedTold {
    /// Of all rows.
    pub fn new(settings: &AnnealedImportance, rows: &[AnnealedBounds]) -> Self {
        let lower: Vec<f64> = rows.iter().map(|row| row.lower.value).collect();
        let errors: Vec<f64> = rows.iter().map(|row| row.lower.std_error).collect();
        let upper: Option<Vec<f64>> = rows.iter().map(|row| row.upper.map(|upper| upper.value)).collect();
        let gaps = upper.as_ref().map(|upper| upper.iter().zip(&lower).map(|(u, l)| u - l).collect::<Vec<f64>>());
        #[expect(clippy::cast_precision_loss, reason = "rows are far below 2^52")]
        let acceptance = rows.iter().map(|row| row.acceptance).sum::<f64>() / rows.len() as f64;
        Self {
            n_temperatures: settings.n_temperatures,
            n_chains: settings.n_chains,
            n_moves: settings.n_moves,
            start: match settings.start {
                ChainStart::Prior => "prior",
                ChainStart::Proposal => "proposal",
            },
            acceptance,
            lower: Mean::new(&lower, &errors),
            upper: upper.as_deref().map(Mean::of_dependent),
            gap: gaps.as_deref().map(Mean::of_dependent),
        }
    }
}

impl Told {
    /// For people.
    pub fn text(&self) -> String {
        let ModelNote { table, method, seed, protocol, epochs, .. } = &self.model;
        let parameters = if self.parameters == Which::Averaged { ", averaged parameters" } else { "" };
        let protocol = format!("{protocol:?}").to_lowercase();
        let mut text = format!("{table}, {method}, seed {seed} ({protocol} protocol, {epochs} epochs){parameters}\n");
        let of_all = if self.n_rows == self.n_rows_of_all {
            format!("{}", self.n_rows)
        } else {
            format!("{} of {}", self.n_rows, self.n_rows_of_all)
        };
        let data = match self.data {
            DataName::Test => "test rows, which training has not seen",
            DataName::Train => "rows of the training data",
            DataName::Simulated => "rows drawn from the model itself, seed",
        };
        let seed = if self.data == DataName::Simulated { format!(" {}", self.seed) } else { String::new() };
        let _ = writeln!(text, "{of_all} {data}{seed}");
        if let Some(source) = &self.source {
            let _ = writeln!(text, "data: {source}");
        }
        let _ = writeln!(text, "\n{:22} {:>12} {:>12} {:>16}", "log p(x), nats", "mean", "MC error", "error over rows");
        let mut line = |name: &str, mean: &Mean| {
            let error = mean.monte_carlo_error.map_or_else(String::new, |error| format!("{error:.4}"));
            let spread = if mean.std_error.is_nan() { String::new() } else { format!("{:.4}", mean.std_error) };
            let _ = writeln!(text, "{name:22} {:>12.4} {error:>12} {spread:>16}", mean.mean);
        };
        line("importance sampling", &self.importance.log_likelihood);
        if let Some(annealed) = &self.annealed {
            line("annealed, from below", &annealed.lower);
            if let (Some(upper), Some(gap)) = (&annealed.upper, &annealed.gap) {
                line("annealed, from above", upper);
                line("gap of the two", gap);
            }
        }
        text.push('\n');
        text + &self.diagnostics()
    }

    fn diagnostics(&self) -> String {
        let of = &self.importance;
        let mut text = format!(
            "importance sampling: {} samples a row, worth {:.0} in the median, {:.0} at least\n",
            of.n_samples, of.ess_median, of.ess_least
        );
        let _ = writeln!(
            text,
            "k-hat: {:.2} in the median, 0.7 or more in {} of {} rows",
            of.k_hat_median, of.n_unreliable, self.n_rows
        );
        if of.n_unreliable > 0 {
            text += "  there the value may be too low and its error cannot be trusted; try a larger --widen or --prior-share, or --ais\n";
        }
        if let Some(annealed) = &self.annealed {
            let _ = writeln!(
                text,
                "annealing: {} temperatures from the {}, {} chains a row, acceptance {:.2}",
                annealed.n_temperatures, annealed.start, annealed.n_chains, annealed.acceptance
            );
        }
        text
    }

    /// For programs.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }
}

/// A line for each row of the data.
pub fn csv(positions: &[usize], rows: &[RowLogLikelihood], bounds: Option<&[AnnealedBounds]>) -> String {
    let mut text = "row,log_likelihood,std_error,ess,k_hat".to_owned();
    if bounds.is_some() {
        text += ",annealed_lower,annealed_lower_std_error,annealed_upper";
    }
    text.push('\n');
    for (k, (position, row)) in positions.iter().zip(rows).enumerate() {
        let _ = write!(text, "{position},{},{},{},{}", row.value, row.std_error, row.ess, row.k_hat);
        if let Some(AnnealedBounds { lower, upper, .. }) = bounds.map(|bounds| bounds[k]) {
            let upper = upper.map_or_else(String::new, |upper| upper.value.to_string());
            let _ = write!(text, ",{},{},{upper}", lower.value, lower.std_error);
        }
        text.push('\n');
    }
    text
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    if n == 0 { f64::NAN } else { 0.5 * (values[(n - 1) / 2] + values[n / 2]) }
}
