//! A learned law as text.

use std::fmt;

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::held_out::HeldOut;
use crate::neural_glmm::NeuralGlmm;

/// How far a law's standard deviation may be from that of the groups' posteriors before a note tells it.
const UNSETTLED: f64 = 0.1;

/// Lines of words and numbers in columns as wide as their widest cell, two spaces before each.
fn columns(rows: &[Vec<String>]) -> String {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..n_columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("  {cell:width$}"),
            _ => format!("  {cell:>width$}"),
        });
        cells.collect::<String>().trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn heads<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

/// Five decimals, or three digits where these would be noughts.
fn probability(value: f64) -> String {
    match value {
        _ if value < 1e-300 => "< 1e-300".into(),
        _ if value < 1e-3 => format!("{value:.2e}"),
        _ => format!("{value:.5}"),
    }
}

impl NeuralGlmm {
    fn fixed_table(&self) -> String {
        let mut rows = vec![heads(["", "estimate", "std. error", "df", "t value", "P(> |t|)", "normal law"])];
        let errors = self.std_errors();
        let degrees = self.fixed_covariance.as_ref().map(|found| &found.degrees_of_freedom);
        for (k, name) in self.fixed_names.iter().enumerate() {
            let error = errors.as_ref().map(|errors| errors[k]);
            let ratio = error.map(|error| self.fixed[k] / error);
            let law = degrees.and_then(|degrees| StudentsT::new(0.0, 1.0, degrees[k]).ok());
            let both_tails = law.zip(ratio).map(|(law, ratio)| 2.0 * law.sf(ratio.abs()));
            let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
            rows.push(vec![
                name.clone(),
                format!("{:.5}", self.fixed[k]),
                or_dash(error.map(|error| format!("{error:.5}"))),
                or_dash(degrees.map(|degrees| format!("{:.1}", degrees[k]))),
                or_dash(ratio.map(|ratio| format!("{ratio:.3}"))),
                or_dash(both_tails.map(probability)),
                format!("{:.5}", self.normal.fixed[k]),
            ]);
        }
        columns(&rows)
    }

    fn law_table(&self) -> String {
        let law = &self.law;
        let normal: Vec<f64> = self.normal.random.iter().flat_map(|term| term.std()).collect();
        let correlations = if law.std.len() > 1 { "correlations" } else { "" };
        let mut rows =
            vec![heads(["effect", "mean", "std. dev.", "skewness", "ex. kurtosis", "normal law's", correlations])];
        for (k, name) in law.effect_names.iter().enumerate() {
            let numbers = [law.mean[k], law.std[k], law.skewness[k], law.excess_kurtosis[k], normal[k]];
            let others: Vec<String> = (0..k).map(|other| format!("{:6.3}", law.correlation[(k, other)])).collect();
            let numbers = numbers.map(|number| format!("{:.5}", if number.abs() < 5e-6 { 0.0 } else { number }));
            rows.push([std::slice::from_ref(name), &numbers[..], &[others.join(" ")]].concat());
        }
        columns(&rows)
    }

    /// What a careful reader should know, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        let n_unreliable = self.n_unreliable();
        if n_unreliable > 0 {
            let n = self.groups.len();
            notes.push(format!(
                "{n_unreliable} of {n} groups have importance weights too uneven to be trusted (Pareto k, effective \
                 sample size); take more evaluation samples"
            ));
        }
        for ((name, of_law), of_groups) in self.law.effect_names.iter().zip(&self.law.std).zip(self.posterior_std()) {
            if (of_law / of_groups - 1.0).abs() > UNSETTLED {
                notes.push(format!(
                    "training has not settled: `{name}` has the standard deviation {of_law:.3} in the law and \
                     {of_groups:.3} over the groups' posteriors, which are equal at the maximum; take more steps, and \
                     read the law's tails with care"
                ));
            }
        }
        if self.fixed_covariance.is_none() {
            notes.push("no standard errors: the efficient scores of the fixed effects are collinear, or one group alone tells one".into());
        }
        notes.extend(self.held_out.as_ref().map(HeldOut::verdict));
        notes
    }
}

impl HeldOut {
    /// The comparison in a sentence.
    pub fn verdict(&self) -> String {
        let (difference, error, p) = (self.difference(), self.std_error(), self.p_value());
        let told = if p >= 0.05 {
            "the data do not tell the two laws apart"
        } else if difference > 0.0 {
            "the learned law foretells new groups better"
        } else {
            "the normal law foretells new groups better"
        };
        format!(
            "log-likelihood of {} groups held out ({} parts), learned less normal law: {difference:.2}, standard error \
             {error:.2}, p = {p:.2}; {told}",
            self.groups.len(),
            self.n_folds
        )
    }
}

impl fmt::Display for NeuralGlmm {
    /// Log-likelihoods, the law, fixed effects beside those of the normal law, and notes.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "{} mixed model with a learned law of random effects", self.normal.family)?;
        let (learned, normal) = (self.log_likelihood, self.normal_log_likelihood);
        writeln!(
            f,
            "log-likelihood {:.3} (Monte Carlo error {:.3}), with a normal law {:.3} ({:.3})",
            learned.value, learned.std_error, normal.value, normal.std_error
        )?;
        writeln!(f, "{} rows, {} groups of {}", self.normal.n_rows, self.groups.len(), self.normal.random[0].group)?;
        write!(f, "\nLaw of the random effects\n{}", self.law_table())?;
        if let Some(dispersion) = self.dispersion {
            writeln!(f, "  dispersion {dispersion:.5}")?;
        }
        write!(f, "\nFixed effects\n{}", self.fixed_table().trim_end())?;
        if !self.notes().is_empty() {
            writeln!(f)?;
        }
        self.notes().iter().try_for_each(|note| write!(f, "\nnote: {note}"))
    }
}
