//! The table itself: for every method and metric our mean, the paper's, and what to say of the two.

use super::{
    summary::{Summary, outcomes, summarize},
    verdict::{VERDICT_RULE, Verdict, WITHOUT_DIRECTION},
};
use crate::{
    cell::{Cell, Protocol},
    reported::{Column, Direction, Metric, PaperValue, Reported},
};

/// Our numbers beside the paper's, in the paper's order.
#[derive(Debug)]
pub struct Table<'a> {
    /// What every line has an entry of.
    pub metrics: &'a [Metric],
    /// One a method.
    pub lines: Vec<Line<'a>>,
}

/// A method's part of the table.
#[derive(Debug)]
pub struct Line<'a> {
    /// The method, with its label and note.
    pub column: &'a Column,
    /// Seeds with an outcome.
    pub n_seeds: usize,
    /// Whether any of them followed less than the paper's protocol.
    pub is_reduced: bool,
    /// One a metric.
    pub entries: Vec<Entry>,
}

/// One method and metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Of our runs.
    pub ours: Option<Summary>,
    /// As printed in the paper.
    pub paper: Option<PaperValue>,
    /// What to say of the two.
    pub verdict: Verdict,
    /// No other method of ours is better in the digits shown.
    pub is_our_best: bool,
    /// No other method of the paper is better.
    pub is_papers_best: bool,
}

impl<'a> Table<'a> {
    /// The table of these cells.
    pub fn new(reported: &'a Reported, cells: &[Cell]) -> Self {
        let mut lines: Vec<Line> =
            reported.columns.iter().map(|column| line(column, &reported.metrics, cells)).collect();
        for (index, metric) in reported.metrics.iter().enumerate() {
            let ours = best(metric, lines.iter().filter_map(|line| Some(line.entries[index].ours?.mean)));
            let papers = best(metric, lines.iter().filter_map(|line| Some(line.entries[index].paper?.mean)));
            for line in &mut lines {
                let entry = &mut line.entries[index];
                entry.is_our_best = is_best(metric, entry.ours.map(|ours| ours.mean), ours);
                entry.is_papers_best = is_best(metric, entry.paper.map(|paper| paper.mean), papers);
            }
        }
        Self { metrics: &reported.metrics, lines }
    }

    /// What a reader must know about methods, each note once behind the labels of its methods.
    pub fn notes(&self) -> Vec<(String, &'a str)> {
        let mut notes: Vec<(String, &str)> = Vec::new();
        for column in self.lines.iter().map(|line| line.column) {
            let Some(note) = column.note.as_deref() else { continue };
            match notes.iter_mut().find(|(_, known)| *known == note) {
                Some((labels, _)) => *labels += &format!(", {}", column.label),
                None => notes.push((column.label.clone(), note)),
            }
        }
        notes
    }

    /// Whether the paper has any number of this metric.
    pub fn has_paper(&self, metric: usize) -> bool {
        self.lines.iter().any(|line| line.entries[metric].paper.is_some())
    }

    /// How to read the numbers: what they are, and the rules of the verdicts that there are.
    pub fn legend(&self) -> String {
        let mut legend = "Mean (sd) over training seeds.".to_owned();
        let has_paper = |(index, _): &(usize, &Metric)| self.has_paper(*index);
        let mut compared = self.metrics.iter().enumerate().filter(has_paper).peekable();
        if compared.peek().is_some() {
            legend += &format!(" Verdicts: {VERDICT_RULE}{}", self.rule_without_sd());
        }
        if compared.any(|(_, metric)| metric.direction == Direction::None) {
            legend += &format!(" {WITHOUT_DIRECTION}");
        }
        legend
    }

    /// What takes the place of the standard error beside the paper's numbers without one, if there are any.
    fn rule_without_sd(&self) -> String {
        let lacks_sd = |entry: &Entry| entry.paper.is_some_and(|paper| paper.sd.is_none());
        let lines: Vec<&Line> = self.lines.iter().filter(|line| line.entries.iter().any(lacks_sd)).collect();
        if lines.is_empty() {
            return String::new();
        }
        let mut rule = " Where the paper prints no sd, \"agrees\" when they differ by at most half a unit of the last \
            printed digit"
            .to_owned();
        for line in lines {
            if let Some(share) = line.column.agrees_within {
                rule += &format!(" or, for {}, {share} of the paper's number", line.column.label);
            }
        }
        rule + "."
    }
}

fn line<'a>(column: &'a Column, metrics: &[Metric], cells: &[Cell]) -> Line<'a> {
    let entry = |metric: &Metric| {
        let ours = summarize(cells, &column.method, &metric.name);
        let paper = column.reported.get(&metric.name).copied();
        let verdict = Verdict::of(metric, ours, paper, column.agrees_within.unwrap_or(0.0));
        Entry { ours, paper, verdict, is_our_best: false, is_papers_best: false }
    };
    let outcomes = outcomes(cells, &column.method);
    let is_reduced = outcomes.iter().any(|(cell, _)| cell.protocol == Protocol::Reduced);
    Line { column, n_seeds: outcomes.len(), is_reduced, entries: metrics.iter().map(entry).collect() }
}

impl Line<'_> {
    /// In place of a number that there is not.
    pub fn absent(&self) -> &'static str {
        if self.n_seeds == 0 { "not yet" } else { "–" }
    }

    /// The method as people read it.
    pub fn label(&self) -> String {
        if self.is_reduced { format!("{} (reduced)", self.column.label) } else { self.column.label.clone() }
    }
}

/// The best of at least two values, in the digits shown; none where no direction is better.
fn best(metric: &Metric, values: impl Iterator<Item = f64>) -> Option<f64> {
    let shown: Vec<f64> = values.map(|value| rounded(metric, value)).collect();
    let best = shown.iter().copied().reduce(|best, value| if metric.is_better(value, best) { value } else { best });
    best.filter(|_| shown.len() > 1 && metric.direction != Direction::None)
}

fn is_best(metric: &Metric, value: Option<f64>, best: Option<f64>) -> bool {
    value.zip(best).is_some_and(|(value, best)| !metric.is_better(best, rounded(metric, value)))
}

fn rounded(metric: &Metric, value: f64) -> f64 {
    (value * metric.scale()).round() / metric.scale()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fake;

    fn reported() -> Reported {
        Reported::of("table2").unwrap()
    }

    #[test]
    fn a_method_without_cells_is_a_line_that_was_not_run() {
        let reported = reported();
        let cells = [fake::cell("table2", "iwae", 0, &[("ks", 0.05)])];
        let table = Table::new(&reported, &cells);
        let line = |method: &str| table.lines.iter().find(|line| line.column.method == method).unwrap();

        assert_eq!(table.lines.len(), reported.columns.len());
        assert_eq!(line("almond").n_seeds, 0);
        assert!(line("almond").entries.iter().all(|entry| entry.verdict == Verdict::NotRun));
        assert_eq!(line("almond").entries[0].paper.unwrap().mean, 0.048);
        assert_eq!(line("iwae").entries[0].verdict, Verdict::NoReference);
        assert_eq!(line("iwae").entries[1].verdict, Verdict::NotRun);
    }

    #[test]
    fn the_best_are_marked_as_in_the_paper() {
        let reported = Reported::of("table3").unwrap();
        let cells = [
            fake::cell("table3", "vae", 0, &[("ks", 0.1)]),
            fake::cell("table3", "aais", 0, &[("ks", 0.0301)]),
            fake::cell("table3", "iwae", 0, &[("ks", 0.0299)]),
        ];
        let table = Table::new(&reported, &cells);
        let marked = |is_best: fn(&Entry) -> bool| -> Vec<&str> {
            let lines = table.lines.iter().filter(|line| is_best(&line.entries[0]));
            lines.map(|line| line.column.method.as_str()).collect()
        };
        // 0.0299 and 0.0301 both read 0.030, as two bold numbers do in Table 3.
        assert_eq!(marked(|entry| entry.is_our_best), ["iwae", "aais"]);
        assert_eq!(marked(|entry| entry.is_papers_best), ["lmcvae", "aais"]);
    }

    #[test]
    fn a_row_of_less_than_the_papers_protocol_says_so() {
        let reported = reported();
        let mut cells = [fake::cell("table2", "vae", 1, &[]), fake::cell("table2", "almond", 1, &[])];
        cells[1].protocol = Protocol::Reduced;
        let table = Table::new(&reported, &cells);
        let label = |method: &str| table.lines.iter().find(|line| line.column.method == method).map(Line::label);
        assert_eq!(label("almond").as_deref(), Some("ALMOND (reduced)"));
        assert_eq!(label("vae").as_deref(), Some("VAE"));
    }

    #[test]
    fn a_note_of_several_methods_is_told_once() {
        let reported = reported();
        let table = Table::new(&reported, &[]);
        let notes = table.notes();
        let shared = notes.iter().find(|(methods, _)| methods == "AMCVAE, LMCVAE");
        assert!(shared.is_some_and(|(_, note)| note.contains("Thin et al.")), "{notes:?}");
    }

    #[test]
    fn a_table_without_the_papers_numbers_explains_no_verdicts() {
        let figure = Reported::of("figure1").unwrap();
        assert!(!Table::new(&figure, &[]).legend().contains("Verdicts"));
        assert!(Table::new(&reported(), &[]).legend().contains("Verdicts"));
    }

    #[test]
    fn the_legend_explains_only_the_rules_in_use() {
        let mut fake = fake::Fake::of_rows();
        let legend = |fake: &fake::Fake| Table::new(&fake.reported, &[]).legend();
        let without_sd = "Where the paper prints no sd, \"agrees\" when they differ by at most half a unit of the last \
            printed digit or, for GLMM, 0.0015 of the paper's number.";
        assert!(legend(&fake).contains(without_sd), "{}", legend(&fake));
        assert!(legend(&fake).ends_with(WITHOUT_DIRECTION));

        fake.reported.columns.retain(|column| column.method != "glmm");
        fake.reported.metrics.retain(|metric| metric.direction != Direction::None);
        assert!(legend(&fake).ends_with(VERDICT_RULE), "{}", legend(&fake));
    }

    #[test]
    fn without_a_direction_nothing_is_the_best() {
        let fake = fake::Fake::of_rows();
        let table = Table::new(&fake.reported, &fake.cells);
        let marked = |metric: &str| {
            let index = table.metrics.iter().position(|known| known.name == metric).unwrap();
            let entries = || table.lines.iter().map(|line| &line.entries[index]);
            (
                entries().filter(|entry| entry.is_our_best).count(),
                entries().filter(|entry| entry.is_papers_best).count(),
            )
        };
        assert_eq!(marked("deviance"), (1, 1));
        assert_eq!(marked("modedo"), (0, 0));
    }

    #[test]
    fn one_method_alone_is_not_the_best() {
        let reported = reported();
        let table = Table::new(&reported, &[fake::cell("table2", "vae", 0, &[("ks", 0.1)])]);
        assert!(!table.lines.iter().any(|line| line.entries[0].is_our_best));
    }
}
