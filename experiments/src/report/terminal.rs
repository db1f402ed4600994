//! The table for a terminal.

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table as Grid, presets};

use super::{
    ReportInput, heading, notice,
    table::{Entry, Line, Table},
    verdict::Verdict,
};
use crate::reported::Metric;

/// The report as lines of at most about `width` characters, with ANSI colours or without.
///
/// A method is two lines: our mean (sd) with its verdict, and the paper's mean (sd) below.
pub fn terminal(input: &ReportInput, width: u16, colour: bool) -> String {
    let table = Table::new(input.reported, input.cells);

    let mut grid = Grid::new();
    grid.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    grid.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    if colour {
        grid.enforce_styling();
    } else {
        grid.force_no_tty();
    }
    grid.set_header([String::new()].into_iter().chain(table.metrics.iter().map(Metric::heading)));
    for line in &table.lines {
        grid.add_row(ours(line, table.metrics));
        grid.add_row(paper(line, table.metrics));
    }
    // Rows of two lines read as pairs without a rule below each line.
    grid.remove_style(comfy_table::TableComponent::HorizontalLines);
    grid.remove_style(comfy_table::TableComponent::MiddleIntersections);

    let mut text = format!("{}. {}\n", heading(input.table), input.title);
    text += &wrapped(&input.reported.caption, width, "");
    if let Some([title, explanation]) = notice(input.protocol) {
        text += &wrapped(&format!("{}. {explanation}", title.to_uppercase()), width, "");
    }
    if !input.note.is_empty() {
        text += &wrapped(&format!("Note: {}", input.note), width, "");
    }
    text += &format!("{}\n", grid.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n"));
    text += &wrapped(&table.legend(), width, "");
    for (label, note) in table.notes() {
        text += &wrapped(&format!("{label}: {note}"), width, "  ");
    }
    text
}

fn ours(line: &Line, metrics: &[Metric]) -> Vec<Cell> {
    let mut cells = vec![Cell::new(line.label()).add_attribute(Attribute::Bold)];
    cells.extend(metrics.iter().zip(&line.entries).map(|(metric, entry)| our_cell(metric, line, entry)));
    cells
}

fn our_cell(metric: &Metric, line: &Line, entry: &Entry) -> Cell {
    let text = match (entry.ours, entry.verdict) {
        (None, _) => line.absent().to_owned(),
        (Some(ours), Verdict::NoReference) => metric.format_with_sd(ours.mean, ours.sd),
        (Some(ours), verdict) => format!("{} {}", metric.format_with_sd(ours.mean, ours.sd), verdict.name()),
    };
    let cell = if entry.is_our_best { Cell::new(text).add_attribute(Attribute::Bold) } else { Cell::new(text) };
    match entry.verdict {
        Verdict::Better | Verdict::Agrees => cell.fg(Color::Green),
        Verdict::Differs => cell.fg(Color::Yellow),
        Verdict::NoReference => cell,
        Verdict::NotRun => cell.add_attribute(Attribute::Dim),
    }
}

fn paper(line: &Line, metrics: &[Metric]) -> Vec<Cell> {
    let seeds = match line.n_seeds {
        0 => String::new(),
        1 => "  1 seed".to_owned(),
        n => format!("  {n} seeds"),
    };
    let cell = |text: String| Cell::new(text).add_attribute(Attribute::Dim).set_alignment(CellAlignment::Left);
    let mut cells = vec![cell(seeds)];
    cells.extend(metrics.iter().zip(&line.entries).map(|(metric, entry)| {
        cell(
            entry
                .paper
                .map_or_else(String::new, |paper| format!("{} paper", metric.format_with_sd(paper.mean, paper.sd))),
        )
    }));
    cells
}

/// Words in lines of at most `width` characters, those after the first behind `indent`.
fn wrapped(text: &str, width: u16, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > usize::from(width) {
            lines.push(indent.to_owned());
        }
        if let Some(line) = lines.last_mut() {
            if !line.trim_start().is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cell::Protocol, report::fake::Fake};

    #[test]
    fn the_widest_table_fits_120_columns() {
        let mut fake = Fake::of("table2");
        for cell in &mut fake.cells {
            cell.outcome.metrics.insert("edge".into(), -1.0);
        }
        let text = terminal(&fake.input(), 120, false);
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
        let row = text.lines().position(|line| line.trim_start().starts_with("VAE ")).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[row].contains("0.101 (0.001) differs"), "{text}");
        assert!(lines[row + 1].contains("3 seeds") && lines[row + 1].contains("0.092 (0.004) paper"), "{text}");
    }

    #[test]
    fn colour_is_as_asked() {
        let fake = Fake::of("table3");
        assert!(!terminal(&fake.input(), 100, false).contains('\u{1b}'));
        assert!(terminal(&fake.input(), 100, true).contains('\u{1b}'));
    }

    #[test]
    fn a_quick_run_says_so_before_its_numbers() {
        let mut fake = Fake::of("table2");
        fake.protocol = Protocol::Quick;
        fake.note = "50 epochs".into();
        let text = terminal(&fake.input(), 100, false);
        let notice = text.find("QUICK RUN, NOT THE PAPER'S PROTOCOL").unwrap();
        assert!(notice < text.find("KS").unwrap());
        assert!(text.contains("Note: 50 epochs"));
    }

    #[test]
    fn what_did_not_run_is_not_yet() {
        let text = terminal(&Fake::of("table2").input(), 120, false);
        let row = text.lines().find(|line| line.trim_start().starts_with("ALMOND ")).unwrap();
        assert_eq!(row.matches("not yet").count(), 4);
    }
}
