//! `report.md`: the table for people, where they read Markdown.

use super::{
    ReportInput, heading, notice,
    provenance::{Provenance, list, mean_time, short_hashes},
    table::{Entry, Line, Table},
    verdict::Verdict,
};
use crate::{
    check::check,
    figures::Figure,
    reported::{Metric, PaperValue},
};

pub(super) fn report(input: &ReportInput, table: &Table, figures: &[Figure]) -> String {
    let mut text = format!("# {}. {}\n\n", heading(input.table), escaped(input.title));
    if let Some([title, explanation]) = notice(input.protocol) {
        text += &format!("> **{title}.** {explanation}\n\n");
    }
    text += &format!("{}\n\n", escaped(&input.reported.caption));
    if !input.note.is_empty() {
        text += &format!("Note: {}\n\n", escaped(input.note));
    }

    text += &table_of(table);
    text += &format!(
        "\n{} The best is in bold. In the paper: {}.\n\n",
        escaped(&table.legend()),
        escaped(&input.reported.source)
    );
    for metric in table.metrics {
        text += &format!("- {}: {}\n", escaped(&metric.heading()), escaped(&metric.description));
    }
    for (label, note) in table.notes() {
        text += &format!("- {}: {}\n", escaped(&label), escaped(note));
    }

    text.extend(figures.iter().map(figure));
    text += &claims(input);
    text + &provenance(input)
}

fn table_of(table: &Table) -> String {
    let mut head = "| method | seeds |".to_owned();
    let mut rule = "|---|---|".to_owned();
    for (index, metric) in table.metrics.iter().enumerate() {
        head += &format!(" {} |", escaped(&metric.heading()));
        rule += "---|";
        if table.has_paper(index) {
            head += " paper |";
            rule += "---|";
        }
    }

    let mut text = format!("{head}\n{rule}\n");
    for line in &table.lines {
        text += &row(table, line);
    }
    text
}

fn row(table: &Table, line: &Line) -> String {
    let mut text = format!("| {} | {} |", escaped(&line.label()), line.n_seeds);
    for (index, (metric, entry)) in table.metrics.iter().zip(&line.entries).enumerate() {
        text += &format!(" {} |", ours(metric, line, entry));
        if table.has_paper(index) {
            text += &format!(" {} |", entry.paper.map_or_else(String::new, |paper| papers(metric, paper, entry)));
        }
    }
    text + "\n"
}

fn ours(metric: &Metric, line: &Line, entry: &Entry) -> String {
    let Some(ours) = entry.ours else { return format!("*{}*", line.absent()) };
    let numbers = metric.format_with_sd(ours.mean, ours.sd);
    let numbers = if entry.is_our_best { format!("**{numbers}**") } else { numbers };
    match entry.verdict {
        Verdict::NoReference | Verdict::NotRun => numbers,
        verdict => format!("{numbers} {}", verdict.name()),
    }
}

fn papers(metric: &Metric, paper: PaperValue, entry: &Entry) -> String {
    let numbers = metric.format_with_sd(paper.mean, paper.sd);
    if entry.is_papers_best { format!("**{numbers}**") } else { numbers }
}

fn figure(figure: &Figure) -> String {
    let caption = escaped(figure.caption);
    let seed =
        if figure.is_of_pairs() { "The lowest seed is shown." } else { "One panel a method, of its lowest seed." };
    format!("\n![{caption}](figures/{}.svg)\n\n{caption} {seed}\n", figure.name)
}

fn claims(input: &ReportInput) -> String {
    let checked = check(input.reported, input.cells);
    if !checked.has_judged() {
        return String::new();
    }
    let mut text =
        "\n## Claims\n\n| claim | expected | measured | seeds | outcome | reason |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for claim in &checked.claims {
        let [subject, expected, measured, n, outcome, reason] = claim.columns().map(|column| escaped(&column));
        text += &format!("| {subject} | {expected} | {measured} | {n} | {outcome} | {reason} |\n");
    }
    text
}

fn provenance(input: &ReportInput) -> String {
    if input.cells.is_empty() {
        return String::new();
    }
    let provenance = Provenance::of(input.cells);
    let mut text = "\n## Where the numbers come from\n\n".to_owned();
    text += &format!(
        "aais {}; instruction set {}; {}{}.\n\n| method | seeds | epochs | mean time a seed | settings |\n|---|---|---|---|---|\n",
        list(&provenance.version),
        list(&provenance.instruction_sets),
        escaped(&list(&provenance.machines)),
        escaped(&provenance.data_in_words()),
    );
    for (method, hashes) in &provenance.config_hashes {
        text += &format!(
            "| {} | {} | {} | {} | {} |\n",
            escaped(method),
            list(&provenance.seeds[method]),
            list(&provenance.epochs[method]),
            mean_time(input.cells, method),
            escaped(&short_hashes(hashes).join(", ")),
        );
    }
    text
}

/// Text that Markdown takes as it stands, also within a table.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if matches!(letter, '\\' | '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']') {
            escaped.push('\\');
        }
        escaped.push(if letter == '\n' { ' ' } else { letter });
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cell::Protocol, report::fake::Fake};

    fn markdown(fake: &Fake) -> String {
        let input = fake.input();
        report(&input, &Table::new(input.reported, input.cells), &Figure::all(&input).unwrap())
    }

    #[test]
    fn every_row_has_as_many_cells_as_the_head() {
        for table in ["table2", "table3", "figure1"] {
            let text = markdown(&Fake::of(table));
            let mut width = None;
            for line in text.lines() {
                let cells = line.replace("\\|", "").matches('|').count();
                if !line.starts_with('|') {
                    width = None;
                    continue;
                }
                assert_eq!(*width.get_or_insert(cells), cells, "{line}");
            }
        }
    }

    #[test]
    fn our_numbers_stand_beside_the_papers() {
        let text = markdown(&Fake::of("table2"));
        assert!(text.contains("| VAE | 3 | 0.101 (0.001) differs | 0.092 (0.004) |"), "{text}");
        assert!(text.contains("| ALMOND | 0 | *not yet* | 0.048 (0.001) |"), "{text}");
        assert!(text.contains("![Figure 2."));
    }

    #[test]
    fn what_the_paper_prints_without_a_deviation_stands_without_parentheses() {
        let text = markdown(&Fake::of_rows());
        assert!(text.contains("| method | seeds | deviance ↓ | paper | modedo | paper |"), "{text}");
        assert!(text.contains(" | 4530.573 | "), "{text}");
        assert!(text.contains(" | **4512.100 (1.500)** | "), "{text}");
    }

    #[test]
    fn a_quick_run_says_so_first_and_claims_nothing() {
        let mut fake = Fake::of("table2");
        fake.protocol = Protocol::Quick;
        fake.note = "a | b".into();
        for cell in &mut fake.cells {
            cell.protocol = Protocol::Quick;
        }
        let text = markdown(&fake);
        assert!(text.lines().nth(2).unwrap().starts_with("> **Quick run, not the paper's protocol.**"));
        assert!(text.contains("Note: a \\| b"));
        assert!(!text.contains("## Claims"));
    }
}
