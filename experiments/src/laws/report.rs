//! What the simulations and the real data say, for people and for programs.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use statrs::distribution::{Binomial, DiscreteCDF};

use super::cell::{Cell, Distance, N_GROUPS, N_REFITS};
use super::real::RealCell;
use super::simulation::{Setting, TrueLaw};
use crate::report::write_atomically;

/// A setting in a line.
#[derive(Debug, Serialize)]
struct Summary {
    setting: String,
    n: usize,
    /// Mean distances to the truth.
    learned: Distance,
    normal: Distance,
    /// Of the first simulation, and the largest of the laws learned from its own data.
    first: Distance,
    largest_refit: Distance,
    law_within_noise: bool,
    /// Intervals that hold the truth, by fixed effect, and the 99 % band of their number.
    covered: [usize; 2],
    band: [u64; 2],
    coverage_within_band: bool,
    /// Standard deviation of the fixed effects over simulations, and the root mean square of their standard errors.
    scatter: [f64; 2],
    std_errors: [f64; 2],
    /// On new groups, learned less normal law: the mean, and simulations less than two standard errors from zero.
    mean_gain: f64,
    n_gain_within_two_errors: usize,
}

impl Summary {
    fn of(setting: Setting, cells: &[Cell]) -> Option<Self> {
        let first = cells.first()?;
        let n = cells.len();
        let mean = |of: &dyn Fn(&Cell) -> f64| cells.iter().map(of).sum::<f64>() / n as f64;
        let largest = |of: &dyn Fn(&Distance) -> f64| first.refits.iter().map(of).fold(0.0, f64::max);
        let covered = std::array::from_fn(|k| cells.iter().filter(|cell| cell.covered()[k]).count());
        let band = band(n)?;
        let mean_square = |of: &dyn Fn(&Cell) -> f64| mean(&|cell| of(cell).powi(2)).sqrt();
        let scatter = std::array::from_fn(|k| {
            let average = mean(&|cell| cell.fixed[k]);
            mean_square(&|cell| cell.fixed[k] - average) * (n as f64 / (n as f64 - 1.0)).sqrt()
        });
        let largest_refit = Distance { ks: largest(&|d| d.ks), wd: largest(&|d| d.wd) };
        Some(Self {
            setting: setting.name(),
            n,
            learned: Distance { ks: mean(&|cell| cell.learned.ks), wd: mean(&|cell| cell.learned.wd) },
            normal: Distance { ks: mean(&|cell| cell.normal.ks), wd: mean(&|cell| cell.normal.wd) },
            first: first.learned,
            largest_refit,
            law_within_noise: match setting.law {
                TrueLaw::TwoPoint => first.learned.wd <= largest_refit.wd,
                TrueLaw::Normal | TrueLaw::Skewed => first.learned.ks <= largest_refit.ks,
            },
            covered,
            band,
            coverage_within_band: covered
                .iter()
                .all(|k| u64::try_from(*k).is_ok_and(|k| (band[0]..=band[1]).contains(&k))),
            scatter,
            std_errors: std::array::from_fn(|k| mean_square(&|cell| cell.std_errors[k])),
            mean_gain: mean(&|cell| cell.gain_on_new_groups),
            n_gain_within_two_errors: cells
                .iter()
                .filter(|cell| cell.gain_on_new_groups.abs() <= 2.0 * cell.gain_std_error)
                .count(),
        })
    }
}

/// The counts of intervals that 99 % of runs find to hold the truth, of so many.
fn band(n: usize) -> Option<[u64; 2]> {
    let law = Binomial::new(0.95, u64::try_from(n).ok()?).ok()?;
    Some([law.inverse_cdf(0.005), law.inverse_cdf(0.995)])
}

/// Intervals that hold the truth over all settings, by fixed effect, their number and its band.
fn all_intervals(summaries: &[Summary]) -> Option<([usize; 2], usize, [u64; 2])> {
    let covered = std::array::from_fn(|k| summaries.iter().map(|s| s.covered[k]).sum());
    let n = summaries.iter().map(|s| s.n).sum();
    Some((covered, n, band(n)?))
}

/// Writes `report.md` and `results.json`, and prints the former.
pub fn write(folder: &Path, cells: &[(Setting, Vec<Cell>)], real: &[RealCell]) -> Result<()> {
    let summaries: Vec<Summary> = cells.iter().filter_map(|(setting, cells)| Summary::of(*setting, cells)).collect();
    let text = markdown(&summaries, real);
    let results = serde_json::json!({ "simulations": summaries, "data": real });
    write_atomically(
        &folder.join("results.json"),
        format!("{}\n", serde_json::to_string_pretty(&results)?).as_bytes(),
    )?;
    write_atomically(&folder.join("report.md"), text.as_bytes())?;
    print!("{text}");
    Ok(())
}

fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

fn markdown(summaries: &[Summary], real: &[RealCell]) -> String {
    let mut text = String::from("# Learned laws of random effects\n\n## Known truth\n\n");
    let _ = writeln!(
        text,
        "{N_GROUPS} groups with a random intercept: twelve answers of yes and no each (log odds, standard deviation 1.2), or \
         eight counts (log rate, 0.7). KS and WD are distances to the true law, means over simulations; \"first\" is the first \
         simulation's KS and WD beside the largest of {N_REFITS} laws learned from data drawn from its own learned model; \
         \"law within\" goes by KS, for two points by WD. \"Covered\" \
         counts 95 % intervals that hold the truth, of intercept and slope; the band holds 99 % of such counts. Scatter is the \
         standard deviation of the two over simulations, s.e. the root mean square of their standard errors. Gain is the \
         log-likelihood of {N_GROUPS} new groups, learned less normal law, the latter by quadrature.\n"
    );
    text += "| setting | n | KS learned | KS normal law | WD learned | WD normal law | first: KS, WD | refits' largest | law within | covered | band | coverage within | scatter | s.e. | gain | gain within 2 s.e. |\n";
    text += "|---|---:|---:|---:|---:|---:|---|---|---|---|---|---|---|---|---:|---:|\n";
    for s in summaries {
        let _ = writeln!(
            text,
            "| {} | {} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3}, {:.3} | {:.3}, {:.3} | {} | {}, {} | {}-{} | {} | {:.4}, {:.4} | {:.4}, {:.4} | {:.2} | {} of {} |",
            s.setting,
            s.n,
            s.learned.ks,
            s.normal.ks,
            s.learned.wd,
            s.normal.wd,
            s.first.ks,
            s.first.wd,
            s.largest_refit.ks,
            s.largest_refit.wd,
            yes(s.law_within_noise),
            s.covered[0],
            s.covered[1],
            s.band[0],
            s.band[1],
            yes(s.coverage_within_band),
            s.scatter[0],
            s.scatter[1],
            s.std_errors[0],
            s.std_errors[1],
            s.mean_gain,
            s.n_gain_within_two_errors,
            s.n
        );
    }
    if let Some((covered, n, band)) = all_intervals(summaries) {
        let _ = writeln!(
            text,
            "\nOver all settings {} of {n} intervals of intercepts hold the truth and {} of slopes; the band is {} to {}.",
            covered[0], covered[1], band[0], band[1]
        );
    }
    text += "\nA continuous law has a KS of 0.35 or more from two points, however near it is: WD is the distance to read there.\n";
    text += "\n## Real data, each group held out\n\n";
    text += "| data | model | groups | gain on groups held out | s.e. | of it Monte Carlo | p | gain in sample |\n";
    text += "|---|---|---:|---:|---:|---:|---:|---:|\n";
    for cell in real {
        let _ = writeln!(
            text,
            "| {} | `{}` | {} {} | {:.2} | {:.2} | {:.2} | {:.3} | {:.2} |",
            cell.name,
            cell.formula.replace('|', "\\|"),
            cell.n_groups,
            cell.groups,
            cell.difference,
            cell.std_error,
            cell.monte_carlo_error,
            cell.p_value,
            cell.in_sample
        );
    }
    for cell in real {
        let _ = writeln!(text, "\n{}: the learned law, all groups.\n", cell.name);
        text += "| effect | std. dev. | skewness | excess kurtosis |\n|---|---:|---:|---:|\n";
        for (k, effect) in cell.effects.iter().enumerate() {
            let (std, skewness, kurtosis) = (cell.std[k], cell.skewness[k], cell.excess_kurtosis[k]);
            let _ = writeln!(text, "| {effect} | {std:.3} | {skewness:.3} | {kurtosis:.3} |");
        }
    }
    text
}

/// What CI holds the committed results against: a sentence for each claim that does not hold.
pub fn claims(cells: &[(Setting, Vec<Cell>)]) -> Vec<String> {
    let mut broken = Vec::new();
    for (setting, cells) in cells {
        let Some(s) = Summary::of(*setting, cells) else { continue };
        let mut claim = |holds: bool, what: &str| {
            if !holds {
                broken.push(format!("{}: {what}", s.setting));
            }
        };
        claim(s.coverage_within_band, "the number of intervals that hold the truth lies outside its band");
        claim(s.law_within_noise, "the first law is farther from the truth than all laws learned from its own data");
        if setting.law == TrueLaw::Normal {
            let share = s.n_gain_within_two_errors as f64 / s.n as f64;
            claim(share >= 0.85, "a normal truth costs more than two standard errors in too many simulations");
        } else {
            claim(s.mean_gain > 0.0, "the learned law foretells new groups worse than the normal one");
            claim(s.learned.wd < s.normal.wd, "the normal law is nearer to the truth");
        }
    }
    broken
}
