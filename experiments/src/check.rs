//! The claims of `reported/*.toml`, judged on finished cells of the full protocol.

use std::fmt;

use crate::{
    cell::{Cell, Protocol},
    report::{Summary, outcomes, summarize},
    reported::{Band, Direction, Metric, Ordering, Reported},
};

/// Every claim of a table with its outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckReport {
    /// Bands first, then orderings, as in the file.
    pub claims: Vec<Claim>,
}

/// One claim about one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// `AAIS, KS` or `AAIS better than VAE, KS`.
    pub subject: String,
    /// What is asked of the mean: `≤ 0.050`.
    pub expected: String,
    /// The mean it was judged by: of the method, or of the better method of an ordering.
    pub measured: Option<Summary>,
    /// That mean as people read it.
    pub shown: String,
    /// Whether it holds.
    pub outcome: Outcome,
    /// Why it should hold.
    pub reason: String,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// It was not judged, and why.
    Skipped(String),
}

/// Judges the bands and orderings of a table on its cells; those of a quick or reduced protocol are left out.
pub fn check(reported: &Reported, cells: &[Cell]) -> CheckReport {
    let full: Vec<Cell> = cells.iter().filter(|cell| cell.protocol == Protocol::Full).cloned().collect();
    let runs = Runs { reported, full: &full, all: cells };

    let bands = reported.bands.iter().filter_map(|band| runs.band(band));
    let orderings = reported.orderings.iter().flat_map(|ordering| {
        let metrics = ordering.metrics.iter().filter_map(|name| reported.metric(name));
        metrics.map(|metric| runs.ordering(ordering, metric))
    });
    CheckReport { claims: bands.chain(orderings).collect() }
}

impl CheckReport {
    /// Whether no claim failed; claims that were not judged do not fail.
    pub fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The claims that do not hold.
    pub fn failures(&self) -> impl Iterator<Item = &Claim> {
        self.claims.iter().filter(|claim| claim.outcome == Outcome::Fail)
    }

    /// Whether any claim was judged.
    pub fn has_judged(&self) -> bool {
        self.claims.iter().any(|claim| !matches!(claim.outcome, Outcome::Skipped(_)))
    }
}

impl Claim {
    /// Subject, expected, measured, seeds, outcome, reason, as text.
    pub fn columns(&self) -> [String; 6] {
        let seeds = self.measured.map_or_else(|| "–".into(), |measured| measured.n.to_string());
        let outcome = self.outcome.to_string();
        [self.subject.clone(), self.expected.clone(), self.shown.clone(), seeds, outcome, self.reason.clone()]
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Pass => formatter.write_str("pass"),
            Self::Fail => formatter.write_str("FAIL"),
            Self::Skipped(why) => write!(formatter, "skipped: {why}"),
        }
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let rows: Vec<[String; 6]> = self.claims.iter().map(Claim::columns).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3)];
        for (claim, [subject, expected, shown, n, _, reason]) in self.claims.iter().zip(&rows) {
            let [first, second, third, fourth] = widths;
            let (mark, why) = match &claim.outcome {
                Outcome::Pass => ("pass", reason),
                Outcome::Fail => ("FAIL", reason),
                Outcome::Skipped(why) => ("skip", why),
            };
            let numbers = format!("{expected:<second$}  {shown:<third$}  n {n:>fourth$}");
            writeln!(formatter, "{mark}  {subject:<first$}  {numbers}  {why}")?;
        }

        let skipped = self.claims.iter().filter(|claim| matches!(claim.outcome, Outcome::Skipped(_))).count();
        let failed = self.failures().count();
        write!(formatter, "{} passed, {failed} failed, {skipped} skipped", self.claims.len() - failed - skipped)
    }
}

struct Runs<'a> {
    reported: &'a Reported,
    full: &'a [Cell],
    all: &'a [Cell],
}

impl Runs<'_> {
    fn band(&self, band: &Band) -> Option<Claim> {
        let metric = self.reported.metric(&band.metric)?;
        let expected = match (band.low, band.high) {
            (Some(low), Some(high)) => format!("{} to {}", metric.format(low), metric.format(high)),
            (Some(low), None) => format!("≥ {}", metric.format(low)),
            (None, Some(high)) => format!("≤ {}", metric.format(high)),
            (None, None) => return None,
        };
        let subject = format!("{}, {}", self.label(&band.method), metric.label);
        let reason = band.reason.clone();

        Some(match self.measure(&band.method, metric) {
            Err(why) => skipped(subject, expected, why, reason),
            Ok(measured) => {
                let (low, high) = (band.low.unwrap_or(f64::NEG_INFINITY), band.high.unwrap_or(f64::INFINITY));
                let outcome = pass_if((low..=high).contains(&measured.mean));
                let shown = metric.format_finely(measured.mean);
                Claim { subject, expected, measured: Some(measured), shown, outcome, reason }
            }
        })
    }

    fn ordering(&self, ordering: &Ordering, metric: &Metric) -> Claim {
        let (better, worse) = (self.label(&ordering.better), self.label(&ordering.worse));
        let subject = format!("{better} better than {worse}, {}", metric.label);
        let expected = match (ordering.factor, metric.direction) {
            (Some(factor), _) => format!("≤ {factor} × {worse}"),
            (None, Direction::Min) => format!("< {worse}"),
            (None, Direction::Max) => format!("> {worse}"),
            // Refused where the claims are read; here it fails.
            (None, Direction::None) => format!("better than {worse}"),
        };
        let reason = ordering.reason.clone();

        let means = self.measure(&ordering.better, metric);
        match means.and_then(|better| Ok((better, self.measure(&ordering.worse, metric)?))) {
            Err(why) => skipped(subject, expected, why, reason),
            Ok((better, worse)) => {
                let holds = match ordering.factor {
                    Some(factor) => better.mean <= factor * worse.mean,
                    None => metric.is_better(better.mean, worse.mean),
                };
                let shown = format!("{} vs {}", metric.format_finely(better.mean), metric.format_finely(worse.mean));
                Claim { subject, expected, measured: Some(better), shown, outcome: pass_if(holds), reason }
            }
        }
    }

    /// The mean over full cells, or why there is none.
    fn measure(&self, method: &str, metric: &Metric) -> Result<Summary, String> {
        summarize(self.full, method, &metric.name).ok_or_else(|| {
            let of_others = outcomes(self.all, method).into_iter().find(|(cell, _)| cell.protocol != Protocol::Full);
            match of_others {
                Some((cell, _)) => {
                    let protocol = crate::report::protocol_name(cell.protocol);
                    format!("{method} ran by the {protocol} protocol; only full runs are judged")
                }
                None => format!("{method} has not run yet"),
            }
        })
    }

    fn label<'b>(&'b self, method: &'b str) -> &'b str {
        self.reported.column(method).map_or(method, |column| &column.label)
    }
}

fn skipped(subject: String, expected: String, why: String, reason: String) -> Claim {
    Claim { subject, expected, measured: None, shown: "–".into(), outcome: Outcome::Skipped(why), reason }
}

fn pass_if(holds: bool) -> Outcome {
    if holds { Outcome::Pass } else { Outcome::Fail }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::report::fake::{cell, outcome};

    fn claim<'a>(report: &'a CheckReport, subject: &str) -> &'a Claim {
        report.claims.iter().find(|claim| claim.subject == subject).unwrap()
    }

    /// Numbers of a run that satisfies every claim of Table 2.
    fn good() -> Vec<Cell> {
        vec![
            cell("table2", "vae", 0, &[("ks", 0.092), ("wd", 0.2), ("fp", 0.09), ("edge", -2.0)]),
            cell("table2", "aais", 0, &[("ks", 0.045), ("wd", 0.07), ("fp", 0.01), ("edge", 0.02)]),
            cell("table2", "aais", 1, &[("ks", 0.035), ("wd", 0.06), ("fp", 0.00), ("edge", -0.02)]),
            cell("table2", "iwae-published", 0, &[("ks", 0.12), ("wd", 0.46), ("fp", 0.01), ("edge", -0.5)]),
            cell("table2", "amcvae", 0, &[("ks", 0.08), ("wd", 0.18), ("fp", 0.08), ("edge", -1.0)]),
            cell("table2", "lmcvae", 0, &[("ks", 0.07), ("wd", 0.16), ("fp", 0.02), ("edge", -0.5)]),
            cell("table2", "almond", 0, &[("ks", 0.05), ("wd", 0.07), ("fp", 0.05), ("edge", -0.5)]),
        ]
    }

    fn table2(cells: &[Cell]) -> CheckReport {
        check(&Reported::of("table2").unwrap(), cells)
    }

    #[test]
    fn a_good_run_passes_every_claim() {
        let report = table2(&good());
        assert!(report.claims.iter().all(|claim| claim.outcome == Outcome::Pass), "{report}");
        assert!(report.passed() && report.has_judged());
        let measured = claim(&report, "AAIS, KS").measured.unwrap();
        assert_eq!(measured.n, 2);
        assert!((measured.mean - 0.04).abs() < 1e-15);
    }

    #[test]
    fn a_mean_outside_its_band_fails() {
        let mut cells = good();
        cells[0].outcome = outcome(&[("ks", 0.103), ("wd", 0.2), ("fp", 0.09), ("edge", -2.0)]);
        let report = table2(&cells);
        assert!(!report.passed());
        assert_eq!(report.failures().map(|claim| claim.subject.as_str()).collect::<Vec<_>>(), ["VAE, KS"]);

        cells = good();
        cells[1].outcome.metrics.insert("edge".into(), -0.5);
        assert_eq!(claim(&table2(&cells), "AAIS, edge").outcome, Outcome::Fail);
    }

    #[test]
    fn a_mean_on_the_wrong_side_of_another_fails() {
        let mut cells = good();
        cells[1].outcome.metrics.insert("fp".into(), 0.9);
        assert_eq!(claim(&table2(&cells), "AAIS better than VAE, FP").outcome, Outcome::Fail);
    }

    #[test]
    fn a_factor_asks_for_more_than_better() {
        let reported = Reported::of("figure1").unwrap();
        let outcome = |aais: f64| {
            let cells = [
                cell("figure1", "vae", 0, &[("radius_error", 0.02)]),
                cell("figure1", "aais", 0, &[("radius_error", aais)]),
            ];
            claim(&check(&reported, &cells), "AAIS better than VAE, radius error").outcome.clone()
        };
        assert_eq!(outcome(0.010), Outcome::Pass);
        assert_eq!(outcome(0.011), Outcome::Fail);
    }

    #[test]
    fn what_is_not_a_number_fails() {
        let mut cells = good();
        cells[0].outcome.metrics.insert("ks".into(), f64::NAN);
        assert_eq!(claim(&table2(&cells), "VAE, KS").outcome, Outcome::Fail);
        assert_eq!(claim(&table2(&cells), "AAIS better than VAE, KS").outcome, Outcome::Fail);
    }

    #[test]
    fn what_has_not_run_is_skipped() {
        let report = table2(&good()[1..]);
        assert_eq!(claim(&report, "VAE, KS").outcome, Outcome::Skipped("vae has not run yet".into()));
        assert_eq!(claim(&report, "AAIS better than VAE, KS").outcome, Outcome::Skipped("vae has not run yet".into()));
        assert!(report.passed());
        assert!(!table2(&[]).has_judged());
    }

    #[test]
    fn quick_cells_are_not_judged() {
        let mut cells = good();
        for cell in &mut cells {
            cell.protocol = Protocol::Quick;
            cell.outcome.metrics.insert("ks".into(), 1.0);
        }
        let report = table2(&cells);
        assert!(report.passed() && !report.has_judged());
        let why = "vae ran by the quick protocol; only full runs are judged";
        assert_eq!(claim(&report, "VAE, KS").outcome, Outcome::Skipped(why.into()));
    }

    #[test]
    fn the_list_is_aligned_and_ends_with_the_count() {
        let mut cells = good();
        cells[0].outcome.metrics.insert("ks".into(), 0.5);
        let text = table2(&cells[..3]).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("FAIL  VAE, KS "), "{text}");
        assert!(
            lines[0].contains("0.082 to 0.102") && lines[0].ends_with("within 0.01 of the paper's 0.092"),
            "{text}"
        );
        assert_eq!(*lines.last().unwrap(), "7 passed, 1 failed, 7 skipped", "{text}");

        let reasons = table2(&cells[..3]).claims.into_iter().map(|claim| match claim.outcome {
            Outcome::Skipped(why) => why,
            _ => claim.reason,
        });
        let starts: BTreeSet<usize> =
            (lines.iter().zip(reasons)).map(|(line, reason)| line.chars().count() - reason.chars().count()).collect();
        assert_eq!(starts.len(), 1, "{text}");
    }
}
